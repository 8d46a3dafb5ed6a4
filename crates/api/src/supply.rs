//! The supply chain: what releases are made of, and who says what about them.

use glassbox_core::dsse::Envelope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The releases that a package went into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeOfResponse {
    /// At most a thousand of them.
    pub releases: Vec<MadeOf>,
}

/// A release that a package went into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeOf {
    /// The release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// The version of the package within.
    pub version: String,
    /// Where the package comes from, such as `cargo`.
    pub source: String,
}

/// What others say of a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttestationsResponse {
    /// The statements, oldest first.
    pub attestations: Vec<AttestationResponse>,
}

/// What somebody says of a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttestationResponse {
    /// The digest of its payload.
    pub id: String,
    /// `provenance` or `rebuild`.
    #[schema(example = "rebuild")]
    pub kind: String,
    /// Who signed it, as a `did:key`.
    pub signer: String,
    /// Whether whoever published the release signed it.
    pub by_publisher: bool,
    /// What it shows, and what it does not, for people.
    pub means: String,
    /// When it came, as RFC 3339.
    pub received_at: String,
    /// The statement, an in-toto statement in a DSSE envelope.
    #[schema(value_type = serde_json::Value)]
    pub statement: Envelope,
}

/// Why and for how long a release is held: it can be read, and names do not resolve to it and it does not run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldResponse {
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Until when, as RFC 3339.
    pub until: String,
    /// What lets it go before that, for people.
    pub next: String,
}

/// A page of advisories.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdvisoriesResponse {
    /// The advisories, newest first.
    pub advisories: Vec<AdvisoryResponse>,
    /// What `before` is to be for the next page; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<i64>,
}

/// An advisory with who signed it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdvisoryResponse {
    /// The record of the Open Source Vulnerability schema.
    pub osv: serde_json::Value,
    /// Who signed it, as a `did:key`.
    pub signer: String,
    /// The index of its log entry.
    pub log_index: u64,
    /// When it came, as RFC 3339.
    pub received_at: String,
    /// The statement, an in-toto statement in a DSSE envelope.
    #[schema(value_type = serde_json::Value)]
    pub statement: Envelope,
}

/// An advisory that affects a release, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdvisoryNote {
    /// Its id.
    #[schema(example = "GBX-2026-1")]
    pub id: String,
    /// What is wrong, in a line.
    pub summary: String,
    /// The part of the release that is affected, with its version; absent where it is the release itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The versions that are said to be without the fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
}
