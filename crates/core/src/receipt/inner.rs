//! What a call ran beside the component that was called.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Receipt;
use crate::name::{FunctionName, ReleaseId};
use crate::release::Pinned;
use crate::{Digest, limits};

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
}

impl Receipt {
    /// Tells whether what stood behind the component's imports is what a release pins.
    pub fn links(&self, pins: &[Pinned]) -> bool {
        let pinned = |linked: &Linked, pin: &Pinned| {
            (&linked.release, linked.component, linked.terms) == (&pin.release, pin.component, pin.terms)
        };
        self.dependencies.len() == pins.len()
            && self.dependencies.iter().zip(pins).all(|(linked, pin)| pinned(linked, pin))
    }

    /// Returns the components of all dependencies, each once.
    pub fn linked_components(&self) -> BTreeSet<(ReleaseId, Digest)> {
        fn collect(linked: &[Linked], found: &mut BTreeSet<(ReleaseId, Digest)>) {
            for one in linked {
                found.insert((one.release.clone(), one.component));
                collect(&one.dependencies, found);
            }
        }
        let mut found = BTreeSet::new();
        collect(&self.dependencies, &mut found);
        found
    }

    /// Checks that the call tree is one: of dependencies as they were linked, and of no more fuel than was burnt.
    pub(super) fn check_inner(&self) -> Result<String, String> {
        if self.inner.len() > limits::CALL_TREE_NODES_MAX {
            return Err(format!("there are more than {} nodes", limits::CALL_TREE_NODES_MAX));
        }
        let mut linked: Vec<&Linked> = Vec::with_capacity(self.inner.len());
        let mut fuel = 0_u64;
        for (index, node) in self.inner.iter().enumerate() {
            let among = match node.parent.map(|parent| linked.get(parent as usize)) {
                None => &self.dependencies,
                Some(Some(parent)) => &parent.dependencies,
                Some(None) => return Err(format!("node {index} stands before the one that called it")),
            };
            let is_this = |linked: &&Linked| {
                (&linked.release, linked.component, linked.terms)
                    == (&node.release, node.component, node.terms)
            };
            let Some(one) = among.iter().find(is_this) else {
                return Err(format!("node {index} is of a release that was not linked there"));
            };
            linked.push(one);
            fuel = fuel.saturating_add(node.fuel);
        }
        match fuel <= self.fuel_used {
            true => Ok(format!("{} nodes, {fuel} of {} fuel", self.inner.len(), self.fuel_used)),
            false => Err(format!("its nodes have {fuel} fuel of {}", self.fuel_used)),
        }
    }
}
