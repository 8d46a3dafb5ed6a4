//! What a release is made of, and what others say of it.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use glassbox_api::{ActRequest, AttestationResponse, AttestationsResponse, MadeOf, MadeOfResponse, Problem};
use glassbox_core::dsse::Envelope;
use glassbox_core::limits;
use glassbox_core::sbom::Sbom;
use glassbox_registry::AttestationView;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Body, Path, Query, reference};
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
#[into_params(parameter_in = Query)]
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

/// Returns what others say of a release, oldest first: how it was built, and that building it again gave the same bytes.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/attestations", tag = "find",
    responses((status = 200, body = AttestationsResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn attestations(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
) -> Result<Json<AttestationsResponse>, Refusal> {
    let views = app.registry.attestations(&reference(&ns, &name, &version)?).await?;
    Ok(Json(AttestationsResponse { attestations: views.into_iter().map(attestation).collect() }))
}

/// The body of an attestation.
type AttestBody = Body<Envelope, { 2 * limits::ATTESTATION_BYTES_MAX }>;

/// Keeps what somebody says of a release, in an in-toto statement over its component: SLSA provenance v1 by its publisher,
/// or a verification result with the property `GLASSBOX_REBUILT` by anybody. The same again answers 200.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/attestations", tag = "publish",
    request_body = serde_json::Value,
    responses((status = 201, body = AttestationResponse), (status = 200, body = AttestationResponse),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn attest(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    Body(envelope): AttestBody,
) -> Result<(StatusCode, Json<AttestationResponse>), Refusal> {
    let (view, new) = app.registry.attest(&reference(&ns, &name, &version)?, envelope).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(attestation(view))))
}

fn attestation(view: AttestationView) -> AttestationResponse {
    AttestationResponse {
        id: view.row.id.to_string(),
        kind: view.row.kind,
        signer: view.row.signer,
        by_publisher: view.by_publisher,
        means: view.means.into(),
        received_at: glassbox_registry::rfc3339(view.row.created_at),
        statement: view.row.envelope,
    }
}

/// Lets a held release go before its time: takes the statement of a second key of its namespace.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/confirm", tag = "publish",
    request_body = ActRequest,
    responses((status = 204, description = "names resolve to it, and it runs"), (status = 400, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(crate) async fn confirm(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    Body(request): Body<ActRequest, { 2 * limits::ATTESTATION_BYTES_MAX }>,
) -> Result<StatusCode, Refusal> {
    app.registry.confirm(&reference(&ns, &name, &version)?, request.statement).await?;
    Ok(StatusCode::NO_CONTENT)
}
