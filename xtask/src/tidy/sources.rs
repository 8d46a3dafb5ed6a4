//! What may stand in a file of the repository.

use std::collections::BTreeSet;

use super::{Finding, TextFile};

/// The most lines of a Rust file: what can be read in one sitting, with its tests.
const LINES_MAX: usize = 900;

/// The one file that may load compiled code, which nobody can check.
const UNSAFE_FILE: &str = "crates/sandbox/src/artifact.rs";

/// Words of work that was put off. Split, so that this file does not hold them.
const LEFTOVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!"),
    concat!("#[", "ignore"),
];

/// Names of places that are right on one machine only: registry hosts, which mirrors replace, and folders.
const PLACES: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
    concat!("py", "pi.org"),
    concat!("pythonhosted", ".org"),
    concat!("/", "root"),
    concat!("/", "work"),
];

/// Checks `files`, and that every example is whole by `paths`.
pub(super) fn check(files: &[TextFile], paths: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(check_words(file));
        if file.path.ends_with(".rs") {
            findings.extend(check_length(file));
            findings.extend(check_crate_doc(file));
        }
    }
    findings.extend(check_unsafe(files));
    findings.extend(check_examples(paths));
    findings
}

fn check_words(file: &TextFile) -> Vec<Finding> {
    let is_lock = file.path.ends_with(".lock");
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        for word in LEFTOVERS.into_iter().filter(|word| has_word(line, word)) {
            let hint = "do it, or leave it out; a plan belongs to the tracker";
            findings.push(Finding::new(file.place(number), format!("`{word}` is a leftover"), hint));
        }
        for place in PLACES.into_iter().filter(|place| !is_lock && has_word(line, place)) {
            let hint = "name the tool and not the host; write paths relative to the repository";
            findings.push(Finding::new(file.place(number), format!("`{place}` is another machine's"), hint));
        }
    }
    findings
}

fn check_length(file: &TextFile) -> Option<Finding> {
    let count = file.text.lines().count();
    let message = format!("{count} lines are more than {LINES_MAX}");
    (count > LINES_MAX).then(|| Finding::new(&file.path, message, "find the noun that is missing, and split"))
}

/// The first file of a crate says what the crate is for.
fn check_crate_doc(file: &TextFile) -> Option<Finding> {
    let parts: Vec<&str> = file.path.split('/').collect();
    let is_first =
        matches!(parts[..], ["crates", _, "src", "lib.rs"] | ["src" | "xtask", ..] | ["tests", "it", ..])
            && matches!(parts.last(), Some(&("lib.rs" | "main.rs")));
    let message = "the first file of the crate has no doc on top";
    (is_first && !file.text.starts_with("//! ")).then(|| {
        Finding::new(&file.path, message, "say in `//!` what the crate is for, and what it leaves to others")
    })
}

fn check_unsafe(files: &[TextFile]) -> Vec<Finding> {
    const WORD: &str = concat!("un", "safe");
    let mut places = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let code = file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"));
        places.extend(code.filter(|(_, line)| has_word(line, WORD)).map(|(number, _)| (file, number)));
    }
    let ours = places.iter().filter(|(file, _)| file.path == UNSAFE_FILE).count();
    let mut findings: Vec<Finding> = places
        .iter()
        .filter(|(file, _)| file.path != UNSAFE_FILE)
        .map(|(file, number)| {
            let message = format!("`{WORD}` outside {UNSAFE_FILE}");
            Finding::new(file.place(*number), message, "find the safe way; there is one for everything else")
        })
        .collect();
    if ours != 1 {
        let message = format!("{ours} blocks of `{WORD}` instead of one");
        findings.push(Finding::new(UNSAFE_FILE, message, "load compiled code in one place"));
    }
    findings
}

/// Every package under examples/ has its manifest, interface, tests and built component.
fn check_examples(paths: &[String]) -> Vec<Finding> {
    let packages: BTreeSet<&str> = paths
        .iter()
        .filter_map(|path| path.strip_prefix("examples/")?.split_once('/'))
        .map(|(name, _)| name)
        .collect();
    let mut findings = Vec::new();
    for package in packages {
        for part in ["glassbox.toml", "wit/", "tests/", "dist/"] {
            let wanted = format!("examples/{package}/{part}");
            if !paths.iter().any(|path| path.starts_with(&wanted)) {
                let message = format!("the example has no {part}");
                let hint = "an example can be published as it is: see examples/checksum";
                findings.push(Finding::new(format!("examples/{package}"), message, hint));
            }
        }
    }
    findings
}

/// Tells whether `word` stands in `line` and is not part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let starts_with_letter = word.starts_with(char::is_alphanumeric);
    let ends_with_letter = word.ends_with(char::is_alphanumeric);
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        // A path begins where no name and no other path does.
        let begins =
            |c: char| if starts_with_letter { !goes_on(c) } else { !goes_on(c) && !"./~}".contains(c) };
        before.is_none_or(begins) && (!ends_with_letter || after.is_none_or(|c| !goes_on(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.into(), text: text.into() }
    }

    fn messages(path: &str, text: &str) -> Vec<String> {
        let files = [file(UNSAFE_FILE, concat!("un", "safe { load() }")), file(path, text)];
        check(&files, &[]).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn leftovers_and_places_are_found_as_words() {
        for text in LEFTOVERS.iter().chain(&PLACES) {
            assert_eq!(messages("a.md", &format!("see {text} there")).len(), 1, "{text}");
        }
        for text in
            [concat!("/", "workspace"), concat!("a.", "/", "work"), concat!("frame", "/", "work"), "my_todo"]
        {
            assert_eq!(messages("a.md", text), [""; 0], "{text}");
        }
        assert_eq!(messages("Cargo.lock", PLACES[0]), [""; 0]);
    }

    #[test]
    fn the_exception_stands_alone() {
        let text = concat!("un", "safe { load() }");
        assert_eq!(messages("crates/core/src/key.rs", text).len(), 1);
        assert_eq!(messages("crates/core/src/key.rs", concat!("// un", "safe, they say")), [""; 0]);
        assert_eq!(messages("crates/core/src/key.rs", concat!("#[allow(un", "safe_code)]")), [""; 0]);
        assert_eq!(check_unsafe(&[]).len(), 1);
    }

    #[test]
    fn crates_begin_with_a_doc() {
        assert_eq!(messages("crates/x/src/lib.rs", "fn f() {}").len(), 1);
        assert_eq!(messages("src/main.rs", "fn main() {}").len(), 1);
        assert_eq!(messages("crates/x/src/lib.rs", "//! Does x.\n"), [""; 0]);
        assert_eq!(messages("templates/rust/src/lib.rs", "fn f() {}"), [""; 0]);
        assert_eq!(messages("crates/x/src/y.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn examples_are_whole() {
        let paths = ["glassbox.toml", "wit/world.wit", "tests/a.toml", "README.md"];
        let paths: Vec<String> = paths.iter().map(|path| format!("examples/x/{path}")).collect();
        let findings = check_examples(&paths);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].message, "the example has no dist/");
        assert!(check_examples(&["examples/README.md".into()]).is_empty());
    }
}
