//! How fast a source is read page by page, by everybody together: nobody is told apart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use glassbox_core::{ReleaseId, limits};

const HOUR_MS: i64 = 3_600_000;

/// The pages that were read in the hour under way, by release. A restart forgets them.
#[derive(Default)]
pub(crate) struct Readers(Mutex<(i64, HashMap<ReleaseId, u32>)>);

impl Readers {
    /// Counts a page. Tells whether it may be read.
    pub(crate) fn enter(&self, release: &ReleaseId, now_ms: i64) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now_ms.div_euclid(HOUR_MS);
        if known.0 != hour {
            *known = (hour, HashMap::new());
        }
        let read = known.1.entry(release.clone()).or_default();
        *read = read.saturating_add(1);
        *read <= limits::SOURCE_PAGES_PER_HOUR
    }
}
