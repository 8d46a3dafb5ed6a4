//! Namespaces, and acts over names and releases.

use glassbox_core::acts::{DomainProof, NamespacePolicy, PendingPolicy, Revoked};
use glassbox_core::dsse::Envelope;
use glassbox_core::log::InclusionProof;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What holds of a namespace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamespaceResponse {
    /// The namespace.
    pub namespace: String,
    /// The policy in force.
    #[schema(value_type = Object)]
    pub policy: NamespacePolicy,
    /// The number that the next policy must have.
    pub next_sequence: u64,
    /// The change that waits for its delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingResponse>,
    /// Keys of the policy that count no longer, each with the log entry from which on.
    #[schema(value_type = Vec<Object>)]
    pub revoked: Vec<Revoked>,
    /// What the policy's domain said last; absent where it never vouched for the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub proof: Option<DomainProof>,
    /// Whether keys cannot be changed, because the domain vouches for the namespace no longer.
    pub frozen: bool,
}

/// A change of a policy that has not taken effect.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PendingResponse {
    /// The change: the policy to come, the digest that a cancellation names, and who asks for it.
    #[schema(value_type = Object)]
    pub change: PendingPolicy,
    /// When it takes effect, in RFC 3339.
    pub effective_at: String,
}

/// An act, as its actors signed it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActRequest {
    /// A DSSE envelope with the statement.
    #[schema(value_type = Object)]
    pub statement: Envelope,
}

/// What an actor gets back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActResponse {
    /// Whether it is new; otherwise the very same statement was logged already.
    pub new: bool,
    /// The log entry, as it was logged.
    pub entry: String,
    /// Proves that the log has it.
    #[schema(value_type = Object)]
    pub proof: InclusionProof,
}

/// Whether a release is yanked or quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarkResponse {
    /// Whether it is so now.
    pub set: bool,
    /// Why, or why no longer, in the words of whoever did it.
    pub reason: String,
    /// How often that was changed.
    pub sequence: u64,
}

/// Who made a release, in its publisher's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorshipResponse {
    /// `human`, `ai`, `mixed` or `unknown`.
    pub by: String,
    /// The program that wrote, where one did: untrusted text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model behind it: untrusted text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who looked at it: untrusted text.
    pub reviewed_by: Vec<String>,
    /// The one key that answers for it, whoever made it.
    pub accountable: String,
    /// How the publisher knows: `stated` or `git-trailers`; absent where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}
