//! Transactions that moved money for us and that a chain may still take back: refunds, payouts and claims.
//!
//! Each is written with the transfers that it made, and forgotten once it is final. Until then there is what it takes to
//! ask for it again.

use glassbox_core::Atomic;
use rusqlite::{Row, Transaction, params};

use crate::channels;
use crate::error::StoreError;
use crate::sqlite::Store;

/// A transaction on the rail that moved money for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its hash.
    pub transaction: String,
    /// What to ask of the rail again should the chain take it back, as JSON. Nothing where it is final.
    pub request: Option<String>,
}

/// A transaction that is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRow {
    /// What its transfers belong to: a call's id, `payout:ID` of a run, `payout:ID:NUMBER` of one payment, or a claim's id.
    pub subject: String,
    /// What to ask of the rail again, as JSON.
    pub request: String,
    /// The transaction on the rail.
    pub transaction: String,
}

/// Writes down what is to be watched, within the transaction that books it.
pub(crate) fn watch(transaction: &Transaction<'_>, subject: &str, moved: &Moved) -> Result<(), StoreError> {
    if let Some(request) = &moved.request {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO submissions (subject, request, reference) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![subject, request, moved.transaction])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<SubmissionRow> {
    Ok(SubmissionRow { subject: row.get(0)?, request: row.get(1)?, transaction: row.get(2)? })
}

impl Store {
    /// Returns the transactions that are not final, at most `limit`: first those that were not looked at of late.
    pub async fn submissions(&self, limit: usize) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT subject, request, reference FROM submissions ORDER BY tried_at, rowid LIMIT ?1",
            )?;
            let rows = statement.query_map([limit as i64], read)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Returns those whose subject begins with `prefix`.
    pub async fn submissions_of(&self, prefix: &str) -> Result<Vec<SubmissionRow>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT subject, request, reference FROM submissions WHERE substr(subject, 1, length(?1)) = ?1",
            )?;
            let rows = statement.query_map([prefix], read)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Notes that a transaction was looked at, which puts it at the end of the line.
    pub async fn touch_submission(&self, subject: &str, now_ms: i64) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        self.write("touch_submission", move |transaction| {
            transaction.execute(
                "UPDATE submissions SET tried_at = ?2 WHERE subject = ?1",
                params![subject, now_ms],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes that another transaction did it, after the chain took back the one before; its transfers are booked under it.
    pub async fn move_submission(
        &self,
        subject: &str,
        reference: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (subject, reference) = (subject.to_owned(), reference.to_owned());
        self.write("move_submission", move |transaction| {
            // The payments of a run have their run's name and a number.
            transaction.execute(
                "UPDATE transfers SET reference = ?2
                 WHERE (subject = ?1 OR (subject > ?1 || ':' AND subject < ?1 || ';'))
                   AND reference = (SELECT reference FROM submissions WHERE subject = ?1)",
                params![subject, reference],
            )?;
            transaction.execute(
                "UPDATE submissions SET reference = ?2, tried_at = ?3 WHERE subject = ?1",
                params![subject, reference, now_ms],
            )?;
            Ok(())
        })
        .await
    }

    /// Watches the payments of a transaction each by itself: they can no longer be made together. `parts` are their subjects
    /// and requests. Doing it again changes nothing.
    pub async fn split_submission(
        &self,
        subject: &str,
        parts: Vec<(String, String)>,
    ) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        self.write("split_submission", move |transaction| {
            for (part, request) in &parts {
                transaction.execute(
                    "INSERT INTO submissions (subject, request, reference)
                     SELECT ?2, ?3, reference FROM submissions WHERE subject = ?1",
                    params![subject, part, request],
                )?;
            }
            transaction.execute("DELETE FROM submissions WHERE subject = ?1", [subject])?;
            Ok(())
        })
        .await
    }

    /// Forgets a transaction that is final. `claimed` is what it claimed of channels in all: the calls that were paid by it
    /// are final too. Doing it again changes nothing.
    pub async fn end_submission(
        &self,
        subject: &str,
        claimed: Vec<(String, Atomic)>,
    ) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        self.write("end_submission", move |transaction| {
            for (channel, claimed) in &claimed {
                channels::finish(transaction, channel, *claimed)?;
            }
            transaction.execute("DELETE FROM submissions WHERE subject = ?1", [subject])?;
            Ok(())
        })
        .await
    }
}
