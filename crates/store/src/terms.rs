//! Changes of terms: each is written with its log entry, and with what pages and search show from then on.

use glassbox_core::acts::{ActRefusal, Right, TermsChange};
use glassbox_core::dsse::Envelope;
use glassbox_core::log::{Entry, Kind};
use glassbox_core::release::Release;
use glassbox_core::{Digest, ReleaseId, limits};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::acts::{self, Signed};
use crate::error::StoreError;
use crate::log;
use crate::releases::Published;
use crate::search::SearchDocument;
use crate::sqlite::{Store, parse};

/// A change of terms to be written. It was checked against the terms that it names as those before.
#[derive(Debug, Clone)]
pub struct NewTerms {
    /// The change.
    pub signed: Signed<TermsChange>,
    /// What pages show under the new terms, as JSON.
    pub listing: String,
    /// What search reads under the new terms.
    pub search: SearchDocument,
    /// When, in Unix milliseconds.
    pub now_ms: i64,
}

/// A change of terms as it is stored.
#[derive(Debug, Clone)]
pub struct TermsRow {
    /// The change.
    pub change: TermsChange,
    /// The index of its log entry.
    pub log_index: u64,
    /// When it was made, in Unix milliseconds.
    pub changed_at: i64,
}

impl Store {
    /// Changes the terms of a release and logs it. What pages and search show follows at once.
    ///
    /// The same statement again is a no-op; one that is signed by too few, or that follows other terms than those that
    /// stand, is [`StoreError::Refused`].
    pub async fn change_terms(&self, new: NewTerms) -> Result<Published, StoreError> {
        let (package, now_ms) = (new.signed.act.release.package.clone(), new.now_ms);
        let written = self
            .write("change_terms", move |transaction| {
                let NewTerms { signed: Signed { act, statement, signers }, listing, search, now_ms } = new;
                let identity = acts::identity(&statement)?;
                if let Some(index) = acts::known(transaction, identity)? {
                    return Ok(Published::Already(index));
                }
                let (id, namespace) = (&act.release, act.release.package.in_namespace());
                let row = acts::read(transaction, &namespace)?.ok_or(StoreError::NoNamespace(namespace))?;
                row.state.at(now_ms).permit(Right::Price, &signers)?;
                let (stands, changes) = stands(transaction, id)?;
                if act.previous != stands {
                    return Err(ActRefusal::Superseded { found: act.previous, expected: stands }.into());
                }
                if changes >= limits::TERMS_CHANGES_MAX {
                    return Err(ActRefusal::TooManyChanges.into());
                }
                let (package, version) = (id.package.to_string(), id.version.to_string());
                let index = log::append(transaction, Kind::Terms, &package, &statement)?;
                transaction.execute(
                    "INSERT INTO terms_changes (log_index, package, version, terms, changed_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![index as i64, package, version, act.digest().to_string(), now_ms],
                )?;
                transaction.execute(
                    "UPDATE releases SET listing = ?3, search = ?4 WHERE package = ?1 AND version = ?2",
                    params![
                        package,
                        version,
                        listing,
                        serde_json::to_string(&search).expect("a search document is plain JSON"),
                    ],
                )?;
                acts::remember(transaction, identity, index)?;
                Ok(Published::New(index))
            })
            .await;
        self.show_in_search(written, &package, now_ms).await
    }

    /// Returns the changes of a release's terms, in the order of the log.
    pub async fn terms_changes(&self, id: &ReleaseId) -> Result<Vec<TermsRow>, StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT log_index, changed_at, entry FROM terms_changes JOIN log_entries ON idx = log_index
                 WHERE package = ?1 AND version = ?2 ORDER BY log_index",
            )?;
            let rows = statement
                .query_map(params![package, version], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<(i64, i64, Vec<u8>)>, _>>()?;
            let read = |(log_index, changed_at, entry): (i64, i64, Vec<u8>)| {
                let change = Entry::terms_change(&entry).ok_or_else(|| {
                    StoreError::corrupt(format!("log entry {log_index} is no change of terms"))
                })?;
                Ok(TermsRow { change, log_index: log_index as u64, changed_at })
            };
            rows.into_iter().map(read).collect()
        })
        .await
    }

    /// Returns the index of the log entry of an act that was done already, or `None`.
    pub async fn act(&self, statement: &Envelope) -> Result<Option<u64>, StoreError> {
        let identity = acts::identity(statement)?;
        self.read(move |connection| acts::known(connection, identity)).await
    }
}

/// Returns the digest of the terms that stand, and how often they were changed.
fn stands(connection: &Connection, id: &ReleaseId) -> Result<(Digest, usize), StoreError> {
    let (package, version) = (id.package.to_string(), id.version.to_string());
    let mut changes = connection.prepare_cached(
        "SELECT terms FROM terms_changes WHERE package = ?1 AND version = ?2 ORDER BY log_index",
    )?;
    let changes = changes
        .query_map(params![package, version], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    if let Some(newest) = changes.last() {
        return Ok((parse(newest)?, changes.len()));
    }
    let statement: Option<String> = connection
        .prepare_cached("SELECT statement FROM releases WHERE package = ?1 AND version = ?2")?
        .query_row(params![package, version], |row| row.get(0))
        .optional()?;
    let statement = statement.ok_or_else(|| StoreError::NoRelease(id.clone()))?;
    let statement: Envelope = serde_json::from_str(&statement).map_err(StoreError::corrupt)?;
    let release = statement.read_unchecked::<Release>().map_err(StoreError::corrupt)?;
    Ok((release.predicate.terms, 0))
}
