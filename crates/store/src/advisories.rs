//! Advisories: the newest word of each, found by what it is about and by what releases are made of.

use glassbox_core::ReleaseId;
use glassbox_core::dsse::Envelope;
use glassbox_core::log::Kind;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::log;
use crate::sqlite::Store;

/// An advisory to be written, which was checked.
#[derive(Debug, Clone)]
pub struct NewAdvisory {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub about: String,
    /// When it was last changed, in its own words.
    pub modified: String,
    /// The statement.
    pub envelope: Envelope,
    /// Whether it may take the place of what somebody else signed.
    pub by_operator: bool,
    /// When, in Unix milliseconds.
    pub now_ms: i64,
}

/// An advisory as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisoryRow {
    /// Its place in the feed: the later, the higher.
    pub seq: i64,
    /// The statement.
    pub envelope: Envelope,
    /// The index of its log entry.
    pub log_index: u64,
    /// When it came, in Unix milliseconds.
    pub created_at: i64,
    /// When its first word came.
    pub first_at: i64,
    /// The version of the part that it is about, where it is about a part of the release that was asked for.
    pub part_version: Option<String>,
}

/// What came of writing an advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advised {
    /// It is new, or takes the place of an older word.
    New,
    /// The very same was there already.
    Already,
    /// There is one of that id that is as new, or about something else.
    Conflict,
    /// There is one of that id that somebody else signed.
    NotTheirs,
}

const COLUMNS: &str = "a.seq, a.envelope, a.log_index, a.created_at, a.first_at";

type Raw = (i64, String, i64, i64, i64, Option<String>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn read(
    (seq, envelope, log_index, created_at, first_at, part_version): Raw,
) -> Result<AdvisoryRow, StoreError> {
    let envelope = serde_json::from_str(&envelope).map_err(StoreError::corrupt)?;
    Ok(AdvisoryRow { seq, envelope, log_index: log_index as u64, created_at, first_at, part_version })
}

impl Store {
    /// Writes an advisory and its log entry, in one transaction. It takes the place of an older word of whoever signs it; the
    /// operator's takes that of anybody's. Nobody sees the entry before [`Store::publish_log`].
    pub async fn advise(&self, advisory: NewAdvisory) -> Result<Advised, StoreError> {
        self.write("advise", move |transaction| {
            let NewAdvisory { id, about, modified, envelope, by_operator, now_ms } = &advisory;
            let json = serde_json::to_string(envelope).expect("an envelope is plain JSON");
            let is_theirs = |before: &str| {
                let before: Envelope = serde_json::from_str(before).map_err(StoreError::corrupt)?;
                Ok::<_, StoreError>(*by_operator || before.claimed_key() == envelope.claimed_key())
            };
            let known: Option<(String, String, String)> = transaction
                .query_row("SELECT about, modified, envelope FROM advisories WHERE id = ?1", [id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            match known {
                Some((_, _, same)) if same == json => return Ok(Advised::Already),
                // A warning stands, whoever would rather not have been warned of.
                Some((_, _, before)) if !is_theirs(&before)? => return Ok(Advised::NotTheirs),
                Some((of, before, _)) if of != *about || before >= *modified => return Ok(Advised::Conflict),
                _ => {}
            }
            let index = log::append(transaction, Kind::Advisory, about, envelope)?;
            // A new number, so that whoever follows the feed sees it again.
            transaction.execute(
                "INSERT OR REPLACE INTO advisories (id, about, modified, envelope, log_index, created_at, first_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                         COALESCE((SELECT first_at FROM advisories WHERE id = ?1), ?6))",
                params![id, about, modified, json, index as i64, now_ms],
            )?;
            Ok(Advised::New)
        })
        .await
    }

    /// Returns advisories, newest first: before a place in the feed, and about one thing or all.
    pub async fn advisories(
        &self,
        about: Option<&str>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AdvisoryRow>, StoreError> {
        let about = about.map(str::to_owned);
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, NULL FROM advisories AS a
                 WHERE (?1 IS NULL OR about = ?1) AND (?2 IS NULL OR seq < ?2) ORDER BY seq DESC LIMIT ?3"
            ))?;
            let rows = statement.query_map(params![about, before, limit as i64], raw)?;
            rows.map(|row| read(row?)).collect()
        })
        .await
    }

    /// Returns an advisory by its id.
    pub async fn advisory(&self, id: &str) -> Result<Option<AdvisoryRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let found = connection
                .prepare_cached(&format!("SELECT {COLUMNS}, NULL FROM advisories AS a WHERE id = ?1"))?
                .query_row([id], raw)
                .optional()?;
            found.map(read).transpose()
        })
        .await
    }

    /// Returns the advisories about the package of a release, in any version, and about what the release is made of.
    pub async fn advisories_near(&self, id: &ReleaseId) -> Result<Vec<AdvisoryRow>, StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, NULL FROM advisories AS a WHERE about = ?1
                 UNION ALL
                 SELECT {COLUMNS}, s.version_within FROM sbom_packages AS s
                 JOIN advisories AS a ON a.about = 'pkg:' || s.source || '/' || s.name
                 WHERE s.package = ?1 AND s.version = ?2 ORDER BY 1 DESC"
            ))?;
            let rows = statement.query_map([package, version], raw)?;
            rows.map(|row| read(row?)).collect()
        })
        .await
    }
}
