//! Counts what makes a component expensive to validate, to compile or to instantiate, and refuses too much of it.
//!
//! Bytes alone bound nothing: a component of a kilobyte can instantiate itself a billion times by levels that each
//! instantiate the one below a thousand times, and a function of a megabyte can keep a compiler busy for a day. So
//! everything that costs more than its bytes is counted, while it is read and before anything is made of it.

use glassbox_core::profile::{Limits, Profile, StartWork};
use wasmparser::{
    BinaryReaderError, BlockType, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, CompositeInnerType, Data, DataKind, Element, ElementItems, Encoding,
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Instance, Operator, Payload,
    RecGroup, ValidatorResources, WasmModuleResources,
};

use crate::SandboxError;

/// A page of linear memory; the profile has no other size.
const PAGE_BYTES: u64 = 64 * 1024;

/// What has been counted of a component so far.
pub(crate) struct Shape {
    limits: &'static Limits,
    /// The modules and components that are being read, the outermost first.
    open: Vec<Open>,
    modules: usize,
    functions: usize,
    definitions: usize,
    work: Work,
    /// What an instance of the component comes to, once all of it is read.
    whole: Footprint,
}

/// A module or component that is being read.
struct Open {
    encoding: Encoding,
    /// What an instance of it comes to, as far as it is known.
    footprint: Footprint,
    /// Its core modules and components by index, as what an instance of each comes to.
    modules: Vec<Footprint>,
    components: Vec<Footprint>,
}

/// What one instance comes to, with all that it instantiates in turn.
#[derive(Debug, Default, Clone, Copy)]
struct Footprint {
    instances: usize,
    core_instances: usize,
    definitions: usize,
    memories: usize,
    memory_bytes: usize,
    tables: usize,
    elements: usize,
    data_bytes: usize,
}

impl Footprint {
    fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.instances, other.instances),
            (&mut self.core_instances, other.core_instances),
            (&mut self.definitions, other.definitions),
            (&mut self.memories, other.memories),
            (&mut self.memory_bytes, other.memory_bytes),
            (&mut self.tables, other.tables),
            (&mut self.elements, other.elements),
            (&mut self.data_bytes, other.data_bytes),
        ];
        for (sum, other) in pairs {
            *sum = sum.saturating_add(other);
        }
    }

    fn check(&self, limits: &Limits) -> Result<(), SandboxError> {
        bounded("instances", self.instances, limits.instances_max)?;
        bounded("instances of core modules", self.core_instances, limits.core_instances_max)?;
        bounded("definitions over all instances", self.definitions, limits.definitions_max)?;
        bounded("memories", self.memories, limits.memories_max)?;
        bounded("bytes of initial memory", self.memory_bytes, limits.memory_bytes_max)?;
        bounded("tables", self.tables, limits.tables_max)?;
        bounded("initial table elements", self.elements, limits.table_elements_max)?;
        bounded("bytes of data over all instances", self.data_bytes, limits.data_bytes_max)
    }
}

impl Shape {
    pub(crate) fn new() -> Self {
        let limits = &Profile::current().limits;
        let (modules, functions, definitions, work, whole) = Default::default();
        Self { limits, open: Vec::new(), modules, functions, definitions, work, whole }
    }

    /// Returns how many modules and components the payload that was counted last lies in.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Returns how many core modules there are, over all nesting.
    pub(crate) fn modules(&self) -> usize {
        self.modules
    }

    /// Returns what an instance of the component does before any of its code runs.
    pub(crate) fn start(&self) -> StartWork {
        let Footprint { core_instances, definitions, data_bytes, .. } = self.whole;
        StartWork { core_instances, definitions, data_bytes }
    }

    /// Returns the memory that an instance of the component begins with, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.whole.memory_bytes
    }

    /// Counts a payload of `component` before it is validated.
    pub(crate) fn count(&mut self, component: &[u8], payload: &Payload<'_>) -> Result<(), SandboxError> {
        let limits = self.limits;
        if let Payload::ComponentTypeSection(section) = payload {
            let bytes = component.get(section.range()).unwrap_or_default();
            bounded("types inside of types", types_inside(bytes), limits.types_inside_max)?;
        }
        match payload {
            Payload::Version { encoding, .. } => {
                self.modules += usize::from(matches!(encoding, Encoding::Module));
                bounded("core modules", self.modules, limits.core_modules_max)?;
                let (footprint, modules, components) = Default::default();
                self.open.push(Open { encoding: *encoding, footprint, modules, components });
                bounded("levels of nesting", self.open.len(), limits.component_depth_max)?;
            }
            Payload::End(_) => self.close(),
            Payload::FunctionSection(section) => {
                self.functions = self.functions.saturating_add(section.count() as usize);
                bounded("core functions", self.functions, limits.core_functions_max)?;
            }
            payload => {
                if let Payload::TypeSection(section) = payload {
                    for group in section.clone() {
                        let results = results(&group.map_err(invalid)?);
                        bounded("results of one core function", results, limits.results_max)?;
                    }
                }
                let definitions = definitions(payload);
                self.definitions = self.definitions.saturating_add(definitions);
                bounded("definitions", self.definitions, limits.definitions_max)?;
                let Some((open, outer)) = self.open.split_last_mut() else { return Ok(()) };
                open.footprint.definitions = open.footprint.definitions.saturating_add(definitions);
                open.count(payload, outer)?;
                open.footprint.check(limits)?;
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        let Some(Open { encoding, mut footprint, .. }) = self.open.pop() else { return };
        let Some(outer) = self.open.last_mut() else {
            self.whole = footprint;
            return;
        };
        footprint.instances += 1;
        match encoding {
            Encoding::Module => {
                footprint.core_instances += 1;
                outer.modules.push(footprint);
            }
            Encoding::Component => outer.components.push(footprint),
        }
    }

    /// Validates a function, counting on the way, and gives the allocations back.
    pub(crate) fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, SandboxError> {
        let limits = self.limits;
        bounded("bytes in one function", body.range().len(), limits.function_bytes_max)?;
        let mut validator = function.into_validator(allocations);
        validator.read_locals(&mut body.get_binary_reader()).map_err(invalid)?;
        let locals = validator.len_locals() as usize;
        bounded("locals in one function", locals, limits.function_locals_max)?;
        let mut operators = body.get_operators_reader().map_err(invalid)?;
        // The ends of the blocks that are open, and of those the loops.
        let mut open: Vec<bool> = Vec::new();
        let (mut branches, mut loop_depth, mut loop_locals) = (0_usize, 0_usize, 0_usize);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
            let mut times = 1;
            match &operator {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    bounded(
                        "values into one block",
                        block_params(&validator, blockty),
                        limits.block_params_max,
                    )?;
                    open.push(false);
                    branches += 1;
                }
                Operator::Loop { blockty } => {
                    bounded(
                        "values into one block",
                        block_params(&validator, blockty),
                        limits.block_params_max,
                    )?;
                    open.push(true);
                    branches += 2;
                    loop_depth += 1;
                    loop_locals = loop_locals.saturating_add(loop_depth.saturating_mul(locals));
                }
                Operator::End => loop_depth -= usize::from(open.pop().unwrap_or(false)),
                Operator::BrIf { .. } => branches += 1,
                Operator::CallIndirect { .. } | Operator::ReturnCallIndirect { .. } => branches += 2,
                Operator::BrTable { targets } => {
                    let targets = targets.len() as usize;
                    times += targets;
                    // To the compiler each is an edge of its own, with a place for what is moved along it.
                    branches = branches.saturating_add(targets).saturating_add(1);
                }
                _ => {}
            }
            let (params, results) = operator.operator_arity(&validator).unwrap_or_default();
            let wide = (params as usize).saturating_add(results as usize).saturating_sub(OPERANDS);
            self.work.wide_operands = self.work.wide_operands.saturating_add(wide.saturating_mul(times));
            bounded("levels of blocks in one function", open.len(), limits.block_depth_max)?;
            bounded("levels of loops in one function", loop_depth, limits.loop_depth_max)?;
            bounded("branches in one function", branches, limits.function_branches_max)?;
            bounded(
                "locals times branches in one function",
                branches.saturating_mul(locals),
                limits.function_merges_max,
            )?;
            bounded(
                "locals times levels of loops in one function",
                loop_locals,
                limits.function_loop_locals_max,
            )?;
            bounded(WIDE, self.work.wide_operands, limits.wide_operands_max)?;
            validator.op(offset, &operator).map_err(invalid)?;
        }
        operators.finish().map_err(invalid)?;
        self.work.loop_locals = self.work.loop_locals.saturating_add(loop_locals);
        self.work.branch_pairs = self.work.branch_pairs.saturating_add(branches.saturating_mul(branches));
        self.work.merges = self.work.merges.saturating_add(branches.saturating_mul(locals));
        self.work.check(limits)?;
        Ok(validator.into_allocations())
    }
}

/// Returns how many values a block takes from outside. A loop passes them on with every turn, and no operator is paid
/// for that.
fn block_params(validator: &FuncValidator<ValidatorResources>, ty: &BlockType) -> usize {
    let BlockType::FuncType(index) = ty else { return 0 };
    // A type that is not there is refused when the operator is validated.
    let ty = validator.resources().sub_type_at(*index);
    ty.map_or(0, |ty| match &ty.composite_type.inner {
        CompositeInnerType::Func(function) => function.params().len(),
        _ => 0,
    })
}

/// Returns the most results of a core function's type, which is a block's too.
fn results(group: &RecGroup) -> usize {
    let results = group.types().map(|ty| match &ty.composite_type.inner {
        CompositeInnerType::Func(function) => function.results().len(),
        _ => 0,
    });
    results.max().unwrap_or(0)
}

const WIDE: &str = "operands beyond sixteen, over all operators";

/// How many operands an operator may have before they are counted: honest code has few with more.
const OPERANDS: usize = 16;

/// What the compiler will have to do beyond going through the bytes once, over all functions.
#[derive(Debug, Default)]
struct Work {
    loop_locals: usize,
    branch_pairs: usize,
    merges: usize,
    wide_operands: usize,
}

impl Work {
    fn check(&self, limits: &Limits) -> Result<(), SandboxError> {
        bounded(
            "locals times levels of loops, over all functions",
            self.loop_locals,
            limits.loop_locals_max,
        )?;
        bounded("pairs of branches, over all functions", self.branch_pairs, limits.branch_pairs_max)?;
        bounded("locals times branches, over all functions", self.merges, limits.merges_max)?;
        bounded(WIDE, self.wide_operands, limits.wide_operands_max)
    }
}

impl Open {
    /// Counts what `payload` makes in an instance of this. `outer` are those around it, the outermost first.
    fn count(&mut self, payload: &Payload<'_>, outer: &mut [Open]) -> Result<(), SandboxError> {
        let footprint = &mut self.footprint;
        match payload {
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let bytes = memory.map_err(invalid)?.initial.saturating_mul(PAGE_BYTES);
                    let memory_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    footprint.add(Footprint { memories: 1, memory_bytes, ..Footprint::default() });
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let elements = usize::try_from(table.map_err(invalid)?.ty.initial).unwrap_or(usize::MAX);
                    footprint.add(Footprint { tables: 1, elements, ..Footprint::default() });
                }
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    let Data { kind, data, .. } = data.map_err(invalid)?;
                    let active = matches!(kind, DataKind::Active { .. });
                    let data_bytes = if active { data.len() } else { 0 };
                    footprint.add(Footprint { data_bytes, ..Footprint::default() });
                }
            }
            Payload::ElementSection(section) => {
                for element in section.clone() {
                    let definitions = match element.map_err(invalid)? {
                        Element { items: ElementItems::Functions(functions), .. } => functions.count(),
                        Element { items: ElementItems::Expressions(_, expressions), .. } => {
                            expressions.count()
                        }
                    } as usize;
                    footprint.add(Footprint { definitions, ..Footprint::default() });
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance.map_err(invalid)? {
                        footprint.add(of(&self.modules, module_index));
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } =
                        instance.map_err(invalid)?
                    {
                        footprint.add(of(&self.components, component_index));
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(alias.map_err(invalid)?, outer)?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    refuse_unknown(import.map_err(invalid)?.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(section) => {
                // An export is another index of the same thing.
                for export in section.clone() {
                    let export = export.map_err(invalid)?;
                    match export.kind {
                        ComponentExternalKind::Module => self.modules.push(of(&self.modules, export.index)),
                        ComponentExternalKind::Component => {
                            self.components.push(of(&self.components, export.index));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'_>, outer: &[Open]) -> Result<(), SandboxError> {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => refuse_unknown(kind),
            ComponentAlias::CoreInstanceExport { .. } => Ok(()),
            ComponentAlias::Outer { kind, count, index } => {
                let count = count as usize;
                let outwards = outer.len().checked_sub(count).and_then(|at| outer.get(at));
                let from = if count == 0 { Some(&*self) } else { outwards };
                // What does not exist counts for nothing: the validator refuses it.
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let footprint = from.map_or(Footprint::default(), |open| of(&open.modules, index));
                        self.modules.push(footprint);
                    }
                    ComponentOuterAliasKind::Component => {
                        let footprint = from.map_or(Footprint::default(), |open| of(&open.components, index));
                        self.components.push(footprint);
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    }
}

fn of(footprints: &[Footprint], index: u32) -> Footprint {
    footprints.get(index as usize).copied().unwrap_or_default()
}

/// Refuses modules and components that come from an instance: what they come to is only known once they are there.
fn refuse_unknown(kind: ComponentExternalKind) -> Result<(), SandboxError> {
    match kind {
        ComponentExternalKind::Module => Err(SandboxError::Unbounded { what: "core module" }),
        ComponentExternalKind::Component => Err(SandboxError::Unbounded { what: "component" }),
        _ => Ok(()),
    }
}

/// Returns how many types of a section may be declared inside of another one, or more than that.
///
/// Reading them takes the host's stack for each level, and the section cannot be read to find out. But a declaration of
/// a type begins with 1, and the type that can hold others with 0x41 or 0x42.
fn types_inside(section: &[u8]) -> usize {
    section.windows(2).filter(|bytes| matches!(bytes, [0x01, 0x41 | 0x42])).count()
}

/// Returns how many things a section defines.
fn definitions(payload: &Payload<'_>) -> usize {
    let count = match payload {
        Payload::TypeSection(section) => section.count(),
        Payload::ImportSection(section) => section.count(),
        Payload::TableSection(section) => section.count(),
        Payload::MemorySection(section) => section.count(),
        Payload::GlobalSection(section) => section.count(),
        Payload::ExportSection(section) => section.count(),
        Payload::ElementSection(section) => section.count(),
        Payload::DataSection(section) => section.count(),
        Payload::InstanceSection(section) => section.count(),
        Payload::CoreTypeSection(section) => section.count(),
        Payload::ComponentInstanceSection(section) => section.count(),
        Payload::ComponentAliasSection(section) => section.count(),
        Payload::ComponentTypeSection(section) => section.count(),
        Payload::ComponentCanonicalSection(section) => section.count(),
        Payload::ComponentImportSection(section) => section.count(),
        Payload::ComponentExportSection(section) => section.count(),
        _ => 0,
    };
    count as usize
}

pub(crate) fn invalid(error: BinaryReaderError) -> SandboxError {
    let said = error.message();
    let reason = match explanation(said) {
        Some(explanation) => format!("{said}: {explanation}"),
        None => said.to_owned(),
    };
    SandboxError::Invalid { offset: error.offset(), reason }
}

/// Says what a publisher would have to guess from the words of the validator.
fn explanation(said: &str) -> Option<String> {
    // What is between backticks are names of the component's own.
    let words: String = said.split('`').step_by(2).collect();
    // Said as if there were something to switch on.
    let is_feature = words.contains("enabled") || words.contains("disallowed") || words.contains("proposal");
    if is_feature || (words.contains("require") && words.contains("feature")) {
        Some(format!("the profile `{}` leaves this out", Profile::current().id))
    } else if words.contains("not valid to be used as") {
        Some("a resource or another type that it names must be exported, too".to_owned())
    } else {
        None
    }
}

fn bounded(what: &'static str, count: usize, max: usize) -> Result<(), SandboxError> {
    if count <= max { Ok(()) } else { Err(SandboxError::TooMany { what, count, max }) }
}
