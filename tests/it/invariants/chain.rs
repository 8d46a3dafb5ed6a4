//! What must hold when the chain takes back, and when money goes back or is claimed: promises 9 to 15.

use std::time::Duration;

use glassbox_core::ledger::Account;
use glassbox_core::{Atomic, Pico, limits};
use glassbox_pay::chain::{Call, Chain, Submission};
use glassbox_pay::evm::addresses::BATCH_SETTLEMENT;
use glassbox_pay::evm::{finalize_withdraw, initiate_withdraw};
use glassbox_pay::faults::MoveFault;
use glassbox_pay::x402;
use glassbox_pay::{B256, ErrorCode, Facilitator as _, Rejection, Scheme};
use glassbox_store::Moment;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{mine_and_reconcile, purse};
use crate::buyer::{Reply, bench};
use crate::packages;
use crate::payer::{ALL, DEPOSIT, ON_CHAIN, Payer, Way, channel_of, charged, escrowed, spend_elsewhere};
use crate::schemes::offer;
use crate::stage::{Stage, Sweep};

#[tokio::test(flavor = "multi_thread")]
async fn i09_a_payment_that_the_chain_took_back_is_settled_again() {
    for way in [Way::Exact, Way::Upto] {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::new(&stage, "ana").await;
        let weather = stage.devnet().weather();
        mine_and_reconcile(&stage, 1).await;
        weather.finality(4).await.unwrap();
        let treasury = stage.balance(stage.devnet().treasury()).await;
        let body = json!({ "args": [10], "fuel": 50_000_000 });
        let order = payer.order(way, "burn", body, "first").await;
        let reply = payer.pays(&order).await;
        assert_eq!(reply.output(), 10);

        weather.reorg(1).await.unwrap();
        assert_eq!(stage.balance(stage.devnet().treasury()).await, treasury, "{way:?}: it is gone");
        assert!(
            !stage.registry.audit_ledger().await.unwrap().findings.is_empty(),
            "{way:?}: an audit sees it"
        );
        stage.registry.reconcile().await;
        assert!(stage.balance(stage.devnet().treasury()).await > treasury, "{way:?}: settled again");
        assert_eq!(stage.registry.audit_ledger().await.unwrap().findings, [], "{way:?}");
        for _ in 0..3 {
            mine_and_reconcile(&stage, 2).await;
        }
        assert_eq!(stage.store().unsettled_calls(9).await.unwrap().len(), 0, "{way:?}: final");
        assert_eq!(stage.balance(stage.devnet().treasury()).await - treasury, charged(&reply), "{way:?}");
        assert_eq!(payer.pays(&order).await.receipt().1.call, reply.receipt().1.call, "{way:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i09_a_payment_that_is_lost_for_good_is_the_operators_loss() {
    let faults = [None, Some(Moment::Before), Some(Moment::After)];
    for (way, fault) in [Way::Exact, Way::Upto].into_iter().flat_map(|way| faults.map(|fault| (way, fault))) {
        let stage = Stage::without_sweep().await;
        let mut payer = Payer::new(&stage, "ana").await;
        let weather = stage.devnet().weather();
        mine_and_reconcile(&stage, 1).await;
        weather.finality(4).await.unwrap();
        let (before, treasury) =
            (stage.balance(payer.address()).await, stage.balance(stage.devnet().treasury()).await);
        let body = json!({ "args": [10], "fuel": 50_000_000 });
        let order = payer.order(way, "burn", body, "first").await;
        let reply = payer.pays(&order).await;
        weather.reorg(1).await.unwrap();
        // Until the authorization is over, there is hope; after that, there is none.
        stage.world.advance(Duration::from_secs(3_600));
        if let Some(moment) = fault {
            stage.inject("lose_call", moment);
        }
        for _ in 0..3 {
            mine_and_reconcile(&stage, 3).await;
        }
        let case = format!("{way:?} {fault:?}");
        assert_eq!(stage.store().faults_waiting(), 0, "{case}");
        assert_eq!(stage.balance(payer.address()).await, before, "{case}: no charge, and no refund of it");
        assert_eq!(stage.balance(stage.devnet().treasury()).await, treasury, "{case}");
        assert_eq!(stage.store().unsettled_calls(9).await.unwrap().len(), 0, "{case}");
        stage.assert_sound().await;
        // The receivers keep their shares; the operator bears the charge.
        let operator = stage.store().balance(&Account::Operator).await.unwrap();
        assert_eq!(operator.debits, Atomic(charged(&reply)).to_pico(), "{case}: once");
        assert_eq!(
            payer.pays(&order).await.receipt().1.call,
            reply.receipt().1.call,
            "the reply was promised"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i09_a_payer_without_money_for_a_while_does_not_make_a_loss_of_a_reorg() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::new(&stage, "ana").await;
    let weather = stage.devnet().weather();
    mine_and_reconcile(&stage, 1).await;
    weather.finality(4).await.unwrap();
    let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
    assert_eq!(payer.pays(&order).await.output(), 42);
    weather.reorg(1).await.unwrap();
    let all = stage.balance(payer.address()).await;
    spend_elsewhere(&stage, &payer.buyer, all, B256::repeat_byte(1)).await;
    stage.registry.reconcile().await;
    stage.devnet().faucet(payer.address(), Atomic(2_000)).await.unwrap();
    mine_and_reconcile(&stage, 4).await;
    mine_and_reconcile(&stage, 4).await;
    assert_eq!(stage.balance(payer.address()).await, 0, "the kept authorization was good until its end");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i09_a_deposit_that_the_chain_took_back_is_made_again() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::new(&stage, "ana").await;
    let weather = stage.devnet().weather();
    mine_and_reconcile(&stage, 1).await;
    weather.finality(4).await.unwrap();
    let first = payer.order(Way::Deposit, "double", json!({ "args": [1] }), "first").await;
    payer.pays(&first).await.output();
    let second = payer.order(Way::Voucher, "double", json!({ "args": [2] }), "second").await;
    payer.pays(&second).await.output();
    weather.reorg(1).await.unwrap();
    stage.registry.reconcile().await;
    let channel = stage.rail.channel(channel_of(&payer)).await.unwrap();
    assert_eq!(channel.balance, Atomic(DEPOSIT));
    mine_and_reconcile(&stage, 4).await;
    assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(4_000));
    mine_and_reconcile(&stage, 4).await;
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_the_ledger_conserves_and_agrees_with_the_chain() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let mut owed = Atomic(2_000);
    for number in 0..20u32 {
        let way = ALL[number as usize % ALL.len()];
        // Charges that no basis points divide evenly.
        let body = json!({ "args": [number * 33_331], "fuel": 50_000_000 });
        let order = payer.order(way, "burn", body, &number.to_string()).await;
        owed.0 += charged(&payer.pays(&order).await);
    }
    stage.registry.reconcile().await;
    stage.registry.claim_channels().await.unwrap();
    stage.assert_sound().await;
    let mut shared = Pico::ZERO;
    for balance in stage.store().balances().await.unwrap() {
        if matches!(balance.account, Account::Operator | Account::Payee(_)) {
            shared.0 += balance.credits.0 - balance.debits.0;
        }
    }
    assert_eq!(shared, owed.to_pico(), "operator and payees got every unit of every charge, and no more");
    // The treasury has what they are owed, and the credit that is not spent yet.
    let credit = stage.store().balance(&Account::Payer(payer.account.clone())).await.unwrap();
    let treasury = Atomic(stage.balance(stage.devnet().treasury()).await).to_pico();
    assert_eq!(treasury.0, shared.0 + credit.available().0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_the_price_and_the_payee_shown_are_those_charged() {
    let stage = Stage::without_sweep().await;
    let payer = Payer::with_channel(&stage, "ana").await;
    let before = purse(&stage, &payer).await;
    let latest = bench("double").replace("1.0.0", "latest");
    let body = json!({ "args": [21] });
    for (field, value) in [
        ("amount", "1999"),
        ("payTo", "0x000000000000000000000000000000000000dEaD"),
        ("network", "eip155:8453"),
    ] {
        for way in [Way::Exact, Way::Upto, Way::Deposit, Way::Voucher] {
            let mut order = payer.order(way, "double", body.clone(), &format!("{way:?} {field}")).await;
            let mut payment: Value = x402::decode(&order.payment).unwrap();
            payment["accepted"][field] = json!(value);
            order.payment = x402::encode(&payment);
            order.send(&payer.buyer).await.assert_problem(402, "payment-invalid");
        }
    }
    // The publisher raises the price while the offer is out: the old payment does not buy the new release.
    let payment = payer.buyer.sign(&latest, &body, "first").await;
    let mut dearer = packages::bench("1.1.0");
    dearer.manifest = dearer.manifest.replace("0.002", "0.003");
    stage.publish(&dearer).await;
    let refused = payer.buyer.send(&latest, &body, Some(&payment)).await;
    refused.assert_problem(402, "payment-invalid");
    assert_eq!(offer(&refused.required(), Scheme::Exact).amount, "3000");
    assert_eq!(purse(&stage, &payer).await, before);
    // The release that it was shown is there for ever, at its price.
    let reply = payer.buyer.send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!((reply.output(), charged(&reply)), (json!(42), 2_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i12_a_payer_that_spends_its_money_meanwhile_gets_nothing() {
    for way in ON_CHAIN {
        for trick in ["drain", "cancel"] {
            let case = format!("{way:?}, {trick}");
            let stage = Stage::without_sweep().await;
            let mut payer = Payer::new(&stage, "ana").await;
            let order = payer.order(way, "double", json!({ "args": [1_234_567] }), "first").await;
            // Verified and run; and before it is settled, the payer acts.
            stage.devnet().weather().drop_next().await.unwrap();
            assert_eq!(order.send(&payer.buyer).await.code(), "settlement-pending", "{case}");
            let all = stage.balance(payer.address()).await;
            match (trick, way) {
                ("drain", _) => spend_elsewhere(&stage, &payer.buyer, all, B256::repeat_byte(1)).await,
                (_, Way::Exact) => {
                    // An authorization whose nonce is spent is one that was cancelled.
                    let signed: Value = x402::decode(&order.payment).unwrap();
                    let nonce = signed["payload"]["authorization"]["nonce"].as_str().unwrap();
                    spend_elsewhere(&stage, &payer.buyer, 1, nonce.parse().unwrap()).await;
                }
                _ => continue,
            }
            let left = stage.balance(payer.address()).await;
            let treasury = stage.balance(stage.devnet().treasury()).await;
            let reply = payer.pays(&order).await;
            reply.assert_problem(402, "payment-invalid");
            assert!(!reply.text.contains("2469134"), "{case}: {}", reply.text);
            assert_eq!(stage.balance(payer.address()).await, left, "{case}");
            assert_eq!(stage.balance(stage.devnet().treasury()).await, treasury, "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i12_runs_that_their_payer_cannot_settle_are_bounded() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    for number in 0..30 {
        let rejection = Rejection::new(ErrorCode::InsufficientFunds, "scripted: spent meanwhile");
        stage.rail.next_settle(MoveFault::Rejected(rejection));
        let reply = buyer.pay(&bench("double"), json!([number]), &number.to_string()).await;
        reply.assert_problem(402, "payment-not-settled");
    }
    let reply = buyer.pay(&bench("double"), json!([30]), "30").await;
    reply.assert_problem(429, "too-many-failures");
    assert_eq!(stage.payments().await, 0);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_vouchers_survive_a_power_cut_and_are_claimed_for_what_was_charged() {
    let mut stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let mut promised = 2_000;
    for number in 1..=4u32 {
        let body = json!({ "args": [number * 100_000], "fuel": 50_000_000 });
        let order = payer.order(Way::Voucher, "burn", body, &number.to_string()).await;
        promised += charged(&payer.pays(&order).await);
        stage = stage.reopen(Sweep::Off).await;
        payer.at(&stage);
        assert_eq!(payer.pays(&order).await.json()["replayed"], true);
    }
    let treasury = stage.balance(stage.devnet().treasury()).await;
    assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(promised));
    assert_eq!(stage.balance(stage.devnet().treasury()).await - treasury, promised);
    stage.assert_sound().await;
}

/// Has a payer call the contract of the channels, as it can without anybody's leave.
async fn calls_contract(stage: &Stage, payer: &Payer, data: impl Into<Vec<u8>>, id: &str) {
    let call = Call { from: payer.address(), to: BATCH_SETTLEMENT, data: data.into().into() };
    let submitted = Chain::submit(stage.devnet(), id, &call).await;
    assert!(matches!(submitted, Submission::Mined { .. }), "{submitted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_what_is_owed_is_claimed_before_a_payer_can_withdraw() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    calls_contract(&stage, &payer, initiate_withdraw(&payer.config, Atomic(DEPOSIT)), "initiate").await;
    stage.world.advance(Duration::from_millis(limits::CHANNEL_KNOWN_MS as u64 + 1_000));
    stage.registry.reconcile().await;
    assert_eq!(escrowed(&stage, &payer).await, 0, "claimed, small as it is");
    // No new work is taken against money that is about to leave.
    let order = payer.order(Way::Voucher, "double", json!({ "args": [2] }), "late").await;
    payer.pays(&order).await.assert_problem(402, "payment-invalid");
    stage.world.advance(Duration::from_secs(limits::CHANNEL_WITHDRAW_SECONDS + 1));
    calls_contract(&stage, &payer, finalize_withdraw(&payer.config), "finalize").await;
    assert_eq!(stage.balance(payer.address()).await, 5_000_000 - 2_000);
    stage.registry.reconcile().await;
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i14_settlements_at_once_are_all_made_and_none_gets_stuck() {
    let stage = Stage::new().await;
    let weather = stage.devnet().weather();
    for number in 0..10 {
        match number % 2 {
            0 => weather.drop_next().await.unwrap(),
            _ => weather.delay_next(Duration::from_millis(50)).await.unwrap(),
        }
    }
    let mut calls = JoinSet::new();
    for number in 0..20u32 {
        let buyer = stage.buyer(&format!("payer {number}"), 1).await;
        calls.spawn(async move {
            let body = json!({ "args": [number] });
            let payment = buyer.sign(&bench("double"), &body, "first").await;
            (number, buyer.insist(&bench("double"), &body, &payment).await)
        });
    }
    for (number, reply) in calls.join_all().await {
        assert_eq!(reply.output(), 2 * number);
    }
    assert_eq!(stage.payments().await, 20);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_a_refund_waits_for_its_deposit_and_is_paid_once_and_to_its_payer() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::new(&stage, "ana").await;
    let weather = stage.devnet().weather();
    mine_and_reconcile(&stage, 1).await;
    weather.finality(5).await.unwrap();
    let before = stage.balance(payer.address()).await;
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let order = payer.order(Way::Exact, "burn", body, "first").await;
    let reply = payer.pays(&order).await;
    let paid = reply.receipt().1.payment.unwrap();
    assert_eq!((paid.amount, paid.refund), (Atomic(5_000), Atomic(4_900)));
    for _ in 0..3 {
        stage.registry.reconcile().await;
        assert_eq!(before - stage.balance(payer.address()).await, 5_000, "the chain may still take it back");
    }
    for _ in 0..4 {
        mine_and_reconcile(&stage, 5).await;
        assert_eq!(before - stage.balance(payer.address()).await, 100, "once");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_credit_goes_back_only_after_its_payment_is_final() {
    let stage = Stage::without_sweep().await;
    stage.devnet().weather().finality(5).await.unwrap();
    let payer = Payer::new(&stage, "ana").await;
    let home = stage.buyer("home", 0).await.wallet.address();
    let wish = json!({ "id": "all", "to": home.to_string(), "usd": "1" });
    for _ in 0..3 {
        let request = stage.http.post(format!("{}/v1/credit/refund", stage.url)).json(&wish);
        let reply = Reply::of(request.bearer_auth(&payer.token).send().await.unwrap()).await;
        assert_eq!(reply.status, 202, "the same wish: {}", reply.text);
        stage.registry.reconcile().await;
        assert_eq!(stage.balance(home).await, 0, "the chain may still take the top-up back");
    }
    for _ in 0..4 {
        mine_and_reconcile(&stage, 5).await;
    }
    assert_eq!(stage.balance(home).await, 1_000_000, "once");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_the_rest_of_a_channel_goes_back_once() {
    for fault in [None, Some(MoveFault::UnknownBefore), Some(MoveFault::UnknownAfter)] {
        let stage = Stage::without_sweep().await;
        let payer = Payer::with_channel(&stage, "ana").await;
        let required = payer.buyer.send(&bench("double"), &json!({ "args": [2] }), None).await.required();
        let batch = offer(&required, Scheme::Batch);
        let wallet = &payer.buyer.wallet;
        let wish = wallet.sign_channel_refund(&batch, None, &payer.config, Atomic(2_000), None).unwrap();
        let wish = x402::encode(&wish);
        if let Some(fault) = &fault {
            stage.rail.next_refund_channel(fault.clone());
            let reply = payer.buyer.ask(&bench("double"), &wish).await;
            assert_eq!(reply.status, 503, "{fault:?}: {}", reply.text);
            // What may have gone back already pays no call.
            let order = payer.order(Way::Voucher, "double", json!({ "args": [7] }), "late").await;
            order.send(&payer.buyer).await.assert_problem(503, "busy");
        }
        stage.world.advance(Duration::from_millis(limits::CHANNEL_KNOWN_MS as u64 + 1_000));
        for _ in 0..3 {
            payer.buyer.ask(&bench("double"), &wish).await;
            stage.registry.reconcile().await;
        }
        assert_eq!(stage.balance(payer.address()).await, 5_000_000 - 2_000, "{fault:?}");
        stage.registry.claim_channels().await.unwrap();
        assert_eq!(escrowed(&stage, &payer).await, 0, "{fault:?}");
        stage.assert_sound().await;
    }
}
