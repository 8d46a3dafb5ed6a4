//! Payments made by the stock SDKs are read, checked and repeated to the byte.

use alloy_primitives::{U256, hex};
use glassbox_pay::eip712::{Domain, SignatureError, Transfer, recover, transfer_digest};
use glassbox_pay::x402::{decode, encode};
use glassbox_pay::{PaymentPayload, PaymentRequired, SettleResponse, Wallet, devnet, exact};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/stock-payments.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text"))
}

#[test]
fn stock_payments_pass_the_check() {
    let vectors = vectors();
    let payments = vectors["payments"].as_array().unwrap();
    assert_eq!(payments.len(), 11);
    for vector in payments {
        let payload: PaymentPayload = decode(text(vector, "payment_signature_header")).unwrap();
        assert_eq!(serde_json::to_value(&payload).unwrap(), vector["payload"], "nothing is lost in reading");
        let valid_before: u64 = payload.exact().unwrap().authorization.valid_before.parse().unwrap();
        let authorization = exact::check(&payload, &payload.accepted, valid_before - 30, 1_000).unwrap();
        assert_eq!(authorization.key.payer.to_checksum(None), text(vector, "address"));
        assert_eq!(authorization.amount, payload.accepted.amount().unwrap());
    }
}

#[test]
fn our_wallet_signs_what_the_stock_wallets_sign() {
    for vector in vectors()["payments"].as_array().unwrap() {
        let payload: PaymentPayload = decode(text(vector, "payment_signature_header")).unwrap();
        let theirs = payload.exact().unwrap();
        let wallet = Wallet::from_hex(text(vector, "private_key")).unwrap();
        assert_eq!(wallet.address().to_checksum(None), text(vector, "address"));
        let valid_before: u64 = theirs.authorization.valid_before.parse().unwrap();
        let now_s = valid_before - payload.accepted.max_timeout_seconds;
        let nonce = theirs.authorization.nonce.parse().unwrap();
        let ours =
            wallet.sign_exact_with_nonce(&payload.accepted, None, now_s, nonce).unwrap().exact().unwrap();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn digests_are_those_of_viem() {
    let vectors = vectors();
    let with_digest =
        vectors["payments"].as_array().unwrap().iter().filter(|vector| vector["digest"].is_string());
    let mut checked = 0;
    for vector in with_digest {
        let exact =
            decode::<PaymentPayload>(text(vector, "payment_signature_header")).unwrap().exact().unwrap();
        let domain = Domain {
            name: devnet::SIGNING_NAME.to_owned(),
            version: devnet::SIGNING_VERSION.to_owned(),
            chain_id: devnet::NETWORK.chain_id,
            verifying_contract: devnet::ASSET,
        };
        let transfer = Transfer {
            from: exact.authorization.from.parse().unwrap(),
            to: exact.authorization.to.parse().unwrap(),
            value: exact.authorization.value.parse().unwrap(),
            valid_after: exact.authorization.valid_after.parse().unwrap(),
            valid_before: exact.authorization.valid_before.parse().unwrap(),
            nonce: exact.authorization.nonce.parse().unwrap(),
        };
        let digest = transfer_digest(&domain, &transfer);
        assert_eq!(digest.to_string(), text(vector, "digest"));
        let signature = hex::decode(&exact.signature).unwrap();
        assert_eq!(recover(digest, &signature), Ok(transfer.from));
        let order =
            U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
        let mut twin = signature.clone();
        twin[32..64].copy_from_slice(&(order - U256::from_be_slice(&signature[32..64])).to_be_bytes::<32>());
        twin[64] = 55 - twin[64];
        assert_eq!(recover(digest, &twin), Err(SignatureError::HighS));
        assert_eq!(recover(digest, &signature[..64]), Err(SignatureError::Length));
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn offers_and_answers_are_read_and_written_as_stock() {
    let vectors = vectors();
    for vector in vectors["payments"].as_array().unwrap() {
        if let Some(header) = vector["payment_required_header"].as_str() {
            let required: PaymentRequired = decode(header).unwrap();
            assert_eq!(decode::<Value>(&encode(&required)), decode::<Value>(header));
            assert_eq!(
                required.accepts[0],
                decode::<PaymentPayload>(text(vector, "payment_signature_header")).unwrap().accepted
            );
        }
    }
    for vector in vectors["responses"].as_array().unwrap() {
        let response: SettleResponse = decode(text(vector, "header")).unwrap();
        assert_eq!(serde_json::to_value(&response).unwrap(), vector["response"]);
    }
}
