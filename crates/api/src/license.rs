//! Licences: plans and offers that are bought, grants that are proved; and gifts.

use glassbox_core::dsse::Envelope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Money;

/// What licence somebody wants.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LicenseBody {
    /// What it is for: `plan:ID` or `offer:ID` of the manifest.
    pub item: String,
    /// For how many seats or copies; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u64>,
    /// Whom it is for, by a name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licensee: Option<String>,
}

/// A plan or a licence that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForSaleResponse {
    /// What it is: `plan:ID` or `offer:ID`.
    #[schema(example = "plan:team")]
    pub item: String,
    /// What it costs, each.
    pub price: Money,
    /// What is counted, `seat` or `copy`, where anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The licence that it grants, as an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<String>,
}

/// A licence that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LicenseResponse {
    /// The signed statement, a DSSE envelope.
    #[schema(value_type = Object)]
    pub license: Envelope,
    /// What was charged.
    pub charged: Money,
}

/// A gift to the payees of a package.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TipBody {
    /// How much, in dollars.
    pub usd: String,
}

/// A gift that was given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TipResponse {
    /// The release whose payees have it.
    pub release: String,
    /// How much it was.
    pub charged: Money,
}

/// A licence that a publisher signed, for a registry to keep.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RedeemBody {
    /// The signed statement, a DSSE envelope.
    #[schema(value_type = Object)]
    pub license: Envelope,
}

/// A grant that an identity token of a forge proves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcBody {
    /// The release, `ns:name@version`, or a package for its newest.
    #[schema(example = "acme:fold@1.2.0")]
    pub release: String,
    /// The id of the grant in the manifest.
    #[schema(example = "oss")]
    pub grant: String,
    /// Who shall have it, as registries know payers: an account of credit, or an address.
    pub holder: String,
    /// The token, whose audience is this registry's URL, `#`, and the holder.
    pub token: String,
}

/// Gifts to all that a company used in a month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpreadBody {
    /// The month whose calls decide who has how much.
    #[schema(example = "2026-11")]
    pub month: String,
    /// How much in all, in dollars. Either this or `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<String>,
    /// How much in all, as a percentage from 1 to 100 of what the account itself spent on calls in the month, rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub percent: Option<u32>,
}

/// Gifts that were given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpreadResponse {
    /// One for each package that accepts them.
    pub tips: Vec<SpreadTipResponse>,
}

/// A package's part of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpreadTipResponse {
    /// The package.
    pub package: String,
    /// How many calls of it the company made.
    pub calls: u64,
    /// What its payees have of it.
    pub charged: Money,
    /// The code of the refusal where they have nothing yet: asking for the same again may give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
