//! What payees earned whom the operator does not know. It is on their accounts in the ledger, and here with whose it becomes.
//!
//! Counted in the transaction of the charge, until the payee is known or paid.

use glassbox_core::Pico;
use glassbox_core::escrow::{Accrual, Heirs};
use glassbox_core::ledger::{Account, DAY_MS, Transfer};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql};

/// What a payee earned on a day that nobody claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclaimedRow {
    /// The payee.
    pub payee: String,
    /// Whose it becomes.
    pub heirs: Heirs,
    /// The day, since 1970.
    pub day: i64,
    /// How much.
    pub amount: Pico,
}

impl UnclaimedRow {
    /// Returns what the transfers belong to that make it somebody else's.
    pub fn subject(&self) -> String {
        format!("lapse:{}:{}:{}", self.day, glassbox_core::canonical::digest(&self.heirs), self.payee)
    }
}

fn text(heirs: &Heirs) -> String {
    serde_json::to_string(heirs).expect("heirs have string keys")
}

/// Tells whether nobody knows a payee. A suspended one is known.
fn is_unknown(connection: &Connection, payee: &str) -> Result<bool, StoreError> {
    let known = connection
        .prepare_cached(
            "SELECT 1 FROM payees WHERE id = ?1 AND (state != 'unverified' OR address IS NOT NULL)",
        )?
        .query_row([payee], |_| Ok(()))
        .optional()?;
    Ok(known.is_none())
}

/// Counts what was charged for payees that nobody knows.
pub(crate) fn accrue(
    transaction: &Transaction<'_>,
    accruals: &[Accrual],
    now_ms: i64,
) -> Result<(), StoreError> {
    let day = now_ms.div_euclid(DAY_MS);
    for Accrual { payee, amount, heirs } in accruals {
        if !is_unknown(transaction, payee)? {
            continue;
        }
        let heirs = text(heirs);
        let before: Option<Vec<u8>> = transaction
            .prepare_cached("SELECT amount FROM unclaimed WHERE payee = ?1 AND heirs = ?2 AND day = ?3")?
            .query_row(params![payee, heirs, day], |row| row.get(0))
            .optional()?;
        let before = before.as_deref().map(amount_from_sql).transpose()?.unwrap_or_default();
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO unclaimed (payee, heirs, day, amount) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![payee, heirs, day, amount_to_sql(before + amount.0)])?;
    }
    Ok(())
}

/// Forgets what was counted for a payee, who claimed it.
pub(crate) fn claimed(transaction: &Transaction<'_>, payee: &str) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM unclaimed WHERE payee = ?1")?.execute([payee])?;
    Ok(())
}

type Raw = (String, String, i64, Vec<u8>);

fn read((payee, heirs, day, amount): Raw) -> Result<UnclaimedRow, StoreError> {
    let heirs = serde_json::from_str(&heirs).map_err(StoreError::corrupt)?;
    Ok(UnclaimedRow { payee, heirs, day, amount: Pico(amount_from_sql(&amount)?) })
}

impl Store {
    /// Returns what was earned on or before a day and nobody claimed, at most `limit`; not what was tried in vain after
    /// `tried_ms`.
    pub async fn unclaimed_until(
        &self,
        day: i64,
        tried_ms: i64,
        limit: usize,
    ) -> Result<Vec<UnclaimedRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT payee, heirs, day, amount FROM unclaimed WHERE day <= ?1 AND tried_at <= ?2
                 ORDER BY day, payee LIMIT ?3",
            )?;
            let rows = statement.query_map(params![day, tried_ms, limit as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.map(|row| read(row?)).collect()
        })
        .await
    }

    /// Makes somebody else's what nobody claimed. Does nothing, and returns `false`, where it was claimed meanwhile, or is
    /// not there any more.
    pub async fn lapse(
        &self,
        row: UnclaimedRow,
        transfers: Vec<Transfer>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        self.write("lapse", move |transaction| {
            let moved = transfers.iter().map(|transfer| transfer.amount.0).sum::<u128>();
            let account = Account::Payee(row.payee.clone());
            if !is_unknown(transaction, &row.payee)? || ledger::available(transaction, &account)?.0 < moved {
                return Ok(false);
            }
            let gone = transaction.execute(
                "DELETE FROM unclaimed WHERE payee = ?1 AND heirs = ?2 AND day = ?3",
                params![row.payee, text(&row.heirs), row.day],
            )?;
            if gone == 0 {
                return Ok(false);
            }
            ledger::insert(transaction, &row.subject(), &transfers, "posted", None, now_ms)?;
            Ok(true)
        })
        .await
    }

    /// Notes that nobody was there to have what nobody claimed.
    pub async fn touch_unclaimed(&self, row: UnclaimedRow, now_ms: i64) -> Result<(), StoreError> {
        self.write("touch_unclaimed", move |transaction| {
            transaction.execute(
                "UPDATE unclaimed SET tried_at = ?4 WHERE payee = ?1 AND heirs = ?2 AND day = ?3",
                params![row.payee, text(&row.heirs), row.day, now_ms],
            )?;
            Ok(())
        })
        .await
    }
}
