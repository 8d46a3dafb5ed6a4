//! Reads out of a component what toolchains leave in it: the list of packages and the producers.
//!
//! `cargo auditable` leaves a section `.dep-v0`, zlib around JSON; most tools note themselves in a section `producers`.
//! Both are a stranger's words: bounded before they are read, and refused where they cannot be.

use std::collections::BTreeMap;

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::sbom::{CARGO, CARGO_HOST, Sbom, SbomPackage, SbomTool};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::Deserialize;
use wasmparser::{BinaryReaderError, KnownCustom, Parser, Payload};

use crate::SandboxError;
use crate::features;
use crate::shape::invalid;

/// The section of `cargo auditable`.
const AUDITABLE: &str = ".dep-v0";

/// Says why what a component says of its parts cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// The list is no list.
    #[error("the section `{AUDITABLE}` cannot be read: {0}")]
    Malformed(String),
    /// There is more than is read.
    #[error("the component names {what} beyond the {max} that are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        max: usize,
    },
    /// A name or version is empty, too long, or not plain text.
    #[error("the component names a part `{0}`, which is no name")]
    Name(String),
    /// The component itself.
    #[error("the component cannot be read: {0}")]
    Component(String),
}

#[derive(Deserialize)]
struct Auditable {
    packages: Vec<AuditablePackage>,
}

#[derive(Deserialize)]
struct AuditablePackage {
    name: String,
    version: String,
    source: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    dependencies: Vec<usize>,
}

/// Reads what a component says of its parts, over all nesting. A component that says nothing has an empty bill.
///
/// # Errors
///
/// When what it says is damaged, or more than is read: a component that lies about its size is refused.
pub fn read_sbom(component: &[u8]) -> Result<Sbom, SbomError> {
    let unreadable = |error: BinaryReaderError| match invalid(error) {
        SandboxError::Invalid { offset, reason } => {
            SbomError::Component(format!("at byte {offset}: {reason}"))
        }
        other => SbomError::Component(other.to_string()),
    };
    let mut parts = Parts::default();
    let mut parser = Parser::new(0);
    parser.set_features(features::of(Profile::current()));
    for payload in parser.parse_all(component) {
        let Payload::CustomSection(section) = payload.map_err(unreadable)? else { continue };
        if section.name() == AUDITABLE {
            parts.add_packages(section.data())?;
        } else if let KnownCustom::Producers(fields) = section.as_known() {
            for field in fields {
                let field = field.map_err(unreadable)?;
                for value in field.values {
                    let value = value.map_err(unreadable)?;
                    parts.add_tool(field.name, value.name, value.version)?;
                }
            }
        }
    }
    Ok(parts.sbom)
}

#[derive(Default)]
struct Parts {
    sbom: Sbom,
    /// Where each package stands in the list.
    places: BTreeMap<(String, String, String), usize>,
    /// How much of the lists was read so far, uncompressed.
    bytes: usize,
}

impl Parts {
    fn add_packages(&mut self, compressed: &[u8]) -> Result<(), SbomError> {
        let left = limits::SBOM_BYTES_MAX - self.bytes;
        let json =
            decompress_to_vec_zlib_with_limit(compressed, left).map_err(|error| match error.status {
                TINFLStatus::HasMoreOutput => {
                    SbomError::TooMany { what: "bytes", max: limits::SBOM_BYTES_MAX }
                }
                status => SbomError::Malformed(format!("not zlib: {status:?}")),
            })?;
        self.bytes += json.len();
        let read: Auditable =
            serde_json::from_slice(&json).map_err(|error| SbomError::Malformed(error.to_string()))?;
        let mut places = Vec::with_capacity(read.packages.len());
        for package in &read.packages {
            places.push(self.add_package(package)?);
        }
        for (package, place) in read.packages.iter().zip(&places) {
            let beyond = || SbomError::Malformed(format!("`{}` needs what is not listed", package.name));
            for needed in &package.dependencies {
                let needed = *places.get(*needed).ok_or_else(beyond)?;
                let needs = &mut self.sbom.packages[*place].needs;
                if !needs.contains(&needed) {
                    needs.push(needed);
                }
            }
        }
        Ok(())
    }

    /// Adds a package, or finds it where another module has it, too. Returns its place.
    fn add_package(&mut self, package: &AuditablePackage) -> Result<usize, SbomError> {
        let [name, version, source] =
            [&package.name, &package.version, &package.source].map(|text| check(text));
        let source = source?;
        let source = if source == CARGO_HOST { CARGO.to_owned() } else { source };
        let key = (name?, version?, source);
        let build_only = package.kind == "build";
        if let Some(place) = self.places.get(&key) {
            // Built into one of the modules is built in.
            self.sbom.packages[*place].build_only &= build_only;
            return Ok(*place);
        }
        let place = self.sbom.packages.len();
        if place == limits::SBOM_PACKAGES_MAX {
            return Err(SbomError::TooMany { what: "packages", max: limits::SBOM_PACKAGES_MAX });
        }
        self.places.insert(key.clone(), place);
        let (name, version, source) = key;
        self.sbom.packages.push(SbomPackage { name, version, source, build_only, needs: Vec::new() });
        Ok(place)
    }

    fn add_tool(&mut self, role: &str, name: &str, version: &str) -> Result<(), SbomError> {
        // Producers may have no version.
        let version = if version.is_empty() { String::new() } else { check(version)? };
        let tool = SbomTool { role: check(role)?, name: check(name)?, version };
        if self.sbom.tools.contains(&tool) {
            return Ok(());
        }
        if self.sbom.tools.len() == limits::SBOM_TOOLS_MAX {
            return Err(SbomError::TooMany { what: "producers", max: limits::SBOM_TOOLS_MAX });
        }
        self.sbom.tools.push(tool);
        Ok(())
    }
}

/// Takes a text that pages show: short, and nothing that moves a cursor.
fn check(text: &str) -> Result<String, SbomError> {
    let is_name =
        (1..=limits::SBOM_TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    let clipped = || text.chars().take(limits::QUOTED_CHARS_MAX).flat_map(char::escape_default).collect();
    if is_name { Ok(text.to_owned()) } else { Err(SbomError::Name(clipped())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    /// A component of one module with custom sections.
    fn component(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
        fn leb(mut number: usize, bytes: &mut Vec<u8>) {
            while number >= 0x80 {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
        }
        let section = |id: u8, body: &[u8], bytes: &mut Vec<u8>| {
            bytes.push(id);
            leb(body.len(), bytes);
            bytes.extend_from_slice(body);
        };
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (name, data) in sections {
            let mut body = Vec::new();
            leb(name.len(), &mut body);
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(data);
            section(0, &body, &mut module);
        }
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        section(1, &module, &mut component);
        component
    }

    fn listed(json: &str) -> (&'static str, Vec<u8>) {
        let json = json.replace("SOURCE", CARGO_HOST);
        (AUDITABLE, compress_to_vec_zlib(json.as_bytes(), 6))
    }

    const TWO: &str = r#"{"packages": [
        {"name": "slug", "version": "0.1.0", "source": "local", "root": true, "dependencies": [1]},
        {"name": "deunicode", "version": "1.6.2", "source": "SOURCE"},
        {"name": "cc", "version": "1.0.0", "source": "SOURCE", "kind": "build"}]}"#;

    #[test]
    fn packages_and_producers_are_read_once_each() {
        // One field, `language`, with one value: Rust 1.95.
        let producers = b"\x01\x08language\x01\x04Rust\x041.95".to_vec();
        let sections = [listed(TWO), ("producers", producers.clone()), ("producers", producers), listed(TWO)];
        let sbom = read_sbom(&component(&sections)).expect("readable");
        let names: Vec<_> = sbom.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["slug", "deunicode", "cc"]);
        assert_eq!((&sbom.packages[0].needs, sbom.packages[2].build_only), (&vec![1], true));
        assert_eq!(sbom.tools.len(), 1);
        assert_eq!(read_sbom(&component(&[])), Ok(Sbom::default()));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let zeros = vec![b' '; limits::SBOM_BYTES_MAX + 1];
        let bomb = (AUDITABLE, compress_to_vec_zlib(&zeros, 9));
        assert!(bomb.1.len() < 20_000, "{}", bomb.1.len());
        let refused = read_sbom(&component(&[bomb]));
        assert_eq!(refused, Err(SbomError::TooMany { what: "bytes", max: limits::SBOM_BYTES_MAX }));
        // Nor may many small ones add up to a large one.
        let half = " ".repeat(limits::SBOM_BYTES_MAX / 2) + r#"{"packages": []}"#;
        let refused = read_sbom(&component(&[listed(&half), listed(&half)]));
        assert_eq!(refused, Err(SbomError::TooMany { what: "bytes", max: limits::SBOM_BYTES_MAX }));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let package =
            |name: &str| format!(r#"{{"packages": [{{"name": {name}, "version": "1", "source": "x"}}]}}"#);
        let many: Vec<_> = (0..=limits::SBOM_PACKAGES_MAX)
            .map(|number| format!(r#"{{"name": "p{number}", "version": "1", "source": "x"}}"#))
            .collect();
        for section in [
            (AUDITABLE, b"not zlib".to_vec()),
            listed("no json"),
            listed(&"[".repeat(10_000)),
            listed(r#"{"packages": [{"name": "a", "version": "1", "source": "x", "dependencies": [1]}]}"#),
            listed(&package("\"\"")),
            listed(&package("\"\\u001b[2J\"")),
            listed(&package(&format!("\"{}\"", "n".repeat(limits::SBOM_TEXT_BYTES_MAX + 1)))),
            listed(&format!("{{\"packages\": [{}]}}", many.join(","))),
            ("producers", b"\x01\x08language\x01\x04Ru".to_vec()),
        ] {
            assert!(read_sbom(&component(std::slice::from_ref(&section))).is_err(), "{section:?}");
        }
    }
}
