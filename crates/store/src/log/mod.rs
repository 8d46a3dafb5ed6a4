//! The log's storage: entries and hashes in the database, tiles and checkpoint as files that a CDN could serve.
//!
//! An entry is appended in the transaction that writes what it records. Showing it is a second step.

mod guard;
mod map;
mod publish;

use std::path::PathBuf;

use glassbox_core::dsse::Envelope;
use glassbox_core::log::{
    self, Change, Entry, Hash, HashReader, InclusionProof, Kind, StandingProof, Tile, TreeError,
};
use glassbox_core::{Digest, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::Store;

pub(crate) use guard::{Behind, Guard};

/// The checkpoint in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// How many entries it covers.
    pub size: u64,
    /// The signed note.
    pub checkpoint: String,
    /// How many entries the map adds up: all, but in a store of before there was a map.
    mapped: u64,
}

/// An act to be logged.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// What kind of act it is.
    pub kind: Kind,
    /// What it is about: a package, a namespace, or the `did:key` of an executor.
    pub about: String,
    /// What the actor signed.
    pub statement: Envelope,
}

/// The hashes in the database.
pub(crate) struct Hashes<'a>(pub(crate) &'a Connection);

impl HashReader for Hashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| {
            let hash: Vec<u8> = self
                .0
                .prepare_cached("SELECT hash FROM log_hashes WHERE idx = ?1")
                .and_then(|mut statement| statement.query_row([*index as i64], |row| row.get(0)))
                .map_err(|_| TreeError::IndexesNotInTree)?;
            hash.try_into().map(Hash).map_err(|_| TreeError::MalformedHash)
        };
        indexes.iter().map(read).collect()
    }
}

fn size(connection: &Connection) -> Result<u64, StoreError> {
    // Indexes have no gaps, and counting them would read the whole table.
    let newest = "SELECT COALESCE(MAX(idx) + 1, 0) FROM log_entries";
    let size: i64 = connection.query_row(newest, [], |row| row.get(0))?;
    Ok(size as u64)
}

pub(crate) fn checkpoint(connection: &Connection) -> Result<Option<LogState>, StoreError> {
    Ok(connection
        .query_row("SELECT size, note, mapped FROM checkpoint", [], |row| {
            Ok(LogState {
                size: row.get::<_, i64>(0)? as u64,
                checkpoint: row.get(1)?,
                mapped: row.get::<_, i64>(2)? as u64,
            })
        })
        .optional()?)
}

/// Appends what `statement` says about `about` within a transaction and returns its index. Nobody sees it until
/// [`Store::publish_log`].
///
/// `about` is the name of a package or a namespace, or the `did:key` of an executor. The entry names the one before it
/// about the same.
pub(crate) fn append(
    transaction: &Transaction<'_>,
    kind: Kind,
    about: &str,
    statement: &Envelope,
) -> Result<u64, StoreError> {
    let previous = newest(transaction, about)?;
    let entry = Entry { kind, statement: statement.clone(), previous }.to_bytes();
    if entry.len() > limits::LOG_ENTRY_BYTES_MAX {
        return Err(StoreError::corrupt("a log entry above its limit"));
    }
    // The map finds it by what its statement says.
    if Change::of(&entry).is_none_or(|change| change.about != about) {
        return Err(StoreError::corrupt(format!("a log entry that is not about `{about}`")));
    }
    let index = size(transaction)?;
    let first = log::stored_hash_count(index);
    let hashes = log::hashes_of_new_entry(index, &entry, &Hashes(transaction))?;
    transaction
        .prepare_cached("INSERT INTO log_entries (idx, entry, about, kind) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![index as i64, entry, about, kind.as_str()])?;
    for (position, hash) in (first..).zip(hashes) {
        transaction
            .prepare_cached("INSERT INTO log_hashes (idx, hash) VALUES (?1, ?2)")?
            .execute(params![position as i64, hash.0.as_slice()])?;
    }
    Ok(index)
}

impl Store {
    /// Returns the checkpoint in force, or `None` before the first one.
    pub async fn log_state(&self) -> Result<Option<LogState>, StoreError> {
        self.read(checkpoint).await
    }

    /// Appends acts that nothing else is written with, all of them or none. Returns the index of the first.
    pub async fn append(&self, acts: Vec<NewEntry>) -> Result<u64, StoreError> {
        self.write("append", move |transaction| {
            let first = size(transaction)?;
            for NewEntry { kind, about, statement } in &acts {
                append(transaction, *kind, about, statement)?;
            }
            Ok(first)
        })
        .await
    }

    /// Returns what stands about something at the checkpoint in force, with the proof of it; or `None` before there is
    /// a checkpoint.
    pub async fn prove_standing(&self, about: &str) -> Result<Option<StandingProof>, StoreError> {
        let about = about.to_owned();
        self.read(move |connection| {
            // One snapshot: a checkpoint that came into force in between would belong to another map.
            let connection = connection.unchecked_transaction()?;
            let Some(state) = checkpoint(&connection)? else { return Ok(None) };
            let standing = map::standing(&connection, &about)?;
            let proof = map::prove(&connection, &about)?;
            Ok(Some(StandingProof { about, standing, proof, checkpoint: state.checkpoint }))
        })
        .await
    }

    /// Returns entry `index` and the proof that it is in the checkpoint in force; `None` when it is not shown yet.
    pub async fn prove_entry(&self, index: u64) -> Result<Option<(Vec<u8>, InclusionProof)>, StoreError> {
        self.read(move |connection| {
            let Some(state) = checkpoint(connection)?.filter(|state| index < state.size) else {
                return Ok(None);
            };
            let hashes = log::prove(index, state.size, &Hashes(connection))?;
            let entry = entries(connection, index..index + 1)?.pop();
            let entry = entry.ok_or_else(|| StoreError::corrupt(format!("log entry {index} is missing")))?;
            Ok(Some((entry, InclusionProof { index, hashes, checkpoint: state.checkpoint })))
        })
        .await
    }

    /// Returns a file of the published log (`checkpoint`, `tile/…`), or `None`. The path is checked.
    pub async fn log_file(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let safe = path == "checkpoint" || path.parse::<Tile>().is_ok();
        if !safe {
            return Ok(None);
        }
        let path: PathBuf = self.inner.log_dir.join(path);
        let read = move || match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| StoreError::Worker)?
    }
}

/// Tells whether there is simply no such file: also where the path goes through a file, names a folder, or is longer
/// than any file's.
fn is_absent(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(kind, Kind::NotFound | Kind::IsADirectory | Kind::NotADirectory | Kind::InvalidFilename)
}

pub(crate) fn entries(
    connection: &Connection,
    range: std::ops::Range<u64>,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT entry FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
    let rows = statement.query_map(params![range.start as i64, range.end as i64], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the digest of the newest entry about `about`, which the next one names as its previous.
fn newest(connection: &Connection, about: &str) -> Result<Option<Digest>, StoreError> {
    let entry: Option<Vec<u8>> = connection
        .prepare_cached("SELECT entry FROM log_entries WHERE about = ?1 ORDER BY idx DESC LIMIT 1")?
        .query_row([about], |row| row.get(0))
        .optional()?;
    Ok(entry.map(Digest::of))
}
