//! Running in a child: the same results as at home, and what happens when the child does not live.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::value::Value;
use glassbox_sandbox::{
    Dependency, Executor, FailureKind, Grants, Outcome, Prepared, Run, RunLimits, Sandbox, SandboxConfig,
    SandboxError,
};
use serde_json::json;

use crate::component::{integer_component, integer_type, run_in};
use crate::composition::{dependency, package};

const WORKER: &str = env!("CARGO_BIN_EXE_glassbox-sandbox-worker");

/// Runs guests in `count` children.
pub(crate) fn executor(count: usize) -> Executor {
    Executor::Processes { program: PathBuf::from(WORKER), args: vec!["execute".into()], count }
}

fn sandbox(dir: &Path, executor: Executor) -> Sandbox {
    let artifact_dir = Some(dir.to_owned());
    let config = SandboxConfig { artifact_dir, executor, threads: 1, active: 8, ..SandboxConfig::default() };
    Sandbox::new(config).expect("starts")
}

fn prepare(sandbox: &Sandbox, core: &str) -> Arc<Prepared> {
    let component = integer_component(core);
    sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid")
}

async fn run(sandbox: &Sandbox, prepared: &Arc<Prepared>, argument: u32, limits: RunLimits) -> Run {
    run_in(sandbox, prepared, "run", &integer_type(), json!([argument]), limits).await
}

const TRIPLE: &str =
    r#"(func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"#;
const SPIN: &str = r#"(func (export "run") (param i32) (result i32) (loop (br 0)) unreachable)"#;

#[tokio::test]
async fn a_child_runs_dependencies_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = package(
        "inner",
        &[],
        r#"(func (export "run") (param i32) (result i32)
        (i32.div_u (i32.const 100) (local.get 0)))"#,
        &["run"],
    );
    let outer = package(
        "outer",
        &["inner"],
        r#"(func (export "run") (param i32) (result i32)
        (i32.add (call $inner (local.get 0)) (call $inner (i32.const 50))))"#,
        &["run"],
    );
    let mut runs = Vec::new();
    for executor in [executor(1), Executor::InProcess] {
        let sandbox = sandbox(dir.path(), executor);
        let compose = |component: &[u8], dependencies| {
            sandbox.compose(Digest::of(component), component, &Grants::none(), dependencies).expect("valid")
        };
        let inner = Dependency { calls_max: Some(9), ..dependency("inner", compose(&inner, Vec::new())) };
        let outer = compose(&outer, vec![inner]);
        for n in [7, 0] {
            let (function, ty) = ("demo:outer/ops@1.0.0#run", integer_type());
            let mut run = run_in(&sandbox, &outer, function, &ty, json!([n]), RunLimits::default()).await;
            run.elapsed = Duration::ZERO;
            runs.push(run);
        }
    }
    assert_eq!(runs[..2], runs[2..]);
    assert_eq!((runs[0].inner[0].calls, runs[1].inner[0].calls), (2, 1));
    assert!(matches!(&runs[1].outcome, Outcome::Failed(failure) if failure.dependency.is_some()));
}

#[tokio::test]
async fn a_child_returns_what_this_process_would() {
    let dir = tempfile::tempdir().expect("a directory");
    let there = sandbox(dir.path(), executor(2));
    let here = sandbox(dir.path(), Executor::InProcess);
    for core in [
        TRIPLE,
        SPIN,
        r#"(func (export "run") (param i32) (result i32) unreachable)"#,
        r#"(memory 1) (func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))"#,
        r#"(memory 1) (func (export "run") (param i32) (result i32) (i32.load (i32.const -1)))"#,
        r#"(memory 2000) (func (export "run") (param i32) (result i32) (i32.const 0))"#,
    ] {
        for argument in [0, 14, 5000] {
            let limits = RunLimits { fuel: 10_000_000, ..RunLimits::default() };
            let there = run(&there, &prepare(&there, core), argument, limits).await;
            let here = run(&here, &prepare(&here, core), argument, limits).await;
            assert_eq!(there.outcome, here.outcome, "{core}");
            assert_eq!(there.fuel_used, here.fuel_used, "{core}");
            assert_eq!(there.memory_peak_bytes, here.memory_peak_bytes, "{core}");
            assert!(there.pure && here.pure, "{core}");
        }
    }
}

#[tokio::test]
async fn a_call_that_does_not_fit_is_refused_as_at_home() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox(dir.path(), executor(1));
    let prepared = prepare(&sandbox, TRIPLE);
    let absent =
        run_in(&sandbox, &prepared, "other", &integer_type(), json!([1]), RunLimits::default()).await;
    assert!(
        matches!(absent.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::NoSuchFunction)
    );
}

#[tokio::test]
async fn many_are_under_way_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox(dir.path(), executor(2));
    let prepared = prepare(&sandbox, TRIPLE);
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (sandbox, prepared) = (sandbox.clone(), prepared.clone());
            tokio::spawn(async move { run(&sandbox, &prepared, n, RunLimits::default()).await.outcome })
        })
        .collect();
    for (n, task) in (0..).zip(tasks) {
        assert_eq!(task.await.expect("ends"), Outcome::Returned(Some(Value::U32(3 * n))));
    }
}

#[tokio::test]
async fn who_hangs_up_leaves_the_place_to_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox(dir.path(), executor(1));
    let (spin, triple) = (prepare(&sandbox, SPIN), prepare(&sandbox, TRIPLE));
    let long = RunLimits { fuel: u64::MAX, ..RunLimits::default() };
    for _ in 0..10 {
        // There is one thread, and fewer places than this; each of these would burn for ten seconds and more.
        let spinning = run(&sandbox, &spin, 0, long);
        assert!(tokio::time::timeout(Duration::from_millis(20), spinning).await.is_err());
    }
    let run = run(&sandbox, &triple, 14, RunLimits::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(42))));
}

/// Runs guests in a child that writes its number into a file.
fn numbered(dir: &Path) -> (PathBuf, Executor) {
    let number = dir.join("pid");
    // The shell becomes the worker, under the same number.
    let script = format!("echo $$ >'{0}.new'; mv '{0}.new' '{0}'; exec '{WORKER}' execute", number.display());
    let args = vec!["-c".into(), script.into()];
    (number, Executor::Processes { program: "/bin/sh".into(), args, count: 1 })
}

/// A terminal interrupts all processes in it, and a service manager asks all of a service to end: the server has calls to bring
/// to their end first.
#[tokio::test]
async fn a_child_leaves_ending_to_its_parent() {
    let dir = tempfile::tempdir().expect("a directory");
    let (number, executor) = numbered(dir.path());
    let sandbox = sandbox(dir.path(), executor);
    let triple = prepare(&sandbox, TRIPLE);
    let is_there = async || {
        let run = run(&sandbox, &triple, 14, RunLimits::default()).await;
        assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(42))));
    };
    is_there().await;
    let pid = fs::read_to_string(&number).expect("a number");
    fs::remove_file(&number).expect("removed");
    for signal in ["-INT", "-TERM"] {
        assert!(Command::new("kill").args([signal, pid.trim()]).status().expect("sent").success());
        tokio::time::sleep(Duration::from_millis(50)).await;
        is_there().await;
    }
    assert!(!number.exists(), "another child was started");
}

#[tokio::test]
async fn a_child_that_is_killed_fails_its_runs_and_is_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let (number, executor) = numbered(dir.path());
    let sandbox = sandbox(dir.path(), executor);
    let (spin, triple) = (prepare(&sandbox, SPIN), prepare(&sandbox, TRIPLE));
    for _ in 0..2 {
        let long = RunLimits { fuel: u64::MAX, ..RunLimits::default() };
        let spinning = {
            let (sandbox, spin) = (sandbox.clone(), spin.clone());
            tokio::spawn(async move { run(&sandbox, &spin, 0, long).await })
        };
        while !number.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Another run comes back, so the child is at work.
        let beside = run(&sandbox, &triple, 14, RunLimits::default()).await;
        assert_eq!(beside.outcome, Outcome::Returned(Some(Value::U32(42))));
        let pid = fs::read_to_string(&number).expect("a number");
        fs::remove_file(&number).expect("removed");
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().expect("killed").success());
        let ended = spinning.await.expect("ends");
        assert!(
            matches!(&ended.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Internal),
            "{ended:?}"
        );
        assert_eq!(ended.fuel_used, 0);
    }
}

#[tokio::test]
async fn a_child_that_cannot_start_or_speaks_nonsense_is_an_internal_failure() {
    let dir = tempfile::tempdir().expect("a directory");
    for program in ["/nowhere", "/bin/true", "/bin/cat"] {
        let executor = Executor::Processes { program: program.into(), args: Vec::new(), count: 1 };
        let sandbox = sandbox(dir.path(), executor);
        let prepared = prepare(&sandbox, TRIPLE);
        let run = run(&sandbox, &prepared, 1, RunLimits::default()).await;
        let internal =
            matches!(&run.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Internal);
        assert!(internal, "{program}: {run:?}");
    }
}

#[test]
fn children_need_a_directory() {
    let config = SandboxConfig { executor: executor(1), pool: false, ..SandboxConfig::default() };
    assert!(matches!(Sandbox::new(config), Err(SandboxError::Engine { .. })));
}
