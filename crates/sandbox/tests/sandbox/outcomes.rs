//! How runs end: each kind of end with the smallest component that gets there.

use std::time::Duration;

use glassbox_core::value::{FunctionType, Value, json};
use glassbox_sandbox::{FailureKind, Flow, Invocation, Outcome, Run, RunLimits, SandboxError};
use serde_json::json;

use crate::component::{function_type, integer_component, integer_type, prepare, run, run_in, sandbox, wasm};

async fn run_integer(core: &str, n: u32, limits: RunLimits) -> Run {
    run(&integer_component(core), "run", &integer_type(), json!([n]), limits).await
}

fn failed(run: &Run) -> FailureKind {
    match &run.outcome {
        Outcome::Failed(failure) => failure.kind,
        Outcome::Returned(value) => panic!("returned {value:?}"),
    }
}

const ADD_ONE: &str =
    r#"(func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"#;

#[tokio::test]
async fn returns() {
    let run = run_integer(ADD_ONE, 41, RunLimits::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(42))));
    assert!(run.pure);
    assert_eq!(run.memory_peak_bytes, 0);
}

#[tokio::test]
async fn runs_out_of_fuel() {
    let limits = RunLimits { fuel: 5_000_000, ..RunLimits::default() };
    let endless = r#"(func (export "run") (param i32) (result i32) (loop (br 0)) (unreachable))"#;
    let run = run_integer(endless, 0, limits).await;
    assert_eq!(failed(&run), FailureKind::OutOfFuel);
    assert_eq!(run.fuel_used, limits.fuel);
    // A component may loop before anything of it is called.
    let start = format!("(func $start (loop (br 0))) (start $start) {ADD_ONE}");
    let run = run_integer(&start, 0, limits).await;
    assert_eq!((failed(&run), run.fuel_used), (FailureKind::OutOfFuel, limits.fuel));
    // A loop of tail calls has no loop instruction.
    let tail = r#"(func $f (export "run") (param i32) (result i32) (return_call $f (local.get 0)))"#;
    let run = run_integer(tail, 0, limits).await;
    assert_eq!((failed(&run), run.fuel_used), (FailureKind::OutOfFuel, limits.fuel));
    // Less than even the host's share.
    let run = run_integer(ADD_ONE, 0, RunLimits { fuel: 1, ..RunLimits::default() }).await;
    assert_eq!((failed(&run), run.fuel_used), (FailureKind::OutOfFuel, 1));
}

#[tokio::test]
async fn traps() {
    for core in [
        r#"(func (export "run") (param i32) (result i32) (unreachable))"#,
        r#"(func (export "run") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))"#,
        r#"(memory 1) (func (export "run") (param i32) (result i32) (i32.load (i32.const 65536)))"#,
    ] {
        let run = run_integer(core, 0, RunLimits::default()).await;
        assert_eq!(failed(&run), FailureKind::Trap, "{core}");
    }
}

#[tokio::test]
async fn exhausts_the_stack() {
    let recursion = r#"(func $f (export "run") (param i32) (result i32)
        (i32.add (call $f (local.get 0)) (call $f (local.get 0))))"#;
    let run = run_integer(recursion, 0, RunLimits::default()).await;
    assert_eq!(failed(&run), FailureKind::StackExhausted);
    assert!(!failed(&run).deterministic());
    // Honest recursion goes deep: a hundred thousand frames.
    let deep = r#"(func $f (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))"#;
    let run = run_integer(deep, 100_000, RunLimits::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(100_000))));
}

/// Grows its memory by one page at a time and returns how many pages it got.
const GROW: &str = r#"(func (export "run") (param i32) (result i32)
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size))"#;

#[tokio::test]
async fn memory_is_refused_at_the_limit() {
    let limits = RunLimits { memory_bytes: 100 * 65536, ..RunLimits::default() };
    let run = run_integer(&format!("(memory 1) {GROW}"), 0, limits).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(100))));
    assert_eq!(run.memory_peak_bytes, limits.memory_bytes);
    let run = run_integer(&format!("(memory 101) {GROW}"), 0, limits).await;
    assert_eq!(failed(&run), FailureKind::MemoryExceeded);
    // Two memories in two modules share the limit.
    let two = wasm(&format!(
        r#"(component
            (core module $ballast (memory 60))
            (core module $m (memory 1) {GROW})
            (core instance (instantiate $ballast))
            (core instance $i (instantiate $m))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    ));
    let run = run_two(&two, limits).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(40))));
}

async fn run_two(component: &[u8], limits: RunLimits) -> Run {
    run(component, "run", &integer_type(), json!([0]), limits).await
}

#[tokio::test]
async fn tables_are_refused_at_the_limit() {
    let limits = RunLimits { table_elements: 1000, ..RunLimits::default() };
    let grow = r#"(table $t 10 funcref) (func (export "run") (param i32) (result i32)
        (table.grow $t (ref.null func) (local.get 0)))"#;
    let run = run_integer(grow, 990, limits).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(10))));
    let run = run_integer(grow, 991, limits).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(u32::MAX))));
}

/// Exports `run: func(n: u32) -> string` and `bytes: func(n: u32) -> list<u8>`: `n` zero bytes of its memory.
fn output_component() -> Vec<u8> {
    wasm(
        r#"(component
            (core module $m
                (memory (export "memory") 400)
                (func (export "run") (param i32) (result i32)
                    (i32.store (i32.const 4) (local.get 0))
                    (i32.store (i32.const 0) (i32.const 16))
                    (i32.const 0))
                (func (export "bad") (param i32) (result i32)
                    (i32.store8 (i32.const 16) (i32.const 255))
                    (i32.store (i32.const 4) (i32.const 1))
                    (i32.store (i32.const 0) (i32.const 16))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (func (export "run") (param "n" u32) (result string)
                (canon lift (core func $i "run") (memory $memory)))
            (func (export "bytes") (param "n" u32) (result (list u8))
                (canon lift (core func $i "run") (memory $memory)))
            (func (export "bad") (param "n" u32) (result string)
                (canon lift (core func $i "bad") (memory $memory))))"#,
    )
}

#[tokio::test]
async fn output_is_refused_beyond_the_limit() {
    let component = output_component();
    let text = function_type(json!({ "params": [{ "name": "n", "type": "u32" }], "result": "string" }));
    let bytes =
        function_type(json!({ "params": [{ "name": "n", "type": "u32" }], "result": { "list": "u8" } }));
    let limits = RunLimits { output_bytes: 100_000, ..RunLimits::default() };
    // Two bytes of length before the content, three from 16,384 on.
    for (function, ty) in [("run", &text), ("bytes", &bytes)] {
        let fits = run(&component, function, ty, json!([99_997]), limits).await;
        assert!(matches!(fits.outcome, Outcome::Returned(Some(_))), "{function}: {:?}", fits.outcome);
        for n in [99_998, 5_000_000, 20_000_000] {
            let refused = run(&component, function, ty, json!([n]), limits).await;
            assert_eq!(failed(&refused), FailureKind::OutputRefused, "{function}: {n}");
        }
    }
    // Within the default limit, and an honest size for an image.
    let large = run(&component, "bytes", &bytes, json!([2_000_000]), RunLimits::default()).await;
    match large.outcome {
        Outcome::Returned(Some(Value::Bytes(bytes))) => assert_eq!(bytes, vec![0; 2_000_000]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn malformed_output_is_a_trap() {
    let component = output_component();
    let ty = function_type(json!({ "params": [{ "name": "n", "type": "u32" }], "result": "string" }));
    let not_utf8 = run(&component, "bad", &ty, json!([0]), RunLimits::default()).await;
    assert_eq!(failed(&not_utf8), FailureKind::Trap);
    let beyond = run(&component, "run", &ty, json!([u32::MAX]), RunLimits::default()).await;
    assert_eq!(failed(&beyond), FailureKind::Trap);
}

/// Imports the wall clock as standard libraries do, and calls it only when asked to.
fn clock_component() -> Vec<u8> {
    wasm(
        r#"(component
            (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
                (type $t (record (field "seconds" u64) (field "nanoseconds" u32)))
                (export "datetime" (type $datetime (eq $t)))
                (export "now" (func (result $datetime)))))
            (core module $memory (memory (export "memory") 1))
            (core instance $mem (instantiate $memory))
            (alias core export $mem "memory" (core memory $memory))
            (alias export $clock "now" (func $now))
            (core func $lowered (canon lower (func $now) (memory $memory)))
            (core module $m
                (import "" "now" (func $now (param i32)))
                (import "" "memory" (memory 1))
                (func (export "run") (param i32) (result i32)
                    (if (local.get 0) (then (call $now (i32.const 0))))
                    (i32.wrap_i64 (i64.load (i32.const 0)))))
            (core instance $i (instantiate $m
                (with "" (instance (export "now" (func $lowered)) (export "memory" (memory $memory))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
    )
}

#[tokio::test]
async fn what_is_not_granted_refuses_when_called() {
    let component = clock_component();
    let prepared = prepare(&component, &[]).expect("an import of WASI is inert");
    assert!(prepared.is_pure());
    let limits = RunLimits::default();
    let unused = run_in(&sandbox(), &prepared, "run", &integer_type(), json!([0]), limits).await;
    assert_eq!(unused.outcome, Outcome::Returned(Some(Value::U32(0))));
    let used = run_in(&sandbox(), &prepared, "run", &integer_type(), json!([1]), limits).await;
    assert_eq!(failed(&used), FailureKind::NotGranted);
    let Outcome::Failed(failure) = used.outcome else { unreachable!("it failed") };
    assert!(
        failure.message.contains("`now`") && failure.message.contains("wasi:clocks/wall-clock"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_grant_opens_one_interface_and_no_other() {
    let component = clock_component();
    let granted = prepare(&component, &["wasi:clocks/wall-clock"]).expect("granted");
    assert!(!granted.is_pure());
    let limits = RunLimits::default();
    let run = run_in(&sandbox(), &granted, "run", &integer_type(), json!([1]), limits).await;
    match run.outcome {
        Outcome::Returned(Some(Value::U32(seconds))) => assert!(seconds > 1_700_000_000),
        other => panic!("{other:?}"),
    }
    for other in ["wasi:random/random", "wasi:clocks/monotonic-clock", "wasi:cli"] {
        let prepared = prepare(&component, &[other]).expect("granted something else");
        assert!(prepared.is_pure(), "what is granted is not imported");
        let run = run_in(&sandbox(), &prepared, "run", &integer_type(), json!([1]), limits).await;
        assert_eq!(failed(&run), FailureKind::NotGranted, "{other}");
    }
}

#[tokio::test]
async fn foreign_imports_are_refused_before_anything_runs() {
    let foreign = wasm(
        r#"(component
            (import "acme:secret/vault@1.0.0" (instance (export "open" (func))))
            (import "wasi:keyvalue/store@0.2.0" (instance (export "open" (func))))
            (import "handle" (type $handle (sub resource)))
            (import "alias" (type (eq $handle))))"#,
    );
    match prepare(&foreign, &["wasi"]) {
        Err(SandboxError::NotGranted { interfaces }) => {
            assert_eq!(interfaces, ["acme:secret/vault@1.0.0", "wasi:keyvalue/store@0.2.0", "handle"]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn time_on_the_wall_is_bounded_and_others_go_on() {
    let endless = r#"(func (export "run") (param i32) (result i32) (loop (br 0)) (unreachable))"#;
    let component = integer_component(endless);
    let limits = RunLimits { fuel: u64::MAX, wall_ms: 200, ..RunLimits::default() };
    let ty = integer_type();
    let endless = run(&component, "run", &ty, json!([0]), limits);
    // One thread drives this test: a guest on it would keep the clock from ticking.
    let ticks = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (endless, ()) = tokio::join!(endless, ticks);
    assert_eq!(failed(&endless), FailureKind::TimedOut);
    assert!(!failed(&endless).deterministic());
    assert!(endless.elapsed >= Duration::from_millis(200) && endless.elapsed < Duration::from_secs(10));
}

#[tokio::test]
async fn an_abandoned_run_frees_its_thread() {
    let component =
        integer_component(r#"(func (export "run") (param i32) (result i32) (loop (br 0)) (unreachable))"#);
    let limits = RunLimits { fuel: u64::MAX, ..RunLimits::default() };
    let ty = integer_type();
    for _ in 0..4 {
        let abandoned = run(&component, "run", &ty, json!([0]), limits);
        tokio::time::timeout(Duration::from_millis(20), abandoned)
            .await
            .expect_err("it never ends by itself");
    }
    // More were abandoned than there are threads, each allowed half a minute.
    let waiting = run_integer(ADD_ONE, 1, RunLimits::default());
    let run = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("a thread is free");
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(2))));
}

#[tokio::test]
async fn wrong_names_types_and_arguments_are_told() {
    let component = integer_component(ADD_ONE);
    let limits = RunLimits::default();
    let missing = run(&component, "walk", &integer_type(), json!([1]), limits).await;
    assert_eq!((failed(&missing), missing.fuel_used), (FailureKind::NoSuchFunction, 0));
    let no_result = function_type(json!({ "params": [{ "name": "n", "type": "u32" }] }));
    let other_type = run(&component, "run", &no_result, json!([1]), limits).await;
    assert_eq!(failed(&other_type), FailureKind::NoSuchFunction);
    let prepared = prepare(&component, &[]).expect("valid");
    let function = "run".parse().expect("a name");
    let ty = integer_type();
    let invocation = Invocation::new(&function, &ty, [Value::String("1".into())].into(), limits);
    let bad = sandbox().run(&prepared, invocation, Flow::new("a", "b")).await;
    assert_eq!((failed(&bad), bad.fuel_used), (FailureKind::BadArguments, 0));
}

#[test]
fn failure_names_are_stable() {
    let names = [
        (FailureKind::OutOfFuel, "out-of-fuel"),
        (FailureKind::Trap, "trap"),
        (FailureKind::StackExhausted, "stack-exhausted"),
        (FailureKind::MemoryExceeded, "memory-exceeded"),
        (FailureKind::OutputRefused, "output-refused"),
        (FailureKind::NotGranted, "not-granted"),
        (FailureKind::TimedOut, "timed-out"),
        (FailureKind::NoSuchFunction, "no-such-function"),
        (FailureKind::BadArguments, "bad-arguments"),
        (FailureKind::Internal, "internal"),
    ];
    for (kind, name) in names {
        assert_eq!(kind.to_string(), name);
    }
}

/// Every kind of value in and out again, through a component that returns its own parameter where it lies.
#[tokio::test]
async fn values_pass_through_a_guest() {
    let component = wasm(
        r#"(component
            (core module $m
                (memory (export "memory") 4)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                    (global.get $next)
                    (global.set $next (i32.add (global.get $next) (local.get 3))))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (type $r (record (field "n" s64) (field "f" f32) (field "c" char) (field "s" string)
                (field "o" (option (tuple u8 bool))) (field "b" (list u8)) (field "e" (result u16 (error string)))))
            (export $row "row" (type $r))
            (func (export "echo") (param "rows" (list $row)) (result (list $row))
                (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    let row = json!({ "record": [
        { "name": "n", "type": "s64" },
        { "name": "f", "type": "f32" },
        { "name": "c", "type": "char" },
        { "name": "s", "type": "string" },
        { "name": "o", "type": { "option": { "tuple": ["u8", "bool"] } } },
        { "name": "b", "type": { "list": "u8" } },
        { "name": "e", "type": { "result": { "ok": "u16", "err": "string" } } },
    ] });
    let ty = function_type(
        json!({ "params": [{ "name": "rows", "type": { "list": row } }], "result": { "list": row } }),
    );
    let rows = json!([
        { "n": "-9223372036854775808", "f": "nan", "c": "🐎", "s": "kůň", "o": [7, true], "b": { "base64": "AP8=" }, "e": { "ok": 9 } },
        { "n": 1, "f": 0.5, "c": "a", "s": "", "o": null, "b": { "base64": "" }, "e": { "err": "no" } },
    ]);
    let run = run(&component, "echo", &ty, json!({ "rows": rows }), RunLimits::default()).await;
    let Outcome::Returned(Some(value)) = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(json::to_json(&value, ty.result.as_ref().expect("it has one")), Ok(rows));
}

/// Four megabytes as values of the engine's are a hundred and sixty, which no call may hand out: ten come back where,
/// and only where, they pass as bytes.
#[tokio::test]
async fn bytes_pass_as_bytes() {
    let component = wasm(
        r#"(component
            (core module $m
                (memory (export "memory") 200)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0))
                (func (export "echo-beside") (param i32 i32 i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (func (export "echo") (param "x" (list u8)) (result (list u8))
                (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))
            (func (export "echo-beside") (param "x" (list u8)) (param "y" u8) (param "z" u8) (result (list u8))
                (canon lift (core func $i "echo-beside") (memory $memory) (realloc $realloc))))"#,
    );
    let param = |name: &str, ty: serde_json::Value| json!({ "name": name, "type": ty });
    let bytes = json!({ "list": "u8" });
    let short = function_type(json!({ "params": [param("x", bytes.clone())], "result": bytes }));
    let params = [param("x", bytes.clone()), param("y", json!("u8")), param("z", json!("u8"))];
    let long = function_type(json!({ "params": params, "result": bytes }));
    let prepared = prepare(&component, &[]).expect("valid");
    let echo = async |function: &str, ty: &FunctionType, len: usize, rest: &[Value]| {
        let content: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
        let args: Vec<_> = [&[Value::Bytes(content.clone())], rest].concat();
        let function = function.parse().expect("a name");
        let invocation = Invocation::new(&function, ty, args.into(), RunLimits::default());
        (sandbox().run(&prepared, invocation, Flow::new("a", "b")).await.outcome, content)
    };
    let rest = [Value::U8(1), Value::U8(2)];
    for len in [0, 1_000] {
        let (outcome, content) = echo("echo-beside", &long, len, &rest).await;
        assert_eq!(outcome, Outcome::Returned(Some(Value::Bytes(content))));
    }
    for len in [0, 10_000_000] {
        let (outcome, content) = echo("echo", &short, len, &[]).await;
        // Not shown where they differ: there are too many.
        assert!(outcome == Outcome::Returned(Some(Value::Bytes(content))), "{len}");
    }
    let (outcome, _) = echo("echo-beside", &long, 4_000_000, &rest).await;
    assert!(
        matches!(&outcome, Outcome::Failed(failure) if failure.kind == FailureKind::OutputRefused),
        "it passed as bytes, so this test shows nothing"
    );
}
