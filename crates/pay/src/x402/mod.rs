//! The wire of x402 version 2: what travels in the three payment headers.
//!
//! The types read what newer peers send (unknown fields are ignored, extensions are kept as they came) and judge
//! nothing: whether a payment is worth anything is [`payment::check`](crate::payment::check)'s part.
//! See <https://github.com/x402-foundation/x402>, `specs/x402-specification-v2.md` and `specs/transports-v2/http.md`.

mod code;
pub mod extensions;
mod header;
pub mod v1;

use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::scheme::exact::{ExactAuthorization, ExactPayload};
pub use code::ErrorCode;
pub use header::{HeaderError, PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, decode, encode};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 2;

/// The name of the scheme that pays a fixed amount.
pub const SCHEME_EXACT: &str = "exact";

/// What a server answers with status 402: who wants how much for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// The protocol version, [`VERSION`].
    pub x402_version: u32,
    /// Why an earlier payment was refused, or that one is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is for sale.
    pub resource: Resource,
    /// The ways to pay, any one of them.
    pub accepts: Vec<PaymentRequirements>,
    /// Protocol extensions by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// What a payment is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Where it is.
    pub url: String,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The media type of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements {
    /// How the amount is authorized, such as `exact`.
    pub scheme: String,
    /// The CAIP-2 id of the network, such as `eip155:84532`.
    pub network: String,
    /// The amount in atomic units of the asset, as digits.
    pub amount: String,
    /// The address of the token.
    pub asset: String,
    /// The address that receives the amount.
    pub pay_to: String,
    /// How long the server may take to answer, in seconds; clients let their authorization live this long.
    pub max_timeout_seconds: u64,
    /// What the scheme needs besides: on EVM networks `name` and `version` of the token's EIP-712 domain.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

impl PaymentRequirements {
    /// Reads the amount; zero is no price and is refused.
    pub fn amount(&self) -> Result<Atomic, String> {
        positive_amount(&self.amount)
    }

    /// Returns a text of [`extra`](Self::extra), if it is there and a text.
    pub fn extra_text(&self, name: &str) -> Option<&str> {
        self.extra.get(name).and_then(Value::as_str)
    }
}

/// What a client sends with its second request: the signed payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    /// The protocol version, [`VERSION`].
    pub x402_version: u32,
    /// What the client believes it pays for. No signature covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// The offer that the client took. Never trusted: it is compared with the server's own.
    pub accepted: PaymentRequirements,
    /// What the scheme signs; see the modules of [`scheme`](crate::scheme).
    pub payload: Map<String, Value>,
    /// The server's extensions, with what the client added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// What a server tells about the settlement, beside the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse {
    /// Whether the money moved.
    pub success: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<ErrorCode>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The hash of the transaction; empty when there is none.
    pub transaction: String,
    /// The CAIP-2 id of the network.
    pub network: String,
    /// What was settled, in atomic units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// What the scheme adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
    /// What protocol extensions add, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// Reads an amount as x402 writes it: digits alone, no leading zero, more than nothing, within
/// [`AMOUNT_MAX`](glassbox_core::limits::AMOUNT_MAX).
pub(crate) fn positive_amount(text: &str) -> Result<Atomic, String> {
    match text.parse::<Atomic>() {
        Ok(Atomic::ZERO) => Err("the amount is zero".to_owned()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

/// Cuts a text from others short, so that a message or a log line stays readable.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(glassbox_core::limits::QUOTED_CHARS_MAX).collect()
}
