//! Whether licences that somebody takes satisfy an SPDX expression.

use spdx::Expression;

/// Tells whether licences that somebody takes satisfy an expression: of an `OR` one side, of an `AND` both. What cannot be
/// read is satisfied by nothing but itself.
pub fn is_satisfied(expression: &str, taken: &[String]) -> bool {
    evaluate(expression, taken, false)
}

/// Tells whether somebody who takes some licences may use what an expression was granted for. What only its maker could
/// grant, a `LicenseRef-`, was taken with the grant; a listed licence says the same to everybody, and must be among those that
/// are taken.
pub fn is_grant_satisfied(expression: &str, taken: &[String]) -> bool {
    evaluate(expression, taken, true)
}

fn evaluate(expression: &str, taken: &[String], own: bool) -> bool {
    let is_taken = |license: &str| taken.iter().any(|one| one.eq_ignore_ascii_case(license));
    if is_taken(expression.trim()) {
        return true;
    }
    let Ok(expression) = Expression::parse(expression) else { return false };
    expression.evaluate(|required| {
        let is_listed = required.license.id().is_some();
        // An exception only allows more.
        (own && !is_listed) || is_taken(&required.license.to_string()) || is_taken(&required.to_string())
    })
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
        check(&["MIT"], &[&format!("MIT{}", " OR MIT".repeat(1_000))], &[&deep]);
    }
    #[test]
    fn a_grant_of_a_listed_licence_is_taken_where_that_is() {
        for (granted, may_be_used) in [
            ("LicenseRef-Shop-Commercial", true),
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR LicenseRef-Shop-Commercial", true),
            ("GPL-3.0-only AND LicenseRef-Shop-Commercial", false),
            ("MIT AND LicenseRef-Shop-Commercial", true),
            ("Commercial", false),
        ] {
            assert_eq!(is_grant_satisfied(granted, &["MIT".to_owned()]), may_be_used, "{granted}");
        }
        assert!(is_grant_satisfied("GPL-3.0-only", &["GPL-3.0-only".to_owned()]));
    }
}
