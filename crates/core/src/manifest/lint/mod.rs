//! The rules that every manifest keeps, each with a name, so that a refusal can be looked up and told apart.
//!
//! A rule is a row of a table: its id, what must hold, what to do where it does not, and how that is found out. The ids
//! are stable. Rules that need more than the manifest are rows too, and are checked where the rest is known.

mod money;
mod package;
#[cfg(test)]
mod page_tests;
mod rights;
#[cfg(test)]
mod tests;

use super::{Manifest, ManifestError};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its stable name, in kebab-case.
    pub id: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// What to do where it does not.
    pub fix: &'static str,
    /// How it is checked.
    pub check: Check,
}

/// How a rule is checked.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// While the text is read.
    Reading,
    /// By the manifest alone. Says what is wrong, where something is.
    Manifest(fn(&Manifest) -> Option<String>),
    /// Beside the other files of the package.
    Package,
}

/// What a manifest breaks.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What is wrong.
    pub message: String,
}

/// Returns all rules, in the order in which they are checked.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    READING.iter().chain(package::RULES).chain(rights::RULES).chain(money::RULES).chain(PACKAGE)
}

/// Returns the rule of an id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// Returns everything that a manifest breaks, at most one finding for each rule.
pub fn lint(manifest: &Manifest) -> impl Iterator<Item = Finding> {
    rules().filter_map(move |rule| match rule.check {
        Check::Manifest(broken) => broken(manifest).map(|message| Finding { rule, message }),
        Check::Reading | Check::Package => None,
    })
}

/// Returns the first rule that a manifest breaks as an error.
pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    match lint(manifest).next() {
        None => Ok(()),
        Some(Finding { rule, message }) => {
            Err(ManifestError { rule: rule.id, message, hint: rule.fix.into(), line: None })
        }
    }
}

/// Makes the error of a rule that needs more than the manifest.
pub fn broken(id: &'static str, message: String) -> ManifestError {
    let hint = rule(id).map(|rule| rule.fix).unwrap_or_default().to_owned();
    ManifestError { rule: id, message, hint, line: None }
}

/// Writes a message of the reader that [`named`] finds its rule in: the reader passes on nothing but texts.
pub(super) fn by(id: &str, message: &str) -> String {
    format!("{id}: {message}")
}

/// Returns the rule that [`by`] wrote into a message, and the message without it.
pub(super) fn named(message: &str) -> Option<(&'static Rule, &str)> {
    let (id, message) = message.split_once(": ")?;
    let rule = READING.iter().find(|rule| rule.id == id)?;
    Some((rule, message))
}

/// Returns the first of many findings.
fn first<T>(items: impl IntoIterator<Item = T>, broken: impl Fn(T) -> Option<String>) -> Option<String> {
    items.into_iter().find_map(broken)
}

/// Returns what stands twice.
fn twice<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    ids.into_iter().find(|id| !seen.insert(*id))
}

/// Makes a finding where something is so.
fn when(broken: bool, message: impl FnOnce() -> String) -> Option<String> {
    broken.then(message)
}

/// Shortens what a stranger wrote.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(crate::limits::QUOTED_CHARS_MAX).collect()
}

const fn reading(id: &'static str, holds: &'static str, fix: &'static str) -> Rule {
    Rule { id, holds, fix, check: Check::Reading }
}

const fn beside(id: &'static str, holds: &'static str, fix: &'static str) -> Rule {
    Rule { id, holds, fix, check: Check::Package }
}

pub(super) const SYNTAX: &str = "syntax";
pub(super) const UNKNOWN_KEY: &str = "unknown-key";
pub(super) const NOT_TAKEN: &str = "not-taken";
pub(super) const MISSING_KEY: &str = "missing-key";
pub(super) const AMOUNT_TEXT: &str = "amount-text";
pub(super) const AMOUNT_DECIMALS: &str = "amount-decimals";
pub(super) const SOURCE_HUMANS: &str = "source-humans";
pub(super) const DEPENDENCY_METERED: &str = "dependency-metered";

/// The export of a price or an edition that the interface does not have.
pub const EXPORT_EXISTS: &str = "export-exists";

/// A component that promises to be told nothing from outside, and is granted something that tells it.
pub const DETERMINISTIC_GRANTS: &str = "deterministic-grants";

/// A document that the manifest names and that does not come with it.
pub const DOCUMENTS: &str = "documents";

/// A function that two editions name.
pub const EDITION_EXPORTS: &str = "edition-exports";

/// An edition with a component of its own that has a part of an interface.
pub const EDITION_WHOLE: &str = "edition-whole";

/// An edition that names a component, and comes without it.
pub const EDITION_FILE: &str = "edition-file";

/// A component that exports what belongs to an edition with another one.
pub const EDITION_APART: &str = "edition-apart";

const READING: &[Rule] = &[
    reading(
        SYNTAX,
        "The file is TOML of at most 64 KiB, with values of the right types.",
        "see the reference",
    ),
    reading(
        UNKNOWN_KEY,
        "There is no key or table that this version does not know.",
        "the nearest key is named",
    ),
    reading(
        NOT_TAKEN,
        "Nothing is asked for that manifests do not take, such as `payout` or `waiver`.",
        "the refusal says why, and what to write instead; the reference has them all",
    ),
    reading(MISSING_KEY, "Every required key is there.", "add it"),
    reading(
        AMOUNT_TEXT,
        "Amounts are decimal strings, neither floats nor bare integers.",
        "write amount = \"0.002\"",
    ),
    reading(
        AMOUNT_DECIMALS,
        "Amounts have at most six decimals.",
        "raise `per` and `amount` together: \"0.04\" per 1_000_000_000",
    ),
    reading(
        SOURCE_HUMANS,
        "People read the source free: `humans` has no other value than \"free\".",
        "write humans = \"free\", or leave it out; what programs pay is for `machines` to say",
    ),
    reading(
        DEPENDENCY_METERED,
        "Every dependency is metered: `metered` has no other value than true.",
        "leave `metered` out: bills are computed again from the calls of each dependency; what shall be no line of them is \
         composed into the component",
    ),
];

const PACKAGE: &[Rule] = &[
    beside(
        EXPORT_EXISTS,
        "Every `export` of a price and all `exports` of an edition are in the WIT.",
        "write it as the WIT has it",
    ),
    beside(
        DETERMINISTIC_GRANTS,
        "A component that is `deterministic` is granted nothing that tells it something from outside: no clock, no random \
         bytes, no environment and no HTTP requests.",
        "leave these out of `imports-allow`, where a whole package stands for its interfaces, or leave `deterministic` out",
    ),
    beside(
        DOCUMENTS,
        "Each file that `license-file`, `readme`, `sbom` or `vex` names comes with the package, and no other does.",
        "write the file, by its path inside the package, or leave the key out",
    ),
    beside(
        EDITION_EXPORTS,
        "No function belongs to two editions, by whichever of its names, nor as a part of an interface.",
        "leave it in one of them, by its full name: \"ns:pkg/interface#function\"",
    ),
    beside(
        EDITION_WHOLE,
        "An edition with a component of its own has whole interfaces, and functions of the world itself.",
        "write exports = [\"ns:pkg/interface\"], or move the functions to an interface of their own",
    ),
    beside(
        EDITION_FILE,
        "Each edition that names a `path` comes with that component, and no other does.",
        "build it, and name it in [edition.NAME]",
    ),
    beside(
        EDITION_APART,
        "What belongs to an edition with a component of its own is exported by no other component: whoever has that one \
         would have it.",
        "build the component without it",
    ),
];
