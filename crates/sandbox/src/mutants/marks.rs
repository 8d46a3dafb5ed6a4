//! Which functions a run enters.
//!
//! A copy of the component is made in which each function, when it is entered first, asks for more memory than any guest may
//! have, an amount that says which function it is. The host refuses, as it would anyway, and notes the amount; nothing else of
//! the run changes but its fuel, of which a mark takes some millions. So one compilation and one run tell of all functions,
//! without a host function that would have to be led through every module of the component.

use std::collections::BTreeSet;

use glassbox_core::limits;
use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentSectionId, ConstExpr, Encode as _, GlobalType, Instruction,
    MemorySection, MemoryType, Module, RawSection, SectionId, ValType,
};
use wasmparser::{BinaryReaderError, Chunk, FunctionBody, GlobalSectionReader, Parser, Payload, TypeRef};

use crate::SandboxError;
use crate::shape::invalid;

/// The pages that the first function asks for: 2 GiB, more than any guest may have. A memory ends at 4 GiB, and what would go
/// beyond is refused before anybody is asked.
const FIRST_PAGES: u32 = 1 << 15;

const PAGE_BYTES: usize = 64 * 1024;

/// The marks that a run came by, by the numbers of functions: at most as many as a memory has pages.
#[derive(Debug, Default)]
pub(crate) struct Marks(BTreeSet<u32>);

impl Marks {
    /// Notes a mark, where the growth of a memory is one.
    pub(crate) fn note(&mut self, current: usize, desired: usize) -> bool {
        let pages = desired.saturating_sub(current) / PAGE_BYTES;
        let Some(number) = pages.checked_sub(FIRST_PAGES as usize) else { return false };
        if let Ok(number) = u32::try_from(number) {
            self.0.insert(number);
        }
        true
    }

    pub(crate) fn into_numbers(self) -> BTreeSet<u32> {
        self.0
    }
}

/// Returns a copy of a component whose functions say that they are entered.
pub fn marked(component: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let mut functions = 0;
    Ok(marked_component(component, &mut functions).map_err(invalid)?.finish())
}

/// Calls `each` with every section of a module or component and what is nested in it, but with nothing of what is nested deeper.
fn sections<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(Payload<'a>) -> Result<(), BinaryReaderError>,
) -> Result<(), BinaryReaderError> {
    let mut parser = Parser::new(0);
    parser.set_features(crate::features::of(glassbox_core::profile::Profile::current()));
    let mut rest = bytes;
    while !rest.is_empty() {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { break };
        rest = rest.get(consumed..).unwrap_or_default();
        if let Payload::ModuleSection { unchecked_range, .. }
        | Payload::ComponentSection { unchecked_range, .. } = &payload
        {
            rest = rest.get(unchecked_range.len()..).unwrap_or_default();
        }
        each(payload)?;
    }
    Ok(())
}

fn marked_component(bytes: &[u8], functions: &mut u32) -> Result<Component, BinaryReaderError> {
    let mut component = Component::new();
    sections(bytes, |payload| {
        match &payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                let module = marked_module(&bytes[unchecked_range.clone()], functions)?;
                component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: &module });
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                let inner = marked_component(&bytes[unchecked_range.clone()], functions)?.finish();
                component.section(&RawSection { id: ComponentSectionId::Component.into(), data: &inner });
            }
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    component.section(&RawSection { id, data: &bytes[range] });
                }
            }
        }
        Ok(())
    })?;
    Ok(component)
}

/// What is added to a module, and after what is there already.
#[derive(Default)]
struct Room {
    has_memory: bool,
    globals: u32,
    functions: u32,
}

impl Room {
    fn of(bytes: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut room = Self::default();
        sections(bytes, |payload| {
            match payload {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Memory(_) => room.has_memory = true,
                            TypeRef::Global(_) => room.globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(section) => room.functions = section.count(),
                Payload::MemorySection(section) => room.has_memory |= section.count() > 0,
                Payload::GlobalSection(section) => room.globals += section.count(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(room)
    }

    /// Writes the memory that is asked for more, where there is none.
    fn add_memory(&self, module: &mut Module) {
        if !self.has_memory {
            let mut memories = MemorySection::new();
            let (memory64, shared, page_size_log2) = Default::default();
            memories.memory(MemoryType { minimum: 0, maximum: Some(0), memory64, shared, page_size_log2 });
            module.section(&memories);
        }
    }

    /// Writes the globals, with one more for each function: whether it was entered before.
    fn add_globals(&self, module: &mut Module, globals: Option<GlobalSectionReader<'_>>, bytes: &[u8]) {
        let (count, known) = match &globals {
            Some(section) => (section.count(), &bytes[section.original_position()..section.range().end]),
            None => (0, &[][..]),
        };
        let mut data = Vec::new();
        (count + self.functions).encode(&mut data);
        data.extend_from_slice(known);
        for _ in 0..self.functions {
            let seen = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
            seen.encode(&mut data);
            ConstExpr::i32_const(0).encode(&mut data);
        }
        module.section(&RawSection { id: SectionId::Global.into(), data: &data });
    }
}

fn marked_module(bytes: &[u8], functions: &mut u32) -> Result<Vec<u8>, BinaryReaderError> {
    let room = Room::of(bytes)?;
    if room.functions == 0 {
        return Ok(bytes.to_vec());
    }
    let mut module = Module::new();
    let (mut has_memory, mut has_globals) = (false, false);
    let mut code = CodeSection::new();
    let mut entries = 0;
    sections(bytes, |payload| {
        let id = payload.as_section().map(|(id, _)| id);
        // What is new stands where the order of sections has its place.
        if !has_memory && id.is_some_and(|id| !BEFORE_MEMORY.contains(&id)) {
            has_memory = true;
            room.add_memory(&mut module);
        }
        if !has_globals && id.is_some_and(|id| !BEFORE_GLOBALS.contains(&id)) {
            has_globals = true;
            let globals = match &payload {
                Payload::GlobalSection(section) => Some(section.clone()),
                _ => None,
            };
            room.add_globals(&mut module, globals, bytes);
        }
        match payload {
            Payload::GlobalSection(_) | Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                code.raw(&marked_body(bytes, &body, *functions, room.globals + entries)?);
                *functions = functions.saturating_add(1);
                entries += 1;
                if entries == room.functions {
                    module.section(&code);
                }
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    module.section(&RawSection { id, data: &bytes[range] });
                }
            }
        }
        Ok(())
    })?;
    Ok(module.finish())
}

/// The sections that stand before the memories, or anywhere: custom, type, import, function, table.
const BEFORE_MEMORY: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// Those before the globals: the memories and the tags, too.
const BEFORE_GLOBALS: [u8; 7] = [0, 1, 2, 3, 4, 5, 13];

/// Puts the mark of a function between its locals and its first operator.
fn marked_body(
    bytes: &[u8],
    body: &FunctionBody<'_>,
    number: u32,
    seen: u32,
) -> Result<Vec<u8>, BinaryReaderError> {
    let first = body.get_operators_reader()?.original_position();
    let (locals, operators) = (&bytes[body.range().start..first], &bytes[first..body.range().end]);
    let mut marked = locals.to_vec();
    if number < limits::FUNCTIONS_MARKED_MAX {
        let pages = FIRST_PAGES + number;
        for mark in [
            Instruction::GlobalGet(seen),
            Instruction::I32Eqz,
            Instruction::If(BlockType::Empty),
            Instruction::I32Const(1),
            Instruction::GlobalSet(seen),
            Instruction::I32Const(pages as i32),
            Instruction::MemoryGrow(0),
            Instruction::Drop,
            Instruction::End,
        ] {
            mark.encode(&mut marked);
        }
    }
    marked.extend_from_slice(operators);
    Ok(marked)
}
