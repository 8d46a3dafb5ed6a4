//! Crashes and power cuts: everything in memory is gone, and what is in the folder must be enough.

use glassbox_pay::faults::MoveFault;
use glassbox_store::Moment;
use serde_json::json;

use crate::buyer::bench;
use crate::stage::{End, Stage, Sweep, until};

/// Nobody reconciles between the failed write and the restart, so this is what a crash at that write leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_decides_what_a_crash_left_open() {
    for verb in ["hold_call", "record_outcome", "post_call", "mark_delivered", "post_owed"] {
        for moment in [Moment::Before, Moment::After] {
            for (end, again) in [
                (End::Crash, "same payment"),
                (End::Crash, "new payment"),
                (End::PowerCut, "same payment"),
                (End::PowerCut, "new payment"),
            ] {
                let case = format!("{verb} {moment:?}, {end:?}, {again}");
                let stage = Stage::without_sweep().await;
                let buyer = stage.buyer("payer", 1).await;
                let body = json!({ "args": [1_000], "fuel": 50_000_000 });
                let payment = buyer.sign(&bench("burn"), &body, "first").await;
                stage.inject(verb, moment);
                let answered = buyer.send(&bench("burn"), &body, Some(&payment)).await.status == 200;

                let stage = stage.reopen_after(end, Sweep::Off).await;
                let buyer = buyer.at(&stage);
                stage.assert_sound().await;
                let again = match again {
                    // A program that had its answer does not ask again.
                    "new payment" if !answered => buyer.sign(&bench("burn"), &body, "second").await,
                    _ => payment,
                };
                let reply = buyer.insist(&bench("burn"), &body, &again).await;
                assert_eq!(reply.output(), 1_000, "{case}");
                assert_eq!(stage.payments().await, 1, "{case}");
                let charged: u128 = reply.json()["charged"]["amount"].as_str().unwrap().parse().unwrap();
                assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - charged, "{case}");
                stage.assert_sound().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_run_charges_nothing() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [], "fuel": 50_000_000_000u64 });
    let payment = buyer.sign(&bench("spin"), &body, "first").await;
    let sending = (buyer.clone(), body.clone(), payment.clone());
    let sent = tokio::spawn(async move {
        let (buyer, body, payment) = sending;
        let url = format!("{}{}", buyer.url, bench("spin"));
        reqwest::Client::new().post(url).json(&body).header("PAYMENT-SIGNATURE", payment).send().await
    });
    until("the call to be held", async || {
        let undecided = stage.store().undecided_calls(1).await.unwrap();
        (!undecided.is_empty()).then_some(())
    })
    .await;
    let stage = stage.reopen(Sweep::Off).await;
    // A runtime that is torn down may still say that it failed, which a power cut cannot; it never says success.
    let answer = sent.await.unwrap();
    assert!(!answer.is_ok_and(|answer| answer.status().is_success()), "the call had not come to its end");
    stage.assert_sound().await;
    assert_eq!(stage.payments().await, 0);
    // The payment is free again: it may even buy something else of the same price.
    let buyer = buyer.at(&stage);
    let reply = buyer.send(&bench("double"), &json!({ "args": [4] }), Some(&payment)).await;
    assert_eq!(reply.output(), 8);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_settlement_is_unknown_settles_it_once() {
    for fault in [MoveFault::UnknownBefore, MoveFault::UnknownAfter] {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [21] });
        let payment = buyer.sign(&bench("double"), &body, "first").await;
        stage.rail.next_settle(fault);
        assert_eq!(buyer.send(&bench("double"), &body, Some(&payment)).await.status, 503);
        let stage = stage.reopen(Sweep::Off).await;
        let reply = buyer.at(&stage).send(&bench("double"), &body, Some(&payment)).await;
        assert_eq!(reply.output(), 42);
        assert_eq!(stage.payments().await, 1);
        stage.assert_sound().await;
    }
}
