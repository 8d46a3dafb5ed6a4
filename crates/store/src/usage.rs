//! What payers used of packages from one call to the next.
//!
//! It is counted in the transaction that decides a call, so that no call is charged and not counted, nor the other way.

use std::collections::BTreeMap;

use glassbox_core::PackageName;
use glassbox_core::terms::Counter;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::Store;

/// Everybody who shows no payment, as one payer.
const ANONYMOUS: &str = "anonymous";

/// What a call adds to the counters of its payer.
#[derive(Debug, Clone)]
pub struct Consumed {
    /// The package.
    pub package: PackageName,
    /// Who used it.
    pub payer: String,
    /// How much of what.
    pub units: Vec<(Counter, u64)>,
}

/// Returns what a payer used; nothing where nothing is known.
fn used(
    connection: &Connection,
    package: &PackageName,
    payer: &str,
    counter: &Counter,
) -> Result<u64, StoreError> {
    let units: Option<i64> = connection
        .prepare_cached(
            "SELECT units FROM usage WHERE package = ?1 AND payer = ?2 AND key = ?3 AND period = ?4",
        )?
        .query_row(params![package.to_string(), payer, counter.key, counter.period], |row| row.get(0))
        .optional()?;
    Ok(units.map_or(0, |units| u64::try_from(units).unwrap_or_default()))
}

/// Adds to the counters of a payer.
pub(crate) fn count(transaction: &Transaction<'_>, consumed: &Consumed) -> Result<(), StoreError> {
    let Consumed { package, payer, units } = consumed;
    for (counter, added) in units {
        let before = used(transaction, package, payer, counter)?;
        write(transaction, package, payer, counter, before.saturating_add(*added))?;
    }
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    package: &PackageName,
    payer: &str,
    counter: &Counter,
    units: u64,
) -> Result<(), StoreError> {
    // SQLite has no unsigned numbers; nobody uses as many.
    let units = i64::try_from(units).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO usage (package, payer, key, period, units) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![package.to_string(), payer, counter.key, counter.period, units])?;
    Ok(())
}

impl Store {
    /// Returns what a payer used of a package, by the keys of counters.
    pub async fn used(
        &self,
        package: &PackageName,
        payer: &str,
        counters: Vec<Counter>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let (package, payer) = (package.clone(), payer.to_owned());
        self.read(move |connection| {
            let read =
                |counter: Counter| Ok((counter.key.clone(), used(connection, &package, &payer, &counter)?));
            counters.into_iter().map(read).collect()
        })
        .await
    }

    /// Takes one unit of each counter for somebody who shows no payment, where all are below their bounds, and returns what
    /// had been taken before; takes nothing where one is not.
    pub async fn take_free(
        &self,
        package: &PackageName,
        bounds: Vec<(Counter, u64)>,
    ) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        let package = package.clone();
        self.write("take_free", move |transaction| {
            let mut before = BTreeMap::new();
            for (counter, bound) in &bounds {
                let units = used(transaction, &package, ANONYMOUS, counter)?;
                if units >= *bound {
                    return Ok(None);
                }
                before.insert(counter.key.clone(), units);
            }
            for (counter, _) in &bounds {
                write(transaction, &package, ANONYMOUS, counter, before[&counter.key] + 1)?;
            }
            Ok(Some(before))
        })
        .await
    }

    /// Gives back what [`take_free`](Self::take_free) took, for a call that would not have been charged.
    pub async fn give_back_free(
        &self,
        package: &PackageName,
        counters: Vec<Counter>,
    ) -> Result<(), StoreError> {
        let package = package.clone();
        self.write("give_back_free", move |transaction| {
            for counter in &counters {
                let units = used(transaction, &package, ANONYMOUS, counter)?;
                write(transaction, &package, ANONYMOUS, counter, units.saturating_sub(1))?;
            }
            Ok(())
        })
        .await
    }
}
