//! Every way in which a payment is not the one asked for: its code, and that nothing moved.

use glassbox_pay::{Authorization, ErrorCode, Facilitator, PaymentKey, PaymentPayload, Settlement, payment};
use serde_json::{Value, json};

use crate::stage::{START_S, Stage, TIMEOUT_S, wallet};

/// Changes a good payment of 2,000 and expects the check, the verification and the settlement to refuse it alike.
async fn refused(code: ErrorCode, change: impl FnOnce(&mut PaymentPayload)) {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let mut payload = stage.sign(&offered, 1);
    change(&mut payload);
    let rejection = payment::check(&payload, &offered, START_S, 1_000).unwrap_err();
    assert_eq!(rejection.code, code, "{rejection}");
    assert_eq!(stage.rail.verify(&payload, &offered).await.unwrap_err().code, code);
    match stage.rail.settle(&payload, &offered, offered.amount().unwrap()).await {
        Settlement::Rejected(rejection) => assert_eq!(rejection.code, code),
        other => panic!("{other:?}"),
    }
    assert_eq!((stage.payee_has().await, stage.devnet.transfers().await.unwrap().len()), (0, 1));
}

/// Sets a field of the signed authorization without signing again.
fn set(payload: &mut PaymentPayload, field: &str, value: impl Into<Value>) {
    payload.payload["authorization"][field] = value.into();
}

#[tokio::test]
async fn a_good_payment_passes() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let mut payload = stage.sign(&offered, 1);
    // A client may write addresses in lower case and add to what it echoes.
    payload.accepted.pay_to = payload.accepted.pay_to.to_lowercase();
    payload.accepted.extra.insert("mine".to_owned(), json!(1));
    let Authorization::Exact(authorization) = payment::check(&payload, &offered, START_S, 1_000).unwrap()
    else {
        panic!("another scheme")
    };
    assert_eq!((authorization.amount.0, authorization.to), (2_000, stage.payee));
    let verified = stage.rail.verify(&payload, &offered).await.unwrap();
    assert_eq!((verified.payer, verified.key), (stage.payer.address(), authorization.key));
}

#[tokio::test]
async fn tampered_offers() {
    refused(ErrorCode::InvalidX402Version, |payload| payload.x402_version = 1).await;
    refused(ErrorCode::UnsupportedScheme, |payload| payload.accepted.scheme = "upto".to_owned()).await;
    refused(ErrorCode::InvalidNetwork, |payload| payload.accepted.network = "eip155:8453".to_owned()).await;
    let code = ErrorCode::InvalidPaymentRequirements;
    refused(code.clone(), |payload| payload.accepted.amount = "1".to_owned()).await;
    refused(code.clone(), |payload| payload.accepted.amount = "02000".to_owned()).await;
    refused(code.clone(), |payload| payload.accepted.asset = wallet("other").address().to_string()).await;
    refused(code.clone(), |payload| payload.accepted.pay_to = wallet("other").address().to_string()).await;
    refused(code.clone(), |payload| payload.accepted.max_timeout_seconds += 1).await;
    refused(code.clone(), |payload| payload.accepted.extra["name"] = json!("USD Coin")).await;
    refused(code, |payload| payload.accepted.extra.clear()).await;
}

#[tokio::test]
async fn tampered_authorizations() {
    let other = wallet("other").address().to_string();
    refused(ErrorCode::RecipientMismatch, |payload| set(payload, "to", other.clone())).await;
    refused(ErrorCode::ValueMismatch, |payload| set(payload, "value", "1999")).await;
    refused(ErrorCode::ValueMismatch, |payload| set(payload, "value", "2001")).await;
    refused(ErrorCode::Signature, |payload| set(payload, "from", other)).await;
    refused(ErrorCode::Signature, |payload| set(payload, "nonce", format!("0x{}", "00".repeat(32)))).await;
    refused(ErrorCode::Signature, |payload| set(payload, "validBefore", "99999999999")).await;
}

#[tokio::test]
async fn malformed_numbers() {
    let two_to_the_256th = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    for value in [
        "0",
        "-1",
        "",
        "02000",
        "2000.0",
        "2e3",
        "+2000",
        " 2000",
        "0x7d0",
        two_to_the_256th,
        &"9".repeat(500),
    ] {
        refused(ErrorCode::InvalidPayload, |payload| set(payload, "value", value)).await;
    }
    refused(ErrorCode::InvalidPayload, |payload| set(payload, "value", 2000)).await;
    refused(ErrorCode::InvalidPayload, |payload| set(payload, "validAfter", "-1")).await;
    refused(ErrorCode::InvalidPayload, |payload| set(payload, "validBefore", two_to_the_256th)).await;
    refused(ErrorCode::InvalidPayload, |payload| set(payload, "nonce", "0x00")).await;
    refused(ErrorCode::InvalidPayload, |payload| set(payload, "from", "vitalik.eth")).await;
    refused(ErrorCode::InvalidPayload, |payload| payload.payload.clear()).await;
}

#[tokio::test]
async fn bad_signatures() {
    let sign = |text: String| move |payload: &mut PaymentPayload| payload.payload["signature"] = text.into();
    refused(ErrorCode::Signature, sign("0x".to_owned())).await;
    refused(ErrorCode::Signature, sign("rubbish".to_owned())).await;
    refused(ErrorCode::Signature, sign(format!("0x{}", "00".repeat(65)))).await;
    refused(ErrorCode::Signature, sign(format!("0x{}", "ff".repeat(65)))).await;
    refused(ErrorCode::Signature, sign(format!("0x{}", "11".repeat(400)))).await;
    refused(ErrorCode::Signature, |payload| flip(payload, |bytes| bytes[5] ^= 1)).await;
    // The other recovery byte, and the dialect without 27.
    refused(ErrorCode::Signature, |payload| flip(payload, |bytes| bytes[64] = 55 - bytes[64])).await;
    refused(ErrorCode::Signature, |payload| flip(payload, |bytes| bytes[64] -= 27)).await;
}

#[tokio::test]
async fn the_high_s_twin_of_a_good_signature() {
    refused(ErrorCode::Signature, |payload| {
        flip(payload, |bytes| {
            let order = alloy_primitives::U256::from_be_bytes(alloy_primitives::hex!(
                "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
            ));
            let s = alloy_primitives::U256::from_be_slice(&bytes[32..64]);
            bytes[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
            bytes[64] = 55 - bytes[64];
        });
    })
    .await;
}

fn flip(payload: &mut PaymentPayload, change: impl FnOnce(&mut [u8])) {
    let mut bytes = alloy_primitives::hex::decode(payload.payload["signature"].as_str().unwrap()).unwrap();
    change(&mut bytes);
    payload.payload["signature"] = alloy_primitives::hex::encode_prefixed(bytes).into();
}

#[tokio::test]
async fn signed_for_another_token_chain_or_time() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    // Signs another offer, and claims it is ours.
    for (field, value) in [("asset", json!(stage.payee.to_string())), ("network", json!("eip155:8453"))] {
        let mut other = serde_json::to_value(&offered).unwrap();
        other[field] = value;
        let mut payload = stage.sign(&serde_json::from_value(other).unwrap(), 1);
        payload.accepted = offered.clone();
        assert_eq!(stage.rail.verify(&payload, &offered).await.unwrap_err().code, ErrorCode::Signature);
    }
    let payload = stage.sign(&offered, 1);
    let code_at =
        |now_s, run_ms| payment::check(&payload, &offered, now_s, run_ms).err().map(|refused| refused.code);
    assert_eq!(code_at(START_S, 30_000), None);
    assert_eq!(code_at(START_S, 54_000), None);
    assert_eq!(code_at(START_S, 54_001), Some(ErrorCode::ValidBefore), "the run must be covered");
    assert_eq!(code_at(START_S + TIMEOUT_S, 0), Some(ErrorCode::ValidBefore));
    assert_eq!(code_at(u64::MAX, u64::MAX), Some(ErrorCode::ValidBefore));
    assert_eq!(code_at(0, 0), Some(ErrorCode::ValidAfter));
}

#[test]
fn payment_keys_have_one_text() {
    let text = format!("eip155:84532/0x{}/0x{}/0x{}", "ab".repeat(20), "cd".repeat(20), "ef".repeat(32));
    let key: PaymentKey = text.parse().unwrap();
    assert_eq!(key.to_string(), text);
    for wrong in [
        "",
        "eip155:84532",
        &text.to_uppercase(),
        &text.replace("ab", "AB"),
        &format!("{text}/"),
        &text[..90],
    ] {
        assert!(wrong.parse::<PaymentKey>().is_err(), "{wrong}");
    }
}
