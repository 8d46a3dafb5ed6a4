//! Reading requests, with refusals that say what was wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use glassbox_core::{PackageName, PackageRef};
use glassbox_pay::PaymentPayload;
use glassbox_pay::x402;
use serde::de::DeserializeOwned;

use crate::problem::Refusal;

/// A JSON body. Its `Content-Type` is not looked at: nobody means anything else here.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let next = "send less; large inputs belong in several calls";
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", rejection.body_text(), next)
            } else {
                Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "body-unreadable",
                    rejection.body_text(),
                    "send it again",
                )
            }
        })?;
        let refuse = |detail: String| {
            let next = "send a JSON object as /openapi.json describes it";
            Refusal::new(StatusCode::BAD_REQUEST, "body-invalid", detail, next)
        };
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // An array would be read as the fields in their order, which nobody was promised.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(refuse("expected a JSON object, found an array".into()));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| refuse(error.to_string()))
    }
}

/// The parameters of a path. As axum's own, but what it refuses is a problem like any other.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let next = "write the path as /openapi.json describes it, percent-encoded UTF-8";
                Err(Refusal::new(StatusCode::BAD_REQUEST, "path-invalid", rejection.body_text(), next))
            }
        }
    }
}

/// The parameters of a query. As axum's own, but what it refuses is a problem like any other.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let next = "write the query as /openapi.json describes it";
                Err(Refusal::new(StatusCode::BAD_REQUEST, "query-invalid", rejection.body_text(), next))
            }
        }
    }
}

/// Reads `{ns}/{name}` of a path.
pub(crate) fn package(namespace: &str, name: &str) -> Result<PackageName, Refusal> {
    Ok(format!("{namespace}:{name}").parse()?)
}

/// Reads `{ns}/{name}/{version}` of a path, where the version may be `latest`.
pub(crate) fn reference(namespace: &str, name: &str, version: &str) -> Result<PackageRef, Refusal> {
    if version == "latest" {
        return Ok(PackageRef { package: package(namespace, name)?, version: None });
    }
    Ok(format!("{namespace}:{name}@{version}").parse()?)
}

/// Reads the payment of a request, where there is one.
pub(crate) fn payment(headers: &HeaderMap) -> Result<Option<PaymentPayload>, Refusal> {
    let Some(value) = headers.get(x402::PAYMENT_SIGNATURE) else { return Ok(None) };
    let refuse = |reason: String| {
        let next = "send base64 of an x402 version 2 PaymentPayload, or leave the header out to get the requirements";
        let detail = format!("the {} header: {reason}", x402::PAYMENT_SIGNATURE);
        Refusal::new(StatusCode::BAD_REQUEST, "payment-malformed", detail, next)
    };
    let text = value.to_str().map_err(|_| refuse("not ASCII".into()))?;
    x402::decode(text).map(Some).map_err(|error| refuse(error.to_string()))
}
