//! The manifests that pages, examples and templates show: what somebody copies must be accepted.
//!
//! A block of TOML with a whole manifest is checked by every rule. A fragment is read beside the rest of a manifest, so that
//! its keys and values are ones that there are. A block with `…` leaves something out, and is not read.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::manifest::Manifest;

/// What a fragment stands in.
const REST: &str = "[package]\nname = \"acme:slug\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"slug\"\n\
    [component]\npath = \"dist/slug.wasm\"\n[source]\npath = \"src/\"\n";

/// Tables of other files: of test cases, and of the policies of payers and companies.
const OTHERS: [&str; 3] = ["case", "max", "allow"];

#[test]
fn every_manifest_that_is_shown_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut wholes, mut fragments) = (0, 0);
    for page in pages(&root) {
        let text = fs::read_to_string(&page).expect("a page");
        for block in blocks(&text).filter(|block| !block.contains('…')) {
            let place = || format!("{}:\n{block}", page.display());
            let table: Table = toml::from_str(block).unwrap_or_else(|error| panic!("{}\n{error}", place()));
            // What begins within a table says not in which.
            let is_of_manifest =
                block.starts_with('[') && !OTHERS.iter().any(|other| table.contains_key(*other));
            let read = match table.get("package").and_then(|package| package.get("name")) {
                Some(_) => Manifest::parse(block).inspect(|_| wholes += 1),
                None if is_of_manifest => Manifest::read(&beside_the_rest(table)).inspect(|_| fragments += 1),
                None => continue,
            };
            read.unwrap_or_else(|error| panic!("{}\n{error}; {}", place(), error.hint));
        }
    }
    assert!(wholes > 0 && fragments > 10, "{wholes} manifests and {fragments} fragments");
}

#[test]
fn every_manifest_of_a_template_and_an_example_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["examples", "templates"].map(|folder| root.join(folder));
    let inside = folders.iter().flat_map(|folder| entries(folder));
    let files: Vec<_> =
        inside.map(|folder| folder.join(crate::manifest::FILE_NAME)).filter(|it| it.is_file()).collect();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a manifest");
        let text = text.replace("{{namespace}}", "acme").replace("{{name}}", "slug");
        // What a template has in comments is for its owner to switch on.
        let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|it| is_toml(it)).unwrap_or(line));
        for text in [lines.collect::<Vec<_>>().join("\n"), text.clone()] {
            Manifest::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", file.display()));
        }
    }
}

/// Tells whether a comment would be a line of TOML.
fn is_toml(line: &str) -> bool {
    line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
}

/// Puts the tables of a fragment into those of a whole manifest.
fn beside_the_rest(fragment: Table) -> String {
    let mut manifest: Table = toml::from_str(REST).expect("TOML");
    for (name, value) in fragment {
        match (manifest.get_mut(&name), value) {
            (Some(Value::Table(table)), Value::Table(more)) => table.extend(more),
            (_, value) => {
                manifest.insert(name, value);
            }
        }
    }
    manifest.to_string()
}

/// Returns the blocks of TOML of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// Returns the pages of the repository: its own, and all below `docs` and in the folders of examples and templates.
fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = entries(root);
    for folder in ["docs", "examples", "templates", "conformance"] {
        for entry in entries(&root.join(folder)) {
            pages.extend(entries(&entry));
            pages.push(entry);
        }
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    pages
}

/// Returns what is in a folder; nothing where it is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").path()).collect()
}
