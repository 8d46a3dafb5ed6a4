//! What holds of a namespace after the acts that were logged about it. Pure: whoever reads the log comes to the same.
//!
//! The controllers are above the recovery keys: they can cancel a recovery while it waits. So recovery is for keys that
//! are lost or revoked. Whose only key is stolen revokes it with itself: from then on nobody can cancel what the recovery
//! keys do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DomainProof, KeyRevocation, NamespacePolicy, PolicyCancellation};
use crate::dsse::Signers;
use crate::key::PublicKey;
use crate::name::{Namespace, ReleaseId};
use crate::terms::Dearer;
use crate::{Digest, limits};

/// Says why an act counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActRefusal {
    /// Too few of the keys that may decide have signed.
    #[error("to {right} takes {needed} of the keys of `{namespace}`, and {found} signed")]
    Threshold {
        /// The namespace.
        namespace: Namespace,
        /// What was to be done.
        right: Right,
        /// How many keys it takes.
        needed: u32,
        /// How many of them signed.
        found: u32,
    },
    /// The policy contradicts itself, or says what no policy may.
    #[error("the policy is not valid: {0}")]
    Policy(String),
    /// The act is not the next one.
    #[error("the act has number {found}, and the next one has {expected}")]
    Sequence {
        /// The number that it has.
        found: u64,
        /// The number of the next act.
        expected: u64,
    },
    /// A change of the policy waits already.
    #[error("a change of the policy waits already")]
    Pending,
    /// No such change waits.
    #[error("no such change of the policy waits")]
    NothingPending,
    /// The namespace has no such key, or it is revoked already.
    #[error("{0} is no key of this namespace that still counts")]
    NoKey(Box<PublicKey>),
    /// The domain vouches for the namespace no longer.
    #[error("the domain `{0}` vouches for no key of this namespace any more, so its keys cannot be changed")]
    Frozen(String),
    /// The policy names no such domain.
    #[error("the policy names no domain `{0}`")]
    NoDomain(String),
    /// It is so already.
    #[error("it is so already")]
    NoChange,
    /// The reason is missing or too long.
    #[error("an act needs a reason of at most {} bytes", limits::REASON_BYTES_MAX)]
    Reason,
    /// The namespace is another key's own.
    #[error("`{0}` is the own namespace of another key")]
    OwnNamespace(Namespace),
    /// The change of terms is of something else than the release that was published.
    #[error("the change is not of {0} as it was published")]
    OtherRelease(ReleaseId),
    /// Other terms stand by now than those that the change takes the place of.
    #[error("the change is of the terms {found}, and those that stand are {expected}")]
    Superseded {
        /// The terms that it would take the place of.
        found: Digest,
        /// Those that stand.
        expected: Digest,
    },
    /// Somebody would be worse off under the new terms.
    #[error("terms may only get cheaper")]
    Dearer(#[from] Dearer),
    /// The terms changed as often as they may.
    #[error("the terms of a release change {} times at most", limits::TERMS_CHANGES_MAX)]
    TooManyChanges,
}

/// What controllers may do, each by a threshold of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Publish a release.
    Publish,
    /// Change the terms of a release.
    Price,
    /// Yank a release, or put it back.
    Yank,
    /// Change the policy, cancel a change, revoke a key.
    Rotate,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Price => "price",
            Self::Yank => "yank",
            Self::Rotate => "rotate",
        })
    }
}

/// When an act was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The index of its entry.
    pub index: u64,
    /// The time, in Unix milliseconds.
    pub now_ms: i64,
}

/// An act about a namespace, with the digest of its payload where it can be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceAct {
    /// Sets another policy.
    Policy(NamespacePolicy, Digest),
    /// Takes back a change that waits.
    Cancel(PolicyCancellation),
    /// Revokes a key.
    Revoke(KeyRevocation),
    /// Says what the domain said. Whoever applies it has checked that the operator signed it, and nobody else needs to.
    Proof(DomainProof),
}

impl NamespaceAct {
    /// Returns the namespace that it is about.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Policy(policy, _) => &policy.namespace,
            Self::Cancel(cancellation) => &cancellation.namespace,
            Self::Revoke(revocation) => &revocation.namespace,
            Self::Proof(proof) => &proof.namespace,
        }
    }
}

/// A claim of a namespace that nobody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// By the first release, whose publisher it is.
    Release(PublicKey),
    /// By a policy.
    Policy(NamespacePolicy),
}

/// Who signed a change of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The controllers.
    Controllers,
    /// The recovery keys.
    Recovery,
}

/// What holds of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceState {
    /// The policy in force.
    pub policy: NamespacePolicy,
    /// The number of the last policy that was asked for: one that was cancelled cannot be presented again.
    pub sequence: u64,
    /// The change that waits for its delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingPolicy>,
    /// Keys of the policy that count no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
    /// What the policy's domain said last, once it had vouched for the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<DomainProof>,
}

/// A change of a policy that has not taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingPolicy {
    /// The policy to come.
    pub policy: NamespacePolicy,
    /// The digest of the payload that asks for it: what a cancellation names.
    pub change: Digest,
    /// Who asks for it.
    pub by: Authority,
    /// The keys that signed.
    pub signers: Vec<PublicKey>,
    /// When it takes effect, in Unix milliseconds.
    pub effective_ms: i64,
}

/// A revoked key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The key.
    pub key: PublicKey,
    /// The index of the entry from which on it counts no longer.
    pub index: u64,
    /// Why, for people.
    pub reason: String,
}

impl NamespaceState {
    /// Claims a namespace that nobody has. A policy is signed by the keys that it says it takes to change it.
    pub fn claim(namespace: &Namespace, claim: Claim, signers: &Signers) -> Result<Self, ActRefusal> {
        let policy = match claim {
            Claim::Release(key) => NamespacePolicy::of_one_key(namespace.clone(), key),
            Claim::Policy(policy) => policy,
        };
        policy.check()?;
        if policy.sequence != 0 {
            return Err(ActRefusal::Sequence { found: policy.sequence, expected: 0 });
        }
        let is_owner = |key: &PublicKey| Namespace::of_key(key) == *namespace;
        if namespace.is_of_key()
            && !policy.controllers.iter().any(|key| is_owner(key) && signers.contains(key))
        {
            return Err(ActRefusal::OwnNamespace(namespace.clone()));
        }
        let state =
            Self { sequence: policy.sequence, policy, pending: None, revoked: Vec::new(), proof: None };
        state.permit(Right::Rotate, signers)?;
        Ok(state)
    }

    /// Returns what holds at a time: a change whose delay is over has taken effect.
    #[must_use]
    pub fn at(mut self, now_ms: i64) -> Self {
        let frozen = self.frozen_by().is_some();
        let is_due = |pending: &mut PendingPolicy| {
            pending.effective_ms <= now_ms && !(frozen && pending.by == Authority::Controllers)
        };
        if let Some(pending) = self.pending.take_if(is_due) {
            self.enact(pending.policy);
        }
        self
    }

    /// Applies an act that is logged at `moment`. A refused one changes nothing.
    pub fn apply(&mut self, act: NamespaceAct, signers: &Signers, moment: Moment) -> Result<(), ActRefusal> {
        *self = self.clone().at(moment.now_ms);
        match act {
            NamespaceAct::Policy(policy, change) => self.change(policy, change, signers, moment.now_ms),
            NamespaceAct::Cancel(cancellation) => self.cancel(&cancellation, signers),
            NamespaceAct::Revoke(revocation) => self.revoke(revocation, signers, moment.index),
            NamespaceAct::Proof(proof) => self.observe(proof),
        }
    }

    /// Checks that enough controllers signed for `right`.
    pub fn permit(&self, right: Right, signers: &Signers) -> Result<(), ActRefusal> {
        let threshold = &self.policy.threshold;
        let needed = match right {
            Right::Publish => threshold.publish,
            Right::Price => threshold.price,
            Right::Yank => threshold.yank,
            Right::Rotate => threshold.rotate,
        };
        let found = self.count(&self.policy.controllers, signers);
        if found >= needed {
            return Ok(());
        }
        Err(ActRefusal::Threshold { namespace: self.policy.namespace.clone(), right, needed, found })
    }

    /// Tells whether `key` is a controller that counts.
    pub fn is_controller(&self, key: &PublicKey) -> bool {
        self.policy.controllers.contains(key) && !self.is_revoked(key)
    }

    /// Returns the domain whose proof lapsed: while it does not hold again, the controllers cannot change keys.
    pub fn frozen_by(&self) -> Option<&str> {
        self.proof.as_ref().filter(|proof| !proof.holds).map(|proof| proof.domain.as_str())
    }

    fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.iter().any(|revoked| revoked.key == *key)
    }

    fn count(&self, keys: &[PublicKey], signers: &Signers) -> u32 {
        let counted = keys.iter().filter(|key| signers.contains(key) && !self.is_revoked(key)).count();
        u32::try_from(counted).expect("a policy has few keys")
    }

    /// Returns who asks for a change of the policy, if enough of them do.
    fn authority(&self, signers: &Signers) -> Result<Authority, ActRefusal> {
        let refused = match self.permit(Right::Rotate, signers) {
            Ok(()) => return Ok(Authority::Controllers),
            Err(refused) => refused,
        };
        if self.count(&self.policy.recovery, signers) >= self.policy.threshold.recover {
            return Ok(Authority::Recovery);
        }
        Err(refused)
    }

    fn change(
        &mut self,
        policy: NamespacePolicy,
        change: Digest,
        signers: &Signers,
        now_ms: i64,
    ) -> Result<(), ActRefusal> {
        let by = self.authority(signers)?;
        policy.check()?;
        let expected = self.sequence + 1;
        if policy.sequence != expected {
            return Err(ActRefusal::Sequence { found: policy.sequence, expected });
        }
        if self.pending.is_some() {
            return Err(ActRefusal::Pending);
        }
        if let Some(revoked) = policy.keys().find(|key| self.is_revoked(key)) {
            return Err(ActRefusal::NoKey(Box::new(*revoked)));
        }
        // The recovery keys can still change keys: they are no domain's, and without them the name would be lost.
        if let (Some(domain), Authority::Controllers) = (self.frozen_by(), by) {
            return Err(ActRefusal::Frozen(domain.into()));
        }
        self.sequence = policy.sequence;
        let hours = match by {
            Authority::Controllers => self.policy.delay.rotate_hours,
            Authority::Recovery => self.policy.delay.recover_hours,
        };
        if hours == 0 {
            self.enact(policy);
        } else {
            let effective_ms = now_ms.saturating_add(i64::from(hours) * 3_600_000);
            let signers = signers.keys().to_vec();
            self.pending = Some(PendingPolicy { policy, change, by, signers, effective_ms });
        }
        Ok(())
    }

    fn enact(&mut self, policy: NamespacePolicy) {
        if policy.domain != self.policy.domain {
            self.proof = None;
        }
        // Only those that the new policy names: what was revoked before is in the log.
        self.revoked.retain(|revoked| policy.keys().any(|key| *key == revoked.key));
        self.policy = policy;
    }

    fn cancel(&mut self, cancellation: &PolicyCancellation, signers: &Signers) -> Result<(), ActRefusal> {
        self.permit(Right::Rotate, signers)?;
        check_reason(&cancellation.reason)?;
        let cancelled = self.pending.take_if(|pending| pending.change == cancellation.change);
        cancelled.map(|_| ()).ok_or(ActRefusal::NothingPending)
    }

    /// A key can always revoke itself. Recovery keys cannot be revoked by others: whoever stole the controllers' keys
    /// would begin with that.
    fn revoke(&mut self, revocation: KeyRevocation, signers: &Signers, index: u64) -> Result<(), ActRefusal> {
        let KeyRevocation { key, reason, .. } = revocation;
        check_reason(&reason)?;
        if !self.policy.keys().any(|known| *known == key) || self.is_revoked(&key) {
            return Err(ActRefusal::NoKey(key.into()));
        }
        if !signers.contains(&key) {
            self.permit(Right::Rotate, signers)?;
            if !self.policy.controllers.contains(&key) {
                return Err(ActRefusal::NoKey(key.into()));
            }
        }
        self.revoked.push(Revoked { key, index, reason });
        // A change that waits stands on the keys that asked for it.
        if let Some(pending) = self.pending.take() {
            let signers = pending.signers.iter().copied().collect();
            if self.authority(&signers) == Ok(pending.by) {
                self.pending = Some(pending);
            }
        }
        Ok(())
    }

    fn observe(&mut self, proof: DomainProof) -> Result<(), ActRefusal> {
        if self.policy.domain.as_deref() != Some(proof.domain.as_str()) {
            return Err(ActRefusal::NoDomain(proof.domain));
        }
        // What never held cannot lapse, and the same again is no news.
        if self.proof.as_ref().is_some_and(|known| known.holds) == proof.holds {
            return Err(ActRefusal::NoChange);
        }
        self.proof = Some(proof);
        Ok(())
    }
}

fn check_reason(reason: &str) -> Result<(), ActRefusal> {
    if reason.trim().is_empty() || reason.len() > limits::REASON_BYTES_MAX {
        return Err(ActRefusal::Reason);
    }
    Ok(())
}

impl NamespacePolicy {
    /// Returns every key that it names.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.controllers.iter().chain(&self.recovery)
    }

    /// Checks what can be checked of a policy alone.
    pub fn check(&self) -> Result<(), ActRefusal> {
        let refuse = |why: String| Err(ActRefusal::Policy(why));
        let max = limits::POLICY_KEYS_MAX;
        if self.controllers.is_empty() || self.controllers.len() > max || self.recovery.len() > max {
            return refuse(format!("it needs 1 to {max} controllers, and at most {max} recovery keys"));
        }
        let keys: Vec<&PublicKey> = self.keys().collect();
        if let Some((_, twice)) = keys.iter().enumerate().find(|(n, key)| keys[..*n].contains(key)) {
            return refuse(format!("it names {twice} twice"));
        }
        let thresholds = [
            ("publish", self.threshold.publish, self.controllers.len()),
            ("price", self.threshold.price, self.controllers.len()),
            ("yank", self.threshold.yank, self.controllers.len()),
            ("rotate", self.threshold.rotate, self.controllers.len()),
            ("recover", self.threshold.recover, self.recovery.len().max(1)),
        ];
        for (name, threshold, keys) in thresholds {
            if threshold == 0 || threshold as usize > keys {
                return refuse(format!(
                    "the threshold `{name}` is {threshold}, and not between 1 and {keys}"
                ));
            }
        }
        let hours = limits::POLICY_DELAY_HOURS_MAX;
        if self.delay.rotate_hours > hours || self.delay.recover_hours > hours {
            return refuse(format!("a delay is longer than {hours} hours"));
        }
        let least = limits::RECOVERY_HOURS_MIN.max(self.delay.rotate_hours);
        if !self.recovery.is_empty() && self.delay.recover_hours < least {
            return refuse(format!(
                "a change by the recovery keys must wait at least {least} hours: no less than one by the controllers"
            ));
        }
        match &self.domain {
            Some(domain) if !is_domain(domain) => refuse(format!(
                "`{}` is not a domain; write it like `acme.example`",
                domain.chars().take(80).collect::<String>()
            )),
            _ => Ok(()),
        }
    }
}

/// Tells whether `text` is a fully qualified domain name in lower case, of at least two labels, and not an address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(is_label)
        && top.bytes().any(|b| b.is_ascii_lowercase())
}
