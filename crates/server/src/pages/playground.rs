//! `/playground/…`: trying a release by hand, where its publisher offers that. Such calls are nobody's, so they cost nothing:
//! they are made of the units that it gives away, and end with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use glassbox_api::{CallResponse, Problem};
use glassbox_core::PackageRef;
use glassbox_core::case::{self, Case};
use glassbox_core::value::{Type, json, wave};
use glassbox_registry::{CallRequest, FunctionListing, Live, ReleaseFile, ReleaseView};
use maud::{Markup, html};
use serde::Deserialize;

use super::{foreign, grouped, page, verbatim};
use crate::app::App;
use crate::extract::{Path, Query, reference};
use crate::problem::Refusal;
use crate::{convert, counts};

/// The most examples that a page shows of a function.
const EXAMPLES_MAX: usize = 3;

/// The longest of them, in bytes: it goes into an address.
const EXAMPLE_BYTES_MAX: usize = 2_000;

/// How much of the tests is looked through for them, in bytes.
const TESTS_BYTES_MAX: usize = 256 * 1024;

/// The longest call that a person types, in bytes.
const CALL_BYTES_MAX: usize = 64 * 1024;

/// The most characters that a page shows of what came of a call.
const OUTPUT_CHARS_MAX: usize = 20_000;

/// What to call: `to-html("# Hi", commonmark)`.
#[derive(Default, Deserialize)]
pub(crate) struct Attempt {
    #[serde(default)]
    call: String,
}

type ReleasePath = Path<(String, String, String)>;

/// Shows what there is to try.
pub(crate) async fn show(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    Query(Attempt { call }): Query<Attempt>,
) -> Result<Response, Refusal> {
    let playground = Playground::open(&app, &reference(&ns, &name, &version)?).await?;
    let call = if call.is_empty() { playground.first.clone() } else { call };
    Ok(playground.page(StatusCode::OK, &call, None))
}

/// Tries it.
pub(crate) async fn run(
    State(app): State<App>,
    Path((ns, name, version)): ReleasePath,
    headers: HeaderMap,
    form: Result<Form<Attempt>, axum::extract::rejection::FormRejection>,
) -> Result<Response, Refusal> {
    let playground = Playground::open(&app, &reference(&ns, &name, &version)?).await?;
    // Another site's page could spend free units with its visitors' browsers.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        let detail = "a page of another site sent this";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "form-foreign", detail, "try it on its own page"));
    }
    let Form(Attempt { call }) = form.map_err(|rejection| {
        let next = "send the form of the page";
        Refusal::new(StatusCode::BAD_REQUEST, "form-invalid", rejection.body_text(), next)
    })?;
    if call.len() > CALL_BYTES_MAX {
        let detail = format!("the call has {} bytes, and a page takes {CALL_BYTES_MAX}", call.len());
        let next = "call it by the API, or with `glassbox call`";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "arguments-invalid", detail, next));
    }
    let came = playground.call(&app, &call).await;
    let status = match &came {
        Ok(_) => StatusCode::OK,
        Err(problem) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = playground.page(status, &call, Some(&came));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What came of a call, as a person reads it, and the call with its receipt.
type Came = Result<(String, Box<CallResponse>), Problem>;

/// A release that may be tried.
struct Playground {
    live: Arc<Live>,
    view: ReleaseView,
    /// Calls of its tests, by the full names of functions, and the one to begin with.
    examples: BTreeMap<String, Vec<Case>>,
    first: String,
}

impl Playground {
    async fn open(app: &App, reference: &PackageRef) -> Result<Self, Refusal> {
        let live = app.registry.live(reference).await?;
        if !live.manifest.component.playground {
            let detail = format!("{} has no playground", live.id);
            let next = "call it by the API, or with `glassbox call`; its publisher can set `playground` in `[component]`";
            return Err(Refusal::new(StatusCode::NOT_FOUND, "playground-none", detail, next));
        }
        let view = app.registry.release(reference).await?;
        let tests = app.registry.files(reference, ReleaseFile::Tests).await?;
        let (mut examples, mut first) = (BTreeMap::<String, Vec<Case>>::new(), String::new());
        let mut left = TESTS_BYTES_MAX;
        for (path, bytes) in tests.iter().filter(|(path, _)| path.ends_with(".toml")) {
            let Some(rest) = left.checked_sub(bytes.len()) else { continue };
            left = rest;
            let cases = std::str::from_utf8(bytes).ok().and_then(|text| case::parse(path, text).ok());
            for case in cases.into_iter().flatten().filter(|case| case.call.len() <= EXAMPLE_BYTES_MAX) {
                let called = wave::call_from_wave(&case.call).ok();
                let Some(function) = called.and_then(|(name, _)| live.spec.function(&name)) else { continue };
                if first.is_empty() {
                    first.clone_from(&case.call);
                }
                let of_function = examples.entry(function.name.to_string()).or_default();
                if of_function.len() < EXAMPLES_MAX {
                    of_function.push(case);
                }
            }
        }
        Ok(Self { live, view, examples, first })
    }

    async fn call(&self, app: &App, call: &str) -> Came {
        let invalid = |detail: String, next: String| {
            Problem::new(StatusCode::BAD_REQUEST.as_u16(), "arguments-invalid", detail, next)
        };
        let (name, args) = wave::call_from_wave(call)
            .map_err(|error| invalid(error.to_string(), "write it like function(\"text\", 1)".into()))?;
        let function = self.live.function(&name).map_err(|error| Refusal::from(error).into_problem())?;
        let next = format!("the signature is {}", function.signature);
        let values = wave::args_from_wave(&function.ty, &args)
            .map_err(|error| invalid(error.to_string(), next.clone()))?;
        let args =
            json::args_to_json(&function.ty, &values).map_err(|error| invalid(error.to_string(), next))?;
        let request = CallRequest {
            release: PackageRef {
                package: self.live.id.package.clone(),
                version: Some(self.live.id.version.clone()),
            },
            function: function.name.to_string(),
            args,
            fuel_max: None,
            nonce: None,
            grants: None,
            resource: None,
            payment: None,
        };
        let result = app.registry.call(request).await;
        counts::call(&result);
        let reply = result.map_err(|error| Refusal::from(error).into_problem())?;
        let response = convert::reply(&app.registry, reply, None, &[]).await;
        let output = match (&function.ty.result, response.output.as_str()) {
            (None, _) => String::new(),
            (Some(Type::String), Some(text)) => text.to_owned(),
            (Some(ty), _) => json::from_json(&response.output, ty)
                .and_then(|value| wave::to_wave(&value, ty))
                .unwrap_or_else(|_| response.output.to_string()),
        };
        Ok((output, Box::new(response)))
    }

    fn page(&self, status: StatusCode, call: &str, came: Option<&Came>) -> Response {
        let id = &self.live.id;
        let listing = &self.view.listing;
        let title = format!("Try {id}");
        let main = html! {
            h1 { "Try " code { (id) } }
            @if !listing.description.is_empty() { p.lead { (foreign(&listing.description)) } }
            form method="post" {
                label for="call" { "A call" }
                textarea id="call" name="call" rows="3" spellcheck="false" autocomplete="off"
                    maxlength=(CALL_BYTES_MAX) { (call) }
                p { button { "Call" } " " span.quiet { "It costs nothing: it is made of the units that its publisher gives away." } }
            }
            @match came {
                Some(Ok((output, response))) => { (returned(output, response)) }
                Some(Err(problem)) => { (refused(problem)) }
                None => {}
            }
            section.functions {
                h2 { "What it does" }
                @for function in &listing.functions { (self.function(function)) }
            }
            p { "From a shell: " code { "glassbox call " (id) " 'FUNCTION(…)'" } }
        };
        page(status, &title, &main)
    }

    fn function(&self, function: &FunctionListing) -> Markup {
        html! {
            article {
                pre { code { (verbatim(&function.signature)) } }
                @if !function.docs.is_empty() { p { (foreign(&function.docs)) } }
                @match &function.not_callable {
                    Some(reason) => { p.quiet { "Not callable by value: " (foreign(reason)) } }
                    None => {
                        p.quiet { "For programs: " (function.price) }
                        @for case in self.examples.get(&function.name.to_string()).into_iter().flatten() {
                            form method="get" {
                                input type="hidden" name="call" value=(case.call);
                                button.example { "Try “" (foreign(&case.name)) "”" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns where the playground of a release is, where it has one.
pub(crate) fn address(live: &Live) -> Option<String> {
    let id = &live.id;
    let path = format!("/playground/{}/{}/{}", id.package.namespace(), id.package.name(), id.version);
    live.manifest.component.playground.then_some(path)
}

fn returned(output: &str, response: &CallResponse) -> Markup {
    let mut shown: String = output.chars().take(OUTPUT_CHARS_MAX).collect();
    if shown.len() < output.len() {
        shown.push('…');
    }
    html! {
        section.result aria-live="polite" {
            h2 { "It returned" }
            @if output.is_empty() { p.quiet { "nothing" } } @else { pre { (verbatim(&shown)) } }
            p.quiet { (grouped(response.fuel_used)) " fuel, nothing charged" }
            details {
                summary { "The receipt, which anybody can check" }
                p { "Save it as " code { "receipt.json" } ", and run " code { "glassbox verify receipt.json" } "." }
                pre { (serde_json::to_string_pretty(&response.receipt).unwrap_or_default()) }
            }
        }
    }
}

fn refused(problem: &Problem) -> Markup {
    html! {
        section.result role="alert" {
            @if problem.status == StatusCode::PAYMENT_REQUIRED.as_u16() {
                h2 { "Its free units are used up" }
                p { "Its publisher gives no more of this away for now. Programs pay for it; come back later, or call it with a wallet." }
            } @else {
                h2 { "It did not return" }
                p { (foreign(&problem.detail)) }
                p { (foreign(&problem.next)) }
            }
            p.quiet { a href={ "/problems/" (problem.code) } { code { (problem.code) } } }
        }
    }
}
