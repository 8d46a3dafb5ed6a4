//! Health and metrics, for whoever operates the server.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::counts;

/// Tells whether the registry can read its store.
#[utoipa::path(get, path = "/healthz", tag = "operate",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503, body = String)))]
pub(crate) async fn healthz(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.registry.store().log_state().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

/// Returns the metrics of this process, in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operate",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics() -> String {
    counts::render()
}
