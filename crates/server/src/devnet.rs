//! The devnet alone: a node's JSON-RPC, a faucet, and a facilitator for any x402 server, without a registry.

use axum::body::Body as Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use glassbox_api::{BalanceResponse, FaucetRequest};
use glassbox_core::limits;
use glassbox_pay::facilitator_api::{self, Answer};
use glassbox_pay::{Devnet, Scheme, devnet};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::extract::{Body, read};
use crate::problem::{self, Refusal};
use crate::routes::money::fund;

/// Serves a devnet at `/` until `stop` completes.
pub async fn serve_devnet(
    listener: TcpListener,
    devnet: Devnet,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", post(json_rpc))
        .route("/faucet", post(faucet))
        .route("/verify", post(verify))
        .route("/settle", post(settle))
        .route("/supported", get(supported))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(devnet);
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn json_rpc(
    State(devnet): State<Devnet>,
    request: Request<Bytes>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, limits::JSON_RPC_BYTES_MAX).await?;
    Ok(Json(devnet.json_rpc(&body).await))
}

async fn verify(State(devnet): State<Devnet>, request: Request<Bytes>) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, limits::FACILITATOR_BODY_BYTES_MAX).await?;
    Ok(respond(facilitator_api::verify(&devnet.facilitator(), &body).await))
}

async fn settle(State(devnet): State<Devnet>, request: Request<Bytes>) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, limits::FACILITATOR_BODY_BYTES_MAX).await?;
    Ok(respond(facilitator_api::settle(&devnet.facilitator(), &body).await))
}

/// Says what is settled for others. No channels: they are claimed by the key of who is paid, which nobody shows here.
async fn supported(State(devnet): State<Devnet>) -> Response {
    let mut answer = facilitator_api::supported(&devnet.facilitator());
    if let Some(kinds) = answer.body["kinds"].as_array_mut() {
        kinds.retain(|kind| kind["scheme"] != Scheme::Batch.as_str());
    }
    respond(answer)
}

fn respond(Answer { status, body }: Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

async fn faucet(
    State(chain): State<Devnet>,
    Body(request): Body<FaucetRequest>,
) -> Result<Json<BalanceResponse>, Refusal> {
    let address = fund(&chain, &request).await?;
    let balance = chain.balance(address).await.map_err(glassbox_registry::RegistryError::from)?;
    Ok(Json(BalanceResponse {
        address: address.to_string(),
        balance: balance.into(),
        label: devnet::LABEL.into(),
    }))
}
