//! Shares that nobody claimed for a year go to whom the terms name.

use std::collections::{BTreeMap, BTreeSet};

use glassbox_core::escrow::lapse;
use glassbox_core::ledger::{Account, DAY_MS};
use glassbox_core::{PackageName, Pico, limits};
use glassbox_pay::Address;
use glassbox_store::{PayeeRow, PayeeState, UnclaimedRow};
use tracing::{error, info};

use crate::error::RegistryError;
use crate::open::Registry;

impl Registry {
    /// Returns all that nobody claimed, with the day on which it becomes somebody else's.
    pub async fn unclaimed(&self) -> Result<Vec<(UnclaimedRow, i64)>, RegistryError> {
        let rows = self.store.unclaimed(limits::UNCLAIMED_LISTED_MAX).await?;
        let with_end = |row: UnclaimedRow| {
            let end = row.day + limits::UNCLAIMED_DAYS;
            (row, end)
        };
        Ok(rows.into_iter().map(with_end).collect())
    }

    pub(crate) async fn lapse_unclaimed(&self) {
        if let Err(error) = self.try_lapse().await {
            error!(%error, "Could not see to shares that nobody claimed");
        }
    }

    async fn try_lapse(&self) -> Result<(), RegistryError> {
        let now_ms = self.env.now_ms();
        let day = now_ms.div_euclid(DAY_MS) - limits::UNCLAIMED_DAYS;
        // Where nobody is there to have it, somebody may be tomorrow.
        let rows = self.store.lapsing(day, now_ms - DAY_MS, limits::RECONCILE_BATCH).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let known = self.store.payees().await?.into_iter();
        let known: BTreeMap<_, _> = known.map(|payee| (payee.id.clone(), payee)).collect();
        let address = |payee: &PayeeRow| payee.address.as_ref()?.parse().ok();
        let can_be_paid = |id: &str| match known.get(id) {
            payee if self.listed_payee(id, payee.and_then(address)).is_some() => false,
            Some(payee) => {
                payee.state != PayeeState::Suspended
                    && (payee.state == PayeeState::Verified || payee.address.is_some())
            }
            None => id.parse::<Address>().is_ok(),
        };
        let disputed = self.store.freezes().await?.into_iter().map(|freeze| freeze.package);
        let disputed: BTreeSet<PackageName> = disputed.collect();
        let frozen = self.store.frozen().await?;
        let mut payable: BTreeMap<Account, Pico> = self.store.payable().await?.into_iter().collect();
        for row in rows {
            let account = Account::Payee(row.payee.clone());
            let left = payable.entry(account.clone()).or_default();
            let amount = Pico(row.amount.0.min(left.0));
            let commons = self.config.commons.as_deref();
            // What was earned with another package goes its way. Of older shares nobody wrote down which it was.
            let waits = match &row.package {
                Some(package) => disputed.contains(package),
                None => frozen.contains_key(&account),
            };
            let transfers = match waits {
                true => Vec::new(),
                false => lapse(&row.payee, amount, &row.heirs, can_be_paid, commons, &row.subject()),
            };
            let subject = row.subject();
            if transfers.is_empty() || !self.store.lapse(row.clone(), transfers, now_ms).await? {
                self.store.touch_unclaimed(row, now_ms).await?;
                continue;
            }
            left.0 -= amount.0;
            info!(subject, amount.pico = amount.0, "A share that nobody claimed has lapsed");
        }
        Ok(())
    }
}
