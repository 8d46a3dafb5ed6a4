//! Implementations of one interface, and which of them was chosen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The packages that export an interface.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImplementationsResponse {
    /// The interface.
    #[schema(example = "acme:text/slug@1.0.0")]
    pub interface: String,
    /// Each by its newest release; first those that most payers use who have nothing to do with them.
    pub implementations: Vec<ImplementationResponse>,
}

/// A package that exports an interface.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImplementationResponse {
    /// Its newest release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// The key that signed it.
    pub publisher: String,
    /// Its licence.
    pub license: String,
    /// The functions of the interface, with their prices.
    pub functions: Vec<ImplementedFunction>,
    /// What it may use of the host; nothing where it only computes.
    pub grants: Vec<String>,
    /// How many of its own tests passed when it was published.
    pub tests_passed: usize,
    /// The fuel that the tests of the package took which the interface is named after, where it ships all of them and passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_fuel: Option<u64>,
    /// How many paid for it within thirty days.
    pub payers: usize,
    /// How many of them count: none of its payees, at least three, who pay a tenth of a cent a call or more.
    pub payers_organic: usize,
    /// How many paid calls there were within thirty days.
    pub calls: u64,
}

/// A function of an interface, as one package has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImplementedFunction {
    /// Its name.
    pub name: String,
    /// What it costs, for people.
    #[schema(example = "$0.002 per call")]
    pub price: String,
}

/// An implementation that was chosen for a caller who left it open.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChosenResponse {
    /// The release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// How: `cheapest`, `fastest` or `most-proven`.
    pub choice: String,
    /// Of how many.
    pub among: usize,
    /// Why, in words.
    pub why: String,
}
