//! The transparency log: static files, C2SP tlog-tiles, which a CDN could serve; and lookups in its map.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{Problem, StandingResponse};
use glassbox_core::log::TlogProof;
use glassbox_registry::RegistryError;

use crate::app::App;
use crate::extract::Path;
use crate::problem::Refusal;

/// Returns the newest signed checkpoint.
#[utoipa::path(get, path = "/checkpoint", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn checkpoint(State(app): State<App>) -> Result<Response, Refusal> {
    file(&app, "checkpoint".into(), "text/plain; charset=utf-8", "no-cache").await
}

/// Returns a tile or an entry bundle: `/tile/{level}/{index}` or `/tile/entries/{index}`.
#[utoipa::path(get, path = "/tile/{*path}", tag = "log",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
              (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn tile(
    State(app): State<App>,
    Path(_): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    // As it was sent: a path has one spelling, and whatever is percent-encoded is another.
    let path = uri.path().trim_start_matches('/').to_owned();
    // A tile never changes once it is there, a partial one included: it is another file when it grows.
    file(&app, path, "application/octet-stream", "public, max-age=31536000, immutable").await
}

/// Returns an entry with the proof that the log has it, as one text file: C2SP tlog-proof, with the entry as extra data.
#[utoipa::path(get, path = "/v1/log/proof/{index}", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem)))]
pub(crate) async fn proof(State(app): State<App>, Path(index): Path<u64>) -> Result<Response, Refusal> {
    let proved = app.registry.store().prove_entry(index).await.map_err(RegistryError::from)?;
    let (entry, proof) = proved.ok_or_else(no_such_entry)?;
    let text = TlogProof { extra: Some(entry), proof }.to_text();
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, text).into_response())
}

pub(crate) fn no_such_entry() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "entry-not-found",
        "the log has no such entry",
        "entries are counted from 0; the second line of /checkpoint says how many there are",
    )
}

/// Returns what stands about a package, a namespace or an executor, with the proof that nothing newer was logged.
#[utoipa::path(get, path = "/v1/log/standing/{about}", tag = "log",
    params(("about" = String, Path, description = "`ns:name`, `ns`, or the `did:key` of an executor")),
    responses((status = 200, body = StandingResponse), (status = 400, body = Problem)))]
pub(crate) async fn standing(State(app): State<App>, Path(about): Path<String>) -> Result<Response, Refusal> {
    let proof = app.registry.standing(&about).await?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(StandingResponse::from(proof))).into_response())
}

async fn file(
    app: &App,
    path: String,
    media_type: &'static str,
    cache: &'static str,
) -> Result<Response, Refusal> {
    match app.registry.store().log_file(&path).await.map_err(RegistryError::from)? {
        Some(bytes) => {
            Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, cache)], bytes).into_response())
        }
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "tile-not-found",
            "the log has no such file",
            "read /checkpoint for its size; see C2SP tlog-tiles for the paths",
        )),
    }
}
