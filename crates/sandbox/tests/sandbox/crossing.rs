//! What crosses between packages, and what they ask of the world outside.

use std::sync::Arc;

use glassbox_core::Digest;
use glassbox_core::profile::Profile;
use glassbox_core::value::{FunctionType, Value};
use glassbox_sandbox::{Effects, FailureKind, Flow, Grants, Invocation, Outcome, Run, RunLimits};
use serde_json::json;

use crate::component::{function_type, integer_type, sandbox, wasm};
use crate::composition::{compose_in, composed, dependency, failure, passes_on, returned};

/// A memory, and an allocator that never frees.
const LIBC: &str = r#"(memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
          (then (drop (memory.grow
            (i32.add (i32.const 1) (i32.div_u (local.get 3) (i32.const 65536)))))))
        (local.get $at))"#;

/// An `echo` of one type, behind another that passes everything on.
fn echoes(ty: &str) -> (Vec<u8>, Vec<u8>) {
    let options = r#"(memory $memory) (realloc (core func $i "realloc"))"#;
    let echo = wasm(&format!(
        r#"(component
            (core module $m {LIBC}
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (func $echo (param "x" {ty}) (result {ty}) (canon lift (core func $i "echo") {options}))
            (instance $ops (export "echo" (func $echo)))
            (export "demo:echo/ops@1.0.0" (instance $ops)))"#
    ));
    let root = wasm(&format!(
        r#"(component
            (import "demo:echo/ops@1.0.0" (instance $echo (export "echo" (func (param "x" {ty}) (result {ty})))))
            (core module $libc {LIBC})
            (core instance $i (instantiate $libc))
            (alias core export $i "memory" (core memory $memory))
            (core func $echo (canon lower (func $echo "echo") {options}))
            (core module $m
                (import "libc" "memory" (memory 1))
                (import "echo" "echo" (func $echo (param i32 i32 i32)))
                (func (export "run") (param i32 i32) (result i32)
                    (call $echo (local.get 0) (local.get 1) (i32.const 16))
                    (i32.const 16)))
            (core instance $run (instantiate $m
                (with "libc" (instance $i)) (with "echo" (instance (export "echo" (func $echo))))))
            (func (export "run") (param "x" {ty}) (result {ty}) (canon lift (core func $run "run") {options})))"#
    ));
    (echo, root)
}

fn echo_type(ty: serde_json::Value) -> FunctionType {
    function_type(json!({ "params": [{ "name": "x", "type": ty.clone() }], "result": ty }))
}

async fn echo(wit: &str, ty: serde_json::Value, value: Value) -> Run {
    let (inner, root) = echoes(wit);
    let inner = dependency("echo", composed(&inner, Vec::new()));
    let root = composed(&root, vec![inner]);
    let (function, ty) = ("run".parse().expect("a name"), echo_type(ty));
    let invocation = Invocation::new(&function, &ty, [value].into(), RunLimits::default());
    sandbox().run(&root, invocation, Flow::new("payer", "package")).await
}

#[tokio::test]
async fn strings_and_bytes_cross_whole() {
    let text = Value::String("grüße, 世界".repeat(10_000));
    let run = echo("string", json!("string"), text.clone()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(text)));
    let bytes = Value::Bytes((0..3_000_000_u32).map(|n| (n % 251) as u8).collect());
    let run = echo("(list u8)", json!({ "list": "u8" }), bytes.clone()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(bytes)));
    // Bytes are charged as bytes and no value has a price of its own.
    let host = &Profile::current().host;
    let crossed = 3_000_000 * (host.per_byte_lowered + host.per_byte_lifted);
    assert!((crossed..crossed + 10_000_000).contains(&run.inner[0].fuel), "{}", run.inner[0].fuel);
    let list = Value::List((0..1_000).map(Value::U32).collect());
    let run = echo("(list u32)", json!({ "list": "u32" }), list.clone()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(list)));
    let values = 1_001 * (host.per_value_lowered + host.per_value_lifted);
    assert!(run.inner[0].fuel > values, "{}", run.inner[0].fuel);
}

/// Returns random bytes of the world outside, as an `u32`.
fn random(name: &str, imports: &[&str], body: &str) -> Vec<u8> {
    let ty = r#"(func (param "n" u32) (result u32))"#;
    let imported: String = imports
        .iter()
        .map(|import| {
            format!(
                r#"(import "demo:{import}/ops@1.0.0" (instance ${import} (export "run" {ty})))
                   (core func ${import}-run (canon lower (func ${import} "run")))"#
            )
        })
        .collect();
    let core: String = imports
        .iter()
        .map(|import| format!(r#"(import "{import}" "run" (func ${import} (param i32) (result i32)))"#))
        .collect();
    let with: String = imports
        .iter()
        .map(|import| format!(r#"(with "{import}" (instance (export "run" (func ${import}-run))))"#))
        .collect();
    wasm(&format!(
        r#"(component
            (import "wasi:random/random@0.2.6" (instance $random (export "get-random-u64" (func (result u64)))))
            {imported}
            (core func $u64 (canon lower (func $random "get-random-u64")))
            (core module $m
                (import "random" "u64" (func $u64 (result i64)))
                {core}
                (func $random (result i32) (i32.wrap_i64 (call $u64)))
                (func (export "run") (param i32) (result i32) {body}))
            (core instance $i (instantiate $m (with "random" (instance (export "u64" (func $u64)))) {with}))
            (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
            (instance $ops (export "run" (func $run)))
            (export "demo:{name}/ops@1.0.0" (instance $ops)))"#
    ))
}

#[tokio::test]
async fn what_dependencies_observe_stands_in_one_transcript() {
    let sandbox = sandbox();
    let compose = |component: &[u8], grants: &[&str], dependencies| {
        compose_in(&sandbox, component, grants, dependencies)
    };
    let inner = random("dice", &[], "(call $random)");
    let granted = compose(&inner, &["wasi:random"], Vec::new()).expect("valid");
    let granted = dependency("dice", granted);
    let body = "(i32.xor (call $random) (i32.xor (call $dice (i32.const 0)) (call $random)))";
    let root = random("root", &["dice"], body);
    let plain = passes_on("plain", "dice");
    // Never more than its importer.
    for component in [&root, &plain] {
        let error = compose(component, &[], vec![granted.clone()]).expect_err("granted too much");
        assert!(error.to_string().contains("granted more"), "{error}");
    }
    let prepared = compose(&root, &["wasi:random/random"], vec![granted]).err();
    assert!(prepared.is_some_and(|error| error.to_string().contains("granted more")));
    let under = Grants::parse(["wasi:random"]).expect("valid");
    let under = under.under(&Grants::parse(["wasi:random/random"]).expect("valid"));
    let dice = sandbox.compose(Digest::of(&inner), &inner, &under, Vec::new()).expect("valid");
    let root = compose(&root, &["wasi:random/random"], vec![dependency("dice", dice)]).expect("valid");
    // One that asks nothing itself is no purer than what it calls.
    let dice = compose(&inner, &["wasi:random"], Vec::new()).expect("valid");
    let plain = compose(&plain, &["wasi:random"], vec![dependency("dice", dice)]).expect("valid");
    for (name, prepared, asked) in [("root", &root, 3), ("plain", &plain, 1)] {
        let function = format!("demo:{name}/ops@1.0.0#run").parse().expect("a name");
        let ty = integer_type();
        let run = |effects| {
            let args: Arc<[Value]> = [Value::U32(0)].into();
            let invocation =
                Invocation { effects, ..Invocation::new(&function, &ty, args, RunLimits::default()) };
            sandbox.run(prepared, invocation, Flow::new("payer", "package"))
        };
        let live = run(Effects::default()).await;
        let transcript = live.transcript.clone().expect("it can observe");
        assert!(!live.pure && returned(&live) < u32::MAX);
        assert_eq!(transcript.entries().len(), asked, "{name}");
        let replayed = run(Effects::Replay(&transcript)).await;
        assert_eq!((&replayed.outcome, replayed.fuel_used), (&live.outcome, live.fuel_used));
        assert_eq!((replayed.transcript.as_ref(), &replayed.inner), (Some(&transcript), &live.inner));
        // Of two answers that change places the run comes to the same and leaves the transcript nowhere; of one that is
        // missing it does.
        let mut short = glassbox_core::transcript::Transcript::new();
        for entry in &transcript.entries()[1..] {
            short.push(entry.clone()).expect("fits");
        }
        assert_eq!(failure(&run(Effects::Replay(&short)).await).kind, FailureKind::Diverged, "{name}");
    }
}
