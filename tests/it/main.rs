//! Scenarios: the whole registry over real HTTP, from a publisher's folder to a payer's receipt.
//!
//! Start with `journey`. What can go wrong has a module each: `bad_publish`, `bad_call`, `failing`, `replay`, `faults`,
//! `crash`; there the clock stands still. `cli`, `wallet`, `kill`, `full_disk`, `witness`, `trust` and `mirror` run the
//! built command. The money is the devnet's, and waiting is for a condition.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed, and says where")]

mod advisories;
#[expect(dead_code, reason = "the tests of the settler, whose file it is, do more to it")]
#[path = "../../crates/pay/tests/anvil/anvil.rs"]
mod anvil;
mod bad_call;
mod bad_publish;
mod bind;
mod blocklists;
mod budget;
mod buyer;
mod chaos;
mod choosing;
mod cli;
mod clients;
mod clock;
mod command;
mod company;
mod composition;
mod copies;
mod counts;
mod crash;
mod credit;
mod crowded;
mod delegation;
mod derived;
mod download;
mod earnings;
mod economy;
mod egress;
mod failing;
mod fault_table;
mod faults;
mod files;
mod forks;
mod full_disk;
mod grants;
mod graph;
mod ground;
mod held;
mod implementations;
mod invariants;
mod journey;
mod kill;
mod ledger;
mod lock;
mod log;
mod marks;
mod mcp;
mod mirror;
mod names;
mod openapi;
mod operator;
mod packages;
mod paid;
mod payer;
mod pins;
mod playground;
mod priced;
mod receipts;
mod replay;
mod run;
mod schemes;
mod serve;
mod stage;
mod stopped;
mod strength;
mod supply;
mod taken_back;
mod terms;
mod trust;
mod wallet;
mod ways;
mod witness;
