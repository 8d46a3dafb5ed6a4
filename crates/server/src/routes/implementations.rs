//! Implementations of one interface, and choosing one of them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use glassbox_api::{
    ChosenResponse, ImplementationResponse, ImplementationsResponse, ImplementedFunction, InterfaceSummary,
    InterfacesResponse, Problem, SpecTestsResponse,
};
use glassbox_core::{PackageRef, limits};
use glassbox_registry::{
    Choice, Chosen, Implementation, Interface, Offered, Ranking, Registry, SpecTests, UnknownChoice,
    UnknownRanking,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::convert;
use crate::extract::{Path, Query, reference};
use crate::problem::Refusal;

/// Lists the interfaces that packages export, at most five hundred.
#[utoipa::path(get, path = "/v1/interfaces", tag = "find", responses((status = 200, body = InterfacesResponse)))]
pub(crate) async fn interfaces(State(app): State<App>) -> Result<Json<InterfacesResponse>, Refusal> {
    let interfaces = app.registry.interfaces().await?;
    let total = interfaces.len();
    let summary = |Interface { name, implementations }| InterfaceSummary { name, implementations };
    let listed = interfaces.iter().take(limits::INTERFACES_LISTED_MAX);
    let interfaces = listed.cloned().map(summary).collect();
    Ok(Json(InterfacesResponse { total, interfaces }))
}

/// In which order implementations are listed.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct RankingQuery {
    /// `use`, `price`, `fuel`, `time`, `tests` or `name`; `use` when absent.
    by: Option<String>,
}

impl RankingQuery {
    pub(crate) fn read(&self) -> Result<Ranking, Refusal> {
        let Some(by) = &self.by else { return Ok(Ranking::default()) };
        by.parse().map_err(|error: UnknownRanking| {
            let next = "name one of them, or leave it out to sort by use";
            Refusal::new(StatusCode::BAD_REQUEST, "ranking-invalid", error.to_string(), next)
        })
    }
}

/// Lists the packages that export an interface: what they cost, what their tests show, how long they take, what they may
/// use, and who pays.
#[utoipa::path(get, path = "/v1/interfaces/{ns}/{package}/{interface}", tag = "find", params(RankingQuery),
    responses((status = 200, body = ImplementationsResponse), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    Path((ns, package, interface)): Path<(String, String, String)>,
    Query(query): Query<RankingQuery>,
) -> Result<Json<ImplementationsResponse>, Refusal> {
    let interface = format!("{ns}:{package}/{interface}");
    let implementations = app.registry.implementations(&interface, query.read()?).await?;
    let implementations = implementations.into_iter().map(response).collect();
    Ok(Json(ImplementationsResponse { interface, implementations }))
}

fn response(one: Implementation) -> ImplementationResponse {
    let of_spec = |SpecTests { total, passed, fuel }| SpecTestsResponse { total, passed, fuel };
    let function = |Offered { name, price }| ImplementedFunction { name: name.function().to_owned(), price };
    ImplementationResponse {
        release: one.release.to_string(),
        publisher: one.publisher,
        license: one.license,
        functions: one.functions.into_iter().map(function).collect(),
        grants: one.grants,
        max: one.amount_max.into(),
        tests_passed: one.tests_passed,
        spec_tests: one.spec_tests.map(of_spec),
        strength: one.strength.map(convert::strength),
        run_us_median: one.run_us,
        payers: one.usage.payers,
        payers_organic: one.usage.payers_organic,
        calls: one.usage.calls,
        same_code_as: one.same_code.map(convert::same_code),
    }
}

/// How to choose.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ChoiceQuery {
    /// `cheapest`, `fastest`, `most-proven`, or `pinned` to the one that is named.
    by: String,
}

/// Chooses among the packages that have the same function, and says why.
#[utoipa::path(get, path = "/v1/choose/{ns}/{name}/{version}/{function}", tag = "find", params(ChoiceQuery),
    responses((status = 200, body = ChosenResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn one(
    State(app): State<App>,
    Path((ns, name, version, function)): Path<(String, String, String, String)>,
    Query(query): Query<ChoiceQuery>,
) -> Result<Json<ChosenResponse>, Refusal> {
    let reference = reference(&ns, &name, &version)?;
    Ok(Json(chosen(choose(&app.registry, &reference, &function, &query.by).await?)))
}

/// Chooses for a call that leaves open which implementation it means.
pub(crate) async fn choose(
    registry: &Registry,
    reference: &PackageRef,
    function: &str,
    by: &str,
) -> Result<Chosen, Refusal> {
    let choice: Choice = by.parse().map_err(|error: UnknownChoice| {
        let next = "name one of them, or leave it out to call the package that you named";
        Refusal::new(StatusCode::BAD_REQUEST, "choice-invalid", error.to_string(), next)
    })?;
    Ok(registry.choose(reference, function, choice).await?)
}

pub(crate) fn chosen(chosen: Chosen) -> ChosenResponse {
    ChosenResponse {
        release: chosen.release.to_string(),
        choice: chosen.choice.to_string(),
        among: chosen.among,
        why: chosen.why,
    }
}
