//! The routes of a witness: C2SP tlog-witness. They stand alone, or under `/witness` of a registry that watches others.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use glassbox_core::limits;
use glassbox_core::log::WitnessRefusal;
use glassbox_registry::{RegistryError, Retry, Witness, WitnessError};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::extract::read;
use crate::problem::{self, Refusal};

/// Returns the routes of a witness, without a prefix.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(witness: Arc<Witness>) -> Router<S> {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(checkpoint))
        .with_state(witness)
}

/// Serves a witness, and nothing else, until `stop` completes.
pub async fn serve_witness(
    listener: TcpListener,
    witness: Arc<Witness>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let key = witness.key().to_string();
    let app = Router::new()
        .route("/", get(move || async move { format!("{key}\n") }))
        .merge(routes(witness))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn(problem::too_slow))
        .layer(CatchPanicLayer::custom(problem::panicked));
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn add_checkpoint(
    State(witness): State<Arc<Witness>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Refusal> {
    // The state has one writer, and a request that trickles in must hold nothing: so the body is read first, in its time.
    let reading = read(&headers, body, limits::WITNESS_BODY_BYTES_MAX);
    let body = tokio::time::timeout(Duration::from_millis(limits::WITNESS_WAIT_MS_MAX), reading).await;
    let body = body.map_err(|_| {
        let detail = "the body did not arrive in time";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "request-timed-out", detail, "send it again")
            .retry(Retry::After(5))
    })??;
    match witness.add_checkpoint(&body).await {
        Ok(line) => Ok(text("text/plain; charset=utf-8", line).into_response()),
        Err(WitnessError::Refused(WitnessRefusal::Conflict(size))) => {
            Ok((StatusCode::CONFLICT, text("text/x.tlog.size", format!("{size}\n"))).into_response())
        }
        Err(WitnessError::Refused(refusal)) => Err(refused(&refusal)),
        Err(WitnessError::Store(error)) => Err(RegistryError::from(error).into()),
    }
}

async fn checkpoint(
    State(witness): State<Arc<Witness>>,
    Path(origin_hash): Path<String>,
) -> Result<Response, Refusal> {
    match witness.checkpoint(&origin_hash).await.map_err(RegistryError::from)? {
        Some(note) => Ok(text("text/plain; charset=utf-8", note).into_response()),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "checkpoint-not-found",
            "this witness never cosigned a checkpoint of that log",
            "ask by the SHA-256 of the log's name, in lower-case hexadecimal",
        )),
    }
}

fn text(media_type: &'static str, body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")], body)
}

fn refused(refusal: &WitnessRefusal) -> Refusal {
    let (status, code, next) = match refusal {
        WitnessRefusal::Malformed(_) | WitnessRefusal::Conflict(_) => {
            (StatusCode::BAD_REQUEST, "witness-request-invalid", "write it as C2SP tlog-witness says")
        }
        WitnessRefusal::NotSigned => (
            StatusCode::FORBIDDEN,
            "checkpoint-not-signed",
            "sign it with the key that the witness was told of",
        ),
        WitnessRefusal::UnknownLog(_) => {
            (StatusCode::NOT_FOUND, "log-unknown", "ask the witness's operator to watch this log")
        }
        WitnessRefusal::Inconsistent => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "log-inconsistent",
            "prove that the checkpoint continues the last one; if it does not, the log has forked",
        ),
    };
    Refusal::new(status, code, refusal.to_string(), next)
}
