//! Mutants of a component: copies with one small mistake each, to see whether its tests notice.
//!
//! A mutant has the bytes of the component but for one operator or one bit of a constant, of the same length and the same types,
//! so it is valid and differs in what it computes alone. Which mutants are made follows from the component's digest: whoever
//! looks makes the same. Only code that the tests run is touched, which [`marked`] copies find out: a mistake where nothing comes
//! by says nothing about tests that check what they run.

mod marks;

use std::collections::BTreeSet;

use glassbox_core::Digest;
use glassbox_core::profile::Profile;
use wasmparser::{Operator, Parser, Payload};

pub(crate) use self::marks::Marks;
pub use self::marks::{entries, marked};
use crate::SandboxError;
use crate::features;
use crate::shape::invalid;

/// A component with one small mistake: which byte is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// Where its operator begins.
    place: usize,
    /// Where the byte stands.
    offset: usize,
    /// What stands there.
    from: u8,
    /// What stands there in the mutant.
    to: u8,
}

impl Mutant {
    /// Returns where the operator begins that is another, or has another constant.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Returns the mutant's bytes.
    ///
    /// # Panics
    ///
    /// When the mutant is another component's.
    pub fn of(&self, component: &[u8]) -> Vec<u8> {
        let mut bytes = component.to_vec();
        assert_eq!(bytes[self.offset], self.from, "the mutant of another component");
        bytes[self.offset] = self.to;
        bytes
    }
}

/// Returns the mutants of the functions of a component that are entered, by where their operators begin: in an order that is
/// drawn by the component's digest, so that the first of them are a sample.
pub fn mutants(component: &[u8], entered: &BTreeSet<usize>) -> Result<Vec<Mutant>, SandboxError> {
    let seed = Digest::of(component);
    let drawn = |mutant: &Mutant| {
        let mut lot = seed.as_bytes().to_vec();
        lot.extend((mutant.offset as u64).to_be_bytes());
        lot.push(mutant.to);
        *Digest::of(lot).as_bytes()
    };
    let mut all: Vec<_> =
        possible(component, entered)?.iter().map(|mutant| (drawn(mutant), *mutant)).collect();
    all.sort_unstable_by_key(|(lot, _)| *lot);
    Ok(all.into_iter().map(|(_, mutant)| mutant).collect())
}

fn possible(component: &[u8], entered: &BTreeSet<usize>) -> Result<Vec<Mutant>, SandboxError> {
    let mut parser = Parser::new(0);
    parser.set_features(features::of(Profile::current()));
    let mut mutants = Vec::new();
    for payload in parser.parse_all(component) {
        let Payload::CodeSectionEntry(body) = payload.map_err(invalid)? else { continue };
        let mut operators = body.get_operators_reader().map_err(invalid)?;
        if !entered.contains(&operators.original_position()) {
            continue;
        }
        let mut constant = None;
        while !operators.eof() {
            let (operator, place) = operators.read_with_offset().map_err(invalid)?;
            let byte = |offset: usize| component.get(offset).copied();
            if let Some(from) = byte(place) {
                mutants.extend(mistakes(from).iter().map(|to| Mutant {
                    place,
                    offset: place,
                    from,
                    to: *to,
                }));
                // Constants that are added are mostly places in memory; those that something else is done with mean something.
                if let Some(place) = constant.filter(|_| weighs(from))
                    && let Some(bits) = byte(place + 1)
                {
                    // The first byte of the number has its lowest bits.
                    mutants.push(Mutant { place, offset: place + 1, from: bits, to: bits ^ 1 });
                }
            }
            let is_constant = matches!(operator, Operator::I32Const { .. } | Operator::I64Const { .. });
            constant = is_constant.then_some(place);
        }
    }
    Ok(mutants)
}

/// Returns what may stand in place of an operator of one byte: another that takes and gives the same types.
///
/// A comparison is turned round, or counts its bound in or out; a sum becomes a difference, a condition is no longer negated.
fn mistakes(operator: u8) -> &'static [u8] {
    match operator {
        // i32: eqz (becomes nothing), eq, ne, lt, lt_u, gt, gt_u, le, le_u, ge, ge_u.
        0x45 => &[0x01],
        0x46 => &[0x47],
        0x47 => &[0x46],
        0x48 => &[0x4e, 0x4c],
        0x49 => &[0x4f, 0x4d],
        0x4a => &[0x4c, 0x4e],
        0x4b => &[0x4d, 0x4f],
        0x4c => &[0x4a, 0x48],
        0x4d => &[0x4b, 0x49],
        0x4e => &[0x48, 0x4a],
        0x4f => &[0x49, 0x4b],
        // i64: eqz (becomes wrap), eq, ne, lt, lt_u, gt, gt_u, le, le_u, ge, ge_u.
        0x50 => &[0xa7],
        0x51 => &[0x52],
        0x52 => &[0x51],
        0x53 => &[0x59, 0x57],
        0x54 => &[0x5a, 0x58],
        0x55 => &[0x57, 0x59],
        0x56 => &[0x58, 0x5a],
        0x57 => &[0x55, 0x53],
        0x58 => &[0x56, 0x54],
        0x59 => &[0x53, 0x55],
        0x5a => &[0x54, 0x56],
        // f32 and f64: eq, ne, lt, gt, le, ge.
        0x5b => &[0x5c],
        0x5c => &[0x5b],
        0x5d => &[0x60, 0x5f],
        0x5e => &[0x5f, 0x60],
        0x5f => &[0x5e, 0x5d],
        0x60 => &[0x5d, 0x5e],
        0x61 => &[0x62],
        0x62 => &[0x61],
        0x63 => &[0x66, 0x65],
        0x64 => &[0x65, 0x66],
        0x65 => &[0x64, 0x63],
        0x66 => &[0x63, 0x64],
        // i32 and i64: add, sub, mul (becomes add), and, or, xor (becomes or), shl, shr, shr_u.
        0x6a => &[0x6b],
        0x6b => &[0x6a],
        0x6c => &[0x6a],
        0x71 => &[0x72],
        0x72 => &[0x71],
        0x73 => &[0x72],
        0x74 => &[0x76],
        0x75 | 0x76 => &[0x74],
        0x7c => &[0x7d],
        0x7d => &[0x7c],
        0x7e => &[0x7c],
        0x83 => &[0x84],
        0x84 => &[0x83],
        0x85 => &[0x84],
        0x86 => &[0x88],
        0x87 | 0x88 => &[0x86],
        // f32 and f64: add, sub, mul, div.
        0x92 => &[0x93],
        0x93 => &[0x92],
        0x94 => &[0x95],
        0x95 => &[0x94],
        0xa0 => &[0xa1],
        0xa1 => &[0xa0],
        0xa2 => &[0xa3],
        0xa3 => &[0xa2],
        _ => &[],
    }
}

/// Tells whether an operator compares, multiplies, divides, shifts or masks.
fn weighs(operator: u8) -> bool {
    matches!(operator, 0x46..=0x4f | 0x51..=0x5a | 0x6c..=0x78 | 0x7e..=0x8a)
}
