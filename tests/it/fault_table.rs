//! What goes wrong with a reference server that sells by x402, row by row, and what must come of it here.
//!
//! | fault                                          | there             | here            |
//! |------------------------------------------------|-------------------|-----------------|
//! | the same header twice                          | result lost       | the same result |
//! | the same header five times at once             | 5 runs, 1 paid    | 1 run, 1 paid   |
//! | stuck mempool; the client gives up and re-signs | 2 runs, 2 paid    | 1 run, 1 paid   |
//! | ten payments at once                           | 10 runs, 7 paid   | 10 of 10        |
//! | a block is taken back after the answer         | 0 paid, unnoticed | 1 paid          |

use std::collections::BTreeSet;
use std::time::Duration;

use glassbox_pay::x402;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::buyer::{Buyer, Reply, bench};
use crate::stage::{Stage, Sweep, wallet};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_header_twice_gets_the_stored_reply() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    let first = buyer.send(&bench("double"), &body, Some(&payment)).await;
    let by_name = json!({ "args": { "n": 21 } });
    for body in [&body, &body, &by_name] {
        let again = buyer.send(&bench("double"), body, Some(&payment)).await;
        let (mut expected, found) = (first.json(), again.json());
        expected["replayed"] = json!(true);
        assert_eq!(found, expected);
        assert_eq!(again.settlement(), first.settlement());
    }
    assert_eq!(first.json()["replayed"], false);
    assert_eq!(stage.payments().await, 1);
    // Also long after the authorization expired, and after a restart.
    let stage = stage.reopen(Sweep::On).await;
    stage.world.advance(std::time::Duration::from_secs(3_600));
    let again = buyer.at(&stage).send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!((again.output(), &again.json()["receipt"]), (json!(42), &first.json()["receipt"]));
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

/// Sends one payment so often at once, and insists that they all get the same and pay once.
async fn sent_at_once(times: usize) {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [3_000_000], "fuel": 100_000_000 });
    let payment = buyer.sign(&bench("burn"), &body, "first").await;
    let mut calls = JoinSet::new();
    for _ in 0..times {
        let (buyer, body, payment) = (buyer.clone(), body.clone(), payment.clone());
        calls.spawn(async move { buyer.insist(&bench("burn"), &body, &payment).await });
    }
    let mut replies: Vec<Value> = calls.join_all().await.iter().map(Reply::json).collect();
    let ran = replies.iter().filter(|reply| reply["replayed"] == false).count();
    assert_eq!((replies.len(), ran), (times, 1), "one run");
    for reply in &mut replies {
        assert_eq!(reply["output"], 3_000_000);
        reply["replayed"] = Value::Null;
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]), "equal replies");
    assert_eq!(stage.payments().await, 1, "one charge");
    let charged: u128 = replies[0]["charged"]["amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - charged);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_header_five_times_at_once_runs_and_costs_once() {
    sent_at_once(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_header_fifty_times_at_once_runs_and_costs_once() {
    sent_at_once(50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_mempool_and_a_client_that_signs_anew_cost_once() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    stage.devnet().weather().stall().await.unwrap();
    let mut given_up = Vec::new();
    for attempt in ["first", "second", "third"] {
        let payment = buyer.sign(&bench("double"), &body, attempt).await;
        let reply = buyer.send(&bench("double"), &body, Some(&payment)).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "settlement-pending"), "{attempt}");
        assert!(reply.header(x402::PAYMENT_REQUIRED).is_none(), "{attempt}: it would be paid again");
        given_up.push(payment);
    }
    stage.devnet().weather().release().await.unwrap();
    for payment in &given_up {
        assert_eq!(buyer.insist(&bench("double"), &body, payment).await.output(), 42);
    }
    assert_eq!((stage.payments().await, stage.balance(buyer.wallet.address()).await), (1, 998_000));
    stage.assert_sound().await;
}

/// Sends so many payments of as many payers at once, and insists that all are paid and all are delivered.
async fn pay_at_once(count: u32) {
    let stage = Stage::new().await;
    let price = stage.http.post(format!("{}{}", stage.url, bench("double"))).json(&json!({ "args": [0] }));
    let required = Reply::of(price.send().await.unwrap()).await.required();
    let mut calls = JoinSet::new();
    for number in 0..count {
        let buyer = Buyer::new(&stage, wallet(&format!("payer {number}")));
        stage.devnet().faucet(buyer.wallet.address(), glassbox_core::Atomic(2_000)).await.unwrap();
        let payment = x402::encode(&buyer.answer(&required, "first"));
        calls.spawn(async move {
            let body = json!({ "args": [number] });
            loop {
                let reply = buyer.send(&bench("double"), &body, Some(&payment)).await;
                if reply.status == 200 {
                    assert_eq!(reply.output(), number * 2);
                    return reply.settlement().transaction;
                }
                // Turned away before anything was held, and told when to come again.
                assert_eq!((reply.status, reply.code().as_str()), (503, "busy"), "{}", reply.text);
                let after = reply.header("retry-after").unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(after)).await;
            }
        });
    }
    let transactions: BTreeSet<String> = calls.join_all().await.into_iter().collect();
    assert_eq!(transactions.len(), count as usize, "all delivered, each by a payment of its own");
    assert_eq!(stage.payments().await, count as usize, "all paid");
    assert_eq!(stage.balance(stage.devnet().treasury()).await, u128::from(count) * 2_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_payments_at_once_are_all_paid_and_delivered() {
    pay_at_once(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_payments_at_once_are_all_paid_and_delivered() {
    pay_at_once(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_taken_back_after_the_answer_is_paid_all_the_same() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let weather = stage.devnet().weather();
    weather.finality(3).await.unwrap();
    assert_eq!(buyer.pay(&bench("double"), json!([21]), "first").await.output(), 42);
    weather.reorg(1).await.unwrap();
    assert_eq!(stage.payments().await, 0);
    stage.registry.reconcile().await;
    weather.mine(3).await.unwrap();
    stage.registry.reconcile().await;
    assert_eq!((stage.payments().await, stage.balance(buyer.wallet.address()).await), (1, 998_000));
    stage.assert_sound().await;
}
