//! Who is at work on which call, so that everybody else waits for the same answer.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The calls that a task of this process is at work on. A restart empties it, and `reconcile` takes up what was left.
#[derive(Default)]
pub(crate) struct Running {
    calls: Mutex<HashSet<String>>,
    changed: Notify,
}

/// Work on one call. Dropping it, also by a panic, lets others take the call up.
pub(crate) struct Work<'a> {
    running: &'a Running,
    call: String,
}

impl Running {
    /// Claims a call, or returns `None` while somebody else is at work on it.
    pub(crate) fn claim(&self, call: &str) -> Option<Work<'_>> {
        let claimed = self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(call.to_owned());
        claimed.then(|| Work { running: self, call: call.to_owned() })
    }

    /// Returns a future that completes when any work ended after this call.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + '_ {
        let mut notified = Box::pin(self.changed.notified());
        // Registered now and not at the first poll: work that ends in between is not missed.
        notified.as_mut().enable();
        notified
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.running.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.call);
        self.running.changed.notify_waiters();
    }
}
