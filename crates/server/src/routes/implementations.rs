//! Implementations of one interface, and choosing one of them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use glassbox_api::{
    CallBody, ChosenResponse, ImplementationResponse, ImplementationsResponse, ImplementedFunction,
    InterfaceSummary, InterfacesResponse, LeftOutResponse, Problem, SpecSourceResponse, SpecTestsResponse,
};
use glassbox_core::{PackageRef, limits};
use glassbox_registry::{
    Choice, Choosing, Chosen, Comparison, Implementation, Interface, LeftOut, Offered, Payment, Ranking,
    Registry, SpecSource, SpecTests, UnknownChoice, UnknownRanking,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::app::App;
use crate::convert;
use crate::extract::{Head, Path, Query, payment, reference};
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
#[into_params(parameter_in = Query)]
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
    let Comparison { spec, implementations } =
        app.registry.implementations(&interface, query.read()?).await?;
    let source = |SpecSource { release, cases }| SpecSourceResponse { release: release.to_string(), cases };
    Ok(Json(ImplementationsResponse {
        interface,
        spec: spec.map(source),
        implementations: implementations.into_iter().map(response).collect(),
    }))
}

fn response(one: Implementation) -> ImplementationResponse {
    let of_spec = |tests: SpecTests| SpecTestsResponse {
        total: tests.total,
        passed: tests.passed,
        fuel: tests.holds().then_some(tests.fuel),
    };
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
#[into_params(parameter_in = Query)]
pub(crate) struct ChoiceQuery {
    /// `cheapest`, `fastest`, `most-proven`, or `pinned` to the one that is named.
    by: String,
    /// Whether also among those that do not pass the tests of the interface, or were not tried yet.
    #[serde(default)]
    untested: bool,
    /// The fuel ceiling of the call.
    fuel: Option<u64>,
    /// What of the declared host interfaces the component may use, as in the body of a call: a JSON array of texts. All of
    /// them when absent.
    #[serde(default, deserialize_with = "texts")]
    #[param(value_type = Option<String>, example = "[\"wasi:clocks/wall-clock\"]")]
    grants: Option<Vec<String>>,
}

/// Reads a JSON array of texts, because a URL may have whatever else could stand between them.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let read =
        |text: String| serde_json::from_str(&text).map_err(|error| format!("a list of texts: {error}"));
    text.map(read).transpose().map_err(D::Error::custom)
}

/// Chooses among the packages that have the same function, and says why. For a company's account, sent as with a call, among
/// those that it may call.
#[utoipa::path(get, path = "/v1/choose/{ns}/{name}/{version}/{function}", tag = "find", params(ChoiceQuery),
    responses((status = 200, body = ChosenResponse), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 403, body = Problem, description = "the company allows none of them"),
              (status = 409, body = Problem, description = "none of them can be chosen")))]
pub(crate) async fn one(
    State(app): State<App>,
    Path((ns, name, version, function)): Path<(String, String, String, String)>,
    Query(query): Query<ChoiceQuery>,
    head: Head,
) -> Result<Json<ChosenResponse>, Refusal> {
    let reference = reference(&ns, &name, &version)?;
    let payment = payment(&app, &head).await?;
    let choosing = Choosing {
        untested: query.untested,
        fuel_max: query.fuel,
        grants: query.grants.as_deref(),
        payment: payment.as_ref(),
        choice: choice(&query.by)?,
    };
    Ok(Json(chosen(app.registry.choose(&reference, &function, choosing).await?)))
}

/// Reads how to choose.
fn choice(by: &str) -> Result<Choice, Refusal> {
    by.parse().map_err(|error: UnknownChoice| {
        let next = "name one of them, or leave it out to call the package that you named";
        Refusal::new(StatusCode::BAD_REQUEST, "choice-invalid", error.to_string(), next)
    })
}

/// Chooses for a call that leaves open which implementation it means.
pub(crate) async fn choose(
    registry: &Registry,
    reference: &PackageRef,
    function: &str,
    body: &CallBody,
    payment: Option<&Payment>,
) -> Result<Option<Chosen>, Refusal> {
    let Some(by) = &body.choose else { return Ok(None) };
    let choosing = Choosing {
        choice: choice(by)?,
        untested: body.untested,
        fuel_max: body.fuel,
        grants: body.grants.as_deref(),
        payment,
    };
    Ok(Some(registry.choose_to_call(reference, function, choosing).await?))
}

pub(crate) fn chosen(chosen: Chosen) -> ChosenResponse {
    let left_out = |LeftOut { release, rule }| LeftOutResponse { release: release.to_string(), rule };
    ChosenResponse {
        release: chosen.release.to_string(),
        function: chosen.function.to_string(),
        choice: chosen.choice.to_string(),
        among: chosen.among,
        why: chosen.why,
        spec_cases: chosen.spec_cases,
        left_out: chosen.left_out.into_iter().map(left_out).collect(),
    }
}
