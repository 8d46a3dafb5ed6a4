//! Fuel is a promise: the same call costs the same, on every run, and as much as the profile says.

use glassbox_core::Digest;
use glassbox_core::profile::{HostWork, Profile};
use glassbox_core::value::Value;
use glassbox_sandbox::{Grants, Outcome, RunLimits, Sandbox, SandboxConfig, inspect};
use serde_json::json;

use crate::component::{function_type, integer_component, integer_type, run, run_in, sandbox, wasm};

/// The host's share of a call that takes and returns one small `u32`, without memories and tables.
fn host_fuel(component: &[u8]) -> u64 {
    let small = HostWork { values: 1, bytes: 1 };
    let profile = Profile::current();
    let start = inspect(component).expect("valid").start;
    profile.lowered_fuel(small) + profile.start_fuel(start) + profile.lifted_fuel(small)
}

async fn guest_fuel(core: &str, n: u32) -> u64 {
    let component = integer_component(core);
    let run = run(&component, "run", &integer_type(), json!([n]), RunLimits::default()).await;
    assert!(matches!(run.outcome, Outcome::Returned(Some(Value::U32(_)))), "{core}: {:?}", run.outcome);
    run.fuel_used - host_fuel(&component)
}

/// Golden figures. A change of the engine or of the profile that moves one needs a new profile id.
#[tokio::test]
async fn golden_fuel() {
    for (n, fuel, core) in [
        (1, 2, r#"(func (export "run") (param i32) (result i32) (local.get 0))"#),
        (1, 7, r#"(func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"#),
        (1, 11, r#"(func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 1)))"#),
        (1, 63, r#"(func (export "run") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 1)))"#),
        (
            100,
            2003,
            r#"(func (export "run") (param i32) (result i32)
                (loop $l (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br_if $l (local.get 0)) (nop) (drop (i32.const 0)) )
                (local.get 0))"#,
        ),
        (
            100,
            25_355,
            r#"(memory 1) (func (export "run") (param i32) (result i32)
                (memory.fill (i32.const 0) (i32.const 7) (local.get 0)) (local.get 0))"#,
        ),
        (
            2,
            75_752,
            r#"(memory 1) (func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))"#,
        ),
    ] {
        assert_eq!(guest_fuel(core, n).await, fuel, "{core}");
    }
}

#[tokio::test]
async fn repetition_allocator_and_threads_do_not_show() {
    let component = integer_component(
        r#"(memory 2) (func (export "run") (param i32) (result i32)
            (loop $l
                (i32.store (local.get 0) (i32.mul (local.get 0) (i32.load (local.get 0))))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i32.load (i32.const 4)))"#,
    );
    let ty = integer_type();
    let mut runs = Vec::new();
    for pool in [true, false] {
        let sandbox =
            Sandbox::new(SandboxConfig { pool, threads: 3, ..SandboxConfig::default() }).expect("starts");
        let prepared = sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid");
        for _ in 0..4 {
            runs.push(run_in(&sandbox, &prepared, "run", &ty, json!([100_000]), RunLimits::default()).await);
        }
        let limits = RunLimits::default();
        let one = || run_in(&sandbox, &prepared, "run", &ty, json!([100_000]), limits);
        runs.extend(<[_; 4]>::from(tokio::join!(one(), one(), one(), one())));
    }
    for run in &runs {
        assert_eq!((&run.outcome, run.fuel_used), (&runs[0].outcome, runs[0].fuel_used));
        assert_eq!(run.memory_peak_bytes, runs[0].memory_peak_bytes);
    }
}

#[tokio::test]
async fn values_and_bytes_in_and_out_are_charged() {
    let component = wasm(
        r#"(component
            (core module $m
                (memory (export "memory") 4)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (func (export "echo") (param "text" string) (result string)
                (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    let ty = function_type(json!({ "params": [{ "name": "text", "type": "string" }], "result": "string" }));
    let fuel = async |text: &str| {
        let run = run(&component, "echo", &ty, json!([text]), RunLimits::default()).await;
        assert_eq!(run.outcome, Outcome::Returned(Some(Value::String(text.into()))));
        run.fuel_used
    };
    let host = &Profile::current().host;
    let short = fuel("").await;
    assert!(short > host.per_call);
    let hundred = fuel(&"x".repeat(100)).await;
    assert_eq!(hundred - short, 100 * (host.per_byte_lowered + host.per_byte_lifted));
}

/// The engine forgets what was done since it last looked when an instruction faults.
#[tokio::test]
async fn a_trap_is_charged_for_the_work_before_it() {
    let work = |end: &str| {
        format!(
            r#"(func (export "run") (param i32) (result i32)
                (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                {end})"#
        )
    };
    let n = 5_000_000;
    let honest = guest_fuel(&work("(local.get 0)"), n).await;
    let limits = RunLimits::default();
    let faulting = integer_component(&work("(i32.div_u (i32.const 1) (local.get 0))"));
    let mut charged = Vec::new();
    for _ in 0..3 {
        let run = run(&faulting, "run", &integer_type(), json!([n]), limits).await;
        assert!(matches!(run.outcome, Outcome::Failed(_)));
        charged.push(run.fuel_used);
    }
    let interval = Profile::current().trap.yield_interval;
    assert!(charged[0] >= honest, "{} of {honest}", charged[0]);
    let host_fuel = host_fuel(&faulting);
    assert!(charged[0] <= honest + host_fuel + interval);
    assert_eq!(charged, [charged[0]; 3]);
    // Never more than was offered.
    let limits = RunLimits { fuel: honest + host_fuel + 1000, ..limits };
    let run = run(&faulting, "run", &integer_type(), json!([n]), limits).await;
    assert!(run.fuel_used <= limits.fuel);
}

/// Bits of a NaN that a computation makes must not depend on the machine.
#[tokio::test]
async fn nan_is_canonical() {
    let core = r#"(func (export "run") (param i32) (result i32)
        (i32.reinterpret_f32 (f32.mul (f32.reinterpret_i32 (local.get 0)) (f32.const 1))))"#;
    let component = integer_component(core);
    for bits in [0x7f80_0001_u32, 0xffc0_1234, 0x7fff_ffff] {
        let run = run(&component, "run", &integer_type(), json!([bits]), RunLimits::default()).await;
        assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(0x7fc0_0000))), "{bits:x}");
    }
}

#[tokio::test]
async fn limits_beyond_the_profile_are_cut_down() {
    let component = integer_component(
        r#"(memory 1) (func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))"#,
    );
    let limits = RunLimits { fuel: u64::MAX, memory_bytes: usize::MAX, ..RunLimits::default() };
    let pages = (Profile::current().limits.memory_bytes_max / 65536) as u32;
    let fits = run(&component, "run", &integer_type(), json!([pages - 1]), limits).await;
    assert_eq!(fits.outcome, Outcome::Returned(Some(Value::U32(1))));
    let too_many = run(&component, "run", &integer_type(), json!([pages]), limits).await;
    assert_eq!(too_many.outcome, Outcome::Returned(Some(Value::U32(u32::MAX))));
    assert_eq!(sandbox().profile().id, "glassbox-det/1");
}

/// The engine looks at loops and calls alone, and nothing comes after the work of a function that returns nothing: whether it
/// had enough must not depend on where the engine looked.
#[tokio::test]
async fn less_than_a_run_costs_is_never_enough() {
    let component = wasm(
        r#"(component
            (core module $m
                (func (export "run") (param i32)
                    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
            (core instance $i (instantiate $m))
            (func (export "run") (param "n" u32) (canon lift (core func $i "run"))))"#,
    );
    let ty = function_type(json!({ "params": [{ "name": "n", "type": "u32" }] }));
    let run = async |fuel| {
        run(&component, "run", &ty, json!([9]), RunLimits { fuel, ..RunLimits::default() }).await
    };
    let cost = run(RunLimits::default().fuel).await.fuel_used;
    for fuel in cost - 150..=cost + 10 {
        let run = run(fuel).await;
        assert_eq!(matches!(run.outcome, Outcome::Returned(None)), fuel > cost, "{fuel} of {cost}");
        assert_eq!(run.fuel_used, cost.min(fuel));
    }
}

/// What one guest wrote is gone for the next one, wherever in memories of any size it stood.
#[tokio::test]
async fn nothing_is_left_for_the_next_guest() {
    let sandbox =
        Sandbox::new(SandboxConfig { threads: 1, active: 1, ..SandboxConfig::default() }).expect("starts");
    for pages in [1, 2, 3, 4, 17, 64] {
        // Writes every page of its memory and of as much as it grows by, and counts what was there already.
        let component = integer_component(&format!(
            r#"(memory {pages}) (data (i32.const 70) "data")
            (table 3000 funcref) (elem (i32.const 1) $there) (func $there)
            (func (export "run") (param i32) (result i32) (local $found i32) (local $at i32) (local $end i32)
                (local.set $end (i32.mul (i32.const 65536) (i32.add (i32.const {pages}) (local.get 0))))
                (drop (memory.grow (local.get 0)))
                (loop $l
                    (local.set $found (i32.or (local.get $found) (i32.load offset=96 (local.get $at))))
                    (i32.store offset=96 (local.get $at) (i32.const -1))
                    (i32.store offset=70 (local.get $at) (i32.const -1))
                    (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4096))) (local.get $end))))
                (local.set $at (i32.const 2))
                (loop $l
                    (local.set $found (i32.or (local.get $found) (i32.eqz (ref.is_null (table.get (local.get $at))))))
                    (table.set (local.get $at) (ref.func $there))
                    (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 3000))))
                (local.get $found))"#
        ));
        let prepared = sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid");
        for more in [0, 5, 0, 40, 1] {
            let ty = integer_type();
            let run = run_in(&sandbox, &prepared, "run", &ty, json!([more]), RunLimits::default()).await;
            assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(0))), "{pages} and {more} pages");
        }
    }
}
