//! Bills that other implementations compute, too.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::*;
use crate::manifest::Manifest;

const MODELS: [(&str, &str); 4] = [
    ("call", include_str!("../../../../../conformance/manifest/call.toml")),
    ("fuel", include_str!("../../../../../conformance/manifest/fuel.toml")),
    ("core", include_str!("../../../../../conformance/manifest/core.toml")),
    ("data", include_str!("../../../../../conformance/manifest/data.toml")),
];

fn account(at: &str, used: &[(&str, u64)]) -> Account {
    Account {
        at: Some(at.parse().expect("a time")),
        used: used.iter().map(|(key, units)| ((*key).to_owned(), *units)).collect(),
        ..Account::default()
    }
}

/// The model, the function, the account and what the meter read.
fn cases() -> Vec<(&'static str, &'static str, Account, Usage)> {
    let (day, night) = ("2026-11-22T12:00:00Z", "2026-11-22T23:00:00Z");
    let geocode = "atlas:geo/lookup@3.0.1#geocode";
    let reverse = "atlas:geo/lookup@3.0.1#reverse";
    let fold = "spiral:fold/fold#fold";
    let export = "abacus:audit/export-log@1.0.0#export";
    let find = "harbour:ships/find#find";
    let fuel = |fuel| Usage::of_fuel(fuel, Ending::Returned);
    let failed = |ending| Usage::of_fuel(12_345_678, ending);
    let paid = |account, paid| Account { paid: Some(Atomic(paid)), ..account };
    let granted = |account, grants: &[&str]| Account {
        grants: grants.iter().map(|grant| (*grant).to_owned()).collect::<BTreeSet<_>>(),
        ..account
    };
    let team = |seats, calls| Account {
        plans: vec![HeldPlan { id: "team".into(), seats }],
        ..account(day, &[("plan:team", calls)])
    };
    let with = |mut account: Account, id: &str| {
        account.plans.insert(0, HeldPlan { id: id.into(), seats: 1 });
        account
    };
    let rows =
        |rows, bytes_out| Usage { events: [("row".to_owned(), rows)].into(), bytes_out, ..fuel(9_000) };
    vec![
        ("call", geocode, Account::default(), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 0)]), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 99)]), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 100)]), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 9_999)]), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 10_000)]), fuel(1)),
        ("call", geocode, account(night, &[("geocode", 10_000)]), fuel(1)),
        ("call", geocode, account(night, &[]), fuel(1)),
        ("call", geocode, account(day, &[("geocode", 100)]), failed(Ending::GuestFailed)),
        ("call", geocode, paid(account(day, &[("geocode", 100)]), 499_999_500), fuel(1)),
        ("call", reverse, account(night, &[]), fuel(1)),
        ("fuel", fold, Account::default(), fuel(12_345_678)),
        ("fuel", fold, Account::default(), fuel(50_000_000_000)),
        ("fuel", fold, Account::default(), failed(Ending::Aborted)),
        ("fuel", fold, granted(account(day, &[("grant:academic", 0)]), &["academic"]), fuel(123_456_789)),
        (
            "fuel",
            fold,
            granted(account(day, &[("grant:academic", 9_999_900_000_000)]), &["academic"]),
            fuel(123_456_789),
        ),
        ("fuel", fold, granted(account(day, &[]), &["open-source"]), fuel(123_456_789)),
        ("fuel", fold, granted(account(day, &[]), &["academic", "open-source"]), fuel(123_456_789)),
        ("core", export, Account::default(), fuel(1)),
        ("core", export, team(1, 99_999), fuel(1)),
        ("core", export, team(1, 100_000), fuel(1)),
        ("core", export, team(3, 100_000), fuel(1)),
        ("core", export, with(team(1, 99_999), "other"), fuel(1)),
        ("core", export, with(team(1, 100_000), "team"), fuel(1)),
        ("core", "abacus:audit/core@1.0.0#check", team(1, 100_000), fuel(1)),
        ("data", find, Account::default(), rows(0, 12)),
        ("data", find, Account::default(), rows(17, 1_048_577)),
        ("data", find, Account::default(), rows(90_000, 16)),
    ]
}

#[test]
fn bills_are_the_same_for_everybody() {
    let model = |name: &str| {
        let (_, text) = MODELS.iter().find(|(model, _)| *model == name).expect("a model");
        Hashed::new(Terms::of(&Manifest::parse(text).expect("valid")))
    };
    let bills = cases().into_iter().map(|(name, function, account, usage)| {
        let terms = model(name);
        let function: FunctionName = function.parse().expect("a function");
        let quote = quote(&terms, &function, terms.fuel_max, account, &[]);
        let charge = super::charge(&terms, &quote, &usage);
        json!({ "model": name, "usage": usage, "quote": quote, "charge": charge })
    });
    let bills: Vec<Value> = bills.collect();
    let terms: serde_json::Map<String, Value> = MODELS
        .iter()
        .map(|(name, _)| ((*name).to_owned(), serde_json::to_value(model(name)).expect("serialises")))
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/bill/bills.json");
    let text = serde_json::to_string_pretty(&json!({ "terms": terms, "bills": bills })).expect("serialises");
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(path, format!("{text}\n")).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), format!("{text}\n"));
}
