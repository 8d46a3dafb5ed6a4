//! Who pays for a package, and who stands behind them.

use std::collections::{BTreeMap, BTreeSet};

use glassbox_core::{Atomic, PackageName};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql};

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

impl Store {
    /// Returns who paid for calls of a package since a time, and no chain took the money back. Of more calls than
    /// `calls_max`, some are left out.
    pub async fn payers(
        &self,
        package: &PackageName,
        since_ms: i64,
        calls_max: usize,
    ) -> Result<Vec<PayerSum>, StoreError> {
        // All releases of it, by the index: `A` is the byte after `@`.
        let (first, end) = (format!("{package}@"), format!("{package}A"));
        self.read(move |connection| {
            let mut sums: BTreeMap<(String, Option<String>), (u64, u128)> = BTreeMap::new();
            let mut credit = BTreeSet::new();
            let mut statement = connection.prepare_cached(
                "SELECT payer, channel, rail = 'credit', charge FROM calls
                 WHERE release >= ?1 AND release < ?2 AND created_at > ?3
                   AND state = 'posted' AND standing IS NOT 'lost' LIMIT ?4",
            )?;
            let mut rows = statement.query(params![first, end, since_ms, calls_max as i64])?;
            while let Some(row) = rows.next()? {
                let payer: String = row.get(0)?;
                if row.get(2)? {
                    credit.insert(payer.clone());
                }
                let charge: Option<Vec<u8>> = row.get(3)?;
                let sum = sums.entry((payer, row.get(1)?)).or_default();
                sum.0 += 1;
                sum.1 += charge.as_deref().map(amount_from_sql).transpose()?.unwrap_or_default();
            }
            let mut payers: BTreeMap<String, PayerSum> = BTreeMap::new();
            for ((payer, channel), (calls, amount)) in sums {
                let sum = payers.entry(payer.clone()).or_default();
                sum.calls += calls;
                sum.amount.0 += amount;
                if let Some(channel) = channel {
                    sum.funders.extend(filled_by(connection, &channel)?);
                }
                if sum.payer.is_empty() && credit.contains(&payer) {
                    sum.funders.extend(bought_by(connection, &payer)?);
                }
                sum.payer = payer;
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
