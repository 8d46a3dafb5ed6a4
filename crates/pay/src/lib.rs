//! Payment: what a payer signs, who moves the money, and where it is kept while it is play money.
//!
//! This is the one crate that knows x402, chains, facilitators and wallets. It moves exactly what it was told to
//! move and says which of three things happened; what a call costs, when to hold and when to post is decided above.
//!
//! - [`x402`]: the wire of x402 version 2, its headers and error codes.
//! - [`exact`]: the check of an `exact` payment against our own current offer.
//! - [`wallet`]: a payer's key and the signing of payments.
//! - [`keystore`]: such a key under a password, and [`wallet_file`]: in a file.
//! - [`facilitator`]: the door to a chain, with its three outcomes.
//! - [`devnet`]: a chain in this process, for play money.
//! - [`faults`]: a facilitator that fails on demand, for tests and drills.

pub mod devnet;
pub mod eip712;
mod error;
pub mod exact;
pub mod facilitator;
pub mod faults;
pub mod keystore;
mod network;
pub mod wallet;
pub mod wallet_file;
pub mod x402;

pub use alloy_primitives::{Address, B256};
pub use devnet::Devnet;
pub use error::PayError;
pub use exact::{Authorization, PaymentKey};
pub use facilitator::{Facilitator, Rejection, Settlement, Verified};
pub use faults::Faulty;
pub use keystore::{Keystore, KeystoreError};
pub use network::Network;
pub use wallet::Wallet;
pub use x402::{ErrorCode, PaymentPayload, PaymentRequired, PaymentRequirements, Resource, SettleResponse};
