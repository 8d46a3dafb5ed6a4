//! What witnesses said of the log: their signatures under the served checkpoint, and the proofs that they ask for.

use glassbox_core::Digest;
use glassbox_core::log::cosignature::attach;
use glassbox_core::log::prove_consistency;
use rusqlite::params;

use crate::error::StoreError;
use crate::log::{Hashes, LogState, checkpoint};
use crate::sqlite::Store;

impl Store {
    /// Proves that the log of `new_size` entries continues the one of `old_size`.
    pub async fn prove_consistency(&self, old_size: u64, new_size: u64) -> Result<Vec<Digest>, StoreError> {
        self.read(move |connection| Ok(prove_consistency(old_size, new_size, &Hashes(connection))?)).await
    }

    /// Puts verified signature lines under the served checkpoint, if that still says what `note` says.
    ///
    /// Returns the checkpoint in force; the lines are lost where it is another one by now.
    pub async fn attach_cosignatures(
        &self,
        note: String,
        lines: Vec<String>,
    ) -> Result<Option<LogState>, StoreError> {
        let inner = self.inner.clone();
        let work = move || {
            let _alone = inner.showing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let attached = inner.write("attach_cosignatures", |transaction| {
                let Some(state) = checkpoint(transaction)? else { return Ok(false) };
                if text(&state.checkpoint) != text(&note) {
                    return Ok(false);
                }
                let cosigned = attach(&state.checkpoint, &lines)?;
                transaction.execute("UPDATE checkpoint SET note = ?1", params![cosigned])?;
                Ok(true)
            })?;
            if attached { inner.show_checkpoint().map(Some) } else { Ok(None) }
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Worker)?
    }
}

/// What the signatures of a note are over.
fn text(note: &str) -> Option<&str> {
    note.rsplit_once("\n\n").map(|(text, _)| text)
}
