//! When an authorization is valid.

use alloy_primitives::U256;

use crate::facilitator::Rejection;
use crate::x402::ErrorCode;
use glassbox_core::limits::SETTLE_SECONDS_MAX;

/// When an authorization is valid, and the codes for a payment outside of it.
pub(super) struct Window {
    pub(super) after: U256,
    pub(super) before: U256,
    pub(super) too_early: ErrorCode,
    pub(super) too_late: ErrorCode,
}

impl Window {
    /// Checks that it is open now and outlives a run of `run_ms_max` and the settlement after it.
    pub(super) fn check(&self, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
        // Tokens compare strictly, so a payment dated this very second would fail at settlement, after the run. Permit2's
        // contracts do not, and nobody loses by waiting a second.
        if self.after >= U256::from(now_s) {
            let message = format!("the authorization is valid after {}, and it is {now_s}", self.after);
            return Err(Rejection::new(self.too_early.clone(), message));
        }
        let needed_until = now_s.saturating_add(run_ms_max.div_ceil(1000)).saturating_add(SETTLE_SECONDS_MAX);
        if self.before < U256::from(needed_until) {
            let message = format!(
                "the authorization is valid before {}; it must cover the run and its settlement until {needed_until}",
                self.before
            );
            return Err(Rejection::new(self.too_late.clone(), message));
        }
        Ok(())
    }
}
