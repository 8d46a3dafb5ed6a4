//! Appending only narrows, and any Biscuit authorizer says the same as ours.

use std::time::{Duration, UNIX_EPOCH};

use biscuit_auth::builder::{Term, date, fact, int, string};
use biscuit_auth::{Algorithm, AuthorizerBuilder, AuthorizerLimits, PublicKey};
use glassbox_core::Atomic;
use glassbox_token::{Caps, Token};
use proptest::prelude::*;

use super::{Call, NOW_S, biscuit, issuer};

const PACKAGES: [&str; 3] = ["acme:slug", "acme:pad", "other:slug"];
const FUNCTIONS: [&str; 4] = ["slugify", "api.slugify", "acme:slug/api@1.0.0#slugify", "pad"];
const AUDIENCES: [&str; 2] = ["https://registry.example", "https://other.example"];

fn some<T: std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.4, values)
}

fn caps() -> impl Strategy<Value = Caps> {
    let packages = proptest::sample::subsequence(PACKAGES.to_vec(), 1..=3);
    let releases = packages.clone();
    let functions = proptest::sample::subsequence(FUNCTIONS.to_vec(), 1..=4);
    let audiences = proptest::sample::select(AUDIENCES.to_vec());
    (
        some(0..6u128),
        some(0..6u128),
        some(0..6u64),
        some(0..6u64),
        some(packages),
        some(releases),
        some(functions),
        some(audiences),
    )
        .prop_map(|(each, total, calls_max, time, packages, releases, functions, audience)| Caps {
            amount_per_call_max: each.map(Atomic),
            amount_max: total.map(Atomic),
            calls_max,
            expires_at_s: time.map(|time| NOW_S + time),
            packages: packages
                .map(|names| names.iter().map(|name| name.parse().expect("a package")).collect()),
            functions: functions.map(|names| names.into_iter().map(str::to_owned).collect()),
            audience: audience.map(str::to_owned),
            releases: releases.map(|names| {
                names.iter().map(|name| format!("{name}@1.0.0").parse().expect("a release")).collect()
            }),
            ..Caps::default()
        })
}

fn calls() -> impl Strategy<Value = Call> {
    let package = proptest::sample::select(PACKAGES.to_vec());
    let function = proptest::sample::select(vec![
        "slugify",
        "acme:slug/api@1.0.0#slugify",
        "acme:slug/api@2.0.0#slugify",
        "other:x/y#pad",
    ]);
    (package, function, 0..6u128, 0..6u64, proptest::sample::select(AUDIENCES.to_vec())).prop_map(
        |(package, function, amount_max, time, audience)| Call {
            release: format!("{package}@1.0.0").parse().expect("a release"),
            component: None,
            function: function.parse().expect("a function"),
            amount_max,
            now_s: NOW_S + time,
            audience: audience.into(),
            holder: None,
        },
    )
}

/// Asks Biscuit's own authorizer, given no more than the facts and the policy that the format names.
fn standard_allows(token: &Token, call: &Call) -> bool {
    let key = PublicKey::from_bytes(issuer().public().as_bytes(), Algorithm::Ed25519).expect("a key");
    let biscuit = biscuit(token).verify(key).expect("signed");
    let one = |name: &str, term: Term| fact(name, &[term]);
    let time = date(&(UNIX_EPOCH + Duration::from_secs(call.now_s)));
    let names = [call.function.to_string(), call.function.short(), call.function.function().to_owned()];
    let facts = [
        one("audience", string(&call.audience)),
        one("time", time),
        one("package", string(&call.release.package.to_string())),
        one("release", string(&call.release.to_string())),
        one("amount", int(call.amount_max.try_into().expect("small"))),
    ];
    let mut builder = AuthorizerBuilder::new().policy("allow if true").expect("a policy");
    for fact in facts.into_iter().chain(names.iter().map(|name| one("function", string(name)))) {
        builder = builder.fact(fact).expect("a fact");
    }
    // Its default gives up after a millisecond.
    let limits = AuthorizerLimits { max_time: Duration::from_secs(60), ..AuthorizerLimits::default() };
    builder.set_limits(limits).build(&biscuit).expect("an authorizer").authorize().is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_block_only_narrows(chain in proptest::collection::vec(caps(), 1..4), calls in proptest::collection::vec(calls(), 12)) {
        let verifier = issuer().verifier();
        let mut token = issuer().mint("payer:ana", &chain[0]).expect("minted");
        let mut parents = Vec::new();
        for caps in &chain[1..] {
            parents.push(token.clone());
            token = token.attenuate(caps).expect("appended");
        }
        let child = verifier.verify(&token).expect("verified");
        for call in &calls {
            let allowed = child.authorize(&call.request());
            prop_assert_eq!(allowed.is_ok(), standard_allows(&token, call), "{:?} {:?}", chain, call);
            let Ok(budgets) = allowed else { continue };
            for parent in &parents {
                let above = verifier.verify(parent).expect("verified").authorize(&call.request());
                // The parent allows it too, and each of its budgets is one of the child's.
                let above = above.expect("what a child may, its parents may");
                prop_assert_eq!(&budgets[..above.len()], above.as_slice());
            }
        }
    }
}
