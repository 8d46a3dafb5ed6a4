//! Implementations of one interface, and which of them was chosen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Money, SameCodeResponse, StrengthResponse};

/// The interfaces that packages export.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InterfacesResponse {
    /// How many there are. Beyond five hundred, the rest is not listed.
    pub total: usize,
    /// Those first that most packages export.
    pub interfaces: Vec<InterfaceSummary>,
}

/// An interface that packages export.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InterfaceSummary {
    /// Its name.
    #[schema(example = "acme:text/slug@1.0.0")]
    pub name: String,
    /// How many packages export it.
    pub implementations: usize,
}

/// The packages that export an interface.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImplementationsResponse {
    /// The interface.
    #[schema(example = "acme:text/slug@1.0.0")]
    pub interface: String,
    /// Where its tests come from, which are run on each implementation; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<SpecSourceResponse>,
    /// Each by its newest release, in the order that was asked for: unless another, by payers who have nothing to do with it.
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
    /// The most that a call costs, of the function that costs most.
    pub max: Money,
    /// How many of its own tests passed when it was published.
    pub tests_passed: usize,
    /// What the tests show of it that the package has which the interface is named after; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_tests: Option<SpecTestsResponse>,
    /// What trying its own tests on mutants of its component showed; absent until they were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<StrengthResponse>,
    /// How long a run takes on this registry, in microseconds: the median of the newest that returned, at most 101 since the
    /// registry started, without waiting in line. Absent below five. It depends on what callers ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_us_median: Option<u64>,
    /// How many paid for it within thirty days.
    pub payers: usize,
    /// How many of them count: unrelated to whoever is paid and to one another as far as the ledger tells, at least three, who
    /// pay a tenth of a cent a call or more.
    pub payers_organic: usize,
    /// How many paid calls there were within thirty days.
    pub calls: u64,
    /// The release of another publisher that first had its code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_code_as: Option<SameCodeResponse>,
}

/// What the tests of the package that an interface is named after show of an implementation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpecTestsResponse {
    /// How many there are.
    pub total: usize,
    /// How many of them it passes.
    pub passed: usize,
    /// The fuel that they took, where it passes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
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
    /// The function, by its full name: a shorter one may mean several there.
    #[schema(example = "acme:text/slug@1.0.0#slugify")]
    pub function: String,
    /// How: `cheapest`, `fastest`, `most-proven` or `pinned`.
    pub choice: String,
    /// Of how many that could be.
    pub among: usize,
    /// Why, in words.
    pub why: String,
    /// How many tests the interface's own package has of it; with none, nothing shows that any of them is right.
    #[serde(default)]
    pub spec_cases: usize,
    /// Those that could not be chosen, the best first; at most sixteen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutResponse>,
}

/// An implementation that could not be chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeftOutResponse {
    /// The release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// The rule: the code that calling it would be refused with, a rule of the company, `spec-tests-failed` or
    /// `spec-tests-awaited`.
    pub rule: String,
}

/// Where the tests of an interface come from: the package that it is named after.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpecSourceResponse {
    /// The release that has them.
    pub release: String,
    /// How many of its tests are of the interface.
    pub cases: usize,
}
