//! What the operator gives back: from each who got it, to whoever paid, once, and never more than was charged.

use std::collections::BTreeSet;

use glassbox_core::ledger::{Account, Kind};
use glassbox_pay::devnet;
use glassbox_pay::x402;
use glassbox_pay::x402::extensions::sign_in;
use glassbox_registry::PackageFiles;
use glassbox_store::Moment;
use serde_json::json;

use super::{Customer, PAYEE, goods};
use crate::buyer::{Reply, bench};
use crate::company::operate;
use crate::payer::{Payer, Way};
use crate::stage::{MOMENTS, Stage};

const ALL: &str = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
    [[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"0.5\"\n\
    [[plan]]\nid = \"team\"\namount = \"2\"\nincludes = [\"execute:*\"]\n[tips]\naccept = true\n";

fn sold() -> PackageFiles {
    goods("LicenseRef-Shop", "execute = [\"remote\", \"local\"]", &format!("{ALL}{PAYEE}"))
}

async fn refund(stage: &Stage, call: &str, total: Option<&str>) -> Reply {
    let body = match total {
        Some(total) => json!({ "call": call, "total_usd": total, "reason": "a test" }),
        None => json!({ "call": call, "reason": "a test" }),
    };
    operate(stage, "/refunds", &body).await
}

/// Returns what was charged, by the ids of the calls and sales.
async fn charged(stage: &Stage) -> BTreeSet<String> {
    let transfers = stage.store().transfers(None, 0, 1_000).await.unwrap();
    let charges = transfers.into_iter().filter(|row| row.transfer.kind == Kind::Charge);
    charges.map(|row| row.subject).collect()
}

/// What payees and the operator have, in pico.
async fn earned(stage: &Stage) -> i128 {
    let balances = stage.store().balances().await.unwrap();
    let receivers =
        balances.iter().filter(|balance| matches!(balance.account, Account::Payee(_) | Account::Operator));
    receivers.map(|balance| balance.credits.0 as i128 - balance.debits.0 as i128).sum()
}

async fn available(stage: &Stage, payer: &str) -> u128 {
    let balance = stage.store().balance(&Account::Payer(payer.into())).await.unwrap();
    balance.available().0 / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_charged_goes_back_in_part_or_whole_and_no_more() {
    let stage = Stage::empty().await;
    stage.publish(&sold()).await;
    let ana = Customer::with(&stage, "ana", "10").await;
    assert_eq!(ana.pays("double", 1).await, 10_000);
    let release = "/v1/packages/shop/goods/1.0.0";
    let got = stage.http.get(format!("{}{release}/component", stage.url)).bearer_auth(&ana.token);
    assert_eq!(got.send().await.unwrap().status(), 200);
    for (path, body) in [("licenses", json!({ "item": "plan:team" })), ("tips", json!({ "usd": "1" }))] {
        assert_eq!(ana.post(&format!("{release}/{path}"), &body).await.status, 200, "{path}");
    }
    let (sales, paid) = (charged(&stage).await, 10_000 + 500_000 + 2_000_000 + 1_000_000);
    assert_eq!((sales.len(), available(&stage, &ana.account).await), (4, 10_000_000 - paid));
    for sale in &sales {
        let sums = |reply: Reply| {
            let body = reply.json();
            ["refunded", "total", "charged"].map(|key| body[key]["usd"].as_str().unwrap().to_owned())
        };
        // In all, so that asking again gives nothing more.
        for refunded in ["0.003333", "0"] {
            let charged = sums(refund(&stage, sale, Some("0.003333")).await);
            assert_eq!((charged[0].as_str(), charged[1].as_str()), (refunded, "0.003333"), "{sale}");
        }
        refund(&stage, sale, Some("5")).await.assert_problem(409, "refund-too-much");
        assert_eq!(sums(refund(&stage, sale, Some("0.005")).await)[0], "0.001667");
        let whole = sums(refund(&stage, sale, None).await);
        assert_eq!(whole[1], whole[2], "{sale}");
        assert_eq!(sums(refund(&stage, sale, None).await)[0], "0");
        assert_eq!(sums(refund(&stage, sale, Some("0.001")).await)[1], whole[1], "nothing is taken again");
    }
    assert_eq!((earned(&stage).await, available(&stage, &ana.account).await), (0, 10_000_000));
    for receiver in [Account::Operator, Account::Payee("acct:ana@shop.example".into())] {
        let balance = stage.store().balance(&receiver).await.unwrap();
        assert_eq!(balance.credits, balance.debits, "{receiver}: to the last unit");
    }
    let earnings = stage.get("/v1/earnings?by=export&receiver=acct:ana@shop.example").await.json();
    assert_eq!((&earnings["total_usd"], earnings["earnings"].as_array().unwrap().len()), (&json!("0"), 4));
    for query in ["", "?package=shop:goods", "?by=day&from=2020-01-01"] {
        let earnings = stage.get(&format!("/v1/earnings{query}")).await.json();
        assert_eq!(earnings["total_usd"], "0", "{query}");
        for row in earnings["earnings"].as_array().unwrap() {
            assert_eq!(row["usd"], row["reversed_usd"], "{query}");
        }
    }
    let actions = crate::company::ask(&stage, "/v1/operate/actions").await.json();
    assert_eq!(actions["actions"].as_array().unwrap().len(), 3 * sales.len());
    for (call, reason, status, code) in
        [("0123", "x", 404, "call-not-charged"), (sales.first().unwrap(), " ", 400, "reason-invalid")]
    {
        let body = json!({ "call": call, "reason": reason });
        operate(&stage, "/refunds", &body).await.assert_problem(status, code);
    }
    stage
        .post("/v1/operate/refunds", &json!({ "call": "0123", "reason": "x" }))
        .await
        .assert_problem(401, "operator-only");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_half_way_is_given_once_and_goes_back_as_it_came() {
    for moment in MOMENTS {
        let stage = Stage::new().await;
        let buyer = stage.buyer("ana", 1).await;
        let reply = buyer.pay(&bench("double"), json!([21]), "first").await;
        let call = reply.json()["call"].as_str().unwrap().to_owned();
        let before = stage.balance(buyer.wallet.address()).await;
        assert_eq!(before, 1_000_000 - 2_000);
        let ask = async || refund(&stage, &call, None).await;
        let refunded = stage.ask_twice("refund", moment, ask).await.json();
        assert_eq!(refunded["total"]["amount"], "2000", "{refunded}");
        let again = if moment == Moment::After { "0" } else { "2000" };
        assert_eq!(refunded["refunded"]["amount"], again, "{moment:?}");
        stage.registry.reconcile().await;
        assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000, "{moment:?}");
        assert_eq!(earned(&stage).await, 0, "{moment:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_voucher_promises_goes_back_once_it_is_claimed() {
    let stage = Stage::without_sweep().await;
    let mut payer = Payer::with_channel(&stage, "ana").await;
    let order = payer.order(Way::Voucher, "double", json!({ "args": [21] }), "first").await;
    let call = payer.pays(&order).await.json()["call"].as_str().unwrap().to_owned();
    refund(&stage, &call, None).await.assert_problem(409, "refund-waits");
    stage.registry.claim_channels().await.unwrap();
    for _ in 0..3 {
        stage.devnet().weather().mine(4).await.unwrap();
        stage.registry.reconcile().await;
    }
    assert_eq!(refund(&stage, &call, None).await.json()["refunded"]["amount"], "2000");
    let before = stage.balance(payer.address()).await;
    stage.registry.reconcile().await;
    assert_eq!(stage.balance(payer.address()).await, before + 2_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_back_whole_is_had_no_more() {
    let stage = Stage::empty().await;
    let all = ALL.replace("\"execute:*\"", "\"execute:*\", \"download:*\"");
    let files = goods("LicenseRef-Shop", "execute = [\"remote\", \"local\"]", &format!("{all}{PAYEE}"));
    stage.publish(&files).await;
    let release = "/v1/packages/shop/goods/1.0.0";
    let component = async |header: (&str, &str)| {
        let request = stage.http.get(format!("{}{release}/component", stage.url)).header(header.0, header.1);
        Reply::of(request.send().await.unwrap()).await
    };
    let ana = Customer::with(&stage, "ana", "10").await;
    let bought = ana.post(&format!("{release}/licenses"), &json!({ "item": "plan:team" })).await.json();
    let sale = charged(&stage).await.pop_first().unwrap();
    let shown = format!("License {}", x402::encode(&bought["license"]));
    let bearer = format!("Bearer {}", ana.token);
    let has_plan = async |n: u32| {
        let by_licence = component(("authorization", &shown)).await;
        (ana.pays("double", n).await == 0, by_licence.status == 200)
    };
    assert_eq!(has_plan(1).await, (true, true));
    assert_eq!(component(("authorization", &bearer)).await.status, 200);
    refund(&stage, &sale, Some("1.999999")).await;
    assert_eq!(has_plan(2).await, (true, true), "a part of it is still paid for");
    refund(&stage, &sale, None).await;
    assert_eq!(has_plan(3).await, (false, false));
    component(("authorization", &shown)).await.assert_problem(402, "payment-required");

    // A download, for who signs in and who shows the payment again.
    let buyer = stage.buyer("ben", 5).await;
    let before = charged(&stage).await;
    let buy = async |nonce: &str| {
        let asked = stage.http.get(format!("{}{release}/component", stage.url)).send().await.unwrap();
        let asked = Reply::of(asked).await;
        let challenge = sign_in::read(asked.required().extensions.as_ref()).unwrap();
        let signed_in = x402::encode(&challenge.answer(&buyer.wallet, devnet::NETWORK));
        (x402::encode(&buyer.answer(&asked.required(), nonce)), signed_in)
    };
    let (payment, signed_in) = buy("first").await;
    assert_eq!(component((x402::PAYMENT_SIGNATURE, &payment)).await.status, 200);
    for header in [(x402::PAYMENT_SIGNATURE, &payment), (sign_in::HEADER, &signed_in)] {
        assert_eq!(component((header.0, header.1)).await.status, 200, "{}", header.0);
    }
    let sale = charged(&stage).await.difference(&before).next().unwrap().clone();
    refund(&stage, &sale, None).await;
    component((x402::PAYMENT_SIGNATURE, &payment)).await.assert_problem(402, "payment-invalid");
    component((sign_in::HEADER, &signed_in)).await.assert_problem(402, "payment-required");
    // Who pays again has it again.
    let (payment, signed_in) = buy("second").await;
    for header in [(x402::PAYMENT_SIGNATURE, &payment), (sign_in::HEADER, &signed_in)] {
        assert_eq!(component((header.0, header.1)).await.status, 200, "{}", header.0);
    }
    stage.registry.reconcile().await;
    stage.assert_sound().await;
}
