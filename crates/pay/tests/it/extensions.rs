//! Extensions: declared, signed and answered as the stock package does, and refused when they are not.

use glassbox_core::key::SecretKey;
use glassbox_core::limits::SIGN_IN_SECONDS_MAX;
use glassbox_pay::x402::extensions::bazaar::{self, Input, Output};
use glassbox_pay::x402::extensions::offer_receipt::{
    self, Issuer, Offer, Receipt, Signed, SignedError, Signer,
};
use glassbox_pay::x402::extensions::payment_identifier::{self, PaymentId};
use glassbox_pay::x402::extensions::sign_in::{self, Challenge, SignIn, SignInError};
use glassbox_pay::x402::extensions::{echo, gas_sponsoring};
use glassbox_pay::x402::{decode, encode};
use glassbox_pay::{ErrorCode, Wallet, devnet};
use serde_json::{Map, Value, json};

use crate::stage::stock_payment;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/stock-extensions.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text"))
}

fn wallet() -> Wallet {
    Wallet::from_hex(text(&vectors(), "key")).unwrap()
}

const NOW_S: i64 = 1_800_000_000;

#[test]
fn declarations_are_those_of_the_stock_package() {
    let stock = &vectors()["declarations"];
    assert_eq!(payment_identifier::declare(false), stock["identifier"]);
    assert_eq!(payment_identifier::declare(true), stock["identifier_required"]);
    assert_eq!(gas_sponsoring::declare(), stock["sponsoring"]);

    let schema = json!({"properties": {"text": {"type": "string"}}, "required": ["text"]});
    let mut whole = schema.clone();
    whole["type"] = json!("object");
    let example = json!({"text": "a b"});
    let output = Output {
        example: json!({"slug": "a-b"}),
        schema: json!({"properties": {"slug": {"type": "string"}}}),
    };
    let query = Input::Query { method: "GET", example: example.clone(), schema };
    assert_eq!(bazaar::declare(&query, Some(&output)), stock["bazaar_query"]);
    let body = Input::Body { method: "POST", example: example.clone(), schema: whole.clone() };
    assert_eq!(bazaar::declare(&body, Some(&output)), stock["bazaar_body"]);
    let tool = Input::Tool {
        name: "slug".to_owned(),
        description: "Makes a slug".to_owned(),
        example,
        schema: whole,
    };
    assert_eq!(bazaar::declare(&tool, None), stock["bazaar_tool"]);
}

#[test]
fn payment_ids_are_read_and_bounded() {
    let identified = &vectors()["identified"];
    let id = payment_identifier::read(identified.as_object()).unwrap().unwrap();
    assert_eq!(id.as_str(), "order_2026-11-21-0001");
    let mut ours = Map::new();
    ours.insert(payment_identifier::NAME.to_owned(), payment_identifier::declare(true));
    payment_identifier::write(&mut ours, &id);
    assert_eq!(Value::Object(ours), *identified);

    let read = |info: Value| {
        payment_identifier::read(json!({"payment-identifier": {"info": info}}).as_object())
            .map_err(|refused| refused.code)
    };
    assert_eq!(payment_identifier::read(None), Ok(None));
    assert_eq!(read(json!({"required": true})), Ok(None));
    for good in ["a".repeat(16), "Z-_9".repeat(32)] {
        assert_eq!(read(json!({"id": good})), Ok(Some(good.parse().unwrap())));
    }
    for wrong in [
        json!("a".repeat(15)),
        json!("a".repeat(129)),
        json!("a b".repeat(8)),
        json!("ä".repeat(16)),
        json!(7),
        json!(null),
    ] {
        assert_eq!(read(json!({"id": wrong})), Err(ErrorCode::InvalidPayload), "{wrong}");
    }
    assert!("".parse::<PaymentId>().is_err());
}

#[test]
fn what_the_server_declared_is_echoed_and_not_overwritten() {
    let mut payment = stock_payment("upto, gasless");
    let added = payment.extensions.clone().unwrap();
    let declared = json!({"eip2612GasSponsoring": {"info": {"version": "2"}}, "bazaar": {"info": {}}});
    echo(&mut payment, declared.as_object());
    let extensions = payment.extensions.clone().unwrap();
    assert_eq!(extensions["bazaar"], declared["bazaar"]);
    assert_eq!(extensions["eip2612GasSponsoring"]["info"]["version"], "2");
    assert_eq!(
        extensions["eip2612GasSponsoring"]["info"]["signature"],
        added["eip2612GasSponsoring"]["info"]["signature"]
    );
    let unchanged = payment.clone();
    echo(&mut payment, None);
    assert_eq!(payment, unchanged);
}

#[test]
fn offers_and_receipts_are_signed_as_stock() {
    let vectors = vectors();
    let (wallet, key) = (wallet(), SecretKey::from_hex(text(&vectors, "seed")).unwrap());
    let offered = serde_json::from_value(vectors["requirements"].clone()).unwrap();
    let offer = Offer::of(&offered, text(&vectors, "url"), 1_800_000_300);
    let receipt = Receipt {
        version: offer_receipt::VERSION,
        network: "eip155:84532".to_owned(),
        resource_url: text(&vectors, "url").to_owned(),
        payer: wallet.address().to_checksum(None),
        issued_at: 1_800_000_000,
        transaction: text(&vectors, "transaction").to_owned(),
    };
    let issuers = [Issuer::Eip712(&wallet), Issuer::Jws(&key)];
    let signers = [Signer::Address(wallet.address()), Signer::Key(key.public())];
    for (at, (issuer, signer)) in issuers.into_iter().zip(signers).enumerate() {
        let stock = &vectors["signed"][at];
        let signed_offer = issuer.sign_offer(&offer, 0);
        assert_eq!(offer_receipt::offers(std::slice::from_ref(&signed_offer)), stock["offered"]);
        let signed_receipt = issuer.sign_receipt(&receipt);
        assert_eq!(offer_receipt::receipt(&signed_receipt), stock["settled"]);

        let extensions = |extension: &Value| json!({"offer-receipt": extension}).as_object().cloned();
        let read = offer_receipt::read_offers(extensions(&stock["offered"]).as_ref());
        assert_eq!(read, [signed_offer]);
        assert_eq!(read[0].read(), Ok((signer.clone(), offer.clone())));
        let read = offer_receipt::read_receipt(extensions(&stock["settled"]).as_ref()).unwrap();
        assert_eq!(read.read(), Ok((signer.clone(), receipt.clone())));

        let private = Receipt { transaction: String::new(), ..receipt.clone() };
        assert_eq!(issuer.sign_receipt(&private).read(), Ok((signer, private)));
    }
}

#[test]
fn changed_offers_are_of_somebody_else() {
    let vectors = vectors();
    let signed = |at: usize| vectors["signed"][at]["offered"]["info"]["offers"][0].clone();
    let read = |value: Value| serde_json::from_value::<Signed<Offer>>(value).unwrap().read();
    let us = Signer::Address(wallet().address());
    for (field, value) in
        [("amount", json!("1")), ("payTo", json!("0x00")), ("validUntil", json!(0)), ("version", json!(2))]
    {
        let mut changed = signed(0);
        changed["payload"][field] = value;
        assert!(read(changed).is_ok_and(|(signer, _)| signer != us), "{field}");
    }
    let mut changed = signed(0);
    changed["signature"] = json!("0x00");
    assert_eq!(read(changed), Err(SignedError::Hex));

    let jws = text(&signed(1), "signature").to_owned();
    let read = |jws: String| read(json!({"format": "jws", "signature": jws}));
    for at in [0, 1, 2] {
        let mut parts: Vec<String> = jws.split('.').map(str::to_owned).collect();
        let flipped =
            if parts[at].contains('A') { parts[at].replacen('A', "B", 1) } else { parts[at].to_lowercase() };
        parts[at] = flipped;
        assert!(read(parts.join(".")).is_err(), "part {at}");
    }
    for wrong in ["", "a", "a.b", "a.b.c", "....", &"a".repeat(100_000)] {
        assert!(matches!(read(wrong.to_owned()), Err(SignedError::Jws(_))), "{wrong:.20}");
    }
}

fn sign_ins() -> Vec<(SignIn, Value)> {
    let vectors = vectors();
    let sign_ins = vectors["sign_ins"].as_array().unwrap();
    sign_ins.iter().map(|it| (decode(text(it, "header")).unwrap(), it.clone())).collect()
}

#[test]
fn sign_ins_are_asked_answered_and_checked_as_stock() {
    let (vectors, wallet) = (vectors(), wallet());
    assert_eq!(sign_ins().len(), 3);
    for (sign_in, stock) in sign_ins() {
        let declaration = &stock["declaration"];
        let challenge: Challenge = serde_json::from_value(declaration["info"].clone()).unwrap();
        assert_eq!(sign_in::declare(&challenge, &[devnet::NETWORK]), *declaration);
        let answer = challenge.answer(&wallet, devnet::NETWORK);
        assert_eq!(answer, sign_in);
        assert_eq!(decode::<Value>(&encode(&answer)), decode::<Value>(text(&stock, "header")));
        let checked = sign_in.check(text(&vectors, "origin"), NOW_S).unwrap();
        assert_eq!(checked.address.to_checksum(None), text(&stock, "payer"));
        assert_eq!(checked.nonce, challenge.nonce);
    }
}

#[test]
fn a_sign_in_is_for_one_origin_and_a_while() {
    let vectors = vectors();
    let origin = text(&vectors, "origin");
    let (plain, whole) = (sign_ins().swap_remove(0).0, sign_ins().swap_remove(2).0);
    let at = |sign_in: &SignIn, now_s| sign_in.check(origin, now_s).map(|_| ());
    assert_eq!(at(&plain, NOW_S + SIGN_IN_SECONDS_MAX), Ok(()));
    assert_eq!(at(&plain, NOW_S + SIGN_IN_SECONDS_MAX + 1), Err(SignInError::TooOld));
    assert_eq!(at(&plain, NOW_S - 1), Err(SignInError::InFuture));
    assert_eq!(at(&whole, NOW_S + 60), Ok(()));
    assert_eq!(at(&whole, NOW_S + 61), Err(SignInError::Expired));
    for other in ["https://registry.example", "https://evil.example:8402", ""] {
        assert_eq!(plain.check(other, NOW_S), Err(SignInError::Domain), "{other}");
    }
    assert_eq!(plain.check("http://registry.example:8402", NOW_S), Err(SignInError::Uri));

    let refused = |change: fn(&mut SignIn)| {
        let mut changed = whole.clone();
        change(&mut changed);
        changed.check(origin, NOW_S).unwrap_err()
    };
    assert_eq!(
        refused(|it| it.challenge.uri = "https://registry.example:84020/".to_owned()),
        SignInError::Uri
    );
    assert_eq!(refused(|it| it.challenge.uri += "2"), SignInError::Signature);
    assert_eq!(refused(|it| it.challenge.nonce = "short".to_owned()), SignInError::Nonce);
    assert_eq!(refused(|it| it.challenge.nonce = "12345678-".to_owned()), SignInError::Nonce);
    assert_eq!(refused(|it| it.challenge.nonce = "otherNonce".to_owned()), SignInError::Signature);
    assert_eq!(refused(|it| it.challenge.statement = None), SignInError::Signature);
    assert_eq!(refused(|it| it.challenge.statement = Some("a\nb".to_owned())), SignInError::Malformed);
    assert_eq!(refused(|it| it.challenge.issued_at = "yesterday".to_owned()), SignInError::IssuedAt);
    assert_eq!(refused(|it| it.challenge.expiration_time = Some(String::new())), SignInError::ExpirationTime);
    assert_eq!(refused(|it| it.challenge.not_before = Some("soon".to_owned())), SignInError::NotBefore);
    let later = |it: &mut SignIn| it.challenge.not_before = Some("2030-01-01T00:00:00Z".to_owned());
    assert_eq!(refused(later), SignInError::NotYetValid);
    assert_eq!(refused(|it| it.kind = "ed25519".to_owned()), SignInError::UnsupportedChain);
    assert_eq!(refused(|it| it.chain_id = "solana:x".to_owned()), SignInError::UnsupportedChain);
    assert_eq!(refused(|it| it.chain_id = "eip155:x".to_owned()), SignInError::ChainId);
    assert_eq!(refused(|it| it.chain_id = "eip155:1".to_owned()), SignInError::Signature);
    assert_eq!(refused(|it| it.address = it.address.to_lowercase()), SignInError::Signature);
    assert_eq!(refused(|it| it.signature.truncate(10)), SignInError::Signature);
    assert_eq!(SignInError::TooOld.code(), "invalid_siwx_issued_at_too_old");
}
