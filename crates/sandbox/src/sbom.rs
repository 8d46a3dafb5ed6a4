//! Reads out of a component what toolchains leave in it: the list of packages and the producers.
//!
//! `cargo auditable` leaves a section `.dep-v0`, zlib around JSON; most tools note themselves in a section `producers`.
//! Both are a stranger's words: bounded before they are read, and refused where they cannot be.

use std::collections::{BTreeMap, BTreeSet};

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

/// Reads what the components of a release say of their parts, over all nesting, as one bill: each part stands in it once.
/// Components that say nothing have an empty one.
///
/// # Errors
///
/// When what they say is damaged, or together more than is read: a component that lies about its size is refused.
pub fn read_sbom<'a>(components: impl IntoIterator<Item = &'a [u8]>) -> Result<Sbom, SbomError> {
    let mut parts = Parts::default();
    for component in components {
        parts.add_component(component)?;
    }
    Ok(parts.bill())
}

fn unreadable(error: BinaryReaderError) -> SbomError {
    match invalid(error) {
        SandboxError::Invalid { offset, reason } => {
            SbomError::Component(format!("at byte {offset}: {reason}"))
        }
        other => SbomError::Component(other.to_string()),
    }
}
#[derive(Default)]
struct Parts {
    sbom: Sbom,
    /// Where each package stands in the list.
    places: BTreeMap<(String, String, String), usize>,
    /// The tools in the list.
    tools: BTreeSet<SbomTool>,
    /// How much of the lists was read so far, uncompressed.
    bytes: usize,
}

impl Parts {
    fn add_component(&mut self, component: &[u8]) -> Result<(), SbomError> {
        let mut parser = Parser::new(0);
        parser.set_features(features::of(Profile::current()));
        for payload in parser.parse_all(component) {
            let Payload::CustomSection(section) = payload.map_err(unreadable)? else { continue };
            if section.name() == AUDITABLE {
                self.add_packages(section.data())?;
            } else if let KnownCustom::Producers(fields) = section.as_known() {
                for field in fields {
                    let field = field.map_err(unreadable)?;
                    for value in field.values {
                        let value = value.map_err(unreadable)?;
                        self.add_tool(field.name, value.name, value.version)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the bill, in which a package needs another once, however often that was said.
    fn bill(mut self) -> Sbom {
        for package in &mut self.sbom.packages {
            package.needs.sort_unstable();
            package.needs.dedup();
        }
        self.sbom
    }

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
                self.sbom.packages[*place].needs.push(*places.get(*needed).ok_or_else(beyond)?);
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
        if !self.tools.insert(tool.clone()) {
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

    fn read(component: &[u8]) -> Result<Sbom, SbomError> {
        read_sbom([component])
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
        let sbom = read(&component(&sections)).expect("readable");
        let names: Vec<_> = sbom.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["slug", "deunicode", "cc"]);
        assert_eq!((&sbom.packages[0].needs, sbom.packages[2].build_only), (&vec![1], true));
        assert_eq!(sbom.tools.len(), 1);
        assert_eq!(read(&component(&[])), Ok(Sbom::default()));
    }

    #[test]
    fn the_components_of_a_release_have_one_bill_with_one_bound() {
        let package = |number: usize| {
            format!(r#"{{"name": "p{number}", "version": "1", "source": "x", "kind": "build"}}"#)
        };
        let of = |numbers: std::ops::Range<usize>| {
            let packages: Vec<String> = numbers.map(package).collect();
            component(&[listed(&format!("{{\"packages\": [{}]}}", packages.join(",")))])
        };
        let built_in = component(&[listed(
            r#"{"packages": [{"name": "new", "version": "1", "source": "x", "dependencies": [1, 1]},
                {"name": "p1", "version": "1", "source": "x"}]}"#,
        )]);
        let sbom = read_sbom([&of(0..3)[..], &of(1..4), &built_in]).expect("readable");
        let names: Vec<_> = sbom.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["p0", "p1", "p2", "p3", "new"]);
        // What is built into one of them is built in, and is needed once.
        assert!(sbom.packages[0].build_only && !sbom.packages[1].build_only);
        assert_eq!(sbom.packages[4].needs, [1]);

        let max = limits::SBOM_PACKAGES_MAX;
        let refused = read_sbom([&of(0..max / 2 + 1)[..], &of(max / 2..max + 1)]);
        assert_eq!(refused, Err(SbomError::TooMany { what: "packages", max }));
        let tools = |from: u8| {
            let field = b"processed-by";
            let mut section = vec![1, field.len() as u8];
            section.extend(field);
            section.push(limits::SBOM_TOOLS_MAX as u8 - 1);
            for tool in from..from + limits::SBOM_TOOLS_MAX as u8 - 1 {
                section.extend([2, b'a' + tool / 26, b'a' + tool % 26, 0]);
            }
            component(&[("producers", section)])
        };
        assert_eq!(
            read_sbom([&tools(0)[..], &tools(1)]).expect("readable").tools.len(),
            limits::SBOM_TOOLS_MAX
        );
        let refused = read_sbom([&tools(0)[..], &tools(2)]);
        assert_eq!(refused, Err(SbomError::TooMany { what: "producers", max: limits::SBOM_TOOLS_MAX }));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let zeros = vec![b' '; limits::SBOM_BYTES_MAX + 1];
        let bomb = (AUDITABLE, compress_to_vec_zlib(&zeros, 9));
        assert!(bomb.1.len() < 20_000, "{}", bomb.1.len());
        let refused = read(&component(&[bomb]));
        assert_eq!(refused, Err(SbomError::TooMany { what: "bytes", max: limits::SBOM_BYTES_MAX }));
        // Nor may many small ones add up to a large one.
        let half = " ".repeat(limits::SBOM_BYTES_MAX / 2) + r#"{"packages": []}"#;
        let refused = read(&component(&[listed(&half), listed(&half)]));
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
            assert!(read(&component(std::slice::from_ref(&section))).is_err(), "{section:?}");
        }
    }
}
