//! A receipt whose every part matters: change one, and the check that guards it fails.

use serde_json::json;

use super::*;
use crate::key::SecretKey;
use crate::manifest::{ChargeOn, Payee, Price, PricedAct, Unit};
use crate::money::Atomic;
use crate::split::split;
use crate::terms::{Usage, charge, quote};
use crate::value::{Param, Type};

const VECTOR: &str = include_str!("../../../../conformance/receipts/paid-by-fuel.json");

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
        }],
        payee: vec![Payee { id: "acct:ana@example.org".into(), share: 10_000 }],
        currency: "USD".into(),
        accepts: vec!["x402:exact".into()],
    })
}

/// A call of `double(21)` that burnt 1,234 fuel.
fn bundle() -> Bundle {
    let params = vec![Param { name: "n".into(), ty: Type::U32 }];
    let ty = Hashed::new(FunctionType { params, result: Some(Type::U32) });
    let (args, output, salt, call) = (vec![Value::U32(21)], Value::U32(42), [7; 32], "0123456789abcdef");
    let quote = quote(&terms(), &"acme:double/api@1.0.0#double".parse().expect("valid"), 10_000);
    let outcome =
        Outcome::Returned { output: Opening::output_digest(&salt, &ty, Some(&output)).expect("typed") };
    let charge = charge(&terms(), &quote, Usage { fuel: 1_234, ending: Ending::Returned });
    let component = Digest::of("component");
    let request = Request {
        component,
        files: None,
        quote: &quote,
        function_type: &ty,
        args: &args,
        nonce: Some("n1"),
        grants: None,
    };
    let receipt = Receipt {
        call: call.into(),
        level: "L0".into(),
        release: terms().release.clone(),
        component,
        files: None,
        function: quote.function.clone(),
        function_type: ty.digest(),
        profile: Digest::of("profile"),
        engine: "wasmtime 48".into(),
        input: Opening::input_digest(&salt, &ty, &args).expect("typed"),
        outcome,
        fuel_used: 1_234,
        fuel_max: 10_000,
        memory_bytes_max: 65_536,
        pure: true,
        grants: Vec::new(),
        transcript: None,
        terms: terms().digest(),
        split: split(charge.amount, 500, &terms().payee, call),
        fee_bps: 500,
        payment: Some(Payment {
            scheme: "exact".into(),
            network: "eip155:84532".into(),
            asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e".into(),
            payer: "0x0000000000000000000000000000000000000001".into(),
            amount: quote.amount_max,
            transaction: "0x02".into(),
            refund: Atomic(quote.amount_max.0 - charge.amount.0),
            channel: None,
            cumulative: None,
        }),
        charge,
        request: request.digest().expect("typed"),
        checkpoint: Checkpoint { origin: "example.org/log".into(), size: 1, root: Digest::of("root") },
        executor: key().public(),
        started_at: "2026-01-01T00:00:00Z".into(),
        finished_at: "2026-01-01T00:00:01Z".into(),
    };
    let opening = Opening {
        salt: hex::encode(salt),
        function_type: ty,
        nonce: Some("n1".into()),
        args: json!([21]),
        output: Some(json!(42)),
        transcript: None,
        grants: None,
        terms: terms(),
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
fn the_vector_holds_and_is_what_this_code_makes() {
    let made = serde_json::to_string_pretty(&bundle()).expect("plain JSON");
    assert_eq!(VECTOR.trim(), made, "conformance/receipts/paid-by-fuel.json should be as on the right");
    let vector: Bundle = serde_json::from_str(VECTOR).expect("a bundle");
    assert_eq!(failing(&vector), [""; 0]);
    let (report, receipt) = vector.verify(None);
    assert!(report.holds());
    assert_eq!(receipt.expect("signed").charge.amount, Atomic(50));
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
    assert_eq!(changed(|opening| opening.nonce = None), ["request"]);
    assert_eq!(changed(|opening| opening.salt = hex::encode([8; 32])), ["input", "output"]);
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
    assert_eq!(failing(&resigned(|receipt| receipt.fee_bps = 9_000)), ["split"]);
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
            terms.payee = vec![Payee { id: "x".into(), share }; 3];
        });
        let digest = opening.terms.digest();
        let mut bundle = resigned(|receipt| {
            (receipt.terms, receipt.fuel_max, receipt.fuel_used) = (digest, u64::MAX, u64::MAX);
        });
        bundle.opening = opening.clone();
        assert!(!bundle.verify(None).0.holds());
    }
}
