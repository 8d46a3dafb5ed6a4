//! What tells the code of a component from others' code, whatever it is called.

use glassbox_core::profile::Profile;
use glassbox_core::{Digest, limits};
use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload};

use crate::SandboxError;
use crate::features;
use crate::shape::invalid;

/// Returns the digest by which the code of a component is known again under other names: of what its core modules compute
/// and what they compute it with. What they import and export as, how they are put together, and what stands in custom
/// sections does not count.
///
/// `None` where there is so little code that two may well have written the same, such as that of a wrapper.
pub fn code_digest(component: &[u8]) -> Result<Option<Digest>, SandboxError> {
    let (mut hash, mut code_bytes) = (Sha256::new(), 0);
    let mut parser = Parser::new(0);
    parser.set_features(features::of(Profile::current()));
    for payload in parser.parse_all(component) {
        let payload = payload.map_err(invalid)?;
        let (section, range) = match &payload {
            Payload::TypeSection(section) => (1_u8, section.range()),
            Payload::FunctionSection(section) => (3, section.range()),
            Payload::TableSection(section) => (4, section.range()),
            Payload::MemorySection(section) => (5, section.range()),
            Payload::GlobalSection(section) => (6, section.range()),
            Payload::ElementSection(section) => (9, section.range()),
            Payload::CodeSectionStart { range, .. } => (10, range.clone()),
            Payload::DataSection(section) => (11, section.range()),
            _ => continue,
        };
        let bytes = component.get(range).unwrap_or_default();
        if section == 10 {
            code_bytes += bytes.len();
        }
        hash.update([section]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    let is_much = code_bytes >= limits::CODE_COMPARED_BYTES_MIN;
    Ok(is_much.then(|| Digest::from_bytes(hash.finalize().into())))
}
