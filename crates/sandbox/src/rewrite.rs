//! Copies of components whose core modules are others.

use std::ops::Range;

use glassbox_core::profile::Profile;
use wasm_encoder::{CodeSection, Component, ComponentSectionId, Module, RawSection};
use wasmparser::{Chunk, Parser, Payload};

use crate::SandboxError;
use crate::features;
use crate::shape::invalid;

/// Makes another module of one, which is given with where it begins in the outermost component.
type Make<'a> = dyn FnMut(&[u8], usize) -> Result<Vec<u8>, SandboxError> + 'a;

/// Returns a copy of a component with what `make` makes of each of its core modules, over all nesting.
pub(crate) fn modules(component: &[u8], make: &mut Make<'_>) -> Result<Vec<u8>, SandboxError> {
    within(component, 0, make)
}

fn within(bytes: &[u8], base: usize, make: &mut Make<'_>) -> Result<Vec<u8>, SandboxError> {
    let mut component = Component::new();
    sections(bytes, |payload| {
        match &payload {
            Payload::ModuleSection { unchecked_range: range, .. } => {
                let data = make(part(bytes, range)?, base + range.start)?;
                component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: &data });
            }
            Payload::ComponentSection { unchecked_range: range, .. } => {
                let data = within(part(bytes, range)?, base + range.start, make)?;
                component.section(&RawSection { id: ComponentSectionId::Component.into(), data: &data });
            }
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    component.section(&RawSection { id, data: part(bytes, &range)? });
                }
            }
        }
        Ok(())
    })?;
    Ok(component.finish())
}

/// The functions of a module, which come one by one and are written as one section.
#[derive(Default)]
pub(crate) struct Code {
    section: CodeSection,
    left: u32,
}

impl Code {
    pub(crate) fn of(count: u32) -> Self {
        Self { left: count, ..Self::default() }
    }

    /// Adds the body of the next function: locals and operators. The last one has the section written.
    pub(crate) fn add(&mut self, body: &[u8], module: &mut Module) {
        self.section.raw(body);
        self.left -= 1;
        if self.left == 0 {
            module.section(&self.section);
        }
    }
}

/// Calls `each` with every section of a module or component and what is nested in it, but with nothing of what is nested deeper.
pub(crate) fn sections<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(Payload<'a>) -> Result<(), SandboxError>,
) -> Result<(), SandboxError> {
    let mut parser = Parser::new(0);
    parser.set_features(features::of(Profile::current()));
    let mut rest = bytes;
    while !rest.is_empty() {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).map_err(invalid)? else { break };
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

/// Returns the bytes of a section. What is nested may say that it is longer than what it lies in.
pub(crate) fn part<'a>(bytes: &'a [u8], range: &Range<usize>) -> Result<&'a [u8], SandboxError> {
    let missing = || SandboxError::Invalid { offset: bytes.len(), reason: "unexpected end".into() };
    bytes.get(range.clone()).ok_or_else(missing)
}
