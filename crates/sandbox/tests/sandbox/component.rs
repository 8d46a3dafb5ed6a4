//! Small components in text form, and a shorthand to run them.

use std::sync::Arc;

use glassbox_core::value::{FunctionType, Value, json};
use glassbox_core::{Digest, FunctionName};
use glassbox_sandbox::{
    Flow, Grants, Invocation, Prepared, Run, RunLimits, Sandbox, SandboxConfig, SandboxError,
};
use serde_json::json;

/// Returns the sandbox that tests share, with instances from the pool.
pub(crate) fn sandbox() -> Sandbox {
    static SHARED: std::sync::OnceLock<Sandbox> = std::sync::OnceLock::new();
    SHARED
        .get_or_init(|| {
            Sandbox::new(SandboxConfig { threads: 2, ..SandboxConfig::default() }).expect("starts")
        })
        .clone()
}

/// Translates a component from text.
pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's component is valid text")
}

/// Wraps a core function `run` of an integer type in a component that exports it as `run: func(n: u32) -> u32`.
///
/// `core` is what stands in the core module beside nothing else.
pub(crate) fn integer_component(core: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(component
            (core module $m {core})
            (core instance $i (instantiate $m))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    ))
}

/// The type `func(n: u32) -> u32`.
pub(crate) fn integer_type() -> FunctionType {
    function_type(json!({ "params": [{ "name": "n", "type": "u32" }], "result": "u32" }))
}

/// Reads a function type from its JSON form.
pub(crate) fn function_type(text: serde_json::Value) -> FunctionType {
    serde_json::from_value(text).expect("the test's function type is valid")
}

/// Prepares a component in the shared sandbox.
pub(crate) fn prepare(component: &[u8], grants: &[&str]) -> Result<Arc<Prepared>, SandboxError> {
    let grants = Grants::parse(grants.iter().copied()).expect("the test's grants are valid");
    sandbox().prepare(Digest::of(component), component, &grants)
}

/// Runs a function of a component in the shared sandbox.
pub(crate) async fn run(
    component: &[u8],
    function: &str,
    ty: &FunctionType,
    args: serde_json::Value,
    limits: RunLimits,
) -> Run {
    let prepared = prepare(component, &[]).expect("the test's component is accepted");
    run_in(&sandbox(), &prepared, function, ty, args, limits).await
}

/// Runs a function of a prepared component.
pub(crate) async fn run_in(
    sandbox: &Sandbox,
    prepared: &Arc<Prepared>,
    function: &str,
    ty: &FunctionType,
    args: serde_json::Value,
    limits: RunLimits,
) -> Run {
    let function: FunctionName = function.parse().expect("the test's function name is valid");
    let args: Vec<Value> = json::args_from_json(ty, &args).expect("the test's arguments are valid");
    let invocation = Invocation::new(&function, ty, args.into(), limits);
    sandbox.run(prepared, invocation, Flow::new("payer", "package")).await
}
