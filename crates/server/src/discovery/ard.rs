//! Agentic Resource Discovery: `POST /search`, `GET /agents`. See ARD v0.9.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use glassbox_core::limits;
use glassbox_registry::Filter;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CAPABILITY_MEDIA_TYPE, Capability, host};
use crate::app::App;
use crate::extract::{Body, Query};
use crate::problem::Refusal;

/// What is searched for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SearchRequest {
    query: QueryModel,
    /// There is nobody to ask but this registry, whatever is wished.
    #[serde(default, rename = "federation")]
    _federation: Option<String>,
    #[serde(default)]
    page_size: Option<usize>,
    #[serde(default)]
    page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryModel {
    text: String,
    #[serde(default)]
    filter: Map<String, Value>,
}

/// Which page of all there are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    page_size: Option<usize>,
    #[serde(default)]
    page_token: Option<String>,
}

/// Searches, best first. The score compares results of one answer only.
pub(crate) async fn search(
    State(app): State<App>,
    Body(request): Body<SearchRequest>,
) -> Result<Json<Value>, Refusal> {
    let base = &app.registry.config().public_url;
    let page = page(request.page_token.as_deref(), request.page_size.unwrap_or(10))?;
    let found =
        app.registry.search(&request.query.text, Filter::default(), limits::SEARCH_RESULTS_MAX).await?;
    let best = found.first().map_or(1.0, |found| found.score).max(f32::MIN_POSITIVE);
    let mut results = Vec::new();
    for found in found {
        let reference = glassbox_core::PackageRef { package: found.package, version: Some(found.version) };
        let capability = Capability::of(app.registry.release(&reference).await?);
        let mut entry = entry(&capability, base);
        if request.query.filter.iter().all(|(path, wanted)| fits(&entry, path, wanted)) {
            entry["score"] = json!((100.0 * found.score / best).round() as u8);
            entry["source"] = json!(format!("{base}/"));
            results.push(entry);
        }
    }
    Ok(Json(page.cut("results", results)))
}

/// Lists everything, by name.
pub(crate) async fn agents(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    if query.filter.is_some() {
        return Err(refused("filters are for POST /search", "leave `filter` out, or POST it to /search"));
    }
    let page = page(query.page_token.as_deref(), query.page_size.unwrap_or(20))?;
    let base = &app.registry.config().public_url;
    let all = Capability::all(&app.registry).await?;
    let entries: Vec<Value> = all.iter().map(|capability| entry(capability, base)).collect();
    let total = entries.len();
    let mut answer = page.cut("items", entries);
    answer["total"] = json!(total);
    Ok(Json(answer))
}

/// Counting by facets is optional, and not done.
pub(crate) async fn explore() -> Refusal {
    let detail = "this registry does not count by facets";
    let refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail, "ask POST /search");
    refusal.with("errorCode", json!("NOT_IMPLEMENTED")).with("message", json!(detail))
}

/// Writes a capability as an entry of a catalogue.
pub(crate) fn entry(capability: &Capability, base: &str) -> Value {
    let Capability { namespace, name, version, listing, queries, .. } = capability;
    let id = format!("{namespace}:{name}");
    let capabilities: Vec<String> =
        capability.callable().map(|function| format!("{id}#{}", function.name.short())).collect();
    let prices: Vec<&str> = capability.callable().map(|function| function.price.as_str()).collect();
    let mut entry = json!({
        "identifier": format!("urn:air:{}:{namespace}:{name}", host(base)),
        "displayName": id,
        "type": CAPABILITY_MEDIA_TYPE,
        "mediaType": CAPABILITY_MEDIA_TYPE,
        "url": capability.url(base),
        "description": listing.description,
        "tags": listing.keywords,
        "capabilities": capabilities,
        "version": version,
        "updatedAt": capability.published_at,
        "metadata": {
            "price": cheapest(&prices),
            "pure": listing.is_pure(),
            "testsPassed": capability.tests_passed,
            "license": listing.license,
            "mcp": capability.mcp_url(base),
            "openapi": format!("{}/openapi.json", capability.url(base)),
        },
        "trustManifest": {
            "identity": capability.publisher,
            "identityType": "did",
            "attestations": [
                { "type": "in-toto-release", "uri": capability.url(base), "mediaType": "application/json" },
            ],
        },
    });
    if (2..=5).contains(&queries.len()) {
        entry["representativeQueries"] = json!(queries);
    }
    entry
}

/// Says what it costs: one price for all functions, or that there are several.
fn cheapest(prices: &[&str]) -> String {
    match prices {
        [] => "not callable".into(),
        [first, rest @ ..] if rest.iter().all(|price| price == first) => (*first).to_owned(),
        prices if prices.contains(&"free") => "free, and other prices".into(),
        [first, ..] => format!("{first}, and other prices"),
    }
}

/// Tells whether what a path leads to in `entry` is, or contains, one of the wanted values.
fn fits(entry: &Value, path: &str, wanted: &Value) -> bool {
    let found = path.split('.').fold(vec![entry], |values, part| {
        let below = values.into_iter().flat_map(|value| match value {
            Value::Array(items) => items.iter().filter_map(|item| item.get(part)).collect::<Vec<_>>(),
            value => value.get(part).into_iter().collect(),
        });
        below.collect()
    });
    let is_wanted = |value: &Value| match wanted {
        Value::Array(wanted) => wanted.contains(value),
        wanted => wanted == value,
    };
    found.into_iter().any(|value| match value {
        Value::Array(items) => items.iter().any(is_wanted),
        value => is_wanted(value),
    })
}

/// A part of a list.
struct Page {
    from: usize,
    size: usize,
}

fn page(token: Option<&str>, size: usize) -> Result<Page, Refusal> {
    let from = token.map_or(Ok(0), str::parse);
    let from = from.map_err(|_| refused("`pageToken` is none of ours", "send the one of the page before"))?;
    Ok(Page { from, size: size.clamp(1, 100) })
}

impl Page {
    fn cut(&self, name: &str, all: Vec<Value>) -> Value {
        let left = all.len().saturating_sub(self.from);
        let cut: Vec<Value> = all.into_iter().skip(self.from).take(self.size).collect();
        let mut answer = json!({ name: cut });
        if left > self.size {
            answer["pageToken"] = json!(self.from.saturating_add(self.size).to_string());
        }
        answer
    }
}

fn refused(detail: &str, next: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::BAD_REQUEST, "query-invalid", detail, next);
    refusal.with("errorCode", json!("INVALID_ARGUMENT")).with("message", json!(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_follow_paths_through_lists() {
        let entry =
            json!({ "type": "a", "tags": ["x", "y"], "trust": { "attestations": [{ "type": "t" }] } });
        for (path, wanted, holds) in [
            ("type", json!("a"), true),
            ("type", json!(["b", "a"]), true),
            ("type", json!("b"), false),
            ("tags", json!("y"), true),
            ("tags", json!(["z"]), false),
            ("trust.attestations.type", json!(["t"]), true),
            ("nowhere.at.all", json!("t"), false),
        ] {
            assert_eq!(fits(&entry, path, &wanted), holds, "{path} {wanted}");
        }
    }

    #[test]
    fn pages_end() {
        let all: Vec<Value> = (0..5).map(Value::from).collect();
        let first = page(None, 3).expect("a page").cut("items", all.clone());
        assert_eq!(first, json!({ "items": [0, 1, 2], "pageToken": "3" }));
        let last = page(Some("3"), 3).expect("a page").cut("items", all.clone());
        assert_eq!(last, json!({ "items": [3, 4] }));
        let beyond = page(Some("18446744073709551615"), 3).expect("a page").cut("items", all);
        assert_eq!(beyond, json!({ "items": [] }));
        assert!(page(Some("x"), 3).is_err());
    }
}
