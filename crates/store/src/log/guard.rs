//! The guard over a restored database: a log that has lost entries must not sign again.
//!
//! The last signed checkpoint is kept in a file of its own beside the database, and is there before anybody else can
//! have seen it. A database restored from a backup lacks what was signed since; whoever signed over other entries in
//! their place would have forked the log. So nothing is appended nor signed until the entries begin with those signed
//! last. Everything else goes on.

use std::path::{Path, PathBuf};

use glassbox_core::log::{self, Checkpoint};
use rusqlite::{Connection, ffi};

use super::{Hashes, size};
use crate::error::StoreError;
use crate::objects::write_durably;

/// The file of the last signed checkpoint, in the store's folder. A backup must not bring it back to an older one.
const FILE: &str = "signed-checkpoint";

/// A log that must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    /// How many entries the database has.
    found: u64,
    /// How many the last signed checkpoint has.
    signed: u64,
}

impl From<Behind> for StoreError {
    fn from(Behind { found, signed }: Behind) -> Self {
        Self::LogBehind { found, signed }
    }
}

/// Where the last signed checkpoint is kept.
#[derive(Debug)]
pub(crate) struct Guard {
    file: PathBuf,
    /// The checkpoint that everybody reads, which stands in where a store of before there was a guard has no file.
    shown: PathBuf,
}

impl Guard {
    pub(crate) fn new(folder: &Path, log_dir: &Path) -> Self {
        Self { file: folder.join(FILE), shown: log_dir.join("checkpoint") }
    }

    /// Refuses where the entries do not begin with those signed last.
    pub(super) fn check(&self, connection: &Connection) -> Result<Result<(), Behind>, StoreError> {
        let Some(note) = read(&self.file)?.map_or_else(|| read(&self.shown), |note| Ok(Some(note)))? else {
            return Ok(Ok(()));
        };
        let signed = Checkpoint::claimed(&note)
            .map_err(|_| StoreError::corrupt(format!("`{}` holds no checkpoint", self.file.display())))?;
        let found = size(connection)?;
        let holds = signed.size <= found && log::root(signed.size, &Hashes(connection))? == signed.root;
        Ok(if holds { Ok(()) } else { Err(Behind { found, signed: signed.size }) })
    }

    /// Keeps a checkpoint that is about to be shown.
    pub(super) fn keep(&self, note: &str) -> Result<(), StoreError> {
        write_durably(&self.file, note.as_bytes())
    }

    /// Looks once, at start, and where the log must not go on sees to it that no transaction appends to it.
    pub(crate) fn stop_if_behind(&self, writer: &Connection) -> Result<Option<Behind>, StoreError> {
        let Err(behind) = self.check(writer)? else { return Ok(None) };
        // Below every verb that appends, those to come too. It is gone when this connection is.
        writer.execute_batch(
            "CREATE TEMP TRIGGER log_stopped BEFORE INSERT ON main.log_entries
             BEGIN SELECT RAISE(ABORT, 'the log is stopped'); END",
        )?;
        Ok(Some(behind))
    }
}

impl Behind {
    /// Puts into words what the trigger said.
    pub(crate) fn explain(self, error: StoreError) -> StoreError {
        match error {
            StoreError::Database(rusqlite::Error::SqliteFailure(failure, _))
                if failure.extended_code == ffi::SQLITE_CONSTRAINT_TRIGGER =>
            {
                self.into()
            }
            error => error,
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match std::fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
