//! Unrolls small loops before they are compiled, so that metering costs less.
//!
//! The engine looks at the head of each loop whether there is fuel left, and what a loop carries from one turn to the next
//! has to survive the call that is made when there is none. In a loop of a few operators that takes longer than the loop:
//! numbers with a fraction wait in memory between any two turns. Here the body of such a loop is written several times over, so
//! that the engine looks, and the numbers wait, once in as many turns.
//!
//! What is computed stays the same, and what it costs too, to the unit: blocks and their ends cost nothing, and an `if`
//! costs what the `br_if` does in whose place it stands. Only where a guest gives way moves by a few turns of a loop, and with
//! that the bill of a trap, so [the profile](glassbox_core::profile::Unrolling) says which loops are unrolled and how often.

use std::borrow::Cow;
use std::ops::Range;

use glassbox_core::profile::{Profile, Unrolling};
use wasm_encoder::{BlockType, Encode as _, Instruction, Module, RawSection};
use wasmparser::{BinaryReaderError, FunctionBody, Operator, Payload};

use crate::rewrite::{self, Code, part, sections};
use crate::shape::invalid;
use crate::{SandboxError, inspect};

/// Returns what is compiled in the place of a component that was inspected: a copy with its small loops unrolled, or itself where
/// there are none, or where the copy would be more than [`inspect`] accepts.
pub(crate) fn unrolled(component: &[u8]) -> Cow<'_, [u8]> {
    let rule = Profile::current().unrolling;
    let mut loops = 0;
    let copy = rewrite::modules(component, &mut |module, _| module_unrolled(module, rule, &mut loops));
    match copy {
        Ok(copy) if loops > 0 && inspect(&copy).is_ok() => Cow::Owned(copy),
        _ => Cow::Borrowed(component),
    }
}

fn module_unrolled(bytes: &[u8], rule: Unrolling, loops: &mut usize) -> Result<Vec<u8>, SandboxError> {
    let mut module = Module::new();
    let mut code = Code::default();
    let loops_before = *loops;
    sections(bytes, |payload| {
        match payload {
            Payload::CodeSectionStart { count, .. } => code = Code::of(count),
            Payload::CodeSectionEntry(body) => {
                let found = small_loops(bytes, &body, rule).map_err(invalid)?;
                *loops += found.len();
                code.add(&body_unrolled(bytes, body.range(), &found, rule), &mut module);
            }
            // Says of places in functions what holds there no more.
            Payload::CustomSection(section) if section.name().starts_with("metadata.code.") => {}
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    module.section(&RawSection { id, data: part(bytes, &range)? });
                }
            }
        }
        Ok(())
    })?;
    Ok(if *loops > loops_before { module.finish() } else { bytes.to_vec() })
}

fn body_unrolled(bytes: &[u8], range: Range<usize>, loops: &[Loop], rule: Unrolling) -> Vec<u8> {
    let mut unrolled = Vec::with_capacity(range.len());
    let mut start = range.start;
    for found in loops {
        unrolled.extend_from_slice(&bytes[start..found.body.start]);
        found.write(bytes, rule.copies, &mut unrolled);
        start = found.body.end;
    }
    unrolled.extend_from_slice(&bytes[start..range.end]);
    unrolled
}

/// A loop that is unrolled.
#[derive(Debug)]
struct Loop {
    /// Its operators, without itself and its end.
    body: Range<usize>,
    /// The jumps in it that leave it, in their order.
    exits: Vec<Exit>,
    last: Last,
}

/// A jump out of a loop.
#[derive(Debug)]
struct Exit {
    operator: Range<usize>,
    label: u32,
    is_conditional: bool,
}

/// The last operator of a loop.
#[derive(Debug, Clone)]
enum Last {
    /// `br_if 0`, at this place, and nothing else begins the next turn.
    Conditional(Range<usize>),
    /// `br 0`.
    Always,
}

impl Loop {
    /// Writes the operators in the place of the body's, for `copies` turns.
    ///
    /// The loop takes nothing and begins with no operand of its own, as a block or an `if` does: its body is valid in these
    /// where it was valid in it.
    fn write(&self, bytes: &[u8], copies: u32, to: &mut Vec<u8>) {
        match &self.last {
            // The next turn is all that happens where the condition holds, and is all that is left to do.
            Last::Conditional(last) => {
                for copy in 0..copies {
                    self.write_turn(bytes, self.body.start..last.start, copy, to);
                    let is_last = copy + 1 == copies;
                    let next =
                        if is_last { Instruction::BrIf(copy) } else { Instruction::If(BlockType::Empty) };
                    next.encode(to);
                }
                for _ in 1..copies {
                    Instruction::End.encode(to);
                }
            }
            // What began the next turn by a jump to the loop jumps to the end of a block, and there it begins.
            Last::Always => {
                for _ in 1..copies {
                    Instruction::Block(BlockType::Empty).encode(to);
                    self.write_turn(bytes, self.body.clone(), 1, to);
                    Instruction::End.encode(to);
                }
                self.write_turn(bytes, self.body.clone(), 0, to);
            }
        }
    }

    /// Writes one turn, `deeper` levels deeper than it stood.
    fn write_turn(&self, bytes: &[u8], range: Range<usize>, deeper: u32, to: &mut Vec<u8>) {
        let Range { mut start, end } = range;
        for exit in self.exits.iter().filter(|exit| exit.operator.start < end) {
            to.extend_from_slice(&bytes[start..exit.operator.start]);
            let label = exit.label + deeper;
            let jump = if exit.is_conditional { Instruction::BrIf(label) } else { Instruction::Br(label) };
            jump.encode(to);
            start = exit.operator.end;
        }
        to.extend_from_slice(&bytes[start..end]);
    }
}

/// A loop while its operators are read.
#[derive(Default)]
struct Candidate {
    start: usize,
    operators: usize,
    /// How many blocks within it are open.
    depth: u32,
    exits: Vec<Exit>,
    /// The jumps that begin the next turn, with whether they are conditional.
    back: Vec<(Range<usize>, bool)>,
}

/// Returns the loops of a function that are unrolled: those with nothing but simple operators, few of them, that end with a
/// jump to their own beginning.
fn small_loops(
    bytes: &[u8],
    body: &FunctionBody<'_>,
    rule: Unrolling,
) -> Result<Vec<Loop>, BinaryReaderError> {
    let mut found = Vec::new();
    let mut candidate: Option<Candidate> = None;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, start) = operators.read_with_offset()?;
        let place = start..operators.original_position();
        if let Operator::Loop { blockty } = operator {
            // The loop around this one, if there is one, is none of the innermost.
            let takes_nothing = matches!(blockty, wasmparser::BlockType::Empty);
            candidate = takes_nothing.then(|| Candidate { start: place.end, ..Candidate::default() });
            continue;
        }
        let Some(mut current) = candidate.take() else { continue };
        if matches!(operator, Operator::End) && current.depth == 0 {
            found.extend(current.finish(start));
        } else if current.add(&operator, bytes[start], place) && current.operators <= rule.operators_max {
            candidate = Some(current);
        }
    }
    Ok(found)
}

impl Candidate {
    /// Adds an operator, and tells whether the loop can still be unrolled.
    fn add(&mut self, operator: &Operator<'_>, opcode: u8, place: Range<usize>) -> bool {
        self.operators += 1;
        match *operator {
            Operator::Block { .. } | Operator::If { .. } => self.depth += 1,
            Operator::End => self.depth -= 1,
            Operator::Br { relative_depth } => self.jump(relative_depth, false, place),
            Operator::BrIf { relative_depth } => self.jump(relative_depth, true, place),
            _ => return is_simple(opcode),
        }
        true
    }

    fn jump(&mut self, label: u32, is_conditional: bool, operator: Range<usize>) {
        if label > self.depth {
            self.exits.push(Exit { operator, label, is_conditional });
        } else if label == self.depth {
            self.back.push((operator, is_conditional));
        }
    }

    /// Returns the loop, whose own end stands at `end`.
    fn finish(self, end: usize) -> Option<Loop> {
        let last = match self.back.as_slice() {
            [.., (last, false)] if last.end == end => Last::Always,
            [(last, true)] if last.end == end => Last::Conditional(last.clone()),
            _ => return None,
        };
        Some(Loop { body: self.start..end, exits: self.exits, last })
    }
}

/// Tells whether an operator goes on with the next one, returns or traps, by its first byte: it calls no function and jumps to
/// no label. Where a loop calls something, the engine's look takes little of its time.
fn is_simple(opcode: u8) -> bool {
    matches!(
        opcode,
        // unreachable, nop, else, return, drop, select; locals, globals and elements; memory, constants, arithmetic;
        // references; conversions and bulk operators; vectors.
        0x00 | 0x01 | 0x05 | 0x0f | 0x1a..=0x1c | 0x20..=0x26 | 0x28..=0xc4 | 0xd0..=0xd2 | 0xfc | 0xfd
    )
}

#[cfg(test)]
mod tests {
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::*;
    use crate::Codegen;

    /// Makes a component of a function from `i32` to `i32` with two more locals.
    fn component(operators: &str) -> Vec<u8> {
        let text = format!(
            r#"(component
                (core module $m (func) (func (export "f") (param i32) (result i32) (local i32 i32) {operators}))
                (core instance $i (instantiate $m))
                (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))"#
        );
        let with_names = wat::parse_str(text).expect("valid text");
        // Without the names, which are no part of what is compared.
        rewrite::modules(&with_names, &mut |module, _| Ok(module.to_vec())).expect("valid")
    }

    #[track_caller]
    fn becomes(operators: &str, others: &str) {
        assert_eq!(unrolled(&component(operators)), component(others), "{operators}");
    }

    #[track_caller]
    fn stays(operators: &str) {
        let component = component(operators);
        assert!(inspect(&component).is_ok(), "refused as it is: {operators}");
        assert!(matches!(unrolled(&component), Cow::Borrowed(_)), "{operators}");
    }

    #[test]
    fn a_condition_at_the_end_becomes_an_if() {
        let turn = |exit: u32| {
            format!(
                "local.get 1 br_if {exit}
                 block local.get 2 br_if 0 br {} end
                 local.get 0 i32.const 1 i32.sub local.tee 0",
                exit + 1
            )
        };
        becomes(
            &format!("block loop {} br_if 0 end end local.get 1", turn(1)),
            &format!(
                "block loop {} if {} if {} if {} br_if 3 end end end end end local.get 1",
                turn(1),
                turn(2),
                turn(3),
                turn(4)
            ),
        );
    }

    #[test]
    fn a_jump_at_the_end_goes_to_the_end_of_a_block() {
        let turn = |exit: u32| {
            format!(
                "local.get 0 i32.const 1 i32.sub local.tee 0 i32.eqz br_if {exit}
                 local.get 1 if local.get 2 br_if 1 else br {} end br 0",
                exit + 1
            )
        };
        let [block, last] = [format!("block {} end", turn(2)), turn(1)];
        becomes(
            &format!("block loop {last} end unreachable end local.get 1"),
            &format!("block loop {block} {block} {block} {last} end unreachable end local.get 1"),
        );
    }

    #[test]
    fn other_loops_stay() {
        let counted = "local.get 0 i32.const 1 i32.sub local.tee 0";
        for (operators, why) in [
            (format!("loop {counted} br_if 0 call 0 end"), "goes on after the jump"),
            (format!("loop call 0 {counted} br_if 0 end"), "calls"),
            (format!("loop block local.get 1 br_table 0 1 end {counted} br_if 0 end"), "jumps by a table"),
            (format!("loop local.get 1 br_if 0 {counted} br_if 0 end"), "goes on in the middle, too"),
            (format!("loop {} {counted} br_if 0 end", "local.get 1 local.set 1 ".repeat(40)), "is long"),
            (format!("loop loop call 0 {counted} br_if 0 end {counted} br_if 0 end"), "has one inside"),
            (format!("{counted} loop (param i32) drop {counted} {counted} br_if 0 drop end"), "takes values"),
            (String::from("loop end"), "is none"),
        ] {
            println!("a loop that {why}");
            stays(&format!("{operators} local.get 1"));
        }
    }

    #[test]
    fn the_innermost_of_two_is_unrolled() {
        let counted = "local.get 0 i32.const 1 i32.sub local.tee 0";
        stays(&format!("loop loop {counted} br_if 0 {counted} br_if 1 end end local.get 1"));
        becomes(
            &format!("loop loop {counted} br_if 0 end {counted} br_if 0 end local.get 1"),
            &format!(
                "loop loop {counted} if {counted} if {counted} if {counted} br_if 3 end end end end {counted} br_if 0 end
                 local.get 1"
            ),
        );
    }

    #[test]
    fn what_would_be_beyond_the_limits_stays() {
        let small = "loop local.get 0 br_if 0 end ";
        let branches = Profile::current().limits.function_branches_max;
        assert!(matches!(unrolled(&component(&(small.repeat(100) + "local.get 1"))), Cow::Owned(_)));
        stays(&(small.repeat(branches / 3 - 10) + "local.get 1"));
    }

    #[test]
    fn the_table_lets_blocks_be_added() {
        let costs = &Profile::current().operators;
        assert_eq!(costs["If"], costs["BrIf"]);
        assert_eq!([costs["Block"], costs["Loop"], costs["Else"], costs["End"]], [0; 4]);
    }

    /// What a call returned, or why it did not, and what it cost.
    fn run(engine: &wasmtime::Engine, component: &[u8], n: u32) -> (Result<u32, String>, u64) {
        let component = Component::new(engine, component).expect("compiles");
        let mut store = Store::new(engine, ());
        const FUEL: u64 = 1_000_000;
        store.set_fuel(FUEL).expect("counts");
        let instance = Linker::new(engine).instantiate(&mut store, &component).expect("starts");
        let function = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "f").expect("there");
        let result = function.call(&mut store, (n,)).map(|(result,)| result);
        (
            result.map_err(|error| format!("{:#}", error.root_cause())),
            FUEL - store.get_fuel().expect("counts"),
        )
    }

    /// Draws functions of loops that end in both ways, with jumps in and out of them.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, end: u64) -> u64 {
            // SplitMix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % end
        }

        /// Draws statements within `depth` blocks of a loop, which lies within another block.
        fn statements(&mut self, depth: u64, may_go_on: bool) -> String {
            let mut text = String::new();
            for _ in 0..=self.below(3) {
                let number = 1 + self.below(9);
                let labels = depth + 2;
                // Never the loop itself, where that would begin the next turn in the middle of one.
                let label = Some(self.below(labels)).filter(|label| may_go_on || *label != depth);
                text += &match (self.below(10), label) {
                    (0, Some(label)) => {
                        format!("local.get 1 i32.const {number} i32.rem_u i32.eqz br_if {label} ")
                    }
                    (1, Some(label)) => {
                        format!("local.get 1 i32.const {number} i32.and if br {} end ", label + 1)
                    }
                    (2 | 3, _) if depth < 3 => format!("block {}end ", self.statements(depth + 1, may_go_on)),
                    (4 | 5, _) if depth < 3 => {
                        let [one, other] = [0; 2].map(|_| self.statements(depth + 1, may_go_on));
                        format!("local.get 1 i32.const {number} i32.and if {one}else {other}end ")
                    }
                    (6, _) if number == 1 => {
                        String::from("local.get 1 local.get 1 i32.const 5 i32.rem_u i32.div_u drop ")
                    }
                    (7, _) if number == 1 => {
                        String::from("local.get 1 i32.const 12345 i32.eq if local.get 1 return end ")
                    }
                    _ => format!(
                        "local.get 1 i32.const {number} i32.mul i32.const 7 i32.rotl local.get 0 i32.xor local.set 1 "
                    ),
                };
            }
            text
        }

        fn function(&mut self) -> String {
            let mut text = String::new();
            for _ in 0..=self.below(3) {
                let is_conditional = self.below(2) == 0;
                let statements = self.statements(0, !is_conditional);
                let count = "local.get 0 i32.const 1 i32.sub local.tee 0";
                text += &match is_conditional {
                    true => format!("block loop {statements} {count} br_if 0 end end "),
                    false => format!("block loop {count} i32.eqz br_if 1 {statements} br 0 end end "),
                };
                text += "local.get 0 i32.const 13 i32.and local.get 1 i32.add local.set 0 ";
            }
            text + "local.get 1"
        }
    }

    #[test]
    fn what_is_computed_and_what_it_costs_stay() {
        let engine = crate::engine::on_demand(Profile::current(), Codegen::default()).expect("starts");
        let mut draw = Draw(1);
        let (mut unrolled_count, mut returned) = (0, 0);
        for _ in 0..100 {
            let component = component(&draw.function());
            let copy = unrolled(&component);
            unrolled_count += usize::from(matches!(copy, Cow::Owned(_)));
            for n in [1, 2, 3, 4, 5, 9, 100] {
                let (one, fuel) = run(&engine, &component, n);
                let (other, other_fuel) = run(&engine, &copy, n);
                assert_eq!(one, other);
                if one.is_ok() {
                    assert_eq!(fuel, other_fuel);
                    returned += 1;
                }
            }
        }
        assert!(unrolled_count > 60 && returned > 300, "{unrolled_count} unrolled, {returned} returned");
    }
}
