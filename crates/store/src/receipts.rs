//! Receipts by their digests, the batches in which they are logged, and what the log says of executors.
//!
//! A receipt is numbered in the transaction that posts its call, so none is missed and none counted twice. Its batch is
//! logged in one transaction too: after a crash it is either in the log or still waiting.

use glassbox_core::acts::ReceiptBatch;
use glassbox_core::dsse::Envelope;
use glassbox_core::key::PublicKey;
use glassbox_core::log::{self, Entry, Kind};
use glassbox_core::receipt::{Batch, BatchTree, LoggedTerms, Place, Proof};
use glassbox_core::{Digest, ReleaseId};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::log::{Hashes, append, checkpoint, entries};
use crate::sqlite::{Store, parse};

/// The receipt of a call, for the executor's next batch.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Who signed it.
    pub executor: PublicKey,
    /// The digest of its payload.
    pub digest: Digest,
    /// The index of the log entry that set the terms which it follows from, where that is not the release's own.
    pub terms_index: Option<u64>,
}

/// Receipts that wait to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingReceipts {
    /// The number of the first.
    pub from: u64,
    /// Their digests, in the order of their numbers.
    pub digests: Vec<Digest>,
    /// When the first came, in Unix milliseconds.
    pub since_ms: i64,
}

/// What there is to say of a receipt's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptProof {
    /// No such receipt waits, nor was one logged.
    Unknown,
    /// It waits for the next batch, or its batch for the next checkpoint.
    Waiting,
    /// It is in the checkpoint in force. The keys are left to whoever knows them.
    Logged(Box<Proof>),
}

/// Numbers the receipt of a call within the transaction that posts the call.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    call: &str,
    receipt: &NewReceipt,
    now_ms: i64,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO receipts (executor, number, digest, release, at, terms_index)
             SELECT ?1, COALESCE(MAX(number) + 1, 0), ?2, (SELECT release FROM calls WHERE id = ?3), ?4, ?5
             FROM receipts WHERE executor = ?1",
        )?
        .execute(params![
            receipt.executor.to_string(),
            receipt.digest.as_bytes(),
            call,
            now_ms,
            receipt.terms_index.map(|index| index as i64),
        ])?;
    Ok(())
}

/// Returns the number of the first receipt that is in no batch.
fn first_waiting(connection: &Connection, executor: &str) -> Result<u64, StoreError> {
    let first = "SELECT COALESCE(MAX(first + count), 0) FROM receipt_batches WHERE executor = ?1";
    let first: i64 = connection.prepare_cached(first)?.query_row([executor], |row| row.get(0))?;
    Ok(first as u64)
}

/// Returns the digests of `count` receipts at most, and when the first came.
fn digests(
    connection: &Connection,
    executor: &str,
    from: u64,
    count: usize,
) -> Result<(Vec<Digest>, i64), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, at FROM receipts WHERE executor = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?));
    let rows = statement.query_map(params![executor, from as i64, count as i64], read)?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let since_ms = rows.first().map_or(0, |(_, at)| *at);
    Ok((rows.into_iter().map(|(digest, _)| Digest::from_bytes(digest)).collect(), since_ms))
}

impl Store {
    /// Returns the receipts of an executor that wait to be logged, `limit` at most.
    pub async fn waiting_receipts(
        &self,
        executor: &PublicKey,
        limit: usize,
    ) -> Result<WaitingReceipts, StoreError> {
        let executor = executor.to_string();
        self.read(move |connection| {
            let from = first_waiting(connection, &executor)?;
            let (digests, since_ms) = digests(connection, &executor, from, limit)?;
            Ok(WaitingReceipts { from, digests, since_ms })
        })
        .await
    }

    /// Logs a batch of an executor's receipts, and returns the index of its entry. Nobody sees it until
    /// [`Store::publish_log`].
    ///
    /// Returns `None`, and changes nothing, where it does not begin with the first receipt that waits: another logged
    /// them meanwhile.
    pub async fn log_batch(
        &self,
        batch: ReceiptBatch,
        statement: Envelope,
    ) -> Result<Option<u64>, StoreError> {
        self.write("log_batch", move |transaction| {
            let executor = batch.executor.to_string();
            if first_waiting(transaction, &executor)? != batch.from {
                return Ok(None);
            }
            let index = append(transaction, Kind::Receipts, &executor, &statement)?;
            transaction.execute(
                "INSERT INTO receipt_batches (executor, first, count, log_index) VALUES (?1, ?2, ?3, ?4)",
                params![executor, batch.from as i64, batch.count as i64, index as i64],
            )?;
            Ok(Some(index))
        })
        .await
    }

    /// Proves that the receipt with this digest is in the checkpoint in force.
    pub async fn prove_receipt(&self, receipt: Digest) -> Result<ReceiptProof, StoreError> {
        self.read(move |connection| {
            let row = connection
                .prepare_cached(
                    "SELECT executor, number, release, terms_index FROM receipts WHERE digest = ?1",
                )?
                .query_row([receipt.as_bytes()], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, String>(2)?,
                        row.get::<_, Option<i64>>(3)?,
                    ))
                })
                .optional()?;
            let Some((executor, number, release, terms_index)) = row else {
                return Ok(ReceiptProof::Unknown);
            };
            let batch = connection
                .prepare_cached(
                    "SELECT first, count, log_index FROM receipt_batches
                     WHERE executor = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
                )?
                .query_row(params![executor, number], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
                })
                .optional()?;
            let Some((first, count, index)) = batch.filter(|(first, count, _)| number < first + count) else {
                return Ok(ReceiptProof::Waiting);
            };
            let Some(state) = checkpoint(connection)?.filter(|state| (index as u64) < state.size) else {
                return Ok(ReceiptProof::Waiting);
            };
            let place = |index: i64| {
                let hashes = log::prove(index as u64, state.size, &Hashes(connection))?;
                Ok::<_, StoreError>(Place { index: index as u64, hashes })
            };
            let (digests, _) = digests(connection, &executor, first as u64, count as usize)?;
            let in_batch = BatchTree::of(digests).place((number - first) as u64);
            let Entry { statement, previous, .. } = read_entry(connection, index)?.1;
            let signature = statement.signatures.into_iter().next();
            let (Some(in_batch), Some(signature)) = (in_batch, signature) else {
                return Err(StoreError::corrupt(format!("the batch of log entry {index}")));
            };
            let terms_index = match terms_index {
                None => release_index(connection, &release)?,
                changed => changed,
            };
            let terms = match terms_index {
                Some(index) => {
                    Some(LoggedTerms { entry: read_entry(connection, index)?.0, place: place(index)? })
                }
                None => None,
            };
            Ok(ReceiptProof::Logged(Box::new(Proof {
                batch: Batch {
                    from: first as u64,
                    count: count as u64,
                    signature: signature.sig,
                    previous,
                    place: in_batch,
                },
                entry: place(index)?,
                terms,
                checkpoint: state.checkpoint,
                keys: Vec::new(),
            })))
        })
        .await
    }

    /// Logs a statement about an executor, and returns the index of its entry, unless `stands` says of what was logged
    /// of the executor before that this adds nothing.
    pub async fn log_of_executor(
        &self,
        kind: Kind,
        about: &PublicKey,
        statement: Envelope,
        stands: impl Fn(&[Entry]) -> bool + Send + 'static,
    ) -> Result<Option<u64>, StoreError> {
        let about = about.to_string();
        self.write("log_of_executor", move |transaction| {
            if stands(&said_of(transaction, &about)?) {
                return Ok(None);
            }
            append(transaction, kind, &about, &statement).map(Some)
        })
        .await
    }

    /// Returns what was logged of an executor, but its batches, in their order.
    pub async fn executor_entries(&self, executor: &PublicKey) -> Result<Vec<Entry>, StoreError> {
        let about = executor.to_string();
        self.read(move |connection| said_of(connection, &about)).await
    }
}

/// Returns the index of a release's log entry.
fn release_index(connection: &Connection, release: &str) -> Result<Option<i64>, StoreError> {
    let id: ReleaseId = parse(release)?;
    let index = "SELECT log_index FROM releases WHERE package = ?1 AND version = ?2";
    let of = [id.package.to_string(), id.version.to_string()];
    Ok(connection.prepare_cached(index)?.query_row(of, |row| row.get(0)).optional()?)
}

fn said_of(connection: &Connection, about: &str) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry FROM log_entries WHERE about = ?1 AND kind IN ('executor', 'contradiction') ORDER BY idx",
    )?;
    let rows = statement.query_map([about], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| serde_json::from_slice(&row?).map_err(StoreError::corrupt)).collect()
}

fn read_entry(connection: &Connection, index: i64) -> Result<(String, Entry), StoreError> {
    let index = index as u64;
    let entry = entries(connection, index..index + 1)?.pop();
    let entry = entry.ok_or_else(|| StoreError::corrupt(format!("log entry {index} is missing")))?;
    let text = String::from_utf8(entry).map_err(StoreError::corrupt)?;
    let read = serde_json::from_str(&text).map_err(StoreError::corrupt)?;
    Ok((text, read))
}
