//! Rules about what a package is and what it may use.

use super::{Check, Rule, first, when};
use crate::limits;
use crate::manifest::{FILES_INTERFACE, HTTP_INTERFACE, WorkKind};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "description-length",
        holds: "`description` has at most 300 characters.",
        fix: "keep it to one line; the README holds the rest",
        check: Check::Manifest(|manifest| {
            when(manifest.package.description.chars().count() > 300, || {
                "`description` is longer than 300 characters".into()
            })
        }),
    },
    Rule {
        id: "execute-place",
        holds: "`execute` names at least one place.",
        fix: "name where it may run: execute = [\"remote\"], or [\"remote\", \"local\"]",
        check: Check::Manifest(|manifest| {
            let editions = manifest.edition.values().filter_map(|edition| edition.execute.as_ref());
            let mut places = editions.chain([&manifest.component.execute]);
            when(places.any(|places| places.is_empty()), || "`execute` is empty".into())
        }),
    },
    Rule {
        id: "kind-supported",
        holds: "`kind` is \"component\", \"dataset\" or \"knowledge\".",
        fix: "leave `kind` out; what has no component cannot be published here",
        check: Check::Manifest(|manifest| {
            let kind = manifest.package.kind;
            when(kind == WorkKind::Skill, || "`kind` names a work that is no component".into())
        }),
    },
    Rule {
        id: "authorship-bounds",
        holds: "[authorship] has at most 32 reviewers and names of at most 200 bytes.",
        fix: "keep it to names and addresses",
        check: Check::Manifest(|manifest| {
            when(!manifest.authorship().is_bounded(), || {
                "[authorship] has a name that is too long, or too many reviewers".into()
            })
        }),
    },
    Rule {
        id: "memory-max",
        holds: "`memory-max` is at most 512MiB.",
        fix: "lower it",
        check: Check::Manifest(|manifest| {
            let memory_max = manifest.component.memory_max.map_or(0, |size| size.0);
            when(memory_max > limits::MEMORY_BYTES_MAX as u64, || {
                "`memory-max` is above the 512MiB allowed".into()
            })
        }),
    },
    Rule {
        id: "fuel-max",
        holds: "`fuel-max` is between 1 and 250,000,000,000.",
        fix: "choose what one call really needs; the tests print their fuel",
        check: Check::Manifest(|manifest| {
            when(!(1..=limits::FUEL_MAX).contains(&manifest.fuel_max()), || {
                "`fuel-max` is not between 1 and 250,000,000,000".into()
            })
        }),
    },
    Rule {
        id: "http-rules",
        holds: "There are at most 64 [[component.http]].",
        fix: "merge some",
        check: Check::Manifest(|manifest| {
            when(manifest.component.http.len() > limits::HTTP_RULES_MAX, || {
                "there are more than 64 [[component.http]]".into()
            })
        }),
    },
    Rule {
        id: "http-rule-missing",
        holds: "A component that may make HTTP requests says which.",
        fix: "add [[component.http]] with host = \"api.example.com\"",
        check: Check::Manifest(|manifest| {
            when(manifest.asks_for(HTTP_INTERFACE) && manifest.component.http.is_empty(), || {
                "`imports-allow` asks for HTTP requests, and no rule says which".into()
            })
        }),
    },
    Rule {
        id: "http-not-asked",
        holds: "[[component.http]] stands beside `imports-allow` with `wasi:http/outgoing-handler`.",
        fix: "write imports-allow = [\"wasi:http/outgoing-handler\"]",
        check: Check::Manifest(|manifest| {
            when(!manifest.asks_for(HTTP_INTERFACE) && !manifest.component.http.is_empty(), || {
                "there is [[component.http]], and `imports-allow` does not ask for HTTP requests".into()
            })
        }),
    },
    Rule {
        id: "files-not-asked",
        holds: "`files` stands beside `imports-allow` with `wasi:filesystem`.",
        fix: "write imports-allow = [\"wasi:filesystem\"]",
        check: Check::Manifest(|manifest| {
            let asks = manifest.asks_for(FILES_INTERFACE)
                || manifest.component.imports_allow.iter().any(|grant| grant == "wasi");
            when(!asks && manifest.component.files.is_some(), || {
                "there are `files`, and `imports-allow` does not ask for them".into()
            })
        }),
    },
    Rule {
        id: "held-out-cases",
        holds: "`held-out` commits to at least one case and at most 2,000.",
        fix: "write how many cases the digest stands for, or leave `held-out` out",
        check: Check::Manifest(|manifest| {
            let cases = manifest.tests.held_out.as_ref().map_or(1, |held_out| held_out.cases);
            when(!(1..=limits::TEST_CASES_MAX as u64).contains(&cases), || {
                format!("`held-out` commits to {cases} cases")
            })
        }),
    },
    Rule {
        id: "dependency-self",
        holds: "A package does not depend on itself.",
        fix: "remove it; what is in the package is called without an import",
        check: Check::Manifest(|manifest| {
            let own = &manifest.package.name;
            when(manifest.dependencies.contains_key(own), || format!("`{own}` depends on itself"))
        }),
    },
    Rule {
        id: "dependencies-max",
        holds: "There are at most 64 dependencies.",
        fix: "merge some",
        check: Check::Manifest(|manifest| {
            when(manifest.dependencies.len() > limits::DEPENDENCIES_MAX, || {
                "there are more than 64 dependencies".into()
            })
        }),
    },
    Rule {
        id: "dependency-calls",
        holds: "`calls-max` of a dependency is above 0.",
        fix: "remove the dependency, or let it be called",
        check: Check::Manifest(|manifest| {
            first(&manifest.dependencies, |(name, dependency)| {
                when(dependency.calls_max == Some(0), || format!("`{name}` may never be called"))
            })
        }),
    },
];
