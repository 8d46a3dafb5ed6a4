//! Gifts out of a company's purse, spread over what its accounts used in a month, also for nothing.
//!
//! Whom somebody thanks is decided by what they used themselves, and not by what is popular. One account pays, within its
//! budgets; the same month is spread once.

use std::sync::Arc;

use glassbox_core::account::Month;
use glassbox_core::split::spread;
use glassbox_core::{Atomic, PackageName, PackageRef};

use super::Caller;
use crate::error::CallError;
use crate::open::Registry;
use crate::payment::Payment;
use crate::tip::TipReply;

/// A package's part of what was spread.
#[derive(Debug, Clone)]
pub struct SpreadTip {
    /// The package.
    pub package: PackageName,
    /// How many calls of it there were.
    pub calls: u64,
    /// What its payees have.
    pub reply: TipReply,
}

impl Registry {
    /// Gives tips of `amount` in all to the packages that accept them, by the calls of each that all accounts made in a
    /// month. What fails half way is done again by asking for the same again.
    pub async fn spread_tips(
        self: &Arc<Self>,
        caller: &Caller,
        month: &Month,
        amount: Atomic,
    ) -> Result<Vec<SpreadTip>, CallError> {
        let mut used = Vec::new();
        for (package, calls) in self.store.package_uses(month).await? {
            let reference = PackageRef { package: package.clone(), version: None };
            // What is gone, or stopped, is thanked no more.
            let Ok(live) = self.runnable(&reference).await else { continue };
            if live.accepts_tips() {
                used.push((package, calls));
            }
        }
        let weights: Vec<_> = used.iter().map(|(package, calls)| (package.to_string(), *calls)).collect();
        let parts = spread(amount, &weights, month.as_str());
        let mut given = Vec::new();
        for ((package, calls), part) in used.into_iter().zip(parts).filter(|(_, part)| *part > Atomic::ZERO) {
            let identifier = Some(format!("tips:{month}:{package}"));
            let payment = Payment::Account(Box::new(Caller { identifier, ..caller.clone() }));
            let reference = PackageRef { package: package.clone(), version: None };
            let reply = self.tip(&reference, part, Some(payment)).await?;
            given.push(SpreadTip { package, calls, reply });
        }
        Ok(given)
    }
}
