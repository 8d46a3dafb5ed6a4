//! How often something was tried in vain that is not anybody's request. In memory: a restart tries again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use glassbox_core::limits;

/// Tries in vain, by what was tried.
#[derive(Default)]
pub(crate) struct Tries(Mutex<HashMap<String, u32>>);

impl Tries {
    /// Counts a try in vain. Tells whether there shall be no other, and then begins anew.
    pub(crate) fn are_over(&self, what: &str) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tries.entry(what.to_owned()).or_default();
        *count += 1;
        let are_over = *count >= limits::TESTING_TRIES_MAX;
        if are_over {
            tries.remove(what);
        }
        are_over
    }

    /// Forgets what was tried in vain, because it was done.
    pub(crate) fn forget(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }
}

/// How long what was tried in vain is left alone, by what it is: longer each time, and never for good. In memory: a restart
/// tries at once.
#[derive(Default)]
pub(crate) struct Pauses(Mutex<HashMap<String, Pause>>);

/// What was tried in vain how often, and until when it is left alone.
struct Pause {
    tries: u32,
    until_ms: i64,
}

impl Pauses {
    /// Counts a try in vain, and returns until when there shall be no other. The second may be at once.
    pub(crate) fn note(&self, what: &str, now_ms: i64) -> i64 {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses.entry(what.to_owned()).or_insert(Pause { tries: 0, until_ms: 0 });
        let long_ms = match pause.tries {
            0 => 0,
            tries => limits::TESTING_PAUSE_MS.saturating_mul(1 << (tries - 1).min(30)),
        };
        pause.tries = pause.tries.saturating_add(1);
        pause.until_ms = now_ms.saturating_add(long_ms.min(limits::TESTING_PAUSE_MS_MAX));
        pause.until_ms
    }

    /// Returns until when there shall be no other try; nothing where there may be one now.
    pub(crate) fn until_ms(&self, what: &str, now_ms: i64) -> Option<i64> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(what).map(|pause| pause.until_ms).filter(|until_ms| lies_ahead(*until_ms, now_ms))
    }

    /// Forgets what was tried in vain, because it was done.
    pub(crate) fn forget(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }
}

/// Tells whether a pause lasts. None is as long as what a clock that was put back makes of it.
pub(crate) fn lies_ahead(until_ms: i64, now_ms: i64) -> bool {
    (1..=limits::TESTING_PAUSE_MS_MAX).contains(&until_ms.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_bounded() {
        let tries = Tries::default();
        for _ in 1..limits::TESTING_TRIES_MAX {
            assert!(!tries.are_over("a"));
        }
        assert!(!tries.are_over("b"));
        tries.forget("b");
        assert!(tries.are_over("a"));
        assert!(!tries.are_over("a"), "anew");
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        let pauses = Pauses::default();
        let minute = limits::TESTING_PAUSE_MS;
        assert_eq!(pauses.until_ms("a", 5), None);
        for long_ms in [0, minute, 2 * minute, 4 * minute] {
            assert_eq!(pauses.note("a", 5), 5 + long_ms);
        }
        assert_eq!(pauses.until_ms("a", 5), Some(5 + 4 * minute));
        assert_eq!((pauses.until_ms("a", 5 + 4 * minute), pauses.until_ms("b", 5)), (None, None));
        for _ in 0..100 {
            pauses.note("a", 5);
        }
        assert_eq!(pauses.until_ms("a", 5), Some(5 + limits::TESTING_PAUSE_MS_MAX));
        assert_eq!(pauses.until_ms("a", 4), None, "a clock that is put back");
        pauses.forget("a");
        assert_eq!((pauses.until_ms("a", 5), pauses.note("a", 5)), (None, 5));
    }
}
