//! A receipt whose every part matters: change one, and the check that guards it fails.

mod contradicted;
mod logged;
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::key::SecretKey;
use crate::manifest::{ChargeOn, Payee, Price, PricedAct, Unit};
use crate::money::Atomic;
use crate::split::split;
use crate::terms::{Account, Usage, bill, quote};
use crate::value::{Param, Type};

fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn terms() -> Hashed<Terms> {
    Hashed::new(Terms {
        release: "acme:double@1.0.0".parse().expect("valid"),
        license: "MIT".into(),
        execute: Default::default(),
        import: false,
        fuel_max: 1_000_000,
        price: vec![Price {
            id: "work".into(),
            on: PricedAct::Execute,
            export: None,
            unit: Unit::Fuel,
            amount: Atomic(40),
            per: 1_000.try_into().expect("not zero"),
            minimum: None,
            max_per_call: None,
            charge_on: ChargeOn::Success,
            free: None,
            tiers: None,
        }],
        payee: vec![Payee { id: "acct:ana@example.org".into(), share: 10_000, role: None }],
        currency: "USD".into(),
        accepts: vec!["x402:exact".into()],
        more: Default::default(),
    })
}

/// A call of `double(21)` that burnt 1,234 fuel.
fn bundle() -> Bundle {
    let params = vec![Param { name: "n".into(), ty: Type::U32 }];
    let ty = Hashed::new(FunctionType { params, result: Some(Type::U32) });
    let (args, output, salt, call) = (vec![Value::U32(21)], Value::U32(42), [7; 32], "0123456789abcdef");
    let (terms, function) = (terms(), "acme:double/api@1.0.0#double".parse().expect("valid"));
    let quote = quote(&terms, &function, 10_000, Account::default(), &[]);
    let outcome =
        Outcome::Returned { output: Opening::output_digest(&salt, &ty, Some(&output)).expect("typed") };
    let usage = Usage::of_fuel(1_234, Ending::Returned);
    let charge = bill(&terms, &quote, &usage, &[], &BTreeMap::new()).expect("within its quote").charge();
    let component = Digest::of("component");
    let request = Request {
        component,
        files: None,
        terms: terms.digest(),
        function: &function,
        fuel_max: 10_000,
        function_type: &ty,
        args: &args,
        nonce: Some("n1"),
        grants: None,
    };
    let receipt = Receipt {
        call: call.into(),
        level: "L0".into(),
        release: terms.release.clone(),
        manifest: Some(Digest::of("manifest")),
        component,
        world: Some("double".into()),
        files: None,
        function: quote.function.clone(),
        function_type: ty.digest(),
        profile: Digest::of("profile"),
        engine: "wasmtime 48".into(),
        input: Opening::input_digest(&salt, &ty, &args).expect("typed"),
        outcome,
        fuel_used: 1_234,
        fuel_max: 10_000,
        events: Default::default(),
        wait_ms: 0,
        account: Account::default(),
        memory_bytes_max: 65_536,
        pure: true,
        grants: Vec::new(),
        transcript: None,
        dependencies: Vec::new(),
        inner: Vec::new(),
        terms: terms.digest(),
        split: split(charge.amount, 500, &terms.payee, call),
        fee_bps: 500,
        payment: Some(Payment {
            id: Some(Digest::of("payment")),
            scheme: "exact".into(),
            network: "eip155:84532".into(),
            asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e".into(),
            payer: "0x0000000000000000000000000000000000000001".into(),
            amount: quote.amount_max,
            transaction: "0x02".into(),
            refund: Atomic(quote.amount_max.0 - charge.amount.0),
            channel: None,
            cumulative: None,
            offer: Some(Digest::of("offer")),
            x402_receipt: Some(Digest::of("jws")),
        }),
        charge,
        request: Opening::request_digest(&salt, request.digest().expect("typed")),
        nonce: Some("n1".into()),
        checkpoint: Checkpoint { origin: "example.org/log".into(), size: 1, root: Digest::of("root") },
        executor: key().public(),
        executor_record: Some(Digest::of("record")),
        started_at: "2026-01-01T00:00:00Z".into(),
        finished_at: "2026-01-01T00:00:01Z".into(),
        attestation: None,
        critical: Vec::new(),
    };
    let opening = Opening {
        salt: hex::encode(salt),
        function_type: ty,
        nonce: None,
        args: json!([21]),
        output: Some(json!(42)),
        transcript: None,
        grants: None,
        terms,
        works: Default::default(),
    };
    Bundle::new(receipt, opening, &key())
}

/// Names the checks that fail for `bundle`.
fn failing(bundle: &Bundle) -> Vec<String> {
    let (report, _) = bundle.verify(Some(&key().public()));
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

/// Signs the receipt again with `change` made to it: what a dishonest executor could do.
fn resigned(change: impl FnOnce(&mut Receipt)) -> Bundle {
    let bundle = bundle();
    let mut receipt = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
    change(&mut receipt);
    Bundle::new(receipt, bundle.opening, &key())
}

#[test]
fn what_opens_a_receipt_cannot_be_exchanged() {
    let changed = |change: fn(&mut Opening)| {
        let mut bundle = bundle();
        change(&mut bundle.opening);
        failing(&bundle)
    };
    assert_eq!(changed(|opening| opening.args = json!([22])), ["input", "request"]);
    assert_eq!(changed(|opening| opening.args = json!([true])), ["input", "request"]);
    assert_eq!(changed(|opening| opening.output = Some(json!(43))), ["output"]);
    assert_eq!(changed(|opening| opening.output = None), ["output"]);
    assert_eq!(changed(|opening| opening.grants = Some(Vec::new())), ["request"]);
    assert_eq!(changed(|opening| opening.salt = hex::encode([8; 32])), ["input", "request", "output"]);
    assert_eq!(changed(|opening| opening.salt = "x".into()), ["input"]);
    let cheaper =
        changed(|opening| opening.terms = opening.terms.with(|terms| terms.price[0].amount = Atomic(1)));
    assert_eq!(cheaper, ["request", "terms", "charge"]);
    let other_type = changed(|opening| {
        opening.function_type = opening.function_type.with(|ty| ty.params[0].ty = Type::U64);
    });
    // The number 21 is encoded alike in both types, which is why the type is bound on its own.
    assert_eq!(other_type, ["function type", "request"]);
}

#[test]
fn an_executor_cannot_sign_a_wrong_bill() {
    // A wrong charge is split and paid wrongly too.
    assert_eq!(failing(&resigned(|receipt| receipt.fuel_used = 9_999)), ["charge", "split", "payment"]);
    assert_eq!(failing(&resigned(|receipt| receipt.fuel_used = 20_000)), ["charge"]);
    assert_eq!(failing(&resigned(|receipt| receipt.charge.amount = Atomic(51))), ["charge"]);
    assert_eq!(failing(&resigned(|receipt| receipt.fee_bps = 600)), ["split"]);
    assert_eq!(failing(&resigned(|receipt| receipt.payment = None)), ["payment"]);
    // A fee beyond what any operator may take is none, also where it was taken as the table says: nothing else is wrong.
    let with_fee = |fee_bps| {
        resigned(|receipt| {
            receipt.fee_bps = fee_bps;
            receipt.split = split(receipt.charge.amount, fee_bps, &terms().payee, &receipt.call);
        })
    };
    assert_eq!(failing(&with_fee(1_500)), [""; 0]);
    for fee_bps in [1_501, 9_000] {
        assert_eq!(failing(&with_fee(fee_bps)), ["split"], "{fee_bps}");
    }
    let kept = resigned(|receipt| receipt.payment.as_mut().expect("paid").refund = Atomic::ZERO);
    assert_eq!(failing(&kept), ["payment"]);
}

#[test]
fn what_a_failure_costs_follows_from_its_name() {
    // The terms charge for success only, so a call that failed owes nothing, whatever the executor would like.
    for failure in ["trap", "out-of-fuel", "timed-out", "a name of its own"] {
        let mut bundle = resigned(|receipt| receipt.outcome = Outcome::Failed { failure: failure.into() });
        bundle.opening.output = None;
        assert_eq!(failing(&bundle), ["charge", "split", "payment"], "{failure}");
    }
    assert_eq!(Ending::of_failure("trap"), Ending::GuestFailed);
    assert_eq!(Ending::of_failure("stack-exhausted"), Ending::Aborted);
}

#[test]
fn a_receipt_is_of_one_request() {
    assert_eq!(failing(&resigned(|receipt| receipt.nonce = None)), ["request"]);
    assert_eq!(failing(&resigned(|receipt| receipt.nonce = Some("n2".into()))), ["request"]);
    // Without the salt, whoever tries all small numbers would find the argument by the request digest.
    let receipt = bundle().verify(None).1.expect("signed");
    let (terms, function, fuel_max) = (receipt.terms, &receipt.function, receipt.fuel_max);
    let function_type = &bundle().opening.function_type;
    let args = [Value::U32(21)];
    let nonce = Some("n1");
    let (component, files, grants) = (receipt.component, None, None);
    let args = &args;
    let request = Request { component, files, terms, function, fuel_max, function_type, args, nonce, grants };
    assert_ne!(request.digest().expect("typed"), receipt.request);
    assert!(bundle().answers(&receipt, &request));
}

#[test]
fn what_is_unknown_is_ignored_unless_it_is_critical() {
    // What a later version signs, with a member that this one does not know.
    let later = |critical: serde_json::Value| {
        let mut bundle = bundle();
        let receipt = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
        let mut json = serde_json::to_value(receipt).expect("plain JSON");
        json["locale"] = json!("de");
        json["critical"] = critical;
        bundle.receipt = resign(&bundle, json);
        failing(&bundle)
    };
    assert_eq!(later(json!([])), [""; 0]);
    assert_eq!(later(json!(["locale"])), ["critical"]);
    // Whoever does not even say it as it is said is not understood at all.
    assert_eq!(later(json!("locale")), ["signature"]);
}

/// Signs any JSON as the receipt of a bundle.
fn resign(bundle: &Bundle, receipt: serde_json::Value) -> Envelope {
    #[derive(Serialize, Deserialize)]
    struct Any(serde_json::Value);
    impl Predicate for Any {
        const TYPE: &'static str = Receipt::TYPE;
    }
    let subject = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").subject;
    Envelope::sign(subject, Any(receipt), &key())
}

#[test]
fn what_was_signed_as_something_else_is_no_receipt() {
    #[derive(Serialize, Deserialize)]
    struct Elsewhere(Receipt);
    impl Predicate for Elsewhere {
        const TYPE: &'static str = "https://glassbox.dev/attestation/release/v1";
    }
    let mut bundle = bundle();
    let signed = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours");
    bundle.receipt = Envelope::sign(signed.subject, Elsewhere(signed.predicate), &key());
    assert_eq!(failing(&bundle), ["signature"]);
    // The parts of an x402 receipt, a JWS by the same key, in the place of an envelope's.
    let jws = "eyJhbGciOiJFZERTQSJ9.eyJ2ZXJzaW9uIjoxfQ";
    let signature = key().sign(jws.as_bytes());
    let mut jose = super::tests::bundle();
    jose.receipt.payload = STANDARD.encode(jws);
    jose.receipt.signatures[0].sig = STANDARD.encode(signature);
    assert_eq!(failing(&jose), ["signature"]);
    jose.receipt.payload_type = "application/jose".into();
    assert_eq!(failing(&jose), ["signature"]);
}

#[test]
fn there_is_one_signature_by_the_key_that_it_names() {
    let two = |keyid: &str| {
        let mut bundle = bundle();
        let other = Envelope::sign(Vec::new(), bundle.verify(None).1.expect("signed"), &key());
        bundle.receipt.signatures.extend(other.signatures);
        bundle.receipt.signatures[1].keyid = keyid.into();
        failing(&bundle)
    };
    assert_eq!(two(&key().public().to_string()), ["signature"]);
    assert_eq!(two("somebody"), ["signature"]);
    let mut renamed = bundle();
    renamed.receipt.signatures[0].keyid = SecretKey::from_seed(&[1; 32]).public().to_string();
    assert_eq!(failing(&renamed), ["signature"]);
}

#[test]
fn the_files_are_part_of_what_was_asked_for() {
    for files in [Digest::of("files"), Digest::from_bytes([0xff; 32])] {
        assert_eq!(failing(&resigned(|receipt| receipt.files = Some(files))), ["request"]);
    }
    let receipt = resigned(|receipt| receipt.files = None).verify(None).1.expect("signed");
    assert!(serde_json::to_value(receipt).expect("plain JSON").get("files").is_none());
}

#[test]
fn a_statement_is_about_its_own_output() {
    let mut bundle = bundle();
    let receipt = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
    for subject in [vec![], vec![Subject::new("output", Digest::of("another"))]] {
        bundle.receipt = Envelope::sign(subject, receipt.clone(), &key());
        assert_eq!(failing(&bundle), ["subject"]);
    }
}

#[test]
fn a_stranger_cannot_sign_in_the_executors_name() {
    let stranger = SecretKey::from_seed(&[1; 32]);
    let mut bundle = bundle();
    let receipt = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
    bundle.receipt = Envelope::sign(Vec::new(), receipt, &stranger);
    assert_eq!(failing(&bundle), ["signature"]);
    // Also where the reader trusts nobody in particular: the key must be the one that the receipt names.
    let (report, receipt) = bundle.verify(None);
    assert!(!report.holds() && receipt.is_none());
}

#[test]
fn extreme_terms_of_a_stranger_do_not_panic() {
    let mut opening = bundle().opening;
    for share in [0, u32::MAX] {
        opening.terms = opening.terms.with(|terms| {
            terms.price[0].amount = Atomic(crate::limits::AMOUNT_MAX * 1_000_000);
            terms.price = vec![terms.price[0].clone(); 64];
            terms.payee = vec![Payee { id: "x".into(), share, role: None }; 3];
        });
        let digest = opening.terms.digest();
        let mut bundle = resigned(|receipt| {
            (receipt.terms, receipt.fuel_max, receipt.fuel_used) = (digest, u64::MAX, u64::MAX);
        });
        bundle.opening = opening.clone();
        assert!(!bundle.verify(None).0.holds());
    }
}
