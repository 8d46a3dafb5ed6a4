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
}
