//! The vectors in `conformance/policy`: what a namespace's policy lets happen, act by act.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::*;
use crate::dsse::Statement;
use crate::key::SecretKey;
use crate::name::Namespace;

const HOUR_MS: i64 = 3_600_000;

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn acme() -> Namespace {
    "acme".parse().expect("valid")
}

/// Controllers 1, 2 and 3, two of whom change keys after 72 hours; recovery keys 8 and 9, after 14 days.
fn policy(controllers: &[u8], sequence: u64) -> NamespacePolicy {
    NamespacePolicy {
        namespace: acme(),
        controllers: controllers.iter().map(|seed| secret(*seed).public()).collect(),
        threshold: Threshold { publish: 1, price: 2, yank: 1, rotate: 2, recover: 2 },
        recovery: [8, 9].map(|seed| secret(seed).public()).into(),
        delay: Delay { rotate_hours: 72, recover_hours: 336 },
        domain: None,
        sequence,
    }
}

fn signed<A: Act>(act: A, seeds: &[u8]) -> Envelope {
    let (first, others) = seeds.split_first().expect("somebody signs");
    let mut envelope = act.sign(&secret(*first));
    others.iter().for_each(|seed| envelope.add_signature(&secret(*seed)).expect("our own envelope"));
    envelope
}

fn change(controllers: &[u8], seeds: &[u8]) -> Envelope {
    signed(policy(controllers, 1), seeds)
}

fn cancel(change: &Envelope, seeds: &[u8]) -> Envelope {
    let change = change.payload_digest().expect("our own envelope");
    signed(PolicyCancellation { namespace: acme(), change, reason: "it was not us".into() }, seeds)
}

fn revoke(seed: u8, seeds: &[u8]) -> Envelope {
    signed(KeyRevocation { namespace: acme(), key: secret(seed).public(), reason: "stolen".into() }, seeds)
}

/// Reads an act as a verifier does: every signature first, then what it is.
fn read(envelope: &Envelope) -> (NamespaceAct, crate::dsse::Signers) {
    let digest = envelope.payload_digest().expect("base64");
    if let Ok((Statement { predicate, .. }, signers)) = envelope.open() {
        return (NamespaceAct::Policy(predicate, digest), signers);
    }
    if let Ok((Statement { predicate, .. }, signers)) = envelope.open() {
        return (NamespaceAct::Cancel(predicate), signers);
    }
    let (Statement { predicate, .. }, signers) = envelope.open().expect("one of the three");
    (NamespaceAct::Revoke(predicate), signers)
}

fn refusal(refusal: &ActRefusal) -> &'static str {
    match refusal {
        ActRefusal::Threshold { .. } => "threshold",
        ActRefusal::Policy(_) => "policy",
        ActRefusal::Sequence { .. } => "sequence",
        ActRefusal::Pending => "pending",
        ActRefusal::NothingPending => "nothing-pending",
        ActRefusal::NoKey(_) => "no-key",
        _ => "other",
    }
}

/// Plays acts, each at an hour, and says what each came to and what holds in the end.
fn history(name: &str, acts: &[(i64, Envelope)], until_hour: i64) -> Json {
    let claim = signed(policy(&[1, 2, 3], 0), &[1, 2]);
    let (NamespaceAct::Policy(first, _), signers) = read(&claim) else { panic!("a policy") };
    let mut state = NamespaceState::claim(&acme(), Claim::Policy(first), &signers).expect("signed by two");
    let played: Vec<Json> = (1..)
        .zip(acts)
        .map(|(index, (hour, envelope))| {
            let (act, signers) = read(envelope);
            let now_ms = hour * HOUR_MS;
            let refused = state.apply(act, &signers, Moment { index, now_ms }).err();
            json!({ "index": index, "atMs": now_ms, "act": envelope, "refused": refused.as_ref().map(refusal) })
        })
        .collect();
    let at_ms = until_hour * HOUR_MS;
    let state = state.at(at_ms);
    let may_publish: Vec<_> = (1..=9)
        .map(|seed| secret(seed).public())
        .filter(|key| state.permit(Right::Publish, &crate::dsse::Signers::one(*key)).is_ok())
        .collect();
    json!({ "name": name, "claim": claim, "acts": played, "atMs": at_ms, "state": state, "mayPublish": may_publish })
}

#[test]
fn policies_let_happen_what_the_vectors_say() {
    let rotation = change(&[4, 5], &[1, 3]);
    let recovery = change(&[6], &[8, 9]);
    let histories = [
        history("a change waits for its delay", &[(0, rotation.clone())], 71),
        history("and takes effect after it", &[(0, rotation.clone())], 72),
        history("one signature is too few", &[(0, change(&[4, 5], &[1]))], 100),
        history("one key that signs twice is one", &[(0, change(&[4, 5], &[1, 1]))], 100),
        history("a stranger's signature does not count", &[(0, change(&[4, 5], &[1, 7]))], 100),
        history("a policy is the next of its sequence", &[(0, signed(policy(&[4], 2), &[1, 2]))], 100),
        history("one change waits at a time", &[(0, rotation.clone()), (1, recovery.clone())], 100),
        history(
            "controllers take a change back",
            &[(0, rotation.clone()), (1, cancel(&rotation, &[1, 2]))],
            100,
        ),
        history("what is not there cannot be taken back", &[(0, cancel(&rotation, &[1, 2]))], 100),
        history("recovery keys wait longer", &[(0, recovery.clone())], 335),
        history("and then decide", &[(0, recovery.clone())], 336),
        history("a revoked key publishes nothing", &[(0, revoke(3, &[1, 2]))], 1),
        history(
            "nor does it count among others",
            &[(0, revoke(3, &[1, 2])), (1, change(&[4], &[1, 3]))],
            100,
        ),
        history("nobody revokes a stranger's key", &[(0, revoke(7, &[1, 2]))], 1),
    ];
    let made = serde_json::to_string_pretty(&histories).expect("plain JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/policy/namespace.json");
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(&path, &made).expect("the folder is there");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "{} is another: look, then run with GLASSBOX_BLESS=1", path.display());
}
