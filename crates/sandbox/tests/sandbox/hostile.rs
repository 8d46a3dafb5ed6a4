//! Hostile components: what no vector can say of them, since it differs by design from run to run or from compiler to
//! compiler.
//!
//! How each ends, and its bill, stand in the vectors of `conformance/fuel`.

use glassbox_core::Digest;
use glassbox_core::terms::Ending;
use glassbox_core::value::FunctionType;
use glassbox_sandbox::{Codegen, FailureKind, Grants, Outcome, Run, RunLimits, Sandbox, SandboxConfig};
use serde_json::json;

use crate::component::{function_type, integer_component, integer_type, run_in, sandbox};
use crate::{execution, golden};

fn text_type() -> FunctionType {
    function_type(json!({ "params": [{ "name": "text", "type": "string" }], "result": "string" }))
}

/// Runs the vectors' component `hostile-…` with a grant.
async fn run(name: &str, grant: &str) -> Run {
    let component = golden::component(&format!("hostile-{name}.wat"));
    let grants = Grants::parse([grant]).expect("the test's grant is known");
    let prepared = sandbox().prepare(Digest::of(&component), &component, &grants).expect("valid");
    run_in(&sandbox(), &prepared, "run", &text_type(), json!(["hi"]), RunLimits::default()).await
}

/// What is granted may be seen, and nothing of it shows in the bill.
#[tokio::test]
async fn what_differs_from_run_to_run_costs_the_same() {
    for name in ["clock", "random"] {
        let (first, second) = (run(name, "wasi").await, run(name, "wasi").await);
        assert!(matches!(first.outcome, Outcome::Returned(Some(_))), "{name}: {first:?}");
        assert_ne!(first.outcome, second.outcome, "{name}");
        assert_eq!(first.fuel_used, second.fuel_used, "{name}");
        assert!(!first.pure && first.transcript.is_some_and(|seen| seen.entries().len() == 1), "{name}");
    }
}

/// Interfaces share resources, so a grant of one must leave the refusals of the others linkable.
#[tokio::test]
async fn another_grant_does_not_help() {
    for (name, grant) in [
        ("files", "wasi:random"),
        ("files", "wasi:filesystem/types"),
        ("random", "wasi:filesystem"),
        ("clock", "wasi:io"),
        ("environment", "wasi:cli/stdout"),
    ] {
        match run(name, grant).await.outcome {
            Outcome::Failed(failure) => assert_eq!(failure.kind, FailureKind::NotGranted, "{name}, {grant}"),
            Outcome::Returned(value) => panic!("{name} with {grant}: {value:?}"),
        }
    }
}

/// Where a stack ends depends on the compiler, so the end is all that agrees, and nobody is charged for it.
#[tokio::test]
async fn a_stack_that_is_used_up_is_never_charged() {
    let component = integer_component(
        r#"(func $f (export "run") (param i32) (result i32)
            (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))"#,
    );
    let dir = tempfile::tempdir().expect("a directory");
    let in_a_child = SandboxConfig {
        artifact_dir: Some(dir.path().to_owned()),
        executor: execution::executor(1),
        ..SandboxConfig::default()
    };
    let here = [Codegen::Optimized, Codegen::Unoptimized, Codegen::Pulley].into_iter().flat_map(|codegen| {
        [true, false].map(|pool| SandboxConfig { codegen, pool, ..SandboxConfig::default() })
    });
    for config in here.chain([in_a_child]) {
        let sandbox = Sandbox::new(SandboxConfig { threads: 1, ..config }).expect("starts");
        let prepared = sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid");
        for _ in 0..2 {
            let run =
                run_in(&sandbox, &prepared, "run", &integer_type(), json!([0]), RunLimits::default()).await;
            let Outcome::Failed(failure) = &run.outcome else { panic!("{run:?}") };
            assert_eq!(failure.kind, FailureKind::StackExhausted);
            assert!(!failure.deterministic());
            assert_eq!(Ending::of_failure(failure.kind.name()), Ending::Aborted);
        }
    }
}
