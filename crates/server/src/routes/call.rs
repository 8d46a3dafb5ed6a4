//! Quotes, calls and receipts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{CallBody, CallResponse, Problem, QuoteResponse};
use glassbox_core::PackageRef;
use glassbox_pay::x402::{self, SettleResponse, v1};
use glassbox_registry::{Affecting, Asked, CallError, CallReply, CallRequest, Registry, Sources};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Body, Head, Path, Query, payment, reference};
use crate::problem::{Refusal, no_such_method};
use crate::routes::implementations::{choose, chosen as chosen_response};
use crate::{convert, counts};

type FunctionPath = Path<(String, String, String, String)>;

/// What to quote for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QuoteQuery {
    /// The fuel ceiling; the release's own when absent.
    fuel: Option<u64>,
}

/// Returns the most that a call can cost.
#[utoipa::path(get, path = "/v1/quote/{ns}/{name}/{version}/{function}", tag = "call", params(QuoteQuery),
    responses((status = 200, body = QuoteResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn quote(
    State(app): State<App>,
    Path((ns, name, version, function)): FunctionPath,
    Query(query): Query<QuoteQuery>,
) -> Result<Json<QuoteResponse>, Refusal> {
    let reference = reference(&ns, &name, &version)?;
    let live = app.registry.live(&reference).await?;
    let (quote, required) = app.registry.quote(&reference, &function, query.fuel, None).await?;
    let notice = app.registry.notice(&reference);
    Ok(Json(convert::quote(&app.registry, live.id.to_string(), quote, required, notice)))
}

/// Runs a function once. Without a payment, a priced function answers 402 with what x402 asks for; with one in the
/// `PAYMENT-SIGNATURE` header it runs, is settled, and answers with output and receipt.
#[utoipa::path(post, path = "/v1/call/{ns}/{name}/{version}/{function}", tag = "call", request_body = CallBody,
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, body = CallResponse,
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 409, body = Problem, description = "the payment belongs to another request"),
              (status = 422, body = Problem, description = "the run failed; `charged` says what it cost"),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn call(
    State(app): State<App>,
    Path((ns, name, version, mut function)): FunctionPath,
    head: Head,
    Body(body): Body<CallBody>,
) -> Result<Response, Refusal> {
    let mut release = reference(&ns, &name, &version)?;
    let payment = payment(&app, &head).await?;
    let chosen = choose(&app.registry, &release, &function, &body, payment.as_ref()).await?;
    if let Some(chosen) = &chosen {
        (release, function) = (chosen.reference(), chosen.function.to_string());
    }
    let request = CallRequest {
        release,
        function,
        args: if body.args.is_null() { serde_json::json!([]) } else { body.args },
        fuel_max: body.fuel,
        nonce: body.nonce,
        grants: body.grants,
        resource: None,
        payment,
    };
    let notice = app.registry.notice(&request.release);
    let asked = request.release.clone();
    // Apart: this future is moved as it is routed, and that one is large.
    let result = Box::pin(app.registry.call(request)).await;
    counts::call(&result);
    match result {
        Ok(reply) => {
            let affecting = affecting(&app.registry, &reply).await;
            let settlement = reply.stored.settlement.clone();
            let body = convert::reply(&app.registry, reply, notice, &affecting).await;
            let sources = Sources { own: body.source.clone(), dependencies: body.sources.clone() };
            let body = CallResponse { chosen: chosen.map(chosen_response), ..body };
            Ok(linked(respond(body, settlement, head.headers.contains_key(v1::X_PAYMENT)), sources))
        }
        Err(error) => Ok(refused(&app.registry, &asked, error).await),
    }
}

/// Refuses a call, with the sources of the release where its licences give them to whoever calls.
pub(crate) async fn refused(registry: &Registry, release: &PackageRef, error: CallError) -> Response {
    let sources = match registry.live(release).await {
        Ok(live) => registry.sources_offered(&live.terms).await,
        // A release that there is not has none.
        Err(_) => Sources::default(),
    };
    linked(Refusal::from(error).into_response(), sources)
}

/// What a source is to a response: an extension relation of RFC 8288, because none is registered for it.
const SOURCE_REL: &str = "https://glassbox.dev/rel/source";

/// Adds a `Link` to each source to a response, whatever it is.
pub(crate) fn linked(mut response: Response, sources: Sources) -> Response {
    for url in sources.own.into_iter().chain(sources.dependencies) {
        if let Ok(link) = HeaderValue::from_str(&format!("<{url}>; rel=\"{SOURCE_REL}\"")) {
            response.headers_mut().append(header::LINK, link);
        }
    }
    response
}

/// Answers who asks before calling: 402 with what the dearest call costs. With the payment of a payer that wants the
/// rest of its channel back, gives it back: stock clients of `batch-settlement` ask so.
#[utoipa::path(get, path = "/v1/call/{ns}/{name}/{version}/{function}", tag = "call",
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, description = "the rest of the channel went back",
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 404, body = Problem),
              (status = 405, body = Problem, description = "calls of the function are free")))]
pub(crate) async fn ask(
    State(app): State<App>,
    Path((ns, name, version, function)): FunctionPath,
    method: Method,
    uri: Uri,
    head: Head,
) -> Result<Response, Refusal> {
    let release = reference(&ns, &name, &version)?;
    match app.registry.ask(&release, &function, payment(&app, &head).await?).await? {
        Asked::Free => Err(no_such_method(method, uri).await),
        Asked::Refunded { channel, response } => Ok(refunded(&channel, &response)),
    }
}

/// Answers a payer that asked for the rest of its channel, in the words of the stock servers.
fn refunded(channel: &str, settlement: &SettleResponse) -> Response {
    let body = serde_json::json!({ "message": "Refund acknowledged", "channelId": channel });
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&x402::encode(settlement)) {
        response.headers_mut().insert(x402::PAYMENT_RESPONSE, value);
    }
    response
}

/// `first` tells whether the payment came in version 1 of x402, and is answered so.
fn respond(body: CallResponse, settlement: Option<SettleResponse>, first: bool) -> Response {
    let settlement = settlement.map(|settlement| match first {
        true => (v1::X_PAYMENT_RESPONSE, x402::encode(&v1::settle_response(&settlement))),
        false => (x402::PAYMENT_RESPONSE, x402::encode(&settlement)),
    });
    let mut response = written(&body);
    // A paid output is the payer's: no cache on the way may keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some((name, value)) = settlement
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The room that a reply with its receipt takes as a rule, in bytes.
const REPLY_BYTES: usize = 8 * 1024;

/// Writes a reply as JSON, into room enough from the start.
fn written(body: &CallResponse) -> Response {
    let mut bytes = Vec::with_capacity(REPLY_BYTES);
    serde_json::to_writer(&mut bytes, body).expect("a reply has string keys only");
    let mut response = Response::new(bytes.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns the reply of a paid call again, with its receipt. Whoever knows the unguessable id may have it.
#[utoipa::path(get, path = "/v1/receipts/{call}", tag = "call",
    responses((status = 200, body = CallResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn receipt(
    State(app): State<App>,
    Path(call): Path<String>,
) -> Result<Json<CallResponse>, Refusal> {
    let stored = app.registry.receipt(&call).await?;
    let reply = CallReply { stored, replayed: true };
    let affecting = affecting(&app.registry, &reply).await;
    Ok(Json(convert::reply(&app.registry, reply, None, &affecting).await))
}

/// Returns the advisories that affect the release that was called. A reply that is paid for is not withheld because they
/// cannot be read.
pub(crate) async fn affecting(registry: &Registry, reply: &CallReply) -> Arc<Vec<Affecting>> {
    let release = &reply.stored.bundle.opening.terms.release;
    registry.affecting(release).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "Could not look for advisories");
        Arc::default()
    })
}
