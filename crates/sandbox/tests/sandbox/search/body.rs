//! Loop bodies drawn from all value operators, and how one becomes another that is much like it.
//!
//! Most of what is drawn cannot trap, so that it goes on for as long as there is fuel: addresses are masked, divisors
//! are odd, and what becomes an integer was one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::operators::{Immediate, Operator, Slot, operators};
use crate::component::integer_component;
use crate::random::Random;

/// How often a body stands in its loop, so that going round is a small part of it.
const COPIES: usize = 8;

/// The most parts of a body.
const PARTS_MAX: usize = 240;

static OPERATORS: LazyLock<Vec<Operator>> = LazyLock::new(operators);

/// What the names of operators begin with: a type, or what they work on.
static FAMILIES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let families: BTreeSet<&str> = OPERATORS.iter().map(Operator::family).collect();
    families.into_iter().collect()
});

/// A loop body, and the memory that it works in.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// What its operators are drawn from. With few in each, one dear operator does not hide the others.
    families: [&'static str; 2],
    pages: usize,
    statements: Vec<Node>,
}

/// An operator with what it takes, as text will have it.
#[derive(Debug, Clone)]
struct Node {
    text: String,
    kind: Kind,
    inner: Vec<Node>,
}

/// What can stand in a node's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value(Slot),
    Statement,
    /// Nothing: it is a part of the node around it.
    Fixed,
}

impl Node {
    fn new(text: impl Into<String>, kind: Kind, inner: Vec<Node>) -> Self {
        Self { text: text.into(), kind, inner }
    }

    fn parts(&self) -> usize {
        1 + self.inner.iter().map(Node::parts).sum::<usize>()
    }

    /// Returns the `at`th node of the tree, counted before what is inside of it.
    fn at(&mut self, at: usize) -> Option<&mut Node> {
        if at == 0 {
            return Some(self);
        }
        nth(&mut self.inner, at - 1)
    }

    fn write(&self, text: &mut String) {
        let _ = write!(text, "({}", self.text);
        for node in &self.inner {
            text.push(' ');
            node.write(text);
        }
        text.push(')');
    }
}

fn nth(nodes: &mut [Node], mut at: usize) -> Option<&mut Node> {
    for node in nodes {
        let parts = node.parts();
        if at < parts {
            return node.at(at);
        }
        at -= parts;
    }
    None
}

impl Body {
    /// Draws a body. Its first family follows from its number, so that each has its share.
    pub(crate) fn draw(number: u64, random: &mut Random) -> Self {
        let first = FAMILIES[(number % FAMILIES.len() as u64) as usize];
        let families = [first, random.of(&FAMILIES)];
        let pages = [1, 1, 16, 256, 4096][random.below(5)];
        let mut draw = Draw { families, half: pages * 65536 / 2, random };
        let statements = (0..1 + draw.random.below(10)).map(|_| draw.statement(3)).collect();
        Self { families, pages, statements }
    }

    /// Returns the family that its operators are most likely of.
    pub(crate) fn family(&self) -> &'static str {
        self.families[0]
    }

    /// Changes it in one to three places.
    pub(crate) fn mutated(&self, random: &mut Random) -> Self {
        let mut body = self.clone();
        for _ in 0..=random.below(3) {
            body.mutate(random);
        }
        if body.parts() > PARTS_MAX || body.statements.is_empty() { self.clone() } else { body }
    }

    fn mutate(&mut self, random: &mut Random) {
        let (parts, count) = (self.parts(), self.statements.len());
        let mut draw = Draw { families: self.families, half: self.pages * 65536 / 2, random };
        let (a, b, part) = (draw.random.below(count), draw.random.below(count), draw.random.below(parts));
        match draw.random.below(8) {
            0 => self.statements.insert(a, draw.statement(3)),
            1 => self.statements.insert(a, self.statements[b].clone()),
            2 if count > 1 => drop(self.statements.remove(a)),
            3 => self.statements.swap(a, b),
            4 => self.statements[a] = draw.statement(3),
            _ => {
                let Some(node) = nth(&mut self.statements, part) else { return };
                match node.kind {
                    Kind::Value(slot) => *node = draw.value(slot, 2),
                    Kind::Statement => *node = draw.statement(2),
                    Kind::Fixed => {}
                }
            }
        }
    }

    fn parts(&self) -> usize {
        self.statements.iter().map(Node::parts).sum()
    }

    /// Writes the body, a statement on each line.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(";; a memory of {} pages\n", self.pages);
        for statement in &self.statements {
            statement.write(&mut text);
            text.push('\n');
        }
        text
    }

    /// Makes the component whose function repeats the body without end.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut body = String::new();
        self.statements.iter().for_each(|statement| statement.write(&mut body));
        let body = body.repeat(COPIES);
        let pages = self.pages;
        integer_component(&format!(
            r#"(memory {pages} {most})
            {AROUND}
            (func $run (export "run") (param $n i32) (result i32) {LOCALS} (loop $again {body} (br $again)) (unreachable))"#,
            most = pages + 64
        ))
    }
}

/// What programs find around them. Locals that no program writes get values here that the compiler cannot see.
const AROUND: &str = r#"
    (type $unary (func (param i32) (result i32)))
    (table $t 1024 funcref) (table $grown 1 100000 funcref) (table $callees 4 4 funcref)
    (elem (table $callees) (i32.const 0) func $same $next $tail $same)
    (elem $elements func $same $next $tail $same) (elem $dropped func $same)
    (data $data "sixteen bytes of") (data $dropped "x")
    (global $ig (mut i32) (i32.const 7)) (global $lg (mut i64) (i64.const 9))
    (global $fg (mut f32) (f32.const 1.5)) (global $dg (mut f64) (f64.const 1.25))
    (global $vg (mut v128) (v128.const f32x4 1.5 0x1p-140 3 0x1p-149))
    (global $rg (mut funcref) (ref.null func))
    (global $tiny32 (mut f32) (f32.const 0x1p-140)) (global $tiny64 (mut f64) (f64.const 0x1p-1060))
    (func $same (type $unary) (local.get 0))
    (func $next (type $unary) (i32.add (local.get 0) (i32.const 1)))
    (func $tail (type $unary) (return_call $next (local.get 0)))
    (func $tail_indirect (param i32 i32) (result i32)
        (return_call_indirect $callees (type $unary) (local.get 0) (local.get 1)))
    (export "globals" (global $ig)) (export "tiny" (global $tiny32))"#;

const LOCALS: &str = "(local $i i32) (local $j i32) (local $l i64) (local $m i64) (local $f f32) (local $g f32)
    (local $d f64) (local $e f64) (local $v v128) (local $w v128) (local $r funcref) (local $seven i32)
    (local $nine i64) (local $ft f32) (local $dt f64) (local $fs f32) (local $ds f64)
    (local.set $seven (global.get $ig)) (local.set $nine (global.get $lg)) (local.set $ft (global.get $tiny32))
    (local.set $dt (global.get $tiny64)) (local.set $fs (global.get $fg)) (local.set $ds (global.get $dg))
    (local.set $v (global.get $vg))";

struct Draw<'r> {
    families: [&'static str; 2],
    /// Half of the memory, in bytes: a power of two.
    half: usize,
    random: &'r mut Random,
}

impl Draw<'_> {
    fn statement(&mut self, depth: usize) -> Node {
        let statement = |text: String, inner| Node::new(text, Kind::Statement, inner);
        let fixed = |text: &str, inner| Node::new(text, Kind::Fixed, inner);
        match self.random.below(16) {
            0..=6 => {
                let slot = self.slot();
                let name = self.random.of(match slot {
                    Slot::I32 => &["$i", "$j"][..],
                    Slot::I64 => &["$l", "$m"],
                    Slot::F32 => &["$f", "$g"],
                    Slot::F64 => &["$d", "$e"],
                    Slot::V128 => &["$v", "$w"],
                    _ => &["$r"],
                });
                statement(format!("local.set {name}"), vec![self.value(slot, depth)])
            }
            7 => {
                let slot = self.slot();
                let name = match slot {
                    Slot::I32 => "$ig",
                    Slot::I64 => "$lg",
                    Slot::F32 => "$fg",
                    Slot::F64 => "$dg",
                    Slot::V128 => "$vg",
                    _ => "$rg",
                };
                statement(format!("global.set {name}"), vec![self.value(slot, depth)])
            }
            8 => {
                let slot = self.slot();
                statement("drop".into(), vec![self.value(slot, depth)])
            }
            // Numbers that look like chance, which nothing can predict.
            9 => {
                let leaf = |text| fixed(text, vec![]);
                let product = fixed("i32.mul", vec![leaf("local.get $i"), leaf("i32.const 1103515245")]);
                statement(
                    "local.set $i".into(),
                    vec![fixed("i32.add", vec![product, leaf("i32.const 12345")])],
                )
            }
            10 => {
                let then = fixed("then", vec![self.statement(depth.saturating_sub(1))]);
                statement("if".into(), vec![self.condition(depth), then])
            }
            11 => {
                let leave = fixed("br_if 0", vec![self.condition(depth)]);
                let rest = self.statement(depth.saturating_sub(1));
                statement("block".into(), vec![leave, rest])
            }
            12 => {
                let jump = fixed("br_table 0 1 0 1 1", vec![self.value(Slot::I32, depth)]);
                statement("block".into(), vec![fixed("block", vec![jump])])
            }
            _ => self.operator(None, depth).unwrap_or_else(|| self.statement(depth)),
        }
    }

    fn slot(&mut self) -> Slot {
        const SLOTS: [Slot; 6] = [Slot::I32, Slot::I64, Slot::F32, Slot::F64, Slot::V128, Slot::Funcref];
        SLOTS[self.random.below(SLOTS.len())]
    }

    /// One bit of a number.
    fn condition(&mut self, depth: usize) -> Node {
        let mask = Node::new(format!("i32.const {}", 1_u32 << self.random.below(30)), Kind::Fixed, vec![]);
        Node::new("i32.and", Kind::Fixed, vec![self.value(Slot::I32, depth.min(1)), mask])
    }

    /// Draws a value that fits a slot, of at most `depth` operators one in another.
    fn value(&mut self, slot: Slot, depth: usize) -> Node {
        let kind = Kind::Value(slot);
        let number = |number: usize| Node::new(format!("i32.const {number}"), kind, vec![]);
        let simple = self.random.below(2) == 0;
        match slot {
            Slot::Address if simple => {
                let at = self.random.below(self.half);
                number([64, 60, 61, 4090, 4094, at][self.random.below(6)])
            }
            Slot::Address => self.masked(slot, self.half - 1, depth),
            Slot::Index if simple => number(self.random.below(512)),
            Slot::Index => self.masked(slot, 511, depth),
            Slot::Callee => self.masked(slot, 3, depth),
            Slot::Size => {
                let sizes = [0, 1, 3, 8, 64, 100, 1000, 4097, 32768];
                number(sizes[self.random.below(sizes.len())])
            }
            Slot::Count => {
                let counts = [0, 1, 3, 16, 100, 512];
                number(counts[self.random.below(counts.len())])
            }
            Slot::Start => number(0),
            Slot::Few => number(self.random.below(5)),
            Slot::Divisor32 if simple => Node::new("local.get $seven", kind, vec![]),
            Slot::Divisor64 if simple => Node::new("local.get $nine", kind, vec![]),
            Slot::Small32 if simple => Node::new("local.get $fs", kind, vec![]),
            Slot::Small64 if simple => Node::new("local.get $ds", kind, vec![]),
            Slot::Divisor32 => {
                let one = Node::new("i32.const 1", Kind::Fixed, vec![]);
                Node::new("i32.or", kind, vec![self.masked(Slot::I32, 0xffff, depth), one])
            }
            Slot::Divisor64 => {
                let divisor = self.value(Slot::Divisor32, depth);
                Node::new("i64.extend_i32_u", kind, vec![divisor])
            }
            Slot::Small32 => {
                Node::new("f32.convert_i32_u", kind, vec![self.masked(Slot::I32, 0xffff, depth)])
            }
            Slot::Small64 => {
                Node::new("f64.convert_i32_u", kind, vec![self.masked(Slot::I32, 0xffff, depth)])
            }
            _ if depth == 0 || self.random.below(4) == 0 => self.leaf(slot),
            _ => self.operator(Some(slot), depth).unwrap_or_else(|| self.leaf(slot)),
        }
    }

    fn masked(&mut self, slot: Slot, mask: usize, depth: usize) -> Node {
        let value = self.value(Slot::I32, depth.saturating_sub(1));
        let mask = Node::new(format!("i32.const {mask}"), Kind::Fixed, vec![]);
        Node::new("i32.and", Kind::Value(slot), vec![value, mask])
    }

    fn leaf(&mut self, slot: Slot) -> Node {
        let texts: &[&str] = match slot {
            Slot::I32 => &[
                "local.get $i",
                "local.get $i",
                "local.get $j",
                "local.get $n",
                "local.get $seven",
                "global.get $ig",
                "i32.const 1",
                "i32.const -1",
                "i32.const 0x12345678",
                "i32.const 64",
            ],
            Slot::I64 => &[
                "local.get $l",
                "local.get $l",
                "local.get $m",
                "local.get $nine",
                "global.get $lg",
                "i64.const 1",
                "i64.const -1",
                "i64.const 0x123456789abcdef0",
            ],
            Slot::F32 => &[
                "local.get $f",
                "local.get $g",
                "local.get $ft",
                "local.get $fs",
                "global.get $fg",
                "f32.const 1.5",
                "f32.const 0.5",
                "f32.const 0x1p-140",
                "f32.const 0x1p-126",
                "f32.const nan",
                "f32.const inf",
                "f32.const 1e30",
            ],
            Slot::F64 => &[
                "local.get $d",
                "local.get $e",
                "local.get $dt",
                "local.get $ds",
                "global.get $dg",
                "f64.const 1.5",
                "f64.const 0.5",
                "f64.const 0x1p-1060",
                "f64.const 0x1p-1022",
                "f64.const nan",
                "f64.const inf",
                "f64.const 1e300",
            ],
            Slot::V128 => &[
                "local.get $v",
                "local.get $v",
                "local.get $w",
                "global.get $vg",
                "v128.const f32x4 1.5 0x1p-140 0x1p-149 nan",
                "v128.const f64x2 0x1p-1060 0.5",
                "v128.const i32x4 1 -1 0x12345678 7",
            ],
            _ => &["local.get $r", "local.get $r", "ref.null func", "global.get $rg"],
        };
        Node::new(self.random.of(texts), Kind::Value(slot), vec![])
    }

    /// Draws an operator of the families that gives `result`, if there is one.
    fn operator(&mut self, result: Option<Slot>, depth: usize) -> Option<Node> {
        let fits =
            |operator: &&Operator| operator.result == result && self.families.contains(&operator.family());
        let fitting: Vec<&Operator> = OPERATORS.iter().filter(fits).collect();
        let operator = if fitting.is_empty() { return None } else { self.random.of(&fitting) };
        let text = self.with_immediate(operator);
        let inner = operator.params.iter().map(|slot| self.value(*slot, depth.saturating_sub(1))).collect();
        Some(Node::new(text, result.map_or(Kind::Statement, Kind::Value), inner))
    }

    fn with_immediate(&mut self, operator: &Operator) -> String {
        let name = operator.name;
        let far = self.random.below(self.half - 16);
        let offset = [0, 0, 1, 3, 60, far][self.random.below(6)];
        match operator.immediate {
            Immediate::None => name.to_owned(),
            Immediate::Named(text) => text.to_owned(),
            Immediate::Memory => format!("{name} offset={offset}"),
            Immediate::MemoryLane(lanes) => {
                format!("{name} offset={offset} align=1 {}", self.random.below(lanes))
            }
            Immediate::Lane(lanes) => format!("{name} {}", self.random.below(lanes)),
            Immediate::Lanes => {
                let lanes = (0..16).map(|_| format!(" {}", self.random.below(32)));
                format!("{name}{}", lanes.collect::<String>())
            }
        }
    }
}
