//! What an import into a codebase would write and run. Nothing is written or run here.

use glassbox_api::ReleaseResponse;
use serde_json::{Value, json};

use crate::args::Target;

/// Returns the steps that put a release into a codebase.
pub(crate) fn plan(release: &ReleaseResponse, target: Target) -> Value {
    let id = &release.release;
    let (package, version) = id.split_once('@').unwrap_or((id, ""));
    let (namespace, name) = package.split_once(':').unwrap_or(("", package));
    let download = json!({
        "run": format!("glassbox download {id} --out vendor/{name}.wasm"),
        "why": "the component, checked against its publisher's signature",
        "writes": [format!("vendor/{name}.wasm")],
    });
    let interface = json!({
        "run": format!("glassbox info {id} --wit > wit/{name}.wit"),
        "why": "the interface, which types are made from",
        "writes": [format!("wit/{name}.wit")],
    });
    let world = &release.world;
    let local = match target {
        Target::Rust => vec![
            download,
            interface,
            json!({
                "run": "cargo add wasmtime@48 --features component-model",
                "why": "runs the component in your process",
            }),
            json!({
                "edit": "src/lib.rs",
                "text": format!("wasmtime::component::bindgen!({{ path: \"wit/{name}.wit\", world: \"{world}\" }});"),
            }),
        ],
        Target::Ts => vec![
            download,
            json!({
                "run": format!("npx @bytecodealliance/jco transpile vendor/{name}.wasm -o vendor/{name}"),
                "why": "a module with types; results throw their errors",
                "writes": [format!("vendor/{name}/{name}.js"), format!("vendor/{name}/{name}.d.ts")],
            }),
        ],
        Target::Python => vec![
            download,
            json!({ "run": "pip install wasmtime", "why": "runs the component through `wasmtime.component`" }),
        ],
        Target::Http => Vec::new(),
    };
    let call = json!({
        "http": format!("POST /v1/call/{namespace}/{name}/{version}/{{function}}"),
        "body": { "args": "by name, as `describe` shows them" },
        "why": "run it there, pay by x402, keep the receipt",
    });
    let (steps, mode) = match local.is_empty() || !release.download {
        true => (vec![call], "remote"),
        false => (local, "local"),
    };
    let mut plan = json!({
        "id": id,
        "mode": mode,
        "component": release.component,
        "license": release.license,
        "steps": steps,
        "note": "nothing was run",
    });
    if !release.download && target != Target::Http {
        plan["why_remote"] = json!("its terms do not allow downloads");
    }
    if let Some(price) = release.download_price.as_ref().filter(|_| mode == "local") {
        plan["download_price"] = json!(price);
    }
    plan
}
