//! What this crate promises, tested through its public door.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod channels;
mod check;
mod devnet;
mod extensions;
mod faults;
mod header;
mod hostile;
mod journal;
mod json_rpc;
mod keystore;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "rpc")]
mod rpc;
mod schemes;
mod settler;
mod stage;
mod token;
mod upto;

mod v1;
mod vectors;
mod wallet;
mod weather;
