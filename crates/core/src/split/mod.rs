//! Who gets how much of a charge. Exact to the last unit, and the same for everybody who computes it.
//!
//! The waterfall: the operator's fee comes first, the rest is the *net*. Of the net a share goes to the works that a
//! release derives from, a share to the unpriced dependencies that a call ran, and the rest to the payees. Dependencies with
//! a price have parts of the bill of their own, and each is split so, by its own terms; what a release absorbs comes off its
//! net before anybody has a share. Amounts are in pico, so that a charge of one atomic unit still splits fairly. Nothing but
//! what a payer paid is ever divided: work that nobody paid for earns nothing, however much of it there is.

mod along;
mod remainder;
mod work;

#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::manifest::Payee;
use crate::money::{Atomic, Pico};
use crate::name::PackageName;
use crate::{Digest, limits};

use work::Pool;

pub use along::{SplitError, allot_bill, split_bill};
pub(crate) use remainder::largest_remainder;
pub use work::{Royalty, Used, Work};

/// One receiver's part of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Who: the operator, or a payee's id.
    pub to: Receiver,
    /// How much.
    pub amount: Pico,
    /// The package that it is for, where that is not the one that was called: a dependency, or a work that one of them
    /// derives from. Of the operator's, the dependency whose part of the bill the fee is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<PackageName>,
}

/// A receiver of money.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// Whoever runs the registry and the executor.
    Operator,
    /// A payee of the manifest, by id.
    Payee(String),
}

/// A share, and which work it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allotted {
    /// The share.
    pub share: Share,
    /// The terms of the work; nothing of the one that was called. Two releases of one package are two works.
    pub work: Option<Digest>,
}

impl From<Share> for Allotted {
    /// Makes that of the work that was called.
    fn from(share: Share) -> Self {
        Self { share, work: None }
    }
}

/// Returns the shares, without saying which works they are for.
pub fn shares(allotted: Vec<Allotted>) -> Vec<Share> {
    allotted.into_iter().map(|allotted| allotted.share).collect()
}

/// What is divided, and by which figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// What is charged.
    pub charge: Atomic,
    /// What the work pays out of its net before anybody has a share: its dependencies' parts of the bill, which are split
    /// apart.
    pub absorbed: Atomic,
    /// The operator's fee, in basis points.
    pub fee_bps: u32,
    /// The most of its pool that one dependency gets, in basis points.
    pub pool_share_bps_max: u32,
}

impl Due {
    /// Makes one of a charge out of which nothing is absorbed, by the figures that hold.
    pub fn new(charge: Atomic, fee_bps: u32) -> Self {
        let pool_share_bps_max = limits::POOL_SHARE_BPS_MAX;
        Self { charge, absorbed: Atomic::ZERO, fee_bps, pool_share_bps_max }
    }
}

/// Splits `charge` between the operator (`fee_bps` basis points, rounded down) and the payees.
///
/// `call` breaks ties, so that no payee wins every leftover unit. Parts of zero are left out. The parts always sum to
/// the charge; without payees all of it is the operator's.
pub fn split(charge: Atomic, fee_bps: u32, payees: &[Payee], call: &str) -> Vec<Share> {
    let work = Work { payees: payees.to_vec(), ..Work::default() };
    waterfall(&Due::new(charge, fee_bps), &work, &[], call).expect("nothing is absorbed")
}

/// Divides an amount by weights, to the last unit; `salt` breaks ties. In the order of `weights`; empty where all weigh
/// nothing.
pub fn spread(amount: Atomic, weights: &[(String, u64)], salt: &str) -> Vec<Atomic> {
    let weights: Vec<_> = weights.iter().map(|(id, weight)| (id.clone(), u128::from(*weight))).collect();
    largest_remainder(amount.0, &weights, salt).into_iter().map(Atomic).collect()
}

/// Splits what is due along all that `work` rests on: the operator, the works it derives from, the dependencies that the
/// call ran, and its payees.
///
/// `used` are the dependencies without a price of their own. Otherwise like [`split`], but that the parts sum to the charge
/// less what is absorbed; `None` where that is more than the net.
pub fn waterfall(due: &Due, work: &Work, used: &[Used], call: &str) -> Option<Vec<Share>> {
    Some(shares(allot(due, work, used, call)?))
}

fn allot(due: &Due, work: &Work, used: &[Used], call: &str) -> Option<Vec<Allotted>> {
    let total = due.charge.to_pico().0;
    // A manifest's payees always have something; those of a stranger's bundle may not.
    let fee = match work.is_payable() {
        true => total * u128::from(due.fee_bps.min(limits::OPERATOR_FEE_BPS_MAX)) / BPS,
        false => total,
    };
    let net = (total - fee).checked_sub(due.absorbed.to_pico().0)?;
    let operator = Share { to: Receiver::Operator, amount: Pico(fee), through: work.package.clone() };
    let mut allotted = vec![Allotted { share: operator, work: work.terms }];
    if net > 0 {
        work.divide(net, Pool { used, share_bps_max: due.pool_share_bps_max }, 0, call, &mut allotted);
    }
    allotted.retain(|allotted| allotted.share.amount > Pico::ZERO);
    let sum: u128 = allotted.iter().map(|allotted| allotted.share.amount.0).sum();
    assert_eq!(sum, fee + net, "a split must sum to its charge");
    Some(allotted)
}

/// Basis points of the whole.
const BPS: u128 = 10_000;
