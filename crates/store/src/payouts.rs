//! Earnings that are paid out, many in one run.

use glassbox_core::Pico;
use glassbox_core::ledger::{Account, Kind, Transfer};
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::ledger::{self, OwedTransfer};
use crate::payees;
use crate::reversals::{LOOSE, ON_LOOSE_CREDIT, earned_by};
use crate::sheet::Decision;
use crate::sqlite::Store;
use crate::submissions::{self, Moved};
use crate::support;

/// Something to be paid out of an account.
#[derive(Debug, Clone)]
pub struct Owing {
    /// What it belongs to: `payout:RUN:NUMBER`, in the order in which they are paid.
    pub subject: String,
    /// What moves.
    pub transfer: Transfer,
    /// Whom the rail shall pay.
    pub payee: String,
}

impl Store {
    /// Returns what payees and the operator earned for good and were not paid yet, in the order of their accounts.
    ///
    /// Left out is what was charged for payments that a chain may still take back, and for vouchers that are not claimed, also
    /// where such a payment bought the credit that paid; and what a broken promise would take back of plans that are not judged yet.
    pub async fn payable(&self) -> Result<Vec<(Account, Pico)>, StoreError> {
        let balances = self.balances().await?;
        let waiting = self
            .read(|connection| {
                let mut waiting = earned_by(connection, "calls", "standing IN ('mined', 'vouched')")?;
                for (account, pico) in earned_by(connection, LOOSE, ON_LOOSE_CREDIT)? {
                    waiting.entry(account).or_default().0 += pico.0;
                }
                for (_, back) in support::at_risk(connection)? {
                    waiting.entry(back.debit).or_default().0 += back.amount.0;
                }
                Ok(waiting)
            })
            .await?;
        let earned = balances
            .into_iter()
            .filter(|balance| matches!(balance.account, Account::Payee(_) | Account::Operator));
        let payable = earned.map(|balance| {
            let waits = waiting.get(&balance.account).copied().unwrap_or_default();
            let pico = Pico(balance.available().0.saturating_sub(waits.0));
            (balance.account, pico)
        });
        Ok(payable.filter(|(_, pico)| *pico > Pico::ZERO).collect())
    }

    /// Writes a run of payouts as pending, all or none.
    ///
    /// # Errors
    ///
    /// When an account has less than it shall be paid.
    pub async fn owe_all(&self, owing: Vec<Owing>, now_ms: i64) -> Result<(), StoreError> {
        self.write("owe_all", move |transaction| {
            for Owing { subject, transfer, payee } in &owing {
                if ledger::available(transaction, &transfer.debit)? < transfer.amount {
                    return Err(StoreError::Overdrawn(transfer.debit.to_string()));
                }
                if let Account::Payee(id) = &transfer.debit {
                    payees::know(transaction, id, payee, now_ms)?;
                }
                let transfer = std::slice::from_ref(transfer);
                ledger::insert(transaction, subject, transfer, "pending", Some(payee), now_ms)?;
            }
            Ok(())
        })
        .await
    }

    /// Returns what of a run is still owed, in the order in which it is paid.
    pub async fn owed_of_run(&self, run: &str) -> Result<Vec<OwedTransfer>, StoreError> {
        let pattern = format!("payout:{run}:%");
        self.read(move |connection| {
            ledger::owed_where(connection, "kind = 'payout' AND subject LIKE ?1 ORDER BY subject", [&pattern])
        })
        .await
    }

    /// Posts payments of a run that one transaction on the rail made, which is watched under the name `watched`. Doing it
    /// again changes nothing.
    ///
    /// Nothing voids one: what is signed to pay never expires, so a payment that came back to its account could be made
    /// twice.
    pub async fn post_run(
        &self,
        watched: &str,
        subjects: Vec<String>,
        moved: Moved,
    ) -> Result<(), StoreError> {
        let watched = watched.to_owned();
        self.write("post_run", move |transaction| {
            let posted = Decision::Posted { amount: None, reference: Some(&moved.transaction) };
            let mut decided = 0;
            for subject in &subjects {
                decided += ledger::decide(transaction, subject, Some(Kind::Payout), posted)?;
            }
            if decided > 0 { submissions::watch(transaction, &watched, &moved) } else { Ok(()) }
        })
        .await
    }

    /// Returns the transaction that paid a run, once it did.
    pub async fn transaction_of_run(&self, run: &str) -> Result<Option<String>, StoreError> {
        let pattern = format!("payout:{run}:%");
        self.read(move |connection| {
            let found = connection
                .query_row(
                    "SELECT reference FROM transfers WHERE subject LIKE ?1 AND state = 'posted' LIMIT 1",
                    params![pattern],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(found)
        })
        .await
    }
}
