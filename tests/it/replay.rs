//! The same payment again, in every way that loses money elsewhere: each row is a fault of a reference server.

use glassbox_pay::faults::MoveFault;
use glassbox_pay::x402;
use serde_json::{Value, json};

use crate::buyer::bench;
use crate::packages;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_buys_only_what_it_was_first_presented_with() {
    let stage = Stage::new().await;
    stage.publish(&packages::bench("1.1.0")).await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    let first = buyer.send(&bench("double"), &body, Some(&payment)).await;
    for (path, body) in [
        (bench("double"), json!({ "args": [22] })),
        (bench("boom"), json!({ "args": [21] })),
        (bench("double").replace("1.0.0", "1.1.0"), json!({ "args": [21] })),
        // Another price: still a payment that is known, and not one to be asked for anew.
        (bench("burn"), json!({ "args": [21] })),
        (bench("double"), json!({ "args": [21], "nonce": "another" })),
        (bench("double"), json!({ "args": [21], "fuel": 1_000 })),
    ] {
        let reply = buyer.send(&path, &body, Some(&payment)).await;
        let problem = reply.assert_problem(409, "payment-bound");
        assert_eq!(problem["retry"], "with-payment", "{path} {body}");
        assert!(!reply.text.contains(first.json()["call"].as_str().unwrap()), "{path} {body}");
    }
    // Through `latest` it fetches what was the newest when it was presented, whatever is the newest now.
    let latest = buyer.send(&bench("double").replace("1.0.0", "latest"), &body, Some(&payment)).await;
    assert_eq!(latest.json()["call"], first.json()["call"]);
    // Nor does it buy anything once it has expired.
    stage.world.advance(std::time::Duration::from_secs(3_600));
    let reply = buyer.send(&bench("double"), &json!({ "args": [23] }), Some(&payment)).await;
    reply.assert_problem(409, "payment-bound");
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_signs_anew_while_the_first_payment_is_unknown_pays_once() {
    for fault in [MoveFault::UnknownBefore, MoveFault::UnknownAfter] {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [21] });
        stage.rail.next_settle(fault.clone());
        let first = buyer.sign(&bench("double"), &body, "first").await;
        let reply = buyer.send(&bench("double"), &body, Some(&first)).await;
        let problem = reply.json();
        assert_eq!((reply.status, reply.code().as_str()), (503, "settlement-pending"), "{problem}");
        assert_eq!(problem["charged"], "unknown");
        assert!(reply.header("retry-after").is_some() && reply.header(x402::PAYMENT_REQUIRED).is_none());
        assert!(!reply.text.contains("42"), "{}", reply.text);

        let second = buyer.sign(&bench("double"), &body, "second").await;
        let reply = buyer.send(&bench("double"), &body, Some(&second)).await;
        assert_eq!(reply.output(), 42, "{fault:?}");
        assert_eq!(stage.payments().await, 1, "{fault:?}");
        assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
        let nonce = |payment: &str| x402::decode::<Value>(payment).unwrap()["payload"].clone();
        assert_ne!(nonce(&first), nonce(&second));
        // The second was never submitted: it still buys something else.
        let reply = buyer.send(&bench("double"), &json!({ "args": [50] }), Some(&second)).await;
        assert_eq!(reply.output(), 100);
        // And the first is still answered from what it bought.
        let reply = buyer.send(&bench("double"), &body, Some(&first)).await;
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)));
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_decides_what_no_client_comes_back_for() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let payment = buyer.sign(&bench("burn"), &body, "first").await;
    for fault in [MoveFault::UnknownBefore, MoveFault::UnknownAfter, MoveFault::UnknownBefore] {
        stage.rail.next_settle(fault);
    }
    stage.rail.next_pay_out(MoveFault::UnknownAfter);
    stage.rail.next_pay_out(MoveFault::UnknownBefore);
    assert_eq!(buyer.send(&bench("burn"), &body, Some(&payment)).await.status, 503);
    for _ in 0..5 {
        stage.registry.reconcile().await;
    }
    stage.assert_sound().await;
    assert_eq!(stage.payments().await, 1);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - 100, "the refund was paid once");
    assert_eq!(buyer.send(&bench("burn"), &body, Some(&payment)).await.output(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_payer_may_buy_the_same_thing_twice_once_it_was_delivered() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    for number in 0..3 {
        let reply = buyer.pay(&bench("double"), json!([21]), &number.to_string()).await;
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(false)));
    }
    assert_eq!(stage.payments().await, 3);
    stage.assert_sound().await;
}
