use proptest::prelude::*;

use super::*;
use crate::Digest;
use crate::dsse::Signers;
use crate::key::{PublicKey, SecretKey};
use crate::name::Namespace;

const HOUR_MS: i64 = 3_600_000;

fn key(seed: u8) -> PublicKey {
    secret(seed).public()
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn by(seeds: &[u8]) -> Signers {
    seeds.iter().map(|seed| key(*seed)).collect()
}

fn at(index: u64, hours: i64) -> Moment {
    Moment { index, now_ms: hours * HOUR_MS }
}

fn acme() -> Namespace {
    "acme".parse().expect("valid")
}

/// Controllers 1, 2 and 3, two of whom change keys after 72 hours; recovery keys 8 and 9, after 14 days.
fn policy() -> NamespacePolicy {
    NamespacePolicy {
        namespace: acme(),
        controllers: [1, 2, 3].map(key).into(),
        threshold: Threshold { publish: 1, price: 2, yank: 1, rotate: 2, recover: 2 },
        recovery: [8, 9].map(key).into(),
        delay: Delay { rotate_hours: 72, recover_hours: 336 },
        domain: Some("acme.example".into()),
        sequence: 0,
    }
}

fn state() -> NamespaceState {
    NamespaceState::claim(&acme(), Claim::Policy(policy()), &by(&[1, 2])).expect("signed by two")
}

/// The policy with other controllers, as the next of its sequence.
fn changed(controllers: &[u8]) -> NamespaceAct {
    let controllers: Vec<_> = controllers.iter().map(|seed| key(*seed)).collect();
    let policy = NamespacePolicy { controllers, sequence: 1, ..policy() };
    NamespaceAct::Policy(policy, Digest::of("the change"))
}

fn cancel() -> NamespaceAct {
    let reason = "it was not us".into();
    NamespaceAct::Cancel(PolicyCancellation { namespace: acme(), change: Digest::of("the change"), reason })
}

fn revoke(seed: u8) -> NamespaceAct {
    NamespaceAct::Revoke(KeyRevocation { namespace: acme(), key: key(seed), reason: "stolen".into() })
}

fn proof(holds: bool) -> NamespaceAct {
    NamespaceAct::Proof(DomainProof {
        namespace: acme(),
        domain: "acme.example".into(),
        method: ProofMethod::WellKnown,
        keys: if holds { vec![key(1)] } else { Vec::new() },
        holds,
        asked_at: "2027-01-01T00:00:00Z".into(),
    })
}

#[test]
fn statements_are_read_as_what_they_are_alone() {
    let envelope = policy().sign(&secret(1));
    assert_eq!(envelope.open::<NamespacePolicy>().expect("a policy").0.predicate, policy());
    assert!(envelope.open::<KeyRevocation>().is_err() && envelope.open::<Yank>().is_err());
    let statement = envelope.open::<NamespacePolicy>().expect("a policy").0;
    assert_eq!(statement.subject[0].digest.sha256, Digest::of("acme").hex());
    assert_eq!(statement.subject[0].name, "acme");
}

#[test]
fn a_change_is_seen_before_it_takes_effect() {
    let mut state = state();
    state.apply(changed(&[4, 5]), &by(&[1, 3]), at(5, 0)).expect("signed by two");
    let pending = state.pending.clone().expect("waits");
    assert_eq!((pending.by, pending.effective_ms), (Authority::Controllers, 72 * HOUR_MS));
    let before = state.clone().at(72 * HOUR_MS - 1);
    assert!(before.is_controller(&key(1)) && !before.is_controller(&key(4)));
    let after = state.at(72 * HOUR_MS);
    assert!(!after.is_controller(&key(1)) && after.is_controller(&key(4)) && after.pending.is_none());
}

#[test]
fn a_stolen_old_key_is_refused_after_rotation() {
    let mut state = state();
    state.apply(changed(&[4, 5, 6]), &by(&[1, 2]), at(5, 0)).expect("signed by two");
    let state = state.at(72 * HOUR_MS);
    assert!(state.permit(Right::Publish, &by(&[1])).is_err());
    assert!(state.permit(Right::Publish, &by(&[1, 2, 3])).is_err());
    state.permit(Right::Publish, &by(&[4])).expect("one of the new keys");
}

#[test]
fn a_recovery_waits_longer_and_the_controllers_can_cancel_it() {
    let mut state = state();
    assert!(state.clone().apply(changed(&[4, 5]), &by(&[8]), at(5, 0)).is_err());
    state.apply(changed(&[4, 5]), &by(&[8, 9]), at(5, 0)).expect("both recovery keys");
    let pending = state.pending.clone().expect("waits");
    assert_eq!((pending.by, pending.effective_ms), (Authority::Recovery, 336 * HOUR_MS));
    assert!(state.clone().at(336 * HOUR_MS).is_controller(&key(4)));
    assert!(matches!(
        state.apply(cancel(), &by(&[8, 9]), at(6, 1)),
        Err(ActRefusal::Threshold { needed: 2, found: 0, .. })
    ));
    state.apply(cancel(), &by(&[1, 2]), at(6, 1)).expect("two controllers");
    assert!(state.clone().at(336 * HOUR_MS).is_controller(&key(1)));
    assert_eq!(state.apply(cancel(), &by(&[1, 2]), at(7, 2)), Err(ActRefusal::NothingPending));
    // What was cancelled cannot be presented again.
    let again = state.apply(changed(&[4, 5]), &by(&[8, 9]), at(8, 3));
    assert_eq!(again, Err(ActRefusal::Sequence { found: 1, expected: 2 }));
}

#[test]
fn a_revoked_key_counts_no_longer() {
    let mut state = state();
    assert!(state.clone().apply(revoke(3), &by(&[1]), at(5, 0)).is_err());
    state.apply(revoke(3), &by(&[3]), at(5, 0)).expect("a key revokes itself");
    assert_eq!(state.revoked[0].index, 5);
    assert!(state.permit(Right::Publish, &by(&[3])).is_err());
    assert!(state.permit(Right::Rotate, &by(&[1, 3])).is_err());
    assert_eq!(state.apply(revoke(3), &by(&[1, 2]), at(6, 0)), Err(ActRefusal::NoKey(key(3).into())));
    let back = changed(&[1, 3]);
    assert_eq!(state.apply(back, &by(&[1, 2]), at(7, 0)), Err(ActRefusal::NoKey(key(3).into())));
    // Nobody revokes the recovery keys but they themselves.
    assert_eq!(state.apply(revoke(8), &by(&[1, 2]), at(8, 0)), Err(ActRefusal::NoKey(key(8).into())));
    state.apply(revoke(8), &by(&[8]), at(8, 0)).expect("a key revokes itself");
}

#[test]
fn a_change_falls_with_the_keys_that_asked_for_it() {
    let mut state = state();
    state.apply(changed(&[4, 5]), &by(&[2, 3]), at(5, 0)).expect("signed by two");
    state.apply(revoke(3), &by(&[1, 2]), at(6, 1)).expect("signed by two");
    assert_eq!(state.pending, None);
    assert!(state.at(72 * HOUR_MS).is_controller(&key(1)));
}

#[test]
fn whose_keys_are_all_revoked_is_recovered_without_a_veto() {
    let mut state = state();
    for (index, seed) in [1, 2, 3].into_iter().enumerate() {
        state.apply(revoke(seed), &by(&[seed]), at(index as u64, 0)).expect("a key revokes itself");
    }
    state.apply(changed(&[4, 5]), &by(&[8, 9]), at(5, 1)).expect("both recovery keys");
    assert!(state.apply(cancel(), &by(&[1, 2, 3]), at(6, 2)).is_err());
    assert!(state.at(400 * HOUR_MS).is_controller(&key(4)));
}

#[test]
fn a_lapsed_domain_freezes_keys_and_nothing_else() {
    let mut state = state();
    assert_eq!(state.apply(proof(false), &by(&[]), at(4, 0)), Err(ActRefusal::NoChange));
    state.apply(proof(true), &by(&[]), at(4, 0)).expect("holds");
    state.apply(changed(&[4, 5]), &by(&[1, 2]), at(5, 0)).expect("signed by two");
    state.apply(proof(false), &by(&[]), at(6, 1)).expect("lapsed");
    state.permit(Right::Publish, &by(&[1])).expect("releases go on");
    assert!(state.clone().at(100 * HOUR_MS).is_controller(&key(1)), "not while it is lapsed");
    state.apply(cancel(), &by(&[1, 2]), at(7, 2)).expect("cancelling is safe");
    let next = || match changed(&[4, 5]) {
        NamespaceAct::Policy(policy, change) => {
            NamespaceAct::Policy(NamespacePolicy { sequence: 2, ..policy }, change)
        }
        act => act,
    };
    let frozen = state.apply(next(), &by(&[1, 2]), at(8, 3));
    assert_eq!(frozen, Err(ActRefusal::Frozen("acme.example".into())));
    state.apply(proof(true), &by(&[]), at(9, 4)).expect("holds again");
    state.apply(next(), &by(&[1, 2]), at(10, 5)).expect("signed by two");
}

#[test]
fn an_own_namespace_is_its_keys_alone() {
    let own = Namespace::of_key(&key(1));
    NamespaceState::claim(&own, Claim::Release(key(1)), &by(&[1])).expect("its own");
    let refused = NamespaceState::claim(&own, Claim::Release(key(2)), &by(&[2]));
    assert_eq!(refused, Err(ActRefusal::OwnNamespace(own.clone())));
    let without = NamespacePolicy::of_one_key(own.clone(), key(2));
    let refused = NamespaceState::claim(&own, Claim::Policy(without), &by(&[1, 2]));
    assert_eq!(refused, Err(ActRefusal::OwnNamespace(own)));
}

#[test]
fn a_policy_that_contradicts_itself_is_refused() {
    let check = |change: &dyn Fn(&mut NamespacePolicy), hint: &str| {
        let mut policy = policy();
        change(&mut policy);
        let refused = policy.check().expect_err(hint);
        assert!(refused.to_string().contains(hint), "{refused}");
    };
    policy().check().expect("valid");
    check(&|policy| policy.controllers.clear(), "controllers");
    check(&|policy| policy.controllers = (1..=17).map(key).collect(), "controllers");
    check(&|policy| policy.controllers.push(key(1)), "twice");
    check(&|policy| policy.recovery.push(key(1)), "twice");
    check(&|policy| policy.threshold.publish = 0, "`publish`");
    check(&|policy| policy.threshold.rotate = 4, "`rotate`");
    check(&|policy| policy.threshold.recover = 3, "`recover`");
    check(&|policy| policy.delay.rotate_hours = 10_000, "delay");
    check(&|policy| policy.delay.recover_hours = 71, "72 hours");
    for domain in
        ["", "acme", "Acme.example", "10.0.0.1", "a..b", "-a.example", "a.example/x", "a.example:80"]
    {
        check(&|policy| policy.domain = Some(domain.into()), "domain");
    }
}

#[test]
fn a_mark_is_set_and_taken_away_in_order() {
    let mut mark = Mark::default();
    assert_eq!(mark.change(false, "why", 1), Err(ActRefusal::NoChange));
    assert_eq!(mark.change(true, " ", 1), Err(ActRefusal::Reason));
    mark.change(true, "broken", 1).expect("the first");
    assert_eq!(mark.change(false, "old", 1), Err(ActRefusal::Sequence { found: 1, expected: 2 }));
    mark.change(false, "mended", 2).expect("the second");
    assert!(!mark.set && mark.sequence == 2);
}

/// Any act by anybody.
fn any_act() -> impl Strategy<Value = (NamespaceAct, Vec<u8>, u32)> {
    let act = prop_oneof![
        (prop::collection::btree_set(1..7u8, 1..4), 1..3u32, 0..3u64).prop_map(
            |(seeds, rotate, sequence)| {
                let mut policy = policy();
                policy.controllers = seeds.iter().map(|seed| key(*seed)).collect();
                policy.threshold =
                    Threshold { rotate: rotate.min(seeds.len() as u32), price: 1, ..policy.threshold };
                policy.sequence = sequence;
                NamespaceAct::Policy(policy, Digest::of("the change"))
            }
        ),
        Just(cancel()),
        (1..10u8).prop_map(revoke),
        any::<bool>().prop_map(proof),
    ];
    (act, prop::collection::vec(1..10u8, 0..5), 0..100u32)
}

proptest! {
    /// Whatever happens: what is refused changes nothing, and keys change only by those who may change them.
    #[test]
    fn keys_change_only_by_those_who_may(acts in prop::collection::vec(any_act(), 1..30)) {
        let mut state = state();
        let mut now = 0;
        for (index, (act, seeds, hours)) in acts.into_iter().enumerate() {
            now += i64::from(hours);
            let before = state.clone().at(now * HOUR_MS);
            let signers = by(&seeds);
            let applied = state.apply(act.clone(), &signers, at(index as u64, now));
            prop_assert!(state.policy.check().is_ok());
            if applied.is_err() {
                prop_assert_eq!(&state, &before);
                continue;
            }
            let counts = |keys: &[PublicKey]| {
                let mut keys: Vec<_> = keys.iter().filter(|key| seeds.iter().any(|seed| self::key(*seed) == **key)).collect();
                keys.retain(|key| before.revoked.iter().all(|revoked| revoked.key != **key));
                keys.len() as u32
            };
            let controllers = counts(&before.policy.controllers) >= before.policy.threshold.rotate;
            let recovery = counts(&before.policy.recovery) >= before.policy.threshold.recover;
            match act {
                NamespaceAct::Policy(..) => prop_assert!(controllers || recovery),
                NamespaceAct::Cancel(_) => prop_assert!(controllers),
                NamespaceAct::Revoke(revocation) => {
                    prop_assert!(controllers || signers.contains(&revocation.key));
                    prop_assert!(!state.is_controller(&revocation.key));
                    prop_assert_eq!(&state.policy, &before.policy);
                }
                NamespaceAct::Proof(_) => prop_assert_eq!(&state.policy, &before.policy),
            }
            // Only a change by the controllers of a policy without a delay takes effect at once.
            if state.policy != before.policy {
                prop_assert!(controllers && before.policy.delay.rotate_hours == 0);
            }
        }
    }
}
