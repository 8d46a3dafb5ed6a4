//! Payments and offers by somebody who means harm: each is refused with its code, and none panics.

use alloy_primitives::{B256, U256};
use glassbox_core::Atomic;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::x402::extensions;
use glassbox_pay::{ErrorCode, PaymentPayload, PaymentRequirements, payment};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stage::{stock_payment, stock_schemes, wallet};

const NOW_S: u64 = 1_800_000_000;

const TWO_TO_THE_256TH: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639936";

const OTHER: &str = "0x00000000000000000000000000000000000000AA";

/// Changes one field of a stock payment, and expects it to be refused with the code by our own offer.
fn refused(name: &str, path: &str, value: Value, code: &ErrorCode) {
    let payload = stock_payment(name);
    let offered = payload.accepted.clone();
    let mut changed = serde_json::to_value(&payload).unwrap();
    *changed.pointer_mut(path).unwrap_or_else(|| panic!("{name} has {path}")) = value.clone();
    let changed: PaymentPayload = serde_json::from_value(changed).unwrap();
    let rejection = payment::check(&changed, &offered, NOW_S, 1_000).unwrap_err();
    assert_eq!(rejection.code, *code, "{name}: {path} = {value}: {rejection}");
}

const ALL: [&str; 5] =
    ["exact by permit2", "upto", "batch deposit", "batch deposit by permit2", "batch voucher"];

#[test]
fn another_offer_than_ours_was_taken() {
    for name in ALL {
        let of = |path, value, code| refused(name, path, value, &code);
        of("/x402Version", json!(1), ErrorCode::InvalidX402Version);
        of("/accepted/scheme", json!("auth-capture"), ErrorCode::UnsupportedScheme);
        of("/accepted/network", json!("eip155:8453"), ErrorCode::InvalidNetwork);
        let code = ErrorCode::InvalidPaymentRequirements;
        of("/accepted/amount", json!("1"), code.clone());
        of("/accepted/amount", json!("050000"), code.clone());
        of("/accepted/asset", json!(OTHER), code.clone());
        of("/accepted/payTo", json!(OTHER), code.clone());
        of("/accepted/maxTimeoutSeconds", json!(1), code.clone());
        of("/accepted/extra", json!({}), code.clone());
        of("/accepted/extra/name", json!("USD Coin"), code);
        of(
            "/payload",
            json!({}),
            if name.starts_with("batch") { ErrorCode::BatchPayloadType } else { ErrorCode::InvalidPayload },
        );
    }
    let code = ErrorCode::InvalidPaymentRequirements;
    refused("upto", "/accepted/extra/facilitatorAddress", json!(OTHER), &code);
    refused("batch voucher", "/accepted/extra/receiverAuthorizer", json!(OTHER), &code);
    refused("batch voucher", "/accepted/extra/withdrawDelay", json!(900), &code);
}

#[test]
fn another_payment_by_permit2_than_the_one_offered() {
    let at = |field: &str| format!("/payload/permit2Authorization/{field}");
    for name in ["exact by permit2", "upto"] {
        let of = |field, value: &str, code| refused(name, &at(field), json!(value), &code);
        of("spender", OTHER, ErrorCode::Permit2Spender);
        of("witness/to", OTHER, ErrorCode::Permit2RecipientMismatch);
        of("permitted/token", OTHER, ErrorCode::Permit2TokenMismatch);
        of("permitted/amount", "49999", ErrorCode::Permit2AmountMismatch);
        of("permitted/amount", "0", ErrorCode::Permit2AmountMismatch);
        for number in ["permitted/amount", "nonce", "deadline", "witness/validAfter"] {
            for wrong in ["-1", "", "01", "1.0", "1e3", " 1", "+1", "0x1", TWO_TO_THE_256TH] {
                of(number, wrong, ErrorCode::InvalidPayload);
            }
            refused(name, &at(number), json!(1), &ErrorCode::InvalidPayload);
        }
        of("from", OTHER, ErrorCode::Permit2Signature);
        of("from", "vitalik.eth", ErrorCode::InvalidPayload);
        of("nonce", "7", ErrorCode::Permit2Signature);
        of("deadline", "99999999999", ErrorCode::Permit2Signature);
        of("witness/validAfter", "1", ErrorCode::Permit2Signature);
        refused(name, "/payload/signature", json!("0x"), &ErrorCode::Permit2Signature);
    }
    refused("upto", &at("witness/facilitator"), json!(OTHER), &ErrorCode::UptoFacilitatorMismatch);
    // One scheme's authorization under the other's name.
    let (mut upto, exact) = (stock_payment("upto"), stock_payment("exact by permit2"));
    upto.payload = exact.payload;
    assert_eq!(payment::read(&upto, &upto.accepted).unwrap_err().code, ErrorCode::InvalidPayload);
}

#[test]
fn an_allowance_that_is_not_for_this_payment() {
    let names = [
        ("exact by permit2, gasless", ErrorCode::Permit2612AmountMismatch),
        ("upto, gasless", ErrorCode::Permit2612AmountMismatch),
        ("batch deposit by permit2, gasless", ErrorCode::BatchEip2612AmountMismatch),
    ];
    for (name, other_amount) in names {
        let of = |field: &str, value: Value, code| {
            refused(name, &format!("/extensions/eip2612GasSponsoring/info/{field}"), value, &code);
        };
        of("from", json!(OTHER), ErrorCode::Eip2612FromMismatch);
        of("asset", json!(OTHER), ErrorCode::Eip2612AssetMismatch);
        of("spender", json!(OTHER), ErrorCode::Eip2612SpenderNotPermit2);
        of("amount", json!("1"), other_amount);
        for field in ["from", "asset", "spender", "amount", "nonce", "deadline", "signature"] {
            for wrong in [json!(null), json!(1), json!("-1"), json!({})] {
                let code = if field == "asset" && wrong.is_string() {
                    ErrorCode::Eip2612AssetMismatch
                } else {
                    ErrorCode::Eip2612Format
                };
                of(field, wrong, code);
            }
        }
        of("nonce", json!("4"), ErrorCode::Eip2612Format);
    }
}

#[test]
fn another_channel_than_one_of_ours() {
    for name in ["batch deposit", "batch deposit by permit2", "batch voucher", "batch refund"] {
        let of = |path: &str, value: Value, code| refused(name, &format!("/payload/{path}"), value, &code);
        of("type", json!("claim"), ErrorCode::BatchPayloadType);
        of("type", json!(null), ErrorCode::BatchPayloadType);
        of("voucher/channelId", json!("0x00"), ErrorCode::BatchChannelIdInvalid);
        of("voucher/channelId", json!(B256::ZERO.to_string()), ErrorCode::BatchChannelIdMismatch);
        for field in ["payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token"] {
            of(&format!("channelConfig/{field}"), json!(OTHER), ErrorCode::BatchChannelIdMismatch);
            of(&format!("channelConfig/{field}"), json!("0x00"), ErrorCode::InvalidPayload);
        }
        of("channelConfig/withdrawDelay", json!(900), ErrorCode::BatchChannelIdMismatch);
        for wrong in [json!(-1), json!(1.5), json!("900"), json!(1_u64 << 40), json!(u64::MAX)] {
            of("channelConfig/withdrawDelay", wrong, ErrorCode::InvalidPayload);
        }
        of("voucher/signature", json!("0x"), ErrorCode::BatchVoucherSignature);
        of("voucher/maxClaimableAmount", json!("1"), ErrorCode::BatchVoucherSignature);
        for wrong in ["-1", "", "01", "1.0", TWO_TO_THE_256TH, "340282366920938463463374607431768211456"] {
            of("voucher/maxClaimableAmount", json!(wrong), ErrorCode::InvalidPayload);
        }
    }
    refused("batch voucher", "/payload/voucher/maxClaimableAmount", json!("0"), &ErrorCode::InvalidPayload);
    for wrong in ["0", "-1", "01", "everything"] {
        let code = ErrorCode::BatchRefundAmountInvalid;
        refused("batch refund of a part", "/payload/amount", json!(wrong), &code);
    }
}

/// A channel that hashes to its id and is signed, and is not what we offer.
#[test]
fn a_good_channel_of_somebody_else() {
    let payload = stock_payment("batch voucher");
    let payer = wallet("payer");
    let code = |change: fn(&mut PaymentRequirements)| {
        let mut theirs = payload.accepted.clone();
        change(&mut theirs);
        let channel = payer.channel(&theirs, B256::ZERO).unwrap();
        let mut signed = payer.sign_voucher(&theirs, None, &channel, Atomic(50_000)).unwrap();
        signed.accepted = payload.accepted.clone();
        payment::read(&signed, &payload.accepted).unwrap_err().code
    };
    assert_eq!(code(|it| it.pay_to = OTHER.to_owned()), ErrorCode::BatchReceiverMismatch);
    assert_eq!(code(|it| it.asset = OTHER.to_owned()), ErrorCode::BatchTokenMismatch);
    assert_eq!(code(|it| it.network = "eip155:8453".to_owned()), ErrorCode::BatchChannelIdMismatch);
    let authorizer = |it: &mut PaymentRequirements| it.extra["receiverAuthorizer"] = json!(OTHER);
    assert_eq!(code(authorizer), ErrorCode::BatchReceiverAuthorizerMismatch);
    let delay = |it: &mut PaymentRequirements| it.extra["withdrawDelay"] = json!(900);
    assert_eq!(code(delay), ErrorCode::BatchWithdrawDelayMismatch);

    // Even our own offer does not make a delay good that the contract refuses.
    for delay in [899, 2_592_001] {
        let mut ours = payload.accepted.clone();
        ours.extra["withdrawDelay"] = json!(delay);
        let channel = payer.channel(&ours, B256::ZERO).unwrap();
        let signed = payer.sign_voucher(&ours, None, &channel, Atomic(50_000)).unwrap();
        let rejection = payment::read(&signed, &ours).unwrap_err();
        assert_eq!(rejection.code, ErrorCode::BatchWithdrawDelayOutOfRange);
    }
}

#[test]
fn a_deposit_that_does_not_go_where_it_should() {
    let of = |path: &str, value: Value, code| {
        refused("batch deposit", &format!("/payload/deposit/{path}"), value, &code);
    };
    let at = |field: &str| format!("authorization/erc3009Authorization/{field}");
    let signature = ErrorCode::BatchReceiveAuthorizationSignature;
    of("amount", json!("1"), signature.clone());
    of("amount", json!("0"), ErrorCode::InvalidPayload);
    of("amount", json!(TWO_TO_THE_256TH), ErrorCode::InvalidPayload);
    of("authorization", json!({}), ErrorCode::BatchErc3009AuthorizationRequired);
    of(&at("salt"), json!("0x1"), signature.clone());
    for wrong in ["", "0x", "0xg", "1", &format!("0x{}", "1".repeat(65))] {
        of(&at("salt"), json!(wrong), ErrorCode::InvalidPayload);
    }
    of(&at("validBefore"), json!("99999999999"), signature.clone());
    of(&at("signature"), json!("0x"), signature);

    let of = |path: &str, value: Value, code| {
        refused("batch deposit by permit2", &format!("/payload/deposit/{path}"), value, &code);
    };
    let at = |field: &str| format!("authorization/permit2Authorization/{field}");
    of("authorization", json!({}), ErrorCode::BatchPermit2AuthorizationRequired);
    of("amount", json!("1"), ErrorCode::BatchPermit2AmountMismatch);
    of(&at("from"), json!(OTHER), ErrorCode::BatchPermit2InvalidSignature);
    of(&at("spender"), json!(OTHER), ErrorCode::BatchPermit2InvalidSpender);
    of(&at("permitted/token"), json!(OTHER), ErrorCode::BatchTokenMismatch);
    of(&at("permitted/amount"), json!("1"), ErrorCode::BatchPermit2AmountMismatch);
    of(&at("witness/channelId"), json!(B256::ZERO.to_string()), ErrorCode::BatchChannelIdMismatch);
    of(&at("nonce"), json!("7"), ErrorCode::BatchPermit2InvalidSignature);
    of(&at("signature"), json!("0x"), ErrorCode::BatchPermit2InvalidSignature);
}

#[test]
fn too_early_and_too_late() {
    let codes = [
        ("exact by permit2", ErrorCode::Permit2NotYetValid, ErrorCode::Permit2DeadlineExpired),
        ("upto", ErrorCode::Permit2NotYetValid, ErrorCode::Permit2DeadlineExpired),
        ("upto, gasless", ErrorCode::Permit2NotYetValid, ErrorCode::Permit2DeadlineExpired),
        ("batch deposit", ErrorCode::BatchValidAfter, ErrorCode::BatchValidBefore),
        ("batch deposit by permit2", ErrorCode::BatchValidAfter, ErrorCode::BatchPermit2DeadlineExpired),
    ];
    for (name, early, late) in codes {
        let payload = stock_payment(name);
        let at = |now_s, run_ms| {
            payment::check(&payload, &payload.accepted, now_s, run_ms).err().map(|refused| refused.code)
        };
        // The payment lives for 600 seconds, and 6 are for settling.
        assert_eq!(at(NOW_S, 594_000), None, "{name}");
        assert_eq!(at(NOW_S, 594_001), Some(late.clone()), "{name}");
        assert_eq!(at(NOW_S + 600, 0), Some(late.clone()), "{name}");
        assert_eq!(at(u64::MAX, u64::MAX), Some(late), "{name}");
        assert_eq!(at(0, 0), Some(early), "{name}");
    }
    let voucher = stock_payment("batch voucher");
    assert!(
        payment::check(&voucher, &voucher.accepted, u64::MAX, u64::MAX).is_ok(),
        "vouchers do not expire"
    );
}

#[test]
fn the_offer_that_was_taken_is_found() {
    let (upto, batch) = (stock_payment("upto"), stock_payment("batch voucher"));
    let offers = [upto.accepted.clone(), batch.accepted.clone()];
    assert_eq!(payment::taken(&batch, &offers).unwrap(), &batch.accepted);
    let refused = |change: fn(&mut PaymentRequirements)| {
        let mut payload = upto.clone();
        change(&mut payload.accepted);
        payment::taken(&payload, &offers).unwrap_err().code
    };
    assert_eq!(refused(|it| it.scheme = "exact".to_owned()), ErrorCode::UnsupportedScheme);
    assert_eq!(refused(|it| it.network = "eip155:1".to_owned()), ErrorCode::InvalidNetwork);
    assert_eq!(refused(|it| it.asset = OTHER.to_owned()), ErrorCode::InvalidPaymentRequirements);
}

/// JSON of any shape, with the words of payments in it more often than chance would have them.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        "(0x)?[0-9a-fA-F]{0,140}".prop_map(Value::from),
        "-?[0-9]{0,90}".prop_map(Value::from),
        Just(json!(TWO_TO_THE_256TH)),
        Just(json!("deposit")),
        Just(json!("permit2")),
    ];
    let name = prop_oneof![
        "[a-z]{0,8}",
        Just("permit2Authorization".to_owned()),
        Just("channelConfig".to_owned()),
        Just("voucher".to_owned()),
        Just("type".to_owned()),
        Just("info".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

/// Puts `value` at some place in a document, which `at` chooses.
fn graft(document: &mut Value, mut at: usize, value: Value) {
    let mut place = document;
    loop {
        let width = match &*place {
            Value::Object(map) => map.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        // One choice more than there are children: this place itself.
        let choice = at % (width + 1);
        at /= width + 1;
        let next = match place {
            _ if choice == width => return *place = value,
            Value::Object(map) => map.values_mut().nth(choice),
            Value::Array(items) => items.get_mut(choice),
            _ => None,
        };
        match next {
            Some(child) => place = child,
            None => unreachable!("the choice is below the width"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is grafted into a good payment, it is refused or is still the same payment.
    #[test]
    fn a_mutilated_payment_is_refused_or_the_same(which in 0..11_usize, grafts in prop::collection::vec((any::<usize>(), any_json()), 1..3)) {
        let vector = stock_schemes()["payments"][which]["payload"].clone();
        let whole: PaymentPayload = serde_json::from_value(vector.clone()).unwrap();
        let good = payment::read(&whole, &whole.accepted).unwrap();
        let mut changed = vector;
        for (at, value) in grafts {
            graft(&mut changed, at, value);
        }
        if let Ok(changed) = serde_json::from_value::<PaymentPayload>(changed)
            && let Ok(read) = payment::check(&changed, &whole.accepted, NOW_S, 1_000)
        {
            prop_assert_eq!((read.payer(), read.scheme(), read.key()), (good.payer(), good.scheme(), good.key()));
        }
    }

    /// An offer of somebody else's is signed or not; neither the wallet nor the check of its own signature panics.
    #[test]
    fn any_offer_is_signed_or_refused(which in 0..11_usize, at in any::<usize>(), value in any_json(), now_s in any::<u64>()) {
        let mut offered = stock_schemes()["payments"][which]["payload"]["accepted"].clone();
        graft(&mut offered, at, value);
        let Ok(offered) = serde_json::from_value::<PaymentRequirements>(offered) else { return Ok(()) };
        let wallet = wallet("payer");
        let (nonce, amount) = (B256::ZERO, Atomic(1));
        let mut signed = vec![
            wallet.sign_exact_with_nonce(&offered, None, now_s, nonce),
            wallet.sign_upto(&offered, None, now_s, nonce),
        ];
        if let Ok(channel) = wallet.channel(&offered, nonce) {
            let terms = DepositTerms { amount, salt: nonce, now_s };
            signed.push(wallet.sign_deposit(&offered, None, &channel, amount, &terms));
            signed.push(wallet.sign_voucher(&offered, None, &channel, amount));
        }
        for mut payload in signed.into_iter().flatten() {
            let _ = wallet.add_permit(&mut payload, U256::MAX);
            let _ = payment::check(&payload, &offered, now_s, 0);
        }
    }

    #[test]
    fn any_json_is_a_payment_or_refused(payload in any_json(), more in any_json(), which in 0..11_usize) {
        let mut whole = stock_schemes()["payments"][which]["payload"].clone();
        whole["payload"] = payload;
        whole["extensions"] = more;
        if let Ok(payload) = serde_json::from_value::<PaymentPayload>(whole) {
            prop_assert!(payment::read(&payload, &payload.accepted).is_err());
            let extensions = payload.extensions.as_ref();
            let _ = extensions::payment_identifier::read(extensions);
            let _ = extensions::offer_receipt::read_offers(extensions);
            let _ = extensions::offer_receipt::read_receipt(extensions);
        }
    }
}
