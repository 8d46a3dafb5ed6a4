//! The vectors in `conformance/receipt`: what this code makes, and what a verifier accepts and refuses.

use std::path::Path;

use serde_json::Value as Json;

use super::logged::{change_entry, log_key, logged, logged_under};
use super::*;
use crate::acts::TermsChange;

/// The bundle of format 1 of the same call, as it was made before there was another.
const FORMAT_1: &str = include_str!("../../../../../conformance/receipt/format-1.json");

/// Insists that a vector is what this code makes; with `GLASSBOX_BLESS=1`, writes it.
pub(super) fn golden(name: &str, made: &impl Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/receipt").join(name);
    let made = serde_json::to_string_pretty(made).expect("plain JSON") + "\n";
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(&path, &made).expect("the folder is there");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "{} is another: look, then run with GLASSBOX_BLESS=1", path.display());
}

/// A bundle whose terms were changed after the release was published.
fn repriced(change: fn(&mut TermsChange)) -> Bundle {
    logged_under(&change_entry(change), bundle(), 5, 3, 1)
}

fn names(bundle: &Json, trust: &Trust) -> Json {
    let Ok(bundle) = Bundle::from_value(bundle.clone()) else { return json!(["file"]) };
    let (report, _) = bundle.verify_by(trust);
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

#[test]
fn vectors_are_what_this_code_makes() {
    golden("signed.json", &bundle());
    golden("logged.json", &logged(bundle(), 5, 3, 1));
    golden("repriced.json", &repriced(|_| {}));
}

#[test]
fn a_bundle_of_the_format_before_still_verifies() {
    let bundle = Bundle::from_json(FORMAT_1).expect("a bundle");
    assert_eq!(failing(&bundle), [""; 0]);
    let (report, receipt) = bundle.verify(None);
    assert_eq!(report.level(), Some(Level::L0));
    assert_eq!(receipt.expect("signed").charge.amount, Atomic(50));
    // What one format binds in its way does not hold in the other's.
    let mut newer = bundle.clone();
    newer.format = Bundle::FORMAT.into();
    assert_eq!(failing(&newer), ["request"]);
    let mut older = logged(super::bundle(), 5, 3, 1);
    older.format = Bundle::FORMAT_1.into();
    assert_eq!(failing(&older), ["format", "request"]);
}

#[test]
fn refusals_are_what_this_code_refuses() {
    let whole = serde_json::to_value(logged(bundle(), 5, 3, 1)).expect("plain JSON");
    let changed = |path: &str, value: Json| {
        let mut json = whole.clone();
        *json.pointer_mut(path).expect("it is there") = value;
        json
    };
    let signed = |change: fn(&mut Receipt)| serde_json::to_value(resigned(change)).expect("plain JSON");
    let added = |path: &str| {
        let mut json = whole.clone();
        json.pointer_mut(path).expect("it is there")["note"] = json!("said by nobody");
        json
    };
    let other_terms =
        |change: fn(&mut TermsChange)| serde_json::to_value(repriced(change)).expect("plain JSON");
    let cases: [(&str, Json); 20] = [
        ("another argument", changed("/opening/args/0", json!(22))),
        ("another output", changed("/opening/output", json!(43))),
        ("another salt", changed("/opening/salt", json!("08".repeat(32)))),
        ("a salt in capitals", changed("/opening/salt", json!("0A".repeat(32)))),
        ("another type", changed("/opening/functionType/params/0/type", json!("u64"))),
        ("cheaper terms", changed("/opening/terms/price/0/amount", json!("0.000001"))),
        ("another format", changed("/format", json!("glassbox-bundle/1"))),
        ("another name for the key", changed("/receipt/signatures/0/keyid", json!("did:key:z6Mk"))),
        ("another payload type", changed("/receipt/payloadType", json!("application/json"))),
        ("the next batch", changed("/proof/batch/from", json!(43))),
        ("another place in the batch", changed("/proof/batch/place/index", json!(2))),
        ("another place in the log", changed("/proof/entry/index", json!(3))),
        ("no key of a log", changed("/proof/keys", json!([]))),
        ("a member that nobody reads", added("/opening")),
        ("a member that nobody reads in the proof", added("/proof")),
        ("a charge that does not follow", signed(|receipt| receipt.charge.amount = Atomic(51))),
        ("a critical member that is unknown", signed(|receipt| receipt.critical = vec!["locale".into()])),
        ("another nonce", signed(|receipt| receipt.nonce = None)),
        ("a change to other terms", other_terms(|change| change.terms.price[0].amount = Atomic(39))),
        ("a change of another component", other_terms(|change| change.component = Digest::of("another"))),
    ];
    let refused: Vec<Json> = cases
        .into_iter()
        .map(|(name, bundle)| {
            let fails = names(&bundle, &Trust::default());
            assert_ne!(fails, json!([]), "{name}");
            json!({ "name": name, "fails": fails, "bundle": bundle })
        })
        .collect();
    golden("refused.json", &refused);
    let trust = json!({ "executor": key().public(), "log": log_key().verifier_key() });
    golden("trust.json", &trust);
}
