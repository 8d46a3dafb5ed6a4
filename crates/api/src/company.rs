//! A company's registry: accounts, their tokens and budgets, what waits for a person, and what is charged back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Money;

/// An account to be opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// Its name: a-z, 0-9, `.`, `_`, `@` and `-`.
    #[schema(example = "ci-bot")]
    pub name: String,
    /// `agent` or `person`.
    #[serde(default = "agent")]
    pub kind: String,
    /// What bears its cost.
    #[schema(example = "research")]
    pub cost_center: String,
    /// `invoice` or `prepaid`.
    #[serde(default = "invoice")]
    pub paying: String,
    /// Whether it may decide what others ask approval for. Only a person may.
    #[serde(default)]
    pub approves: bool,
    /// What it may spend in a month, in dollars; what the policy says when absent.
    #[serde(default)]
    pub month_usd: Option<String>,
}

fn agent() -> String {
    "agent".into()
}

fn invoice() -> String {
    "invoice".into()
}

/// An account, with what it has and used in this month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountResponse {
    /// Its name.
    pub name: String,
    /// `agent` or `person`.
    pub kind: String,
    /// What bears its cost.
    pub cost_center: String,
    /// `invoice` or `prepaid`.
    pub paying: String,
    /// Whether it may decide what others ask approval for.
    pub approves: bool,
    /// What it may spend in a month, in dollars; without bound when absent.
    pub month_usd: Option<String>,
    /// What it spent in this month, and what is set aside for calls under way.
    pub spent_usd: String,
    /// What is left of what was paid in.
    pub available_usd: String,
    /// What it owes by invoice.
    pub owed_usd: String,
    /// When it was opened, as RFC 3339.
    pub created_at: String,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
}

/// The accounts of a company.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountsResponse {
    /// The accounts, by their names.
    pub accounts: Vec<AccountResponse>,
}

/// What an account may spend in a month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRequest {
    /// In dollars; what the policy says when null.
    pub month_usd: Option<String>,
}

/// A token to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenRequest {
    /// What it is for.
    #[serde(default)]
    pub label: String,
    /// How long it lasts, in seconds; until it is taken back when absent.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// A token of an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountTokenResponse {
    /// What it is called.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// When it was made, as RFC 3339.
    pub created_at: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Its text: shown where it is made, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The tokens of an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountTokensResponse {
    /// The tokens, oldest first.
    pub tokens: Vec<AccountTokenResponse>,
}

/// What was paid in for an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayInRequest {
    /// The operator's name for it: the same again is booked once.
    pub id: String,
    /// How much, in dollars.
    pub usd: String,
    /// What the bank's statement says.
    #[serde(default)]
    pub reference: String,
}

/// What an account paid of what it owes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleRequest {
    /// The month, which is over.
    #[schema(example = "2026-11")]
    pub month: String,
    /// What the bank's statement says.
    #[serde(default)]
    pub reference: String,
}

/// What was settled.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SettleResponse {
    /// How much: nothing where nothing was owed.
    pub settled: Money,
    /// For how many calls.
    pub calls: u64,
}

/// A call that waits for a person, or did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalResponse {
    /// Its id.
    pub id: String,
    /// Who asks.
    pub account: String,
    /// The release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// The function.
    pub function: String,
    /// What it costs at most.
    pub max: Money,
    /// `waiting`, `approved`, `denied` or `used`.
    pub state: String,
    /// When it was asked for, as RFC 3339.
    pub asked_at: String,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The call that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// What was asked for within a week.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalsResponse {
    /// The newest first.
    pub approvals: Vec<ApprovalResponse>,
}

/// What a person decides.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// Whether the call may be made, once.
    pub approve: bool,
}

/// What accounts used in a month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChargebackResponse {
    /// The month, by UTC.
    #[schema(example = "2026-11")]
    pub month: String,
    /// What all its calls cost so far.
    pub total: Money,
    /// The sums of all its calls so far, by cost centre and account.
    pub sums: Vec<ChargebackSum>,
    /// A page of its calls, in their order.
    pub calls: Vec<ChargebackRow>,
    /// Whether there are more, after the number of the last.
    pub more: bool,
}

/// What an account used for one cost centre.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChargebackSum {
    /// What bears the cost.
    pub cost_center: String,
    /// The account.
    pub account: String,
    /// How many calls.
    pub calls: u64,
    /// What they cost.
    pub charged: Money,
}

/// A call that is charged back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChargebackRow {
    /// Its number; later ones have greater ones.
    pub number: i64,
    /// When, as RFC 3339.
    pub at: String,
    /// What bears the cost.
    pub cost_center: String,
    /// The account.
    pub account: String,
    /// The id of the token that made it.
    pub token: String,
    /// The call's id.
    pub call: String,
    /// The release.
    pub release: String,
    /// The function.
    pub function: String,
    /// What it cost.
    pub charged: Money,
    /// The digest of its receipt's payload, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}
