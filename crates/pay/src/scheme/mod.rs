//! The schemes of x402 on EVM networks: what a payer sends for each, and its check against our own current offer.
//!
//! Pure: no clock, no chain. What only a chain knows (balances, spent nonces, channels) is the facilitator's part.
//! Nothing that the client repeats of our offer is believed; signatures are recovered over our own words.
//!
//! - [`exact`]: a fixed amount.
//! - [`upto`]: what was used, up to a ceiling.
//! - [`batch`]: many calls out of one deposit, by vouchers.

pub mod batch;
pub(crate) mod channel;
pub mod exact;
mod field;
mod key;
pub(crate) mod offer;
pub mod permit2;
pub mod upto;
mod window;

use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::facilitator::Rejection;
use crate::x402::{ErrorCode, PaymentPayload, clip};

pub use crate::facilitator::Scheme;
pub use key::PaymentKey;
pub(crate) use offer::{Offer, TransferMethod};

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Upto, Self::Batch];
}

impl FromStr for Scheme {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == text).ok_or_else(|| {
            Rejection::new(
                ErrorCode::UnsupportedScheme,
                format!("the scheme `{}` is not on offer", clip(text)),
            )
        })
    }
}

/// Reads the scheme's part of a payment.
fn part<T: DeserializeOwned>(payload: &PaymentPayload, what: &str) -> Result<T, Rejection> {
    T::deserialize(&payload.payload)
        .map_err(|error| field::malformed(format!("the payload is not {what}: {}", clip(&error.to_string()))))
}
