//! The tree of a call: what is linked behind the component that is called, and what of that ran.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::name::{FunctionName, ReleaseId};
use crate::release::Pinned;

/// A dependency as it was linked for a call: with those above it, all that decides what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Linked {
    /// The release. A label: what ran is `component`.
    pub release: ReleaseId,
    /// The component's bytes.
    pub component: Digest,
    /// The terms of the release.
    pub terms: Digest,
    /// The memory that its instance could have, in bytes.
    pub memory_bytes_max: u64,
    /// How often one call of its importer could call it, where that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_max: Option<u64>,
    /// The host interfaces that it was granted, sorted: never more than its importer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// The functions of it that its importer is linked to and that its terms have a price for: only they can cost anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionName>,
    /// Its own dependencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Linked>,
}

/// The calls of one function of a dependency, by the way that it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// The node of the function that called it, by its place; absent where that is the function of the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// The release.
    pub release: ReleaseId,
    /// The component's bytes.
    pub component: Digest,
    /// The terms of the release.
    pub terms: Digest,
    /// The function.
    pub function: FunctionName,
    /// How often it was called.
    pub calls: u64,
    /// The fuel that it burnt itself, without what it called.
    pub fuel: u64,
    /// What a call of the component burns itself in the release's own tests, in the median; absent where the registry did
    /// not run any. The executor's claim, which running the tests shows: of what decides the run it is no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_baseline: Option<u64>,
}

impl Linked {
    /// Tells whether what was linked is what a release pins.
    pub fn are_pinned(linked: &[Self], pins: &[Pinned]) -> bool {
        let is_pinned = |linked: &Self, pin: &Pinned| {
            (&linked.release, linked.component, linked.terms) == (&pin.release, pin.component, pin.terms)
        };
        linked.len() == pins.len() && linked.iter().zip(pins).all(|(linked, pin)| is_pinned(linked, pin))
    }
}
