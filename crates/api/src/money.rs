//! What is earned, held, bought and paid out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Money;

/// Whose earnings, and what they are told apart by.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
pub struct EarningsQuery {
    /// Those with a package, `ns:name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Those of a receiver: a payee's id, or `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// What they are told apart by, joined by commas: `package`, `release`, `export`, `day` and `payer`; `release` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The first day that counts, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "2026-11-01")]
    pub from: Option<String>,
    /// The first day after it that counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "2026-12-01")]
    pub until: Option<String>,
}

/// Who earned what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EarningsResponse {
    /// The rows, in the order of what they are told apart by, then of their receivers.
    pub earnings: Vec<EarningRow>,
    /// The sum over all rows, less what went back, in dollars.
    pub total_usd: String,
    /// Whether the money is play money.
    pub play_money: bool,
}

/// What somebody earned. What earnings are not told apart by is absent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EarningRow {
    /// Who: a payee's id, or `operator`.
    pub receiver: String,
    /// With which package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// With which release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// With which function; `download`, `license` and `tip` are what was sold otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// On which day, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// What kind of payer paid: `licensed` had a licence of the package, such as a plan; of the others, a `wallet`, prepaid
    /// `credit`, or an `account` of a company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// In how many calls, or sales.
    pub calls: u64,
    /// Millionths of a millionth of a dollar, as digits.
    pub pico: String,
    /// The same in dollars, as a decimal.
    pub usd: String,
    /// What went back to payers, of this or of what was earned before, in millionths of a millionth of a dollar; absent where
    /// nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed_pico: Option<String>,
    /// The same in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed_usd: Option<String>,
}

/// A request for play money.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaucetRequest {
    /// The address to fund.
    pub address: String,
    /// How much, in dollars, as a decimal.
    #[schema(example = "10")]
    pub usd: String,
}

/// What an address has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BalanceResponse {
    /// The address.
    pub address: String,
    /// What it has.
    pub balance: Money,
    /// For people: `devnet, play money` where it is.
    pub label: String,
}

/// A wish to buy prepaid credit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditRequest {
    /// The account that gets it; a new one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How much, in dollars.
    pub usd: String,
}

/// Credit that was bought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditResponse {
    /// The account.
    pub account: String,
    /// The token that spends it, where the account is new. Whoever has it can spend: keep it like money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was added.
    pub credited: Money,
}

/// What a credit account has, in dollars to the last of twelve decimals.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditBalanceResponse {
    /// The account.
    pub account: String,
    /// What may be spent.
    pub available_usd: String,
    /// What is set aside for calls under way.
    pub held_usd: String,
    /// What was spent so far.
    pub spent_usd: String,
}

/// A wish to have credit paid back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditRefundRequest {
    /// A name of your own for it: the same again is the same refund.
    pub id: String,
    /// The address that gets it.
    pub to: String,
    /// How much, in dollars.
    pub usd: String,
}

/// What an audit of the ledger found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditResponse {
    /// How many accounts there are.
    pub accounts: usize,
    /// How many posted transfers.
    pub transfers: usize,
    /// How many transactions on the rail.
    pub transactions: usize,
    /// What the ledger says the treasury holds, in dollars.
    pub booked_usd: String,
    /// What the chain says.
    pub held_usd: String,
    /// Everything that does not agree, each with its `kind`; empty when the ledger is right.
    pub findings: Vec<serde_json::Value>,
}

/// Transfers of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StatementResponse {
    /// What arrived in the account so far, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_usd: Option<String>,
    /// What left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debits_usd: Option<String>,
    /// The transfers, in their order.
    pub transfers: Vec<StatementRow>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// One transfer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StatementRow {
    /// Its number.
    pub id: i64,
    /// When it was written, in RFC 3339.
    pub at: String,
    /// What it belongs to: a call's id, or a text such as `payout:…`.
    pub subject: String,
    /// What it is for, such as `charge`.
    pub kind: String,
    /// The account that gave.
    pub debit: String,
    /// The account that received.
    pub credit: String,
    /// How much, in 1e-12 dollars.
    pub pico: String,
    /// The same in dollars.
    pub usd: String,
    /// The transaction on the rail, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
}

/// A wish to pay out earnings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayoutRequest {
    /// The addresses of payees by their ids, and of the operator as `operator`.
    #[serde(default)]
    pub addresses: std::collections::BTreeMap<String, String>,
    /// From how many dollars on an account is paid.
    pub threshold_usd: String,
    /// Pay verified payees only.
    #[serde(default)]
    pub verified_only: bool,
    /// Only say what would be paid.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is paid out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayoutResponse {
    /// All together.
    pub total: Money,
    /// The gas that the transaction burns, where somebody is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas: Option<u64>,
    /// The price of a unit of gas, in the smallest unit of the chain's coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_price: Option<String>,
    /// The transaction, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// One row for each account that earned anything.
    pub payouts: Vec<PayoutRow>,
}

/// What one account is paid.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayoutRow {
    /// `payee:ID` or `operator`.
    pub account: String,
    /// What it earned for good and was not paid yet, in dollars.
    pub payable_usd: String,
    /// What of it waits because the package that earned it is disputed, in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_usd: Option<String>,
    /// What it is paid now.
    pub amount: Money,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why it is not paid now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// What vouchers brought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimResponse {
    /// What arrived.
    pub arrived: Money,
}

/// Credit that the operator gives.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// What the operator calls the account.
    #[serde(default)]
    pub label: String,
    /// How much, in dollars.
    pub usd: String,
}
