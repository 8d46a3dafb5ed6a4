//! What keys may not do that nobody knows yet.

use glassbox_core::limits;
use glassbox_core::name::Namespace;
use rusqlite::{Transaction, params};

use crate::error::StoreError;
use crate::releases::NewRelease;

/// Refuses a further package of a key that came lately and began as much within a day as it may. Further releases of what it
/// began are its own matter.
pub(crate) fn check(transaction: &Transaction<'_>, release: &NewRelease) -> Result<(), StoreError> {
    if !release.newcomers_bounded {
        return Ok(());
    }
    let package = &release.id.package;
    let is_known = transaction
        .prepare_cached("SELECT 1 FROM releases WHERE package = ?1")?
        .exists([package.to_string()])?;
    match is_known {
        true => Ok(()),
        false => {
            check_key(transaction, &release.publisher.to_string(), &package.in_namespace(), release.now_ms)
        }
    }
}

/// Refuses a key that came lately and began as much within a day as it may: packages, and namespaces that it claimed and
/// that nothing was published in, beside the one that it begins something in now.
pub(crate) fn check_key(
    transaction: &Transaction<'_>,
    key: &str,
    namespace: &Namespace,
    now_ms: i64,
) -> Result<(), StoreError> {
    let came: Option<i64> = transaction
        .prepare_cached("SELECT MIN(published_at) FROM releases WHERE publisher = ?1")?
        .query_row([key], |row| row.get(0))?;
    let is_new = came.is_none_or(|came| now_ms.saturating_sub(came) < limits::KEY_NEW_MS);
    if !is_new {
        return Ok(());
    }
    let since = now_ms.saturating_sub(limits::NEW_KEY_WINDOW_MS);
    let begun: i64 = transaction
        .prepare_cached(
            "SELECT COUNT(DISTINCT package) FROM releases AS new
             WHERE publisher = ?1 AND published_at > ?2 AND NOT EXISTS (
                SELECT 1 FROM releases AS old WHERE old.package = new.package AND old.log_index < new.log_index)",
        )?
        .query_row(params![key, since], |row| row.get(0))?;
    // Packages of a namespace are `name:…`, and `;` comes after the colon.
    let claimed: i64 = transaction
        .prepare_cached(
            "SELECT COUNT(*) FROM namespaces
             WHERE owner = ?1 AND claimed_at > ?2 AND name <> ?3 AND NOT EXISTS (
                SELECT 1 FROM releases WHERE package > name || ':' AND package < name || ';')",
        )?
        .query_row(params![key, since, namespace.as_str()], |row| row.get(0))?;
    let max = limits::NEW_KEY_PACKAGES_MAX;
    match begun.saturating_add(claimed) < max as i64 {
        true => Ok(()),
        false => Err(StoreError::TooManyPackages { key: key.to_owned(), max }),
    }
}
