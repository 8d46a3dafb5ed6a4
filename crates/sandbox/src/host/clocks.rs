//! `wasi:clocks`: virtual clocks that no machine's time shows in, and real ones where granted.

use glassbox_core::profile::Profile;

/// The monotonic clock of guests that are given no real one: it starts at zero, goes on a step with every look at it,
/// and waiting moves it at once.
#[derive(Debug, Default)]
pub(crate) struct VirtualClock {
    now_ns: u64,
}

impl VirtualClock {
    /// Returns the time in nanoseconds without going on.
    pub(crate) fn now(&self) -> u64 {
        self.now_ns
    }

    /// Goes on one step and returns the time in nanoseconds.
    pub(crate) fn step(&mut self) -> u64 {
        self.now_ns = self.now_ns.saturating_add(Profile::current().virtual_clocks.monotonic_step_ns);
        self.now_ns
    }

    /// Goes on to `instant`, unless it is past already.
    pub(crate) fn advance_to(&mut self, instant: u64) {
        self.now_ns = self.now_ns.max(instant);
    }
}
