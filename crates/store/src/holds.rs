//! Releases that are held: published and readable, but not resolved to and not run.

use std::collections::HashSet;

use glassbox_core::dsse::Envelope;
use glassbox_core::{PackageName, ReleaseId, Version, limits};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::StoreError;
use crate::releases::NewRelease;
use crate::sqlite::{Store, parse};

/// Why and for how long a release is held, and who let it go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Until when, in Unix milliseconds.
    pub until: i64,
    /// Who let it go before that, as a `did:key`.
    pub confirmed_by: Option<String>,
}

impl Held {
    /// Tells whether it is held at a time, in Unix milliseconds.
    pub fn is_held(&self, now_ms: i64) -> bool {
        self.confirmed_by.is_none() && now_ms < self.until
    }
}

/// Holds a release where there is a reason to, in the transaction that publishes it: those that its publisher was told, and
/// that its key has lately released too many packages.
pub(crate) fn write(transaction: &Transaction<'_>, release: &NewRelease) -> Result<(), StoreError> {
    let mut reasons = release.hold_reasons.clone();
    let packages = released_anew(transaction, release)?;
    if packages > limits::HOLD_CADENCE_PACKAGES_MAX {
        reasons.push(format!(
            "its key released {packages} packages anew within {} minutes",
            limits::HOLD_CADENCE_MS / 60_000
        ));
    }
    if reasons.is_empty() {
        return Ok(());
    }
    transaction.execute(
        "INSERT INTO holds (package, version, reasons, until) VALUES (?1, ?2, ?3, ?4)",
        params![
            release.id.package.to_string(),
            release.id.version.to_string(),
            serde_json::to_string(&reasons).expect("sentences are plain JSON"),
            release.now_ms.saturating_add(limits::HOLD_MS),
        ],
    )?;
    Ok(())
}

/// Counts the packages that the release's key lately released a further version of, this one included. The first release of a
/// package is not counted: nobody uses it yet.
fn released_anew(transaction: &Transaction<'_>, release: &NewRelease) -> Result<usize, StoreError> {
    let since = release.now_ms.saturating_sub(limits::HOLD_CADENCE_MS);
    let count: i64 = transaction
        .prepare_cached(
            "SELECT COUNT(DISTINCT package) FROM releases AS new
             WHERE publisher = ?1 AND published_at > ?2 AND EXISTS (
                SELECT 1 FROM releases AS old WHERE old.package = new.package AND old.log_index < new.log_index)",
        )?
        .query_row(params![release.publisher.to_string(), since], |row| row.get(0))?;
    Ok(count as usize)
}

/// Returns the versions of a package that are held at a time.
pub(crate) fn versions_held(
    connection: &Connection,
    name: &PackageName,
    now_ms: i64,
) -> Result<HashSet<Version>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version FROM holds WHERE package = ?1 AND confirmed_by IS NULL AND until > ?2",
    )?;
    let rows = statement.query_map(params![name.to_string(), now_ms], |row| row.get::<_, String>(0))?;
    rows.map(|row| parse(&row?)).collect()
}

/// Returns the releases of all packages that are held at a time.
pub(crate) fn releases_held(connection: &Connection, now_ms: i64) -> Result<HashSet<ReleaseId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT package || '@' || version FROM holds WHERE confirmed_by IS NULL AND until > ?1",
    )?;
    let rows = statement.query_map([now_ms], |row| row.get::<_, String>(0))?;
    rows.map(|row| parse(&row?)).collect()
}

impl Store {
    /// Returns why a release is or was held; `None` where it never was.
    pub async fn held(&self, id: &ReleaseId) -> Result<Option<Held>, StoreError> {
        let key = [id.package.to_string(), id.version.to_string()];
        self.read(move |connection| {
            let read = |row: &Row<'_>| -> rusqlite::Result<(String, i64, Option<String>)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            };
            let found = connection
                .prepare_cached(
                    "SELECT reasons, until, confirmed_by FROM holds WHERE package = ?1 AND version = ?2",
                )?
                .query_row(key, read)
                .optional()?;
            let Some((reasons, until, confirmed_by)) = found else { return Ok(None) };
            let reasons = serde_json::from_str(&reasons).map_err(StoreError::corrupt)?;
            Ok(Some(Held { reasons, until, confirmed_by }))
        })
        .await
    }

    /// Makes search show the newest releases of the packages of which a hold was over within a time: after `since_ms`, and until
    /// `now_ms`.
    pub async fn show_let_go(&self, since_ms: i64, now_ms: i64) -> Result<(), StoreError> {
        let over = self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT package FROM holds WHERE confirmed_by IS NULL AND until > ?1 AND until <= ?2",
            )?;
            let rows = statement.query_map([since_ms, now_ms], |row| row.get::<_, String>(0))?;
            rows.map(|package| parse::<PackageName>(&package?)).collect::<Result<Vec<_>, StoreError>>()
        });
        for package in over.await? {
            self.show_in_search(Ok(()), &package, now_ms).await?;
        }
        Ok(())
    }

    /// Lets a held release go, by the word of a second key, and makes it what search finds where it is the newest. The first
    /// word counts; another changes nothing.
    pub async fn confirm(
        &self,
        id: &ReleaseId,
        by: &str,
        confirmation: &Envelope,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let key = [id.package.to_string(), id.version.to_string()];
        let (by, confirmation) =
            (by.to_owned(), serde_json::to_string(confirmation).map_err(StoreError::corrupt)?);
        let confirmed = self
            .write("confirm", move |transaction| {
                let [package, version] = key;
                transaction.execute(
                    "UPDATE holds SET confirmed_by = ?3, confirmed_at = ?4, confirmation = ?5
                     WHERE package = ?1 AND version = ?2 AND confirmed_by IS NULL",
                    params![package, version, by, now_ms, confirmation],
                )?;
                Ok(())
            })
            .await;
        self.show_in_search(confirmed, &id.package, now_ms).await
    }
}
