//! One case for every rule, and manifests that break none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, rules};
use crate::hashed::Document as _;
use crate::manifest::{Manifest, Terms};

const CALL: &str = include_str!("../../../../../conformance/manifest/call.toml");
const CORE: &str = include_str!("../../../../../conformance/manifest/core.toml");
const DATA: &str = include_str!("../../../../../conformance/manifest/data.toml");
const DUAL: &str = include_str!("../../../../../conformance/manifest/dual.toml");
const FREE: &str = include_str!("../../../../../conformance/manifest/free.toml");
const FUEL: &str = include_str!("../../../../../conformance/manifest/fuel.toml");
const SOURCE: &str = include_str!("../../../../../conformance/manifest/source.toml");
const SUPPORT: &str = include_str!("../../../../../conformance/manifest/support.toml");

const MODELS: [(&str, &str); 8] = [
    ("call", CALL),
    ("core", CORE),
    ("data", DATA),
    ("dual", DUAL),
    ("free", FREE),
    ("fuel", FUEL),
    ("source", SOURCE),
    ("support", SUPPORT),
];

#[test]
fn every_model_parses_and_keeps_its_terms() {
    let mut digests = BTreeMap::new();
    for (name, text) in MODELS {
        let manifest = Manifest::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let terms = Terms::of(&manifest);
        let json = serde_json::to_value(&terms).expect("serialises");
        assert_eq!(serde_json::from_value::<Terms>(json).expect("reads back"), terms, "{name}");
        digests.insert(name, terms.compute_digest().to_string());
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/manifest/terms.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&digests).expect("serialises"));
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

#[test]
fn that_a_dependency_is_metered_is_no_part_of_the_terms() {
    let said = FUEL.replace("share = 300 }", "metered = true, share = 300 }");
    let terms = |text: &str| Terms::of(&Manifest::parse(text).expect("valid"));
    assert_eq!(terms(&said), terms(FUEL));
    assert_eq!(terms(&said).compute_digest(), terms(FUEL).compute_digest());
}

/// A manifest with one thing changed: `from`, which stands in it once, becomes `to`.
type Case = (&'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    ("syntax", FREE, "name = \"tint:ansi\"", "name = \"tint\""),
    ("unknown-key", FREE, "[tips]", "[tip]"),
    ("not-taken", CALL, "[settlement]", "[settlement]\npayout = \"10.00\""),
    ("missing-key", FREE, "world = \"ansi\"", ""),
    ("amount-text", DATA, "amount = \"0.05\"", "amount = 0.05"),
    ("amount-text", DATA, "amount = \"0.05\"", "amount = 5"),
    ("amount-decimals", DATA, "amount = \"0.05\"", "amount = \"0.0000005\""),
    ("source-humans", SOURCE, "path = \"src/\"", "path = \"src/\"\nhumans = \"metered\""),
    ("source-humans", SOURCE, "path = \"src/\"", "path = \"src/\"\nhumans = \"\""),
    ("dependency-metered", FUEL, "share = 300 }", "metered = false }"),
    ("execute-place", FREE, "[\"remote\", \"local\"]", "[]"),
    ("execute-place", CORE, "execute = [\"remote\"]\n", "execute = []\n"),
    ("kind-supported", DATA, "kind = \"dataset\"", "kind = \"skill\""),
    ("memory-max", FUEL, "512MiB", "513MiB"),
    ("fuel-max", FUEL, "50_000_000_000", "0"),
    ("fuel-max", FUEL, "50_000_000_000", "250_000_000_001"),
    ("http-rule-missing", FUEL, "wasi:random/random", "wasi:http"),
    ("http-not-asked", FREE, "[source]", "[[component.http]]\nhost = \"api.example.com\"\n[source]"),
    ("files-not-asked", DATA, "imports-allow = [\"wasi:filesystem\"]", ""),
    ("held-out-cases", CALL, "cases = 412", "cases = 0"),
    ("dependency-self", FUEL, "zip:inflate", "spiral:fold"),
    ("dependency-calls", FUEL, "calls-max = 16", "calls-max = 0"),
    ("license-spdx", FREE, "license = \"MIT\"\ndescription", "license = \"Mine\"\ndescription"),
    ("license-spdx", FREE, "license = \"MIT\"\ndescription", "license = \"\"\ndescription"),
    ("license-spdx", DUAL, "grants = \"LicenseRef-Parchment-Commercial\"", "grants = \"Commercial\""),
    ("license-spdx", SOURCE, "change-license = \"MPL-2.0\"", "change-license = \"soon\""),
    ("copyleft-source", DUAL, "machines = \"free\"", "machines = \"denied\""),
    ("copyleft-source", SUPPORT, "machines = \"free\"", "machines = \"denied\""),
    ("copyleft-source", CALL, "LicenseRef-Atlas-Remote-1.0", "GPL-3.0-only"),
    ("osi-royalty", DUAL, "mode = \"requested\"", "mode = \"required\""),
    ("osi-deny-use", FREE, "[spec]", "deny-use = [\"hosting-competitor\"]\n[spec]"),
    ("osi-deny-use", DUAL, "[upstream]", "[upstream]\nallow-forks = false"),
    ("deny-use-operators", SOURCE, "[component]", "[component]\noperators = \"any\""),
    ("copyleft-source", CORE, "license = \"Apache-2.0\"", "license = \"GPL-3.0-only\""),
    ("url-https", FREE, "https://tint.example/funding.json", "javascript:alert(1)"),
    ("url-https", SUPPORT, "sbom.cdx.json", "http://bonnet.example/sbom.json"),
    ("url-https", FREE, "[spec]", "homepage = \"https://tint.example/>\"\n[spec]"),
    ("change-license", SOURCE, "change-date = 2030-11-22", ""),
    ("change-license", SOURCE, "change-license = \"MPL-2.0\"", ""),
    ("source-price", SOURCE, "machines = \"metered\"", "machines = \"licensed\""),
    ("source-price", DATA, "machines = \"licensed\"", "machines = \"metered\""),
    ("source-price", SOURCE, "machines = \"metered\"", "machines = \"free\""),
    ("edition-component", CORE, "path = \"dist/audit-ee.wasm\"", ""),
    ("edition-component", CORE, "path = \"dist/audit-ee.wasm\"", "path = \"dist/audit-ce.wasm\""),
    (
        "edition-path",
        CORE,
        "[\"abacus:audit/core\"]",
        "[\"abacus:audit/core\"]\npath = \"dist/audit-ce.wasm\"",
    ),
    ("edition-place", CORE, "execute = [\"remote\"]\n", "execute = [\"remote\", \"local\"]\n"),
    ("edition-requires", CORE, "\"plan:team\"", "\"plan:other\""),
    ("edition-requires", CORE, "\"plan:team\"", "\"offer:team\""),
    ("edition-requires", CORE, "\"edition:ee\", ", ""),
    ("royalty-cap", SOURCE, "share = 500", "share = 3001"),
    ("royalty-cap", SOURCE, "share = 1000\n", "share = 3001\n"),
    ("derived-from-self", SOURCE, "quarry:state@0.8.0", "mason:state@1.9.0"),
    ("splits-pool", FUEL, "dependencies = 2000", "dependencies = 5001"),
    ("splits-floor", FUEL, "share = 300 }", "share = 6001 }"),
    ("id-form", DATA, "id = \"row\"", "id = \"Row\""),
    ("id-form", DATA, "id = \"row\"", "id = \"plan:row\""),
    ("id-unique", CALL, "id = \"reverse\"", "id = \"geocode\""),
    ("id-unique", FUEL, "id = \"open-source\"", "id = \"academic\""),
    ("amount-zero", DATA, "amount = \"0.05\"", "amount = \"0\""),
    ("amount-zero", CALL, "{ amount = \"0.001\" }", "{ amount = \"0\" }"),
    ("amount-zero", CORE, "amount = \"29\"", "amount = \"0\""),
    ("price-per", CALL, "amount = \"0.001\"\n", "amount = \"0.001\"\nper = 2\n"),
    ("price-unit", CALL, "unit = \"call\"\namount = \"0.001\"", "unit = \"copy\"\namount = \"0.001\""),
    ("price-unit", SOURCE, "unit = \"copy\"", "unit = \"call\""),
    ("price-unit", FUEL, "id = \"compute\"", "id = \"compute\"\non = \"download\""),
    ("price-download-keys", SOURCE, "unit = \"copy\"", "unit = \"copy\"\nminimum = \"1\""),
    (
        "price-download-place",
        DATA,
        "id = \"row\"\nunit = \"event:row\"",
        "id = \"row\"\non = \"download\"\nunit = \"copy\"",
    ),
    ("price-bounds", FUEL, "minimum = \"0.0005\"", "minimum = \"2.01\""),
    ("price-event", DATA, "event:row", "event:Row"),
    ("price-event", DATA, "event:row", "event:"),
    ("price-event-max", DATA, "max-per-call = \"1\"", ""),
    ("tiers-ascending", CALL, "up-to = 10000, ", ""),
    ("tiers-ascending", CALL, "{ amount = \"0.001\" }", "{ up-to = 10000, amount = \"0.001\" }"),
    ("tiers-ascending", CALL, "{ up-to = 10000, amount = \"0.002\" }, { amount = \"0.001\" }", ""),
    ("tiers-period", CALL, "mode = \"graduated\"", "period = \"day\", mode = \"graduated\""),
    ("free-quantity", CALL, "quantity = 100", "quantity = 0"),
    ("free-anonymous", CALL, "scope = \"payer\"", "scope = \"anonymous\""),
    ("discount-price", CALL, "price = \"geocode\"", "price = \"other\""),
    ("discount-price", CALL, "percent = 40", "percent = 101"),
    ("discount-time", CALL, "window = \"22:00-06:00Z\"", ""),
    ("discount-time", CALL, "window = \"22:00-06:00Z\"", "from = 2026-12-02\nuntil = 2026-12-01"),
    ("grant-prices", FUEL, "percent-off = 50", "percent-off = 0"),
    ("grant-quota", FUEL, "{ fuel = 10_000_000_000_000, period", "{ calls = 10, period"),
    ("grant-quota", FUEL, "{ fuel = 10_000_000_000_000, period", "{ period"),
    ("plan-includes", CORE, "\"execute:*\"", "\"execute:other\""),
    ("plan-includes", CORE, "\"execute:*\"", "\"edition:other\""),
    ("plan-quota", CORE, "overage-price = \"ee-call\"", "overage-price = \"other\""),
    ("plan-quota", CORE, "calls = 100_000", "calls = 0"),
    (
        "plan-support",
        SUPPORT,
        "sla = { response = \"PT4H\", fix-critical = \"P3D\", uptime = \"99.9\", credit = 2500 }",
        "",
    ),
    ("plan-support", SUPPORT, "on = \"support\"", "on = \"subscribe\""),
    ("plan-period", CORE, "period = \"month\"", "period = \"day\""),
    ("sla-credit", SUPPORT, "credit = 2500", "credit = 10001"),
    ("sla-credit", SUPPORT, "response = \"PT4H\", fix-critical = \"P3D\", uptime = \"99.9\", ", ""),
    ("offer-sale", DUAL, "amount = \"0\"", "amount = \"1\""),
    ("offer-sale", DUAL, "on = \"download\"", ""),
    ("payee-id", DUAL, "did:web:parchment.example", "two words"),
    ("payee-unique", FUEL, "github:a-contributor", "did:web:spiral.example"),
    ("payee-share", FUEL, "share = 3000", "share = 0"),
    ("payees-sum", FUEL, "share = 3000", "share = 2999"),
    ("price-payee", DATA, "[[payee]]\nid = \"did:web:harbour.example\"\nshare = 10000\n", ""),
    ("price-payee", SUPPORT, "[[payee]]\nid = \"did:web:bonnet.example\"\nshare = 10000\n", ""),
    (
        "price-security",
        DUAL,
        "[security]\ncontact = \"security@parchment.example\"\nsupport-until = 2030-12-31\n",
        "",
    ),
    ("tips-payee", FREE, "funding = \"https://tint.example/funding.json\"", ""),
    ("currency", CALL, "[settlement]", "[settlement]\ncurrency = \"EUR\""),
    ("accepts", SUPPORT, "\"credits\", \"invoice\"", ""),
    ("accepts", SUPPORT, "\"invoice\"", "\"cash\""),
    ("accepts", CALL, "x402:upto:eip155:8453", "x402:upto:"),
    ("monthly-cap", CALL, "max-monthly-per-payer = \"500\"", "max-monthly-per-payer = \"0\""),
];

/// Cases that are too long to stand in a table.
fn long_cases() -> Vec<(&'static str, String)> {
    let before = |text: &str, table: &str, what: &str| text.replacen(table, &format!("{what}\n{table}"), 1);
    let http = "[[component.http]]\nhost = \"api.example.com\"\n".repeat(65);
    let allowed = FREE.replace("import = true", "imports-allow = [\"wasi:http\"]");
    let dependencies: String =
        (0..65).map(|n| format!("\"d:n{}\" = {{ version = \"1\" }}\n", letters(n))).collect();
    let parent = "[[derived-from]]\nrelease = \"quarry:state@0.8.0\"\nterms = \"sha256:0f343b0931126a20f133d67c2b018a3b\
                  5a5a1b0e9a0c4a2f2b7d5a8a1f9b6c11\"\nshare = 1\n";
    let payees: String = (0..65).map(|n| format!("[[payee]]\nid = \"p{n}\"\nshare = 1\n")).collect();
    let reviewers = format!("[authorship]\nby = \"human\"\nreviewed-by = [{}]\n", "\"ana\", ".repeat(33));
    vec![
        ("syntax", "#".repeat(64 * 1024 + 1)),
        ("description-length", FREE.replace("Styles for terminals", &"x".repeat(301))),
        ("authorship-bounds", format!("{FREE}\n{reviewers}")),
        ("http-rules", before(&allowed, "[source]", &http)),
        ("dependencies-max", format!("{FREE}\n[dependencies]\n{dependencies}")),
        (
            "agpl-remote",
            FREE.replace("MIT", "MIT AND AGPL-3.0-only")
                .replace("[source]", "[authorship]\nby = \"human\"\n#")
                .replace("path = \"src/\"\nmachines = \"free\"\nlicense", "#"),
        ),
        (
            "edition-component",
            CORE.replace("path = \"dist/audit-ee.wasm\"\n", "")
                .replace("execute = [\"remote\", \"local\"]\nimport = true\n", "")
                .replace("[\"abacus:audit/core\"]", "[\"abacus:audit/core\"]\nexecute = [\"local\"]"),
        ),
        ("derived-from-unique", before(SOURCE, "[[derived-from]]", parent)),
        ("items-max", format!("{FREE}\n{payees}")),
    ]
}

fn letters(number: u8) -> String {
    [number / 26, number % 26].map(|digit| char::from(b'a' + digit)).iter().collect()
}

#[test]
fn every_rule_refuses_what_it_is_for() {
    let mut seen = BTreeSet::new();
    let changed = CASES.iter().map(|(rule, text, from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{rule}: `{from}` does not stand once");
        (*rule, text.replace(from, to))
    });
    for (rule, text) in changed.chain(long_cases()) {
        let broken: Vec<&str> = match Manifest::read(&text) {
            Err(error) => vec![error.rule],
            Ok(manifest) => super::lint(&manifest).map(|finding| finding.rule.id).collect(),
        };
        assert!(broken.contains(&rule), "{rule}: {broken:?}\n{text}");
        assert!(Manifest::parse(&text).is_err());
        seen.insert(rule);
    }
    for rule in rules() {
        assert!(!rule.fix.is_empty() && rule.holds.ends_with('.'), "{}", rule.id);
        let elsewhere = matches!(rule.check, Check::Package);
        assert_eq!(seen.contains(rule.id), !elsewhere, "{}", rule.id);
    }
    assert_eq!(
        rules().count(),
        rules().map(|rule| rule.id).collect::<BTreeSet<_>>().len(),
        "an id stands twice"
    );
}

#[test]
fn the_table_of_rules_is_the_page() {
    let mut page = String::from(
        "# Rules of the manifest\n\n\
         Every manifest keeps these rules; a refusal names the one that it is by.\n\
         Written by `GLASSBOX_BLESS=1 cargo nextest run --workspace -E 'package(glassbox-core) & test(/rules/)'` from \
         `core::manifest::lint`; do not edit.\n\n\
         | rule | what holds | what to do |\n| --- | --- | --- |\n",
    );
    for rule in rules() {
        let mut holds = rule.holds.to_owned();
        holds.get_mut(..1).expect("not empty").make_ascii_uppercase();
        page.push_str(&format!("| `{}` | {holds} | {} |\n", rule.id, rule.fix));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/manifest-rules.md");
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(path, &page).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page);
}
