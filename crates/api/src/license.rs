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
