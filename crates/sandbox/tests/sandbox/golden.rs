//! The vectors of `conformance/fuel`: what a call returns, costs and holds, whoever compiles it and wherever its
//! memory comes from.
//!
//! Each runs under every [`Codegen`], with instances from the pool and on demand, and in a child, twice. With
//! `GLASSBOX_BLESS=1` the figures in the file are renewed instead; `cargo xtask vectors` does that and checks them. How
//! a call *ends* is never renewed: a call that returns something else than it did is a mistake, not a new price.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use glassbox_core::Digest;
use glassbox_core::profile::Profile;
use glassbox_core::value::{FunctionType, json};
use glassbox_sandbox::{
    Codegen, Dependency, FailureKind, Grants, InnerCalls, Outcome, Prepared, Run, RunLimits, Sandbox,
    SandboxConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::component::{run_in, wasm};
use crate::execution;

/// The file as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    about: String,
    profile: String,
    limits: Limits,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(flatten)]
    input: Input,
    #[serde(flatten)]
    expected: Expected,
}

/// What is run.
#[derive(Serialize, Deserialize)]
struct Input {
    name: String,
    component: String,
    function: String,
    #[serde(rename = "type")]
    ty: FunctionType,
    args: Json,
    /// Those that are not the document's.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Imported>,
}

/// A package that is imported.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Imported {
    name: String,
    component: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Imported>,
}

#[derive(Default, PartialEq, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_elements: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_bytes: Option<usize>,
}

/// What comes of it. Everything is missing where a vector is new.
#[derive(Debug, Default, PartialEq, Clone, Serialize, Deserialize)]
struct Expected {
    outcome: Option<Ending>,
    #[serde(default)]
    fuel: u64,
    #[serde(default)]
    memory_peak_bytes: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inner: Vec<Node>,
}

/// An entry of the call tree.
#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
struct Node {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    dependency: String,
    function: String,
    calls: u64,
    fuel: u64,
}

impl Node {
    fn of(calls: &InnerCalls) -> Self {
        let InnerCalls { parent, dependency, function, calls, fuel, .. } = calls;
        let (dependency, function) = (dependency.clone(), function.to_string());
        Self { parent: *parent, dependency, function, calls: *calls, fuel: *fuel }
    }
}

#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    Returned(Json),
    Failed { kind: String, message: String },
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns these limits where they are set, and elsewhere those of the document.
    fn over(&self, document: &Limits) -> RunLimits {
        let all = "the document sets every limit";
        RunLimits {
            fuel: self.fuel.or(document.fuel).expect(all),
            memory_bytes: self.memory_bytes.or(document.memory_bytes).expect(all),
            table_elements: self.table_elements.or(document.table_elements).expect(all),
            output_bytes: self.output_bytes.or(document.output_bytes).expect(all),
            ..RunLimits::default()
        }
    }
}

impl Expected {
    fn of(run: &Run, ty: &FunctionType) -> Self {
        let outcome = match &run.outcome {
            Outcome::Returned(None) => Ending::Returned(Json::Null),
            Outcome::Returned(Some(value)) => {
                let ty = ty.result.as_ref().expect("a function that returned something has a result");
                Ending::Returned(json::to_json(value, ty).expect("the value is of its type"))
            }
            Outcome::Failed(failure) => {
                Ending::Failed { kind: failure.kind.to_string(), message: failure.message.clone() }
            }
        };
        Self {
            outcome: Some(outcome),
            fuel: run.fuel_used,
            memory_peak_bytes: run.memory_peak_bytes,
            inner: run.inner.iter().map(Node::of).collect(),
        }
    }

    /// Tells whether `self`, which was measured, ends as `committed` says, or as nobody has said yet.
    fn ends_like(&self, committed: &Expected) -> bool {
        match (&self.outcome, &committed.outcome) {
            (_, None) => true,
            (Some(Ending::Failed { kind: a, .. }), Some(Ending::Failed { kind: b, .. })) => a == b,
            (a, b) => a == b,
        }
    }
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../conformance/fuel"].iter().collect()
}

fn document() -> Document {
    let text = fs::read_to_string(folder().join("vectors.json")).expect("the vectors are committed");
    let document: Document = serde_json::from_str(&text).expect("the vectors are valid");
    assert_eq!(document.profile, Profile::current().id, "another profile has vectors of its own");
    document
}

/// Writes the file: two lines for each vector, so that a change of figures shows in the second alone.
fn write(document: &Document) {
    let vectors = document.vectors.iter().map(|Vector { input, expected }| {
        let (input, expected) = (json_of(input), json_of(expected));
        let (input, expected) = (&input[..input.len() - 1], &expected[1..]);
        format!("    {input},\n      {expected}")
    });
    let vectors = vectors.collect::<Vec<_>>().join(",\n");
    let [about, profile, limits] =
        [json_of(&document.about), json_of(&document.profile), json_of(&document.limits)];
    let head = format!("  \"about\": {about},\n  \"profile\": {profile},\n  \"limits\": {limits},\n");
    let text = format!("{{\n{head}  \"vectors\": [\n{vectors}\n  ]\n}}\n");
    fs::write(folder().join("vectors.json"), text).expect("the folder is writable");
}

fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it is plain data")
}

/// One way to run the vectors, with what it has prepared.
struct Bench {
    name: String,
    sandbox: Sandbox,
    prepared: BTreeMap<String, Arc<Prepared>>,
}

impl Bench {
    fn new(codegen: Codegen, pool: bool) -> Self {
        let name = format!("{} code, {}", codegen.name(), if pool { "pooled" } else { "on demand" });
        Self::of(name, SandboxConfig { codegen, pool, threads: 1, ..SandboxConfig::default() })
    }

    fn of(name: String, config: SandboxConfig) -> Self {
        Self { name, sandbox: Sandbox::new(config).expect("starts"), prepared: BTreeMap::new() }
    }

    async fn run(&mut self, input: &Input, limits: RunLimits) -> Run {
        let Self { sandbox, prepared, .. } = self;
        let Input { component, grants, dependencies, .. } = input;
        let prepared = prepared
            .entry(json_of(&(component, grants, dependencies)))
            .or_insert_with(|| prepare(sandbox, component, grants, dependencies));
        run_in(sandbox, prepared, &input.function, &input.ty, input.args.clone(), limits).await
    }

    /// Runs every vector twice and tells every difference.
    async fn differences(mut self, document: &Document) -> Vec<String> {
        let mut differences = Vec::new();
        for Vector { input, expected } in &document.vectors {
            for _ in 0..2 {
                let run = self.run(input, input.limits.over(&document.limits)).await;
                let found = Expected::of(&run, &input.ty);
                if found != *expected {
                    let (found, expected) = (json_of(&found), json_of(expected));
                    differences
                        .push(format!("{} ({}):\n  is  {found}\n  was {expected}", input.name, self.name));
                }
            }
        }
        differences
    }
}

/// Reads a component of the folder, which is text where its name says so.
pub(crate) fn component(file: &str) -> Vec<u8> {
    let bytes = fs::read(folder().join(file)).expect("the component is committed");
    match file.ends_with(".wat") {
        true => wasm(&String::from_utf8(bytes).expect("it is text")),
        false => bytes,
    }
}

fn prepare(sandbox: &Sandbox, file: &str, grants: &[String], dependencies: &[Imported]) -> Arc<Prepared> {
    let component = component(file);
    let grants = Grants::parse(grants.iter().map(String::as_str)).expect("the vector's grants are known");
    let dependencies = dependencies.iter().map(|imported| Dependency {
        name: imported.name.as_str().into(),
        prepared: prepare(sandbox, &imported.component, &[], &imported.dependencies),
        memory_bytes: RunLimits::default().memory_bytes,
        calls_max: imported.calls_max,
    });
    let prepared = sandbox.compose(Digest::of(&component), &component, &grants, dependencies.collect());
    prepared.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the files of packages that are imported, and of what they import.
fn files_of(dependencies: &[Imported]) -> Vec<String> {
    let files = |imported: &Imported| {
        let mut files = files_of(&imported.dependencies);
        files.push(imported.component.clone());
        files
    };
    dependencies.iter().flat_map(files).collect()
}

fn renewing() -> bool {
    std::env::var_os("GLASSBOX_BLESS").is_some()
}

/// Runs every vector on each of `benches`, twice each, and tells every difference at once.
async fn check(benches: impl IntoIterator<Item = Bench>) {
    if renewing() {
        return;
    }
    let document = document();
    let mut differences = Vec::new();
    for bench in benches {
        differences.extend(bench.differences(&document).await);
    }
    let hint = "if costs were changed on purpose, `cargo xtask vectors` renews the figures";
    assert!(differences.is_empty(), "{}\n{hint}", differences.join("\n"));
}

/// Returns both allocators under one compiler.
fn allocators(codegen: Codegen) -> [Bench; 2] {
    [true, false].map(|pool| Bench::new(codegen, pool))
}

#[tokio::test]
async fn optimized_code_agrees() {
    check(allocators(Codegen::Optimized)).await;
}

#[tokio::test]
async fn unoptimized_code_agrees() {
    check(allocators(Codegen::Unoptimized)).await;
}

#[tokio::test]
async fn the_interpreter_agrees() {
    check(allocators(Codegen::Pulley)).await;
}

#[tokio::test]
async fn a_child_agrees() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = SandboxConfig {
        artifact_dir: Some(dir.path().to_owned()),
        executor: execution::executor(1),
        threads: 1,
        ..SandboxConfig::default()
    };
    check([Bench::of("in a child".into(), config)]).await;
}

/// Renews the figures where it is asked to, and else checks that every file is used and every failure is one that
/// repeats.
#[tokio::test]
async fn the_file_is_whole() {
    let mut document = document();
    if renewing() {
        let mut bench = Bench::new(Codegen::Optimized, true);
        for Vector { input, expected } in &mut document.vectors {
            let run = bench.run(input, input.limits.over(&document.limits)).await;
            let found = Expected::of(&run, &input.ty);
            assert!(
                found.ends_like(expected),
                "{}: ends with {found:?}, not with {expected:?}: only figures are renewed",
                input.name
            );
            *expected = found;
        }
        write(&document);
    }
    let mut names: Vec<_> = document.vectors.iter().map(|vector| &vector.input.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), document.vectors.len(), "two vectors have one name");
    let files = fs::read_dir(folder()).expect("the folder").flatten();
    let files: BTreeSet<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let used = document.vectors.iter().flat_map(|Vector { input, .. }| {
        files_of(&input.dependencies).into_iter().chain([input.component.clone()])
    });
    let used: BTreeSet<_> = used.chain(["vectors.json".to_owned(), "README.md".to_owned()]).collect();
    assert_eq!(files, used);
    for Vector { input, expected } in &document.vectors {
        let Some(ending) = &expected.outcome else { panic!("{} has no outcome", input.name) };
        if let Ending::Failed { kind, .. } = ending {
            let repeats = [
                FailureKind::OutOfFuel,
                FailureKind::Trap,
                FailureKind::MemoryExceeded,
                FailureKind::OutputRefused,
                FailureKind::NotGranted,
                FailureKind::NoSuchFunction,
                FailureKind::TooManyCalls,
            ];
            assert!(repeats.iter().any(|repeats| repeats.name() == kind), "{}: {kind}", input.name);
        }
    }
}

/// A call that returns a value needs exactly the fuel that it says: with that it returns the same, with less it runs
/// out.
#[tokio::test]
async fn fuel_limits_are_exact() {
    let document = document();
    let mut bench = Bench::new(Codegen::Optimized, true);
    let mut wrong = Vec::new();
    for Vector { input, expected } in &document.vectors {
        let has_value = matches!(&expected.outcome, Some(Ending::Returned(value)) if !value.is_null());
        if renewing() || !has_value {
            continue;
        }
        let limits = input.limits.over(&document.limits);
        let enough = RunLimits { fuel: expected.fuel, ..limits };
        let run = Expected::of(&bench.run(input, enough).await, &input.ty);
        if run != *expected {
            wrong.push(format!("{} with just enough: {}", input.name, json_of(&run)));
        }
        for less in [expected.fuel - 1, expected.fuel / 2] {
            let run = bench.run(input, RunLimits { fuel: less, ..limits }).await;
            let ran_out =
                matches!(&run.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::OutOfFuel);
            if !ran_out || run.fuel_used != less {
                wrong.push(format!("{} with {less} of {}: {run:?}", input.name, expected.fuel));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
