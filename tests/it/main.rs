//! Scenarios: the whole registry over real HTTP, from a publisher's folder to a payer's receipt, and the command.
//!
//! Start with `journey`. What can go wrong has a module each: `bad_publish`, `bad_call`, `failing`, `replay`, `faults`,
//! `crash`. There the clock stands still, the money is the devnet's, and waiting is for a condition. `cli` and `kill`
//! run the built command.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed, and says where")]

mod bad_call;
mod bad_publish;
mod buyer;
mod cli;
mod clients;
mod command;
mod crash;
mod failing;
mod faults;
mod journey;
mod kill;
mod log;
mod openapi;
mod packages;
mod paid;
mod replay;
mod stage;
