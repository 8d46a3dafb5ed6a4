//! What decides over a namespace: its policy, the keys that are revoked, the domain that vouches for it.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::key::PublicKey;
use crate::name::Namespace;

/// Who may do what to the names of a namespace.
///
/// A change is signed by the *old* policy's threshold for `rotate`, or by its recovery keys, and takes effect after the
/// old policy's delay. The first release of an unclaimed namespace claims it with [`NamespacePolicy::of_one_key`]. What
/// counts is decided by [`NamespaceState`](super::NamespaceState).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespacePolicy {
    /// The namespace.
    pub namespace: Namespace,
    /// The keys that decide.
    pub controllers: Vec<PublicKey>,
    /// How many of them it takes.
    pub threshold: Threshold,
    /// The keys that may set a new policy when the controllers are lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<PublicKey>,
    /// How long a change of the policy can be seen before it takes effect.
    #[serde(default)]
    pub delay: Delay,
    /// The domain that vouches for the namespace, such as `acme.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Which policy of the namespace it is: 0 for the one that claimed it, then one more each time that one is asked for.
    pub sequence: u64,
}

/// How many keys it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Controllers, to publish a release.
    pub publish: u32,
    /// Controllers, to change the terms of a release.
    pub price: u32,
    /// Controllers, to yank a release or put it back.
    pub yank: u32,
    /// Controllers, to change the policy, cancel a change or revoke a key.
    pub rotate: u32,
    /// Recovery keys, to change the policy.
    pub recover: u32,
}

/// How long a change of a policy can be seen before it takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delay {
    /// A change by the controllers, in hours.
    #[serde(default)]
    pub rotate_hours: u32,
    /// A change by the recovery keys, in hours.
    #[serde(default)]
    pub recover_hours: u32,
}

impl NamespacePolicy {
    /// Returns the policy of a namespace that `key` claimed by its first release: it alone decides, at once.
    pub fn of_one_key(namespace: Namespace, key: PublicKey) -> Self {
        Self {
            namespace,
            controllers: vec![key],
            threshold: Threshold { publish: 1, price: 1, yank: 1, rotate: 1, recover: 1 },
            recovery: Vec::new(),
            delay: Delay::default(),
            domain: None,
            sequence: 0,
        }
    }
}

/// The controllers take back a change of the policy that has not taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCancellation {
    /// The namespace.
    pub namespace: Namespace,
    /// The digest of the payload of the change.
    pub change: Digest,
    /// Why, for people.
    pub reason: String,
}

/// A key counts no longer, from this entry of the log on. What it signed before stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRevocation {
    /// The namespace.
    pub namespace: Namespace,
    /// The key.
    pub key: PublicKey,
    /// Why, for people.
    pub reason: String,
}

/// What the registry saw when it asked the domain of a namespace which keys it vouches for.
///
/// Signed by the operator, and anybody can ask the domain too. While it does not hold, keys cannot be changed: whoever
/// buys a lapsed domain shall not get the name with it. Releases go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainProof {
    /// The namespace.
    pub namespace: Namespace,
    /// The domain that was asked.
    pub domain: String,
    /// How.
    pub method: ProofMethod,
    /// The keys that it named for this namespace.
    pub keys: Vec<PublicKey>,
    /// Whether a controller was among them.
    pub holds: bool,
    /// When it was asked, in RFC 3339.
    pub asked_at: String,
}

/// How a domain is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofMethod {
    /// The TXT records of `_glassbox.<domain>`.
    Dns,
    /// The file `https://<domain>/.well-known/glassbox.json`.
    WellKnown,
}

acts! {
    about namespace;
    NamespacePolicy: "namespace-policy",
    PolicyCancellation: "policy-cancellation",
    KeyRevocation: "key-revocation",
    DomainProof: "domain-proof"
}
