//! What stands under `/.well-known`, and the skill.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use glassbox_mcp::{CARD_MEDIA_TYPE, SKILL};
use serde_json::{Value, json};

use super::{Capability, ard, document, host};
use crate::app::App;
use crate::problem::Refusal;

/// Lists the registry, its MCP server and its capabilities. See AI Catalog 1.0.
pub(crate) async fn ai_catalog(State(app): State<App>) -> Result<impl IntoResponse, Refusal> {
    let base = &app.registry.config().public_url;
    let host = host(base);
    let service = |name: &str, title: &str, media_type: &str, path: &str| {
        json!({
            "identifier": format!("urn:air:{host}:{name}:main"),
            "displayName": title,
            "type": media_type,
            "mediaType": media_type,
            "url": format!("{base}{path}"),
        })
    };
    let mut entries = vec![
        service("registry", "Glassbox registry", "application/ai-registry+json", "/"),
        service("mcp", "Glassbox MCP", CARD_MEDIA_TYPE, "/mcp/server-card"),
        service("skill", "Use a Glassbox registry", "text/markdown", "/SKILL.md"),
    ];
    entries.extend(Capability::all(&app.registry).await?.iter().map(|it| ard::entry(it, base)));
    let catalog = json!({
        "specVersion": "1.0",
        "host": {
            "displayName": "Glassbox",
            "identifier": app.registry.executor().to_string(),
            "documentationUrl": format!("{base}/llms.txt"),
        },
        "entries": entries,
    });
    Ok(document("application/ai-catalog+json", catalog.to_string()))
}

/// Lists the APIs and what describes them. See RFC 9727.
pub(crate) async fn api_catalog(State(app): State<App>) -> Result<impl IntoResponse, Refusal> {
    let base = &app.registry.config().public_url;
    let openapi =
        |url: String| json!({ "href": url, "type": "application/vnd.oai.openapi+json;version=3.1" });
    let mut linkset = vec![
        json!({
            "anchor": format!("{base}/v1"),
            "service-desc": [openapi(format!("{base}/openapi.json"))],
            "service-doc": [{ "href": format!("{base}/llms.txt"), "type": "text/markdown" }],
            "status": [{ "href": format!("{base}/healthz"), "type": "text/plain" }],
        }),
        json!({
            "anchor": format!("{base}/mcp"),
            "service-meta": [{ "href": format!("{base}/mcp/server-card"), "type": CARD_MEDIA_TYPE }],
        }),
    ];
    linkset.extend(Capability::all(&app.registry).await?.iter().map(|capability| {
        let Capability { namespace, name, version, .. } = capability;
        json!({
            "anchor": format!("{base}/v1/call/{namespace}/{name}/{version}"),
            "service-desc": [openapi(format!("{}/openapi.json", capability.url(base)))],
            "service-doc": [{ "href": capability.url(base), "type": "text/markdown" }],
        })
    }));
    Ok(document("application/linkset+json", json!({ "linkset": linkset }).to_string()))
}

/// Lists what can be paid for.
pub(crate) async fn x402(State(app): State<App>) -> Result<impl IntoResponse, Refusal> {
    let base = &app.registry.config().public_url;
    let rail = app.registry.rail();
    let all = Capability::all(&app.registry).await?;
    let priced = all.iter().flat_map(|capability| {
        let priced = capability.callable().filter(|function| function.price != "free");
        priced.map(|function| capability.call_url(base, function))
    });
    let resources: Vec<String> = priced.collect();
    let kinds: Vec<Value> = rail
        .schemes()
        .iter()
        .map(|scheme| json!({ "scheme": scheme.as_str(), "network": rail.network().to_string() }))
        .collect();
    let manifest = json!({
        "version": 1,
        "x402Version": 2,
        "kinds": kinds,
        "payTo": rail.treasury().to_string(),
        "mcp": format!("{base}/mcp"),
        "resources": resources,
    });
    Ok(document("application/json", Json(manifest)))
}

/// Says how to use a registry, for agents that load skills.
pub(crate) async fn skill() -> impl IntoResponse {
    document("text/markdown; charset=utf-8", SKILL)
}
