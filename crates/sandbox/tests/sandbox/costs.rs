//! Fuel should be time: how long a unit takes in programs that do one thing over and over, and what components do
//! before they are called, which no operator pays for.
//!
//! Machines are noisy, so no time is asserted: `cargo xtask costs` prints the table that costs are drawn from. What the
//! host does is only as quick as the build; what guests do is compiled the same in every build.

use crate::component::integer_component;
use crate::stopwatch::{Stopwatch, Taken};

/// What the profile notes that a unit takes, in picoseconds.
const NOTED_PICOSECONDS: f64 = 40.0;

/// Runs a component to the end of its fuel or of its work, and returns the quickest of `tries`.
fn quickest(stopwatch: &Stopwatch, component: &[u8], fuel: u64, tries: usize) -> Taken {
    let taken = stopwatch.take(component, fuel, tries).unwrap_or_else(|error| panic!("{error}"));
    taken.into_iter().min_by_key(|taken| taken.cpu).expect("at least one try")
}

/// A core module whose function repeats `body` for as long as there is fuel.
fn endless(around: &str, locals: &str, body: &str, times: usize) -> Vec<u8> {
    let body = body.repeat(times);
    integer_component(&format!(
        r#"{around} (func $run (export "run") (param $n i32) (result i32) {locals} (loop $l {body} (br $l)) (unreachable))"#
    ))
}

/// Programs that do one thing each: a name, and what it is made of.
fn suspects() -> Vec<(String, Vec<u8>)> {
    let mut suspects = Vec::new();
    let locals =
        "(local $a i32) (local $x i64) (local $f f32) (local $d f64) (local $v v128) (local $w v128)";
    let mut add = |name: &str, around: &str, body: &str| {
        suspects.push((name.to_owned(), endless(around, locals, body, 40)));
    };
    for op in ["add", "mul", "and", "rotl", "shl", "div_u", "rem_s"] {
        add(&format!("i32.{op}"), "", &format!("(local.set $a (i32.{op} (local.get $a) (i32.const 7)))"));
        add(&format!("i64.{op}"), "", &format!("(local.set $x (i64.{op} (local.get $x) (i64.const 7)))"));
    }
    for op in ["clz", "ctz", "popcnt"] {
        add(&format!("i32.{op}"), "", &format!("(local.set $a (i32.{op} (local.get $a)))"));
    }
    for op in ["add", "mul", "div", "min", "max", "copysign"] {
        add(&format!("f32.{op}"), "", &format!("(local.set $f (f32.{op} (local.get $f) (f32.const 1.5)))"));
        add(&format!("f64.{op}"), "", &format!("(local.set $d (f64.{op} (local.get $d) (f64.const 1.5)))"));
    }
    for op in ["sqrt", "nearest", "floor", "neg"] {
        add(&format!("f64.{op}"), "", &format!("(local.set $d (f64.{op} (local.get $d)))"));
    }
    for (name, body) in [
        ("i32.trunc_f64_s", "(local.set $a (i32.trunc_f64_s (f64.convert_i32_s (local.get $a))))"),
        ("i64.trunc_f32_u", "(local.set $x (i64.trunc_f32_u (f32.convert_i64_u (local.get $x))))"),
        ("i64.trunc_sat_f64_u", "(local.set $x (i64.trunc_sat_f64_u (f64.convert_i64_u (local.get $x))))"),
        ("f32.demote, promote", "(local.set $d (f64.promote_f32 (f32.demote_f64 (local.get $d))))"),
        ("select", "(local.set $a (select (local.get $a) (i32.const 3) (local.get $n)))"),
        ("br_if not taken", "(br_if $l (local.get $n))"),
        ("if", "(if (local.get $n) (then (local.set $a (i32.const 1))))"),
        (
            "br_table",
            "(block (block (block (br_table 0 1 2 1 (i32.and (local.tee $a (i32.add (i32.mul (local.get $a) (i32.const 1103515245)) (i32.const 12345))) (i32.const 1048576))))))",
        ),
        ("i8x16.popcnt", "(local.set $v (i8x16.popcnt (local.get $v)))"),
        (
            "i8x16.shuffle",
            "(local.set $v (i8x16.shuffle 3 17 2 19 4 21 6 23 31 14 29 12 27 10 25 8 (local.get $v) (local.get $w)))",
        ),
        ("i8x16.shl", "(local.set $v (i8x16.shl (local.get $v) (local.get $a)))"),
        ("i8x16.shr_s", "(local.set $v (i8x16.shr_s (local.get $v) (local.get $a)))"),
        ("i64x2.shr_s", "(local.set $v (i64x2.shr_s (local.get $v) (local.get $a)))"),
        ("i64x2.mul", "(local.set $v (i64x2.mul (local.get $v) (local.get $v)))"),
        ("i64x2.abs", "(local.set $v (i64x2.abs (local.get $v)))"),
        ("i32x4.trunc_sat_f32x4_u", "(local.set $v (i32x4.trunc_sat_f32x4_u (local.get $v)))"),
        ("i32x4.trunc_sat_f64x2_u_zero", "(local.set $v (i32x4.trunc_sat_f64x2_u_zero (local.get $v)))"),
        ("f32x4.convert_i32x4_u", "(local.set $v (f32x4.convert_i32x4_u (local.get $v)))"),
        ("f32x4.add", "(local.set $v (f32x4.add (local.get $v) (local.get $w)))"),
        ("f32x4.min", "(local.set $v (f32x4.min (local.get $v) (local.get $w)))"),
        ("f64x2.div", "(local.set $v (f64x2.div (local.get $v) (local.get $w)))"),
        ("f64x2.sqrt", "(local.set $v (f64x2.sqrt (local.get $v)))"),
        ("f64x2.nearest", "(local.set $v (f64x2.nearest (local.get $v)))"),
        ("i16x8.q15mulr_sat_s", "(local.set $v (i16x8.q15mulr_sat_s (local.get $v) (local.get $w)))"),
        ("i32x4.dot_i16x8_s", "(local.set $v (i32x4.dot_i16x8_s (local.get $v) (local.get $w)))"),
        ("i8x16.bitmask, splat", "(local.set $v (i8x16.splat (i8x16.bitmask (local.get $v))))"),
    ] {
        add(name, "", body);
    }
    let call = "(func $f (param i32) (result i32) (local.get 0)) (type $t (func (param i32) (result i32))) (table 2 2 funcref) (elem (i32.const 0) $f $f)";
    add("call", call, "(local.set $a (call $f (local.get $a)))");
    add("call_indirect", call, "(local.set $a (call_indirect (type $t) (local.get $a) (i32.const 1)))");
    add(
        "global.get and set",
        "(global $g (mut i64) (i64.const 0))",
        "(global.set $g (i64.add (global.get $g) (i64.const 1)))",
    );
    add("ref.func, ref.is_null", "(elem declare func $run)", "(local.set $a (ref.is_null (ref.func $run)))");
    let table = "(table $t 100 2000000 funcref) (elem $e func $run)";
    for (name, body) in [
        ("table.get, set", "(table.set $t (i32.const 3) (table.get $t (i32.const 4)))"),
        ("table.size", "(local.set $a (table.size $t))"),
        ("table.grow by 0", "(local.set $a (table.grow $t (ref.null func) (i32.const 0)))"),
        ("table.grow by 1", "(local.set $a (table.grow $t (ref.null func) (i32.const 1)))"),
        ("table.fill of 1", "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))"),
        ("table.fill of 100", "(table.fill $t (i32.const 0) (ref.null func) (i32.const 100))"),
        ("table.copy of 1", "(table.copy $t $t (i32.const 0) (i32.const 5) (i32.const 1))"),
        ("table.copy of 90", "(table.copy $t $t (i32.const 0) (i32.const 5) (i32.const 90))"),
        ("table.init of 1", "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))"),
    ] {
        add(name, table, body);
    }
    let memory = "(memory 16 8192) (data $d \"some bytes of a segment\")";
    for (name, body) in [
        ("i32.load", "(local.set $a (i32.load (i32.and (local.get $a) (i32.const 65532))))"),
        ("i32.load8_s", "(local.set $a (i32.load8_s (i32.and (local.get $a) (i32.const 65532))))"),
        ("i32.store", "(i32.store (i32.const 64) (local.get $a))"),
        ("v128.load and store", "(v128.store (i32.const 64) (v128.load (i32.const 128)))"),
        ("memory.size", "(local.set $a (memory.size))"),
        ("memory.grow by 0", "(local.set $a (memory.grow (i32.const 0)))"),
        ("memory.grow refused", "(local.set $a (memory.grow (i32.const 8192)))"),
        ("memory.fill of 0", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0))"),
        ("memory.fill of 1", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1))"),
        ("memory.fill of 64 kB", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))"),
        ("memory.copy of 1", "(memory.copy (i32.const 0) (i32.const 100) (i32.const 1))"),
        ("memory.copy of 64 kB", "(memory.copy (i32.const 0) (i32.const 65536) (i32.const 65536))"),
        ("memory.init of 1", "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))"),
    ] {
        add(name, memory, body);
    }
    // Memory that is far away, and memory that the system must give first.
    let far = "(local.set $a (i32.load (i32.and (local.tee $a (i32.add (i32.mul (i32.add (local.get $a) (i32.const 1)) (i32.const 1103515245)) (i32.const 12345))) (i32.const 0xffffffc))))";
    add("loads all over 256 MB, untouched", "(memory 4096)", far);
    let chase = "(local.set $a (i32.and (i32.add (i32.mul (i32.add (local.get $a) (i32.load (local.get $a))) (i32.const 1103515245)) (i32.const 12345)) (i32.const 0xffffffc)))";
    add("a chase through 256 MB", "(memory 4096)", chase);
    let touched = "(memory 4096) (func $touch (local $i i32) (loop $l (i32.store (local.get $i) (i32.const 4)) (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4096))) (i32.const 0xffff000))))) (start $touch)";
    add("a chase through 256 MB, touched before", touched, chase);
    add(
        "stores to fresh pages",
        "(memory 8192)",
        "(i32.store (local.get $a) (i32.const 1)) (local.set $a (i32.and (i32.add (local.get $a) (i32.const 4096)) (i32.const 0x1ffff000)))",
    );
    add(
        "memory.grow by 1 and touch",
        "(memory 0 8192)",
        "(if (i32.gt_s (local.tee $a (i32.shl (memory.grow (i32.const 1)) (i32.const 16))) (i32.const 0)) (then (i32.store offset=0 (local.get $a) (i32.const 1)) (i32.store offset=4096 (local.get $a) (i32.const 1)) (i32.store offset=8192 (local.get $a) (i32.const 1)) (i32.store offset=12288 (local.get $a) (i32.const 1)) (i32.store offset=16384 (local.get $a) (i32.const 1)) (i32.store offset=32768 (local.get $a) (i32.const 1)) (i32.store offset=49152 (local.get $a) (i32.const 1))))",
    );
    suspects
}

/// Components that work before their function is called.
fn openings() -> Vec<(String, Vec<u8>)> {
    let run = r#"(func $run (export "run") (param i32) (result i32) (local.get 0))"#;
    let mut openings = vec![("nothing".to_owned(), integer_component(run))];
    let mut add = |name: &str, core: String| {
        openings.push((name.to_owned(), integer_component(&format!("{core} {run}"))))
    };
    add("a memory of 64 kB", "(memory 1)".into());
    add("a memory of 256 MB", "(memory 4096)".into());
    add("1 MB of data", format!("(memory 100) (data (i32.const 0) \"{}\")", "x".repeat(1_000_000)));
    add(
        "1 MB of data in many places",
        format!(
            "(memory 100) {}",
            (0..1000)
                .map(|n| format!("(data (i32.const {}) \"{}\")", n * 6000, "x".repeat(1000)))
                .collect::<String>()
        ),
    );
    add("a table of 1,000,000", "(table 1000000 funcref)".into());
    add("10,000 elements", format!("(table 10000 funcref) (elem (i32.const 0) {})", "$run ".repeat(10_000)));
    add("10,000 globals", "(global (mut i64) (i64.const 1))".repeat(10_000));
    add("10,000 exports", (0..10_000).map(|n| format!("(export \"{n}\" (func $run))")).collect());
    let many = |count: usize, import: &str| {
        let instance = format!("(core instance (instantiate $m {import}))");
        crate::component::wasm(&format!(
            r#"(component (core module $l (memory (export "m") 100)) (core instance $l (instantiate $l))
                (core module $m (import "l" "m" (memory 100)) (data (i32.const 0) "{}") (func (export "run") (param i32) (result i32) (local.get 0)))
                {} (core instance $i (instantiate $m (with "l" (instance $l))))
                (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
            "x".repeat(250_000),
            instance.repeat(count)
        ))
    };
    openings.push(("200 instances, 50 MB of data".to_owned(), many(200, r#"(with "l" (instance $l))"#)));
    openings
}

#[test]
fn every_suspect_ends_when_its_fuel_does() {
    let stopwatch = Stopwatch::new();
    for (name, component) in suspects() {
        assert_eq!(quickest(&stopwatch, &component, 300_000, 1).ended(), "out-of-fuel", "{name}");
    }
    for (name, component) in openings() {
        assert_eq!(quickest(&stopwatch, &component, 1_000_000_000, 1).ended(), "returned", "{name}");
    }
}

#[test]
fn table() {
    const FUEL: u64 = 100_000_000;
    // A minute of work whose result is for people.
    if std::env::var_os("GLASSBOX_COSTS").is_none() {
        return;
    }
    let stopwatch = Stopwatch::new();
    let mut rows: Vec<_> = suspects()
        .into_iter()
        .map(|(name, component)| {
            let taken = quickest(&stopwatch, &component, FUEL, 3);
            (taken.picoseconds(), name, taken)
        })
        .collect();
    rows.sort_by_key(|(picoseconds, ..)| std::cmp::Reverse(*picoseconds));
    println!("{:<42} {:>10} {:>8}  ended", "in a loop", "ps per unit", "x note");
    for (picoseconds, name, taken) in &rows {
        println!(
            "{name:<42} {picoseconds:>10} {:>8.1}  {}",
            *picoseconds as f64 / NOTED_PICOSECONDS,
            taken.ended()
        );
    }
    println!("\n{:<42} {:>10} {:>10} {:>8}  ended", "before the call", "us", "fuel", "x note");
    for (name, component) in openings() {
        let taken = quickest(&stopwatch, &component, 10 * FUEL, 5);
        let ratio = taken.picoseconds() as f64 / NOTED_PICOSECONDS;
        println!(
            "{name:<42} {:>10} {:>10} {ratio:>8.1}  {}",
            taken.cpu.as_micros(),
            taken.run.fuel_used,
            taken.ended()
        );
    }
}
