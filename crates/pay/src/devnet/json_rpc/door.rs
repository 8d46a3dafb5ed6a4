//! How much strangers may ask of a devnet: it costs them nothing, and payments wait behind it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use glassbox_core::limits::{JSON_RPC_IN_FLIGHT_MAX, JSON_RPC_SENT_PER_MINUTE_MAX};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The door of JSON-RPC.
pub(in crate::devnet) struct Door {
    asking: Semaphore,
    /// A minute, and how many transactions came in it.
    sent: Mutex<(u64, usize)>,
}

impl Default for Door {
    fn default() -> Self {
        Self { asking: Semaphore::new(JSON_RPC_IN_FLIGHT_MAX), sent: Mutex::default() }
    }
}

impl Door {
    /// Lets a request in for as long as the permit is held, if there are not too many.
    pub(super) fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.asking.try_acquire().ok()
    }

    /// Lets a transaction in, if there were not too many in this minute: each is kept for ever.
    pub(super) fn admit(&self, now_s: u64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now_s / 60;
        if sent.0 != minute {
            *sent = (minute, 0);
        }
        sent.1 += 1;
        sent.1 <= JSON_RPC_SENT_PER_MINUTE_MAX
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}
