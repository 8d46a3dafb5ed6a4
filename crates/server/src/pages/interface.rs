//! `/interfaces`: what packages have in common, and how those compare that have it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use glassbox_core::{Atomic, limits};
use glassbox_registry::{Comparison, Implementation, Interface, Offered, Ranking, SpecSource, Strength};
use maud::{Markup, html};

use super::{foreign, grouped, lasting, page};
use crate::app::App;
use crate::extract::{Path, Query};
use crate::problem::Refusal;
use crate::routes::implementations::RankingQuery;

/// Lists the interfaces that packages export.
pub(crate) async fn all(State(app): State<App>) -> Result<Response, Refusal> {
    let interfaces = app.registry.interfaces().await?;
    let left_out = interfaces.len().saturating_sub(limits::INTERFACES_LISTED_MAX);
    let main = html! {
        h1 { "Interfaces" }
        p.lead {
            "Packages that export the same interface take and return the same. Compare them, "
            "call one, or leave it open which."
        }
        @if interfaces.is_empty() { p { "No package exports one yet." } }
        ul.list {
            @for interface in interfaces.iter().take(limits::INTERFACES_LISTED_MAX) { (entry(interface)) }
        }
        @if left_out > 0 { p { (left_out) " more are not listed." } }
    };
    Ok(page(StatusCode::OK, "Interfaces", &main))
}

fn entry(interface: &Interface) -> Markup {
    let count = interface.implementations;
    html! {
        li {
            @match address(&interface.name) {
                Some(address) => { a href=(address) { code { (interface.name) } } }
                None => { code { (interface.name) } }
            }
            " "
            span.quiet { (count) @if count == 1 { " implementation" } @else { " implementations" } }
        }
    }
}

/// Returns where the page of an interface is.
fn address(interface: &str) -> Option<String> {
    let (package, interface) = interface.split_once('/')?;
    let (namespace, name) = package.split_once(':')?;
    Some(format!("/interfaces/{namespace}/{name}/{interface}"))
}

/// Compares the implementations of an interface.
pub(crate) async fn one(
    State(app): State<App>,
    Path((ns, package, interface)): Path<(String, String, String)>,
    Query(query): Query<RankingQuery>,
) -> Result<Response, Refusal> {
    let ranking = query.read()?;
    let name = format!("{ns}:{package}/{interface}");
    let Comparison { spec, implementations } = app.registry.implementations(&name, ranking).await?;
    if implementations.is_empty() {
        let main = html! {
            h1 { "Nothing here" }
            p { "No package exports " (foreign(&name)) ", or it is an interface that says nothing of what they do." }
            p { a href="/interfaces" { "See what there is" } "." }
        };
        return Ok(page(StatusCode::NOT_FOUND, "Nothing here", &main));
    }
    let main = html! {
        nav { a href="/interfaces" { "Interfaces" } " / " }
        h1 { code { (name) } }
        p.lead {
            (implementations.len())
            @if implementations.len() == 1 { " implementation." } @else { " implementations of one interface." }
            " Whoever calls any of them may leave it open which one runs:"
        }
        (example(&name, &implementations))
        (sorting(&name, ranking))
        (tested_by(spec.as_ref()))
        (table(&implementations, spec.is_some()))
        (legend())
        p { a href={ "/v1" (address(&name).unwrap_or_default()) "?by=" (ranking.as_str()) } { "The same as JSON" } }
    };
    Ok(page(StatusCode::OK, &name, &main))
}

/// Shows how to call any of them, by the name of the package that the interface is named after where that is one.
fn example(name: &str, implementations: &[Implementation]) -> Markup {
    let is_own = |one: &&Implementation| name.starts_with(&format!("{}/", one.release.package));
    let shown = implementations.iter().find(is_own).or_else(|| implementations.first());
    let command = |one: &Implementation| {
        let function = one.functions.first()?.name.short();
        Some(format!("glassbox call {} '{function}(…)' --choose cheapest", one.release.package))
    };
    html! {
        @if let Some(command) = shown.and_then(command) { pre { code { (command) } } }
    }
}

/// What an order is called.
fn label(ranking: Ranking) -> &'static str {
    match ranking {
        Ranking::Use => "Use",
        Ranking::Price => "Price",
        Ranking::Fuel => "Fuel",
        Ranking::Time => "Run time",
        Ranking::Tests => "Tests",
        Ranking::Name => "Name",
    }
}

fn sorting(name: &str, chosen: Ranking) -> Markup {
    let path = address(name).unwrap_or_default();
    html! {
        p.sorting {
            span.quiet { "Sort by" }
            @for (ranking, word) in Ranking::ALL {
                " "
                @if ranking == chosen { strong aria-current="true" { (label(ranking)) } }
                @else { a href={ (path) "?by=" (word) } { (label(ranking)) } }
            }
        }
    }
}

/// Says whose tests the implementations are run on.
fn tested_by(spec: Option<&SpecSource>) -> Markup {
    html! {
        p {
            @match spec {
                Some(spec) => {
                    "This registry runs " (spec.cases) @if spec.cases == 1 { " test" } @else { " tests" }
                    " of " (spec.release) " on each of them; whoever leaves it open gets one that passes all."
                }
                None => {
                    "The package that it is named after has no tests of it here, so nothing shows that any of them is right."
                }
            }
        }
    }
}

fn table(implementations: &[Implementation], has_spec: bool) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Implementation" }
                    th scope="col" { "Price" }
                    th scope="col" { "Tests" }
                    th scope="col" { "Fuel" }
                    th scope="col" { "Run time" }
                    th scope="col" { "Use" }
                    th scope="col" { "May use" }
                }
            }
            tbody {
                @for one in implementations { (row(one, has_spec)) }
            }
        }
    }
}

fn row(one: &Implementation, has_spec: bool) -> Markup {
    let id = &one.release;
    let path = format!("/v1/packages/{}/{}/{}", id.package.namespace(), id.package.name(), id.version);
    html! {
        tr {
            th scope="row" {
                a href=(path) { (id.package) } " " span.quiet { (id.version) }
                @if !one.description.is_empty() { p.about { (foreign(&one.description)) } }
                @match &one.same_code {
                    Some(first) if first.declared => { p.quiet { "has the code of " (first.release) } }
                    Some(first) => { p.warn { "has the code of " (first.release) ", and does not say so" } }
                    None => {}
                }
                p.quiet { (foreign(&one.license)) " · " span title=(one.publisher) { (short(&one.publisher)) } }
            }
            (cell("Price", &price(one.amount_max, &one.functions)))
            (cell("Tests", &tests(one, has_spec)))
            (cell("Fuel", &known(one.spec_fuel().map(grouped))))
            (cell("Run time", &known(one.run_us.map(lasting))))
            (cell("Use", &usage(one)))
            (cell("May use", &grants(&one.grants)))
        }
    }
}

/// A cell, which a narrow screen shows beside its name.
fn cell(name: &str, content: &Markup) -> Markup {
    html! { td data-label=(name) { div { (content) } } }
}

fn known(figure: Option<String>) -> Markup {
    html! {
        @match figure {
            Some(figure) => { (figure) }
            None => { span.quiet { "not known" } }
        }
    }
}

fn grants(grants: &[String]) -> Markup {
    html! {
        @if grants.is_empty() { span.good { "nothing" } }
        @else { ul.plain { @for grant in grants { li { code { (grant) } } } } }
    }
}

fn price(amount_max: Atomic, functions: &[Offered]) -> Markup {
    html! {
        @if amount_max == Atomic::ZERO { span.good { "free" } }
        @else {
            "$" (amount_max.to_decimal()) " " span.quiet { "at most" }
            ul.plain.quiet {
                @for function in functions { li { (function.name.function()) ": " (function.price) } }
            }
        }
    }
}

fn tests(one: &Implementation, has_spec: bool) -> Markup {
    html! {
        @if let Some(tests) = one.spec_tests {
            @if tests.passed == tests.total { span.good { "all " (tests.total) } }
            @else { (tests.passed) " of " (tests.total) }
            " " span.quiet { "of the interface’s" }
            br;
        } @else if has_spec {
            span.quiet { "the interface’s are not run yet" }
            br;
        }
        (one.tests_passed) " " span.quiet { "of its own" }
        @if let Some(Strength::Measured { caught, mutants }) = one.strength {
            br;
            (caught) " of " (mutants) " " span.quiet { "mutants caught" }
        }
    }
}

fn usage(one: &Implementation) -> Markup {
    let usage = &one.usage;
    html! {
        @if usage.payers == 0 { span.quiet { "none yet" } }
        @else {
            (usage.payers_organic) " " span.quiet { "independent" }
            br;
            (usage.payers) " " span.quiet { @if usage.payers == 1 { "payer, " } @else { "payers, " } }
            (grouped(usage.calls)) " " span.quiet { @if usage.calls == 1 { "call" } @else { "calls" } }
        }
    }
}

/// The beginning and the end of a key, which tell most apart; the whole is in its title.
fn short(key: &str) -> String {
    let characters: Vec<char> = key.strip_prefix("did:key:").unwrap_or(key).chars().collect();
    match characters.as_slice() {
        [first @ .., _, _, _, _] if first.len() > 8 => {
            let (begin, end) = (&characters[..8], &characters[characters.len() - 4..]);
            format!("{}…{}", begin.iter().collect::<String>(), end.iter().collect::<String>())
        }
        _ => key.to_owned(),
    }
}

fn legend() -> Markup {
    html! {
        section.legend {
            h2 { "What the figures mean" }
            dl {
                dt { "Price" } dd { "the most that one call costs, at the highest fuel that the package allows" }
                dt { "Tests" } dd {
                    "run by this registry: its own at publish, and the interface’s, those of the package it is named after, soon after. Mutants are copies "
                    "of the component with one small mistake each: tests that catch few of them would pass whatever it did"
                }
                dt { "Fuel" } dd { "what the interface’s own tests burn: metered work, the same on every machine" }
                dt { "Run time" } dd { "median of the newest runs here that returned, without waiting in line; it depends on what callers ask for" }
                dt { "Use" } dd {
                    "paid calls within thirty days. Independent payers are unrelated to whoever is paid and to one another as far "
                    "as the ledger tells; fewer than three, or less than a tenth of a cent a call, count as none"
                }
                dt { "May use" } dd { "what it was granted of its host; nothing means that every call can be re-executed" }
            }
        }
    }
}
