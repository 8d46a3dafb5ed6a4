//! Gifts out of a company's purse, spread over what its accounts used in a month, also for nothing.
//!
//! Whom somebody thanks is decided by what they used themselves, and not by what is popular. One account pays, within its
//! budgets; the same month is spread once, and as it was decided when that was asked for first.

use std::sync::Arc;

use glassbox_core::account::{AccountName, Month, Percent};
use glassbox_core::split::spread;
use glassbox_core::{Atomic, Digest, PackageName, PackageRef, ReleaseId, limits};
use glassbox_store::{TipPart, TipPlan};

use super::Caller;
use crate::error::CallError;
use crate::open::Registry;
use crate::payment::Payment;
use crate::tip::TipReply;

/// How much is spread in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpreadAmount {
    /// So much.
    Sum(Atomic),
    /// So much of what the account spent on calls in the month.
    Percent(Percent),
}

/// A package's part of what was spread.
#[derive(Debug)]
pub struct SpreadTip {
    /// The package.
    pub package: PackageName,
    /// How many calls of it there were.
    pub calls: u64,
    /// What its payees have, or why they have nothing yet.
    pub given: Result<TipReply, CallError>,
}

impl Registry {
    /// Gives tips of `amount` in all to the packages that accept them, by the calls of each that all accounts made in a
    /// month that is over. Who has how much is decided once, so asking for the same again gives what was not given yet: the
    /// same percentage is the same tips also where something of what was spent went back since.
    pub async fn spread_tips(
        self: &Arc<Self>,
        caller: &Caller,
        month: &Month,
        amount: SpreadAmount,
    ) -> Result<Vec<SpreadTip>, CallError> {
        if *month >= self.month() {
            return Err(CallError::MonthOpen(month.clone()));
        }
        let account = &caller.account.name;
        let mut plan = self.store.tip_plan(account, month).await?;
        if plan.parts.is_empty() {
            let decided = self.plan_tips(account, month, amount).await?;
            plan = self.store.plan_tips(account, month, decided).await?;
        }
        let same = match amount {
            SpreadAmount::Sum(sum) => plan.sum() == sum,
            SpreadAmount::Percent(percent) => plan.percent == Some(percent),
        };
        if !plan.parts.is_empty() && !same {
            return Err(CallError::PaymentBound);
        }
        let mut given = Vec::new();
        for TipPart { release: ReleaseId { package, version }, calls, part } in plan.parts {
            let identifier = Some(identifier(month, &package));
            let payment = Payment::Account(Box::new(Caller { identifier, ..caller.clone() }));
            let reference = PackageRef { package: package.clone(), version: Some(version) };
            let given_now = self.tip(&reference, part, Some(payment)).await;
            given.push(SpreadTip { package, calls, given: given_now });
        }
        Ok(given)
    }

    /// Decides how an account would spread its tips now.
    async fn plan_tips(
        &self,
        account: &AccountName,
        month: &Month,
        amount: SpreadAmount,
    ) -> Result<TipPlan, CallError> {
        let (sum, percent) = match amount {
            SpreadAmount::Sum(sum) => (sum, None),
            SpreadAmount::Percent(percent) => {
                (percent.of(self.store.spent_on_calls(account, month).await?), Some(percent))
            }
        };
        Ok(TipPlan { percent, parts: self.divide_tips(month, sum).await? })
    }

    /// Divides an amount by the calls of each package that accepts tips now.
    async fn divide_tips(&self, month: &Month, amount: Atomic) -> Result<Vec<TipPart>, CallError> {
        let mut used = Vec::new();
        for (package, calls) in self.store.package_uses(month).await? {
            let reference = PackageRef { package, version: None };
            // What is gone, or stopped, is thanked no more.
            let Ok(live) = self.runnable(&reference).await else { continue };
            if live.accepts_tips() {
                used.push((live.id.clone(), calls));
            }
        }
        let weights: Vec<_> =
            used.iter().map(|(release, calls)| (release.package.to_string(), *calls)).collect();
        let parts = spread(amount, &weights, month.as_str()).into_iter();
        let parts = used.into_iter().zip(parts).filter(|(_, part)| *part > Atomic::ZERO);
        Ok(parts.map(|((release, calls), part)| TipPart { release, calls, part }).collect())
    }
}

/// Returns the name of a tip among the requests of its account: by digest where the package's is too long for one.
fn identifier(month: &Month, package: &PackageName) -> String {
    let name = format!("tips:{month}:{package}");
    match name.len() <= limits::NONCE_BYTES_MAX {
        true => name,
        false => format!("tips:{month}:{}", Digest::of(package.to_string()).hex()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_name_that_a_request_may_have() {
        let month: Month = "2026-11".parse().expect("a month");
        let long = |last: char| {
            let name = "n".repeat(limits::NAME_BYTES_MAX - 1);
            format!("acme:{name}{last}").parse::<PackageName>().expect("a name")
        };
        let names = [identifier(&month, &long('a')), identifier(&month, &long('b'))];
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() <= limits::NONCE_BYTES_MAX));
        let short = "acme:slug".parse().expect("a name");
        assert_eq!(identifier(&month, &short), "tips:2026-11:acme:slug");
    }
}
