//! What others told the operator about packages, what was decided, and the record of what the operator did.

use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::Store;

/// What somebody told the operator about a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id, which whoever wrote it asks by.
    pub id: String,
    /// The package, or the release.
    pub about: String,
    /// On what ground, by a stable word.
    pub ground: String,
    /// What is wrong.
    pub text: String,
    /// Where an answer reaches whoever wrote it; empty where none is wanted.
    pub contact: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What became of it.
    pub state: NoticeState,
    /// Why; empty while it is open.
    pub reason: String,
    /// When it was decided.
    pub decided_at: Option<i64>,
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeState {
    /// Nobody decided.
    Open,
    /// The operator did something about it.
    Acted,
    /// The operator did not.
    Dismissed,
}

impl NoticeState {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Open, "open"), (Self::Acted, "acted"), (Self::Dismissed, "dismissed")];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).expect("all states are listed").1
    }
}

impl FromStr for NoticeState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known.map(|(state, _)| *state).ok_or_else(|| "a notice is open, acted or dismissed".to_owned())
    }
}

/// Something that the operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its number; later ones have greater ones.
    pub number: i64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What about: `payee:ID`, a package, or `notice:ID`.
    pub about: String,
    /// What, by a stable word.
    pub action: String,
    /// Why.
    pub reason: String,
}

/// Writes a line of the record. Its number is the store's to give.
pub(crate) fn record(transaction: &Transaction<'_>, action: &Action) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO actions (at, about, action, reason) VALUES (?1, ?2, ?3, ?4)",
        params![action.at, action.about, action.action, action.reason],
    )?;
    Ok(())
}

const COLUMNS: &str = "id, about, ground, text, contact, at, state, reason, decided_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Notice, StoreError>> {
    let state: String = row.get(6)?;
    let (id, about, ground, text, contact) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let (at, reason, decided_at) = (row.get(5)?, row.get(7)?, row.get(8)?);
    let state = state.parse().map_err(StoreError::corrupt);
    Ok(state.map(|state| Notice { id, about, ground, text, contact, at, state, reason, decided_at }))
}

fn find(connection: &Connection, id: &str) -> Result<Option<Notice>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM notices WHERE id = ?1"))?
        .query_row([id], read)
        .optional()?
        .transpose()
}

impl Store {
    /// Keeps a notice, where fewer than `about_max` about the same and fewer than `all_max` altogether are open. Returns
    /// whether it did.
    pub async fn add_notice(
        &self,
        notice: Notice,
        about_max: usize,
        all_max: usize,
    ) -> Result<bool, StoreError> {
        self.write("add_notice", move |transaction| {
            let count = |about: Option<&str>| {
                transaction.query_row(
                    "SELECT COUNT(*) FROM notices WHERE state = 'open' AND (?1 IS NULL OR about = ?1)",
                    [about],
                    |row| row.get::<_, i64>(0),
                )
            };
            if count(Some(&notice.about))? >= about_max as i64 || count(None)? >= all_max as i64 {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO notices (id, about, ground, text, contact, at, state, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '')",
                params![
                    notice.id,
                    notice.about,
                    notice.ground,
                    notice.text,
                    notice.contact,
                    notice.at,
                    notice.state.as_str()
                ],
            )?;
            Ok(true)
        })
        .await
    }

    /// Returns a notice, or `None`.
    pub async fn notice(&self, id: &str) -> Result<Option<Notice>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| find(connection, &id)).await
    }

    /// Returns notices, the oldest first, at most `limit`: those that are open, or all.
    pub async fn notices(&self, open: bool, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM notices WHERE (NOT ?1 OR state = 'open') ORDER BY at, id LIMIT ?2"
            ))?;
            statement.query_map(params![open, limit as i64], read)?.map(|row| row?).collect()
        })
        .await
    }

    /// Decides a notice that is open. One that was decided stays as it is; it is returned either way.
    pub async fn decide_notice(
        &self,
        id: &str,
        state: NoticeState,
        reason: &str,
        now_ms: i64,
    ) -> Result<Option<Notice>, StoreError> {
        let (id, reason) = (id.to_owned(), reason.to_owned());
        self.write("decide_notice", move |transaction| {
            let decided = transaction.execute(
                "UPDATE notices SET state = ?2, reason = ?3, decided_at = ?4 WHERE id = ?1 AND state = 'open'",
                params![id, state.as_str(), reason, now_ms],
            )?;
            if decided == 1 {
                let (about, action) = (format!("notice:{id}"), state.as_str().to_owned());
                record(transaction, &Action { number: 0, at: now_ms, about, action, reason })?;
            }
            find(transaction, &id)
        })
        .await
    }

    /// Returns what the operator did after the number `after`, at most `limit`, in order.
    pub async fn actions(&self, after: i64, limit: usize) -> Result<Vec<Action>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT number, at, about, action, reason FROM actions WHERE number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, limit as i64], |row| {
                Ok(Action {
                    number: row.get(0)?,
                    at: row.get(1)?,
                    about: row.get(2)?,
                    action: row.get(3)?,
                    reason: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
