//! The work of dependencies that have no price: what of it counts where a charge is shared by it.
//!
//! Whoever shares in a pool by fuel would like to burn more. So what a call burns is compared with the *baseline*, what the
//! dependency burns in its own tests, which this registry ran when it was published. A sale runs nothing: there the seller's
//! own tests say who works for it.

use std::collections::BTreeMap;

use glassbox_core::Digest;
use glassbox_core::manifest::{PricedAct, Terms};
use glassbox_core::terms::{Bill, Effort, Ending};
use glassbox_core::tree::{Linked, Node};

use crate::depend::{exact, nodes};
use crate::error::RegistryError;
use crate::live::Live;
use crate::open::Registry;
use crate::package::Package;
use crate::testing::TestReport;

impl Registry {
    /// Says beside each call of a dependency what its release burns in its own tests.
    pub(crate) async fn note_baselines(&self, ran: &mut [Node]) -> Result<(), RegistryError> {
        for node in ran {
            node.fuel_baseline = self.live(&exact(&node.release)).await?.fuel_baseline;
        }
        Ok(())
    }

    /// Returns what the dependencies of a package did in its tests and have no price for.
    pub(crate) async fn efforts(
        &self,
        package: &Package,
        linked: &[Linked],
        report: &TestReport,
    ) -> Result<BTreeMap<Digest, Effort>, RegistryError> {
        let terms = Terms::of(&package.manifest);
        let mut efforts: BTreeMap<Digest, Effort> = BTreeMap::new();
        for case in &report.cases {
            let mut ran = nodes(&case.inner, linked).ok_or(RegistryError::Worker)?;
            self.note_baselines(&mut ran).await?;
            let worked = ran.iter().map(|node| (node.release.clone(), node.terms)).collect();
            let works = self.works(&terms, worked, &[]).await?;
            let bill = Bill::new(&terms, Vec::new(), &ran, &works, Ending::Returned, u64::MAX);
            let bill = bill.map_err(|_| RegistryError::Worker)?;
            for (digest, effort) in bill.parts().iter().take(1).flat_map(|part| &part.unpriced) {
                let sum = efforts.entry(*digest).or_insert_with(|| Effort::none(effort.release.clone()));
                sum.add(effort);
            }
        }
        Ok(efforts)
    }

    /// Returns the dependencies that share in what a sale of a release earns, with the terms of all works that something of
    /// it is owed to: those that worked in its tests, and those that its terms promise a share and that charge for nothing.
    pub(crate) async fn sold_with(&self, live: &Live) -> Result<SoldWith, RegistryError> {
        let pinned = self.pinned(&live.dependencies).await?;
        let mut efforts = live.efforts.clone();
        for (_, terms) in pinned {
            let named = live.terms.more.dependencies.get(&terms.release.package);
            let charges = terms.price.iter().any(|price| price.on == PricedAct::Execute);
            if named.is_some_and(|named| named.share.is_some()) && !charges {
                efforts.entry(terms.digest()).or_insert_with(|| Effort::none(terms.release.clone()));
            }
        }
        let worked = efforts.iter().map(|(terms, effort)| (effort.release.clone(), *terms)).collect();
        let works = self.works(&live.terms, worked, &[]).await?;
        Ok(SoldWith { efforts, works })
    }
}

/// Who shares in what a sale earns, beside those who sell.
pub(crate) struct SoldWith {
    pub(crate) efforts: BTreeMap<Digest, Effort>,
    pub(crate) works: BTreeMap<Digest, Terms>,
}
