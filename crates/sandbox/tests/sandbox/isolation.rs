//! Compiling in a child: what works, what ends it, and what it cannot do.
#![cfg(unix)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use glassbox_core::Digest;
use glassbox_core::value::Value;
use glassbox_sandbox::{
    CompileLimits, CompileResource, Compiler, Grants, Outcome, RunLimits, Sandbox, SandboxConfig,
    SandboxError,
};
use serde_json::json;

use crate::component::{integer_component, integer_type, run_in, wasm};

const WORKER: &str = env!("CARGO_BIN_EXE_glassbox-sandbox-worker");

/// Compiles in a child.
pub(crate) fn worker() -> Compiler {
    Compiler::Process { program: PathBuf::from(WORKER), args: vec!["compile".into()] }
}

/// A child that misbehaves in the way of a shell script.
fn script(script: &str) -> Compiler {
    let args = ["-c", script].map(OsString::from).to_vec();
    Compiler::Process { program: PathBuf::from("/bin/sh"), args }
}

fn sandbox(compiler: Compiler, compile_limits: CompileLimits) -> Sandbox {
    let config =
        SandboxConfig { compiler, compile_limits, pool: false, threads: 1, ..SandboxConfig::default() };
    Sandbox::new(config).expect("starts")
}

fn tripler() -> Vec<u8> {
    integer_component(
        r#"(func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"#,
    )
}

/// Compiles `component` with what is left of a machine by `limits`, and returns how it was refused.
fn refused(compiler: Compiler, limits: CompileLimits, component: &[u8]) -> SandboxError {
    let sandbox = sandbox(compiler, limits);
    let prepared = sandbox.prepare(Digest::of(component), component, &Grants::none());
    prepared.expect_err("too much to compile")
}

fn exceeded(compiler: Compiler, limits: CompileLimits, component: &[u8]) -> CompileResource {
    match refused(compiler, limits, component) {
        SandboxError::CompileLimit { what } => what,
        error => panic!("{error:?}"),
    }
}

/// A component that is small to send and a lot to compile: functions of many instructions.
fn bomb(functions: usize, steps: usize) -> Vec<u8> {
    let step = "local.get 0 i32.const 7 i32.rotl local.get 0 call $g i32.xor local.set 0 ";
    let body = step.repeat(steps);
    let function = format!("(func (param i32) (result i32) {body} local.get 0)");
    wasm(&format!(
        r#"(component
            (core module $m
                (func $g (param i32) (result i32) local.get 0)
                {}
                (func (export "run") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
        function.repeat(functions)
    ))
}

#[tokio::test]
async fn what_a_child_compiled_runs_from_the_pool_too() {
    let component = tripler();
    for pool in [true, false] {
        let dir = tempfile::tempdir().expect("a directory");
        let config = SandboxConfig {
            artifact_dir: Some(dir.path().to_owned()),
            compiler: worker(),
            pool,
            threads: 1,
            ..SandboxConfig::default()
        };
        let in_child = Sandbox::new(config.clone()).expect("starts");
        let nobody = Compiler::Process { program: "/nowhere".into(), args: Vec::new() };
        let kept = Sandbox::new(SandboxConfig { compiler: nobody, ..config.clone() }).expect("starts");
        let in_process = SandboxConfig { compiler: Compiler::InProcess, artifact_dir: None, ..config };
        let in_process = Sandbox::new(in_process).expect("starts");
        let mut runs = Vec::new();
        // The second finds what the first had compiled, and so needs no compiler.
        for sandbox in [in_child, kept, in_process] {
            let prepared =
                sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid");
            let limits = RunLimits::default();
            let run = run_in(&sandbox, &prepared, "run", &integer_type(), json!([14]), limits).await;
            assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(42))));
            runs.push((run.fuel_used, run.memory_peak_bytes));
        }
        assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    }
}

#[test]
fn each_limit_ends_a_compilation_in_its_own_way() {
    let limits = CompileLimits::default();
    let seconds = 1;
    assert_eq!(
        exceeded(worker(), CompileLimits { cpu_seconds: seconds, ..limits }, &bomb(20, 4_000)),
        CompileResource::Cpu { seconds }
    );
    let bytes = 96 * 1024 * 1024;
    assert_eq!(
        exceeded(worker(), CompileLimits { memory_bytes: bytes, ..limits }, &bomb(1, 40_000)),
        CompileResource::Memory { bytes }
    );
    let bytes = 1024;
    assert_eq!(
        exceeded(worker(), CompileLimits { artifact_bytes: bytes, ..limits }, &tripler()),
        CompileResource::Artifact { bytes }
    );
    let ms = 200;
    assert_eq!(
        exceeded(script("exec sleep 1000"), CompileLimits { wall_ms: ms, ..limits }, &tripler()),
        CompileResource::Wall { ms }
    );
}

#[test]
fn a_child_that_fails_is_a_refusal() {
    let limits = CompileLimits { wall_ms: 20_000, ..CompileLimits::default() };
    // More than a pipe holds, so that a child that does not listen blocks the parent's writing.
    let component = bomb(20, 400);
    for (end, told) in [
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -ABRT $$", "SIGABRT"),
        ("kill -KILL $$", "SIGKILL"),
        ("exit 7", "exit status: 7"),
        ("echo nonsense", "exit status: 0"),
        // Says goodbye and stays.
        ("exec 1>&- 2>&-; exec sleep 1000", "SIGKILL"),
        // Ended, or told that nobody listens, whichever comes first.
        ("exec cat /dev/zero", "SIG"),
        ("exec cat /dev/zero >&2", "SIG"),
        // Leaves somebody behind who holds its pipes.
        ("cat /dev/zero >&2 & sleep 1000 & exec 1>&-; exec sleep 1000", "limit"),
    ] {
        let limits = if told == "limit" { CompileLimits { wall_ms: 200, ..limits } } else { limits };
        match refused(script(end), limits, &component) {
            SandboxError::Compile { reason } => assert!(reason.contains(told), "{end}: {reason}"),
            SandboxError::CompileLimit { .. } => assert_eq!(told, "limit", "{end}"),
            error => panic!("{end}: {error:?}"),
        }
    }
    let nobody = Compiler::Process { program: "/nowhere".into(), args: Vec::new() };
    assert!(matches!(refused(nobody, limits, &tripler()), SandboxError::Compiler(_)));
}

#[test]
fn after_a_refusal_the_next_one_has_its_turn() {
    let limits = CompileLimits { artifact_bytes: 64 * 1024, ..CompileLimits::default() };
    let sandbox = sandbox(worker(), limits);
    let prepare = |component: &[u8]| sandbox.prepare(Digest::of(component), component, &Grants::none());
    assert!(prepare(&bomb(4, 1_000)).is_err());
    assert!(prepare(&tripler()).is_ok());
}

#[test]
fn a_child_can_compute_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    for role in ["probe-compile", "probe-execute"] {
        // As a child is started: nothing of the parent's surroundings.
        let mut command = Command::new(WORKER);
        let output = command.arg(role).arg(dir.path()).env_clear().output().expect("the worker starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let mut lines = text.lines();
        let missing = lines.next().and_then(|line| line.strip_prefix("missing: ")).expect("the barriers");
        if !missing.is_empty() {
            eprintln!("skipped: this system does without {missing}");
            return;
        }
        let found: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        assert_eq!(found.len(), 9, "{text}");
        for (what, outcome) in found {
            let expected = if what == "start a thread" { "possible" } else { "PermissionDenied" };
            assert_eq!(outcome, expected, "{role}: {what}");
        }
    }
}
