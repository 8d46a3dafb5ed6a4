//! Payees as their operator knows them, packages whose earnings wait, and notices from others.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Money;

/// A decision about a payee.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayeeRequest {
    /// The payee, as manifests name it.
    #[schema(example = "acct:ana@example.org")]
    pub payee: String,
    /// `unverified`, `verified` or `suspended`.
    #[schema(example = "verified")]
    pub state: String,
    /// Where it is paid; as before when absent.
    #[serde(default)]
    pub address: Option<String>,
    /// Why.
    pub reason: String,
}

/// Payees that something was decided about, and packages whose earnings wait.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayeesResponse {
    /// The payees, by their ids; every other one is unverified.
    pub payees: Vec<PayeeResponse>,
    /// The packages, by their names.
    pub frozen: Vec<FreezeResponse>,
    /// What nobody claims yet, by payee.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclaimed: Vec<UnclaimedResponse>,
    /// What broken promises give back once payees have as much, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits_due: Vec<CreditDueResponse>,
}

/// What a broken promise gives back once its payees have as much.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditDueResponse {
    /// The sale, which is refunded by this id.
    pub call: String,
    /// The package whose promise was broken.
    pub package: String,
    /// How much.
    pub due: Money,
}

/// What a payee earned whom nobody knows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UnclaimedResponse {
    /// The payee.
    pub payee: String,
    /// How much, in pico: millionths of an atomic unit.
    pub pico: String,
    /// When the oldest of it becomes somebody else's.
    pub lapses_at: String,
}

/// A payee, as the operator knows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayeeResponse {
    /// The payee.
    pub payee: String,
    /// `unverified`, `verified` or `suspended`.
    pub state: String,
    /// Where it is paid, where that was written down.
    pub address: Option<String>,
    /// Why.
    pub reason: String,
    /// When that was decided.
    pub at: String,
}

/// Whether what a package earned waits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// The package.
    #[schema(example = "acme:slug")]
    pub package: String,
    /// Whether it waits.
    pub frozen: bool,
    /// Why.
    pub reason: String,
}

/// A package whose earnings wait.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FreezeResponse {
    /// The package.
    pub package: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: String,
}

/// What is wrong with a package.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeRequest {
    /// The package, or a release of it.
    #[schema(example = "acme:slug@1.2.0")]
    pub about: String,
    /// `malware`, `fraud`, `license`, `copyright`, `personal-data`, `unlawful` or `other`.
    #[schema(example = "license")]
    pub ground: String,
    /// What is wrong, and where it can be seen.
    pub text: String,
    /// Where an answer reaches you; none is wanted when absent.
    #[serde(default)]
    pub contact: Option<String>,
}

/// A notice, with what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NoticeResponse {
    /// Its id, by which whoever gave it asks for the decision.
    pub id: String,
    /// The package, or the release.
    pub about: String,
    /// On what ground.
    pub ground: String,
    /// What is wrong; for the operator alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where an answer is wanted; for the operator alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// When it was given.
    pub at: String,
    /// `open`, `acted` or `dismissed`.
    pub state: String,
    /// Why it was decided so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
}

/// Notices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NoticesResponse {
    /// The oldest first.
    pub notices: Vec<NoticeResponse>,
}

/// What comes of a notice.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeDecision {
    /// `acted` or `dismissed`.
    pub state: String,
    /// Why, for whoever gave it.
    pub reason: String,
}

/// What the operator decided.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActionsResponse {
    /// In the order in which it was decided.
    pub actions: Vec<ActionRow>,
    /// Whether there is more, after the last number.
    pub more: bool,
}

/// One decision.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActionRow {
    /// Its number; later ones have greater ones.
    pub number: i64,
    /// When.
    pub at: String,
    /// About what: `payee:ID`, a package, or `notice:ID`.
    pub about: String,
    /// `unverified`, `verified`, `suspended`, `frozen`, `thawed`, `acted` or `dismissed`.
    pub action: String,
    /// Why.
    pub reason: String,
}

/// The blocklists that the operator follows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BlocklistsResponse {
    /// One for each.
    pub feeds: Vec<BlocklistResponse>,
}

/// A blocklist, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BlocklistResponse {
    /// Whose it is.
    pub key: String,
    /// What it is called, where one was ever taken.
    pub name: Option<String>,
    /// Its number.
    pub sequence: Option<u64>,
    /// Until when there is another.
    pub expires: Option<String>,
    /// Whether that time is over. It counts all the same.
    pub stale: bool,
    /// Why the last that came was not taken.
    pub problem: Option<String>,
    /// What is on it.
    pub entries: Vec<BlocklistEntry>,
}

/// Something that is on a blocklist.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BlocklistEntry {
    /// `package:`, `component:`, `publisher:` or `payee:`, and which.
    #[schema(example = "package:acme:evil")]
    pub about: String,
    /// Why.
    pub reason: String,
}

/// A wish to give back what was charged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// The id of the call, download, licence or tip.
    pub call: String,
    /// How much shall have gone back in all, in dollars; the whole when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_usd: Option<String>,
    /// Why.
    pub reason: String,
}

/// What went back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefundResponse {
    /// Of what.
    pub call: String,
    /// How much just now; nothing where as much went back before.
    pub refunded: Money,
    /// How much in all, with what a broken promise gave back.
    pub total: Money,
    /// What was charged.
    pub charged: Money,
}
