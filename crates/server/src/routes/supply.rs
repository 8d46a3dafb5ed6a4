//! What a release is made of.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use glassbox_api::{MadeOf, MadeOfResponse, Problem};
use glassbox_core::sbom::Sbom;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Path, Query, reference};
use crate::problem::Refusal;

/// Path of a release.
type ReleasePath = Path<(String, String, String)>;

/// Returns what the component says that it is made of, as CycloneDX 1.6. Nobody has checked that it is all, nor that it is
/// true; where the toolchain left nothing behind, it is empty.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/sbom", tag = "find",
    responses((status = 200, body = serde_json::Value, content_type = "application/vnd.cyclonedx+json"),
              (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn sbom(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
) -> Result<impl IntoResponse, Refusal> {
    let (row, sbom) = app.registry.sbom(&reference(&ns, &name, &version)?).await?;
    Ok(([(header::CONTENT_TYPE, Sbom::MEDIA_TYPE)], Json(sbom.to_cyclonedx(&row.id, &row.component))))
}

/// Which package.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct MadeOfQuery {
    /// The name of a package that releases may be made of, such as `serde_json`.
    package: String,
    /// Its version; any when absent.
    version: Option<String>,
}

/// Returns the releases that a package went into, by their names, at most a thousand.
#[utoipa::path(get, path = "/v1/sboms", tag = "find", params(MadeOfQuery),
    responses((status = 200, body = MadeOfResponse), (status = 400, body = Problem)))]
pub(crate) async fn made_of(
    State(app): State<App>,
    Query(query): Query<MadeOfQuery>,
) -> Result<Json<MadeOfResponse>, Refusal> {
    let found = app.registry.releases_made_of(&query.package, query.version.as_deref()).await?;
    let made = found.into_iter().map(|within| MadeOf {
        release: within.release.to_string(),
        version: within.version,
        source: within.source,
    });
    Ok(Json(MadeOfResponse { releases: made.collect() }))
}
