//! Bounds on what one payer may have for nothing.
//!
//! A failed call is not charged, so somebody could compute for free by failing at the very end. And many calls at
//! once by one payer would keep the others waiting. Both are bounded here, in memory: a restart forgives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use glassbox_core::limits;

#[derive(Default)]
struct Payer {
    in_flight: usize,
    failures: u32,
    window_start_ms: i64,
}

/// What each payer has under way, and how often its calls failed of late.
#[derive(Default)]
pub(crate) struct FreeWork(Mutex<HashMap<String, Payer>>);

/// Why a payer may not start a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Busy,
    TooManyFailures,
}

/// A call under way. Dropping it gives the place back.
pub(crate) struct Place<'a> {
    free_work: &'a FreeWork,
    payer: String,
}

impl FreeWork {
    /// Takes one of the payer's places.
    pub(crate) fn enter(&self, payer: &str, now_ms: i64) -> Result<Place<'_>, Refusal> {
        let mut payers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Payers that have nothing under way and whose window is over are as good as unknown.
        payers.retain(|_, payer| {
            payer.in_flight > 0 || now_ms - payer.window_start_ms <= limits::FREE_WORK_WINDOW_MS
        });
        let entry = payers.entry(payer.to_owned()).or_default();
        if now_ms - entry.window_start_ms > limits::FREE_WORK_WINDOW_MS {
            (entry.failures, entry.window_start_ms) = (0, now_ms);
        }
        if entry.failures >= limits::FREE_FAILURES_PER_PAYER_MAX {
            return Err(Refusal::TooManyFailures);
        }
        if entry.in_flight >= limits::CALLS_PER_PAYER_MAX {
            return Err(Refusal::Busy);
        }
        entry.in_flight += 1;
        Ok(Place { free_work: self, payer: payer.to_owned() })
    }
}

impl Place<'_> {
    /// Counts a run that was not charged.
    pub(crate) fn failed(&self) {
        let mut payers = self.free_work.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(payer) = payers.get_mut(&self.payer) {
            payer.failures += 1;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut payers = self.free_work.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(payer) = payers.get_mut(&self.payer) {
            payer.in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_failures_are_bounded_and_come_back() {
        let free_work = FreeWork::default();
        let places: Vec<_> =
            (0..limits::CALLS_PER_PAYER_MAX).map(|_| free_work.enter("a", 0).expect("a place")).collect();
        assert_eq!(free_work.enter("a", 0).err(), Some(Refusal::Busy));
        assert!(free_work.enter("b", 0).is_ok());
        drop(places);
        for _ in 0..limits::FREE_FAILURES_PER_PAYER_MAX {
            free_work.enter("a", 1).expect("a place").failed();
        }
        assert_eq!(free_work.enter("a", 2).err(), Some(Refusal::TooManyFailures));
        assert!(free_work.enter("a", limits::FREE_WORK_WINDOW_MS + 3).is_ok());
    }
}
