//! The terms: what of a manifest a quote, a charge and a receipt follow from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Dependency, DerivedFrom, Manifest, Payee, Place, Price, Splits};
use crate::hashed::Document;
use crate::name::{PackageName, ReleaseId};
use crate::{Digest, canonical};

/// Everything of a manifest that touches money or rights. Its digest stands on quotes and receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Terms {
    /// The release that they belong to.
    pub release: ReleaseId,
    /// The licence of the component.
    pub license: String,
    /// Where it may run.
    pub execute: BTreeSet<Place>,
    /// Whether other components may link it.
    pub import: bool,
    /// The fuel ceiling of a call that names none.
    pub fuel_max: u64,
    /// The prices.
    pub price: Vec<Price>,
    /// The payees.
    pub payee: Vec<Payee>,
    /// The currency of every amount.
    pub currency: String,
    /// The rails that payments may take.
    pub accepts: Vec<String>,
    /// What else the manifest says of money and rights.
    #[serde(flatten)]
    pub more: MoreTerms,
}

/// What only some manifests have. What is absent is no part of the canonical form, so that terms without it keep their
/// digest whatever is added here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MoreTerms {
    /// The packages that the component imports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<PackageName, Dependency>,
    /// The works that it derives from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<DerivedFrom>,
    /// What of the net is for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<Splits>,
}

impl Terms {
    /// Takes the terms out of a manifest.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            release: manifest.release(),
            license: manifest.package.license.clone(),
            execute: manifest.component.execute.clone(),
            import: manifest.component.import,
            fuel_max: manifest.fuel_max(),
            price: manifest.price.clone(),
            payee: manifest.payee.clone(),
            currency: manifest.settlement.currency.clone(),
            accepts: manifest.settlement.accepts.clone(),
            more: MoreTerms::of(manifest),
        }
    }
}

impl MoreTerms {
    fn of(manifest: &Manifest) -> Self {
        Self {
            dependencies: manifest.dependencies.clone(),
            derived_from: manifest.derived_from.clone(),
            splits: manifest.splits.clone(),
        }
    }
}

/// The digest of terms is that of their canonical JSON.
impl Document for Terms {
    fn compute_digest(&self) -> Digest {
        canonical::digest(self)
    }
}
