//! The terms: what of a manifest a quote, a charge and a receipt follow from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Manifest, Payee, Place, Price};
use crate::hashed::Document;
use crate::name::ReleaseId;
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
    /// The ways in which it may be paid: `x402:SCHEME`, or `x402:SCHEME:NETWORK`.
    pub accepts: Vec<String>,
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
        }
    }

    /// Tells whether it may be paid by a scheme of x402 on a network.
    pub fn accepts(&self, scheme: &str, network: &str) -> bool {
        self.accepts
            .iter()
            .filter_map(|way| way.strip_prefix("x402:")?.strip_prefix(scheme))
            .any(|rest| rest.is_empty() || rest.strip_prefix(':') == Some(network))
    }
}

/// The digest of terms is that of their canonical JSON.
impl Document for Terms {
    fn compute_digest(&self) -> Digest {
        canonical::digest(self)
    }
}
