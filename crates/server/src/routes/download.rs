//! What a release is made of, for its price where it has one.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{FilesResponse, Problem};
use glassbox_pay::x402;
use glassbox_registry::{Access, DownloadRequest};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::convert;
use crate::extract::{Head, Path, Query, license, payment, reference, sign_in};
use crate::problem::Refusal;

/// The header of a paid download: its receipt, in base64 as x402 writes it.
const RECEIPT: &str = "glassbox-receipt";

/// Path of a release.
type ReleasePath = Path<(String, String, String)>;

/// Which component of a release is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComponentQuery {
    /// That of an edition, where it has one of its own; the release's when absent.
    pub(crate) edition: Option<String>,
}

/// Returns the component, where the terms let it be downloaded. Where that has a price it answers 402 with what x402 asks
/// for; a payment is for the component and its files, and whoever paid gets them again by signing in with the key that
/// paid.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/component", tag = "find",
    params(ComponentQuery,
           ("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload"),
           ("SIGN-IN-WITH-X" = Option<String>, Header, description = "base64 of the answered challenge of the 402"),
           ("Authorization" = Option<String>, Header, description = "`License` with base64 of a signed licence that includes it")),
    responses((status = 200, body = Vec<u8>, content_type = "application/wasm",
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"),
                       ("glassbox-receipt" = String, description = "base64 of the signed receipt of x402, where it was paid"))),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 409, body = Problem, description = "the payment belongs to another request"),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn component(
    State(app): State<App>,
    Path(path): ReleasePath,
    Query(query): Query<ComponentQuery>,
    head: Head,
) -> Result<Response, Refusal> {
    let request = DownloadRequest { edition: query.edition, ..request(&app, &path, &head).await? };
    let download = app.registry.component(request).await?;
    let body = ([(header::CONTENT_TYPE, "application/wasm")], download.content);
    Ok(respond(body, &download.access))
}

/// Returns the files that the component may read, where the terms let them be downloaded. They have one price with the
/// component.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/files", tag = "find",
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload"),
           ("SIGN-IN-WITH-X" = Option<String>, Header, description = "base64 of the answered challenge of the 402"),
           ("Authorization" = Option<String>, Header, description = "`License` with base64 of a signed licence that includes it")),
    responses((status = 200, body = FilesResponse,
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"),
                       ("glassbox-receipt" = String, description = "base64 of the signed receipt of x402, where it was paid"))),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 409, body = Problem, description = "the payment belongs to another request"),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn files(
    State(app): State<App>,
    Path(path): ReleasePath,
    head: Head,
) -> Result<Response, Refusal> {
    let download = app.registry.component_files(request(&app, &path, &head).await?).await?;
    Ok(respond(Json(convert::files(&download.content)), &download.access))
}

pub(super) async fn request(
    app: &App,
    (ns, name, version): &(String, String, String),
    head: &Head,
) -> Result<DownloadRequest, Refusal> {
    Ok(DownloadRequest {
        release: reference(ns, name, version)?,
        payment: payment(app, head).await?,
        sign_in: sign_in(&head.headers)?,
        license: license(&head.headers)?,
        edition: None,
    })
}

pub(super) fn respond(body: impl IntoResponse, access: &Access) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    if !matches!(access, Access::Free) {
        // What was sold is its buyer's: no cache on the way may keep it.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Access::Paid(Some(reply)) = access {
        let settlement = reply.settlement.as_ref().map(|it| (x402::PAYMENT_RESPONSE, x402::encode(it)));
        let receipt = (RECEIPT, x402::encode(&reply.receipt));
        for (name, value) in settlement.into_iter().chain([receipt]) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    response
}
