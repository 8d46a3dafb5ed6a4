//! Extensions of x402: what a server declares in its 402 answer, and what a client adds to its payment.
//!
//! A declaration is an `info` with a JSON schema of what the client may add to it; clients echo it with their part in.

pub mod bazaar;
pub mod gas_sponsoring;
pub mod offer_receipt;
pub mod payment_identifier;
pub mod sign_in;

use serde_json::{Map, Value, json};

use super::PaymentPayload;

/// The dialect of JSON schema in which extensions are described.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of an object.
fn schema(properties: Value, required: &[&str]) -> Value {
    json!({"$schema": DRAFT, "type": "object", "properties": properties, "required": required})
}

/// Puts what the server declared into a payment, as x402 wants it echoed. What the client added stays, where the server
/// said nothing else.
pub fn echo(payment: &mut PaymentPayload, declared: Option<&Map<String, Value>>) {
    if let Some(declared) = declared {
        merge(payment.extensions.get_or_insert_with(Map::new), declared);
    }
}

/// Puts `over` into `under`, object by object.
fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (under.get_mut(name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            _ => {
                under.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Reads the `info` of an extension, if it is there and an object.
fn info<'a>(extensions: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a Map<String, Value>> {
    extensions?.get(name)?.get("info")?.as_object()
}
