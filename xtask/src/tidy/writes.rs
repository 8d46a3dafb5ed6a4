//! Every write of the store is made to fail in some test.

use super::{Finding, TextFile};

const STORE: &str = "crates/store/src/";

/// Where the tests are that make writes fail.
const TESTS: [&str; 2] = ["crates/store/tests/", "tests/it/"];

/// What strikes at random shows nothing of any one write.
const AT_RANDOM: &str = "tests/it/chaos.rs";

/// Checks that a test which injects faults names each write of the store.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let tests: Vec<&str> = files.iter().filter(|file| injects(file)).map(|file| file.text.as_str()).collect();
    let store = files.iter().filter(|file| file.path.starts_with(STORE));
    let writes = store.flat_map(|file| writes(&file.text).map(move |(line, write)| (file, line, write)));
    let untested = writes.filter(|(.., write)| !tests.iter().any(|test| names(test, write)));
    let finding = |(file, line, write): (&TextFile, usize, &str)| {
        let message = format!("no test makes `{write}` fail");
        Finding::new(
            file.place(line),
            message,
            "inject a fault before it and after it: see tests/it/faults.rs",
        )
    };
    untested.map(finding).collect()
}

fn injects(file: &TextFile) -> bool {
    let is_test = TESTS.iter().any(|folder| file.path.starts_with(folder)) && file.path != AT_RANDOM;
    is_test && [".inject(", ".ask_twice("].iter().any(|call| file.text.contains(call))
}

/// Returns the names under which writes can be made to fail, with their lines. What comes after `#[cfg(test)]` is none.
fn writes(source: &str) -> impl Iterator<Item = (usize, &str)> {
    const DOORS: [&str; 3] = [".write(", ".write_soon(", ".strike("];
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let calls = DOORS.iter().flat_map(|door| source.match_indices(door));
    calls.filter_map(|(start, door)| {
        let name = source[start + door.len()..].trim_start().strip_prefix('"')?.split('"').next()?;
        Some((source[..start].lines().count(), name))
    })
}

/// Tells whether a test has the name as a text, alone or before the moment at which it fails.
fn names(test: &str, write: &str) -> bool {
    test.contains(&format!("\"{write}\"")) || test.contains(&format!("\"{write} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| TextFile { path: (*path).into(), text: (*text).into() };
        let files: Vec<TextFile> = files.iter().map(file).collect();
        check(&files).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn a_write_that_no_test_makes_fail_is_found() {
        let store = (
            "crates/store/src/a.rs",
            "fn a() {\n  self.write(\"one\", f)\n  self.write_soon(\n  \"two\", f)\n  self.strike(\"three\", m)\n\
             file.write(path)\n}\n#[cfg(test)]\nstore.write(\"four\", f)",
        );
        let found = messages(&[store, ("tests/it/a.rs", "stage.inject(\"one\", m); [\"two after\"]")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/store/src/a.rs:5: no test makes `three` fail"), "{found:?}");
        let all = "\"one\" \"two\" \"three\"";
        for path in [AT_RANDOM, "crates/pay/tests/a.rs"] {
            assert_eq!(messages(&[store, (path, &format!("stage.inject(v, m) {all}"))]).len(), 3, "{path}");
        }
        assert_eq!(messages(&[store, ("tests/it/a.rs", all)]).len(), 3, "it makes nothing fail");
        assert_eq!(messages(&[store, ("tests/it/a.rs", &format!("stage.ask_twice( {all}"))]), [""; 0]);
    }
}
