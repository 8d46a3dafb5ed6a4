//! Errors on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An error: RFC 9457, with what an agent needs to act on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// Whether asking again can help: `never`, `after-change`, `later` or `with-payment`.
    pub retry: String,
    /// How long to wait before asking again, in seconds, where that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// What was charged, in atomic units; `unknown` while the settlement is not decided.
    pub charged: String,
    /// What to do next.
    pub next: String,
    /// More, by code: `required` (what x402 asks for), `receipt`, `tests`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Problem {
    /// The media type of problems.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// Makes a problem that nobody was charged for.
    pub fn new(status: u16, code: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            problem_type: format!("https://glassbox.dev/problems/{code}"),
            title: code.replace('-', " "),
            status,
            detail: detail.into(),
            code: code.into(),
            retry: "after-change".into(),
            retry_after_seconds: None,
            charged: "0".into(),
            next: next.into(),
            extra: BTreeMap::new(),
        }
    }
}
