//! Who pays for a package, and who stands behind them.
//!
//! Paid calls are counted by day when they are posted, in the same transaction, so that saying who paid takes a read for each
//! payer and day, however often somebody called. What is bought without calling is no use of a package, and not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use glassbox_core::ledger::DAY_MS;
use glassbox_core::{Atomic, PackageName};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql};

/// What one payer paid for a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayerSum {
    /// The payer.
    pub payer: String,
    /// In how many calls.
    pub calls: u64,
    /// How much.
    pub amount: Atomic,
    /// Whose money it was, as far as the ledger tells: who bought the payer's credit, the operator who gave it, who filled its
    /// channels. Nobody where a payer paid out of its own.
    pub funders: BTreeSet<String>,
}

/// What a call is counted under. Sales stand among the functions of the registry itself.
const COUNTED: &str =
    "SELECT substr(release, 1, instr(release, '@') - 1), payer, IFNULL(channel, ''), rail = 'credit',
        created_at, charge
     FROM calls
     WHERE NOT (function >= 'glassbox:registry/releases#' AND function < 'glassbox:registry/releases$')";

/// A paid call, as it is counted.
struct Counted {
    package: String,
    payer: String,
    channel: String,
    credit: bool,
    day: i64,
    charge: Option<Vec<u8>>,
}

impl Counted {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let created_at: i64 = row.get(4)?;
        Ok(Self {
            package: row.get(0)?,
            payer: row.get(1)?,
            channel: row.get(2)?,
            credit: row.get(3)?,
            day: created_at.div_euclid(DAY_MS),
            charge: row.get(5)?,
        })
    }

    /// Counts it, or takes it back.
    fn write(&self, transaction: &Transaction<'_>, change: Change) -> Result<(), StoreError> {
        let Self { package, payer, channel, credit, day, charge } = self;
        let key = params![package, day, payer, channel, credit];
        let found: Option<(i64, Vec<u8>)> = transaction
            .prepare_cached(
                "SELECT calls, amount FROM payer_days
                 WHERE package = ?1 AND day = ?2 AND payer = ?3 AND channel = ?4 AND credit = ?5",
            )?
            .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (calls, amount) = match &found {
            Some((calls, amount)) => (*calls, amount_from_sql(amount)?),
            None => (0, 0),
        };
        let charge = charge.as_deref().map(amount_from_sql).transpose()?.unwrap_or_default();
        let (calls, amount) = match change {
            Change::Paid => (calls + 1, amount.saturating_add(charge)),
            Change::TakenBack => (calls - 1, amount.saturating_sub(charge)),
        };
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO payer_days (package, day, payer, channel, credit, calls, amount)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![package, day, payer, channel, credit, calls.max(0), amount_to_sql(amount)])?;
        Ok(())
    }
}

/// What happened to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// It was paid for.
    Paid,
    /// A chain took its payment back.
    TakenBack,
}

/// Counts what happened to a call, in the transaction in which it does. Its charge and channel are written already.
pub(crate) fn count(transaction: &Transaction<'_>, call: &str, change: Change) -> Result<(), StoreError> {
    let counted = transaction
        .prepare_cached(&format!("{COUNTED} AND id = ?1"))?
        .query_row([call], Counted::read)
        .optional()?;
    counted.map_or(Ok(()), |counted| counted.write(transaction, change))
}

/// Counts the calls of a database that counted none.
pub(crate) fn count_all(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement =
        transaction.prepare(&format!("{COUNTED} AND state = 'posted' AND standing IS NOT 'lost'"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        Counted::read(row)?.write(transaction, Change::Paid)?;
    }
    Ok(())
}

impl Store {
    /// Returns who paid for calls of a package on the whole days since a time, where no chain took the money back.
    pub async fn payers(&self, package: &PackageName, since_ms: i64) -> Result<Vec<PayerSum>, StoreError> {
        let first_day = since_ms.div_euclid(DAY_MS).saturating_add(1);
        self.payers_on(package, first_day..=i64::MAX).await
    }

    /// Returns who paid for calls of a package on days, counted from 1970, where no chain took the money back.
    pub async fn payers_on(
        &self,
        package: &PackageName,
        days: RangeInclusive<i64>,
    ) -> Result<Vec<PayerSum>, StoreError> {
        let package = package.to_string();
        self.read(move |connection| {
            let mut payers: BTreeMap<String, PayerSum> = BTreeMap::new();
            let (mut channels, mut credit) = (BTreeSet::new(), BTreeSet::new());
            let mut statement = connection.prepare_cached(
                "SELECT payer, channel, credit, calls, amount FROM payer_days
                 WHERE package = ?1 AND day >= ?2 AND day <= ?3 AND calls > 0",
            )?;
            let mut rows = statement.query(params![package, days.start(), days.end()])?;
            while let Some(row) = rows.next()? {
                let (payer, channel): (String, String) = (row.get(0)?, row.get(1)?);
                let (calls, amount): (i64, Vec<u8>) = (row.get(3)?, row.get(4)?);
                if row.get(2)? {
                    credit.insert(payer.clone());
                }
                let sum = payers.entry(payer.clone()).or_default();
                sum.calls = sum.calls.saturating_add(calls.unsigned_abs());
                sum.amount.0 = sum.amount.0.saturating_add(amount_from_sql(&amount)?);
                if !channel.is_empty() && channels.insert(channel.clone()) {
                    sum.funders.extend(filled_by(connection, &channel)?);
                }
                sum.payer = payer;
            }
            for account in &credit {
                let bought = bought_by(connection, account)?;
                payers.entry(account.clone()).or_default().funders.extend(bought);
            }
            Ok(payers.into_values().collect())
        })
        .await
    }
}

/// Returns whose deposits a channel holds. Another may sign its vouchers.
fn filled_by(connection: &Connection, channel: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT payer FROM channels WHERE id = ?1")?;
    Ok(statement.query_row([channel], |row| row.get(0)).optional()?)
}

/// Returns who bought the credit of an account, and the operator where that gave any.
fn bought_by(connection: &Connection, account: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT debit FROM transfers
         WHERE credit = ?1 AND kind IN ('top-up', 'grant') AND state = 'posted'",
    )?;
    let rows = statement.query_map([format!("payer:{account}")], |row| row.get::<_, String>(0))?;
    let name = |account: String| match account.strip_prefix("payer:") {
        Some(payer) => payer.to_owned(),
        None => account,
    };
    Ok(rows.map(|row| row.map(name)).collect::<Result<_, _>>()?)
}
