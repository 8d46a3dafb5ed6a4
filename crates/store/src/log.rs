//! The log's storage: entries and hashes in the database, tiles and checkpoint as files that a CDN could serve.
//!
//! An entry is appended in the transaction that writes what it records. Showing it is a second step: tiles are made
//! durable first, then the checkpoint is swapped in the database, then its file is written. A crash in between
//! leaves entries that the next step shows; it cannot fork the log.

use std::path::PathBuf;

use glassbox_core::dsse::Envelope;
use glassbox_core::log::{self, Entry, Hash, HashReader, InclusionProof, Kind, LogKey, TreeError};
use glassbox_core::{Digest, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::objects::write_durably;
use crate::sqlite::{Inner, Store, Sync};

/// The checkpoint in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// How many entries it covers.
    pub size: u64,
    /// The signed note.
    pub checkpoint: String,
}

/// The hashes in the database.
struct Hashes<'a>(&'a Connection);

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

fn checkpoint(connection: &Connection) -> Result<Option<LogState>, StoreError> {
    Ok(connection
        .query_row("SELECT size, note FROM checkpoint", [], |row| {
            Ok(LogState { size: row.get::<_, i64>(0)? as u64, checkpoint: row.get(1)? })
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

impl Inner {
    /// Makes the checkpoint's file say what the database says, and returns that.
    ///
    /// Also when nothing is new, or the file would stay behind after a crash between the database and it.
    fn show_checkpoint(&self) -> Result<LogState, StoreError> {
        let state = self.read(checkpoint)?;
        let state = state.ok_or_else(|| StoreError::corrupt("no checkpoint after writing one"))?;
        let path = self.log_dir.join("checkpoint");
        if std::fs::read(&path).ok().as_deref() != Some(state.checkpoint.as_bytes()) {
            write_durably(&path, state.checkpoint.as_bytes())?;
        }
        Ok(state)
    }
}

impl Store {
    /// Returns the checkpoint in force, or `None` before the first one.
    pub async fn log_state(&self) -> Result<Option<LogState>, StoreError> {
        self.read(checkpoint).await
    }

    /// Shows every appended entry: writes the tiles, signs a checkpoint and swaps it in.
    ///
    /// Returns the checkpoint in force afterwards. Does nothing when there is nothing new. Compare-and-swap on the
    /// size: of two that race, the later finds the other's and leaves it.
    pub async fn publish_log(&self, key: LogKey) -> Result<LogState, StoreError> {
        let inner = self.inner.clone();
        let work = move || {
            // One at a time. Of two that race, the one that saw the longer log could otherwise lose the swap to the
            // other, and its entry would stay unshown; and the slower could put an older checkpoint's file back.
            let _alone = inner.showing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (old, new_size) =
                inner.read(|connection| Ok((checkpoint(connection)?, size(connection)?)))?;
            let old_size = old.as_ref().map_or(0, |state| state.size);
            if old.is_some() && old_size == new_size {
                return inner.show_checkpoint();
            }
            let (tiles, root) = inner.read(|connection| {
                let hashes = Hashes(connection);
                let mut tiles = log::hash_tiles(old_size, new_size, &hashes)?;
                for range in log::bundle_ranges(old_size, new_size) {
                    tiles.push(log::bundle(range.start, &entries(connection, range)?));
                }
                Ok((tiles, log::root(new_size, &hashes)?))
            })?;
            for tile in tiles {
                write_durably(&inner.log_dir.join(tile.path), &tile.bytes)?;
            }
            let note = key.sign(new_size, root);
            inner.write(Sync::Disk, "publish_log", |transaction| {
                if checkpoint(transaction)?.map(|state| state.size) == old.map(|state| state.size) {
                    transaction.execute(
                        "INSERT INTO checkpoint (id, size, note) VALUES (1, ?1, ?2)
                         ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note",
                        params![new_size as i64, note],
                    )?;
                }
                Ok(())
            })?;
            inner.show_checkpoint()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Worker)?
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
        let safe = path == "checkpoint"
            || path.strip_prefix("tile/").is_some_and(|rest| {
                rest.split('/').all(|part| {
                    !part.is_empty()
                        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
                        && part != ".."
                })
            });
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

fn entries(connection: &Connection, range: std::ops::Range<u64>) -> Result<Vec<Vec<u8>>, StoreError> {
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
