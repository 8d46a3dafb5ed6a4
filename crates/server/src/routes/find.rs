//! Everything that is free and public.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{
    Descriptor, FilesResponse, PackageResponse, PaymentDescriptor, Problem, ReleaseResponse, SearchQuery,
    SearchResponse, SearchResult,
};
use glassbox_core::PackageRef;
use glassbox_core::profile::Profile;
use glassbox_registry::{Filter, Marks, Registry, ReleaseFile};

use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::convert;
use crate::discovery::text;
use crate::extract::{Path, Query, package as package_name, reference};
use crate::mcp::read_release;
use crate::problem::Refusal;
use crate::routes::money::dollars;

/// Path of a release.
type ReleasePath = Path<(String, String, String)>;

/// Returns who this registry is: its keys, its log, and where money goes.
#[utoipa::path(get, path = "/v1/registry", tag = "find", responses((status = 200, body = Descriptor)))]
pub(crate) async fn descriptor(State(app): State<App>) -> Json<Descriptor> {
    let rail = app.registry.rail();
    Json(Descriptor {
        software: concat!("glassbox ", env!("CARGO_PKG_VERSION")).into(),
        executor: app.registry.executor().to_string(),
        operator: app.registry.operator().to_string(),
        log_key: app.registry.log_verifier_key(),
        witness_key: app.options.witness.as_ref().map(|witness| witness.key().to_string()),
        mirror_of: None,
        profile: Profile::current().digest().to_string(),
        fee_bps: app.registry.config().fee_bps,
        commons: app.registry.config().commons.clone(),
        payment: PaymentDescriptor {
            label: rail.label().into(),
            schemes: rail.schemes().iter().map(|scheme| scheme.as_str().to_owned()).collect(),
            network: rail.network().to_string(),
            asset: rail.asset().to_string(),
            pay_to: rail.treasury().to_string(),
            faucet: app.options.devnet.is_some(),
        },
    })
}

/// Finds the packages that fit best. With `Accept: text/markdown` as text, as the other pages of packages are.
#[utoipa::path(get, path = "/v1/search", tag = "find", params(SearchQuery),
    responses((status = 200, body = SearchResponse), (status = 400, body = Problem)))]
pub(crate) async fn search(
    State(app): State<App>,
    Query(query): Query<SearchQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let found = find(&app.registry, query).await?;
    Ok(list(&headers, found.results))
}

/// Answers a query, however it came.
pub(crate) async fn find(registry: &Registry, query: SearchQuery) -> Result<SearchResponse, Refusal> {
    let SearchQuery { q, limit, interface, pure, max_price } = query;
    let amount_max = max_price.as_deref().map(dollars).transpose()?;
    let found = registry.search(&q, Filter { interface, pure, amount_max }, limit.unwrap_or(10)).await?;
    Ok(SearchResponse { results: found.into_iter().map(convert::result).collect() })
}

fn list(headers: &HeaderMap, results: Vec<SearchResult>) -> Response {
    match text::wants_markdown(headers) {
        true => text::markdown(text::results(&results)),
        false => Json(SearchResponse { results }).into_response(),
    }
}

/// Lists all packages with their newest releases, by name.
#[utoipa::path(get, path = "/v1/packages", tag = "find", responses((status = 200, body = SearchResponse)))]
pub(crate) async fn packages(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    let packages = app.registry.packages().await?;
    Ok(list(&headers, packages.into_iter().map(convert::listed).collect()))
}

/// Returns a package and its versions.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}", tag = "find",
    responses((status = 200, body = PackageResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn package(
    State(app): State<App>,
    Path((ns, name)): Path<(String, String)>,
) -> Result<Json<PackageResponse>, Refusal> {
    let name = package_name(&ns, &name)?;
    let row = app.registry.package(&name).await?;
    let namespace = app.registry.namespace(&name.in_namespace()).await?;
    let marked = |is: fn(&Marks) -> bool| {
        row.marked.iter().filter(|(_, marks)| is(marks)).map(|(version, _)| version.to_string()).collect()
    };
    Ok(Json(PackageResponse {
        package: row.name.to_string(),
        owner: namespace.state.policy.controllers.first().map(ToString::to_string).unwrap_or_default(),
        versions: row.versions.iter().map(ToString::to_string).collect(),
        yanked: marked(|marks| marks.yank.set),
        quarantined: marked(|marks| marks.quarantine.set),
    }))
}

/// Returns everything public of a release, but its files. `latest` names the newest version.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}", tag = "find",
    responses((status = 200, body = ReleaseResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn release(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let release = read_release(&app.registry, &reference(&ns, &name, &version)?).await?;
    Ok(match text::wants_markdown(&headers) {
        true => text::markdown(text::release(&release)),
        false => Json(release).into_response(),
    })
}

/// Returns the manifest, as it was published.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/manifest", tag = "find",
    responses((status = 200, body = String, content_type = "application/toml"),
              (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn manifest(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
) -> Result<impl IntoResponse, Refusal> {
    let view = app.registry.release(&reference(&ns, &name, &version)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], view.row.manifest))
}

/// Which document is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentQuery {
    /// Its path, as the manifest has it.
    pub(crate) path: String,
}

/// Returns a document that the manifest names: the licence's text, the README, a list of parts or of known holes.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/documents", tag = "find", params(DocumentQuery),
    responses((status = 200, body = Vec<u8>, content_type = "text/plain"),
              (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn document(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    Query(query): Query<DocumentQuery>,
) -> Result<Response, Refusal> {
    let reference = reference(&ns, &name, &version)?;
    let (_, bytes) = app.registry.document(&reference, &query.path).await?;
    with_usage(&app, &reference, document_response(bytes)).await
}

/// Answers with a document: a stranger wrote it, so it is text, whatever it says that it is.
pub(crate) fn document_response(bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    (headers, bytes).into_response()
}

/// See the drafts `ietf-aipref-attach` and `ietf-aipref-vocab`.
const CONTENT_USAGE: HeaderName = HeaderName::from_static("content-usage");

async fn layer(app: &App, path: (String, String, String), file: ReleaseFile) -> Result<Response, Refusal> {
    let reference = reference(&path.0, &path.1, &path.2)?;
    let files = app.registry.files(&reference, file).await?;
    with_usage(app, &reference, Json(convert::files(&files)).into_response()).await
}

/// Adds what the publisher says of training and searching, which goes with every text.
pub(super) async fn with_usage(
    app: &App,
    reference: &PackageRef,
    mut response: Response,
) -> Result<Response, Refusal> {
    if let Some(usage) = &app.registry.live(reference).await?.manifest.usage
        && let Ok(usage) = HeaderValue::from_str(&usage.to_header())
        && !usage.is_empty()
    {
        response.headers_mut().insert(CONTENT_USAGE, usage);
    }
    Ok(response)
}

/// Returns the WIT files.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/wit", tag = "find",
    responses((status = 200, body = FilesResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn wit(State(app): State<App>, Path(path): ReleasePath) -> Result<Response, Refusal> {
    layer(&app, path, ReleaseFile::Wit).await
}

/// Returns the test files.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/tests", tag = "find",
    responses((status = 200, body = FilesResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn tests(State(app): State<App>, Path(path): ReleasePath) -> Result<Response, Refusal> {
    layer(&app, path, ReleaseFile::Tests).await
}
