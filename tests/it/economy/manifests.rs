//! The six manifests that the models were designed with, as they are: published, used, paid, refused.
//!
//! Open core is in [`editions`](super::editions), paid support in [`support`](super::support), and what a forge proves for
//! the third in [`oidc`](super::oidc).

use std::time::Duration;

use glassbox_core::ledger::Account;
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_registry::Package;
use serde_json::json;

use super::examples::package;
use super::{Customer, net};
use crate::stage::Stage;

async fn earned(stage: &Stage, payee: &str) -> u128 {
    stage.store().balance(&Account::Payee(payee.into())).await.unwrap().credits.0
}

async fn stage_with(name: &str) -> Stage {
    let stage = Stage::empty().await;
    stage.publish(&package(name)).await;
    stage
}

#[test]
fn all_six_are_packages() {
    for name in ["ansi", "geo", "fold", "charts", "audit", "tls"] {
        let package = Package::check(package(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Manifest::parse(&package.files.manifest).unwrap(), package.manifest);
    }
    let geo = Terms::of(&Manifest::parse(&package("geo").manifest).unwrap());
    let accepts = |scheme, network| geo.accepts(scheme, network);
    assert!(accepts("exact", "eip155:8453") && accepts("upto", "eip155:8453"));
    assert!(!accepts("exact", "eip155:84532") && !accepts("batch-settlement", "eip155:8453"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_library_is_open_in_every_lane() {
    let stage = stage_with("ansi").await;
    let path = "/v1/packages/hue/ansi/2.1.0";
    let called = stage.post("/v1/call/hue/ansi/2.1.0/bright", &json!({ "args": [31] })).await;
    assert_eq!((called.output(), called.receipt().1.charge.amount.0), (json!(91), 0));
    for lane in ["component", "source", "source?file=ansi.wat", "wit", "tests", "manifest"] {
        assert_eq!(stage.get(&format!("{path}/{lane}")).await.status, 200, "{lane}");
    }
    // It welcomes gifts, and names nobody here who would have them: its funding file does.
    let ana = Customer::with(&stage, "ana", "1").await;
    let refused = ana.post(&format!("{path}/tips"), &json!({ "usd": "1" })).await;
    let refused = refused.assert_problem(422, "tips-not-accepted");
    assert!(refused["next"].as_str().unwrap().contains("funding"), "{refused}");
    assert_eq!(stage.store().balance(&Account::Operator).await.unwrap().credits.0, 0);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_api_is_paid_by_the_call() {
    let stage = stage_with("geo").await;
    let path = |function: &str| format!("/v1/call/acme/geo/3.0.1/{function}");
    stage
        .get("/v1/packages/acme/geo/3.0.1/component")
        .await
        .assert_problem(403, "component-not-downloadable");
    stage.post(&path("geocode"), &json!({ "args": [1] })).await.assert_problem(402, "payment-required");
    let ana = Customer::with(&stage, "ana", "5").await;
    let cost = async |function: &str, n: u32| {
        let reply = ana.post(&path(function), &json!({ "args": [n] })).await;
        reply.output();
        reply.receipt().1.charge.amount.0
    };
    for n in 0..100 {
        assert_eq!(cost("geocode", n).await, 0, "a hundred a month are free");
    }
    assert_eq!((cost("geocode", 100).await, cost("reverse", 1).await), (2_000, 1_000));
    // The clock stands at 08:00; at night it costs three fifths.
    stage.world.advance(Duration::from_secs(15 * 3_600));
    assert_eq!((cost("geocode", 101).await, cost("reverse", 2).await), (1_200, 1_000));
    assert_eq!(earned(&stage, "did:web:acme.example").await, net(5_200));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compute_is_paid_by_the_fuel() {
    let stage = stage_with("fold").await;
    let path = "/v1/call/helix/fold/0.9.0/fold";
    stage.post(path, &json!({ "args": [1] })).await.assert_problem(402, "payment-required");
    let ana = Customer::with(&stage, "ana", "5").await;
    let reply = ana.post(path, &json!({ "args": [40_000_000], "fuel": 5_000_000_000_u64 })).await;
    let (_, receipt) = reply.receipt();
    // 0.00004 dollars for each begun part of a million.
    let amount = u128::from(receipt.fuel_used) * 40;
    assert_eq!(receipt.charge.amount.0, amount.div_ceil(1_000_000).max(500));
    assert!(receipt.charge.amount.0 > 500, "{receipt:?}");
    let charged = receipt.charge.amount.0;
    let net = net(charged);
    let (first, second) =
        (earned(&stage, "did:web:helix.example").await, earned(&stage, "github:example-contributor").await);
    // It imports nothing, so the pool of dependencies is nobody's.
    assert_eq!(first + second, net);
    assert!(first.abs_diff(net * 7 / 10) <= 1, "{first} of {net}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_licences_for_one_component() {
    let stage = stage_with("charts").await;
    let path = "/v1/packages/vellum/charts/6.8.0";
    for lane in ["component", "source"] {
        assert_eq!(stage.get(&format!("{path}/{lane}")).await.status, 200, "the GPL gives it to everybody");
    }
    let licenses = format!("{path}/licenses");
    assert_eq!(stage.post(&licenses, &json!({ "item": "offer:gpl" })).await.status, 200);
    let ana = Customer::with(&stage, "ana", "100").await;
    assert_eq!(ana.post(&licenses, &json!({ "item": "offer:commercial", "units": 2 })).await.status, 200);
    assert_eq!(earned(&stage, "did:web:vellum.example").await, net(98_000_000));
    let poor = Customer::with(&stage, "poor", "1").await;
    poor.post(&licenses, &json!({ "item": "offer:commercial" })).await.assert_problem(402, "credit-short");
    stage.assert_sound().await;
}
