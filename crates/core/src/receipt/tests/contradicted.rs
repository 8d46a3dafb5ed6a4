//! Certificates: two receipts that cannot both be true, and receipts that only look so.

use super::*;
use crate::dsse::Statement;
use crate::receipt::audit::{VerificationResult, is_chosen};

/// A receipt of the same call under another salt, with another answer or another fuel.
fn again(salt: u8, output: u32, fuel_used: u64) -> Bundle {
    let mut opening = bundle().opening;
    let (salt, ty) = ([salt; 32], opening.function_type.clone());
    opening.salt = hex::encode(salt);
    opening.output = Some(json!(output));
    let mut bundle = resigned(|receipt| {
        receipt.call = "another call".into();
        receipt.input = Opening::input_digest(&salt, &ty, &[Value::U32(21)]).expect("typed");
        let output = Opening::output_digest(&salt, &ty, Some(&Value::U32(output))).expect("typed");
        receipt.outcome = Outcome::Returned { output };
        receipt.fuel_used = fuel_used;
    });
    bundle.opening = opening;
    bundle
}

fn failing(receipts: Vec<Bundle>) -> Vec<String> {
    let (report, accusation) = Certificate::new(receipts).verify();
    assert_eq!(report.holds(), accusation.is_some());
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

#[test]
fn two_answers_to_one_call_prove_a_lie() {
    assert_eq!(failing(vec![bundle(), again(8, 43, 1_234)]), [""; 0], "another output");
    assert_eq!(failing(vec![bundle(), again(8, 42, 1_235)]), [""; 0], "another fuel");
    let mut failed = again(8, 42, 1_234);
    let receipt = failed.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
    let receipt = Receipt { outcome: Outcome::Failed { failure: "trap".into() }, ..receipt };
    failed = Bundle::new(receipt, Opening { output: None, ..failed.opening }, &key());
    assert_eq!(failing(vec![bundle(), failed]), [""; 0], "another outcome");
    let (_, accusation) = Certificate::new(vec![bundle(), again(8, 43, 1_234)]).verify();
    let accusation = accusation.expect("it holds");
    assert_eq!((accusation.executor, accusation.receipts.len()), (key().public(), 2));
    assert!(accusation.rerun.is_none());
}

#[test]
fn who_said_the_same_twice_or_was_asked_something_else_did_not_lie() {
    assert_eq!(failing(vec![bundle(), again(8, 42, 1_234)]), ["contradiction"]);
    assert_eq!(failing(vec![bundle(), bundle()]), ["contradiction"]);
    for change in [
        (|receipt| receipt.component = Digest::of("another")) as fn(&mut Receipt),
        |receipt| receipt.files = Some(Digest::of("files")),
        |receipt| receipt.fuel_max = 9_999,
        |receipt| receipt.memory_bytes_max = 1,
        |receipt| receipt.profile = Digest::of("another"),
        |receipt| receipt.grants = vec!["wasi:clocks/wall-clock".into()],
    ] {
        let other = resigned(|receipt| {
            change(receipt);
            receipt.fuel_used = 1_235;
        });
        assert_eq!(failing(vec![bundle(), other]), ["same call"]);
    }
    let timed_out = |failure: &str| {
        let mut bundle = resigned(|receipt| receipt.outcome = Outcome::Failed { failure: failure.into() });
        bundle.opening.output = None;
        bundle
    };
    assert_eq!(failing(vec![bundle(), timed_out("timed-out")]), ["decided"], "the machine decided");
    assert_eq!(failing(vec![bundle(), timed_out("trap")]), [""; 0]);
}

#[test]
fn nobody_is_accused_of_what_others_signed() {
    let stranger = SecretKey::from_seed(&[1; 32]);
    let forged = || {
        let bundle = again(8, 43, 1_234);
        let receipt = bundle.receipt.verify::<Receipt>(&key().public()).expect("ours").predicate;
        (receipt, bundle.opening)
    };
    let (receipt, opening) = forged();
    let mut theirs = again(8, 43, 1_234);
    theirs.receipt = Envelope::sign(Vec::new(), receipt, &stranger);
    assert_eq!(failing(vec![bundle(), theirs]), ["signature"]);
    let (mut receipt, _) = forged();
    receipt.executor = stranger.public();
    let own = Bundle::new(receipt, opening, &stranger);
    assert_eq!(failing(vec![bundle(), own]), ["same call"], "two executors");
    let mut reopened = again(8, 43, 1_234);
    reopened.opening.output = Some(json!(44));
    assert_eq!(failing(vec![bundle(), reopened]), ["output"]);
    assert_eq!(failing(vec![]), ["format"]);
    assert_eq!(failing(vec![bundle(), again(8, 43, 1_234), again(9, 44, 1_234)]), ["format"]);
    // One alone accuses whoever runs it again and finds it wrong.
    let (report, accusation) = Certificate::new(vec![bundle()]).verify();
    assert!(report.holds() && accusation.expect("it opens").rerun.is_some());
}

#[test]
fn a_sample_is_everybodys_and_of_the_size_asked_for() {
    let (root, executor) = (Digest::of("root"), key().public());
    let chosen: Vec<u64> = (0..10_000).filter(|number| is_chosen(root, &executor, *number, 100)).collect();
    assert!((60..140).contains(&chosen.len()), "{}", chosen.len());
    assert_eq!(chosen[..3], CHOSEN);
    let other: Vec<u64> = (0..10_000).filter(|n| is_chosen(Digest::of("next"), &executor, *n, 100)).collect();
    assert_ne!(chosen, other);
    assert!((0..100).all(|number| is_chosen(root, &executor, number, 1)));
}

/// The first three of the sample above, so that others choose the same.
const CHOSEN: [u64; 3] = [6, 85, 217];

#[test]
fn an_audit_is_a_simple_verification_result() {
    let (mut report, _) = bundle().verify(None);
    report.add(Level::L2, "re-execution", true, "the same output");
    report.add(Level::L2, "fuel", false, "another fuel");
    let auditor = SecretKey::from_seed(&[7; 32]);
    let digest = bundle().receipt.payload_digest().expect("ours");
    let envelope = VerificationResult::sign(&report, digest, "2026-01-01T00:00:00Z".into(), &auditor);
    let Statement { subject, predicate, .. } =
        envelope.verify::<VerificationResult>(&auditor.public()).expect("signed");
    assert_eq!(subject, [Subject::new("receipt", digest)]);
    assert_eq!(predicate.properties, ["GLASSBOX_REPLAYED_DET1", "GLASSBOX_BILL_EXACT"]);
    let json = serde_json::to_value(predicate).expect("plain JSON");
    assert_eq!(json["verifier"]["id"], auditor.public().to_string());
    assert_eq!(json["timeCreated"], "2026-01-01T00:00:00Z");
}
