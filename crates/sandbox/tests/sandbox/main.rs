//! The sandbox from outside: inline components for every promise, and real ones in several languages where they are
//! present.

mod artifacts;
mod component;
mod corpus;
mod host;
mod http;
mod inspection;
mod metering;
mod outcomes;
mod specs;
