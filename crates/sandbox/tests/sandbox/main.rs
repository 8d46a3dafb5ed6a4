//! The sandbox from outside: inline components for every promise, and real ones in several languages where they are
//! present.

mod artifacts;
mod bombs;
mod component;
mod corpus;
mod encode;
mod golden;
mod inspection;
mod metering;
mod mutations;
mod outcomes;
mod specs;
mod suites;
