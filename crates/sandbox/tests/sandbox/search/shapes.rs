//! Programs whose time is not in the operators that they are made of but in how these stand together: what moves without
//! an operator of its own, and what machines cannot foresee.

use crate::component::integer_component;
use crate::random::Random;

/// A program of a known shape.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// What it does, without how much of it.
    pub(crate) kind: &'static str,
    /// How much of it.
    pub(crate) size: usize,
    core: String,
}

impl Shape {
    pub(crate) fn component(&self) -> Vec<u8> {
        integer_component(&self.core)
    }
}

/// Steps of a generator of numbers that nothing can predict, in the local `$x`.
const STEP: &str =
    "(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (i32.const 12345)))";

fn run(around: &str, body: &str) -> String {
    format!(
        r#"{around} (func $run (export "run") (param $n i32) (result i32) (local $x i32) (local $i i32)
            (loop $again {body} (br $again)) (unreachable))"#
    )
}

/// Draws how large a shape is. Which one follows from the number, so that each has its share.
pub(crate) fn draw(number: u64, random: &mut Random) -> Shape {
    const KINDS: [fn(usize) -> Shape; 12] = [
        values_carried_round,
        values_returned,
        values_called_with,
        values_out_of_blocks,
        large_frames,
        functions_all_over,
        jumps_all_over,
        branches_by_chance,
        functions_looked_up_again,
        numbers_too_small,
        values_across_lines,
        bytes_read_as_words,
    ];
    // Sizes spread over three powers of ten, the smallest as likely as the largest.
    let size = [1, 10, 100][random.below(3)] * (1 + random.below(9));
    KINDS[(number % KINDS.len() as u64) as usize](size)
}

/// A loop that takes values and gives them back one place further: a branch moves all of them. That they are looked at
/// behind it keeps the compiler from leaving them out.
fn values_carried_round(size: usize) -> Shape {
    let values = "i32 ".repeat(size);
    let around = "(global $one (mut i32) (i32.const 1)) (global $seen (mut i32) (i32.const 0))";
    let body = format!(
        "(local.set $x (global.get $one)) {}
         (loop (param {values}) (result {values}) (local.get $x) (br_if 0 (local.get $x)) (drop)) {}",
        "(local.get $n) ".repeat(size),
        "(global.set $seen) ".repeat(size)
    );
    Shape { kind: "values that a loop carries round", size, core: run(around, &body) }
}

/// A function that returns what it was returned.
fn values_returned(size: usize) -> Shape {
    let results = "i32 ".repeat(size);
    let around = format!(
        "(func $f (param i32) (result {results}) (if (result {results}) (local.get 0)
            (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else {})))",
        "(local.get 0) ".repeat(size)
    );
    let body = format!("(call $f (i32.const 100)) {}", "(drop) ".repeat(size));
    Shape { kind: "values returned by each of 100 calls", size, core: run(&around, &body) }
}

/// A function that is called with what another returned, and so on: nobody pushes anything.
fn values_called_with(size: usize) -> Shape {
    let values = "i32 ".repeat(size);
    let around = format!(
        "(func $f (param {values}) (result {values}) (call $g)) (func $g (result {values}) {})",
        "(i32.const 1) ".repeat(size)
    );
    let calls = "(call $f) ".repeat(20);
    let body = format!("(call $g) {calls} {}", "(drop) ".repeat(size));
    Shape { kind: "values that each of 20 functions is called with", size, core: run(&around, &body) }
}

/// Blocks that are left in two ways with many values each.
fn values_out_of_blocks(size: usize) -> Shape {
    let values = "i32 ".repeat(size);
    let block = format!(
        "(block (param {values}) (result {values}) (br_if 0 (i32.and (local.get $x) (i32.const 4096)))
            (drop) (local.get $n))"
    );
    let body =
        format!("{STEP} {} {} {}", "(local.get $x) ".repeat(size), block.repeat(20), "(drop) ".repeat(size));
    Shape { kind: "values that 20 blocks are left with in two ways", size, core: run("", &body) }
}

/// A function that has a large frame, and returns before it uses any of it.
fn large_frames(size: usize) -> Shape {
    let count = size * 10;
    let values: String =
        (0..count).map(|at| format!("(v128.load offset={} (local.get 0)) ", at * 16)).collect();
    let stores = format!("(call $out) {}", "(call $take) ".repeat(count));
    let around = format!(
        "(memory 4) (func $out) (func $take (param v128))
         (func $f (param i32) (if (i32.eqz (local.get 0)) (then (return))) {values} {stores})"
    );
    Shape {
        kind: "vectors in the frame of a function that returns at once",
        size: count,
        core: run(&around, &"(call $f (local.get $n)) ".repeat(20)),
    }
}

/// Calls by chance of many functions, which no cache holds.
fn functions_all_over(size: usize) -> Shape {
    let count = (size * 50).next_power_of_two();
    let functions: String = (0..count)
        .map(|at| format!("(func $f{at} (param i32) (result i32) (i32.add (local.get 0) (i32.const {at})))"))
        .collect();
    let names: String = (0..count).map(|at| format!("$f{at} ")).collect();
    let around = format!(
        "(type $t (func (param i32) (result i32))) (table {count} funcref) (elem (i32.const 0) {names}) {functions}"
    );
    let call = format!(
        "{STEP} (drop (call_indirect (type $t) (local.get $n) (i32.and (local.get $x) (i32.const {}))))",
        count - 1
    );
    Shape { kind: "functions called by chance", size: count, core: run(&around, &call.repeat(8)) }
}

/// Jumps by chance to many places.
fn jumps_all_over(size: usize) -> Shape {
    let count = (size * 10).next_power_of_two();
    let opened = "(block ".repeat(count);
    let targets: String = (0..count).map(|at| format!("{at} ")).collect();
    let closed: String = (0..count)
        .map(|at| format!(") (local.set $i (i32.xor (local.get $x) (i32.const {at}))) (br $again) "))
        .collect();
    let body = format!(
        "{STEP} {opened} (br_table {targets} 0 (i32.and (local.get $x) (i32.const {}))) {closed}",
        count - 1
    );
    Shape { kind: "places jumped to by chance", size: count, core: run("", &body) }
}

/// Branches that are taken by the bits of a number.
fn branches_by_chance(size: usize) -> Shape {
    let bits = size.min(30);
    let branches: String = (0..bits)
        .map(|bit| {
            let bit = 1_u32 << bit;
            format!("(if (i32.and (local.get $x) (i32.const {bit})) (then (global.set $g (local.get $x))))")
        })
        .collect();
    let core = run("(global $g (mut i32) (i32.const 0))", &format!("{STEP} {branches}"));
    Shape { kind: "branches by the bits of a number by chance", size: bits, core }
}

/// A table whose functions are looked up, and forgotten again by copying what was never looked up.
fn functions_looked_up_again(size: usize) -> Shape {
    let count = size * 10;
    let around = format!(
        "(table $t {} funcref) (elem (table $t) (i32.const 0) func {})",
        2 * count,
        "$run ".repeat(2 * count)
    );
    let gets: String = (0..count).map(|at| format!("(drop (table.get $t (i32.const {at})))")).collect();
    let body = format!("(table.copy $t $t (i32.const 0) (i32.const {count}) (i32.const {count})) {gets}");
    Shape { kind: "functions of a table looked up again", size: count, core: run(&around, &body) }
}

/// Products that are too small for all their digits, which some machines make slowly.
fn numbers_too_small(size: usize) -> Shape {
    let around = "(global $tiny (mut f64) (f64.const 0x1p-1060)) (global $one (mut f64) (f64.const 1))";
    let product = "(local.set $d (f64.mul (local.get $d) (local.get $e)))";
    let body = format!(
        "(local.set $d (global.get $tiny)) (local.set $e (global.get $one)) {} (global.set $tiny (local.get $d))",
        product.repeat(size)
    );
    let core = run(around, &body).replace("(local $i i32)", "(local $d f64) (local $e f64)");
    Shape { kind: "products of numbers too small for all their digits", size, core }
}

/// Loads and stores that lie on two lines, or on two pages, of memory.
fn values_across_lines(size: usize) -> Shape {
    let one = |at: usize| {
        let at = at * 4096 + 4093;
        format!("(i64.store (i32.const {at}) (i64.add (i64.load (i32.const {at})) (i64.const 1)))")
    };
    let size = size.min(200);
    let body: String = (0..size).map(one).collect();
    Shape { kind: "words on two pages each", size, core: run("(memory 16)", &body) }
}

/// Bytes that are stored one by one and loaded together at once.
fn bytes_read_as_words(size: usize) -> Shape {
    let one = |at: usize| {
        let byte = at * 8 + 3;
        let word = at * 8;
        format!(
            "(i32.store8 (i32.const {byte}) (local.get $x))
             (local.set $x (i32.wrap_i64 (i64.shr_u (i64.load (i32.const {word})) (i64.const 20))))"
        )
    };
    let body: String = (0..size).map(one).collect();
    Shape { kind: "words read as soon as one byte is stored", size, core: run("(memory 1)", &body) }
}
