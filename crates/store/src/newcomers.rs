//! What keys may not do that nobody knows yet.

use glassbox_core::limits;
use rusqlite::{Transaction, params};

use crate::error::StoreError;
use crate::releases::NewRelease;

/// Refuses a further package of a key that came lately and began as many within a day as it may. Further releases of what it
/// began are its own matter.
pub(crate) fn check(transaction: &Transaction<'_>, release: &NewRelease) -> Result<(), StoreError> {
    if !release.newcomers_bounded {
        return Ok(());
    }
    let max = limits::NEW_KEY_PACKAGES_MAX;
    let key = release.publisher.to_string();
    let (package, now_ms) = (release.id.package.to_string(), release.now_ms);
    let (is_known, came): (bool, Option<i64>) = transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM releases WHERE package = ?1),
                    (SELECT MIN(published_at) FROM releases WHERE publisher = ?2)",
        )?
        .query_row(params![package, key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_new = came.is_none_or(|came| now_ms.saturating_sub(came) < limits::KEY_NEW_MS);
    if is_known || !is_new {
        return Ok(());
    }
    let begun: i64 = transaction
        .prepare_cached(
            "SELECT COUNT(DISTINCT package) FROM releases AS new
             WHERE publisher = ?1 AND published_at > ?2 AND NOT EXISTS (
                SELECT 1 FROM releases AS old WHERE old.package = new.package AND old.log_index < new.log_index)",
        )?
        .query_row(params![key, now_ms.saturating_sub(limits::NEW_KEY_WINDOW_MS)], |row| row.get(0))?;
    if (begun as usize) < max { Ok(()) } else { Err(StoreError::TooManyPackages { key, max }) }
}
