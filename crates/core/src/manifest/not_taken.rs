//! What somebody could expect a manifest to say, why it does not, and what to write instead.
//!
//! A key that does nothing would be a promise that nobody keeps. So each of these is refused by a rule of its own, with its
//! reason. The reference has the same sentences, under "What is not taken".

/// Something that is not taken.
struct NotTaken {
    /// The ways in which it is written.
    ways: &'static [Way],
    /// Why it is not taken.
    why: &'static str,
    /// What to do instead.
    instead: &'static str,
}

/// A way to write what is not taken.
struct Way {
    /// How it is written.
    written: &'static str,
    /// How the reader's message about it begins.
    said: &'static str,
    /// What else the message names where it is about the right table.
    among: &'static str,
}

const fn way(written: &'static str, said: &'static str, among: &'static str) -> Way {
    Way { written, said, among }
}

const NOT_TAKEN: &[NotTaken] = &[
    NotTaken {
        ways: &[way("`fuel-baseline` in [tests]", "unknown field `fuel-baseline`", "`held-out`")],
        why: "the registry measures it when it runs the tests, and whoever publishes would gain by a high one",
        instead: "leave it out; it is shown on the release's page, and beside each call of it on receipts",
    },
    NotTaken {
        ways: &[way("`scope = \"agent\"` of `free` in [[price]]", "unknown variant `agent`", "`payer`")],
        why: "a new key for an agent costs nothing, so free units for each agent would have no end",
        instead: "write scope = \"payer\", for whoever shows a payment that would cover the call",
    },
    NotTaken {
        ways: &[
            way("`charge-on = \"outcome\"` in [[price]]", "unknown variant `outcome`", "`attempt`"),
            way("`unit = \"outcome\"` in [[price]]", "unknown unit `outcome`", "byte-in"),
            way("`outcome` in [[price]]", "unknown field `outcome`", "`charge-on`"),
            way("`post-condition` in [[price]]", "unknown field `post-condition`", "`charge-on`"),
        ],
        why: "what counts as an outcome only the component knows, and it can say so",
        instead: "let it report an event where the outcome is reached, and price that: unit = \"event:resolved\" with \
                  `max-per-call`",
    },
    NotTaken {
        ways: &[
            way("`on = \"subscribe\"` in [[price]]", "unknown variant `subscribe`", "`execute`"),
            way("`on = \"support\"` in [[price]]", "unknown variant `support`", "`execute`"),
            way("`unit = \"seat\"` in [[price]]", "unknown unit `seat`", "byte-in"),
        ],
        why: "a price is for something that happens, and a period or a seat is bought before",
        instead: "write it as [[plan]], or as [[offer]] where it is a licence",
    },
    NotTaken {
        ways: &[way("`digest` in [[derived-from]]", "unknown field `digest`", "`terms`")],
        why: "what a parent is owed follows from its terms, and the same bytes can be under several",
        instead: "write `release` and `terms`, the digest of its terms, as `glassbox fork` does",
    },
    NotTaken {
        ways: &[way("`waiver` in [[derived-from]]", "unknown field `waiver`", "`terms`")],
        why: "what a parent asks for stands in its own terms, and who derives from it cannot lower that",
        instead: "ask its publisher to lower `royalty` for everybody by `glassbox terms change`, and write the digest of the \
                  new terms as `terms`",
    },
    NotTaken {
        ways: &[way("`payout` in [settlement]", "unknown field `payout`", "`accepts`")],
        why: "a payee has one account for all that it earns, and no package decides when it is paid what others brought it",
        instead: "leave it out; the operator says from how much on a payee is paid, by `glassbox payout --threshold`",
    },
];

/// Returns what a message of the reader is about, where that is not taken, and why with what to do instead.
pub(super) fn find(message: &str) -> Option<(&'static str, String)> {
    let is_about = |way: &&Way| message.starts_with(way.said) && message.contains(way.among);
    NOT_TAKEN.iter().find_map(|NotTaken { ways, why, instead }| {
        let way = ways.iter().find(is_about)?;
        Some((way.written, format!("{why}; {instead}")))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Manifest;
    use super::*;

    /// Ends within [settlement].
    const CALL: &str = include_str!("../../../../conformance/manifest/call.toml");
    const PAGE: &str = include_str!("../../../../docs/reference/manifest.md");

    #[test]
    fn what_is_not_taken_is_told_why_and_what_to_write() {
        let refused = |added: &str| Manifest::parse(&format!("{CALL}\n{added}\n")).expect_err("refused");
        let mut told = BTreeSet::new();
        for (added, written) in [
            ("[tests]\nfuel-baseline = 1000", "`fuel-baseline` in [tests]"),
            (
                "[[price]]\nfree = { quantity = 100, scope = \"agent\" }",
                "`scope = \"agent\"` of `free` in [[price]]",
            ),
            ("[[price]]\ncharge-on = \"outcome\"", "`charge-on = \"outcome\"` in [[price]]"),
            ("[[price]]\nunit = \"outcome\"", "`unit = \"outcome\"` in [[price]]"),
            ("[[price]]\noutcome = \"resolved\"", "`outcome` in [[price]]"),
            ("[[price]]\npost-condition = \"is-resolved\"", "`post-condition` in [[price]]"),
            ("[[price]]\non = \"subscribe\"", "`on = \"subscribe\"` in [[price]]"),
            ("[[price]]\non = \"support\"", "`on = \"support\"` in [[price]]"),
            ("[[price]]\nunit = \"seat\"", "`unit = \"seat\"` in [[price]]"),
            ("[[derived-from]]\ndigest = \"sha256:00\"", "`digest` in [[derived-from]]"),
            ("[[derived-from]]\nwaiver = true", "`waiver` in [[derived-from]]"),
            ("payout = \"10.00\"", "`payout` in [settlement]"),
        ] {
            let error = refused(added);
            assert_eq!(
                (error.rule, error.message),
                ("not-taken", format!("{written} is not taken")),
                "{added}"
            );
            let has = |it: &&NotTaken| it.ways.iter().any(|way| way.written == written);
            let NotTaken { why, instead, .. } = NOT_TAKEN.iter().find(has).expect(written);
            assert_eq!(error.hint, format!("{why}; {instead}"), "{added}");
            assert!(error.line.is_some(), "{added}");
            told.insert(written);
        }
        assert_eq!(told.len(), NOT_TAKEN.iter().map(|it| it.ways.len()).sum::<usize>());
        // In another table the same word is nothing but unknown.
        assert_eq!(refused("[upstream]\npayout = \"10.00\"").rule, "unknown-key");
        assert_eq!(refused("[[plan]]\nscope = \"agent\"").rule, "syntax");
    }

    #[test]
    fn the_page_says_the_same() {
        let sentence = |text: &str| {
            let mut text = format!("{text}.");
            text.get_mut(..1).expect("not empty").make_ascii_uppercase();
            text
        };
        for NotTaken { ways, why, instead } in NOT_TAKEN {
            let written: Vec<&str> = ways.iter().map(|way| way.written).collect();
            let row = format!("| {} | {} | {} |", written.join(", "), sentence(why), sentence(instead));
            assert!(PAGE.contains(&row), "docs/reference/manifest.md has no row\n{row}");
        }
    }
}
