//! Scenarios.
#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed, and says where")]

mod cli;
mod command;
mod kill;
