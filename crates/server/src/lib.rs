//! The HTTP API over a registry. No rules of its own: a route reads a request, calls one verb, writes the answer.

mod about;
mod app;
mod convert;
mod counts;
mod devnet;
mod discovery;
mod extract;
mod mcp;
mod mirror;
mod pages;
mod problem;
mod routes;
mod serve;

pub use app::{App, OperatorToken, Options, app, openapi};
pub use devnet::serve_devnet;
pub use mirror::{MirrorSite, serve_mirror};
pub use routes::witness::serve_witness;
pub use serve::serve;
