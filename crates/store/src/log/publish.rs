//! Showing the log: tiles, then the checkpoint.
//!
//! Each step is durable before the next: the tiles are written and read back, the checkpoint is signed and kept by the
//! guard, then it comes into force in the database together with the map, and then everybody can read it. A crash in
//! between leaves entries that the next run shows, and a checkpoint that the next one extends; it cannot fork the log.

use glassbox_core::limits;
use glassbox_core::log::{self, LogKey, SignedCheckpoint, Tile};
use rusqlite::params;

use super::{Hashes, LogState, checkpoint, entries, map, size};
use crate::error::StoreError;
use crate::fault::Moment;
use crate::objects::write_durably;
use crate::sqlite::{Inner, Store};

impl Store {
    /// Shows every appended entry: writes the tiles, signs a checkpoint and swaps it in. Signs anew also where nothing
    /// was appended and the checkpoint in force has come of age.
    ///
    /// Returns the checkpoint in force afterwards; `now_ms` is the time it is signed at, in Unix milliseconds.
    /// Compare-and-swap: of two that race, the later finds the other's and leaves it. Refuses to sign over entries that
    /// do not begin with those signed last.
    pub async fn publish_log(&self, key: LogKey, now_ms: i64) -> Result<LogState, StoreError> {
        let inner = self.inner.clone();
        let now_s = u64::try_from(now_ms / 1000).unwrap_or(0);
        tokio::task::spawn_blocking(move || inner.publish_log(&key, now_s))
            .await
            .map_err(|_| StoreError::Worker)?
    }
}

impl Inner {
    fn publish_log(&self, key: &LogKey, now_s: u64) -> Result<LogState, StoreError> {
        // One at a time. Of two that race, the one that saw the longer log could otherwise lose the swap to the
        // other, and its entry would stay unshown; and the slower could put an older checkpoint's file back.
        let mut complete = self.showing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.read(|connection| self.guard.check(connection))??;
        let (old, new_size) = self.read(|connection| Ok((checkpoint(connection)?, size(connection)?)))?;
        if !*complete {
            self.complete_tiles(old.as_ref().map_or(0, |state| state.size))?;
            *complete = true;
        }
        if let Some(state) = old.as_ref().filter(|state| state.size == new_size)
            && is_fresh(state, key, now_s)
        {
            return self.show_checkpoint();
        }
        let old_size = old.as_ref().map_or(0, |state| state.size);
        for tile in log::tiles(old_size, new_size) {
            self.write_tile(&tile)?;
        }
        let (root, folded) = self.read(|connection| {
            let root = log::root(new_size, &Hashes(connection))?;
            Ok((root, map::fold(connection, old.as_ref().map_or(0, |state| state.mapped)..new_size)?))
        })?;
        // Nobody could follow a root whose tiles cannot be read, so it is computed from them too.
        let read = |tile: &Tile| std::fs::read(self.log_dir.join(tile.to_string())).ok();
        if log::check_tiles(new_size, root, read).is_err() {
            let what = "the log's tiles, which do not give its root: move `log/tile` away and start again, \
                        and they are made anew from the database";
            return Err(StoreError::corrupt(what));
        }
        let note = key.sign(new_size, root, folded.root(), now_s);
        let note = match &old {
            Some(state) => carry_over(&state.checkpoint, note)?,
            None => note,
        };
        self.strike("signed-checkpoint", Moment::Before)?;
        self.guard.keep(&note)?;
        self.strike("signed-checkpoint", Moment::After)?;
        self.write("publish_log", |transaction| {
            if checkpoint(transaction)? == old {
                transaction.execute(
                    "INSERT INTO checkpoint (id, size, note, mapped) VALUES (1, ?1, ?2, ?1)
                     ON CONFLICT (id) DO UPDATE
                     SET size = excluded.size, note = excluded.note, mapped = excluded.mapped",
                    params![new_size as i64, note],
                )?;
                folded.write(transaction)?;
            }
            Ok(())
        })?;
        self.show_checkpoint()
    }

    /// Writes whatever is not there of the tiles of a log of `size` entries: the folder may be older than the database.
    fn complete_tiles(&self, size: u64) -> Result<(), StoreError> {
        for tile in log::tiles(0, size) {
            let file = std::fs::metadata(self.log_dir.join(tile.to_string()));
            let whole = file.is_ok_and(|file| tile.hash_bytes().is_none_or(|bytes| bytes == file.len()));
            if !whole {
                self.write_tile(&tile)?;
            }
        }
        Ok(())
    }

    fn write_tile(&self, tile: &Tile) -> Result<(), StoreError> {
        let bytes = self.read(|connection| match tile.entries() {
            Some(range) => Ok(log::bundle(&entries(connection, range)?)),
            None => Ok(tile.hashes(&Hashes(connection))?),
        })?;
        let (name, path) = (tile.to_string(), self.log_dir.join(tile.to_string()));
        self.strike(&name, Moment::Before)?;
        write_durably(&path, &bytes)?;
        self.strike(&name, Moment::After)?;
        if std::fs::read(&path)? == bytes {
            Ok(())
        } else {
            Err(StoreError::corrupt(format!("`{name}`, which reads back as something else")))
        }
    }

    /// Makes the checkpoint's file say what the database says, and returns that.
    ///
    /// Also when nothing is new, or the file would stay behind after a crash between the database and it.
    pub(crate) fn show_checkpoint(&self) -> Result<LogState, StoreError> {
        let state = self.read(checkpoint)?;
        let state = state.ok_or_else(|| StoreError::corrupt("no checkpoint after writing one"))?;
        let path = self.log_dir.join("checkpoint");
        if std::fs::read(&path).ok().as_deref() != Some(state.checkpoint.as_bytes()) {
            self.strike("checkpoint", Moment::Before)?;
            write_durably(&path, state.checkpoint.as_bytes())?;
            self.strike("checkpoint", Moment::After)?;
        }
        Ok(state)
    }
}

/// Keeps what witnesses said of `old` where `new` says the same, only later.
fn carry_over(old: &str, new: String) -> Result<String, StoreError> {
    match (old.rsplit_once("\n\n"), new.rsplit_once("\n\n")) {
        (Some((text, _)), Some((same, lines))) if text == same => {
            let lines: Vec<String> = lines.lines().map(|line| format!("{line}\n")).collect();
            Ok(log::cosignature::attach(old, &lines)?)
        }
        _ => Ok(new),
    }
}

/// Tells whether a checkpoint need not be signed anew. One of another key is left as it is, for the registry to refuse.
fn is_fresh(state: &LogState, key: &LogKey, now_s: u64) -> bool {
    match SignedCheckpoint::open(&state.checkpoint, &key.verifier_key()) {
        Ok(signed) => {
            // Also a time that lies ahead is wrong: the clock was, or is.
            let age = signed.time_s.map(|time_s| time_s.abs_diff(now_s));
            state.mapped == state.size && age.is_some_and(|age| age < limits::CHECKPOINT_REFRESH_SECONDS)
        }
        Err(_) => true,
    }
}
