//! Who a work rests on, read from terms.

use std::collections::BTreeMap;

use super::{Royalty, Share, Used, Work, waterfall};
use crate::manifest::Terms;
use crate::money::Atomic;
use crate::{Digest, limits};

/// The works of a split are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorksError {
    /// Terms are not there.
    #[error("the terms {0} are missing, and somebody has a share by them")]
    Missing(Digest),
    /// No release that was published has so many.
    #[error("there are more than {max} ways to works that it derives from", max = limits::ROYALTY_WAYS_MAX)]
    TooMany,
}

/// Splits `charge` for a call under `terms`, along the works that it rests on, whose terms are among `works`.
///
/// `run` are the dependencies that ran without a price of their own, by their terms and the fuel that they burnt
/// themselves; one that stands there more than once has the sum. See [`waterfall`] for the rest.
pub fn split_along(
    charge: Atomic,
    fee_bps: u32,
    terms: &Terms,
    run: impl Iterator<Item = (Digest, u64)>,
    works: &BTreeMap<Digest, Terms>,
    call: &str,
) -> Result<Vec<Share>, WorksError> {
    let mut fuel: BTreeMap<Digest, u64> = BTreeMap::new();
    for (dependency, burnt) in run {
        let sum = fuel.entry(dependency).or_default();
        *sum = sum.saturating_add(burnt);
    }
    let used = fuel.into_iter().map(|(dependency, fuel)| {
        let own = works.get(&dependency).ok_or(WorksError::Missing(dependency))?;
        let named = terms.more.dependencies.get(&own.release.package);
        Ok(Used {
            work: Reader::new(works).work(own, 0)?,
            fuel,
            fuel_counted_max: None,
            share: named.and_then(|named| named.share),
        })
    });
    let used = used.collect::<Result<Vec<_>, WorksError>>()?;
    let root = Work { package: None, ..Reader::new(works).work(terms, 0)? };
    Ok(waterfall(charge, fee_bps, &root, &used, call))
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

    /// Reads a work that is `depth` works up. Beyond the depth that is paid, nothing is looked up.
    fn work(&mut self, terms: &Terms, depth: u32) -> Result<Work, WorksError> {
        let parents = terms.more.derived_from.iter().filter(|_| depth < limits::ROYALTY_DEPTH_MAX);
        let mut royalties = Vec::new();
        for parent in parents.filter(|parent| parent.share > 0) {
            self.ways_left = self.ways_left.checked_sub(1).ok_or(WorksError::TooMany)?;
            let found = self.works.get(&parent.terms).ok_or(WorksError::Missing(parent.terms))?;
            royalties.push(Royalty { to: self.work(found, depth + 1)?, share: parent.share });
        }
        Ok(Work {
            package: Some(terms.release.package.clone()),
            payees: terms.payee.clone(),
            royalties,
            pool: terms.more.splits.as_ref().map_or(0, |splits| splits.dependencies),
        })
    }
}
