//! Checks what no compiler checks. Pure reading, a second or less.
//!
//! Every finding names a file, what is wrong with it, and what to do. All of them are shown at once, because whoever
//! mends one wants to know of the others.

mod documents;
mod floors;
mod sources;
mod writes;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, read};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// The file, and the line where there is one.
    place: String,
    /// What is wrong.
    message: String,
    /// What to do.
    hint: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  hint: {}", self.place, self.message, self.hint)
    }
}

/// A text file of the repository, under its path with `/` between folders.
struct TextFile {
    path: String,
    text: String,
}

impl TextFile {
    /// Goes through the lines with their numbers, counted from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// Runs all checks.
pub(crate) fn run(root: &Path) -> Result<()> {
    let paths = paths(root)?;
    let files = texts(root, &paths)?;
    let mut findings = floors::check(root)?;
    findings.extend(sources::check(&files, &paths));
    findings.extend(documents::check(root, &files));
    findings.extend(writes::check(&files));
    if findings.is_empty() {
        eprintln!("tidy: {} files are in order", paths.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    bail!("tidy found {} things to mend", findings.len())
}

/// Returns the paths of all files that belong to the repository.
fn paths(root: &Path) -> Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut paths: Vec<String> = match read(&mut git) {
        Ok(listed) => listed.split_terminator('\0').map(str::to_owned).collect(),
        // An unpacked archive has no Git to ask, and is as tidy.
        Err(_) => walk(root, "")?,
    };
    // Listed and deleted: a change under way.
    paths.retain(|path| root.join(path).is_file());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn walk(root: &Path, below: &str) -> Result<Vec<String>> {
    const DERIVED: [&str; 5] = ["target", "node_modules", ".venv", ".git", "build"];
    let mut paths = Vec::new();
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.file_type()?.is_file() {
            paths.push(path);
        } else if entry.file_type()?.is_dir() && !DERIVED.contains(&name.as_str()) {
            paths.extend(walk(root, &path)?);
        }
    }
    Ok(paths)
}

/// Reads the files that are text. Built components and the like are left to their own tests.
fn texts(root: &Path, paths: &[String]) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in paths {
        let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path: path.clone(), text });
        }
    }
    Ok(files)
}

/// Returns what Cargo knows of our own crates.
fn metadata(root: &Path) -> Result<serde_json::Value> {
    let text = read(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata printed no JSON")
}
