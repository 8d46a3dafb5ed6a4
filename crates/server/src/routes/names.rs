//! Namespaces, and acts over names and releases. A statement is the authority: no route here asks who sent it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use glassbox_api::{ActRequest, ActResponse, NamespaceResponse, PendingResponse, Problem};
use glassbox_core::{Namespace, ReleaseId};
use glassbox_registry::{ActError, ActReply, NamespaceView, rfc3339};

use crate::app::App;
use crate::extract::{Body, Path};
use crate::problem::Refusal;

type Acted = Result<(StatusCode, Json<ActResponse>), Refusal>;

/// Returns what holds of a namespace: its policy, the change that waits, revoked keys, and what its domain said.
#[utoipa::path(get, path = "/v1/namespaces/{ns}", tag = "names",
    responses((status = 200, body = NamespaceResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn namespace(
    State(app): State<App>,
    Path(ns): Path<String>,
) -> Result<Json<NamespaceResponse>, Refusal> {
    Ok(view(app.registry.namespace(&name(&ns)?).await?))
}

/// Changes the policy of a namespace, or claims one that nobody has.
///
/// A change is signed by the threshold that the policy in force has for `rotate`, or by its recovery keys, and takes effect
/// after its delay.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/policy", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn policy(
    State(app): State<App>,
    Path(ns): Path<String>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.change_policy(&name(&ns)?, request.statement).await)
}

/// Takes back a change of the policy that has not taken effect.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/cancel", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn cancel(
    State(app): State<App>,
    Path(ns): Path<String>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.cancel_change(&name(&ns)?, request.statement).await)
}

/// Revokes a key of a namespace, at once. What it signed before stays.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/revocations", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Path(ns): Path<String>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.revoke_key(&name(&ns)?, request.statement).await)
}

/// Has the domain of a namespace asked which keys it vouches for. Anybody may; a domain is asked once a minute at most.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/proof", tag = "names",
    responses((status = 200, body = NamespaceResponse), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn proof(
    State(app): State<App>,
    Path(ns): Path<String>,
) -> Result<Json<NamespaceResponse>, Refusal> {
    Ok(view(app.registry.prove_domain(&name(&ns)?).await?))
}

/// Takes a release out of what `latest` and ranges mean, or puts it back. It still runs under its exact version.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/yank", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn yank(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.yank(&release(&ns, &name, &version)?, request.statement).await)
}

/// Stops a release from running, or lets it run again: by the operator's key, which can do nothing else.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/quarantine", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(crate) async fn quarantine(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.quarantine(&release(&ns, &name, &version)?, request.statement).await)
}

/// Makes a release cheaper: its terms change to others, under which nobody is worse off.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/terms", tag = "names", request_body = ActRequest,
    responses((status = 201, body = ActResponse), (status = 200, body = ActResponse), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn terms(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    Body(request): Body<ActRequest>,
) -> Acted {
    acted(app.registry.change_terms(&release(&ns, &name, &version)?, request.statement).await)
}

fn name(text: &str) -> Result<Namespace, Refusal> {
    Ok(text.parse()?)
}

fn release(namespace: &str, name: &str, version: &str) -> Result<ReleaseId, Refusal> {
    Ok(format!("{namespace}:{name}@{version}").parse()?)
}

fn acted(reply: Result<ActReply, ActError>) -> Acted {
    let reply = reply?;
    let status = if reply.new { StatusCode::CREATED } else { StatusCode::OK };
    let entry = String::from_utf8_lossy(&reply.entry).into_owned();
    Ok((status, Json(ActResponse { new: reply.new, entry, proof: reply.proof })))
}

fn view(view: NamespaceView) -> Json<NamespaceResponse> {
    let NamespaceView { namespace, state } = view;
    Json(NamespaceResponse {
        namespace: namespace.to_string(),
        next_sequence: state.sequence + 1,
        frozen: state.frozen_by().is_some(),
        policy: state.policy,
        pending: state
            .pending
            .map(|change| PendingResponse { effective_at: rfc3339(change.effective_ms), change }),
        revoked: state.revoked,
        proof: state.proof,
    })
}
