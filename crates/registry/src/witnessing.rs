//! The registry as a log that is witnessed: what it has to show to witnesses, and what becomes of their answers.
//!
//! Who asks them lives above, because nothing here knows HTTP. A checkpoint is shown at once, and cosignatures join it as
//! they arrive: a witness that is away delays a publisher a little and stops nobody. Whether they are enough is decided by
//! whoever reads, with a policy.

use std::time::Duration;

use glassbox_core::limits;
use glassbox_core::log::AddCheckpoint;
use tokio::sync::watch;

use crate::error::RegistryError;
use crate::open::Registry;

/// How far witnessing has come.
pub(crate) struct Witnessing {
    /// The size of the newest tree that is shown.
    shown: watch::Sender<u64>,
    /// The size of the newest tree that enough witnesses cosigned, or were asked about in vain. `None` where there are no
    /// witnesses to wait for.
    asked: watch::Sender<Option<u64>>,
}

impl Default for Witnessing {
    fn default() -> Self {
        Self { shown: watch::Sender::new(0), asked: watch::Sender::new(None) }
    }
}

impl Registry {
    /// Says that somebody asks witnesses from now on, so that publishers wait for them. Returns the size of the newest
    /// tree, each time that it grows.
    pub fn start_witnessing(&self) -> watch::Receiver<u64> {
        self.witnessing.asked.send_replace(Some(0));
        self.witnessing.shown.subscribe()
    }

    /// Returns what to ask a witness that cosigned `old_size` entries last; `None` where it has seen more than there is.
    pub async fn add_checkpoint(&self, old_size: u64) -> Result<Option<AddCheckpoint>, RegistryError> {
        let Some(state) = self.store.log_state().await? else { return Ok(None) };
        if old_size > state.size {
            return Ok(None);
        }
        let hashes = self.store.prove_consistency(old_size, state.size).await?;
        Ok(Some(AddCheckpoint { old_size, hashes, checkpoint: state.checkpoint }))
    }

    /// Shows verified cosignatures of `note` under the checkpoint, if that is still the one in force.
    pub async fn show_cosignatures(&self, note: String, lines: Vec<String>) -> Result<(), RegistryError> {
        self.store.attach_cosignatures(note, lines).await?;
        Ok(())
    }

    /// Says that waiting for more cosignatures of the tree of `size` entries is over.
    pub fn end_witnessing(&self, size: u64) {
        self.witnessing.asked.send_if_modified(|asked| {
            let grows = asked.is_none_or(|asked| asked < size);
            *asked = (*asked).max(Some(size));
            grows
        });
    }

    /// Waits a bounded time until witnesses have looked at the newest tree, where there are any.
    pub(crate) async fn await_witnesses(&self) {
        let size = self.checkpoint().size;
        let mut asked = self.witnessing.asked.subscribe();
        let enough = asked.wait_for(|asked| asked.is_none_or(|asked| asked >= size));
        // In vain, or not in time: the checkpoint is shown as it is, and cosigned later.
        let _ = tokio::time::timeout(Duration::from_millis(limits::WITNESSING_WAIT_MS_MAX), enough).await;
    }
}

impl Witnessing {
    /// Says that a larger tree is shown.
    pub(crate) fn announce(&self, size: u64) {
        self.shown.send_replace(size);
    }
}
