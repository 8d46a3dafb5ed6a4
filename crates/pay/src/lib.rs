//! Payment: what a payer signs, who moves the money, and where it is kept while it is play money.
//!
//! This is the one crate that knows x402, chains, facilitators and wallets. It moves exactly what it was told to
//! move and says which of three things happened; what a call costs, when to hold and when to post is decided above.
//!
//! - [`x402`]: the wire of x402 version 2, its headers and error codes.
//! - [`payment`]: the check of a payment against our own current offer, by its [`scheme`].
//! - [`eip712`]: the messages that are signed.
//! - [`evm`]: what is said to contracts.
//! - [`wallet`]: a payer's key and the signing of payments.
//! - [`keystore`]: such a key under a password, and [`wallet_file`]: in a file.
//! - [`facilitator`]: payment as the rest of the product sees it, with its three outcomes.
//! - [`facilitator_api`]: the same, asked over HTTP by others.
//! - `remote`: a facilitator that is asked over HTTP (feature `remote`).
//! - [`settler`]: the facilitator over any chain.
//! - [`chain`]: the door to a chain.
//! - `rpc`: a chain over JSON-RPC (feature `rpc`).
//! - [`devnet`]: a chain in this process, for play money.
//! - [`faults`]: a facilitator that fails on demand, for tests and drills.

pub mod chain;
pub mod devnet;
pub mod eip712;
mod error;
pub mod evm;
pub mod facilitator;
pub mod facilitator_api;
pub mod faults;
#[cfg(any(feature = "remote", feature = "rpc"))]
mod http;
mod journal;
pub mod keystore;
mod network;
pub mod payment;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "rpc")]
pub mod rpc;
pub mod scheme;
pub mod settler;
mod taken;
pub mod wallet;
pub mod wallet_file;
pub mod x402;

pub use alloy_primitives::{Address, B256, U256, hex};
pub use chain::{Chain, Fee, Standing, TransferEvent};
pub use devnet::Devnet;
pub use error::PayError;
pub use facilitator::{ChannelState, Claim, Facilitator, PayOut, Rejection, Scheme, Settlement, Verified};
pub use faults::Faulty;
pub use keystore::{Keystore, KeystoreError};
pub use network::Network;
pub use payment::Authorization;
#[cfg(feature = "remote")]
pub use remote::{Remote, RemoteConfig};
#[cfg(feature = "rpc")]
pub use rpc::{Rpc, RpcConfig};
pub use scheme::{PaymentKey, exact};
pub use settler::Settler;
pub use wallet::Wallet;
pub use x402::{ErrorCode, PaymentPayload, PaymentRequired, PaymentRequirements, Resource, SettleResponse};
