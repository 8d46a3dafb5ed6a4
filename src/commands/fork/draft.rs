//! The texts of a fork: its manifest, its world and its README.

use glassbox_core::ReleaseId;
use glassbox_core::files::Files;
use glassbox_core::manifest::DerivedFrom;
use glassbox_registry::PublishError;
use toml::{Table, Value};

use super::{Fork, Parent, Taken};
use crate::commands::new;
use crate::files::Entries;
use crate::output::percent;

/// Where the component of a fork is.
pub(super) const COMPONENT: &str = "dist/component.wasm";

/// The first version of every fork.
const VERSION: &str = "0.1.0";

/// What the parent says of itself that is as true of a fork.
const PACKAGE: [&str; 9] = [
    "description",
    "license",
    "deny-use",
    "change-license",
    "change-date",
    "kind",
    "keywords",
    "categories",
    "representative-queries",
];

/// What the parent's component needs, and lets others do.
const COMPONENT_KEYS: [&str; 6] = ["execute", "import", "memory-max", "fuel-max", "imports-allow", "http"];

/// Writes the manifest. It has no price: what a fork costs, and whom it pays, is its publisher's to say.
pub(super) fn manifest(fork: &Fork<'_>, taken: &Taken) -> String {
    let Fork { parent, name, share, wrapper } = *fork;
    let section = |table: &str| parent.table.get(table).and_then(Value::as_table);
    let ReleaseId { package, version } = &parent.release.release;
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"{VERSION}\"\n{}\n[spec]\nwit = \"wit/\"\nworld = \"{}\"\n\n\
         [tests]\npublic = \"tests/*\"\n\n[component]\npath = \"{COMPONENT}\"\n{}",
        kept(section("package"), &PACKAGE),
        name.name(),
        kept(section("component"), &COMPONENT_KEYS),
    );
    if taken.files.is_some() {
        text.push_str("files = \"data/\"\n");
    }
    if taken.source.is_some() {
        let license = if wrapper { String::new() } else { kept(section("source"), &["license"]) };
        text.push_str(&format!(
            "\n[source]\npath = \"src/\"\nhumans = \"free\"\nmachines = \"free\"\n{license}"
        ));
    }
    if wrapper {
        text.push_str(&format!(
            "\n[dependencies]\n\"{package}\" = {{ version = \"={version}\", calls-max = 1 }}\n"
        ));
    } else {
        for table in ["dependencies", "splits"] {
            if let Some(found) = section(table).filter(|found| !found.is_empty()) {
                text.push_str(&format!("\n[{table}]\n{}", all(found)));
            }
        }
    }
    let parent = DerivedFrom { release: parent.release.release.clone(), terms: parent.release.terms, share };
    text.push_str(&derived_from(&parent));
    text.push_str(PRICE);
    text
}

fn derived_from(parent: &DerivedFrom) -> String {
    let DerivedFrom { release, terms, share } = parent;
    format!(
        "\n# What this derives from, by the digest of its terms, and what it gets of all that this receives, of 10000.\n\
         [[derived-from]]\nrelease = \"{release}\"\nterms = \"{terms}\"\nshare = {share}\n"
    )
}

const PRICE: &str = "
# The package is free of charge. To be paid for each call, say how much, who answers for
# security until when, and who gets what part of 10000 of the rest:
#
# [[price]]
# id = \"call\"
# on = \"execute\"
# unit = \"call\"
# amount = \"0.001\"
#
# [security]
# contact = \"you@example.org\"
# support-until = 2029-12-31
#
# [[payee]]
# id = \"acct:you@example.org\"
# share = 10000
";

/// Writes keys of a table as they were written.
fn kept(table: Option<&Table>, keys: &[&str]) -> String {
    let found = keys.iter().filter_map(|key| Some((*key, table?.get(*key)?)));
    found.map(|(key, value)| format!("{key} = {value}\n")).collect()
}

fn all(table: &Table) -> String {
    // Names of packages have a colon, which only a quoted key may have.
    table.iter().map(|(key, value)| format!("\"{key}\" = {value}\n")).collect()
}

/// Writes the WIT: a world of its own that promises what the parent's does, and the parent's text below `deps/`.
///
/// A wrapper imports what it exports as well.
pub(super) fn wit(fork: &Fork<'_>) -> Entries {
    let Fork { parent, name, wrapper, .. } = *fork;
    let ReleaseId { package, version } = &parent.release.release;
    let folder = free_folder(parent, format!("{}-{}", package.namespace(), package.name()));
    let world = &parent.manifest.spec.world;
    let included = qualified(&format!("{package}/{world}@{version}"));
    let body: String = match wrapper {
        false => format!("  include {included};\n"),
        true => {
            let exports = parent.spec.exports().into_iter().map(|interface| qualified(&interface));
            exports.map(|interface| format!("  import {interface};\n  export {interface};\n")).collect()
        }
    };
    let (promise, own) = match wrapper {
        false => ("Promises", ""),
        true => ("Passes on", ", which it calls"),
    };
    let text = format!(
        "package {}@{VERSION};\n\n/// {promise} what {package}@{version} exports{own}.\nworld {} {{\n{body}}}\n",
        qualified(&name.to_string()),
        new::escaped(name.name()),
    );
    let inside = parent.wit.iter().map(|(path, bytes)| {
        let path = match in_deps(path) {
            Some(dependency) => format!("deps/{dependency}"),
            None => format!("deps/{folder}/{path}"),
        };
        (path, bytes.to_vec())
    });
    [("world.wit".to_owned(), text.into_bytes())].into_iter().chain(inside).collect()
}

/// Returns the path below the folder of other packages, where a file is in it.
fn in_deps(path: &str) -> Option<&str> {
    path.strip_prefix("deps/").or_else(|| path.split_once("/deps/").map(|(_, inside)| inside))
}

/// Returns a name below `deps/` that nothing of the parent's has.
fn free_folder(parent: &Parent, mut folder: String) -> String {
    let taken = |folder: &str| {
        let names = parent.wit.iter().filter_map(|(path, _)| in_deps(path)?.split('/').next());
        names.map(|name| name.trim_end_matches(".wit")).any(|name| name == folder)
    };
    while taken(&folder) {
        folder.push('-');
    }
    folder
}

/// Writes `ns:name/item@version` so that no part of it is read as a word of WIT.
fn qualified(path: &str) -> String {
    let (names, version) = match path.split_once('@') {
        Some((names, version)) => (names, format!("@{version}")),
        None => (path, String::new()),
    };
    let mut text = String::new();
    for part in names.split_inclusive([':', '/']) {
        let word = part.trim_end_matches([':', '/']);
        text.push_str(&new::escaped(word));
        text.push_str(&part[word.len()..]);
    }
    text + &version
}

/// Writes the tests. A wrapper burns what the parent burns, and something for itself, so it is not held to `max-fuel`.
pub(super) fn tests(fork: &Fork<'_>) -> Entries {
    let bounds_fuel = |line: &&str| line.trim_start().starts_with("max-fuel");
    let written = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if fork.wrapper => {
            let lines = text.split_inclusive('\n').filter(|line| !bounds_fuel(line));
            lines.collect::<String>().into_bytes()
        }
        _ => bytes.to_vec(),
    };
    let tests = fork.parent.tests.iter();
    tests.map(|(path, bytes)| (format!("tests/{path}"), written(bytes))).collect()
}

/// Writes what to do next.
pub(super) fn readme(fork: &Fork<'_>, taken: &Taken) -> String {
    let Fork { parent, name, share, wrapper } = *fork;
    let id = &parent.release.release;
    let license = &parent.manifest.package.license;
    let royalty = match share {
        0 => format!("It owes {id} nothing of what it earns; raise `share` in `glassbox.toml` to thank it."),
        share => format!("Of all that it receives, {} goes to {id}.", percent(share)),
    };
    let component = match (wrapper, &taken.component) {
        (true, _) => format!(
            "`{COMPONENT}` passes every call on to {id}, which runs in a store of its own and must stay there for it."
        ),
        (false, Some(_)) => format!("`{COMPONENT}` is the one of {id}, until you build another."),
        (false, None) => format!("{id} does not give its component away: build `{COMPONENT}`."),
    };
    let source = match (wrapper, &taken.source) {
        (true, _) => "",
        (false, Some(_)) => "`src/` is its source.\n",
        (false, None) => "Its source is not published for machines.\n",
    };
    let kind = if wrapper { "A wrapper" } else { "A fork" };
    format!(
        "# {name}\n\n{kind} of {id}, under {license}.\n{royalty}\n\n\
         `wit/world.wit` says what it offers, `tests/` what anybody may rely on.\n{source}{component}\n\n\
         ```console\n$ glassbox test\n$ glassbox publish\n```\n"
    )
}

/// Writes what the component of a wrapper was made from. Also a wrapper of free code has its source.
pub(super) fn wrapper_source(parent: &ReleaseId) -> Result<Files, PublishError> {
    let text = format!(
        "The component is what `glassbox fork --wrapper {parent}` writes: for each function of `wit/world.wit`, a call of\n\
         the import of the same name with the same arguments.\n"
    );
    Ok(Files::new([("README.md".to_owned(), text.into_bytes())])?)
}
