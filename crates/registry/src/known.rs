//! What was read of releases, by their names, until something about them changes.

use std::collections::HashMap;
use std::sync::Arc;

use glassbox_core::{ReleaseId, limits};

/// Values by release, of bounded number. What was read before a change is not put in after it.
pub(crate) struct Known<T> {
    values: HashMap<ReleaseId, Arc<T>>,
    generation: u64,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), generation: 0 }
    }
}

impl<T> Known<T> {
    pub(crate) fn get(&self, id: &ReleaseId) -> Option<Arc<T>> {
        self.values.get(id).cloned()
    }

    /// What to read before the value is.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Puts in what was read in a generation, unless something changed since.
    pub(crate) fn insert(&mut self, generation: u64, id: &ReleaseId, value: Arc<T>) {
        if generation != self.generation {
            return;
        }
        if self.values.len() >= limits::LIVE_RELEASES_MAX {
            // Whichever: each comes back with a read or two.
            if let Some(any) = self.values.keys().next().cloned() {
                self.values.remove(&any);
            }
        }
        self.values.insert(id.clone(), value);
    }

    /// Forgets one, because something about it changed.
    pub(crate) fn forget(&mut self, id: &ReleaseId) {
        self.generation += 1;
        self.values.remove(id);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.generation += 1;
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_put_in_after_it() {
        let id: ReleaseId = "a:b@1.0.0".parse().expect("a release");
        let mut known = Known::default();
        let before = known.generation();
        known.forget(&id);
        known.insert(before, &id, Arc::new(1));
        assert!(known.get(&id).is_none());
        known.insert(known.generation(), &id, Arc::new(2));
        assert_eq!(known.get(&id).as_deref(), Some(&2));
        known.clear();
        assert!(known.get(&id).is_none());
    }
}
