//! The devnet alone: a node's JSON-RPC and a faucet, without a registry.

use axum::body::Body as Bytes;
use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use glassbox_api::{BalanceResponse, FaucetRequest};
use glassbox_core::limits;
use glassbox_pay::{Devnet, devnet};
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
