//! The sandbox from outside: inline components for every promise, and real ones in several languages where they are
//! present.

mod artifacts;
mod bombs;
mod commands;
mod component;
mod composition;
mod corpus;
mod costs;
mod crossing;
mod encode;
mod execution;
mod golden;
mod host;
mod http;
mod inspection;
mod isolation;
mod metering;
mod mutations;
mod outcomes;
mod program;
mod random;
mod refusals;
mod search;
mod specs;
mod stopwatch;
mod suites;
