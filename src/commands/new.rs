//! `glassbox new`: a package that checks, tests and publishes at once.

use std::fs;
use std::path::Path;

use glassbox_core::{Namespace, PackageName};
use serde::Serialize;

use super::Context;
use crate::cli::{Language, NewArgs};
use crate::embedded::{self, File};
use crate::failure::Failure;
use crate::output::{DIM, NAME, paint};

#[derive(Serialize)]
struct Answer {
    package: String,
    folder: String,
    files: Vec<String>,
}

/// Words of WIT itself: a world cannot have one of them as its name.
const KEYWORDS: [&str; 43] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

pub(super) fn run(context: &Context, args: &NewArgs) -> Result<(), Failure> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => default_name(context, &args.dir)?,
    };
    check_name(&name)?;
    if args.dir.exists() {
        let message = format!("`{}` exists already", args.dir.display());
        return Err(Failure::no("folder-exists", message, "name a folder that does not"));
    }
    let language = match args.lang {
        Language::Rust => embedded::RUST,
        Language::Js => embedded::JS,
        Language::Wat => embedded::WAT,
    };
    let mut files = Vec::new();
    for (path, bytes) in embedded::COMMON.iter().chain(language) {
        write(&args.dir, (path, bytes), &name)?;
        files.push((*path).to_owned());
    }
    let answer = Answer { package: name.to_string(), folder: args.dir.display().to_string(), files };
    context.output.answer(&answer, || {
        let folder = args.dir.display();
        format!(
            "Made {} in {folder}\n{}",
            paint(NAME, &name),
            paint(DIM, format!("next: glassbox test {folder}, then glassbox publish {folder}")),
        )
    });
    Ok(())
}

/// Refuses a name that WIT could not tell from its own words.
pub(super) fn check_name(name: &PackageName) -> Result<(), Failure> {
    match [name.namespace(), name.name()].into_iter().find(|word| KEYWORDS.contains(word)) {
        Some(word) => {
            let message = format!("`{word}` is a word of WIT itself");
            Err(Failure::no("name-invalid", message, "choose another NS:NAME"))
        }
        None => Ok(()),
    }
}

/// Writes a name so that it is not read as a word of WIT.
pub(super) fn escaped(word: &str) -> String {
    if KEYWORDS.contains(&word) { format!("%{word}") } else { word.to_owned() }
}

fn write(folder: &Path, (path, bytes): File, name: &PackageName) -> Result<(), Failure> {
    let path = folder.join(path);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|error| Failure::io("make", parent, &error))?;
    // Only texts hold placeholders; a component is written as it is.
    let bytes = match std::str::from_utf8(bytes) {
        Ok(text) => {
            text.replace("{{namespace}}", name.namespace()).replace("{{name}}", name.name()).into_bytes()
        }
        Err(_) => bytes.to_vec(),
    };
    fs::write(&path, bytes).map_err(|error| Failure::io("write", &path, &error))
}

/// The folder's name, under a namespace that is the key's own: nobody else can have claimed it.
fn default_name(context: &Context, dir: &Path) -> Result<PackageName, Failure> {
    let (key, new) = context.home()?.key_or_new()?;
    if new {
        context.output.note(&format!("Made a key to publish with: {}", key.public()));
    }
    let namespace = Namespace::of_key(&key.public());
    let folder = dir.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> =
        folder.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{namespace}:{}", words.join("-")).parse().map_err(|_| {
        let message = format!("`{}` makes no package name", dir.display());
        Failure::no(
            "name-invalid",
            message,
            "give one with --name NS:NAME, in lower-case words joined by hyphens",
        )
    })
}
