//! Which places of a component a run comes by.
//!
//! A copy of the component is made which, when it comes by a place first, asks for more memory than any guest may have, an
//! amount that says which place it is. The host refuses, as it would anyway, and notes the amount; nothing else of the run
//! changes but its fuel, of which a mark takes some millions. So one compilation and one run tell of thousands of places,
//! without a host function that would have to be led through every module of the component.

use std::collections::BTreeSet;
use std::ops::Range;

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use wasm_encoder::{
    BlockType, ConstExpr, Encode as _, GlobalType, Instruction, MemorySection, MemoryType, Module,
    RawSection, SectionId, ValType,
};
use wasmparser::{FunctionBody, GlobalSectionReader, Parser, Payload, TypeRef};

use crate::SandboxError;
use crate::features;
use crate::rewrite::{self, Code, part, sections};
use crate::shape::invalid;

/// The pages that the first place asks for: 2 GiB, more than any guest may have. A memory ends at 4 GiB, and what would go
/// beyond is refused before anybody is asked.
const FIRST_PAGES: u32 = 1 << 15;

const PAGE_BYTES: usize = 64 * 1024;

/// The marks that a run came by, by their numbers: at most as many as a memory has pages.
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

/// Returns where the operators of each function begin, in the order of the functions: the first places to mark.
pub fn entries(component: &[u8]) -> Result<Vec<usize>, SandboxError> {
    let mut parser = Parser::new(0);
    parser.set_features(features::of(Profile::current()));
    let mut entries = Vec::new();
    for payload in parser.parse_all(component) {
        if let Payload::CodeSectionEntry(body) = payload.map_err(invalid)? {
            entries.push(body.get_operators_reader().map_err(invalid)?.original_position());
        }
    }
    Ok(entries)
}

/// Returns a copy of a component that tells by which of some places it comes: by their numbers in `places`, which are where
/// operators begin, in ascending order. Only so many of them are marked as can be told apart.
pub fn marked(component: &[u8], places: &[usize]) -> Result<Vec<u8>, SandboxError> {
    let places = places.get(..limits::PLACES_MARKED_MAX).unwrap_or(places);
    let make = &mut |bytes: &[u8], base| Part { bytes, base, places }.marked_module();
    rewrite::modules(component, make)
}

/// A module within the whole, and the places.
#[derive(Clone, Copy)]
struct Part<'a> {
    bytes: &'a [u8],
    /// Where it begins in the whole.
    base: usize,
    /// All places of the whole.
    places: &'a [usize],
}

impl<'a> Part<'a> {
    /// Returns the numbers of the places in a range of its own.
    fn numbers(self, range: &Range<usize>) -> Range<usize> {
        let before = |end: usize| self.places.partition_point(|place| *place < self.base + end);
        before(range.start)..before(range.end)
    }

    fn marked_module(self) -> Result<Vec<u8>, SandboxError> {
        let own = self.numbers(&(0..self.bytes.len()));
        if own.is_empty() {
            return Ok(self.bytes.to_vec());
        }
        let room = Room::of(self.bytes)?;
        let mut module = Module::new();
        let (mut has_memory, mut has_globals) = (false, false);
        let mut code = Code::default();
        sections(self.bytes, |payload| {
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
                Room::add_globals(&mut module, globals, self.bytes, own.len());
            }
            match payload {
                Payload::GlobalSection(_) => {}
                Payload::CodeSectionStart { count, .. } => code = Code::of(count),
                Payload::CodeSectionEntry(body) => {
                    code.add(&self.marked_body(&body, room.globals, own.start), &mut module);
                }
                payload => {
                    if let Some((id, range)) = payload.as_section() {
                        module.section(&RawSection { id, data: part(self.bytes, &range)? });
                    }
                }
            }
            Ok(())
        })?;
        Ok(module.finish())
    }

    /// Puts the marks of a function before the operators at its places. The global of the place with the number `first` is the
    /// one with the number `seen`.
    fn marked_body(self, body: &FunctionBody<'_>, seen: u32, first: usize) -> Vec<u8> {
        let Range { mut start, end } = body.range();
        let mut marked = Vec::new();
        for number in self.numbers(&(start..end)) {
            let place = self.places[number] - self.base;
            marked.extend_from_slice(&self.bytes[start..place]);
            let seen = seen + (number - first) as u32;
            for mark in [
                Instruction::GlobalGet(seen),
                Instruction::I32Eqz,
                Instruction::If(BlockType::Empty),
                Instruction::I32Const(1),
                Instruction::GlobalSet(seen),
                Instruction::I32Const((FIRST_PAGES + number as u32) as i32),
                Instruction::MemoryGrow(0),
                Instruction::Drop,
                Instruction::End,
            ] {
                mark.encode(&mut marked);
            }
            start = place;
        }
        marked.extend_from_slice(&self.bytes[start..end]);
        marked
    }
}

/// The sections that stand before the memories, or anywhere: custom, type, import, function, table.
const BEFORE_MEMORY: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// Those before the globals: the memories and the tags, too.
const BEFORE_GLOBALS: [u8; 7] = [0, 1, 2, 3, 4, 5, 13];

/// After what is there already something is added to a module.
#[derive(Default)]
struct Room {
    has_memory: bool,
    globals: u32,
}

impl Room {
    fn of(bytes: &[u8]) -> Result<Self, SandboxError> {
        let mut room = Self::default();
        sections(bytes, |payload| {
            match payload {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import.map_err(invalid)?.ty {
                            TypeRef::Memory(_) => room.has_memory = true,
                            TypeRef::Global(_) => room.globals += 1,
                            _ => {}
                        }
                    }
                }
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

    /// Writes the globals, with `more`, one for each place: whether it was come by before.
    fn add_globals(module: &mut Module, globals: Option<GlobalSectionReader<'_>>, bytes: &[u8], more: usize) {
        let (count, known) = match &globals {
            Some(section) => (section.count(), &bytes[section.original_position()..section.range().end]),
            None => (0, &[][..]),
        };
        let mut data = Vec::new();
        (count + more as u32).encode(&mut data);
        data.extend_from_slice(known);
        for _ in 0..more {
            let seen = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
            seen.encode(&mut data);
            ConstExpr::i32_const(0).encode(&mut data);
        }
        module.section(&RawSection { id: SectionId::Global.into(), data: &data });
    }
}
