//! What this crate promises, tested through its public door.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod channels;
mod check;
mod devnet;
mod faults;
mod header;
mod journal;
mod json_rpc;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "rpc")]
mod rpc;
mod schemes;
mod stage;
mod token;
mod upto;
mod vectors;
mod wallet;
mod weather;
