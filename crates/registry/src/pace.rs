//! How long runs of releases took of late. In memory, and nothing of whose runs they were: a restart forgets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use glassbox_core::{ReleaseId, limits};

/// The newest times of each release, in microseconds.
#[derive(Default)]
pub(crate) struct RunTimes(Mutex<HashMap<ReleaseId, VecDeque<u64>>>);

impl RunTimes {
    /// Notes how long a run took that returned.
    pub(crate) fn note(&self, release: &ReleaseId, elapsed: Duration) {
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = times.get_mut(release) {
            if kept.len() >= limits::RUN_TIMES_KEPT {
                kept.pop_front();
            }
            kept.push_back(us);
            return;
        }
        if times.len() >= limits::LIVE_RELEASES_MAX
            && let Some(any) = times.keys().next().cloned()
        {
            // Whichever: it comes back with its next runs.
            times.remove(&any);
        }
        times.insert(release.clone(), VecDeque::from([us]));
    }

    /// Returns the median in microseconds, once there were enough.
    pub(crate) fn median_us(&self, release: &ReleaseId) -> Option<u64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: Vec<u64> = times.get(release)?.iter().copied().collect();
        if kept.len() < limits::RUN_TIMES_MIN {
            return None;
        }
        kept.sort_unstable();
        kept.get(kept.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_runs_tell_how_long_one_takes() {
        let (times, release): (_, ReleaseId) = (RunTimes::default(), "a:b@1.0.0".parse().expect("a release"));
        let note = |us: u64| times.note(&release, Duration::from_micros(us));
        assert_eq!(times.median_us(&release), None);
        (1..limits::RUN_TIMES_MIN as u64).for_each(note);
        assert_eq!(times.median_us(&release), None, "too few");
        note(1_000);
        assert_eq!(times.median_us(&release), Some(3), "one that loads the code hardly counts");
        (0..limits::RUN_TIMES_KEPT).for_each(|_| note(70));
        assert_eq!(times.median_us(&release), Some(70), "old ones do not count");
        for n in 0..limits::LIVE_RELEASES_MAX as u64 {
            times.note(&format!("a:b{n}@1.0.0").parse().expect("a release"), Duration::ZERO);
        }
        assert_eq!(times.0.lock().expect("nobody panicked").len(), limits::LIVE_RELEASES_MAX);
    }
}
