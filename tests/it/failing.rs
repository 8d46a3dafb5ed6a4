//! Guests that fail: not charged, unless the publisher said so, and never able to hold the registry up.

use glassbox_core::Atomic;
use glassbox_core::receipt::Outcome;
use glassbox_pay::Facilitator as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::buyer::{Buyer, Reply, bench};
use crate::stage::Stage;

/// Pays for a call that must fail, and insists that it cost nothing.
async fn fails(stage: &Stage, buyer: &Buyer, function: &str, body: Value, status: u16, code: &str) -> Reply {
    let before = stage.balance(buyer.wallet.address()).await;
    let payment = buyer.sign(&bench(function), &body, &body.to_string()).await;
    let reply = buyer.send(&bench(function), &body, Some(&payment)).await;
    let problem = reply.assert_problem(status, code);
    assert_eq!(problem["retry"], "never", "{problem}");
    assert!(reply.header("payment-response").is_none());
    let (bundle, receipt) = {
        let reply = Reply { text: String::new(), ..reply.clone() };
        reply.receipt()
    };
    assert!(matches!(receipt.outcome, Outcome::Failed { .. }) && bundle.opening.output.is_none());
    assert!(receipt.payment.is_none() && receipt.fuel_used <= receipt.fuel_max);

    // Sent again, it fails again in the same words, and is not run again.
    let again = buyer.send(&bench(function), &body, Some(&payment)).await;
    assert_eq!(again.json(), problem);
    assert_eq!(stage.balance(buyer.wallet.address()).await, before);
    assert_eq!(stage.payments().await, 0);
    stage.assert_sound().await;
    // The authorization is still unused on the chain: by itself it could be settled now.
    let payload = glassbox_pay::x402::decode(&payment).unwrap();
    stage.rail.verify(&payload, &payload.accepted).await.unwrap();
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_not_charged() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let reply = fails(&stage, &buyer, "boom", json!({ "args": [1] }), 422, "guest-failed").await;
    assert!(reply.json()["detail"].as_str().unwrap().contains("unreachable"), "{}", reply.text);
    assert_eq!(buyer.pay(&bench("double"), json!([21]), "after").await.output(), 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_returns_is_stopped_by_its_fuel() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    for fuel in [1u64, 1_000, 50_000_000] {
        let body = json!({ "args": [], "fuel": fuel });
        let reply = fails(&stage, &buyer, "spin", body, 422, "guest-out-of-fuel").await;
        let (_, receipt) = reply.receipt();
        assert_eq!((receipt.fuel_used, receipt.fuel_max), (fuel, fuel));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_beyond_its_limit_is_refused() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [17 * 1024 * 1024] });
    fails(&stage, &buyer, "flood", body, 422, "guest-output-refused").await;
    // A pointer into nowhere is a trap like any other.
    fails(&stage, &buyer, "flood", json!({ "args": [u32::MAX] }), 422, "guest-failed").await;
    let reply = buyer.pay(&bench("flood"), json!([100_000]), "fits").await;
    assert_eq!(reply.output()["base64"].as_str().unwrap().len(), 100_000usize.div_ceil(3) * 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_charged_where_the_terms_say_so() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [1] });
    let payment = buyer.sign(&bench("try-boom"), &body, "first").await;
    for _ in 0..3 {
        let reply = buyer.send(&bench("try-boom"), &body, Some(&payment)).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "guest-failed"), "{}", reply.text);
        assert_eq!(reply.json()["charged"], "2000");
        assert!(reply.settlement().success);
        let (_, receipt) = reply.receipt();
        assert_eq!(receipt.payment.unwrap().amount.0, 2_000);
    }
    assert_eq!(stage.payments().await, 1);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_failures_of_one_payer_are_bounded_and_bother_nobody_else() {
    let stage = Stage::new().await;
    let (buyer, other) = (stage.buyer("payer", 1).await, stage.buyer("other", 1).await);
    let mut refused = None;
    for number in 0..100 {
        let reply = buyer.pay(&bench("boom"), json!([number]), &number.to_string()).await;
        if reply.code() == "too-many-failures" {
            refused = Some((number, reply));
            break;
        }
        reply.assert_problem(422, "guest-failed");
    }
    let (number, reply) = refused.expect("a bound");
    assert_eq!(number, 30);
    let problem = reply.assert_problem(429, "too-many-failures");
    assert_eq!(problem["retry_after_seconds"], 60);
    assert_eq!(other.pay(&bench("double"), json!([1]), "first").await.output(), 2);
    stage.world.advance(std::time::Duration::from_secs(61));
    assert_eq!(buyer.pay(&bench("double"), json!([1]), "later").await.output(), 2);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_for_one_call_buys_one_call_of_many_at_once() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 0).await;
    stage.devnet().faucet(buyer.wallet.address(), Atomic(2_000)).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..10u32 {
        let buyer = buyer.clone();
        calls.spawn(async move {
            // A distinctive output, so that it is seen wherever it leaks.
            let body = json!({ "args": [1_000_000_000 + number] });
            let payment = buyer.sign(&bench("double"), &body, &number.to_string()).await;
            (number, buyer.insist(&bench("double"), &body, &payment).await)
        });
    }
    let mut delivered = 0;
    for (number, reply) in calls.join_all().await {
        if reply.status == 200 {
            assert_eq!(reply.output(), 2_000_000_000 + 2 * number);
            delivered += 1;
        } else {
            assert!(
                ["payment-invalid", "payment-not-settled"].contains(&reply.code().as_str()),
                "{}",
                reply.text
            );
            assert_eq!(reply.json()["charged"], "0");
            assert!(!reply.text.contains("20000000"), "{}", reply.text);
        }
    }
    assert_eq!((delivered, stage.payments().await), (1, 1));
    stage.assert_sound().await;
}
