//! MCP: the tools by which an agent finds, reads, pays for and calls what a registry has, in both eras of the protocol.
//!
//! What stands behind the tools is a [`Provider`]: a registry, or a client of one with a wallet. The tools are the same
//! for both, few and fixed, so that a host's list of tools stays short however many packages there are. A release can
//! also be served by itself, with its functions as [typed tools](Server::of_release).
//!
//! Nothing here decides or knows money: payments pass through as x402 writes them.

mod args;
mod card;
mod handler;
mod import;
mod package;
mod provider;
mod question;
mod server;
mod skill;
mod steps;
mod text;
mod tools;
mod transport;

pub use card::{CARD_MEDIA_TYPE, card};
pub use provider::{Asked, Called, Layer, PaidTool, Payment, Provider};
pub use question::Question;
pub use server::{RECEIPT, SOURCE, SOURCES, Server};
pub use skill::SKILL;
pub use transport::{Http, serve_stdio};
