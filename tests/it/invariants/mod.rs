//! What must hold of the money, whatever happens: one test for each promise, over every way to pay.
//!
//! The chain drops, delays, stalls and takes back; the store fails before and after every write; the power goes. Faults
//! of a reference server are in `fault_table`, and all of this at random in `chaos`.

mod chain;

use std::collections::BTreeSet;
use std::time::Duration;

use glassbox_core::ledger::Account;
use glassbox_core::terms::{bill, quote};
use glassbox_core::{Atomic, Pico, limits};
use glassbox_pay::faults::MoveFault;
use glassbox_pay::x402::{self, PaymentPayload};
use glassbox_pay::{Address, B256, ErrorCode, Facilitator as _, Rejection, Scheme, Settlement};
use glassbox_store::Moment;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::buyer::{Buyer, bench};
use crate::packages;
use crate::payer::{ALL, ON_CHAIN, Order, Payer, Way, channel_of, charged, escrowed, worth};
use crate::schemes::offer;
use crate::stage::{End, Stage, Sweep, keys};

/// What everybody has that could pay for a call: nothing leaves it unseen.
async fn purse(stage: &Stage, payer: &Payer) -> (u128, u128, Pico) {
    let credit = stage.store().balance(&Account::Payer(payer.account.clone())).await.unwrap();
    (stage.balance(payer.address()).await, escrowed(stage, payer).await, credit.available())
}

/// All that a payer gave so far.
async fn given(stage: &Stage, payer: &Payer) -> u128 {
    6_000_000 - worth(stage, payer).await
}

/// Lets time pass on the chain, and has the registry look.
async fn mine_and_reconcile(stage: &Stage, blocks: u64) {
    stage.devnet().weather().mine(blocks).await.unwrap();
    stage.registry.reconcile().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i01_a_failed_run_is_never_settled() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let before = purse(&stage, &payer).await;
    for way in ALL {
        for (function, body, code) in [
            ("boom", json!({ "args": [1] }), "guest-failed"),
            ("spin", json!({ "args": [], "fuel": 1_000_000 }), "guest-out-of-fuel"),
            ("flood", json!({ "args": [17 * 1024 * 1024] }), "guest-output-refused"),
        ] {
            let order = payer.order(way, function, body, &format!("{way:?} {function}")).await;
            payer.pays(&order).await.assert_problem(422, code);
            stage.registry.reconcile().await;
            assert_eq!(purse(&stage, &payer).await, before, "{way:?} {function}");
            stage.assert_sound().await;
        }
        // What was signed is still unused: it pays for another call.
        let same_price = payer.order(way, "boom", json!({ "args": [9] }), &format!("{way:?} good")).await;
        payer.pays(&same_price).await.assert_problem(422, "guest-failed");
        if matches!(way, Way::Exact | Way::Upto) {
            let payment: PaymentPayload = x402::decode(&same_price.payment).unwrap();
            stage.rail.verify(&payment, &payment.accepted).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i02_one_payment_executes_at_most_once() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    for way in ALL {
        let spent = given(&stage, &payer).await;
        let order = payer.order(way, "double", json!({ "args": [21] }), &format!("{way:?}")).await;
        let mut sends = JoinSet::new();
        for _ in 0..20 {
            let (order, buyer) = (order.clone(), payer.buyer.clone());
            sends.spawn(async move { order.insist(&buyer).await });
        }
        let replies = sends.join_all().await;
        assert!(replies.iter().all(|reply| reply.output() == 42), "{way:?}");
        let calls: BTreeSet<String> = replies.iter().map(|reply| reply.receipt().1.call).collect();
        let runs = replies.iter().filter(|reply| reply.json()["replayed"] == false).count();
        assert_eq!((calls.len(), runs), (1, 1), "{way:?}: one call and one run");
        assert_eq!(given(&stage, &payer).await - spent, 2_000, "{way:?}: one charge");
        payer.note(&order, &replies[0]);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i03_a_retry_of_one_request_is_not_charged_again() {
    for way in ON_CHAIN {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::new(&stage, "ana").await;
        let spent = given(&stage, &payer).await;
        let body = json!({ "args": [21] });
        let weather = stage.devnet().weather();
        weather.stall().await.unwrap();
        let first = payer.order(way, "double", body.clone(), "first").await;
        let given_up = first.send(&payer.buyer).await;
        assert_eq!((given_up.status, given_up.code().as_str()), (503, "settlement-pending"), "{way:?}");
        // The client gave up, lost what it signed, and signs anew; the mempool is still stuck.
        let second = payer.order(way, "double", body, "second").await;
        assert_ne!(first.payment, second.payment);
        let pending = second.send(&payer.buyer).await;
        assert_eq!((pending.status, pending.code().as_str()), (503, "settlement-pending"), "{way:?}");
        weather.release().await.unwrap();

        let reply = payer.pays(&second).await;
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)), "{way:?}");
        assert_eq!(payer.pays(&first).await.receipt().1.call, reply.receipt().1.call, "{way:?}");
        assert_eq!(given(&stage, &payer).await - spent, 2_000, "{way:?}: one charge");
        // The second authorization was never submitted.
        let signed: PaymentPayload = x402::decode(&second.payment).unwrap();
        if way != Way::Deposit {
            stage.rail.verify(&signed, &signed.accepted).await.unwrap();
        }
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i04_a_payment_buys_only_the_request_it_was_first_presented_with() {
    let stage = Stage::without_sweep().await;
    stage.publish(&packages::bench("1.1.0")).await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    for way in ALL {
        let order = payer.order(way, "double", json!({ "args": [21] }), &format!("{way:?}")).await;
        let first = payer.pays(&order).await;
        let before = purse(&stage, &payer).await;
        for (path, body) in [
            (bench("double"), json!({ "args": [22] })),
            (bench("boom"), json!({ "args": [21] })),
            (bench("burn"), json!({ "args": [21] })),
            (bench("double").replace("1.0.0", "1.1.0"), json!({ "args": [21] })),
            (bench("double"), json!({ "args": [21], "nonce": "another" })),
            (bench("double"), json!({ "args": [21], "fuel": 1_000 })),
        ] {
            let other = Order { path, body, ..order.clone() };
            let reply = other.send(&payer.buyer).await;
            match way {
                // A voucher belongs to no request, but it pays only the next call of its channel.
                Way::Deposit | Way::Voucher => reply.assert_problem(402, "payment-invalid"),
                _ => reply.assert_problem(409, "payment-bound"),
            };
            assert!(!reply.text.contains(&first.receipt().1.call), "{way:?} {other:?}");
        }
        assert_eq!(purse(&stage, &payer).await, before, "{way:?}");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i04_a_stolen_payment_gives_nothing_to_another_payer() {
    let stage = Stage::new().await;
    let (buyer, thief) = (stage.buyer("payer", 1).await, stage.buyer("thief", 1).await);
    let body = json!({ "args": [21] });
    let mut stolen = buyer.payload(&bench("double"), &body, "first").await;
    stolen.payload["authorization"]["from"] = json!(thief.wallet.address().to_string());
    let reply = thief.send(&bench("double"), &body, Some(&x402::encode(&stolen))).await;
    reply.assert_problem(402, "payment-invalid");
    assert_eq!(stage.payments().await, 0);
    // The rightful one has not been spoilt by the attempt.
    assert_eq!(buyer.pay(&bench("double"), json!([21]), "first").await.output(), 42);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i05_a_charge_is_the_fuel_times_the_price_and_anybody_can_compute_it() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let (spent, mut sum) = (given(&stage, &payer).await, 0);
    for way in ALL {
        for (rounds, fuel) in [(1u32, 1_000_000u64), (70_000, 50_000_000), (1_500_000, 60_000_000)] {
            let body = json!({ "args": [rounds], "fuel": fuel });
            let order = payer.order(way, "burn", body, &format!("{way:?} {rounds}")).await;
            let reply = payer.pays(&order).await;
            let (bundle, receipt) = reply.receipt();
            // A hundred micro-dollars for a million, rounded up, at least a hundred.
            let of = |fuel: u64| (u128::from(fuel) * 100).div_ceil(1_000_000).max(100);
            assert_eq!(receipt.charge.amount, Atomic(of(receipt.fuel_used)), "{way:?} {rounds}");
            let (terms, account) = (&bundle.opening.terms, receipt.account.clone());
            let quote = quote(terms, &receipt.function, receipt.fuel_max, account, &[]);
            assert_eq!(quote.amount_max, Atomic(of(fuel)), "{way:?}");
            let bill = bill(terms, &quote, &bundle.usage(&receipt), &[], &bundle.opening.works).unwrap();
            assert_eq!(bill.charge(), receipt.charge, "{way:?}");
            assert!(receipt.charge.amount <= quote.amount_max);
            assert_eq!(charged(&reply), receipt.charge.amount.0);
            sum += receipt.charge.amount.0;
        }
    }
    stage.registry.reconcile().await;
    assert_eq!(given(&stage, &payer).await - spent, sum, "what left the payer is what the receipts say");
    stage.assert_sound().await;
}

/// Pays in one way again and again, and each time the write of one verb fails: before it happened, or after; and then
/// the process ends, or the power goes, or the payer just asks again.
async fn survives(way: Way, verbs: &[&str]) {
    let mut stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let mut number = 0;
    for verb in verbs {
        for moment in [Moment::Before, Moment::After] {
            for end in [None, Some(End::Crash), Some(End::PowerCut)] {
                let case = format!("{way:?}, {verb} {moment:?}, {end:?}");
                number += 1;
                let spent = given(&stage, &payer).await;
                let body = json!({ "args": [1_000 + number], "fuel": 50_000_000 });
                let order = payer.order(way, "burn", body, &case).await;
                stage.inject(verb, moment);
                let struck = order.send(&payer.buyer).await;
                assert!(
                    struck.status == 200 || struck.json()["charged"] == "unknown",
                    "{case}: {}",
                    struck.text
                );
                assert_eq!(stage.store().faults_waiting(), 0, "{case}: nothing was struck");
                if let Some(end) = end {
                    stage = stage.reopen_after(end, Sweep::Off).await;
                    payer.at(&stage);
                }
                let reply = payer.pays(&order).await;
                assert_eq!(reply.output(), 1_000 + number, "{case}");
                if struck.status == 200 {
                    assert_eq!(reply.receipt().1.call, struck.receipt().1.call, "{case}: it was answered");
                }
                stage.registry.reconcile().await;
                assert_eq!(given(&stage, &payer).await - spent, charged(&reply), "{case}");
                let again = payer.pays(&order).await;
                assert_eq!(
                    (again.receipt().1.call, &again.json()["replayed"]),
                    (reply.receipt().1.call, &json!(true))
                );
                stage.assert_sound().await;
            }
        }
    }
    // What vouchers promised can be claimed, to the last unit.
    let promised = escrowed(&stage, &payer).await;
    assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(promised));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_settled_payment_is_lost_in_a_crash_by_exact() {
    survives(Way::Exact, &["hold_call", "record_outcome", "post_call", "mark_delivered", "post_owed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_settled_payment_is_lost_in_a_crash_by_upto() {
    survives(Way::Upto, &["hold_call", "record_outcome", "post_call", "mark_delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_settled_payment_is_lost_in_a_crash_by_deposit() {
    survives(Way::Deposit, &["hold_call", "record_outcome", "post_call", "mark_delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_settled_payment_is_lost_in_a_crash_by_voucher() {
    survives(Way::Voucher, &["hold_call", "post_held_call", "mark_delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_settled_payment_is_lost_in_a_crash_by_credit() {
    survives(Way::Credit, &["hold_call", "post_held_call", "mark_delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i06_no_claim_is_lost_or_made_twice_in_a_crash() {
    for moment in [Moment::Before, Moment::After] {
        for calls_go_on in [false, true] {
            let case = format!("{moment:?}, calls go on: {calls_go_on}");
            let stage = Stage::without_sweep().await;
            let mut payer = Payer::with_channel(&stage, "ana").await;
            stage.inject("post_claims", moment);
            assert!(stage.registry.claim_channels().await.is_err(), "{case}");
            let stage = stage.reopen(Sweep::Off).await;
            payer.at(&stage);
            let mut promised = 2_000;
            if calls_go_on {
                let order = payer.order(Way::Voucher, "double", json!({ "args": [1] }), "next").await;
                payer.pays(&order).await.output();
                promised += 2_000;
            }
            stage.registry.claim_channels().await.unwrap();
            assert_eq!(escrowed(&stage, &payer).await, 0, "{case}");
            let channel = stage.rail.channel(channel_of(&payer)).await.unwrap();
            assert_eq!(channel.total_claimed, Atomic(promised), "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i07_a_result_is_not_released_before_it_is_settled() {
    let rejection = || Rejection::new(ErrorCode::InsufficientFunds, "scripted");
    for way in ON_CHAIN {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::new(&stage, "ana").await;
        for fault in [MoveFault::Rejected(rejection()), MoveFault::UnknownBefore, MoveFault::UnknownAfter] {
            let case = format!("{way:?} {fault:?}");
            let order = payer.order(way, "double", json!({ "args": [1_234_567] }), &case).await;
            stage.rail.next_settle(fault.clone());
            let reply = order.send(&payer.buyer).await;
            assert!(!reply.text.contains("2469134"), "{case}: {}", reply.text);
            match fault {
                MoveFault::Rejected(_) => {
                    reply.assert_problem(402, "payment-not-settled");
                    let again = payer.pays(&order).await;
                    again.assert_problem(402, "payment-invalid");
                    assert!(!again.text.contains("2469134"), "{case}: {}", again.text);
                }
                _ => {
                    assert_eq!((reply.status, reply.code().as_str()), (503, "settlement-pending"), "{case}");
                    let call = reply.json()["call"].as_str().unwrap().to_owned();
                    stage.get(&format!("/v1/receipts/{call}")).await.assert_problem(404, "receipt-not-found");
                    assert_eq!(payer.pays(&order).await.output(), 2_469_134, "{case}");
                }
            }
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i08_unknown_is_not_failure() {
    for way in ON_CHAIN {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::new(&stage, "ana").await;
        for trouble in ["lost request", "lost answer", "dropped", "stalled"] {
            let case = format!("{way:?}, {trouble}");
            let spent = given(&stage, &payer).await;
            let order = payer.order(way, "double", json!({ "args": [21] }), &case).await;
            let weather = stage.devnet().weather();
            match trouble {
                "lost request" => stage.rail.next_settle(MoveFault::UnknownBefore),
                "lost answer" => stage.rail.next_settle(MoveFault::UnknownAfter),
                "dropped" => weather.drop_next().await.unwrap(),
                _ => weather.stall().await.unwrap(),
            }
            let reply = order.send(&payer.buyer).await;
            assert_eq!((reply.status, reply.code().as_str()), (503, "settlement-pending"), "{case}");
            assert_eq!(
                (&reply.json()["charged"], &reply.json()["retry"]),
                (&json!("unknown"), &json!("later"))
            );
            // Asked to pay anew, a conforming client would.
            assert!(reply.header(x402::PAYMENT_REQUIRED).is_none(), "{case}");
            assert!(reply.header("retry-after").is_some(), "{case}");
            weather.release().await.unwrap();
            let reply = payer.pays(&order).await;
            assert_eq!(reply.output(), 42, "{case}");
            assert_eq!(given(&stage, &payer).await - spent, 2_000, "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i16_an_authorization_must_outlive_the_run_and_its_settlement() {
    let stage = Stage::without_sweep().await;
    let payer = Payer::new(&stage, "ana").await;
    let before = purse(&stage, &payer).await;
    for way in ON_CHAIN {
        let body = json!({ "args": [21] });
        let mut order = payer.order(way, "double", body.clone(), &format!("{way:?}")).await;
        // It lives 150 seconds; a run takes 30 at most, its turn and its settlement some more.
        stage.world.advance(Duration::from_secs(120));
        order.send(&payer.buyer).await.assert_problem(402, "payment-invalid");
        // Nor is one taken that begins in the future, or never ends within the offer's time.
        order = payer.order(way, "double", body, &format!("{way:?} later")).await;
        stage.world.advance(Duration::from_secs(3_600));
        order.send(&payer.buyer).await.assert_problem(402, "payment-invalid");
        assert_eq!(purse(&stage, &payer).await, before, "{way:?}");
    }
    let mut future = payer.buyer.payload(&bench("double"), &json!({ "args": [21] }), "future").await;
    future.payload["authorization"]["validAfter"] = json!((stage.world.now_s() + 60).to_string());
    let reply =
        payer.buyer.send(&bench("double"), &json!({ "args": [21] }), Some(&x402::encode(&future))).await;
    reply.assert_problem(402, "payment-invalid");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_free_work_is_bounded_in_every_way() {
    for way in [Way::Exact, Way::Voucher, Way::Credit] {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::with_channel(&stage, "ana").await;
        let other = stage.buyer("other", 1).await;
        let mut failures = 0;
        let refused = loop {
            let order = payer.order(way, "boom", json!({ "args": [failures] }), &failures.to_string()).await;
            // Once: who insists is told to come again, until the window is over.
            let reply = order.send(&payer.buyer).await;
            if reply.code() != "guest-failed" {
                break reply;
            }
            failures += 1;
        };
        refused.assert_problem(429, "too-many-failures");
        assert_eq!(failures, limits::FREE_FAILURES_PER_PAYER_MAX, "{way:?}");
        assert_eq!(other.pay(&bench("double"), json!([1]), "first").await.output(), 2);
        stage.world.advance(Duration::from_millis(limits::FREE_WORK_WINDOW_MS as u64 + 1));
        let order = payer.order(way, "double", json!({ "args": [1] }), "later").await;
        assert_eq!(payer.pays(&order).await.output(), 2, "{way:?}");
        stage.assert_sound().await;
    }
}

/// Makes a voucher that says that somebody else pays: a channel may name any payer, and its own signer.
async fn in_the_name_of(victim: &Buyer, thief: &Buyer, body: &Value) -> PaymentPayload {
    let required = thief.send(&bench("double"), body, None).await.required();
    let offer = offer(&required, Scheme::Batch);
    let mut config = thief.wallet.channel(&offer, B256::ZERO).unwrap();
    config.payer = victim.wallet.address();
    config.payer_authorizer = thief.wallet.address();
    thief.wallet.sign_voucher(&offer, None, &config, offer.amount().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_nobody_uses_up_the_patience_that_is_somebody_elses() {
    let stage = Stage::without_sweep().await;
    let (victim, thief) = (stage.buyer("victim", 1).await, stage.buyer("thief", 1).await);
    for number in 0..40 {
        let body = json!({ "args": [number] });
        let forged = x402::encode(&in_the_name_of(&victim, &thief, &body).await);
        assert_ne!(thief.send(&bench("double"), &body, Some(&forged)).await.status, 200);
    }
    assert_eq!(victim.pay(&bench("double"), json!([21]), "first").await.output(), 42);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i18_amounts_are_whole_numbers_in_plain_digits() {
    let stage = Stage::without_sweep().await;
    let payer = Payer::with_channel(&stage, "ana").await;
    let before = purse(&stage, &payer).await;
    let two_to_256 = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let fields = [
        (Way::Exact, "/payload/authorization/value"),
        (Way::Exact, "/accepted/amount"),
        (Way::Upto, "/payload/permit2Authorization/permitted/amount"),
        (Way::Upto, "/accepted/amount"),
        (Way::Deposit, "/payload/deposit/amount"),
        (Way::Deposit, "/payload/voucher/maxClaimableAmount"),
        (Way::Voucher, "/payload/voucher/maxClaimableAmount"),
        (Way::Voucher, "/accepted/amount"),
    ];
    for (way, field) in fields {
        let order = payer.order(way, "double", json!({ "args": [21] }), field).await;
        for amount in ["0", "-1", "02000", "+2000", "2000.0", "2e3", "0x7d0", " 2000", "", "NaN", two_to_256]
        {
            let mut payment: Value = x402::decode(&order.payment).unwrap();
            *payment.pointer_mut(field).unwrap() = json!(amount);
            let order = Order { payment: x402::encode(&payment), ..order.clone() };
            let reply = order.send(&payer.buyer).await;
            assert!(matches!(reply.status, 400 | 402), "{field} {amount:?}: {} {}", reply.status, reply.text);
            assert_eq!(reply.json()["charged"], "0", "{field} {amount:?}: {}", reply.text);
        }
    }
    assert_eq!(purse(&stage, &payer).await, before);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i19_an_idempotency_key_is_its_payers_own() {
    let stage = Stage::without_sweep().await;
    let (victim, thief) = (stage.buyer("victim", 1).await, stage.buyer("thief", 1).await);
    let body = json!({ "args": [21] });
    let named = |mut payment: PaymentPayload| {
        let id = json!({ "info": { "id": "order-0000000000000017" } });
        payment.extensions.get_or_insert_default().insert("payment-identifier".into(), id);
        x402::encode(&payment)
    };
    let payment = named(victim.payload(&bench("double"), &body, "first").await);
    let first = victim.send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!(first.output(), 42);
    let (bundle, receipt) = first.receipt();
    let secrets = [receipt.call.as_str(), bundle.opening.salt.as_str(), &first.settlement().transaction];

    // Its own payer, who signed anew, gets the same reply; for another request, nothing.
    let anew = named(victim.payload(&bench("double"), &body, "second").await);
    assert_eq!(victim.send(&bench("double"), &body, Some(&anew)).await.receipt().1.call, receipt.call);
    let other = json!({ "args": [22] });
    let bound = named(victim.payload(&bench("double"), &other, "third").await);
    victim.send(&bench("double"), &other, Some(&bound)).await.assert_problem(409, "payment-bound");
    assert_eq!(stage.payments().await, 1);

    // It is not enough to say that it is the victim who pays.
    let forged = named(in_the_name_of(&victim, &thief, &body).await);
    let reply = thief.send(&bench("double"), &body, Some(&forged)).await;
    reply.assert_problem(402, "payment-invalid");
    assert!(secrets.iter().all(|secret| !reply.text.contains(secret)), "{}", reply.text);
    // Another payer under the same name pays for a call of its own.
    let own = named(thief.payload(&bench("double"), &body, "own").await);
    let reply = thief.send(&bench("double"), &body, Some(&own)).await;
    assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(false)));
    assert!(secrets.iter().all(|secret| !reply.text.contains(secret)));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i19_nobody_gets_the_undelivered_reply_of_somebody_else() {
    let stage = Stage::without_sweep().await;
    let (victim, thief) = (stage.buyer("victim", 1).await, stage.buyer("thief", 1).await);
    let body = json!({ "args": [21] });
    let payment = victim.sign(&bench("double"), &body, "first").await;
    stage.rail.next_settle(MoveFault::UnknownAfter);
    assert_eq!(victim.send(&bench("double"), &body, Some(&payment)).await.code(), "settlement-pending");
    let forged = x402::encode(&in_the_name_of(&victim, &thief, &body).await);
    thief.send(&bench("double"), &body, Some(&forged)).await.assert_problem(402, "payment-invalid");
    assert_eq!(victim.insist(&bench("double"), &body, &payment).await.output(), 42);
    stage.assert_sound().await;
}

/// What was logged so far.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i20_secrets_are_never_logged() {
    let log = Log::default();
    let writer = log.clone();
    // Everything that we say ourselves; what an HTTP client says of its own headers is not ours.
    tracing_subscriber::fmt()
        .with_env_filter("glassbox=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let mut secrets = vec![payer.token.to_string()];
    for (number, way) in ALL.into_iter().enumerate() {
        for (function, args) in [("double", json!([700_000 + number])), ("boom", json!([number]))] {
            let order =
                payer.order(way, function, json!({ "args": args }), &format!("{way:?} {function}")).await;
            if function == "double" && ON_CHAIN.contains(&way) {
                stage.rail.next_settle(MoveFault::UnknownAfter);
            }
            let reply = payer.pays(&order).await;
            // Whoever knows a call's id may fetch its reply.
            secrets
                .push(reply.json()["call"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned());
            secrets.push(order.payment.clone());
            if way != Way::Credit {
                let signed: Value = x402::decode(&order.payment).unwrap();
                let signatures =
                    ["/payload/signature", "/payload/voucher/signature"].map(|at| signed.pointer(at));
                secrets
                    .extend(signatures.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()));
            }
        }
    }
    stage.registry.claim_channels().await.unwrap();
    let rejection = Rejection::new(ErrorCode::InsufficientFunds, "scripted");
    stage.rail.next_settle(MoveFault::Rejected(rejection));
    let order = payer.order(Way::Exact, "double", json!({ "args": [1] }), "refused").await;
    payer.pays(&order).await;
    for key in [&payer.buyer.wallet, &crate::stage::wallet("treasury")] {
        secrets.push(key.to_hex().trim_start_matches("0x").to_owned());
    }
    secrets.push(format!("{:?}", keys().executor));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap().to_lowercase();
    assert!(
        text.contains("posted a call") && text.contains("claimed vouchers"),
        "nothing was logged: {text}"
    );
    for secret in secrets.iter().filter(|secret| !secret.contains("SecretKey")) {
        assert!(
            !text.contains(&secret.trim_start_matches("0x").to_lowercase()),
            "`{secret}` is in the log:\n{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i20_a_leaked_payment_pays_only_whom_it_names() {
    let stage = Stage::without_sweep().await;
    let payer = Payer::new(&stage, "ana").await;
    let rail = stage.rail.inner();
    for way in [Way::Exact, Way::Upto] {
        let order = payer.order(way, "double", json!({ "args": [21] }), &format!("{way:?}")).await;
        let payment: PaymentPayload = x402::decode(&order.payment).unwrap();
        let mut elsewhere = payment.clone();
        elsewhere.accepted.pay_to = Address::repeat_byte(0x7f).to_checksum(None);
        for offer in [&payment.accepted, &elsewhere.accepted] {
            let settlement = rail.settle(&elsewhere, offer, Atomic(2_000)).await;
            assert!(matches!(settlement, Settlement::Rejected(_)), "{way:?}: {settlement:?}");
        }
    }
    assert_eq!(stage.balance(Address::repeat_byte(0x7f)).await, 0);
    assert_eq!(stage.balance(payer.address()).await, 5_000_000);
}
