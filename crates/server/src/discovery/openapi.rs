//! OpenAPI of one release: each function as an operation, typed by its WIT.

use axum::Json;
use axum::extract::State;
use glassbox_api::{FunctionResponse, Problem, ReleaseResponse};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::extract::{Path, reference};
use crate::mcp::read_release;
use crate::problem::Refusal;

/// Returns the OpenAPI document of a release: what its functions take, give and cost.
#[utoipa::path(get, path = "/v1/packages/{ns}/{name}/{version}/openapi.json", tag = "find",
    responses((status = 200, body = serde_json::Value), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn release_openapi(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let release = read_release(&app.registry, &reference(&ns, &name, &version)?).await?;
    Ok(Json(describe(&release, &app.registry.config().public_url)))
}

fn describe(release: &ReleaseResponse, base: &str) -> Value {
    let (package, version) = release.release.split_once('@').unwrap_or((&release.release, ""));
    let folder = package.replace(':', "/");
    let callable = release.functions.iter().filter(|function| function.not_callable.is_none());
    let paths: Map<String, Value> = callable
        .map(|function| {
            let path = format!("/v1/call/{folder}/{version}/{}", function.name);
            (path, json!({ "post": operation(function) }))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": release.release,
            "version": version,
            "description": release.description,
            "license": { "name": release.license },
        },
        "servers": [{ "url": base }],
        "paths": paths,
        "components": { "schemas": { "Problem": problem() } },
    })
}

fn operation(function: &FunctionResponse) -> Value {
    let refused = |description: &str| {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } })
    };
    let takes = json!({
        "type": "object",
        "properties": {
            "args": function.input_schema,
            "fuel": { "type": "integer", "minimum": 1 },
            "nonce": { "type": "string" },
            "grants": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["args"],
        "additionalProperties": false,
    });
    let gives = json!({
        "type": "object",
        "properties": {
            "output": function.output_schema,
            "charged": { "type": "object" },
            "fuel_used": { "type": "integer" },
            "call": { "type": "string" },
            "receipt": { "type": "object" },
        },
        "required": ["output", "charged", "fuel_used", "call", "receipt"],
    });
    let example = json!({ "args": function.input_example });
    json!({
        "operationId": function.name,
        "summary": function.signature,
        "description": function.docs,
        "x-price": function.price,
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": takes, "example": example } },
        },
        "responses": {
            "200": { "description": "output and receipt", "content": { "application/json": { "schema": gives } } },
            "400": refused("the arguments are not what the function takes"),
            "402": refused("to be paid by x402: `required`, and the header PAYMENT-REQUIRED"),
            "422": refused("the run failed; `charged` says what it cost"),
            "503": refused("send the same request with the same payment again"),
        },
    })
}

fn problem() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "detail": text, "code": text,
            "retry": { "enum": ["never", "after-change", "later", "with-payment"] },
            "charged": text, "next": text,
        },
        "required": ["type", "title", "status", "detail", "code", "retry", "charged", "next"],
    })
}
