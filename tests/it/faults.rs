//! Every write and every answer on the way of a paid call is made to fail, before it happened and after.
//!
//! The promise is the same in all cases: once the client has sent the same request with the same payment often enough,
//! it was charged at most once, and either has the output or was not charged; and the ledger agrees with the chain.

use std::time::Duration;

use glassbox_core::ledger::Kind;
use glassbox_core::{Atomic, limits};
use glassbox_pay::facilitator::Rejection;
use glassbox_pay::faults::{MoveFault, VerifyFault};
use glassbox_pay::{ErrorCode, Facilitator as _, x402};
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::{Buyer, bench};
use crate::packages;
use crate::payer::{Payer, channel_of, escrowed};
use crate::stage::{MOMENTS, Stage, Sweep};

/// Insists until the call ends in success, and checks what was paid for it.
async fn ends_well(stage: &Stage, buyer: &Buyer, body: &Value, payment: &str, case: &str) {
    let reply = buyer.insist(&bench("burn"), body, payment).await;
    assert_eq!(reply.output(), body["args"][0], "{case}");
    reply.receipt();
    stage.registry.reconcile().await;
    stage.assert_sound().await;
    assert_eq!(stage.payments().await, 1, "{case}");
    let charged: u128 = reply.json()["charged"]["amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - charged, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_costs_nobody_anything() {
    for verb in ["hold_call", "record_outcome", "post_call", "mark_delivered", "post_owed"] {
        for moment in MOMENTS {
            for swept in [true, false] {
                let case = format!("{verb} {moment:?}, swept: {swept}");
                let stage = Stage::without_sweep().await;
                let buyer = stage.buyer("payer", 1).await;
                let body = json!({ "args": [1_234_567], "fuel": 50_000_000 });
                let payment = buyer.sign(&bench("burn"), &body, "first").await;
                stage.inject(verb, moment);
                let reply = buyer.send(&bench("burn"), &body, Some(&payment)).await;
                if reply.status != 200 {
                    assert_eq!((reply.status, reply.code().as_str()), (500, "internal"), "{case}");
                    assert_eq!(reply.json()["charged"], "unknown", "{case}");
                    assert_eq!(reply.json()["retry"], "later", "{case}");
                    assert!(!reply.text.contains("1234567"), "{case}: {}", reply.text);
                }
                if swept {
                    stage.registry.reconcile().await;
                }
                ends_well(&stage, &buyer, &body, &payment, &case).await;
                assert_eq!(stage.store().faults_waiting(), 0, "{case}: nothing was struck");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_twice_costs_nobody_anything_either() {
    for (first, second) in [
        ("hold_call", "release_call"),
        ("record_outcome", "release_call"),
        ("post_call", "post_call"),
        ("post_owed", "post_owed"),
        ("record_outcome", "post_call"),
    ] {
        for (before, after) in [(MOMENTS[0], MOMENTS[1]), (MOMENTS[1], MOMENTS[0]), (MOMENTS[1], MOMENTS[1])]
        {
            let case = format!("{first} {before:?}, {second} {after:?}");
            let stage = Stage::without_sweep().await;
            let buyer = stage.buyer("payer", 1).await;
            let body = json!({ "args": [1_000], "fuel": 50_000_000 });
            let payment = buyer.sign(&bench("burn"), &body, "first").await;
            stage.inject(first, before);
            stage.inject(second, after);
            ends_well(&stage, &buyer, &body, &payment, &case).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_cannot_be_noted_is_not_charged() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [1] });
        let payment = buyer.sign(&bench("boom"), &body, "first").await;
        stage.inject("void_call", moment);
        assert_eq!(buyer.send(&bench("boom"), &body, Some(&payment)).await.code(), "internal");
        let reply = buyer.insist(&bench("boom"), &body, &payment).await;
        reply.assert_problem(422, "guest-failed");
        assert_eq!(stage.payments().await, 0);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_refused_before_the_run_is_free_again() {
    for moment in [None, Some(Moment::Before), Some(Moment::After)] {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [10], "fuel": 50_000_000 });
        let payment = buyer.sign(&bench("burn"), &body, "first").await;
        let rejection = Rejection::new(ErrorCode::InsufficientFunds, "scripted");
        stage.rail.next_verify(VerifyFault::Rejected(rejection));
        if let Some(moment) = moment {
            stage.inject("release_call", moment);
        }
        let reply = buyer.send(&bench("burn"), &body, Some(&payment)).await;
        if moment.is_none() {
            reply.assert_problem(402, "payment-invalid");
            assert_eq!(reply.required().error.as_deref(), Some("insufficient_funds"));
        }
        assert_eq!(stage.payments().await, 0);
        ends_well(&stage, &buyer, &body, &payment, &format!("{moment:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_refused_after_the_run_withholds_the_output() {
    for moment in [None, Some(Moment::Before), Some(Moment::After)] {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [1_234_567] });
        let payment = buyer.sign(&bench("double"), &body, "first").await;
        let rejection = || Rejection::new(ErrorCode::InsufficientFunds, "scripted");
        stage.rail.next_settle(MoveFault::Rejected(rejection()));
        if let Some(moment) = moment {
            stage.inject("void_call", moment);
            if moment == Moment::Before {
                // What was refused once is asked about again, and stays refused.
                stage.rail.next_settle(MoveFault::Rejected(rejection()));
            }
        }
        let reply = buyer.send(&bench("double"), &body, Some(&payment)).await;
        assert!(!reply.text.contains("2469134"), "{}", reply.text);
        if moment.is_none() {
            reply.assert_problem(402, "payment-not-settled");
            let settlement = reply.settlement();
            assert_eq!((settlement.success, settlement.transaction.as_str()), (false, ""));
            assert_eq!(settlement.error_reason, Some(ErrorCode::InsufficientFunds));
            assert_eq!(reply.required().error.as_deref(), Some("insufficient_funds"));
        }
        // The same payment will not do, whatever the rail would say now; another one does.
        let again = buyer.insist(&bench("double"), &body, &payment).await;
        again.assert_problem(402, "payment-invalid");
        assert!(!again.text.contains("2469134"), "{}", again.text);
        assert_eq!(stage.payments().await, 0);
        stage.assert_sound().await;
        assert_eq!(buyer.pay(&bench("double"), json!([1_234_567]), "second").await.output(), 2_469_134);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_that_expires_while_unknown_is_not_charged_later() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    stage.rail.next_settle(MoveFault::UnknownBefore);
    let pending = buyer.send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!(pending.code(), "settlement-pending");
    stage.world.advance(Duration::from_secs(3_600));
    stage.registry.reconcile().await;
    stage.assert_sound().await;
    assert_eq!(stage.payments().await, 0);
    let reply = buyer.send(&bench("double"), &body, Some(&payment)).await;
    reply.assert_problem(402, "payment-invalid");
    // There is no receipt of what was never paid, and asking for one is no fault of the registry's.
    let call = pending.json()["call"].as_str().unwrap().to_owned();
    stage.get(&format!("/v1/receipts/{call}")).await.assert_problem(404, "receipt-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_settlement_is_waited_for_by_everybody() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    let other = buyer.sign(&bench("double"), &body, "second").await;
    stage.rail.next_settle(MoveFault::Delay(Duration::from_millis(500)));
    let (path, same) = (bench("double"), async |payment| buyer.send(&bench("double"), &body, payment).await);
    let (first, second, third) =
        tokio::join!(buyer.send(&path, &body, Some(&payment)), same(Some(&*payment)), same(Some(&*other)));
    assert_eq!([first.output(), second.output(), third.output()], [42, 42, 42].map(Value::from));
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_another_stands_in_for_is_not_taken_though_that_cannot_be_noted() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [21] });
        let first = buyer.sign(&bench("double"), &body, "first").await;
        let second = buyer.sign(&bench("double"), &body, "second").await;
        stage.rail.next_settle(MoveFault::UnknownBefore);
        assert_eq!(buyer.send(&bench("double"), &body, Some(&first)).await.code(), "settlement-pending");
        stage.inject("stand_in", moment);
        let unsure = buyer.send(&bench("double"), &body, Some(&second)).await;
        assert_eq!((unsure.code().as_str(), &unsure.json()["charged"]), ("internal", &json!("unknown")));
        for _ in 0..2 {
            // The second time it was delivered already, and another payment would buy it anew.
            let reply = buyer.insist(&bench("double"), &body, &second).await;
            assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)), "{moment:?}");
        }
        assert_eq!(stage.payments().await, 1, "{moment:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_stops_nothing() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    stage.rail.next_settle(MoveFault::Delay(Duration::from_millis(300)));
    let (path, sending) = (bench("double"), (buyer.clone(), body.clone(), payment.clone()));
    let sent = tokio::spawn(async move { sending.0.send(&path, &sending.1, Some(&sending.2)).await });
    crate::stage::until("the call to be held", async || {
        let undecided = stage.store().undecided_calls(1).await.unwrap();
        (!undecided.is_empty()).then_some(())
    })
    .await;
    sent.abort();
    crate::stage::until("the payment", async || (stage.payments().await == 1).then_some(())).await;
    // It comes back with a new signature, as a program that lost its state does: still one charge.
    let second = buyer.sign(&bench("double"), &body, "second").await;
    let reply = buyer.insist(&bench("double"), &body, &second).await;
    assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)));
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
    assert_ne!(x402::decode::<Value>(&second).unwrap(), x402::decode::<Value>(&payment).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_refused_and_not_forgotten_is_made_all_the_same() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let payer = Payer::with_channel(&stage, "ana").await;
        let rejection = Rejection::new(ErrorCode::InsufficientFunds, "scripted");
        stage.rail.next_claim(MoveFault::Rejected(rejection));
        stage.inject("drop_claim", moment);
        assert!(stage.registry.claim_channels().await.is_err(), "{moment:?}");
        assert_eq!(stage.store().faults_waiting(), 0);
        let begun = stage.store().begun_claims().await.unwrap();
        assert_eq!(begun.len(), usize::from(moment == Moment::Before), "{moment:?}");
        stage.registry.reconcile().await;
        stage.registry.claim_channels().await.unwrap();
        assert_eq!(escrowed(&stage, &payer).await, 0, "{moment:?}");
        assert_eq!(stage.store().begun_claims().await.unwrap(), [], "{moment:?}");
        let channel = stage.rail.channel(channel_of(&payer)).await.unwrap();
        assert_eq!(channel.total_claimed, Atomic(2_000), "{moment:?}: once");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_refused_stays_owed_though_that_cannot_be_noted() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [1_000], "fuel": 50_000_000 });
        let payment = buyer.sign(&bench("burn"), &body, "first").await;
        stage
            .rail
            .next_pay_out(MoveFault::Rejected(Rejection::new(ErrorCode::InsufficientFunds, "scripted")));
        stage.inject("touch_owed", moment);
        assert_eq!(buyer.send(&bench("burn"), &body, Some(&payment)).await.status, 200);
        assert_eq!(stage.store().faults_waiting(), 0);
        assert_eq!(stage.store().owed(Kind::Refund, 9).await.unwrap().len(), 1, "{moment:?}");
        ends_well(&stage, &buyer, &body, &payment, &format!("{moment:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_forgotten_by_the_next_sweep_where_one_fails() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [21] });
        let payment = buyer.sign(&bench("double"), &body, "first").await;
        let bought = buyer.send(&bench("double"), &body, Some(&payment)).await;
        let call = bought.json()["call"].as_str().unwrap().to_owned();
        let reply = async || stage.store().call(&call).await.unwrap().unwrap().reply;
        stage.world.advance(Duration::from_millis(2 * limits::REPLY_KEPT_MS as u64));
        stage.inject("forget_replies", moment);
        stage.registry.reconcile().await;
        assert_eq!(stage.store().faults_waiting(), 0);
        assert_eq!(reply().await.is_some(), moment == Moment::Before);
        stage.registry.reconcile().await;
        assert_eq!(reply().await, None, "{moment:?}");
        // The payment stays bound to what it bought.
        let again = buyer.send(&bench("double"), &body, Some(&payment)).await;
        assert_eq!((again.code().as_str(), stage.payments().await), ("reply-forgotten", 1), "{moment:?}");
        stage.assert_sound().await;
    }
}

/// A call that cannot be decided goes to the end of the line, and is decided by a later sweep wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_put_back_is_taken_up_all_the_same() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [1_000], "fuel": 50_000_000 });
        let payment = buyer.sign(&bench("burn"), &body, "first").await;
        stage.rail.next_settle(MoveFault::UnknownBefore);
        assert_eq!(buyer.send(&bench("burn"), &body, Some(&payment)).await.code(), "settlement-pending");
        stage.rail.next_settle(MoveFault::UnknownBefore);
        stage.inject("touch_call", moment);
        stage.registry.reconcile().await;
        assert_eq!(stage.store().faults_waiting(), 0);
        assert_eq!(stage.store().undecided_calls(9).await.unwrap().len(), 1, "{moment:?}");
        stage.registry.reconcile().await;
        assert_eq!(stage.payments().await, 1, "{moment:?}");
        ends_well(&stage, &buyer, &body, &payment, &format!("{moment:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_fails_half_way_is_repeated_or_repaired() {
    for verb in ["publish", "publish_log"] {
        for moment in MOMENTS {
            for repair in ["again", "sweep", "restart"] {
                let case = format!("{verb} {moment:?}, then {repair}");
                let stage = Stage::without_sweep().await;
                let package = packages::bench("1.1.0");
                let request = packages::request(&package, packages::sign(&package, &packages::publisher()));
                stage.inject(verb, moment);
                let reply = stage.post("/v1/publish", &request).await;
                assert_eq!((reply.status, reply.code().as_str()), (500, "internal"), "{case}");
                let stage = match repair {
                    "sweep" => {
                        stage.registry.reconcile().await;
                        stage
                    }
                    "restart" => stage.reopen(Sweep::Off).await,
                    _ => stage,
                };
                let there = stage.get("/v1/packages/lab/bench/1.1.0").await.status == 200;
                assert_eq!(there, (verb, moment) != ("publish", Moment::Before), "{case}");
                if there && repair != "again" {
                    is_shown(&stage, &case).await;
                }
                let reply = stage.post("/v1/publish", &request).await;
                assert_eq!(reply.status, if there { 200 } else { 201 }, "{case}: {}", reply.text);
                is_shown(&stage, &case).await;
            }
        }
    }
}

/// Insists that the log shows both releases, to those who ask the registry and those who read the files.
async fn is_shown(stage: &Stage, case: &str) {
    let key = stage.registry.log_verifier_key();
    let served = stage.get("/checkpoint").await;
    let served = glassbox_core::log::open_checkpoint(&served.text, &key).unwrap();
    assert_eq!(served.size, 2, "{case}");
    assert_eq!(served, stage.registry.checkpoint(), "{case}");
    assert_eq!(stage.get("/tile/entries/000.p/2").await.status, 200, "{case}");
    let found = stage.get("/v1/search?q=trap").await.json();
    assert_eq!(found["results"][0]["version"], "1.1.0", "{case}: {found}");
}
