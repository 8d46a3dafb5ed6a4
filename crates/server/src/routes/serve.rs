//! Services: an HTTP request is the call, and the service's own response the reply.
//!
//! It is a call like any other: priced, paid and proved. What it brings is an argument, which a receipt opens and the
//! registry keeps, so what a reader sends of itself unasked is left out.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::Problem;
use glassbox_core::{Atomic, limits, possession};
use glassbox_pay::x402;
use glassbox_registry::{Affecting, CallReply, CallRequest};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call;
use crate::app::App;
use crate::counts;
use crate::extract::{Head, Path, has_token, payment, read, reference};
use crate::problem::Refusal;

/// The function that services export.
const FUNCTION: &str = "incoming-handler.handle";

/// The id of the call.
const CALL: &str = "glassbox-call";

/// The ids of advisories that affect the release.
const ADVISORIES: &str = "glassbox-advisories";

/// Base64 of the receipt with what opens it.
const RECEIPT: &str = "glassbox-receipt";

/// Where the receipt is instead, or how many bytes it would have.
const RECEIPT_AT: &str = "glassbox-receipt-at";

/// Headers of one connection, of a payment, or of the host: no service sees them, and none sets them.
const FORBIDDEN: [&str; 17] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "payment-required",
    "payment-response",
    "payment-signature",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-payment",
    "x-payment-response",
];

/// What a client sends of itself, or a proxy of its client, with every request. Cookies would be shared by all services
/// behind this one name.
const UNASKED: [&str; 8] = [
    "accept-encoding",
    "cookie",
    "forwarded",
    "proxy-connection",
    "referer",
    "user-agent",
    "via",
    "x-real-ip",
];

/// What only the registry may say of a response: all services share its origin.
const OURS: [&str; 6] = [
    "alt-svc",
    "clear-site-data",
    "content-security-policy",
    "service-worker-allowed",
    "set-cookie",
    "strict-transport-security",
];

/// Answers a request of any method by a service of a release. The call's id is in `Glassbox-Call`. The receipt of a paid call is at
/// `/v1/receipts/{call}`; that of a free one, which nobody keeps, in `Glassbox-Receipt` where it fits.
#[utoipa::path(get, path = "/v1/serve/{ns}/{name}/{version}/{*path}", tag = "call",
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, description = "whatever the service answers, with its own status",
               headers(("glassbox-call" = String, description = "the id of the call"),
                       ("glassbox-receipt" = String, description = "base64 of the receipt's JSON, of a free call"),
                       ("glassbox-receipt-at" = String,
                        description = "the path of the receipt, or `omitted` where it is too large for a header"),
                       ("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 422, body = Problem, description = "the service did not answer; `charged` says what it cost"),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn serve(
    State(app): State<App>,
    Path((ns, name, version, _)): Path<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, [ns, name, version], request).await
}

/// Answers a request for the root of a service, which has an empty path behind the version.
#[utoipa::path(get, path = "/v1/serve/{ns}/{name}/{version}/", tag = "call",
    responses((status = 200, description = "as for the paths below it"), (status = 400, body = Problem), (status = 402, body = Problem),
              (status = 404, body = Problem)))]
pub(crate) async fn root(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, [ns, name, version], request).await
}

async fn answer(app: &App, [ns, name, version]: [String; 3], request: Request) -> Result<Response, Refusal> {
    let release = reference(&ns, &name, &version)?;
    let (parts, body) = request.into_parts();
    let payment = payment(app, &Head::from(&parts)).await?;
    let body = read(&parts.headers, body, limits::CALL_BODY_BYTES_MAX).await?;
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let args = json!([{
        "method": parts.method.as_str(),
        "scheme": null,
        "authority": host,
        "path-with-query": own_path(parts.uri.path(), parts.uri.query()),
        "headers": shown(&parts.headers),
        "body": Base64::of(&body),
    }]);
    let request = CallRequest {
        release,
        function: FUNCTION.into(),
        args,
        fuel_max: None,
        nonce: None,
        grants: None,
        resource: None,
        payment,
    };
    let asked = request.release.clone();
    let result = app.registry.call(request).await;
    counts::call(&result);
    match result {
        Ok(reply) => {
            let affecting = call::affecting(&app.registry, &reply).await;
            let sources = app.registry.sources_offered(&reply.stored.bundle.opening.terms).await;
            Ok(call::linked(respond(reply, &affecting).into_response(), sources))
        }
        Err(error) => Ok(call::refused(&app.registry, &asked, error).await),
    }
}

/// Returns what lies behind `/v1/serve/{ns}/{name}/{version}`, as it was sent.
fn own_path(path: &str, query: Option<&str>) -> String {
    let own = path.splitn(7, '/').nth(6).unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{own}{query}")
}

/// A `list<u8>` in JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Base64 {
    base64: String,
}

impl Base64 {
    fn of(bytes: &[u8]) -> Self {
        Self { base64: STANDARD.encode(bytes) }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.base64).ok()
    }
}

fn shown(headers: &HeaderMap) -> Vec<(String, Base64)> {
    let is_shown = |name: &str| {
        !FORBIDDEN.contains(&name)
            && !UNASKED.contains(&name)
            && !name.starts_with("sec-")
            && !name.starts_with("x-forwarded-")
    };
    let mut headers = headers.clone();
    if has_token(&headers) {
        // Whoever has the token can spend with it.
        headers.remove(header::AUTHORIZATION);
        headers.remove(possession::SIGNATURE_INPUT);
        headers.remove(possession::SIGNATURE);
    }
    let headers = headers.iter().filter(|(name, _)| is_shown(name.as_str()));
    headers.map(|(name, value)| (name.as_str().to_owned(), Base64::of(value.as_bytes()))).collect()
}

/// The output of a service.
#[derive(Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, Base64)>,
    body: Base64,
}

fn respond(reply: CallReply, affecting: &[Affecting]) -> Result<Response, Refusal> {
    let damaged = || {
        let detail = "the service answered with what HTTP cannot carry";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "guest-failed", detail, "tell the publisher")
    };
    let stored = reply.stored;
    let output = stored.output.unwrap_or_default();
    let answer: Answer = serde_json::from_value(output).map_err(|_| damaged())?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| damaged())?;
    let body = answer.body.bytes().ok_or_else(damaged)?;
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        let name = HeaderName::try_from(name).map_err(|_| damaged())?;
        let value =
            value.bytes().and_then(|value| HeaderValue::from_bytes(&value).ok()).ok_or_else(damaged)?;
        let text = name.as_str();
        if !FORBIDDEN.contains(&text) && !OURS.contains(&text) && !text.starts_with("glassbox-") {
            headers.append(name, value);
        }
    }
    // What one service shows must not act in the name of this registry, nor of another service.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert(CALL, &stored.call);
    if !affecting.is_empty() {
        let ids: Vec<_> = affecting.iter().map(|advisory| advisory.id.as_str()).collect();
        insert(ADVISORIES, &ids.join(", "));
    }
    if let Some(settlement) = &stored.settlement {
        insert(x402::PAYMENT_RESPONSE, &x402::encode(settlement));
    }
    match stored.charged {
        Atomic::ZERO => {
            let bundle = serde_json::to_vec(&stored.bundle).expect("the bundle has string keys");
            let receipt = STANDARD.encode(bundle);
            match receipt.len() <= limits::RECEIPT_HEADER_BYTES_MAX {
                true => insert(RECEIPT, &receipt),
                false => insert(RECEIPT_AT, "omitted"),
            }
        }
        _ => insert(RECEIPT_AT, &format!("/v1/receipts/{}", stored.call)),
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_sees_the_path_behind_its_version() {
        for (path, query, own) in [
            ("/v1/serve/a/b/1.0.0/", None, "/"),
            ("/v1/serve/a/b/1.0.0/x/y", Some("z=1"), "/x/y?z=1"),
            ("/v1/serve/a/b/latest/x%2Fy//", Some(""), "/x%2Fy//?"),
        ] {
            assert_eq!(own_path(path, query), own);
        }
    }
}
