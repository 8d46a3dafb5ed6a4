//! Extensions of x402: what a server declares in its 402 answer, and what a client adds to its payment.
//!
//! A declaration is an `info` with a JSON schema of what the client may add to it; clients echo it with their part in.

pub mod gas_sponsoring;

use serde_json::{Map, Value};

/// Reads the `info` of an extension, if it is there and an object.
fn info<'a>(extensions: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a Map<String, Value>> {
    extensions?.get(name)?.get("info")?.as_object()
}
