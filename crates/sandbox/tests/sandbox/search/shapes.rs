//! Programs whose time is not in the operators that they are made of but in how these stand together: what moves without
//! an operator of its own, and what machines cannot foresee.

use crate::component::integer_component;
use crate::random::Random;

/// A program of a known shape.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
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
    const KINDS: [fn(usize) -> Shape; 11] = [
        values_carried_round,
        values_returned,
        values_called_with,
        values_out_of_blocks,
        large_frames,
        functions_all_over,
        jumps_all_over,
        branches_by_chance,
        functions_looked_up_again,
        values_across_lines,
        bytes_read_as_words,
    ];
    // Sizes spread over three powers of ten, the smallest as likely as the largest.
    let size = [1, 10, 100][random.below(3)] * (1 + random.below(9));
    KINDS[(number % KINDS.len() as u64) as usize](size)
}

/// A loop that takes values and gives them back one place further: a constant and a branch move all of them.
fn values_carried_round(size: usize) -> Shape {
    let params = "i32 ".repeat(size);
    let core = format!(
        r#"(func (export "run") (param $n i32) (result i32) {}
            (loop (param {params}) (local.get $n) (br 0)) (unreachable))"#,
        "(local.get $n) ".repeat(size)
    );
    Shape { name: format!("a loop that carries {size} values"), core }
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
    Shape { name: format!("{size} values returned by each of 100 calls"), core: run(&around, &body) }
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
    Shape { name: format!("20 functions called with {size} values"), core: run(&around, &body) }
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
    Shape { name: format!("20 blocks left with {size} values in two ways"), core: run("", &body) }
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
        name: format!("calls of a function with a frame of {count} vectors"),
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
    Shape { name: format!("calls by chance among {count} functions"), core: run(&around, &call.repeat(8)) }
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
    Shape { name: format!("jumps by chance to {count} places"), core: run("", &body) }
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
    Shape { name: format!("{bits} branches for each number by chance"), core }
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
    Shape { name: format!("{count} functions of a table looked up again"), core: run(&around, &body) }
}

/// Loads and stores that lie on two lines, or on two pages, of memory.
fn values_across_lines(size: usize) -> Shape {
    let one = |at: usize| {
        let at = at * 4096 + 4093;
        format!("(i64.store (i32.const {at}) (i64.add (i64.load (i32.const {at})) (i64.const 1)))")
    };
    let body: String = (0..size.min(200)).map(one).collect();
    Shape { name: format!("{} words on two pages each", size.min(200)), core: run("(memory 16)", &body) }
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
    Shape { name: format!("{size} words read as soon as one byte is stored"), core: run("(memory 1)", &body) }
}
