//! Who a work rests on, read from terms.

use std::collections::BTreeMap;

use super::{Royalty, Share, Used, Work, waterfall};
use crate::manifest::Terms;
use crate::money::Atomic;
use crate::{Digest, limits};

/// Terms that a split follows from are not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the terms {0} are missing, and somebody has a share by them")]
pub struct MissingTerms(pub Digest);

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
) -> Result<Vec<Share>, MissingTerms> {
    let mut fuel: BTreeMap<Digest, u64> = BTreeMap::new();
    for (dependency, burnt) in run {
        let sum = fuel.entry(dependency).or_default();
        *sum = sum.saturating_add(burnt);
    }
    let used = fuel.into_iter().map(|(dependency, fuel)| {
        let own = works.get(&dependency).ok_or(MissingTerms(dependency))?;
        let named = terms.more.dependencies.get(&own.release.package);
        Ok(Used {
            work: work(own, works, 0)?,
            fuel,
            fuel_counted_max: None,
            share: named.and_then(|named| named.share),
        })
    });
    let used = used.collect::<Result<Vec<_>, MissingTerms>>()?;
    let root = Work { package: None, ..work(terms, works, 0)? };
    Ok(waterfall(charge, fee_bps, &root, &used, call))
}

/// Reads how a work divides what it receives. Beyond the depth that is paid, nothing of it is looked up.
fn work(terms: &Terms, works: &BTreeMap<Digest, Terms>, depth: u32) -> Result<Work, MissingTerms> {
    let origins = terms.more.derived_from.iter().filter(|_| depth < limits::ROYALTY_DEPTH_MAX);
    let royalties = origins.filter(|origin| origin.share > 0).map(|origin| {
        let parent = works.get(&origin.terms).ok_or(MissingTerms(origin.terms))?;
        Ok(Royalty { to: work(parent, works, depth + 1)?, share: origin.share })
    });
    Ok(Work {
        package: Some(terms.release.package.clone()),
        payees: terms.payee.clone(),
        royalties: royalties.collect::<Result<_, MissingTerms>>()?,
        pool: terms.more.splits.as_ref().map_or(0, |splits| splits.dependencies),
    })
}
