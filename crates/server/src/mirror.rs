//! Serving a copy of a registry, read-only, under the registry's own routes.
//!
//! The folder is what `glassbox mirror` wrote. Nothing is checked here but that requests stay within it: whoever reads
//! checks everything against the log's checkpoint, and would have to if this were the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use glassbox_api::{
    Descriptor, FunctionSummary, PackageResponse, ReleaseResponse, SearchResponse, SearchResult,
    StandingResponse,
};
use glassbox_core::log::{
    Change, Checkpoint, Entry, InclusionProof, LogFiles, ReadError, Standing, StandingProof, Tile, TlogProof,
    entries_of_bundle, map, open_checkpoint, prove_inclusion, tiles,
};
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageName, PackageRef, Version};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::extract::{Path, package as package_name, reference};
use crate::problem::{self, Refusal};
use crate::routes::log::no_such_entry;

/// A copy of a registry in a folder.
#[derive(Clone)]
pub struct MirrorSite(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    descriptor: Descriptor,
    index: RwLock<Arc<Index>>,
}

/// What the copy's checkpoint speaks of.
struct Index {
    note: String,
    checkpoint: Checkpoint,
    releases: BTreeMap<PackageName, BTreeMap<Version, Listed>>,
    /// What stands about everything that the log speaks of, and the map of it.
    standings: BTreeMap<String, Standing>,
    map: map::MemoryMap,
}

/// A release: the index of its entry, what its publisher signed, and how its terms were changed.
struct Listed {
    index: u64,
    release: Release,
    terms: Digest,
    terms_changes: Vec<u64>,
}

impl MirrorSite {
    /// Opens the copy in `folder`.
    pub fn open(folder: &FilePath) -> std::io::Result<Self> {
        let descriptor = std::fs::read(folder.join("registry.json"))?;
        let descriptor: Descriptor = serde_json::from_slice(&descriptor)?;
        let index = RwLock::new(Arc::new(Index::read(folder, &descriptor.log_key)?));
        Ok(Self(Arc::new(Inner { folder: folder.to_owned(), descriptor, index })))
    }

    /// Returns the registry whose copy it is.
    pub fn of(&self) -> &str {
        self.0.descriptor.mirror_of.as_deref().unwrap_or_default()
    }

    /// Returns how many entries the copy has.
    pub fn size(&self) -> u64 {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner).checkpoint.size
    }

    /// Returns what the checkpoint speaks of, read anew where the copy was brought up to date.
    async fn index(&self) -> Result<Arc<Index>, Refusal> {
        let inner = self.0.clone();
        let read = move || {
            let known = inner.index.read().unwrap_or_else(PoisonError::into_inner).clone();
            let note = std::fs::read_to_string(inner.folder.join("checkpoint"))?;
            if note == known.note {
                return Ok(known);
            }
            let index = Arc::new(Index::read(&inner.folder, &inner.descriptor.log_key)?);
            *inner.index.write().unwrap_or_else(PoisonError::into_inner) = index.clone();
            Ok(index)
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| damaged("the log"))?.map_err(
            |error: std::io::Error| {
                tracing::error!(%error, "The mirror's folder cannot be read");
                damaged("the log")
            },
        )
    }

    /// Returns a file of the folder; `None` where there is none.
    async fn file(&self, path: String) -> Result<Option<Vec<u8>>, Refusal> {
        let path = self.0.folder.join(path);
        let read = move || match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::OutOfMemory) => {
                Err(error)
            }
            // Also a path that names a folder, goes through a file, or is longer than any.
            Err(_) => Ok(None),
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|_| damaged("a file"))?;
        read.map_err(|error| {
            tracing::error!(%error, "The mirror's folder cannot be read");
            damaged("a file")
        })
    }
}

impl Index {
    fn read(folder: &FilePath, log_key: &str) -> std::io::Result<Self> {
        let odd = |what: &str| std::io::Error::new(ErrorKind::InvalidData, what.to_owned());
        let note = std::fs::read_to_string(folder.join("checkpoint"))?;
        let checkpoint =
            open_checkpoint(&note, log_key).map_err(|_| odd("the checkpoint is not the log's"))?;
        let mut releases = BTreeMap::<PackageName, BTreeMap<Version, Listed>>::new();
        let mut standings = BTreeMap::<String, Standing>::new();
        for tile in tiles(0, checkpoint.size) {
            let Some(range) = tile.entries() else { continue };
            let bundle = std::fs::read(folder.join(tile.to_string()))?;
            let entries = entries_of_bundle(&bundle).map_err(|_| odd("an entry bundle is damaged"))?;
            for (index, entry) in range.zip(entries) {
                if let Some(change) = Change::of(&entry) {
                    let before = standings.remove(&change.about);
                    standings.insert(change.about.clone(), Standing::after(before, &change));
                }
                if let Some((release, _)) = Entry::release(&entry) {
                    let (id, terms) = (release.release.clone(), release.terms);
                    let listed = Listed { index, release, terms, terms_changes: Vec::new() };
                    releases.entry(id.package).or_default().insert(id.version, listed);
                } else if let Some(change) = Entry::terms_change(&entry)
                    && let Some(versions) = releases.get_mut(&change.release.package)
                    && let Some(listed) = versions.get_mut(&change.release.version)
                {
                    listed.terms = change.digest();
                    listed.terms_changes.push(index);
                }
            }
        }
        let mut map = map::MemoryMap::default();
        map.update(
            &standings.iter().map(|(about, standing)| (Digest::of(about), standing.digest())).collect(),
        );
        Ok(Self { note, checkpoint, releases, standings, map })
    }

    fn package(&self, name: &PackageName) -> Result<&BTreeMap<Version, Listed>, Refusal> {
        self.releases.get(name).ok_or_else(|| {
            let detail = format!("there is no package `{name}` in this copy");
            Refusal::new(StatusCode::NOT_FOUND, "package-not-found", detail, "ask the registry itself")
        })
    }

    /// Returns what the bare name of a package means.
    fn newest(&self, name: &PackageName) -> Option<&Listed> {
        let latest = self.standings.get(&name.to_string())?.latest.as_ref()?;
        self.releases.get(name)?.get(latest)
    }

    fn release(&self, reference: &PackageRef) -> Result<&Listed, Refusal> {
        let versions = self.package(&reference.package)?;
        let found = match &reference.version {
            Some(version) => versions.get(version),
            None => self.newest(&reference.package),
        };
        found.ok_or_else(|| {
            let detail = format!("there is no release `{reference}` in this copy");
            Refusal::new(StatusCode::NOT_FOUND, "release-not-found", detail, "ask the registry itself")
        })
    }
}

/// Serves a copy until `stop` completes.
pub async fn serve_mirror(
    listener: TcpListener,
    site: MirrorSite,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let releases = "/v1/packages/{ns}/{name}/{version}";
    let app = Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/v1/log/proof/{index}", get(proof))
        .route("/v1/log/standing/{about}", get(standing))
        .route("/v1/registry", get(descriptor))
        .route("/v1/packages", get(packages))
        .route("/v1/packages/{ns}/{name}", get(package))
        .route(releases, get(release))
        .route(&format!("{releases}/manifest"), get(manifest))
        .route(&format!("{releases}/component"), get(component))
        .route(&format!("{releases}/{{layer}}"), get(layer))
        .fallback(read_only)
        .method_not_allowed_fallback(read_only)
        .layer(middleware::from_fn(problem::too_slow))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(site);
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn checkpoint(State(site): State<MirrorSite>) -> Result<Response, Refusal> {
    // The one that the index is of, so that what a reader asks for next is there.
    let index = site.index().await?;
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")], index.note.clone())
        .into_response())
}

async fn tile(State(site): State<MirrorSite>, uri: Uri) -> Result<Response, Refusal> {
    // As it was sent: a path has one spelling, and whatever is percent-encoded is another.
    let file = match uri.path().trim_start_matches('/').parse::<Tile>() {
        Ok(tile) => site.file(tile.to_string()).await?,
        Err(_) => None,
    };
    match file {
        Some(bytes) => Ok(bytes_response(bytes)),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "tile-not-found",
            "the log has no such file",
            "read /checkpoint for its size; see C2SP tlog-tiles for the paths",
        )),
    }
}

async fn proof(State(site): State<MirrorSite>, Path(index): Path<u64>) -> Result<Response, Refusal> {
    let known = site.index().await?;
    let size = known.checkpoint.size;
    let holds = |tile: &Tile| tile.entries().is_some_and(|range| range.contains(&index));
    let tile = tiles(0, size).into_iter().find(holds).ok_or_else(no_such_entry)?;
    let bundle = site.file(tile.to_string()).await?.ok_or_else(|| damaged("an entry bundle"))?;
    let entries = entries_of_bundle(&bundle).map_err(|_| damaged("an entry bundle"))?;
    let place = tile.entries().map_or(0, |range| index - range.start);
    let entry = entries.into_iter().nth(place as usize);
    let entry = entry.ok_or_else(|| damaged("an entry bundle"))?;
    let mut files = LogFiles::new();
    let hashes = loop {
        match prove_inclusion(index, &known.checkpoint, &files) {
            Ok(hashes) => break hashes,
            Err(ReadError::Refused(_)) => return Err(damaged("a tile")),
            Err(ReadError::Missing(paths)) => {
                for path in paths {
                    let bytes = site.file(path.clone()).await?.ok_or_else(|| damaged("a tile"))?;
                    files.insert(path, bytes);
                }
            }
        }
    };
    let proof = InclusionProof { index, hashes, checkpoint: known.note.clone() };
    let text = TlogProof { extra: Some(entry), proof }.to_text();
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")], text).into_response())
}

async fn standing(
    State(site): State<MirrorSite>,
    Path(about): Path<String>,
) -> Result<Json<StandingResponse>, Refusal> {
    let index = site.index().await?;
    let Ok(proof) = map::prove(&index.map, Digest::of(&about));
    let standing = index.standings.get(&about).cloned();
    Ok(Json(StandingProof { about, standing, proof, checkpoint: index.note.clone() }.into()))
}

async fn descriptor(State(site): State<MirrorSite>) -> Json<Descriptor> {
    Json(site.0.descriptor.clone())
}

async fn packages(State(site): State<MirrorSite>) -> Result<Json<SearchResponse>, Refusal> {
    let index = site.index().await?;
    let mut results = Vec::new();
    for listed in index.releases.keys().filter_map(|name| index.newest(name)) {
        results.push(listing(page(&site, listed).await?, listed));
    }
    Ok(Json(SearchResponse { results }))
}

fn listing(page: ReleaseResponse, listed: &Listed) -> SearchResult {
    let summary = |function: glassbox_api::FunctionResponse| FunctionSummary {
        name: function.name,
        signature: function.signature,
        price: function.price,
    };
    SearchResult {
        package: listed.release.release.package.to_string(),
        version: listed.release.release.version.to_string(),
        description: page.description,
        functions: page.functions.into_iter().map(summary).collect(),
        pure: page.pure,
        tests_passed: page.tests.passed,
        payers_organic: None,
        matched: Vec::new(),
    }
}

async fn package(
    State(site): State<MirrorSite>,
    Path((ns, name)): Path<(String, String)>,
) -> Result<Json<PackageResponse>, Refusal> {
    let (index, name) = (site.index().await?, package_name(&ns, &name)?);
    let versions = index.package(&name)?;
    let owner = match versions.values().next() {
        Some(first) => page(&site, first).await?.publisher,
        None => String::new(),
    };
    let versions = versions.keys().rev().map(Version::to_string).collect();
    let package = name.to_string();
    let standing = index.standings.get(&package);
    let texts = |set: Option<&BTreeSet<Version>>| set.into_iter().flatten().map(Version::to_string).collect();
    let yanked = texts(standing.map(|standing| &standing.yanked));
    let quarantined = texts(standing.map(|standing| &standing.quarantined));
    Ok(Json(PackageResponse { package, owner, versions, yanked, quarantined }))
}

/// Path of a release.
type ReleasePath = Path<(String, String, String)>;

async fn release(
    State(site): State<MirrorSite>,
    Path((ns, name, version)): ReleasePath,
) -> Result<Json<ReleaseResponse>, Refusal> {
    let index = site.index().await?;
    Ok(Json(page(&site, index.release(&reference(&ns, &name, &version)?)?).await?))
}

async fn page(site: &MirrorSite, listed: &Listed) -> Result<ReleaseResponse, Refusal> {
    let bytes = site.file(format!("pages/{}.json", listed.index)).await?;
    let page: Option<ReleaseResponse> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let page = page.ok_or_else(|| damaged("a page"))?;
    // What leads a reader to the terms is of the log that is here: the page may be of a moment later.
    let (terms, terms_changes) = (listed.terms.to_string(), listed.terms_changes.clone());
    Ok(ReleaseResponse { terms, terms_changes, ..page })
}

async fn manifest(
    State(site): State<MirrorSite>,
    Path((ns, name, version)): ReleasePath,
) -> Result<Response, Refusal> {
    let index = site.index().await?;
    let digest = index.release(&reference(&ns, &name, &version)?)?.release.manifest;
    let bytes = site.file(format!("objects/{}", digest.hex())).await?.ok_or_else(|| damaged("a manifest"))?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], bytes).into_response())
}

async fn component(
    State(site): State<MirrorSite>,
    Path((ns, name, version)): ReleasePath,
) -> Result<Response, Refusal> {
    let index = site.index().await?;
    let digest = index.release(&reference(&ns, &name, &version)?)?.release.component;
    match site.file(format!("objects/{}", digest.hex())).await? {
        Some(bytes) => Ok(bytes_response(bytes)),
        None => Err(not_copied(&site, "the component")),
    }
}

async fn layer(
    State(site): State<MirrorSite>,
    Path((ns, name, version, layer)): Path<(String, String, String, String)>,
) -> Result<Response, Refusal> {
    let index = site.index().await?;
    let release = &index.release(&reference(&ns, &name, &version)?)?.release;
    let digest = match layer.as_str() {
        "wit" => Some(release.wit),
        "tests" => Some(release.tests),
        "source" => release.source,
        "files" => release.files,
        _ => None,
    };
    let digest = digest.ok_or_else(|| not_copied(&site, "that"))?;
    match site.file(format!("files/{}.json", digest.hex())).await? {
        Some(bytes) => Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response()),
        None => Err(not_copied(&site, "the files")),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn bytes_response(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

fn not_copied(site: &MirrorSite, what: &str) -> Refusal {
    let detail =
        format!("this copy has not {what}: its terms do not let everybody have it, or there is none");
    let next = format!("ask {}", site.of());
    Refusal::new(StatusCode::NOT_FOUND, "not-mirrored", detail, next)
}

async fn read_only(State(site): State<MirrorSite>, _: Request) -> Refusal {
    let detail = format!("this is a copy of {}, for reading alone", site.of());
    let next = format!("search, call and publish at {}", site.of());
    Refusal::new(StatusCode::NOT_FOUND, "mirror-read-only", detail, next)
}

/// The folder is not what was written. The cause is the operator's to read.
fn damaged(what: &str) -> Refusal {
    let detail = format!("{what} of this copy cannot be read");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "mirror-damaged",
        detail,
        "run `glassbox mirror` again, which mends it, or ask the registry itself",
    )
}
