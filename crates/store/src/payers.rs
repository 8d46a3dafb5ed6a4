//! Who pays for a package.

use std::collections::BTreeMap;

use glassbox_core::{Atomic, PackageName};
use rusqlite::params;

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql};

/// What one payer paid for a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayerSum {
    /// The payer.
    pub payer: String,
    /// In how many calls.
    pub calls: u64,
    /// How much.
    pub amount: Atomic,
}

impl Store {
    /// Returns who paid for calls of a package since a time, and no chain took the money back.
    pub async fn payers(&self, package: &PackageName, since_ms: i64) -> Result<Vec<PayerSum>, StoreError> {
        // All releases of it, by the index: `A` is the byte after `@`.
        let (first, end) = (format!("{package}@"), format!("{package}A"));
        self.read(move |connection| {
            let mut sums: BTreeMap<String, (u64, u128)> = BTreeMap::new();
            let mut statement = connection.prepare_cached(
                "SELECT payer, charge FROM calls
                 WHERE release >= ?1 AND release < ?2 AND created_at > ?3
                   AND state = 'posted' AND standing IS NOT 'lost'",
            )?;
            let mut rows = statement.query(params![first, end, since_ms])?;
            while let Some(row) = rows.next()? {
                let charge: Option<Vec<u8>> = row.get(1)?;
                let sum = sums.entry(row.get(0)?).or_default();
                sum.0 += 1;
                sum.1 += charge.as_deref().map(amount_from_sql).transpose()?.unwrap_or_default();
            }
            let sum = |(payer, (calls, amount))| PayerSum { payer, calls, amount: Atomic(amount) };
            Ok(sums.into_iter().map(sum).collect())
        })
        .await
    }
}
