//! Work that the engine does not count still ends a turn, and what a start function brings about is its own.

use std::sync::Arc;
use std::time::Duration;

use glassbox_core::value::Value;
use glassbox_sandbox::{FailureKind, Flow, Invocation, RunLimits};
use serde_json::json;

use crate::component::{integer_type, prepare, run_in, sandbox, wasm};
use crate::program::{failure, tool_spec};

/// A program that asks for a megabyte of random bytes for ever.
const GREEDY: &str = r#"(component
    (import "wasi:random/random@0.2.6" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
    (core module $memory
        (memory (export "memory") 32)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
    (core instance $memory (instantiate $memory))
    (core func $bytes (canon lower (func $random "get-random-bytes")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $m
        (import "" "bytes" (func $bytes (param i64 i32)))
        (func (export "run") (result i32)
            (loop $more (call $bytes (i64.const 1048576) (i32.const 16)) (br $more)) (unreachable)))
    (core instance $i (instantiate $m (with "" (instance (export "bytes" (func $bytes))))))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $cli (export "run" (func $run)))
    (export "wasi:cli/run@0.2.6" (instance $cli)))"#;

#[tokio::test]
async fn what_the_host_does_for_a_guest_takes_turns() {
    let spec = tool_spec();
    let function = spec.function("run").expect("it is there");
    let args: Arc<[Value]> = Arc::new([Value::List(vec![]), Value::Bytes(vec![]), Value::List(vec![])]);
    let prepared = prepare(&wasm(GREEDY), &[]).expect("valid");
    let limits = RunLimits { fuel: u64::MAX, wall_ms: 300, ..RunLimits::default() };
    let invocation = Invocation::new(&function.name, &function.ty, args, limits);
    let run = sandbox().run(&prepared, invocation, Flow::new("greedy", "package")).await;
    // It has fuel for thousands of them. The clock is looked at when it gives way, and others are run.
    assert_eq!(failure(&run).kind, FailureKind::TimedOut);
    assert!(run.elapsed < Duration::from_secs(5), "{:?}", run.elapsed);
}

/// Calls an import with `pointer` to a name of nine bytes, when it starts or when it is called.
fn reports(pointer: &str, starts: bool) -> Vec<u8> {
    let start = if starts { "(start $report)" } else { "" };
    wasm(&format!(
        r#"(component
            (import "glassbox:meter/events@1.0.0" (instance $events
                (export "emit" (func (param "name" string) (param "count" u64)))))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (core func $emit (canon lower (func $events "emit") (memory (core memory $memory "memory"))))
            (core module $m
                (import "" "emit" (func $emit (param i32 i32 i64)))
                (func $report (local $n i32)
                    (loop $more
                        (local.set $n (i32.add (local.get $n) (i32.const 1)))
                        (br_if $more (i32.lt_u (local.get $n) (i32.const 100000))))
                    (call $emit (i32.const {pointer}) (i32.const 9) (i64.const 1)))
                {start}
                (func (export "run") (param i32) (result i32) (call $report) (local.get 0)))
            (core instance $i (instantiate $m (with "" (instance (export "emit" (func $emit))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    ))
}

#[tokio::test]
async fn a_start_function_that_asks_wrongly_has_failed_itself() {
    for starts in [false, true] {
        let prepared = prepare(&reports("-1", starts), &[]).expect("valid");
        let run =
            run_in(&sandbox(), &prepared, "run", &integer_type(), json!([1]), RunLimits::default()).await;
        assert_eq!(failure(&run).kind, FailureKind::Trap, "{starts}: {:?}", run.outcome);
        assert!(failure(&run).deterministic() && run.fuel_used > 1_000_000, "{starts}: {}", run.fuel_used);
    }
}
