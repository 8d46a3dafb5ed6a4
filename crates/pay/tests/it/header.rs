//! Headers: what is read, what is refused, and that nothing panics.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use glassbox_pay::x402::{HeaderError, decode, encode};
use glassbox_pay::{ErrorCode, PaymentPayload, PaymentRequired, SettleResponse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn response() -> SettleResponse {
    SettleResponse {
        success: false,
        error_reason: Some(ErrorCode::InsufficientFunds),
        error_message: None,
        payer: None,
        transaction: String::new(),
        network: "eip155:84532".to_owned(),
        amount: None,
        extra: None,
        extensions: None,
    }
}

#[test]
fn every_dialect_of_base64_is_read() {
    // `>>>???` gives plus and slash, which the URL-safe alphabet writes otherwise.
    for error in [">>>???", "a", "ab", "abc"] {
        let value = json!({"success": false, "errorReason": error, "transaction": "", "network": "eip155:1"});
        let json = value.to_string();
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
            let header = format!(" {} ", engine.encode(&json));
            let read: SettleResponse = decode(&header).unwrap();
            assert_eq!(read.error_reason, Some(ErrorCode::Other(error.to_owned())));
        }
    }
    assert_eq!(encode(&response()).len() % 4, 0, "we write padding");
}

#[test]
fn unknown_fields_are_ignored_and_extensions_kept() {
    let header = STANDARD.encode(
        json!({
            "x402Version": 2, "novelty": 1,
            "resource": {"url": "mcp://tool/x", "serviceName": "s"},
            "accepts": [{"scheme": "new", "network": "solana:x", "amount": "1", "asset": "y", "payTo": "z",
                         "maxTimeoutSeconds": 1, "later": {}}],
            "extensions": {"bazaar": {"info": [1, 2]}}
        })
        .to_string(),
    );
    let required: PaymentRequired = decode(&header).unwrap();
    assert_eq!(required.accepts[0].scheme, "new");
    assert_eq!(required.extensions.unwrap()["bazaar"], json!({"info": [1, 2]}));
}

#[test]
fn refusals_say_what_is_wrong() {
    let refused = |text: &str| decode::<PaymentPayload>(text).unwrap_err();
    assert!(matches!(refused("*"), HeaderError::Base64(_)));
    assert!(matches!(refused(""), HeaderError::Json(_)));
    assert_eq!(refused(&"A".repeat(70_000)), HeaderError::TooLong { length: 70_000 });
    assert!(refused(&STANDARD.encode("{}")).to_string().contains("x402Version"));
    // Deep nesting is stopped by the reader, not by the stack.
    assert!(matches!(refused(&STANDARD.encode("[".repeat(40_000))), HeaderError::Json(_)));
}

#[test]
fn error_codes_travel_verbatim() {
    for code in ErrorCode::ALL {
        let json = serde_json::to_value(code).unwrap();
        assert_eq!(json, Value::from(code.as_str()));
        assert_eq!(serde_json::from_value::<ErrorCode>(json).unwrap(), *code);
    }
    assert_eq!(ErrorCode::NonceAlreadyUsed.as_str(), "invalid_exact_evm_nonce_already_used");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = decode::<PaymentPayload>(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let header = STANDARD.encode(&bytes);
        let _ = decode::<PaymentPayload>(&header);
        let _ = decode::<PaymentRequired>(&header);
        let _ = decode::<SettleResponse>(&header);
    }

    /// A payment whose every text is anything is refused by the check and never panics it.
    #[test]
    fn any_words_are_checked(
        signature in "(0x)?[0-9a-fA-F]{0,140}|\\PC{0,20}", from in "0x[0-9a-f]{40}|\\PC{0,20}", to in "0x[0-9a-f]{40}|\\PC{0,20}",
        value in "[0-9]{0,90}|\\PC{0,20}", after in "[0-9]{0,90}|\\PC{0,20}", nonce in "0x[0-9a-f]{64}|\\PC{0,20}",
    ) {
        let offered = json!({"scheme": "exact", "network": "eip155:84532", "amount": "1", "maxTimeoutSeconds": 1,
            "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "payTo": to, "extra": {"name": "USDC", "version": "2"}});
        let payload: PaymentPayload = serde_json::from_value(json!({"x402Version": 2, "accepted": offered, "payload": {
            "signature": signature, "authorization": {"from": from, "to": to, "value": value, "validAfter": after,
            "validBefore": value, "nonce": nonce}}})).unwrap();
        prop_assert!(glassbox_pay::payment::check(&payload, &payload.accepted, 1_800_000_000, 0).is_err());
    }
}
