//! A work and what it rests on: its payees, the works it derives from, the dependencies that it runs.

use serde::{Deserialize, Serialize};

use super::remainder::largest_remainder;
use super::{Allotted, BPS, Receiver, Share};
use crate::manifest::Payee;
use crate::money::Pico;
use crate::name::PackageName;
use crate::{Digest, limits};

/// How a work divides what it receives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// The package; absent for the one that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Its terms; absent for the one that was called.
    #[serde(skip)]
    pub terms: Option<Digest>,
    /// Whom it pays, by shares of what is left after `royalties` and `pool`.
    pub payees: Vec<Payee>,
    /// What it pays to the works that it derives from directly. They pay theirs out of what they receive, so a chain of
    /// forks never owes more than all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub royalties: Vec<Royalty>,
    /// What it shares with its unpriced dependencies, in basis points.
    #[serde(default)]
    pub pool: u32,
}

/// What a work owes to one that it derives from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Royalty {
    /// The work that it derives from.
    pub to: Work,
    /// The share of all that the deriving work receives, in basis points.
    pub share: u32,
}

/// A dependency without a price of its own, and how much of a call's work it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The dependency.
    pub work: Work,
    /// The fuel that it burnt itself, without what it called.
    pub fuel: u64,
    /// The most of it that counts: a multiple of what its own tests burn. Whoever wastes fuel shall not earn by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_counted_max: Option<u64>,
    /// A share of the net that the caller's manifest promises in place of a part of the pool, in basis points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
}

/// The dependencies that share in what a work receives.
#[derive(Clone, Copy, Default)]
pub(super) struct Pool<'a> {
    pub(super) used: &'a [Used],
    /// The most of the pool that one gets, in basis points.
    pub(super) share_bps_max: u32,
}

impl Work {
    /// Tells whether anybody would receive what it is paid.
    pub fn is_payable(&self) -> bool {
        self.payees.iter().any(|payee| payee.share > 0)
    }

    fn name(&self) -> String {
        self.package.as_ref().map(PackageName::to_string).unwrap_or_default()
    }

    /// Divides `amount` and appends the parts, which sum to it. Without payees there is nobody to receive anything.
    ///
    /// `depth` is how many works the money has passed through already.
    pub(super) fn divide(
        &self,
        amount: u128,
        Pool { used, share_bps_max }: Pool<'_>,
        depth: u32,
        call: &str,
        allotted: &mut Vec<Allotted>,
    ) {
        let used: Vec<&Used> = used.iter().filter(|used| used.work.is_payable()).collect();
        let pooled: Vec<&Used> = used.iter().copied().filter(|used| used.share.is_none()).collect();
        let pool = if pooled.iter().any(|used| used.counted() > 0) { self.pool } else { 0 };
        // Beyond the depth that is paid, all of it stays where it is.
        let royalties = self
            .royalties
            .iter()
            .filter(|royalty| depth < limits::ROYALTY_DEPTH_MAX && royalty.to.is_payable());
        let owed: Vec<(&Work, u32)> = royalties
            .map(|royalty| (&royalty.to, royalty.share))
            .chain(used.iter().filter_map(|used| Some((&used.work, used.share?))))
            .collect();
        let given: u128 = owed.iter().map(|(_, share)| u128::from(*share)).sum::<u128>() + u128::from(pool);
        let mut weights = vec![(String::new(), BPS.saturating_sub(given)), ("pool".into(), pool.into())];
        weights.extend(owed.iter().map(|(work, share)| (work.name(), (*share).into())));
        let parts = largest_remainder(amount, &weights, call);
        let (mut own, pool) = (parts[0], parts[1]);
        for ((work, _), part) in owed.iter().zip(&parts[2..]) {
            work.divide(*part, Pool::default(), depth + 1, call, allotted);
        }
        let weights: Vec<(String, u128)> =
            pooled.iter().map(|used| (used.work.name(), used.counted())).collect();
        let part_max = pool * u128::from(share_bps_max) / BPS;
        for (used, part) in pooled.iter().zip(largest_remainder(pool, &weights, call)) {
            let kept = part.min(part_max);
            used.work.divide(kept, Pool::default(), depth + 1, call, allotted);
            own += part - kept;
        }
        self.pay(own, call, allotted);
    }

    fn pay(&self, amount: u128, call: &str, allotted: &mut Vec<Allotted>) {
        let weights: Vec<(String, u128)> =
            self.payees.iter().map(|payee| (payee.id.clone(), payee.share.into())).collect();
        for ((id, _), part) in weights.iter().zip(largest_remainder(amount, &weights, call)) {
            let (to, through) = (Receiver::Payee(id.clone()), self.package.clone());
            let share = Share { to, amount: Pico(part), through };
            allotted.push(Allotted { share, work: self.terms });
        }
    }
}

impl Used {
    /// Returns the fuel that counts.
    pub(super) fn counted(&self) -> u128 {
        self.fuel.min(self.fuel_counted_max.unwrap_or(u64::MAX)).min(limits::FUEL_MAX).into()
    }
}
