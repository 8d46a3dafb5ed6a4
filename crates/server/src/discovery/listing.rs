//! Why a package is where it is among search results, or is not: for whoever published it.

use axum::Json;
use axum::extract::State;
use glassbox_api::{ListingResponse, Problem};
use glassbox_core::limits;
use glassbox_registry::Filter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Capability;
use crate::app::App;
use crate::extract::{Path, Query, package};
use crate::problem::Refusal;

/// What somebody would search for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ListingQuery {
    /// Words by which the package should be found.
    q: Option<String>,
}

/// Says whether a package is listed, where it stands for a search, and what would help it.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/listing", tag = "find", params(ListingQuery),
    responses((status = 200, body = ListingResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn listing(
    State(app): State<App>,
    Path((ns, name)): Path<(String, String)>,
    Query(query): Query<ListingQuery>,
) -> Result<Json<ListingResponse>, Refusal> {
    let package = package(&ns, &name)?;
    let reference = glassbox_core::PackageRef { package: package.clone(), version: None };
    let view = app.registry.release(&reference).await?;
    let capability = Capability::of(view);
    let mut advice = advice(&capability);
    let (mut rank, mut matched) = (None, Vec::new());
    if let Some(words) = &query.q {
        let found = app.registry.search(words, Filter::default(), limits::SEARCH_RESULTS_MAX).await?;
        if let Some(at) = found.iter().position(|found| found.package == package) {
            rank = Some(at + 1);
            matched.clone_from(&found[at].matched);
        } else if found.len() == limits::SEARCH_RESULTS_MAX {
            advice.insert(0, format!("{} packages fit these words better", found.len()));
        } else {
            advice.insert(
                0,
                "none of these words stand in its name, description, keywords or interface".into(),
            );
        }
    }
    Ok(Json(ListingResponse { release: capability.id(), listed: true, rank, matched, advice }))
}

/// Says what would help others to find and use it.
fn advice(capability: &Capability) -> Vec<String> {
    let listing = &capability.listing;
    let documented = listing.functions.iter().all(|function| !function.docs.is_empty());
    let checks = [
        (listing.description.is_empty(), "write a `description`: one line of what it does"),
        (listing.keywords.is_empty(), "write `keywords` and `categories`: words that others would use"),
        (
            capability.queries.len() < 2,
            "write two to five `representative-queries`: sentences of somebody in need of it; search gives them much weight",
        ),
        (!documented, "write a comment above every function in the WIT: agents read it before they call"),
        (
            capability.callable().next().is_none(),
            "no function can be called by value: others can only download it",
        ),
        (capability.tests_passed < 3, "add tests: what is shown by more cases is chosen sooner"),
    ];
    checks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, advice)| advice.to_owned()).collect()
}
