//! Version 1 of x402: what its stock package reads and signs.

use glassbox_core::Atomic;
use glassbox_pay::x402::{SettleResponse, decode, v1};
use glassbox_pay::{Authorization, ErrorCode, Network, PaymentRequired, PaymentRequirements, exact, payment};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/stock-v1.json")).unwrap()
}

fn offered() -> PaymentRequirements {
    serde_json::from_value(json!({
        "scheme": "exact", "network": "eip155:84532", "amount": "2000", "maxTimeoutSeconds": 600,
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "payTo": "0x17c5185167401eD00cF5F5b2fc97D9BBfDb7D025",
        "extra": {"name": "USDC", "version": "2"},
    }))
    .unwrap()
}

fn payment() -> v1::Payment {
    decode(vectors()["header"].as_str().unwrap()).unwrap()
}

#[test]
fn the_402_body_is_what_the_stock_client_reads() {
    let mut upto = offered();
    upto.scheme = "upto".to_owned();
    let mut unnamed = offered();
    unnamed.network = "eip155:31337".to_owned();
    let mut by_permit2 = offered();
    by_permit2.extra.insert("assetTransferMethod".to_owned(), json!("permit2"));
    let mut required: PaymentRequired = serde_json::from_value(json!({
        "x402Version": 2, "error": "a payment is needed", "accepts": [],
        "resource": {"url": "http://127.0.0.1:8402/v1/call", "description": "A call", "mimeType": "application/json"},
    }))
    .unwrap();
    required.accepts = vec![upto.clone(), unnamed.clone(), by_permit2.clone(), offered()];
    let body = v1::required(&required).unwrap();
    assert_eq!(serde_json::to_value(&body).unwrap(), vectors()["required"]);
    assert_eq!(serde_json::from_value::<v1::PaymentRequired>(vectors()["required"].clone()).unwrap(), body);
    required.accepts = vec![upto, unnamed, by_permit2];
    assert_eq!(v1::required(&required), None, "version 1 cannot pay these");
}

#[test]
fn a_stock_payment_is_taken_as_one_of_our_offer() {
    let payload = v1::payment(payment(), &offered()).unwrap();
    let Authorization::Exact(authorization) =
        payment::check(&payload, &offered(), 1_800_000_000, 30_000).unwrap()
    else {
        panic!("another scheme")
    };
    assert_eq!(authorization.amount, Atomic(2_000));
    assert_eq!(authorization.key.payer.to_string(), "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");

    // It does not say which offer it takes, so what it signs decides.
    let mut dearer = offered();
    dearer.amount = "2001".to_owned();
    let payload = v1::payment(payment(), &dearer).unwrap();
    assert_eq!(exact::read(&payload, &dearer).unwrap_err().code, ErrorCode::ValueMismatch);
}

#[test]
fn other_versions_schemes_and_networks_are_refused() {
    let refused = |change: fn(&mut v1::Payment, &mut PaymentRequirements)| {
        let (mut payment, mut offered) = (payment(), offered());
        change(&mut payment, &mut offered);
        v1::payment(payment, &offered).unwrap_err().code
    };
    assert_eq!(refused(|payment, _| payment.x402_version = 2), ErrorCode::InvalidX402Version);
    assert_eq!(refused(|payment, _| payment.scheme = "upto".to_owned()), ErrorCode::UnsupportedScheme);
    assert_eq!(refused(|payment, _| payment.network = "base".to_owned()), ErrorCode::InvalidNetwork);
    assert_eq!(refused(|payment, _| payment.network = "eip155:84532".to_owned()), ErrorCode::InvalidNetwork);
    assert_eq!(refused(|_, offered| offered.scheme = "upto".to_owned()), ErrorCode::UnsupportedScheme);
    assert_eq!(refused(|_, offered| offered.network = "eip155:8453".to_owned()), ErrorCode::InvalidNetwork);
}

#[test]
fn settlements_are_told_by_the_networks_name() {
    let stock = &vectors()["response"];
    let mut told = stock.clone();
    told["network"] = json!("eip155:84532");
    told["amount"] = json!("2000");
    let told: SettleResponse = serde_json::from_value(told).unwrap();
    assert_eq!(serde_json::to_value(v1::settle_response(&told)).unwrap(), *stock);
}

#[test]
fn networks_have_the_names_of_the_stock_package() {
    for (name, chain_id) in vectors()["networks"].as_object().unwrap() {
        let network = Network { chain_id: chain_id.as_u64().unwrap() };
        assert_eq!((v1::network(name), v1::network_name(network)), (Some(network), Some(name.as_str())));
    }
    assert_eq!((v1::network("solana"), v1::network_name(Network { chain_id: 31_337 })), (None, None));
}
