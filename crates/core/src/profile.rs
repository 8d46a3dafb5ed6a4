//! The determinism and metering profile: what "the same call" and "the same fuel" mean.
//!
//! The profile is a document, `conformance/glassbox-det-1.json`. Receipts carry the SHA-256 of its exact bytes, so
//! that a reader in ten years knows which features, limits and costs a figure was measured with. The engine takes
//! every number from here; none is a default of the engine, because those change between its versions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The document of profile `glassbox-det/1`.
pub const GLASSBOX_DET_1: &str = include_str!("../../../conformance/glassbox-det-1.json");

/// A profile in parsed form. The document has the final word: unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name, such as `glassbox-det/1`.
    pub id: String,
    /// A word to the reader.
    pub note: String,
    /// The engine whose fuel counter is meant.
    pub engine: Engine,
    /// The Wasm features that a component may use, by their names in `wasmparser`, with hyphens.
    pub features: Vec<String>,
    /// How NaN results are treated: `canonical`.
    pub nan: String,
    /// The name of the encoding that values are hashed in; see [`crate::value::binary`].
    pub value_encoding: String,
    /// The limits that can decide how a call ends.
    pub limits: Limits,
    /// What the host's own work costs.
    pub host: HostCosts,
    /// Which loops are unrolled before they are compiled.
    pub unrolling: Unrolling,
    /// What a trap costs.
    pub trap: TrapRule,
    /// The clocks of guests that are given no real ones.
    pub virtual_clocks: VirtualClocks,
    /// The cost of every operator, by its name in `wasmparser`.
    pub operators: BTreeMap<String, u8>,
    /// The costs of operators per byte, page or element, on top of the operator's own.
    pub variable: BTreeMap<String, u8>,
    #[serde(skip, default = "unset")]
    digest: Digest,
}

/// Stands where [`Profile::parse`] puts the digest of the bytes.
fn unset() -> Digest {
    Digest::from_bytes([0; 32])
}

/// The engine of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its major version: what it charges beside the table may change with that.
    pub major: u32,
}

/// The limits of a profile. A call may be given less, never more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// The most fuel of one call.
    pub fuel_max: u64,
    /// The most bytes over all linear memories.
    pub memory_bytes_max: usize,
    /// The most elements over all tables.
    pub table_elements_max: usize,
    /// The guest's stack, in bytes. Where it ends is not deterministic, so it is far away.
    pub stack_bytes: usize,
    /// The deepest nesting of components and modules in one component. A composed one has 3 levels.
    pub component_depth_max: usize,
    /// The most core modules in one component. A Python component has 38, a composition of two twice that.
    pub core_modules_max: usize,
    /// The most instances that one component makes of its modules and parts, those that its parts make included.
    /// Python has about 100.
    pub instances_max: usize,
    /// The most of these that are of core modules: as many as are kept ready for one call.
    pub core_instances_max: usize,
    /// The most memories over all instances: as many as are kept ready for one call. A composition has one for each
    /// of its parts.
    pub memories_max: usize,
    /// The most tables over all instances: as many as are kept ready for one call.
    pub tables_max: usize,
    /// The most bytes that data segments write before a call starts, over all instances. Nobody pays for that time.
    /// Python has 11 million.
    pub data_bytes_max: usize,
    /// The most types, imports, exports, globals, segments and so on in one component, and over all its instances,
    /// where each element of a table counts too. Python and JavaScript have some 18,000.
    pub definitions_max: usize,
    /// The most types of instances and components that stand inside of another in one section. Each level takes the
    /// host's stack, and 600 are too many for two megabytes of it.
    pub types_inside_max: usize,
    /// The most core functions in one component. Python and its libraries have about 30,000.
    pub core_functions_max: usize,
    /// The most bytes of one core function. The largest of Python has 427,000.
    pub function_bytes_max: usize,
    /// The most locals of one core function, its parameters included. Python has up to 273.
    pub function_locals_max: usize,
    /// The deepest nesting of blocks in one core function. Python has 781.
    pub block_depth_max: usize,
    /// The deepest nesting of loops in one core function: compiling takes its third power. Python has 6.
    pub loop_depth_max: usize,
    /// The most branches of one core function: blocks, conditions and jumps that may be taken, a loop and a call
    /// through a table as two each, a jump by a table as one for each target. Compiling takes its square, ten seconds
    /// for this many. The loop of Python's interpreter has 7,800 without those targets.
    pub function_branches_max: usize,
    /// The most locals times branches of one core function: where paths meet, the compiler may need every local again,
    /// in 32 bytes. JavaScript has up to 466,000.
    pub function_merges_max: usize,
    /// The most locals times levels of loops, summed over the loops of one core function: each loop, and each around
    /// it, may need every local again. Compiling takes some three microseconds each. JavaScript has up to 128,000.
    pub function_loop_locals_max: usize,
    /// The same summed over all functions of a component. JavaScript has 583,000.
    pub loop_locals_max: usize,
    /// The most pairs of branches, summed over all functions of a component. About 15 nanoseconds of compiling each.
    /// JavaScript has 219 million.
    pub branch_pairs_max: usize,
    /// The most locals times branches, summed over all functions of a component. About 0.2 microseconds each.
    /// JavaScript has 6.7 million.
    pub merges_max: usize,
    /// The most results of one core function or block. They move at every call, return and branch, and nobody is paid
    /// for that. Compilers return more than one value seldom, and more than a handful never.
    pub results_max: usize,
    /// The most values that one block of a core function takes from outside of it.
    pub block_params_max: usize,
    /// The most operands of operators beyond the sixteenth of each, summed over a component, a jump table's once for
    /// each target. A call of two bytes may have two thousand, of some ten microseconds each.
    /// Python has 12.
    pub wide_operands_max: usize,
    /// The most nodes of a function's type with every named type spelled out.
    pub type_nodes_max: usize,
    /// The deepest nesting of a value.
    pub value_depth_max: usize,
    /// The most nodes of a value.
    pub value_nodes_max: usize,
    /// How deep dependencies may import one another, the component that is called included.
    pub call_depth_max: usize,
    /// The most components that one call may come to: one for each way from the one that is called to a dependency.
    pub call_instances_max: usize,
    /// The most memories over all components of a call.
    pub call_memories_max: usize,
    /// The most tables over all components of a call.
    pub call_tables_max: usize,
    /// The most core instances over all components of a call.
    pub call_core_instances_max: usize,
    /// The most entries of a call tree.
    pub call_tree_nodes_max: usize,
    /// The most resources of the host that a guest may hold at a time.
    pub host_resources_max: usize,
    /// The most bytes that one read of a stream, or one request for random bytes, gives.
    pub host_read_bytes_max: usize,
    /// The most files and directories of a guest's tree.
    pub tree_nodes_max: usize,
    /// The deepest directory of a guest's tree.
    pub tree_depth_max: usize,
    /// The longest name in a guest's tree, in bytes.
    pub tree_name_bytes_max: usize,
    /// The most entries of a transcript.
    pub transcript_entries_max: usize,
    /// The most bytes of one entry of a transcript.
    pub transcript_entry_bytes_max: usize,
    /// The most bytes of all entries of a transcript.
    pub transcript_bytes_max: usize,
}

/// What the host's work costs, in fuel. Bytes are those of the canonical value encoding.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostCosts {
    /// For every call.
    pub per_call: u64,
    /// For every instance of a core module that the component is made of.
    pub per_core_instance: u64,
    /// For every type, import, export, global, segment and so on of all instances together.
    pub per_definition: u64,
    /// For every 1,024 bytes of data, begun ones included, that instances write into memories before the call.
    pub per_data_kib: u64,
    /// For every page of 64 KiB that memories have at the start or grow by: sooner or later it is made ready and
    /// cleared.
    pub per_memory_page: u64,
    /// For every element that tables have at the start or grow by.
    pub per_table_element: u64,
    /// For every value of the arguments, as [`Value::count`](crate::value::Value::count) counts them.
    pub per_value_lowered: u64,
    /// For every value of the result.
    pub per_value_lifted: u64,
    /// For every byte of the arguments.
    pub per_byte_lowered: u64,
    /// For every byte of the result.
    pub per_byte_lifted: u64,
    /// For every call of a dependency, beside its values. Its instance costs as much as that of a call.
    pub per_inner_call: u64,
    /// For every call of the host that a guest makes.
    pub per_host_call: u64,
    /// For every byte that crosses in such a call, in either direction.
    pub per_host_byte: u64,
    /// For every random byte, on top of that: virtual ones are hashed.
    pub per_random_byte: u64,
}

/// The clocks of guests that are given no real ones: the same on every run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VirtualClocks {
    /// What the wall clock shows, in seconds since 1970-01-01 UTC. It stands still.
    pub wall_seconds: u64,
    /// How far the monotonic clock goes with every look at it, in nanoseconds. It starts at zero, and waiting moves it
    /// to the end of the wait at once.
    pub monotonic_step_ns: u64,
}

/// Which loops are unrolled before a component is compiled.
///
/// A loop is unrolled that has the block type `0x40` and at most `operators_max` operators, neither a loop nor a call nor a
/// jump by a table among them, and either ends with the only jump to its own beginning, a `br_if`, or ends with a `br` to it.
/// The body stands in it `copies` times: in the place of the `br_if` comes an `if`, with all further turns inside of it; before a
/// `br`, all turns but the last are blocks. Neither changes what a call costs that returns, as such blocks cost nothing, and an
/// `if` what a `br_if` does. A component is compiled as it is, whole, where the copy would not be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unrolling {
    /// How many turns stand in a loop that is unrolled.
    pub copies: u32,
    /// The most operators of a loop that is unrolled: every one between `loop` and its own `end`.
    pub operators_max: usize,
}

/// What a call costs that ends in a trap, where the engine has lost count of the work since it last looked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrapRule {
    /// How often the engine looks, in fuel.
    pub yield_interval: u64,
    /// How the loss is made up for: `add-one-interval`, capped at the call's fuel.
    pub rounding: String,
}

impl Profile {
    /// Returns the profile that calls are run with today.
    pub fn current() -> &'static Profile {
        static CURRENT: LazyLock<Profile> = LazyLock::new(|| {
            // The document is part of this crate and its tests parse it, so this cannot fail in the field.
            Profile::parse(GLASSBOX_DET_1).expect("the built-in profile parses")
        });
        &CURRENT
    }

    /// Parses a profile document.
    pub fn parse(text: &str) -> Result<Profile, serde_json::Error> {
        let profile: Profile = serde_json::from_str(text)?;
        Ok(Profile { digest: Digest::of(text), ..profile })
    }

    /// Returns the engine as receipts name it, such as `wasmtime 48`.
    pub fn engine_text(&self) -> String {
        format!("{} {}", self.engine.name, self.engine.major)
    }

    /// Returns the SHA-256 of the exact bytes of the document: what receipts carry.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns what a call costs by itself and for its arguments.
    pub fn lowered_fuel(&self, args: HostWork) -> u64 {
        let host = &self.host;
        host.per_call.saturating_add(args.fuel(host.per_value_lowered, host.per_byte_lowered))
    }

    /// Returns what a result costs. A call that did not return has lifted nothing.
    pub fn lifted_fuel(&self, result: HostWork) -> u64 {
        result.fuel(self.host.per_value_lifted, self.host.per_byte_lifted)
    }

    /// Returns what a call of a dependency costs by itself and for its arguments.
    pub fn inner_fuel(&self, args: HostWork) -> u64 {
        let host = &self.host;
        host.per_inner_call.saturating_add(args.fuel(host.per_value_lowered, host.per_byte_lowered))
    }

    /// Returns what instances cost before any of their code runs, but for their memories and tables.
    pub fn start_fuel(&self, work: StartWork) -> u64 {
        let host = &self.host;
        let parts = [
            (host.per_core_instance, work.core_instances),
            (host.per_definition, work.definitions),
            (host.per_data_kib, work.data_bytes.div_ceil(1024)),
        ];
        parts.iter().fold(0, |sum, (cost, count)| sum.saturating_add(cost.saturating_mul(*count as u64)))
    }
}

/// Values that cross between host and guest in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostWork {
    /// How many values, those inside of others included.
    pub values: usize,
    /// How many bytes they have in the canonical encoding.
    pub bytes: usize,
}

/// What a component does before any of its code runs, but for its memories and tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartWork {
    /// How many instances of core modules it makes.
    pub core_instances: usize,
    /// How many types, imports, exports, globals, segments and so on they have together.
    pub definitions: usize,
    /// How many bytes of data they write into memories.
    pub data_bytes: usize,
}

impl HostWork {
    fn fuel(self, per_value: u64, per_byte: u64) -> u64 {
        let values = per_value.saturating_mul(self.values as u64);
        values.saturating_add(per_byte.saturating_mul(self.bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn limits_agree_with_the_document() {
        let profile = Profile::current();
        assert_eq!(profile.id, "glassbox-det/1");
        assert_eq!(profile.limits.fuel_max, limits::FUEL_MAX);
        assert_eq!(profile.limits.memory_bytes_max, limits::MEMORY_BYTES_MAX);
        assert_eq!(profile.limits.table_elements_max, limits::TABLE_ELEMENTS_MAX);
        assert_eq!(profile.limits.stack_bytes, limits::STACK_BYTES_MAX);
        assert_eq!(profile.limits.value_depth_max, limits::VALUE_DEPTH_MAX);
        assert_eq!(profile.limits.value_nodes_max, limits::VALUE_NODES_MAX);
        assert_eq!(profile.limits.call_depth_max, limits::CALL_DEPTH_MAX);
        assert_eq!(profile.limits.call_instances_max, limits::CALL_INSTANCES_MAX);
        assert_eq!(profile.limits.call_memories_max, limits::CALL_MEMORIES_MAX);
        assert_eq!(profile.limits.call_tables_max, limits::CALL_TABLES_MAX);
        assert_eq!(profile.limits.call_core_instances_max, limits::CALL_CORE_INSTANCES_MAX);
        assert_eq!(profile.limits.call_tree_nodes_max, limits::CALL_TREE_NODES_MAX);
        assert_eq!(profile.limits.host_resources_max, limits::HOST_RESOURCES_MAX);
        assert_eq!(profile.limits.host_read_bytes_max, limits::HOST_READ_BYTES_MAX);
        assert_eq!(profile.limits.tree_nodes_max, limits::TREE_NODES_MAX);
        assert_eq!(profile.limits.tree_depth_max, limits::TREE_DEPTH_MAX);
        assert_eq!(profile.limits.tree_name_bytes_max, limits::TREE_NAME_BYTES_MAX);
        assert_eq!(profile.limits.transcript_entries_max, limits::TRANSCRIPT_ENTRIES_MAX);
        assert_eq!(profile.limits.transcript_entry_bytes_max, limits::TRANSCRIPT_ENTRY_BYTES_MAX);
        assert_eq!(profile.limits.transcript_bytes_max, limits::TRANSCRIPT_BYTES_MAX);
    }

    #[test]
    fn no_jump_is_free() {
        // A loop whose turns cost nothing would never run out of fuel.
        let profile = Profile::current();
        for name in
            ["Br", "BrIf", "BrTable", "If", "Call", "CallIndirect", "ReturnCall", "ReturnCallIndirect"]
        {
            assert!(profile.operators[name] > 0, "{name}");
        }
        assert_eq!(profile.operators["I32Add"], 4);
        assert!(profile.variable.values().all(|cost| *cost > 0));
    }

    #[test]
    fn digest_is_that_of_the_bytes() {
        assert_eq!(Profile::current().digest(), Digest::of(GLASSBOX_DET_1));
    }

    #[test]
    fn host_fuel_saturates() {
        let profile = Profile::current();
        let all = HostWork { values: usize::MAX, bytes: usize::MAX };
        assert_eq!(profile.lowered_fuel(HostWork::default()), profile.host.per_call);
        assert_eq!(profile.lowered_fuel(all), u64::MAX);
        assert_eq!(profile.lifted_fuel(all), u64::MAX);
        let all = StartWork { core_instances: usize::MAX, definitions: usize::MAX, data_bytes: usize::MAX };
        assert_eq!(profile.start_fuel(all), u64::MAX);
    }
}
