//! Whether licences that somebody takes satisfy an SPDX expression.
//!
//! See SPDX 3, annex B, "SPDX license expressions": `AND` binds closer than `OR`, `WITH` belongs to the licence before it,
//! and the operators are written in capitals. Case does not matter in licences.

use glassbox_core::limits;

/// Tells whether licences that somebody takes satisfy an expression: of an `OR` one side, of an `AND` both. What cannot be
/// read is satisfied by nothing but itself.
pub(crate) fn is_satisfied(expression: &str, taken: &[String]) -> bool {
    let is_taken = |license: &str| taken.iter().any(|one| one.eq_ignore_ascii_case(license));
    if is_taken(expression.trim()) {
        return true;
    }
    if expression.len() > limits::LICENSE_BYTES_MAX {
        return false;
    }
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, is_taken: &is_taken };
    reader.any() == Some(true) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    is_taken: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.all()?;
        while self.take("OR") {
            satisfied |= self.all()?;
        }
        Some(satisfied)
    }

    fn all(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.any()?;
            return self.take(")").then_some(satisfied);
        }
        let license = self.name()?;
        if !self.take("WITH") {
            return Some((self.is_taken)(license));
        }
        let exception = self.name()?;
        // An exception only allows more.
        Some((self.is_taken)(license) || (self.is_taken)(&format!("{license} WITH {exception}")))
    }

    fn name(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        if ["AND", "OR", "WITH", "(", ")"].contains(first) {
            return None;
        }
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(taken: &[&str], satisfied: &[&str], refused: &[&str]) {
        let taken: Vec<String> = taken.iter().map(|one| (*one).to_owned()).collect();
        for expression in satisfied {
            assert!(is_satisfied(expression, &taken), "{expression} by {taken:?}");
        }
        for expression in refused {
            assert!(!is_satisfied(expression, &taken), "{expression} by {taken:?}");
        }
    }

    #[test]
    fn expressions_are_satisfied_by_what_is_taken() {
        check(
            &["MIT", "Apache-2.0"],
            &[
                "MIT",
                "apache-2.0",
                "MIT OR GPL-3.0-only",
                "GPL-3.0-only OR MIT",
                "MIT AND Apache-2.0",
                "(MIT OR GPL-3.0-only) AND Apache-2.0",
                "(MIT)",
                "GPL-3.0-only AND LicenseRef-x OR MIT",
                "Apache-2.0 WITH LLVM-exception",
            ],
            &[
                "GPL-3.0-only",
                "MIT AND GPL-3.0-only",
                "MIT AND (GPL-3.0-only OR LicenseRef-x)",
                "GPL-2.0-only WITH Classpath-exception-2.0",
                "MIT-0",
            ],
        );
        check(
            &["GPL-2.0-only WITH Classpath-exception-2.0"],
            &[
                "GPL-2.0-only WITH Classpath-exception-2.0",
                "GPL-3.0-only OR GPL-2.0-only WITH Classpath-exception-2.0",
            ],
            &["GPL-2.0-only", "GPL-2.0-only WITH GCC-exception-2.0"],
        );
    }

    #[test]
    fn what_cannot_be_read_is_satisfied_by_itself_alone() {
        let broken = [
            "",
            "MIT OR",
            "OR MIT",
            "(MIT",
            "MIT)",
            "MIT MIT",
            "MIT or GPL",
            "WITH x",
            "MIT WITH",
            "()",
            "MIT AND",
        ];
        check(&["MIT"], &[], &broken);
        check(&["Company terms, 2026"], &["Company terms, 2026"], &["Company terms"]);
        let deep = "(".repeat(2_000);
        check(&["MIT"], &[], &[&deep, &format!("MIT{}", " OR MIT".repeat(1_000))]);
    }
}
