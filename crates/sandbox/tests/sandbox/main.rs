//! The sandbox from outside: inline components for every promise, and real ones in several languages where they are
//! present.

mod artifacts;
mod commands;
mod component;
mod corpus;
mod execution;
mod host;
mod http;
mod inspection;
mod isolation;
mod metering;
mod outcomes;
mod program;
mod specs;
