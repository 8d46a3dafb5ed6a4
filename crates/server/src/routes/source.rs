//! The source: in bulk for programs, on the terms that it has for them; a page at a time for whoever reads it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use glassbox_api::{FilesResponse, Problem};
use glassbox_core::PackageRef;
use serde::Deserialize;
use utoipa::IntoParams;

use super::download::{request, respond};
use super::find::with_usage;
use crate::app::App;
use crate::convert;
use crate::extract::{Head, Path, Query, reference};
use crate::pages;
use crate::problem::Refusal;

/// What of a source is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceQuery {
    /// One file, as a page for people; all of their names when empty.
    file: Option<String>,
}

/// Returns the source files, where they are published, on the terms that they have for machines: for nothing, for a price as
/// with a download, with a licence, or not at all. With `file`, a page of one of them for people, always for nothing.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/source", tag = "find",
    params(SourceQuery,
           ("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload"),
           ("SIGN-IN-WITH-X" = Option<String>, Header, description = "base64 of the answered challenge of the 402"),
           ("Authorization" = Option<String>, Header, description = "`License` with base64 of a signed licence")),
    responses((status = 200, body = FilesResponse), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 403, body = Problem, description = "it takes a licence, or machines have it not at all"),
              (status = 503, body = Problem, description = "read too fast, by everybody together")))]
pub(crate) async fn source(
    State(app): State<App>,
    Path(path): Path<(String, String, String)>,
    Query(query): Query<SourceQuery>,
    head: Head,
) -> Result<Response, Refusal> {
    let release = reference(&path.0, &path.1, &path.2)?;
    if let Some(file) = query.file {
        return page(&app, &release, &file).await;
    }
    let source = app.registry.source(request(&app, &path, &head).await?).await?;
    let response = respond(Json::<FilesResponse>(convert::files(&source.content)), &source.access);
    with_usage(&app, &release, response).await
}

async fn page(app: &App, release: &PackageRef, name: &str) -> Result<Response, Refusal> {
    let (id, files) = app.registry.source_to_read(release).await?;
    let live = app.registry.live(release).await?;
    let license = live.source_license(app.registry.today());
    let response = match files.iter().find(|(path, _)| *path == name) {
        Some((_, bytes)) => pages::source::file(&id, license, name, &String::from_utf8_lossy(bytes)),
        None if name.is_empty() => pages::source::index(&id, license, &files),
        None => {
            let detail = "the source has no such file";
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "file-not-found",
                detail,
                "ask with an empty `file`",
            ));
        }
    };
    with_usage(app, release, response).await
}
