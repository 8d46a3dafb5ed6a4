//! What this crate promises, tested through its public door.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod check;
mod devnet;
mod faults;
mod header;
mod journal;
mod keystore;
mod stage;
mod token;
mod vectors;
mod wallet;
