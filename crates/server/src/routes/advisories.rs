//! Advisories: the feed, and taking new ones.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use glassbox_api::{ActRequest, AdvisoriesResponse, AdvisoryResponse, Problem};
use glassbox_core::limits;
use glassbox_registry::AdvisoryView;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Body, Path, Query};
use crate::problem::Refusal;

/// Which advisories.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AdvisoriesQuery {
    /// What they are about: a package `ns:name`, or what releases are made of, such as `pkg:cargo/smallvec`; all when
    /// absent.
    about: Option<String>,
    /// The `next_before` of the page before; from the newest when absent.
    before: Option<i64>,
}

/// Returns advisories, newest first, at most a hundred. The first page has an `ETag`, which `If-None-Match` compares.
#[utoipa::path(get, path = "/v1/advisories", tag = "find", params(AdvisoriesQuery),
    responses((status = 200, body = AdvisoriesResponse), (status = 304, description = "there is nothing new"),
              (status = 400, body = Problem)))]
pub(crate) async fn advisories(
    State(app): State<App>,
    Query(query): Query<AdvisoriesQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let views = app.registry.advisories(query.about.as_deref(), query.before).await?;
    // Each word of an advisory has a number of its own, so the newest number says what there is.
    let tag = format!("\"{}\"", views.first().map_or(0, |view| view.row.seq));
    if query.before.is_none() && headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str())
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let is_full = views.len() == limits::ADVISORIES_PAGE;
    let next_before = views.last().filter(|_| is_full).map(|view| view.row.seq);
    let advisories = views.into_iter().map(advisory).collect();
    let mut response = Json(AdvisoriesResponse { advisories, next_before }).into_response();
    if let (None, Ok(tag)) = (query.before, HeaderValue::from_str(&tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Returns one advisory, as the Open Source Vulnerability schema has it.
#[utoipa::path(get, path = "/v1/advisories/{id}", tag = "find",
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem)))]
pub(crate) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Refusal> {
    Ok(Json(advisory(app.registry.advisory(&id).await?).osv))
}

/// The body of an advisory.
type AdviseBody = Body<ActRequest, { 2 * limits::ADVISORY_BYTES_MAX }>;

/// Takes an advisory, signed by a controller of the package's namespace or by the operator, and logs it. The very same again
/// answers 200; a later word under the same id takes the place of the one before.
#[utoipa::path(post, path = "/v1/advisories", tag = "publish", request_body = ActRequest,
    responses((status = 201, body = AdvisoryResponse), (status = 200, body = AdvisoryResponse),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(crate) async fn advise(
    State(app): State<App>,
    Body(request): AdviseBody,
) -> Result<(StatusCode, Json<AdvisoryResponse>), Refusal> {
    let (view, new) = app.registry.advise(request.statement).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(advisory(view))))
}

fn advisory(view: AdvisoryView) -> AdvisoryResponse {
    AdvisoryResponse {
        osv: serde_json::to_value(&view.advisory.osv).unwrap_or_default(),
        signer: view.row.envelope.claimed_key().map(|key| key.to_string()).unwrap_or_default(),
        log_index: view.row.log_index,
        received_at: glassbox_registry::rfc3339(view.row.created_at),
        statement: view.row.envelope,
    }
}
