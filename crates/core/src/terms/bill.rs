//! The bill: what a call costs, release by release, and who pays whom.
//!
//! ```text
//! caller ──▶ the release that is called ──▶ what it absorbs
//!        ──▶ each dependency that charges ──▶ what it absorbs
//! ```
//!
//! A call of a dependency by a function that has a price is part of the work that its terms charge for, at what they say
//! to an account of which nothing is known: without free units, at the dearest step, with no plan, grant or discount. All
//! calls of one release that one payer pays for are one *part* of the bill. A call of a function without a price is work
//! for the part that it belongs to: that of the nearest importer above it that has one.

use std::collections::BTreeMap;
use std::slice;

use serde::{Deserialize, Serialize};

use super::{Charge, Ending, Line, applies, line};
use crate::manifest::{Price, PricedAct, Terms, Unit};
use crate::money::Atomic;
use crate::name::{FunctionName, ReleaseId};
use crate::tree::{Linked, Node};
use crate::{Digest, Hashed, limits};

/// A dependency whose use may cost something: what it does itself, or what it imports in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The terms that it is pinned with.
    pub terms: Hashed<Terms>,
    /// Those of its functions that have a price and that its importer is linked to.
    pub functions: Vec<FunctionName>,
    /// Those of its own dependencies whose use may cost something.
    pub imports: Vec<Import>,
}

impl Import {
    /// Makes what a bill must know of a dependency, of whose `functions` its importer may call any; nothing where its use
    /// costs nothing.
    pub fn new(terms: Hashed<Terms>, functions: Vec<FunctionName>, imports: Vec<Self>) -> Option<Self> {
        let functions: Vec<_> =
            functions.into_iter().filter(|function| prices(&terms, function).next().is_some()).collect();
        (!functions.is_empty() || !imports.is_empty()).then_some(Self { terms, functions, imports })
    }

    /// Reads what was linked for a call. What has no terms among `works` costs nothing.
    pub fn of(linked: &[Linked], works: &BTreeMap<Digest, Terms>) -> Vec<Self> {
        let import = |linked: &Linked| {
            let terms = works.get(&linked.terms)?.clone();
            Self::new(terms.into(), linked.functions.clone(), Self::of(&linked.dependencies, works))
        };
        linked.iter().filter_map(import).collect()
    }

    /// Tells whether what it costs depends on how often it is called, or its own dependencies are.
    pub fn counts_calls(&self) -> bool {
        let mut prices = self.functions.iter().flat_map(|function| prices(&self.terms, function));
        prices.any(|price| price.unit == Unit::Call || price.minimum.is_some())
            || self.imports.iter().any(Self::counts_calls)
    }

    /// Returns the terms of it and of all below it.
    pub fn works(&self) -> Vec<&Hashed<Terms>> {
        let below = self.imports.iter().flat_map(Self::works);
        [&self.terms].into_iter().chain(below).collect()
    }
}

/// Returns the prices of a function where a dependency is called by it.
fn prices<'a>(terms: &'a Terms, function: &'a FunctionName) -> impl Iterator<Item = &'a Price> {
    terms.price.iter().filter(move |price| applies(price, function))
}

/// A bill cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Terms are not there.
    #[error("the terms {0} of what ran are missing")]
    Missing(Digest),
    /// It comes to more than was quoted, which no call does.
    #[error("it comes to {charge} and {quote} is the most")]
    Exceeds {
        /// What it comes to.
        charge: Atomic,
        /// What was quoted.
        quote: Atomic,
    },
}

/// What a call costs, release by release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill<'a> {
    parts: Vec<Part<'a>>,
}

/// What one release has for its work in a call, from one payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The terms by which it charges, and by which what it gets is split.
    pub terms: &'a Terms,
    /// Their digest, where it is of a dependency; nothing for the release that was called.
    pub dependency: Option<Digest>,
    /// The part out of which it is paid, because that release absorbs it; nothing where the caller pays.
    payer: Option<usize>,
    /// What it charges for.
    lines: Vec<Line>,
    /// What that comes to.
    pub amount: Atomic,
    /// What worked for it and has no price of its own, by terms.
    pub unpriced: BTreeMap<Digest, Effort>,
}

/// The work of a dependency that has no price of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effort {
    /// The release that did it.
    pub release: ReleaseId,
    /// The fuel that it burnt itself, without what it called.
    pub fuel: u64,
    /// The most of it that counts: for each call some times what one burns in the release's own tests. Absent where any of
    /// the calls had nothing to compare with: then all of it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_counted_max: Option<u64>,
}

impl Effort {
    /// Makes that of a release which did nothing.
    pub fn none(release: ReleaseId) -> Self {
        Self { release, fuel: 0, fuel_counted_max: Some(0) }
    }

    /// Makes that of calls, of which each burns `baseline` in the release's own tests, where that is known.
    pub fn of_calls(release: ReleaseId, calls: u64, fuel: u64, baseline: Option<u64>) -> Self {
        let each = baseline.map(|baseline| baseline.saturating_mul(limits::FUEL_BASELINE_FACTOR));
        Self { release, fuel, fuel_counted_max: each.map(|each| each.saturating_mul(calls)) }
    }

    /// Adds more work of the same release.
    pub fn add(&mut self, other: &Self) {
        self.fuel = self.fuel.saturating_add(other.fuel);
        let both = self.fuel_counted_max.zip(other.fuel_counted_max);
        self.fuel_counted_max = both.map(|(one, other)| one.saturating_add(other));
    }
}

/// Calls of some functions of a dependency, by one way to it.
struct Use<'a> {
    /// The use by which its importer was called, by its place; nothing where that is the release that was called.
    parent: Option<usize>,
    terms: &'a Terms,
    digest: Digest,
    functions: &'a [FunctionName],
    calls: u64,
    fuel: u64,
    fuel_baseline: Option<u64>,
}

/// Where a use stands on the bill.
#[derive(Clone, Copy)]
struct Place<'a> {
    terms: &'a Terms,
    /// The part that its work belongs to.
    part: usize,
    /// Who pays for that work, as for a part.
    payer: Option<usize>,
}

impl<'a> Bill<'a> {
    /// Makes the bill of a call that ended so, whose own prices came to the lines `own` and in which `ran` took part.
    pub fn new(
        terms: &'a Terms,
        own: Vec<Line>,
        ran: &'a [Node],
        works: &'a BTreeMap<Digest, Terms>,
        ending: Ending,
        fuel_max: u64,
    ) -> Result<Self, BillError> {
        let uses = ran.iter().map(|node| {
            let Node { parent, terms: digest, function, calls, fuel, fuel_baseline, .. } = node;
            Ok(Use {
                parent: parent.map(|parent| parent as usize),
                terms: works.get(digest).ok_or(BillError::Missing(*digest))?,
                digest: *digest,
                functions: slice::from_ref(function),
                calls: *calls,
                fuel: *fuel,
                fuel_baseline: *fuel_baseline,
            })
        });
        Ok(Self::of(terms, own, &uses.collect::<Result<Vec<_>, BillError>>()?, ending, fuel_max))
    }

    /// Makes the bill of the dearest call that could end so.
    pub(super) fn at_most(
        terms: &'a Terms,
        own: Vec<Line>,
        imports: &'a [Import],
        ending: Ending,
        fuel_max: u64,
    ) -> Self {
        let mut uses = Vec::new();
        most(terms, imports, None, 1, fuel_max, &mut uses);
        Self::of(terms, own, &uses, ending, fuel_max)
    }

    /// Makes the bill of what was sold and not run. `unpriced` are the dependencies that share in it: what they did in the
    /// release's own tests, and those with a fixed share.
    pub fn of_sale(terms: &'a Terms, amount: Atomic, unpriced: BTreeMap<Digest, Effort>) -> Self {
        let whole = Part { amount, unpriced, ..Part::new(terms, None, None) };
        Self { parts: vec![whole] }
    }

    fn of(terms: &'a Terms, own: Vec<Line>, uses: &[Use<'a>], ending: Ending, fuel_max: u64) -> Self {
        let mut parts = vec![Part::new(terms, None, None)];
        let mut places: Vec<Place<'a>> = Vec::with_capacity(uses.len());
        for one in uses {
            let called = Place { terms, part: 0, payer: None };
            let importer = one.parent.and_then(|parent| places.get(parent)).copied().unwrap_or(called);
            let named = importer.terms.more.dependencies.get(&one.terms.release.package);
            let payer = match named.is_some_and(|named| named.absorb) {
                true => Some(importer.part),
                false => importer.payer,
            };
            let part = if one.is_priced() {
                let same = |part: &Part<'_>| (part.dependency, part.payer) == (Some(one.digest), payer);
                parts.iter().position(same).unwrap_or_else(|| {
                    parts.push(Part::new(one.terms, Some(one.digest), payer));
                    parts.len() - 1
                })
            } else {
                let unpriced = parts[importer.part].unpriced.entry(one.digest);
                unpriced.or_insert_with(|| Effort::none(one.terms.release.clone())).add(&one.effort());
                importer.part
            };
            places.push(Place { terms: one.terms, part, payer });
        }
        for (index, part) in parts.iter_mut().enumerate() {
            let here = || {
                uses.iter().zip(&places).filter(move |(one, place)| place.part == index && one.is_priced())
            };
            part.lines = match part.dependency {
                None => own.clone(),
                Some(_) => imported(part.terms, || here().map(|(one, _)| one), ending, fuel_max),
            };
            part.amount = line::sum(&part.lines);
        }
        Self { parts }
    }

    /// Returns what the caller owes.
    pub fn charge(&self) -> Charge {
        let paid = self.parts.iter().filter(|part| part.payer.is_none());
        Charge::of(paid.flat_map(|part| part.lines.iter().cloned()).collect())
    }

    /// Returns the parts: that of the release that was called, then those of dependencies in the order of their first
    /// calls. Each comes after the one that pays it.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// Returns what the release of a part pays out of what it gets, because it absorbs it.
    pub fn absorbed_by(&self, part: usize) -> Atomic {
        let absorbed = self.parts.iter().filter(|other| other.payer == Some(part));
        Atomic(absorbed.map(|part| part.amount.0).sum())
    }
}

impl<'a> Part<'a> {
    fn new(terms: &'a Terms, dependency: Option<Digest>, payer: Option<usize>) -> Self {
        Self { terms, dependency, payer, lines: Vec::new(), amount: Atomic::ZERO, unpriced: BTreeMap::new() }
    }
}

impl Use<'_> {
    fn is_priced(&self) -> bool {
        self.functions.iter().any(|function| prices(self.terms, function).next().is_some())
    }

    fn effort(&self) -> Effort {
        Effort::of_calls(self.terms.release.clone(), self.calls, self.fuel, self.fuel_baseline)
    }
}

/// Collects the uses that a call could make of `imports` at most, of whose importer it could make `calls`.
fn most<'a>(
    importer: &Terms,
    imports: &'a [Import],
    parent: Option<usize>,
    calls: u64,
    fuel_max: u64,
    uses: &mut Vec<Use<'a>>,
) {
    for Import { terms, functions, imports } in imports {
        let named = importer.more.dependencies.get(&terms.release.package);
        let calls_max = named.and_then(|named| named.calls_max).unwrap_or(u64::MAX);
        let calls = calls.saturating_mul(calls_max);
        let digest = terms.digest();
        uses.push(Use { parent, terms, digest, functions, calls, fuel: fuel_max, fuel_baseline: None });
        most(terms, imports, Some(uses.len() - 1), calls, fuel_max, uses);
    }
}

/// Makes the lines of a dependency for its uses. Nothing but calls and fuel is charged for through an import.
fn imported<'a, 'u: 'a, I: Iterator<Item = &'a Use<'u>>>(
    terms: &Terms,
    uses: impl Fn() -> I,
    ending: Ending,
    fuel_max: u64,
) -> Vec<Line> {
    let line = |price: &Price| {
        let charged = uses().filter(|one| one.functions.iter().any(|function| applies(price, function)));
        let (calls, fuel) = charged.fold((0_u64, 0_u64), |(calls, fuel), one| {
            (calls.saturating_add(one.calls), fuel.saturating_add(one.fuel))
        });
        let quantity = match price.unit {
            Unit::Call => calls,
            Unit::Fuel => fuel.min(fuel_max),
            _ => return None,
        };
        (calls > 0).then(|| line::imported(&terms.release, price, quantity, calls))
    };
    let owed = terms.price.iter().filter(|price| price.on == PricedAct::Execute && price.is_owed(ending));
    owed.filter_map(line).collect()
}
