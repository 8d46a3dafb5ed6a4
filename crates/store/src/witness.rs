//! What a witness remembers: of each log, the checkpoint that it cosigned last. One table in a file of its own.
//!
//! A witness is worth only what it remembers. The file must never be restored from a copy: what it forgot it would cosign a
//! second time, in another version. Whoever lost it makes a new key.

use std::path::Path;
use std::sync::{Arc, Mutex};

use glassbox_core::Digest;
use glassbox_core::log::Checkpoint;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::error::StoreError;
use crate::fault::{Fault, Faults, Moment};
use crate::sqlite::connect;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS witnessed (
    origin TEXT PRIMARY KEY, -- the log's name
    origin_hash TEXT NOT NULL UNIQUE, -- its SHA-256 in hexadecimal, by which readers ask
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL -- the checkpoint with the log's signature and the cosignature
) STRICT;";

/// What a witness remembers, in one file. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct WitnessStore(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    faults: Faults,
}

/// A checkpoint that is cosigned from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The note with the log's signature and the cosignature.
    pub note: String,
}

impl WitnessStore {
    /// Opens the file, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let connection = connect(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Inner { connection: Mutex::new(connection), faults: Faults::default() })))
    }

    /// Makes the next write fail: its verb is `witness`. For tests and drills.
    pub fn inject(&self, fault: Fault) {
        self.0.faults.add(fault);
    }

    /// Asks `judge` about what was cosigned last of a log, and remembers what it says in the same transaction.
    ///
    /// What it said has reached the disk when its answer is returned; where it refused, nothing has changed.
    pub async fn advance<T: Send + 'static, E: Send + 'static>(
        &self,
        origin: String,
        judge: impl FnOnce(Option<&Checkpoint>) -> Result<(Witnessed, T), E> + Send + 'static,
    ) -> Result<Result<T, E>, StoreError> {
        let inner = self.0.clone();
        let advance = move || inner.advance(&origin, judge);
        tokio::task::spawn_blocking(advance).await.map_err(|_| StoreError::Worker)?
    }

    /// Returns the note that was cosigned last of the log whose name has this SHA-256, in hexadecimal.
    pub async fn note(&self, origin_hash: String) -> Result<Option<String>, StoreError> {
        let inner = self.0.clone();
        let read = move || {
            let connection = inner.connection();
            let query = "SELECT note FROM witnessed WHERE origin_hash = ?1";
            Ok(connection.query_row(query, [origin_hash], |row| row.get(0)).optional()?)
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| StoreError::Worker)?
    }
}

impl Inner {
    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        // A panic in an earlier transaction rolled it back when it unwound, so the connection is sound.
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn advance<T, E>(
        &self,
        origin: &str,
        judge: impl FnOnce(Option<&Checkpoint>) -> Result<(Witnessed, T), E>,
    ) -> Result<Result<T, E>, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last = transaction
            .query_row("SELECT size, root FROM witnessed WHERE origin = ?1", [origin], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
            })
            .optional()?;
        let last = last.map(|(size, root)| Checkpoint {
            origin: origin.to_owned(),
            size: size as u64,
            root: Digest::from_bytes(root),
        });
        let (witnessed, answer) = match judge(last.as_ref()) {
            Ok(judged) => judged,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Checkpoint { size, root, .. } = &witnessed.checkpoint;
        transaction.execute(
            "INSERT INTO witnessed (origin, origin_hash, size, root, note) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note",
            params![
                origin,
                Digest::of(origin).hex(),
                *size as i64,
                root.as_bytes().as_slice(),
                witnessed.note
            ],
        )?;
        if self.faults.strike("witness", Moment::Before) {
            return Err(StoreError::Injected);
        }
        transaction.commit()?;
        if self.faults.strike("witness", Moment::After) {
            return Err(StoreError::Injected);
        }
        Ok(Ok(answer))
    }
}
