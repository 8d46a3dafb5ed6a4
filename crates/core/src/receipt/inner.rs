//! What a call ran beside the component that was called.

use std::collections::BTreeSet;

use super::Receipt;
use crate::name::ReleaseId;
use crate::release::Pinned;
use crate::tree::Linked;
use crate::{Digest, limits};

impl Receipt {
    /// Tells whether what stood behind the component's imports is what a release pins.
    pub fn links(&self, pins: &[Pinned]) -> bool {
        Linked::are_pinned(&self.dependencies, pins)
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
        // The component itself is one of them.
        if count(&self.dependencies) >= limits::CALL_INSTANCES_MAX {
            return Err(format!("more than {} components were linked", limits::CALL_INSTANCES_MAX));
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

fn count(linked: &[Linked]) -> usize {
    linked.iter().map(|linked| 1 + count(&linked.dependencies)).sum()
}
