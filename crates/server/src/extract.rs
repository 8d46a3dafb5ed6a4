//! Reading requests, with refusals that say what was wrong.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use glassbox_core::dsse::Envelope;
use glassbox_core::name::read_version;
use glassbox_core::possession::{self, Covered, Proof};
use glassbox_core::{PackageName, PackageRef, limits};
use glassbox_pay::PaymentPayload;
use glassbox_pay::x402::extensions::sign_in::{self, SignIn};
use glassbox_pay::x402::{self, v1};
use glassbox_registry::{ACCOUNT_TOKEN_PREFIX, Caller, Credit, Payment, Retry};
use http_body_util::BodyExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::app::App;
use crate::problem::Refusal;

/// A JSON body of at most `MAX` bytes. Its `Content-Type` is not looked at: nobody means anything else here.
pub(crate) struct Body<T, const MAX: usize = { limits::CALL_BODY_BYTES_MAX }>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync, const MAX: usize> FromRequest<S> for Body<T, MAX> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, MAX).await?;
        let refuse = |detail: String| {
            let next = "send a JSON object as /openapi.json describes it";
            Refusal::new(StatusCode::BAD_REQUEST, "body-invalid", detail, next)
        };
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // An array would be read as the fields in their order, which nobody was promised.
        let kind = match bytes.trim_ascii_start().first() {
            Some(b'[') => Some("an array"),
            Some(b'"') => Some("a string"),
            Some(b'n') => Some("null"),
            Some(b't' | b'f') => Some("a boolean"),
            Some(b'-' | b'0'..=b'9') => Some("a number"),
            _ => None,
        };
        if let Some(kind) = kind {
            // What is no JSON at all is told so.
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| refuse(error.to_string()))?;
            return Err(refuse(format!("expected a JSON object, found {kind}")));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| refuse(error.to_string()))
    }
}

/// Reads a body of at most `max` bytes, and compares it with the digest that the request names.
///
/// What is beyond that is read and thrown away, up to as much again: a client that is still sending when the connection
/// closes never sees why.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: axum::body::Body,
    max: usize,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut beyond = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::new(StatusCode::BAD_REQUEST, "body-unreadable", error.to_string(), "send it again")
                .retry(Retry::After(1))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if beyond == 0 && bytes.len() + data.len() <= max {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
            beyond += data.len();
            if beyond > max {
                break;
            }
        }
    }
    if beyond == 0 {
        if content_digest(headers).is_some_and(|named| named != possession::content_digest(&bytes)) {
            let detail = "the body is not the one whose digest is in Content-Digest";
            let next = "send the body as it was signed, or leave Content-Digest out";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "content-digest-differs", detail, next));
        }
        return Ok(bytes);
    }
    let detail = format!("the body has more than the {max} bytes allowed");
    let next = if max == limits::PUBLISH_BODY_BYTES_MAX {
        "make the package smaller: strip the component, and leave out sources and tests that it can do without"
    } else {
        "send less; large inputs belong in several calls"
    };
    Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail, next))
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
    Ok(PackageName::new(namespace, name)?)
}

/// Reads `{ns}/{name}/{version}` of a path, where the version may be `latest`.
pub(crate) fn reference(namespace: &str, name: &str, version: &str) -> Result<PackageRef, Refusal> {
    let version = (version != "latest").then(|| read_version(version)).transpose()?;
    Ok(PackageRef { package: package(namespace, name)?, version })
}

/// How a token that spends credit comes: as RFC 6750 says.
const BEARER: &str = "Bearer ";

/// The caller's own name for its request, for payments that have none of their own.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a request says before its body.
pub(crate) struct Head {
    pub(crate) headers: HeaderMap,
    method: Method,
    /// Path and query, as they came.
    target: String,
}

impl From<&Parts> for Head {
    fn from(parts: &Parts) -> Self {
        let target = parts.uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned());
        Self { headers: parts.headers.clone(), method: parts.method.clone(), target }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Head {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::from(&*parts))
    }
}

/// Reads what a request is paid with: what was signed, a token that spends credit, or an account.
pub(crate) async fn payment(app: &App, head: &Head) -> Result<Option<Payment>, Refusal> {
    let headers = &head.headers;
    if let Some(signed) = signed(headers)? {
        return Ok(Some(Payment::X402(Box::new(signed))));
    }
    if let Some(signed) = header(headers, v1::X_PAYMENT)? {
        return Ok(Some(Payment::X402V1(Box::new(signed))));
    }
    if let Some(caller) = caller(app, head).await? {
        return Ok(Some(Payment::Account(Box::new(caller))));
    }
    Ok(credit(head)?.map(|credit| Payment::Credit(Box::new(credit))))
}

/// Finds the account that a request is made in the name of, where it shows the token of one.
pub(crate) async fn caller(app: &App, head: &Head) -> Result<Option<Caller>, Refusal> {
    let Some(token) = bearer(&head.headers, ACCOUNT_TOKEN_PREFIX) else { return Ok(None) };
    let identifier = text(&head.headers, IDEMPOTENCY_KEY).map(str::to_owned);
    Ok(Some(app.registry.authenticate(token, identifier).await?))
}

/// Reads the token of a request, where it is one of a registry's, and what shows who sent it.
pub(crate) fn credit(head: &Head) -> Result<Option<Credit>, Refusal> {
    let Some(token) = bearer(&head.headers, Credit::PREFIX) else { return Ok(None) };
    let identifier = text(&head.headers, IDEMPOTENCY_KEY).map(str::to_owned);
    Ok(Some(Credit::new(token, proof(head)?, identifier)?))
}

/// Reads the signature of a request, where it has one of ours. What it covers of the body is its digest, which whoever
/// [reads](read) the body compares.
fn proof(head: &Head) -> Result<Option<Proof>, Refusal> {
    let value = |name| text(&head.headers, name);
    let Some(input) = value(possession::SIGNATURE_INPUT).filter(|input| input.starts_with("glassbox="))
    else {
        return Ok(None);
    };
    let covered = Covered {
        method: head.method.as_str(),
        target: &head.target,
        authorization: value(AUTHORIZATION.as_str()).unwrap_or_default(),
        content_digest: content_digest(&head.headers).unwrap_or_default(),
    };
    let proof = possession::verify(&covered, input, value(possession::SIGNATURE).unwrap_or_default());
    proof.map(Some).map_err(|error| {
        let next = "sign it as docs/protocol.md says, under `Holders`";
        Refusal::new(StatusCode::BAD_REQUEST, "proof-malformed", error.to_string(), next)
    })
}

/// Returns the digest that a request names of its body, where that is in the form that is compared.
fn content_digest(headers: &HeaderMap) -> Option<&str> {
    text(headers, possession::CONTENT_DIGEST).filter(|value| possession::is_content_digest(value))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Tells whether a request shows a token of a registry's, which is nobody else's to see.
pub(crate) fn has_token(headers: &HeaderMap) -> bool {
    [Credit::PREFIX, ACCOUNT_TOKEN_PREFIX].into_iter().any(|prefix| bearer(headers, prefix).is_some())
}

/// Returns the token of a request, where it is one that begins so.
fn bearer<'a>(headers: &'a HeaderMap, prefix: &str) -> Option<&'a str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix(BEARER)?.trim();
    token.starts_with(prefix).then_some(token)
}

/// Lets the operator in, and nobody else.
pub(crate) fn operator(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix(BEARER));
    match (&app.options.operator, shown) {
        (Some(token), Some(shown)) if token.is(shown.trim()) => Ok(()),
        _ => {
            let detail = "this is for the operator of the registry";
            let next = "send `Authorization: Bearer gbo_…`; the token is in `keys/operator.token` of the data folder";
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "operator-only", detail, next))
        }
    }
}

/// Reads the signed payment of a request, where there is one.
pub(crate) fn signed(headers: &HeaderMap) -> Result<Option<PaymentPayload>, Refusal> {
    header(headers, x402::PAYMENT_SIGNATURE)
}

/// Reads who a request is by, where it says so.
pub(crate) fn sign_in(headers: &HeaderMap) -> Result<Option<SignIn>, Refusal> {
    decode(headers, sign_in::HEADER, |detail| {
        let next = "send base64 of an answered challenge, or leave the header out to get one";
        Refusal::new(StatusCode::BAD_REQUEST, "sign-in-malformed", detail, next)
    })
}

/// What a licence comes with: the scheme of RSL.
const LICENSE: &str = "License ";

/// Reads the signed licence of a request, where it shows one.
pub(crate) fn license(headers: &HeaderMap) -> Result<Option<Envelope>, Refusal> {
    let Some(token) = text(headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix(LICENSE))
    else {
        return Ok(None);
    };
    x402::decode(token.trim()).map(Some).map_err(|error| {
        let detail = format!("the licence of the Authorization header: {error}");
        let next = "send base64 of the signed licence, as it was sold";
        Refusal::new(StatusCode::BAD_REQUEST, "license-malformed", detail, next)
    })
}

/// Reads the payment that a header holds.
fn header<T: DeserializeOwned>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Refusal> {
    decode(headers, name, |detail| {
        let next = "send base64 of an x402 payment, or leave the header out to get the requirements";
        Refusal::new(StatusCode::BAD_REQUEST, "payment-malformed", detail, next)
    })
}

/// Reads what a header of x402 holds.
fn decode<T: DeserializeOwned>(
    headers: &HeaderMap,
    name: &str,
    refuse: impl Fn(String) -> Refusal,
) -> Result<Option<T>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let refuse = |reason: String| refuse(format!("the {name} header: {reason}"));
    let text = value.to_str().map_err(|_| refuse("it is not ASCII".into()))?;
    x402::decode(text).map(Some).map_err(|error| refuse(error.to_string()))
}
