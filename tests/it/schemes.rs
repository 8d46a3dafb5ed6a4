//! The schemes beside `exact`: what was burnt and no more, and many calls out of one deposit.

use std::collections::BTreeSet;

use glassbox_core::ledger::Account;
use glassbox_core::{Atomic, Digest};
use glassbox_pay::eip712::batch::channel_id;
use glassbox_pay::faults::MoveFault;
use glassbox_pay::scheme::Scheme;
use glassbox_pay::scheme::batch::ChannelConfig;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::x402::{self, PaymentPayload, PaymentRequired, PaymentRequirements};
use glassbox_pay::{B256, Facilitator as _, U256, devnet};
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::{Buyer, Reply, bench};
use crate::stage::{Stage, Sweep};

/// The one of the offers that is of this scheme.
pub(crate) fn offer(required: &PaymentRequired, scheme: Scheme) -> PaymentRequirements {
    let found = required.accepts.iter().find(|offer| offer.scheme == scheme.as_str());
    found.unwrap_or_else(|| panic!("no {scheme} in {required:?}")).clone()
}

/// Signs a ceiling, with an allowance for Permit2: the payer has no coins for gas.
async fn upto(buyer: &Buyer, path: &str, body: &Value, nonce: &str, permits: u64) -> PaymentPayload {
    let required = buyer.send(path, body, None).await.required();
    let offer = offer(&required, Scheme::Upto);
    let nonce = B256::from(*Digest::of(nonce).as_bytes());
    let resource = Some(required.resource.clone());
    let mut payment = buyer.wallet.sign_upto(&offer, resource, buyer.now_s(), nonce).unwrap();
    buyer.wallet.add_permit(&mut payment, U256::from(permits)).unwrap();
    payment
}

#[tokio::test(flavor = "multi_thread")]
async fn upto_takes_what_was_burnt_and_no_more() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let payment = upto(&buyer, &bench("burn"), &body, "one", 0).await;
    let header = x402::encode(&payment);
    let reply = buyer.send(&bench("burn"), &body, Some(&header)).await;
    assert_eq!(reply.output(), json!(10));
    let charged: u128 = reply.json()["charged"]["amount"].as_str().unwrap().parse().unwrap();
    let ceiling: u128 = payment.accepted.amount.parse().unwrap();
    assert!(0 < charged && charged < ceiling, "{charged} of {ceiling}");
    assert_eq!(reply.settlement().amount, Some(charged.to_string()));
    let receipt = reply.receipt().1;
    let paid = receipt.payment.unwrap();
    assert_eq!((paid.scheme.as_str(), paid.amount, paid.refund), ("upto", Atomic(charged), Atomic::ZERO));
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - charged);
    assert_eq!(stage.payments().await, 1, "one transfer, and none back");

    // The same again is the same call.
    let again = buyer.send(&bench("burn"), &body, Some(&header)).await;
    assert_eq!(again.json()["replayed"], true);
    assert_eq!(again.receipt().1.call, receipt.call);
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_of_which_nothing_is_owed_moves_nothing() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let body = json!({ "args": [1] });
    let payment = upto(&buyer, &bench("boom"), &body, "one", 0).await;
    let reply = buyer.send(&bench("boom"), &body, Some(&x402::encode(&payment))).await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "guest-failed"), "{}", reply.text);
    assert_eq!(stage.payments().await, 0);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000);
    // The ceiling is still good for another call.
    stage.rail.verify(&payment, &payment.accepted).await.unwrap();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowance_that_is_missing_is_asked_for() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let mut payment = upto(&buyer, &bench("burn"), &body, "one", 0).await;
    payment.extensions = None;
    let reply = buyer.send(&bench("burn"), &body, Some(&x402::encode(&payment))).await;
    assert_eq!(reply.status, 412, "{}", reply.text);
    assert_eq!(reply.required().error.as_deref(), Some("permit2_allowance_required"));
    assert_eq!(stage.payments().await, 0);
    stage.assert_sound().await;
}

/// A payer with a channel.
struct Channel {
    buyer: Buyer,
    config: ChannelConfig,
    id: String,
    /// What was charged so far, as far as the payer knows.
    charged: u128,
}

impl Channel {
    async fn of(buyer: &Buyer) -> Self {
        let required = buyer.send(&bench("double"), &json!({ "args": [1] }), None).await.required();
        let offer = offer(&required, Scheme::Batch);
        let config = buyer.wallet.channel(&offer, B256::ZERO).unwrap();
        let id = format!("{:#x}", channel_id(devnet::NETWORK.chain_id, &config));
        Self { buyer: buyer.clone(), config, id, charged: 0 }
    }

    /// Signs what pays the next call, with a deposit before it where there is one.
    async fn sign(&self, path: &str, body: &Value, deposit: Option<(u128, &str)>) -> String {
        let required = self.buyer.send(path, body, None).await.required();
        let offer = offer(&required, Scheme::Batch);
        let resource = Some(required.resource.clone());
        let ceiling = Atomic(self.charged + offer.amount().unwrap().0);
        let wallet = &self.buyer.wallet;
        let payment = match deposit {
            None => wallet.sign_voucher(&offer, resource, &self.config, ceiling).unwrap(),
            Some((amount, salt)) => {
                let salt = B256::from(*Digest::of(salt).as_bytes());
                let terms = DepositTerms { amount: Atomic(amount), salt, now_s: self.buyer.now_s() };
                wallet.sign_deposit(&offer, resource, &self.config, ceiling, &terms).unwrap()
            }
        };
        x402::encode(&payment)
    }

    async fn call(&mut self, path: &str, body: &Value, deposit: Option<(u128, &str)>) -> Reply {
        let payment = self.sign(path, body, deposit).await;
        let reply = self.buyer.send(path, body, Some(&payment)).await;
        if reply.status == 200 {
            self.charged += reply.json()["charged"]["amount"].as_str().unwrap().parse::<u128>().unwrap();
        }
        reply
    }
}

fn double(n: u32) -> Value {
    json!({ "args": [n] })
}

async fn escrow(stage: &Stage, channel: &Channel) -> u128 {
    let balance = stage.store().balance(&Account::Escrow(channel.id.clone())).await.unwrap();
    balance.debits.0 - balance.credits.0
}

#[tokio::test(flavor = "multi_thread")]
async fn one_deposit_pays_many_calls_and_one_claim_collects_them() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    let first = channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await;
    assert_eq!(first.output(), json!(2));
    let settled = first.settlement();
    assert!(settled.success && !settled.transaction.is_empty());
    assert_eq!(stage.balance(buyer.wallet.address()).await, 900_000, "the deposit is in the contract");
    for n in 2..=6 {
        let reply = channel.call(&bench("double"), &double(n), None).await;
        assert_eq!(reply.output(), json!(2 * n));
        let settlement = reply.settlement();
        assert_eq!(settlement.transaction, "", "no chain was asked");
        let extra = settlement.extra.unwrap();
        assert_eq!(extra["chargedAmount"], "2000");
        assert_eq!(extra["channelState"]["chargedCumulativeAmount"], (2_000 * u128::from(n)).to_string());
        let paid = reply.receipt().1.payment.unwrap();
        assert_eq!((paid.cumulative, paid.refund), (Some(Atomic(2_000 * u128::from(n))), Atomic::ZERO));
    }
    // By fuel: the voucher allows the ceiling, and what is charged is what was burnt.
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let reply = channel.call(&bench("burn"), &body, None).await;
    assert_eq!((reply.output(), channel.charged), (json!(10), 12_100));
    let reply = channel.call(&bench("double"), &double(7), None).await;
    assert_eq!((reply.output(), channel.charged), (json!(14), 14_100));

    assert_eq!(escrow(&stage, &channel).await, 14_100 * 1_000_000);
    assert_eq!(stage.balance(stage.devnet().treasury()).await, 0, "nothing was claimed yet");
    stage.assert_sound().await;
    assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(14_100));
    assert_eq!(
        stage.registry.claim_channels().await.unwrap(),
        Atomic::ZERO,
        "there is nothing left to claim"
    );
    assert_eq!(escrow(&stage, &channel).await, 0);
    assert_eq!(stage.balance(stage.devnet().treasury()).await, 14_100);
    assert_eq!(stage.payments().await, 1, "one claim for eight calls");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_voucher_for_the_same_request_is_the_same_call() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await.output();
    let voucher = channel.sign(&bench("double"), &double(2), None).await;
    let sends = (0..20).map(|_| {
        let (buyer, voucher) = (buyer.clone(), voucher.clone());
        tokio::spawn(async move { buyer.send(&bench("double"), &double(2), Some(&voucher)).await })
    });
    let mut calls = BTreeSet::new();
    for send in sends.collect::<Vec<_>>() {
        let reply = send.await.unwrap();
        assert_eq!(reply.output(), json!(4));
        calls.insert(reply.receipt().1.call);
    }
    assert_eq!(calls.len(), 1, "twenty sends of one voucher are one call");
    assert_eq!(escrow(&stage, &channel).await, 4_000 * 1_000_000);
    // For another request it does not fit any more.
    let other = buyer.send(&bench("double"), &double(3), Some(&voucher)).await;
    other.assert_problem(402, "payment-invalid");
    assert_eq!(
        other.required().error.as_deref(),
        Some("invalid_batch_settlement_evm_cumulative_amount_mismatch")
    );
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_that_lost_count_is_told_where_its_channel_stands() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await.output();
    channel.charged = 0;
    let reply = channel.call(&bench("double"), &double(2), None).await;
    reply.assert_problem(402, "payment-invalid");
    let told = offer(&reply.required(), Scheme::Batch).extra;
    assert_eq!(told["channelState"]["chargedCumulativeAmount"], "2000");
    assert_eq!(told["channelState"]["balance"], "100000");
    assert_eq!(told["voucherState"]["signedMaxClaimable"], "2000");
    channel.charged = 2_000;
    channel.call(&bench("double"), &double(2), None).await.output();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_pays_no_more_than_it_holds() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(1), Some((3_000, "salt"))).await.output();
    let reply = channel.call(&bench("double"), &double(2), None).await;
    reply.assert_problem(402, "payment-invalid");
    assert_eq!(
        reply.required().error.as_deref(),
        Some("invalid_batch_settlement_evm_cumulative_exceeds_balance")
    );
    // Filled again, it does.
    channel.call(&bench("double"), &double(2), Some((3_000, "more"))).await.output();
    assert_eq!(stage.balance(buyer.wallet.address()).await, 994_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_leaves_the_channel_as_it_was() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await.output();
    let failed = channel.call(&bench("boom"), &json!({ "args": [1] }), None).await;
    assert_eq!((failed.status, failed.code().as_str()), (422, "guest-failed"), "{}", failed.text);
    // The next voucher is, to the byte, the one that paid nothing.
    channel.call(&bench("double"), &double(2), None).await.output();
    assert_eq!(escrow(&stage, &channel).await, 4_000 * 1_000_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_channel_goes_back_to_its_payer() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await.output();
    let required = buyer.send(&bench("double"), &double(2), None).await.required();
    let batch = offer(&required, Scheme::Batch);
    let wish = buyer.wallet.sign_channel_refund(&batch, None, &channel.config, Atomic(2_000), None).unwrap();
    let called = buyer.send(&bench("double"), &double(2), Some(&x402::encode(&wish))).await;
    called.assert_problem(402, "payment-invalid");
    let reply = buyer.ask(&bench("double"), &x402::encode(&wish)).await;
    assert_eq!((reply.status, &reply.json()["channelId"]), (200, &json!(channel.id)), "{}", reply.text);
    assert!(reply.settlement().success);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
    assert_eq!(escrow(&stage, &channel).await, 0, "what was owed was claimed with it");
    let again = buyer.ask(&bench("double"), &x402::encode(&wish)).await;
    again.assert_problem(402, "payment-invalid");
    stage.assert_sound().await;
}

/// Asks by GET, as stock clients do for the rest of a channel.
async fn ask(buyer: &Buyer, path: &str, payment: Option<&str>) -> Reply {
    let mut request = buyer.http.get(format!("{}{path}", buyer.url));
    if let Some(payment) = payment {
        request = request.header(x402::PAYMENT_SIGNATURE, payment);
    }
    Reply::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_calling_is_told_the_price_and_has_the_rest_of_a_channel_back() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("ana", 1).await;
    let asked = ask(&buyer, &bench("double"), None).await;
    asked.assert_problem(402, "payment-required");
    let batch = offer(&asked.required(), Scheme::Batch);
    // A payment for a call buys nothing here, and is not spent.
    let payment = buyer.sign(&bench("double"), &double(1), "one").await;
    let refused = ask(&buyer, &bench("double"), Some(&payment)).await;
    refused.assert_problem(402, "payment-invalid");
    assert_eq!(buyer.send(&bench("double"), &double(1), Some(&payment)).await.output(), json!(2));

    let mut channel = Channel::of(&buyer).await;
    channel.call(&bench("double"), &double(2), Some((100_000, "salt"))).await.output();
    // A payer that lost count is told where its channel stands.
    let wallet = &buyer.wallet;
    let lost = wallet.sign_channel_refund(&batch, None, &channel.config, Atomic::ZERO, None).unwrap();
    let reply = ask(&buyer, &bench("double"), Some(&x402::encode(&lost))).await;
    reply.assert_problem(402, "payment-invalid");
    let told = offer(&reply.required(), Scheme::Batch).extra;
    assert_eq!(told["channelState"]["chargedCumulativeAmount"], "2000");

    let part = Some(Atomic(8_000));
    let wish = wallet.sign_channel_refund(&batch, None, &channel.config, Atomic(2_000), part).unwrap();
    let reply = ask(&buyer, &bench("double"), Some(&x402::encode(&wish))).await;
    assert_eq!((reply.status, &reply.json()["channelId"]), (200, &json!(channel.id)), "{}", reply.text);
    assert_eq!(stage.balance(wallet.address()).await, 1_000_000 - 2_000 - 100_000 + 8_000);
    // The rest still pays calls.
    channel.call(&bench("double"), &double(3), None).await.output();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_and_refunds_survive_lost_answers_and_crashes() {
    let faults =
        ["answer before", "answer after", "begin_claim before", "post_claims before", "post_claims after"];
    for refund in [false, true] {
        for fault in faults {
            let stage = Stage::without_sweep().await;
            let buyer = stage.buyer("ana", 1).await;
            let mut channel = Channel::of(&buyer).await;
            channel.call(&bench("double"), &double(1), Some((100_000, "salt"))).await.output();
            match fault.split_once(' ').unwrap() {
                ("answer", moment) => {
                    let lost =
                        if moment == "before" { MoveFault::UnknownBefore } else { MoveFault::UnknownAfter };
                    if refund { stage.rail.next_refund_channel(lost) } else { stage.rail.next_claim(lost) }
                }
                (verb, moment) => {
                    let moment = if moment == "before" { Moment::Before } else { Moment::After };
                    stage.inject(verb, moment);
                }
            }
            let wish = async |stage: &Stage| {
                let required = buyer.at(stage).send(&bench("double"), &double(2), None).await.required();
                let batch = offer(&required, Scheme::Batch);
                let wish =
                    buyer.wallet.sign_channel_refund(&batch, None, &channel.config, Atomic(2_000), None);
                buyer.at(stage).ask(&bench("double"), &x402::encode(&wish.unwrap())).await
            };
            if refund {
                let _ = wish(&stage).await;
            } else {
                let _ = stage.registry.claim_channels().await;
            }
            let stage = stage.reopen(Sweep::Off).await;
            stage.registry.reconcile().await;
            if refund {
                let again = wish(&stage).await;
                assert!([200, 402].contains(&again.status), "{fault}: {}", again.text);
                assert_eq!(
                    stage.balance(buyer.wallet.address()).await,
                    998_000,
                    "{fault}: once, and all of it"
                );
            }
            stage.registry.claim_channels().await.unwrap();
            assert_eq!(stage.balance(stage.devnet().treasury()).await, 2_000, "{fault} refund={refund}");
            assert_eq!(escrow(&stage, &channel).await, 0, "{fault} refund={refund}");
            assert_eq!(stage.store().begun_claims().await.unwrap(), [], "{fault} refund={refund}");
            let row = stage.store().channel(&channel.id).await.unwrap().unwrap();
            assert_eq!(row.call, None, "{fault} refund={refund}: the channel is free");
            stage.assert_sound().await;
        }
    }
}
