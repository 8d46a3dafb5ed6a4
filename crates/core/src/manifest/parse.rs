//! From TOML text to a manifest, with errors that say where and what to do.

use super::{Manifest, lint, not_taken};
use crate::limits;

/// Says why a manifest was refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message} ({rule})", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ManifestError {
    /// The id of the rule that it breaks; see [`lint`].
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The line of the manifest, counted from 1, where one is known.
    pub line: Option<usize>,
}

pub(super) fn parse(text: &str) -> Result<Manifest, ManifestError> {
    if text.len() > limits::MANIFEST_BYTES_MAX {
        return Err(ManifestError {
            rule: lint::SYNTAX,
            message: "the manifest is larger than 64 KiB".into(),
            hint: "move prose to the README".into(),
            line: None,
        });
    }
    toml::from_str(text).map_err(|error| explain(text, &error))
}

fn explain(text: &str, error: &toml::de::Error) -> ManifestError {
    let line =
        error.span().map(|span| text.as_bytes()[..span.start.min(text.len())].split(|b| *b == b'\n').count());
    let message = error.message().trim_end_matches(['\n', ' ']).replace('\n', "; ");
    if let Some((rule, message)) = lint::named(&message) {
        return ManifestError { rule: rule.id, hint: rule.fix.into(), message: message.into(), line };
    }
    if let Some((what, hint)) = not_taken::find(&message) {
        return ManifestError { rule: lint::NOT_TAKEN, message: format!("{what} is not taken"), hint, line };
    }
    let (rule, hint) = hint(&message);
    // The hint has picked from the list of every known key; the list itself would hide the rest.
    let message = message.split(", expected one of").next().unwrap_or(&message).to_owned();
    ManifestError { rule, hint, message, line }
}

/// Finds the rule that a message of the reader is about, and what to do.
fn hint(message: &str) -> (&'static str, String) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let nearest = quoted.map(|known| (strsim::damerau_levenshtein(unknown, known), known)).min();
        let hint = match nearest {
            Some((distance, known)) if distance <= 3 => format!("did you mean `{known}`?"),
            _ => "remove it; docs/reference/manifest.md lists every key".into(),
        };
        return (lint::UNKNOWN_KEY, hint);
    }
    let is_float = message.contains("floating point");
    if is_float || (message.contains("integer") && message.contains("expected a string")) {
        let hint = "write amounts as strings, such as amount = \"0.002\"; a float cannot hold money";
        return (lint::AMOUNT_TEXT, hint.into());
    }
    if message.contains("decimals") {
        return (lint::AMOUNT_DECIMALS, "raise `per`, and `amount` with it".into());
    }
    if message.starts_with("missing field") {
        return (lint::MISSING_KEY, format!("add `{}`", quoted.next().unwrap_or_default()));
    }
    (lint::SYNTAX, "see the manifest's reference, docs/reference/manifest.md".into())
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::hashed::Document as _;

    const FREE: &str = r#"
[package]
name = "hue:ansi"
version = "2.1.0"
license = "MIT"
[spec]
world = "ansi"
[component]
path = "dist/ansi.wasm"
"#;

    const PRICED: &str = r#"
[[price]]
id = "each"
unit = "call"
amount = "0.002"
[[payee]]
id = "acct:ana@example.org"
share = 10000
[security]
contact = "security@example.org"
support-until = 2029-12-31
"#;

    fn refused(text: &str) -> ManifestError {
        Manifest::parse(text).expect_err("refused")
    }

    #[test]
    fn reads_a_free_and_a_priced_manifest() {
        let free = Manifest::parse(FREE).expect("valid");
        assert_eq!(free.release().to_string(), "hue:ansi@2.1.0");
        assert!(!free.component_is_public());
        let priced = Manifest::parse(&format!("{FREE}{PRICED}")).expect("valid");
        assert_eq!(priced.price[0].amount, Atomic(2_000));
        assert_ne!(Terms::of(&free).compute_digest(), Terms::of(&priced).compute_digest());
        let terms = serde_json::to_value(Terms::of(&priced)).expect("serialises");
        assert_eq!(terms["price"][0]["amount"], "0.002");
        assert_eq!(serde_json::from_value::<Terms>(terms).expect("reads back"), Terms::of(&priced));
    }

    #[test]
    fn unknown_keys_are_named_with_their_line_and_a_guess() {
        let error = refused(&FREE.replace("license", "licence"));
        assert_eq!((error.line, error.hint.as_str()), (Some(5), "did you mean `license`?"));
        assert!(refused(&format!("{FREE}\n[tip]\naccept = true")).hint.contains("did you mean `tips`?"));
        assert!(refused(&FREE.replace("world = \"ansi\"", "")).hint.contains("add `world`"));
    }

    #[test]
    fn people_read_the_source_free() {
        let source = |humans: &str| format!("{FREE}[source]\npath = \"src/\"\nhumans = {humans}\n");
        assert!(Manifest::parse(&source("\"free\"")).is_ok());
        let error = refused(&source("\"metered\""));
        assert_eq!((error.rule, error.line), ("source-humans", Some(12)));
        assert_eq!(error.message, "`humans` is `metered`, and people read the source free");
        assert!(error.hint.contains("`machines`"));
        assert_eq!(refused(&source("false")).rule, "syntax");
    }

    #[test]
    fn money_is_a_decimal_string() {
        let priced = format!("{FREE}{PRICED}");
        assert!(refused(&priced.replace("\"0.002\"", "0.002")).hint.contains("strings"));
        assert!(refused(&priced.replace("\"0.002\"", "2")).hint.contains("strings"));
        assert!(refused(&priced.replace("\"0.002\"", "\"-1\"")).message.contains("not an amount"));
        assert!(refused(&priced.replace("\"0.002\"", "\"0\"")).hint.contains("free"));
        assert!(refused(&priced.replace("\"0.002\"", "\"0.0000001\"")).message.contains("decimals"));
    }

    #[test]
    fn a_price_needs_a_payee_and_a_security_contact() {
        let priced = format!("{FREE}{PRICED}");
        assert!(refused(&priced.replace("share = 10000", "share = 9999")).message.contains("9999"));
        let without_payee = priced.replace("[[payee]]\nid = \"acct:ana@example.org\"\nshare = 10000\n", "");
        assert!(refused(&without_payee).message.contains("nobody to pay"));
        let without_security = priced.split("[security]").next().expect("has one");
        assert!(refused(without_security).message.contains("[security]"));
    }

    #[test]
    fn a_price_of_downloads_needs_downloads_and_no_keys_of_calls() {
        let local = FREE.replace("path =", "execute = [\"local\"]\npath =");
        let download = "[[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"0.5\"\n";
        let priced = format!("{local}{PRICED}{download}");
        let manifest = Manifest::parse(&priced).expect("valid");
        assert_eq!((manifest.price[1].on, &manifest.price[1].unit), (PricedAct::Download, &Unit::Download));
        let terms = serde_json::to_value(Terms::of(&manifest)).expect("serialises");
        assert_eq!(
            (&terms["price"][1]["on"], &terms["price"][1]["unit"]),
            (&"download".into(), &"download".into())
        );
        assert_eq!(serde_json::from_value::<Terms>(terms).expect("reads back"), Terms::of(&manifest));

        assert!(refused(&format!("{FREE}{PRICED}{download}")).hint.contains("\"local\""));
        for (from, to) in [
            ("unit = \"download\"", "unit = \"call\""),
            ("unit = \"download\"", "unit = \"fuel\""),
            ("on = \"download\"\n", ""),
            ("on = \"download\"", "on = \"execute\""),
        ] {
            assert!(refused(&priced.replace(from, to)).hint.contains("go together"), "{to}");
        }
        for key in ["export = \"f\"", "minimum = \"0.1\"", "max-per-call = \"1\"", "charge-on = \"attempt\""]
        {
            assert!(refused(&format!("{priced}{key}\n")).message.contains("is for calls"), "{key}");
        }
        assert!(refused(&format!("{priced}per = 2\n")).message.contains("`per`"));
        assert!(refused(&priced.replace("\"download\"", "\"copy\"")).message.contains("unknown variant"));
    }

    #[test]
    fn http_requests_need_the_interface_and_a_rule() {
        let allow = |grant: &str| format!("{FREE}imports-allow = [{grant:?}]\n");
        let rule = "[[component.http]]\nhost = \"api.example.com\"\n";
        for grant in ["wasi:http/outgoing-handler", "wasi:http/outgoing-handler@0.2.3", "wasi:http"] {
            let manifest = Manifest::parse(&format!("{}{rule}", allow(grant))).expect("valid");
            assert_eq!(manifest.component.http.len(), 1);
            assert!(refused(&allow(grant)).hint.contains("[[component.http]]"), "{grant}");
        }
        for grant in ["wasi:http/types", "wasi:random", "wasi:http/outgoing"] {
            let error = refused(&format!("{}{rule}", allow(grant)));
            assert!(error.hint.contains("outgoing-handler"), "{grant}");
            assert!(Manifest::parse(&allow(grant)).is_ok(), "{grant}");
        }
        let bad = format!("{}{}", allow("wasi:http"), rule.replace("api.", "*."));
        assert!(refused(&bad.replace(".example", "")).message.contains("is not a host"));
        assert!(refused(&format!("{}{}", allow("wasi:http"), rule.repeat(65))).message.contains("64"));
    }

    #[test]
    fn files_need_the_interface() {
        let files = |grant: &str| format!("{FREE}files = \"data/\"\nimports-allow = [{grant:?}]\n");
        for grant in ["wasi", "wasi:filesystem", "wasi:filesystem/preopens", "wasi:filesystem/preopens@0.2.6"]
        {
            let manifest = Manifest::parse(&files(grant)).expect("valid");
            assert_eq!(manifest.component.files.as_deref(), Some("data/"), "{grant}");
        }
        for grant in ["wasi:filesystem/types", "wasi:io", "wasi:filesystem/"] {
            assert!(refused(&files(grant)).hint.contains("wasi:filesystem"), "{grant}");
        }
        assert!(Manifest::parse(&format!("{FREE}imports-allow = [\"wasi:filesystem\"]\n")).is_ok());
        assert!(refused(&format!("{FREE}files = [\"data/\"]\n")).message.contains("string"));
    }

    #[test]
    fn sizes_are_written_with_their_unit() {
        let with = |size: &str| Manifest::parse(&format!("{FREE}memory-max = {size}\n"));
        assert_eq!(with("\"64MiB\"").expect("valid").memory_max_bytes(), 64 << 20);
        for bad in ["\"64MB\"", "\"x\"", "\"99999999999999999999GiB\"", "\"1024GiB\"", "-1"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
