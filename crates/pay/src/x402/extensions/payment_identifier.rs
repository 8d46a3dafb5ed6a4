//! `payment-identifier`: the client names its payment, so that asking again is known to be the same.
//!
//! See `specs/extensions/payment_identifier.md`. What an id belongs to (who pays for what) is the registry's part.

use std::fmt;
use std::str::FromStr;

use glassbox_core::limits::{PAYMENT_ID_BYTES_MAX, PAYMENT_ID_BYTES_MIN};
use serde_json::{Map, Value, json};

use super::schema;
use crate::facilitator::Rejection;
use crate::x402::ErrorCode;

/// The extension's name.
pub const NAME: &str = "payment-identifier";

/// A client's name for its payment: letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(String);

/// Returns the declaration. With `required` a payment without an id is refused.
pub fn declare(required: bool) -> Value {
    let properties = json!({
        "required": {"type": "boolean"},
        "id": {
            "type": "string",
            "minLength": PAYMENT_ID_BYTES_MIN,
            "maxLength": PAYMENT_ID_BYTES_MAX,
            "pattern": "^[a-zA-Z0-9_-]+$",
        },
    });
    json!({"info": {"required": required}, "schema": schema(properties, &["required"])})
}

/// Reads the id that a client gave, if it gave one.
pub fn read(extensions: Option<&Map<String, Value>>) -> Result<Option<PaymentId>, Rejection> {
    let refused = || Rejection::new(ErrorCode::InvalidPayload, WHAT_AN_ID_IS);
    match super::info(extensions, NAME).and_then(|info| info.get("id")) {
        None => Ok(None),
        Some(id) => id.as_str().ok_or_else(refused)?.parse().map(Some),
    }
}

/// Writes an id into the extensions of a payment.
pub fn write(extensions: &mut Map<String, Value>, id: &PaymentId) {
    let added = json!({NAME: {"info": {"id": id.as_str()}}});
    super::merge(extensions, added.as_object().expect("it was written as an object"));
}

const WHAT_AN_ID_IS: &str = "a payment's id has 16 to 128 letters, digits, `-` and `_`";

impl PaymentId {
    /// Returns the id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PaymentId {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (PAYMENT_ID_BYTES_MIN..=PAYMENT_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rejection::new(ErrorCode::InvalidPayload, WHAT_AN_ID_IS))
        }
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
