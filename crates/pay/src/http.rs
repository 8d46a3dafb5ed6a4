//! Questions to other machines: JSON out, JSON in, with a bound on everything.
//!
//! Redirects are not followed: a payment goes to whom it was meant for. An address may hold a key of the operator's,
//! so no message shows it.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;

use crate::error::PayError;

/// A place that answers JSON.
#[derive(Clone)]
pub(crate) struct Peer {
    client: Client,
    base: Url,
    body_bytes_max: usize,
}

/// An answer, whatever its status. What is not JSON is null.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Peer {
    /// Makes a peer at `base`, whose answers come within `timeout` and have at most so many bytes.
    pub(crate) fn new(base: &str, timeout: Duration, body_bytes_max: usize) -> Result<Self, PayError> {
        let unusable = |reason: String| PayError::Unavailable(format!("its address is unusable: {reason}"));
        let base = Url::parse(base).map_err(|error| unusable(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(unusable("it begins with neither `http://` nor `https://`".to_owned()));
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(timeout)
            .connect_timeout(timeout)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(error.without_url().to_string()))?;
        Ok(Self { client, base, body_bytes_max })
    }

    /// Asks a path below the base; the empty path is the base itself.
    #[cfg(feature = "remote")]
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(self.client.get(self.url(path))).await
    }

    /// Sends JSON to a path below the base. After an error nobody knows whether it arrived.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.ask(self.client.post(self.url(path)).json(body)).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if !path.is_empty() {
            url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        }
        url
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, String> {
        let failed = |error: reqwest::Error| describe(&error.without_url());
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > self.body_bytes_max {
                return Err(format!("the answer has more than {} bytes", self.body_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }
}

/// Writes an error with its causes, for the first one says next to nothing.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
