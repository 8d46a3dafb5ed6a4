//! A paid call: what is asked, what is paid, who gets it, what proves it.

use glassbox_core::{Atomic, Pico};
use serde_json::{Value, json};

use crate::buyer::bench;
use crate::packages::example;
use crate::stage::{FEE_BPS, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_call_asks_for_payment_in_the_words_of_x402() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.send(&bench("double"), &json!({ "args": [21] }), None).await;
    let problem = reply.assert_problem(402, "payment-required");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(problem["retry"], "with-payment");
    assert!(problem["next"].as_str().unwrap().contains("PAYMENT-SIGNATURE"), "{problem}");

    let required = reply.required();
    assert_eq!(problem["required"], serde_json::to_value(&required).unwrap());
    assert_eq!((required.x402_version, &required.error), (2, &None));
    assert_eq!(required.resource.url, format!("{}{}", stage.url, bench("double")));
    let schemes: Vec<&str> = required.accepts.iter().map(|offer| offer.scheme.as_str()).collect();
    assert_eq!(schemes, ["exact", "batch-settlement", "upto"], "the plain payment first");
    for offer in &required.accepts {
        assert_eq!((offer.network.as_str(), offer.amount.as_str()), ("eip155:84532", "2000"));
        assert_eq!(offer.pay_to, stage.devnet().treasury().to_string());
        assert_eq!((&offer.extra["name"], &offer.extra["version"]), (&json!("USDC"), &json!("2")));
    }
    let extensions: Vec<&String> = required.extensions.as_ref().unwrap().keys().collect();
    assert_eq!(extensions, ["bazaar", "eip2612GasSponsoring", "offer-receipt", "payment-identifier"]);
    // The first version of the protocol is answered in the body.
    assert_eq!(
        (&problem["x402Version"], &problem["accepts"][0]["network"]),
        (&json!(1), &json!("base-sepolia"))
    );
    // Where fuel decides, a ceiling first.
    let by_fuel = buyer.send(&bench("burn"), &json!({ "args": [1] }), None).await.required();
    let schemes: Vec<&str> = by_fuel.accepts.iter().map(|offer| offer.scheme.as_str()).collect();
    assert_eq!(schemes, ["upto", "batch-settlement", "exact"]);
    let descriptor = stage.get("/v1/registry").await.json();
    let mut told: Vec<&str> = descriptor["payment"]["schemes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|scheme| scheme.as_str())
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["batch-settlement", "exact", "upto"]);
    // Whoever asks for a quote is told the same.
    let quote = stage.get("/v1/quote/lab/bench/1.0.0/double").await.json();
    assert_eq!(quote["payment_required"], serde_json::to_value(reply.required()).unwrap());
    assert_eq!(quote["max"], json!({ "amount": "2000", "usd": "0.002" }));
    assert_eq!(quote["fee_bps"], FEE_BPS);
    assert_eq!(stage.payments().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_buys_the_output_and_moves_exactly_its_amount() {
    let stage = Stage::empty().await;
    stage.publish(&example("markdown")).await;
    let buyer = stage.buyer("payer", 1).await;
    let path = "/v1/call/docs/markdown/1.0.0/to-html";
    let reply = buyer.pay(path, json!({ "text": "# Hi *you*", "dialect": "github" }), "first").await;
    assert_eq!(reply.output(), "<h1>Hi <em>you</em></h1>\n");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json()["charged"], json!({ "amount": "2000", "usd": "0.002" }));

    let settlement = reply.settlement();
    assert!(settlement.success && settlement.error_reason.is_none());
    assert_eq!(settlement.payer, Some(buyer.wallet.address().to_checksum(None)));
    assert_eq!(settlement.amount.as_deref(), Some("2000"));
    let transfer = stage.devnet().transfers().await.unwrap().pop().unwrap();
    assert_eq!(transfer.transaction.to_string(), settlement.transaction);
    assert_eq!((transfer.from, transfer.amount), (buyer.wallet.address(), Atomic(2_000)));

    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - 2_000);
    assert_eq!(stage.balance(stage.devnet().treasury()).await, 2_000);
    stage.assert_sound().await;

    let (_, receipt) = reply.receipt();
    let payment = receipt.payment.unwrap();
    assert_eq!(payment.transaction, settlement.transaction);
    assert_eq!((payment.amount, payment.refund), (Atomic(2_000), Atomic::ZERO));
    // 5 percent of 2,000 micro-dollars for the operator, the rest 70 to 30, to the pico.
    let earnings = stage.get("/v1/earnings?package=docs:markdown").await.json();
    let row = |receiver: &str| -> Value {
        let rows = earnings["earnings"].as_array().unwrap();
        rows.iter().find(|row| row["receiver"] == receiver).unwrap_or_else(|| panic!("{earnings}"))["pico"]
            .clone()
    };
    assert_eq!(row("operator"), "100000000");
    assert_eq!(row("acct:ana@docs.example"), "1330000000");
    assert_eq!(row("acct:ben@docs.example"), "570000000");
    assert_eq!(earnings["total_usd"], "0.002");
    assert_eq!(earnings["play_money"], true);
    assert_eq!(receipt.split.iter().map(|share| share.amount.0).sum::<u128>(), Pico(2_000_000_000).0);

    // The reply can be fetched again by whoever knows the call's id.
    let call = reply.json()["call"].as_str().unwrap().to_owned();
    let again = stage.get(&format!("/v1/receipts/{call}")).await.json();
    assert_eq!((&again["output"], &again["receipt"]), (&reply.json()["output"], &reply.json()["receipt"]));
    let address = buyer.wallet.address().to_string();
    let balance = stage.get(&format!("/v1/balances/{address}")).await.json();
    assert_eq!(balance["balance"]["amount"], "998000");
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_per_fuel_charges_what_was_burnt_and_gives_the_rest_back() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 10).await;
    let mut spent = 0;
    for (rounds, fuel) in
        [(10u32, 50_000_000u64), (1_000_000, 50_000_000), (3, 1_000_000), (2_000_000, 90_000_000)]
    {
        let body = json!({ "args": [rounds], "fuel": fuel });
        let payment = buyer.sign(&bench("burn"), &body, &format!("{rounds}")).await;
        let reply = buyer.send(&bench("burn"), &body, Some(&payment)).await;
        assert_eq!(reply.output(), rounds);
        let (_, receipt) = reply.receipt();
        assert_eq!(receipt.fuel_max, fuel);
        // The price: 100 micro-dollars a million, at least 100.
        let ceiling = (u128::from(fuel) * 100).div_ceil(1_000_000).max(100);
        let owed = (u128::from(receipt.fuel_used) * 100).div_ceil(1_000_000).max(100);
        assert_eq!(receipt.charge.amount, Atomic(owed));
        let paid = receipt.payment.unwrap();
        assert_eq!((paid.amount.0, paid.refund.0), (ceiling, ceiling - owed));
        assert_eq!(reply.json()["charged"]["amount"], owed.to_string());
        spent += owed;
        // The refund is paid before the reply leaves, so the payer sees it at once.
        assert_eq!(stage.balance(buyer.wallet.address()).await, 10_000_000 - spent);
        stage.assert_sound().await;
    }
    assert_eq!(stage.balance(stage.devnet().treasury()).await, spent);
    // A ceiling that is out of range is refused before anything is asked for.
    for fuel in [0u64, 100_000_000_001, u64::MAX] {
        let reply = buyer.send(&bench("burn"), &json!({ "args": [1], "fuel": fuel }), None).await;
        reply.assert_problem(400, "fuel-ceiling-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_a_price_is_free_beside_priced_ones() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    assert_eq!(buyer.send(&bench("gift"), &body, None).await.output(), 42);
    // A payment that nobody asked for is not taken.
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    let reply = buyer.send(&bench("gift"), &body, Some(&payment)).await;
    assert_eq!(reply.output(), 42);
    assert_eq!(stage.payments().await, 0);
    assert_eq!(buyer.send(&bench("double"), &body, Some(&payment)).await.output(), 42);
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}
