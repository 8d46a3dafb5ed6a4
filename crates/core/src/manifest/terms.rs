//! The terms: what of a manifest a quote, a charge and a receipt follow from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::amount::optional;
use super::{
    Component, ContentUsage, Date, Dependency, DerivedFrom, Discount, Edition, Grant, MachineAccess,
    Manifest, ManifestError, Offer, Operators, Package, Payee, Place, Plan, Price, Settlement, Source,
    Splits, Upstream, lint,
};
use crate::hashed::Document;
use crate::money::Atomic;
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
    /// The ways in which it may be paid: `x402:SCHEME`, `x402:SCHEME:NETWORK` or `x402:SCHEME:NETWORK/TOKEN`.
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
    /// What its licence does not let others use it for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub deny_use: BTreeSet<String>,
    /// The licence that it comes under later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_license: Option<String>,
    /// The day from which on it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_date: Option<Date>,
    /// Who may run it for others, where that is not this registry alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operators: Option<Operators>,
    /// On which terms machines may have the source in bulk, where it takes a payment or a licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<MachineAccess>,
    /// The packages that the component imports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<PackageName, Dependency>,
    /// Parts of the exports that have terms of their own, by name; without the paths of their components.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub edition: BTreeMap<String, Edition>,
    /// What is paid by the period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<Plan>,
    /// Licences that can be taken, or bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offer: Vec<Offer>,
    /// Who pays less, once that is proved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant: Vec<Grant>,
    /// When prices are lower.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discount: Vec<Discount>,
    /// What others may do who derive from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// The works that it derives from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<DerivedFrom>,
    /// What of the net is for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<Splits>,
    /// What others may do with its texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ContentUsage>,
    /// The most that one payer pays for calls of the package in a month.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub max_monthly_per_payer: Option<Atomic>,
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

    /// Tells whether it may be paid by a scheme of x402 on a network.
    pub fn accepts(&self, scheme: &str, network: &str) -> bool {
        self.accepts.iter().filter_map(|way| way.strip_prefix("x402:")?.strip_prefix(scheme)).any(|rest| {
            match rest.strip_prefix(':') {
                None => rest.is_empty(),
                // The token, where it is named, is the network's.
                Some(way) => way.split('/').next() == Some(network),
            }
        })
    }
}

impl Manifest {
    /// Returns the manifest of the same release with other terms. What no terms say stays as it is.
    ///
    /// The terms of what is returned are these wherever a manifest can say them, and of this release.
    #[must_use]
    pub fn with_terms(self, terms: &Terms) -> Self {
        let Terms { release: _, license, execute, import, fuel_max, price, payee, currency, accepts, more } =
            terms.clone();
        let MoreTerms { deny_use, change_license, change_date, operators, source: machines, .. } = more;
        let fuel_max = Some(fuel_max).filter(|max| *max != self.fuel_max()).or(self.component.fuel_max);
        let with_path = |(name, edition): (String, Edition)| {
            let path = self.edition.get(&name).and_then(|edition| edition.path.clone());
            (name, Edition { path, ..edition })
        };
        let edition = more.edition.into_iter().map(with_path).collect();
        let operators = operators.unwrap_or_default();
        Self {
            package: Package { license, deny_use, change_license, change_date, ..self.package },
            component: Component { execute, import, fuel_max, operators, ..self.component },
            source: self
                .source
                .map(|source| Source { machines: machines.unwrap_or(source.machines), ..source }),
            price,
            payee,
            settlement: Settlement { currency, accepts, max_monthly_per_payer: more.max_monthly_per_payer },
            dependencies: more.dependencies,
            edition,
            plan: more.plan,
            offer: more.offer,
            grant: more.grant,
            discount: more.discount,
            upstream: more.upstream,
            derived_from: more.derived_from,
            splits: more.splits,
            usage: more.usage,
            ..self
        }
    }

    /// Checks it by all rules that need nothing else, as [`parse`](Self::parse) does.
    pub fn check(&self) -> Result<(), ManifestError> {
        lint::check(self)
    }
}

impl MoreTerms {
    fn of(manifest: &Manifest) -> Self {
        let package = &manifest.package;
        let machines = manifest.source.as_ref().map(|source| source.machines);
        let without_path =
            |(name, edition): (&String, &Edition)| (name.clone(), Edition { path: None, ..edition.clone() });
        Self {
            deny_use: package.deny_use.clone(),
            change_license: package.change_license.clone(),
            change_date: package.change_date,
            operators: Some(manifest.component.operators).filter(|operators| *operators == Operators::Any),
            source: machines
                .filter(|machines| matches!(machines, MachineAccess::Metered | MachineAccess::Licensed)),
            dependencies: manifest.dependencies.clone(),
            edition: manifest.edition.iter().map(without_path).collect(),
            plan: manifest.plan.clone(),
            offer: manifest.offer.clone(),
            grant: manifest.grant.clone(),
            discount: manifest.discount.clone(),
            upstream: manifest.upstream.clone(),
            derived_from: manifest.derived_from.clone(),
            splits: manifest.splits.clone(),
            usage: manifest.usage.clone(),
            max_monthly_per_payer: manifest.settlement.max_monthly_per_payer,
        }
    }
}

/// The digest of terms is that of their canonical JSON.
impl Document for Terms {
    fn compute_digest(&self) -> Digest {
        canonical::digest(self)
    }
}
