//! Real components with expected values from independent implementations.
//!
//! They lie beside the repository, not in it; where they are absent these tests say so and pass. Everything promised
//! is tested with inline components too.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox_core::Digest;
use glassbox_core::value::{binary, json, wave};
use glassbox_sandbox::{
    FailureKind, Flow, Function, Grants, Invocation, Outcome, Run, RunLimits, Sandbox, SandboxConfig,
    SandboxError, Spec,
};
use serde_json::Value as Json;

use crate::component::sandbox;

/// Returns the folder of the corpus, or `None` after saying that it is missing.
fn corpus() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = [workspace.join("../shared/samples"), workspace.join("../../shared/samples")];
    let found = folders.into_iter().find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no corpus of sample components beside the repository");
    }
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Reads the WIT files of a sample, those of its dependencies included.
fn spec(sample: &Path) -> Spec {
    fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder of WIT files").flatten() {
            let path = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                collect(&path, &format!("{name}/"), files);
            } else {
                files.push((name, text(&path)));
            }
        }
    }
    let mut files = Vec::new();
    collect(&sample.join("wit"), "", &mut files);
    Spec::parse(&files, None).expect("the sample's WIT is valid")
}

fn function<'s>(spec: &'s Spec, case: &Json) -> &'s Function {
    let call = case["call"].as_str().expect("a case names its function");
    let function = spec.function(call).unwrap_or_else(|| panic!("no function `{call}`"));
    assert_eq!(function.callable, Ok(()), "{call}");
    function
}

async fn call(
    sandbox: &Sandbox,
    component: &[u8],
    function: &Function,
    case: &Json,
    limits: RunLimits,
) -> Run {
    let prepared = sandbox
        .prepare(Digest::of(component), component, &grants(case))
        .unwrap_or_else(|error| panic!("cannot prepare: {error}"));
    let args = json::args_from_json(&function.ty, &case["args"]).expect("the arguments fit the type");
    // The other notations must agree on real arguments too.
    let text = wave::args_to_wave(&function.ty, &args).expect("printable");
    assert_eq!(wave::args_from_wave(&function.ty, &text).as_ref(), Ok(&args));
    let bytes = binary::encode_args(&function.ty, &args).expect("encodable");
    assert_eq!(binary::decode_args(&function.ty, &bytes).as_ref(), Ok(&args));
    let invocation = Invocation::new(&function.name, &function.ty, args.into(), limits);
    sandbox.run(&prepared, invocation, Flow::new("payer", "package")).await
}

fn grants(case: &Json) -> Grants {
    let names = case["grants"].as_array().cloned().unwrap_or_default();
    Grants::parse(names.iter().filter_map(Json::as_str)).expect("known grants")
}

#[tokio::test]
async fn honest_components_give_the_expected_values() {
    let Some(corpus) = corpus() else { return };
    let on_demand =
        Sandbox::new(SandboxConfig { pool: false, threads: 1, ..SandboxConfig::default() }).expect("starts");
    let dir = tempfile::tempdir().expect("a directory");
    let in_child = Sandbox::new(SandboxConfig {
        artifact_dir: Some(dir.path().to_owned()),
        executor: crate::execution::executor(1),
        threads: 1,
        ..SandboxConfig::default()
    });
    let in_child = in_child.expect("starts");
    let mut cases_run = 0;
    for sample in ["greet-wat", "markdown-rs", "report-rs", "semver-qjs", "sink-rs", "zhash-c"] {
        let folder = corpus.join(sample);
        let tests: Json = serde_json::from_str(&text(&folder.join("tests.json"))).expect("valid JSON");
        let spec = spec(&folder);
        let path = folder.join(tests["component"].as_str().expect("a component"));
        let component = fs::read(path).expect("the component");
        spec.check_world(&component).unwrap_or_else(|mismatch| panic!("{sample}: {mismatch}"));
        let mut fuel = 0;
        for case in tests["cases"].as_array().expect("cases") {
            let name = format!("{sample}: {}", case["name"]);
            let function = function(&spec, case);
            let run = call(&sandbox(), &component, function, case, RunLimits::default()).await;
            let Outcome::Returned(value) = &run.outcome else {
                panic!("{name}: {:?}", run.outcome);
            };
            let ty = function.ty.result.as_ref().expect("every sample function returns something");
            let expected = json::from_json(&case["expect"], ty).expect("the expected value fits the type");
            let value = value.as_ref().expect("a value");
            assert_eq!(json::to_json(value, ty), json::to_json(&expected, ty), "{name}");
            assert!(run.pure && run.fuel_used > 0 && run.memory_peak_bytes > 0, "{name}: {run:?}");
            // Neither the allocator nor repetition may show in a receipt.
            let again = call(&on_demand, &component, function, case, RunLimits::default()).await;
            assert_eq!((&again.outcome, again.fuel_used), (&run.outcome, run.fuel_used), "{name}");
            assert_eq!(again.memory_peak_bytes, run.memory_peak_bytes, "{name}");
            let elsewhere = call(&in_child, &component, function, case, RunLimits::default()).await;
            assert_eq!((&elsewhere.outcome, elsewhere.fuel_used), (&run.outcome, run.fuel_used), "{name}");
            assert_eq!(elsewhere.memory_peak_bytes, run.memory_peak_bytes, "{name}");
            fuel += run.fuel_used;
            cases_run += 1;
        }
        eprintln!("{sample}: {fuel} fuel");
    }
    assert_eq!(cases_run, 95);
}

/// Each ends as its host must make it end, and its bill is the same every time and in every place.
#[tokio::test]
async fn hostile_components_end_as_they_should() {
    let Some(corpus) = corpus() else { return };
    let on_demand =
        Sandbox::new(SandboxConfig { pool: false, threads: 1, ..SandboxConfig::default() }).expect("starts");
    let folder = corpus.join("hostile");
    let tests: Json = serde_json::from_str(&text(&folder.join("tests.json"))).expect("valid JSON");
    let spec = spec(&folder);
    for case in tests["cases"].as_array().expect("cases") {
        let (file, outcome) = (case["component"].as_str().expect("a file"), case["outcome"].as_str());
        let component = fs::read(folder.join(file)).expect("the component");
        let limit = |name: &str| case["limits"].get(name).unwrap_or(&tests["limits"][name]).as_u64();
        let limits = RunLimits {
            fuel: limit("fuel").expect("a limit"),
            memory_bytes: limit("memory").expect("a limit") as usize,
            ..RunLimits::default()
        };
        if let Err(refused) = sandbox().prepare(Digest::of(&component), &component, &grants(case)) {
            let is_not_granted = matches!(refused, SandboxError::NotGranted { .. });
            assert!(is_not_granted && outcome == Some("not-granted"), "{file}: {refused}");
            continue;
        }
        let function = function(&spec, case);
        let run = call(&sandbox(), &component, function, case, limits).await;
        let ended = match &run.outcome {
            Outcome::Returned(_) => "ok",
            // Where a stack ends depends on the compiler, so that has a name of its own.
            Outcome::Failed(failure) if failure.kind == FailureKind::StackExhausted => "trap",
            Outcome::Failed(failure) => failure.kind.name(),
        };
        assert_eq!(Some(ended), outcome, "{file}: {:?}", run.outcome);
        for elsewhere in [sandbox(), on_demand.clone()] {
            let again = call(&elsewhere, &component, function, case, limits).await;
            assert_eq!(again.fuel_used, run.fuel_used, "{file}");
        }
        eprintln!("{file}: {ended}, {} fuel, {:?}", run.fuel_used, run.elapsed);
    }
}

#[test]
fn a_component_of_another_world_is_refused() {
    let Some(corpus) = corpus() else { return };
    let markdown = fs::read(corpus.join("markdown-rs/markdown-rs.wasm")).expect("the component");
    let mismatch = spec(&corpus.join("zhash-c")).check_world(&markdown).expect_err("another world");
    assert_eq!(mismatch.missing_exports, ["demo:zhash/codec@0.1.0"]);
    // The uncomposed report imports what its world declares, but nobody here can provide it.
    let report = fs::read(corpus.join("report-rs/report-rs.wasm")).expect("the component");
    assert_eq!(spec(&corpus.join("report-rs")).check_world(&report), Ok(()));
    match sandbox().prepare(Digest::of(&report), &report, &Grants::none()) {
        Err(SandboxError::NotGranted { interfaces }) => {
            assert_eq!(interfaces, ["demo:markdown/convert@0.1.0"])
        }
        other => panic!("{other:?}"),
    }
}
