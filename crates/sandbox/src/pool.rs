//! Where instances get their memory, and how that is clean for the next one.
//!
//! What an instance left behind goes away in one of three ways. To write over it is the fastest as long as it is little. To
//! give it back with `madvise` takes longer, and interrupts every other core: two threads were slower than one. To ask the
//! kernel what was written (`PAGEMAP_SCAN`), and write over that alone, is fast for any size. But version 48 of the engine
//! overlooks pages that are not in memory at that moment because they are swapped out (bytecodealliance/wasmtime#14357), and
//! the next guest would find there what the one before it wrote.
//!
//! So there are two pools. Instances of little memory, which those of our templates are, have one in which everything is
//! written over. All others have one that asks the kernel about memories, where the machine does not swap, and that gives
//! tables back: what is left in a table would be called. A page that the kernel moves to another place in memory is overlooked
//! too, for the microseconds that this takes; that cannot be brought about from within a guest, and ends with the engine's mend.

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::engine::{self, Purpose};
use crate::{Inspection, SandboxConfig};

/// The engine, once for each pool. What is compiled for one is the same for the other.
pub(crate) struct Engines {
    small: Engine,
    large: Engine,
}

/// The most memory that an instance may begin with to be a small one, in bytes: a stack of 64 KiB and as much data again, or
/// twice.
const SMALL_BYTES: usize = 192 * 1024;

/// How much of each memory of a large one, and of each table of a small one, is written over and kept.
const KEPT_BYTES: usize = 64 * 1024;

impl Engines {
    pub(crate) fn new(profile: &Profile, config: &SandboxConfig, purpose: Purpose) -> wasmtime::Result<Self> {
        let engine = |allocation| engine::engine(profile, config.codegen, allocation, purpose);
        if !config.pool {
            return Ok(Self::alone(engine(InstanceAllocationStrategy::OnDemand)?));
        }
        let mut small = sized(profile, config.active());
        small.linear_memory_keep_resident(SMALL_BYTES);
        small.table_keep_resident(KEPT_BYTES);
        small.pagemap_scan(Enabled::No);
        let mut large = sized(profile, config.active());
        large.linear_memory_keep_resident(KEPT_BYTES);
        large.table_keep_resident(0);
        large.pagemap_scan(if swaps() { Enabled::No } else { Enabled::Auto });
        let pool = InstanceAllocationStrategy::Pooling;
        Ok(Self { small: engine(pool(small))?, large: engine(pool(large))? })
    }

    /// Makes do with one engine.
    pub(crate) fn alone(engine: Engine) -> Self {
        Self { small: engine.clone(), large: engine }
    }

    /// Returns the engine that instances of a component are made with.
    pub(crate) fn of(&self, inspection: &Inspection) -> &Engine {
        if inspection.memory_bytes <= SMALL_BYTES { &self.small } else { &self.large }
    }

    /// Returns one to compile with.
    pub(crate) fn compiler(&self) -> &Engine {
        &self.small
    }
}

/// Tells whether the system moves memory to a disk. Where that cannot be read, it may.
fn swaps() -> bool {
    // A line of titles, and one for each place that it moves memory to.
    !std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() == 1)
}

/// Sizes the pool for `active` calls at a time, each of as much as a call may come to.
///
/// Address space is reserved per memory, 4 GiB and guards, which lets the compiler leave out bounds checks.
/// With 32 memories per call that is 128 GiB of the 128 TiB there are for every call at a time.
fn sized(profile: &Profile, active: usize) -> PoolingAllocationConfig {
    // `inspect` refuses more, so that a component fits a pool or no machine runs it.
    let memories = profile.limits.memories_max as u32;
    let tables = profile.limits.tables_max as u32;
    let core_instances = profile.limits.core_instances_max as u32;
    const INSTANCE_BYTES: usize = 16 * 1024 * 1024;
    let calls = active as u32;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls * profile.limits.call_instances_max as u32);
    pool.total_core_instances(calls * profile.limits.call_core_instances_max as u32);
    pool.total_memories(calls * profile.limits.call_memories_max as u32);
    pool.total_tables(calls * profile.limits.call_tables_max as u32);
    pool.total_stacks(calls * profile.limits.call_instances_max as u32);
    pool.max_core_instances_per_component(core_instances);
    pool.max_memories_per_component(memories);
    pool.max_tables_per_component(tables);
    pool.max_memories_per_module(memories);
    pool.max_tables_per_module(tables);
    pool.max_component_instance_size(INSTANCE_BYTES);
    pool.max_core_instance_size(INSTANCE_BYTES);
    pool.max_memory_size(limits::MEMORY_BYTES_MAX);
    pool.table_elements(profile.limits.table_elements_max);
    pool
}
