//! Payment headers: base64 of JSON, bounded.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clip;
use glassbox_core::limits::HEADER_BYTES_MAX;

/// The header of a 402 answer, holding a [`PaymentRequired`](super::PaymentRequired).
pub const PAYMENT_REQUIRED: &str = "PAYMENT-REQUIRED";

/// The header of a paid request, holding a [`PaymentPayload`](super::PaymentPayload).
pub const PAYMENT_SIGNATURE: &str = "PAYMENT-SIGNATURE";

/// The header of an answer to a paid request, holding a [`SettleResponse`](super::SettleResponse).
pub const PAYMENT_RESPONSE: &str = "PAYMENT-RESPONSE";

/// Says why a header was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is longer than any payment.
    #[error("it has {length} bytes; the most is {HEADER_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is not base64.
    #[error("it is not base64: {0}")]
    Base64(String),
    /// It is not the JSON expected.
    #[error("it does not hold the JSON of a payment: {0}")]
    Json(String),
}

/// Standard base64, with or without padding, and with trailing bits that some encoders leave set.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Writes the value of a payment header: standard base64 with padding, as the stock clients expect.
pub fn encode<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_vec(value).expect("wire types have text keys and no failing serializers");
    general_purpose::STANDARD.encode(json)
}

/// Reads the value of a payment header. Takes the URL-safe alphabet and missing padding too.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, HeaderError> {
    let text = text.trim();
    if text.len() > HEADER_BYTES_MAX {
        return Err(HeaderError::TooLong { length: text.len() });
    }
    let standard: String = text.chars().map(to_standard).collect();
    let json = TOLERANT.decode(standard).map_err(|error| HeaderError::Base64(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| HeaderError::Json(clip(&error.to_string())))
}

fn to_standard(symbol: char) -> char {
    match symbol {
        '-' => '+',
        '_' => '/',
        other => other,
    }
}
