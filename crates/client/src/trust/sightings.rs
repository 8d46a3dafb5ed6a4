//! What was seen of each log: its newest checkpoint, in a file each. A log that contradicts what was seen is found out.
//!
//! The folder holds `<id>.checkpoint`, where the id is of the log's verifier key, and `keys/<id>.json`, which log was met
//! at which address.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use glassbox_core::Digest;
use serde::{Deserialize, Serialize};

use crate::whole;

/// The name of the folder, in the home folder.
pub const FOLDER_NAME: &str = "logs";

/// Where sightings are kept.
#[derive(Debug, Clone)]
pub struct Sightings(PathBuf);

/// The log that was met at an address first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// The registry's address.
    pub url: String,
    /// The verifier key of its log.
    pub log_key: String,
}

/// Why nothing could be looked up or written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`")]
pub struct SightingsError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Sightings {
    /// Takes the folder of sightings in a home folder. Makes nothing yet.
    pub fn in_home(home: &Path) -> Self {
        Self(home.join(FOLDER_NAME))
    }

    /// Returns where the newest checkpoint of a log is kept.
    pub fn checkpoint_path(&self, log_key: &str) -> PathBuf {
        self.0.join(format!("{}.checkpoint", id(log_key)))
    }

    /// Returns where it is kept which log was met at an address.
    pub fn met_path(&self, url: &str) -> PathBuf {
        self.0.join("keys").join(format!("{}.json", id(url)))
    }

    /// Returns the newest checkpoint that was seen of a log: a signed note.
    pub fn newest(&self, log_key: &str) -> Result<Option<String>, SightingsError> {
        read(&self.checkpoint_path(log_key))
    }

    /// Takes `note` for the newest checkpoint of a log, if `expected` still is that. Returns whether it did.
    ///
    /// Whole or not at all, and under a lock: of two processes none takes the other's back.
    pub fn advance(&self, log_key: &str, expected: Option<&str>, note: &str) -> Result<bool, SightingsError> {
        let path = self.checkpoint_path(log_key);
        let lock = self.0.join("lock");
        let locked = fs::create_dir_all(&self.0).and_then(|()| File::create(&lock));
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        let _lock = locked.map_err(|source| SightingsError { action: "lock", path: lock, source })?;
        if read(&path)?.as_deref() != expected {
            return Ok(false);
        }
        write(&path, note)?;
        Ok(true)
    }

    /// Returns which log was met at an address.
    pub fn met(&self, url: &str) -> Result<Option<Met>, SightingsError> {
        let path = self.met_path(url);
        let Some(text) = read(&path)? else { return Ok(None) };
        let met = serde_json::from_str(&text);
        met.map(Some).map_err(|error| SightingsError { action: "read", path, source: error.into() })
    }

    /// Remembers which log was met at an address.
    pub fn meet(&self, met: &Met) -> Result<(), SightingsError> {
        let text = serde_json::to_string_pretty(met).expect("an address and a key are strings");
        write(&self.met_path(&met.url), &text)
    }

    /// Keeps two checkpoints of one log that contradict each other. Returns where.
    pub fn keep_fork(&self, log_key: &str, seen: &str, shown: &str) -> Result<PathBuf, SightingsError> {
        let path = self.0.join("forks").join(format!("{}-{}.txt", id(log_key), id(shown)));
        write(&path, &format!("{seen}\n{shown}"))?;
        Ok(path)
    }
}

/// A file name for what may hold anything.
fn id(text: &str) -> String {
    Digest::of(text).hex()[..32].to_owned()
}

fn read(path: &Path) -> Result<Option<String>, SightingsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SightingsError { action: "read", path: path.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), SightingsError> {
    let written = whole::write(path, text.as_bytes());
    written.map_err(|source| SightingsError { action: "write", path: path.to_owned(), source })
}
