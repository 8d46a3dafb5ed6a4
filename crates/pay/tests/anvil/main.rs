//! The settler on a real node, in good weather and in bad.
//!
//! It needs anvil: the npm package `@foundry-rs/anvil` 1.7.1 in `tests/it/clients/ts`, or the program that
//! `GLASSBOX_ANVIL` names. `cargo nextest run -p glassbox-pay --features rpc --test anvil` runs it.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod anvil;
mod broken;
mod schemes;
mod stage;
mod weather;
