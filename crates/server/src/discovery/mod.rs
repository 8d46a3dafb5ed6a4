//! What finds a registry and what it has: catalogues, indexes and texts, all written from one model.
//!
//! [`Capability`] is the model: a package at its newest version. Whatever is shown of it elsewhere is derived from it here,
//! so that no two documents disagree.

pub(crate) mod ard;
pub(crate) mod listing;
pub(crate) mod openapi;
pub(crate) mod problems;
pub(crate) mod text;
pub(crate) mod usage;
pub(crate) mod wellknown;

use axum::http::Uri;
use axum::response::IntoResponse;
use glassbox_core::manifest::Manifest;
use glassbox_registry::{FunctionListing, Listing, Registry, RegistryError, ReleaseView};

/// The media type of a capability of ours, where a catalogue asks for one.
pub(crate) const CAPABILITY_MEDIA_TYPE: &str = "application/vnd.glassbox.capability+json";

/// How many capabilities a document lists that nobody asked a question for.
pub(crate) const LISTED_MAX: usize = 1_000;

/// A package at its newest version.
pub(crate) struct Capability {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) listing: Listing,
    /// Sentences that somebody in need of it would type, in the publisher's words.
    pub(crate) queries: Vec<String>,
    pub(crate) publisher: String,
    pub(crate) published_at: String,
    pub(crate) tests_passed: usize,
}

impl Capability {
    pub(crate) fn of(view: ReleaseView) -> Self {
        let ReleaseView { row, listing, report, .. } = view;
        let manifest = Manifest::read(&row.manifest);
        let queries = manifest.map(|manifest| manifest.package.representative_queries).unwrap_or_default();
        Self {
            namespace: row.id.package.namespace().to_owned(),
            name: row.id.package.name().to_owned(),
            version: row.id.version.to_string(),
            listing,
            queries,
            publisher: row.publisher,
            published_at: glassbox_registry::rfc3339(row.published_at),
            tests_passed: report.passed,
        }
    }

    /// Returns all there are, by name, up to a bound.
    pub(crate) async fn all(registry: &Registry) -> Result<Vec<Self>, RegistryError> {
        Ok(registry.packages().await?.into_iter().take(LISTED_MAX).map(Self::of).collect())
    }

    pub(crate) fn id(&self) -> String {
        format!("{}:{}@{}", self.namespace, self.name, self.version)
    }

    /// Returns where everything about it is.
    pub(crate) fn url(&self, base: &str) -> String {
        format!("{base}/v1/packages/{}/{}/{}", self.namespace, self.name, self.version)
    }

    /// Returns where its functions are tools.
    pub(crate) fn mcp_url(&self, base: &str) -> String {
        format!("{base}/mcp/c/{}/{}@{}", self.namespace, self.name, self.version)
    }

    /// Returns where a function is called.
    pub(crate) fn call_url(&self, base: &str, function: &FunctionListing) -> String {
        let Self { namespace, name, version, .. } = self;
        format!("{base}/v1/call/{namespace}/{name}/{version}/{}", function.name.short())
    }

    /// Returns the functions that can be called by value.
    pub(crate) fn callable(&self) -> impl Iterator<Item = &FunctionListing> {
        self.listing.functions.iter().filter(|function| function.not_callable.is_none())
    }
}

/// Returns the host of a registry, as names are made of it.
pub(crate) fn host(public_url: &str) -> String {
    let host = public_url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    host.filter(|host| !host.starts_with('[')).unwrap_or_else(|| "localhost".into())
}

/// Writes a document that anybody may keep for a while.
pub(crate) fn document(media_type: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    let headers = [("content-type", media_type), ("cache-control", "public, max-age=300")];
    (headers, body)
}
