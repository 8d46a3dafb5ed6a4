//! Who a work rests on, read from terms.

use std::collections::BTreeMap;

use super::{Allotted, Due, Royalty, Share, Used, Work, allot, largest_remainder, shares};
use crate::manifest::Terms;
use crate::name::ReleaseId;
use crate::terms::Bill;
use crate::{Digest, limits};

/// A bill cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Terms are not there.
    #[error("the terms {0} are missing, and somebody has a share by them")]
    Missing(Digest),
    /// No release that was published has so many.
    #[error("there are more than {max} ways to works that it derives from", max = limits::ROYALTY_WAYS_MAX)]
    TooMany,
    /// No release that was published absorbs more than it earns.
    #[error("{0} absorbs more than it earns")]
    Uncovered(ReleaseId),
}

/// Splits a bill part by part, each along the works that its release rests on, whose terms are among `works`.
///
/// See [`waterfall`](super::waterfall) for one of them. The shares sum to what the caller owes.
pub fn split_bill(
    bill: &Bill<'_>,
    fee_bps: u32,
    works: &BTreeMap<Digest, Terms>,
    call: &str,
) -> Result<Vec<Share>, SplitError> {
    Ok(shares(allot_bill(bill, fee_bps, works, call)?))
}

/// The same, with the work that each share is for.
pub fn allot_bill(
    bill: &Bill<'_>,
    fee_bps: u32,
    works: &BTreeMap<Digest, Terms>,
    call: &str,
) -> Result<Vec<Allotted>, SplitError> {
    let mut allotted = Vec::new();
    for (index, part) in bill.parts().iter().enumerate() {
        let used = part.unpriced.iter().map(|(dependency, effort)| {
            let own = works.get(dependency).ok_or(SplitError::Missing(*dependency))?;
            Ok(Used {
                work: Reader::new(works).work(own, Some(*dependency), 0)?,
                fuel: effort.fuel,
                fuel_counted_max: effort.fuel_counted_max,
                share: None,
            })
        });
        let mut used = used.collect::<Result<Vec<_>, SplitError>>()?;
        promise(part.terms, &mut used, call);
        let work = Reader::new(works).work(part.terms, part.dependency, 0)?;
        let due = Due { absorbed: bill.absorbed_by(index), ..Due::new(part.amount, fee_bps) };
        let divided = allot(&due, &work, &used, call);
        allotted.extend(divided.ok_or_else(|| SplitError::Uncovered(part.terms.release.clone()))?);
    }
    Ok(allotted)
}

/// Gives dependencies the shares that terms promise to their packages, each once: releases of one package divide its share
/// by the fuel that counts, and each has a unit of it at least.
///
/// Otherwise whoever is imported could import release after release of a package that is promised one.
fn promise(terms: &Terms, used: &mut [Used], call: &str) {
    for (package, named) in &terms.more.dependencies {
        let Some(share) = named.share else { continue };
        let of_package = |used: &&mut Used| used.work.package.as_ref() == Some(package);
        let mut releases: Vec<&mut Used> =
            used.iter_mut().filter(of_package).filter(|used| used.work.is_payable()).collect();
        let weights: Vec<(String, u128)> =
            releases.iter().map(|used| (package.to_string(), used.counted().max(1))).collect();
        for (used, part) in releases.iter_mut().zip(largest_remainder(share.into(), &weights, call)) {
            used.share = Some(u32::try_from(part).expect("a part is no more than the whole"));
        }
    }
}

/// Reads how a work divides what it receives.
struct Reader<'a> {
    works: &'a BTreeMap<Digest, Terms>,
    ways_left: usize,
}

impl<'a> Reader<'a> {
    fn new(works: &'a BTreeMap<Digest, Terms>) -> Self {
        Self { works, ways_left: limits::ROYALTY_WAYS_MAX }
    }

    /// Reads a work that is `depth` works up, by its terms and their digest, which that of the bill's own release has none of.
    /// Beyond the depth that is paid, nothing is looked up.
    fn work(&mut self, terms: &Terms, digest: Option<Digest>, depth: u32) -> Result<Work, SplitError> {
        let parents = terms.more.derived_from.iter().filter(|_| depth < limits::ROYALTY_DEPTH_MAX);
        let mut royalties = Vec::new();
        for parent in parents.filter(|parent| parent.share > 0) {
            self.ways_left = self.ways_left.checked_sub(1).ok_or(SplitError::TooMany)?;
            let found = self.works.get(&parent.terms).ok_or(SplitError::Missing(parent.terms))?;
            royalties
                .push(Royalty { to: self.work(found, Some(parent.terms), depth + 1)?, share: parent.share });
        }
        Ok(Work {
            package: digest.map(|_| terms.release.package.clone()),
            terms: digest,
            payees: terms.payee.clone(),
            royalties,
            pool: terms.more.splits.as_ref().map_or(0, |splits| splits.dependencies),
        })
    }
}
