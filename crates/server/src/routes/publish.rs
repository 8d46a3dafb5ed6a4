//! Publishing.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::{File, Problem, PublishRequest, PublishResponse};
use glassbox_core::files::Files;
use glassbox_core::limits;
use glassbox_registry::{PackageFiles, PublishError, Retry};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::convert;
use crate::extract::Body;
use crate::problem::Refusal;

/// Publishes a release: checks it, runs its tests, and appends it to the log.
///
/// The very same release again is a no-op and answers 200; other contents under the same version answer 409.
#[utoipa::path(post, path = "/v1/publish", tag = "publish", request_body = PublishRequest,
    responses((status = 201, body = PublishResponse), (status = 200, body = PublishResponse),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
              (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn publish(
    State(app): State<App>,
    place: Place,
    Body(request): PublishBody,
) -> Result<(StatusCode, Json<PublishResponse>), Refusal> {
    let decode = |text: String| {
        STANDARD.decode(text).map_err(|error| invalid(format!("a component is not base64: {error}")))
    };
    let edition = |(name, text)| Ok((name, decode(text)?));
    let text = limits::TEXT_FILE_BYTES_MAX;
    let package = PackageFiles {
        manifest: request.manifest,
        wit: files(request.wit, text)?,
        tests: files(request.tests, text)?,
        component: decode(request.component)?,
        editions: request.editions.into_iter().map(edition).collect::<Result<_, Refusal>>()?,
        documents: files(request.documents, limits::DOCUMENTS_BYTES_MAX)?,
        files: request.files.map(|shipped| files(shipped, limits::RELEASE_FILES_BYTES_MAX)).transpose()?,
        source: request.source.map(|source| files(source, text)).transpose()?,
    };
    // On a task of its own, with its place: a publisher who hangs up must not leave work behind that nobody counts.
    let publishing = tokio::spawn(async move {
        let _place = place;
        app.registry.publish(package, request.statement).await
    });
    let reply = publishing.await.map_err(|_| PublishError::Worker)??;
    let status = if reply.new { StatusCode::CREATED } else { StatusCode::OK };
    let response = PublishResponse {
        release: reply.release.to_string(),
        new: reply.new,
        component: reply.component.to_string(),
        tests: convert::tests(&reply.report, None),
        entry: String::from_utf8_lossy(&reply.entry).into_owned(),
        proof: reply.proof,
        held: reply.held.map(convert::held),
    };
    Ok((status, Json(response)))
}

/// Reads a layer whose files have at most `max_bytes` bytes each.
fn files(files: Vec<File>, max_bytes: usize) -> Result<Files, Refusal> {
    let file = |file: File| match (file.text, file.base64) {
        (Some(text), None) => Ok((file.path, text.into_bytes())),
        (None, Some(base64)) => match STANDARD.decode(base64) {
            Ok(bytes) => Ok((file.path, bytes)),
            Err(error) => Err(invalid(format!("`{}` is not base64: {error}", file.path))),
        },
        _ => Err(invalid(format!("`{}` needs exactly one of `text` and `base64`", file.path))),
    };
    let files = files.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
    Ok(Files::within(max_bytes, files).map_err(PublishError::from)?)
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "body-invalid", detail, "send it as /openapi.json describes it")
}

/// The body of a publish is larger than that of any other request.
type PublishBody = Body<PublishRequest, { limits::PUBLISH_BODY_BYTES_MAX }>;

/// A place to publish in. As an extractor it is taken before the body is read, so a crowd waits without its bodies.
pub(crate) struct Place {
    /// Given back when the response is made.
    _permit: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Place {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let patience = Duration::from_millis(limits::PUBLISH_WAIT_MS_MAX);
        match tokio::time::timeout(patience, app.publishes().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Self { _permit: permit }),
            // Out of patience; the semaphore itself is never closed.
            Err(_) | Ok(Err(_)) => {
                let detail = "enough releases are being published right now";
                let refusal = Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "busy",
                    detail,
                    "publish again in a moment",
                );
                Err(refusal.retry(Retry::After(2)))
            }
        }
    }
}
