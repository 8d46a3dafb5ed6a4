//! Signing requests with the key of whoever holds the token.

use std::time::{SystemTime, UNIX_EPOCH};

use glassbox_core::key::SecretKey;
use glassbox_core::possession::{self, CONTENT_DIGEST, Covered, SIGNATURE, SIGNATURE_INPUT};
use reqwest::Request;
use reqwest::header::HeaderValue;

use crate::error::ClientError;

/// Signs a request as it is, under a nonce of its own: sent again it must be signed anew.
pub(crate) fn sign(request: &mut Request, token: &str, key: &SecretKey) -> Result<(), ClientError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| ClientError::Random(error.to_string()))?;
    let created_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    let digest = possession::content_digest(body);
    let url = request.url();
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let covered = Covered {
        method: request.method().as_str(),
        target: &target,
        authorization: &format!("Bearer {token}"),
        content_digest: &digest,
    };
    let signed = possession::sign(&covered, key, created_s, &hex::encode(nonce));
    let headers = [(CONTENT_DIGEST, digest), (SIGNATURE_INPUT, signed.input), (SIGNATURE, signed.signature)];
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value).expect("what is signed is printable ASCII");
        request.headers_mut().insert(name, value);
    }
    Ok(())
}
