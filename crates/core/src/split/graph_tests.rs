//! Many calls over many packages: nothing is lost, and everybody has what the exact figures say, rounded once for each
//! division on the way. So in each call, and so in the ledger after all of them.

use std::collections::BTreeMap;

use crate::hashed::Document as _;
use crate::ledger::{self, Account, Transfer};
use crate::manifest::{
    ChargeOn, Dependency, DerivedFrom, Metered, Payee, Price, PricedAct, Splits, Terms, Unit,
};
use crate::money::{Atomic, PICO_PER_ATOMIC, Pico};
use crate::split::{Receiver, split_bill};
use crate::terms::{Bill, Ending, Line};
use crate::tree::Node;
use crate::{Digest, limits};

const PACKAGES: usize = 20;
const CALLS: usize = 10_000;
const NODES_MAX: usize = 24;

/// What a call of a package costs that may absorb what its dependencies charge: more than all of them together.
const DEAR: u128 = 100_000_000;

/// The operator's fee, in basis points.
const FEE_BPS: u32 = 500;

/// Exact figures are in parts of a pico: so many that what they leave out is nothing beside one.
const PARTS: u128 = 1_000_000_000_000;

/// Numbers that look random and are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, max: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % max
    }
}

/// Makes a price, of one function or of both.
fn price(unit: Unit, amount: u128, export: Option<&str>) -> Price {
    Price {
        id: unit.to_string(),
        on: PricedAct::Execute,
        export: export.map(str::to_owned),
        unit,
        amount: Atomic(amount),
        per: 1.try_into().expect("not zero"),
        minimum: None,
        max_per_call: None,
        charge_on: ChargeOn::Success,
        free: None,
        tiers: None,
    }
}

/// Makes a package that rests on some of those before it.
fn package(index: usize, before: &[(Digest, Terms)], numbers: &mut Numbers) -> Terms {
    let payees = 1 + numbers.below(4);
    let share = |payee| if payee == 0 { 10_000 - 100 * (payees - 1) as u32 } else { 100 };
    let payee = (0..payees).map(|payee| Payee {
        id: format!("acct:p{index}-{payee}"),
        share: share(payee),
        role: None,
    });
    let price = match index % 5 {
        1 => vec![price(Unit::Call, 70, Some("run")), price(Unit::Fuel, 1, None)],
        2 => vec![price(Unit::Fuel, 2, Some("walk"))],
        3 => vec![price(Unit::Call, DEAR, None)],
        _ => Vec::new(),
    };
    let is_dear = price.first().is_some_and(|price| price.amount == Atomic(DEAR));
    let mut terms = Terms {
        release: format!("lab:p{index}@1.0.0").parse().expect("valid"),
        license: "MIT".into(),
        execute: Default::default(),
        import: true,
        fuel_max: 1_000_000,
        price,
        payee: payee.collect(),
        currency: "USD".into(),
        accepts: Vec::new(),
        more: Default::default(),
    };
    for (digest, other) in before {
        match numbers.below(8) {
            0 | 1 => {
                let share = (numbers.below(5) == 0).then(|| numbers.below(200) as u32);
                let version = "1".parse().expect("valid");
                // What charges as much itself would not be covered.
                let cheap = other.price.iter().all(|price| price.amount < Atomic(DEAR));
                let absorb = is_dear && cheap;
                let dependency = Dependency { version, metered: Metered, share, absorb, calls_max: None };
                terms.more.dependencies.insert(other.release.package.clone(), dependency);
            }
            2 if terms.more.derived_from.len() < 1 + index % 2 => terms.more.derived_from.push(DerivedFrom {
                release: other.release.clone(),
                terms: *digest,
                share: numbers.below(1_000) as u32,
            }),
            _ => {}
        }
    }
    let dependencies = numbers.below(2_000) as u32;
    terms.more.splits = Some(Splits { dependencies, ..Splits::default() });
    terms
}

/// Makes what `importer` calls, and what that calls.
fn grow(
    importer: &Terms,
    parent: Option<u32>,
    packages: &[(Digest, Terms)],
    numbers: &mut Numbers,
    nodes: &mut Vec<Node>,
) {
    for (digest, terms) in packages {
        let named = importer.more.dependencies.get(&terms.release.package);
        let Some(named) = named else { continue };
        for function in ["run", "walk"] {
            if numbers.below(3) == 0 || nodes.len() >= NODES_MAX {
                continue;
            }
            nodes.push(Node {
                parent,
                release: terms.release.clone(),
                component: *digest,
                terms: *digest,
                function: format!("lab:{}/ops@1.0.0#{function}", terms.release.package.name())
                    .parse()
                    .expect("valid"),
                calls: 1 + numbers.below(5),
                fuel: numbers.below(100_000),
                // Some burn far more than their tests, and some have none.
                fuel_baseline: baseline(terms),
            });
            // What is absorbed calls nothing: that might be dear, and not covered.
            if !named.absorb {
                let node = nodes.len() as u32 - 1;
                grow(terms, Some(node), packages, numbers, nodes);
            }
        }
    }
}

/// What a call of a package burns in its own tests, where it has any.
fn baseline(terms: &Terms) -> Option<u64> {
    match terms.compute_digest().as_bytes()[0] % 4 {
        0 => None,
        1 => Some(100),
        _ => Some(20_000),
    }
}

/// What a call of a node charges, if it has a price.
fn charged(terms: &Terms, node: &Node) -> Option<u64> {
    let function = node.function.function();
    let applies = |price: &&Price| price.export.as_deref().is_none_or(|export| export == function);
    let amounts: Vec<u64> = terms
        .price
        .iter()
        .filter(applies)
        .map(|price| price.amount.0 as u64 * if price.unit == Unit::Call { node.calls } else { node.fuel })
        .collect();
    (!amounts.is_empty()).then(|| amounts.into_iter().sum())
}

/// Somebody's part of a bill: the release, and whose expense it is, from the caller on.
type Way = Vec<Digest>;

/// What somebody has at least and at most, in pico, and what exactly.
///
/// Each division gives the exact figure rounded down or up, so after some of them an amount lies between what comes of
/// rounding down each time and what comes of rounding up.
///
/// Nothing says that it is within one pico of the exact figure: it is so after one division. Whoever divides what is off
/// already passes on of that what it gives, and adds less than one. So an amount is off by less than one for each division
/// on the way to it, which adds up where there are several ways, and over calls.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    least: u128,
    most: u128,
    /// The exact figure, in parts of a pico.
    exact: u128,
    /// By how much less than which the amount may miss it, in parts of a pico.
    off: u128,
}

impl Range {
    fn exactly(amount: u128) -> Self {
        Self { least: amount, most: amount, exact: amount * PARTS, off: 0 }
    }

    /// Divides it: `weight` of `whole`.
    fn part(self, weight: u128, whole: u128) -> Self {
        Self {
            least: self.least * weight / whole,
            most: (self.most * weight).div_ceil(whole),
            exact: self.exact * weight / whole,
            off: (self.off * weight).div_ceil(whole) + PARTS,
        }
    }

    /// Halves it, rounded down.
    fn half(self) -> Self {
        let Self { least, most, exact, off } = self;
        Self { least: least / 2, most: most / 2, exact: exact / 2, off: off / 2 + PARTS }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            most: self.most + other.most,
            exact: self.exact + other.exact,
            off: self.off + other.off,
        }
    }

    fn min(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.min(other.most),
            exact: self.exact.min(other.exact),
            off: self.off.max(other.off),
        }
    }

    /// What is left of it beyond another.
    fn beyond(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_sub(other.most),
            most: self.most.saturating_sub(other.least),
            exact: self.exact.saturating_sub(other.exact),
            off: self.off + other.off,
        }
    }

    fn has(self, amount: u128) -> bool {
        let missed = (amount * PARTS).abs_diff(self.exact);
        (self.least..=self.most).contains(&amount) && (missed == 0 || missed < self.off)
    }

    /// Tells whether all roundings together come to less than one atomic unit, the least that is ever paid out.
    fn is_exact_to_an_atomic_unit(self) -> bool {
        self.most - self.least < PICO_PER_ATOMIC && self.off < PICO_PER_ATOMIC * PARTS
    }
}

/// Fuel, and how much of it counts at most.
type Burnt = (u64, Option<u64>);

/// What everybody should have.
struct Exact<'a> {
    works: &'a BTreeMap<Digest, Terms>,
    operator: u128,
    shares: BTreeMap<String, Range>,
}

impl Exact<'_> {
    /// Pays every part: what it was charged for, less the fee and what it absorbs.
    fn pay(&mut self, root: Digest, own: u128, nodes: &[Node]) {
        let mut parts: BTreeMap<Way, (u128, BTreeMap<Digest, Burnt>)> = BTreeMap::new();
        parts.insert(vec![root], (own, BTreeMap::new()));
        let mut places: Vec<(Digest, Way)> = Vec::new();
        for node in nodes {
            let root = (root, vec![root]);
            let (importer, above) = node.parent.map_or(&root, |parent| &places[parent as usize]);
            let named = &self.works[importer].more.dependencies[&node.release.package];
            let place = match charged(&self.works[&node.terms], node) {
                Some(amount) => {
                    let payers = if named.absorb { &above[..] } else { &above[..above.len() - 1] };
                    let way = [payers, &[node.terms]].concat();
                    parts.entry(way.clone()).or_default().0 += u128::from(amount);
                    way
                }
                None => {
                    let (_, run) = parts.get_mut(above).expect("an importer comes first");
                    let (fuel, most) = run.entry(node.terms).or_insert((0, Some(0)));
                    *fuel += node.fuel;
                    *most = node.fuel_baseline.and_then(|each| Some((*most)? + 4 * each * node.calls));
                    above.clone()
                }
            };
            places.push((node.terms, place));
        }
        for (way, (amount, run)) in &parts {
            let absorbed =
                parts.iter().filter(|(other, _)| other.len() == way.len() + 1 && other.starts_with(way));
            let absorbed: u128 = absorbed.map(|(_, (amount, _))| amount).sum();
            let terms = &self.works[way.last().expect("a release")];
            // A million pico in an atomic unit, of which five in a hundred are the operator's.
            let fee = amount * 1_000_000 * u128::from(FEE_BPS) / 10_000;
            self.operator += fee;
            self.divide(terms, Range::exactly((amount - absorbed) * 1_000_000 - fee), run, 0);
        }
    }

    fn divide(&mut self, terms: &Terms, amount: Range, run: &BTreeMap<Digest, Burnt>, depth: u32) {
        let part = |share: u32| amount.part(share.into(), 10_000);
        let promised = |digest: &Digest| {
            let named = terms.more.dependencies.get(&self.works[digest].release.package);
            named.and_then(|named| named.share)
        };
        let (fixed, pooled): (Vec<_>, Vec<_>) =
            run.iter().partition(|(digest, _)| promised(digest).is_some());
        let fixed: Vec<_> =
            fixed.into_iter().map(|(digest, _)| (*digest, promised(digest).unwrap_or_default())).collect();
        let counted = |(fuel, most): &Burnt| most.map_or(*fuel, |most| most.min(*fuel));
        let fuel: u64 = pooled.iter().map(|(_, burnt)| counted(burnt)).sum();
        let shared = terms.more.splits.as_ref().map_or(0, |splits| splits.dependencies);
        let shared = if fuel == 0 { 0 } else { shared };

        let mut left = 10_000 - shared;
        let parents = terms.more.derived_from.iter().filter(|_| depth < limits::ROYALTY_DEPTH_MAX);
        let parents = parents.map(|parent| (parent.terms, parent.share));
        for (work, share) in parents.chain(fixed) {
            left -= share;
            self.divide(&self.works[&work], part(share), &BTreeMap::new(), depth + 1);
        }
        let (mut own, pool) = (part(left), part(shared));
        for (work, burnt) in pooled.iter().filter(|_| fuel > 0) {
            let share = pool.part(counted(burnt).into(), fuel.into());
            let half = pool.half();
            own = own.plus(share.beyond(half));
            self.divide(&self.works[*work], share.min(half), &BTreeMap::new(), depth + 1);
        }
        for Payee { id, share, .. } in &terms.payee {
            let sum = self.shares.entry(id.clone()).or_default();
            *sum = sum.plus(own.part((*share).into(), 10_000));
        }
    }
}

/// The rail that the payers pay over.
const RAIL: &str = "x402:test";

/// What left and reached every account, in pico.
#[derive(Default)]
struct Books(BTreeMap<Account, [u128; 2]>);

impl Books {
    /// Posts what a call moves that was paid beforehand by a ceiling.
    fn post_call(&mut self, payer: &str, paid: Atomic, charge: Vec<Transfer>, back: Atomic) {
        let (deposit, refund) = (ledger::deposit(RAIL, payer, paid), ledger::refund(RAIL, payer, back));
        // A call that costs nothing moves nothing, and a ceiling that is the charge leaves nothing to pay back.
        let moved = [deposit, refund].into_iter().filter(|transfer| transfer.amount > Pico::ZERO);
        for Transfer { debit, credit, amount, .. } in moved.chain(charge) {
            assert!(amount > Pico::ZERO, "{debit} gives {credit} nothing");
            self.0.entry(debit).or_default()[0] += amount.0;
            self.0.entry(credit).or_default()[1] += amount.0;
        }
    }
}

#[test]
fn calls_over_a_graph_of_packages_conserve() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut packages: Vec<(Digest, Terms)> = Vec::new();
    for index in 0..PACKAGES {
        let terms = package(index, &packages, &mut numbers);
        packages.push((terms.compute_digest(), terms));
    }
    let works: BTreeMap<Digest, Terms> = packages.iter().cloned().collect();
    let (mut owed, mut priced, mut absorbed, mut clamped) = (0, 0, 0, 0);
    let (mut books, mut operator, mut due) = (Books::default(), 0, BTreeMap::<String, Range>::new());
    for call in 0..CALLS {
        let (digest, root) = &packages[numbers.below(PACKAGES as u64) as usize];
        let mut nodes = Vec::new();
        grow(root, None, &packages, &mut numbers, &mut nodes);
        let is_dear = root.price.first().is_some_and(|price| price.amount == Atomic(DEAR));
        let own = if is_dear { DEAR } else { u128::from(numbers.below(1_000_000)) };
        let line = Line {
            dependency: None,
            price: "own".into(),
            unit: Unit::Call,
            quantity: 1,
            amount: Atomic(own),
        };
        let bill = Bill::new(root, vec![line], &nodes, &works, Ending::Returned, u64::MAX);
        let bill = bill.expect("all works are there");
        let shares = split_bill(&bill, FEE_BPS, &works, &call.to_string()).expect("all is covered");
        let charge = bill.charge().amount;
        owed += charge.to_pico().0;
        priced += usize::from(bill.parts().len() > 1);
        absorbed += usize::from(bill.absorbed_by(0) > Atomic::ZERO);
        let mut efforts = bill.parts().iter().flat_map(|part| part.unpriced.values());
        clamped += usize::from(efforts.any(|one| one.fuel_counted_max.is_some_and(|most| most < one.fuel)));
        let (payer, back) = (format!("0x{}", call % 7), Atomic(call as u128 % 3));
        books.post_call(&payer, Atomic(charge.0 + back.0), ledger::charge(&payer, &shares), back);

        let mut exact = Exact { works: &works, operator: 0, shares: BTreeMap::new() };
        exact.pay(*digest, own, &nodes);
        let (mut fee, mut found) = (0, BTreeMap::<String, u128>::new());
        for share in shares {
            match share.to {
                Receiver::Operator => fee += share.amount.0,
                Receiver::Payee(id) => *found.entry(id).or_default() += share.amount.0,
            }
        }
        assert_eq!(fee, exact.operator, "call {call}");
        operator += fee;
        for (id, range) in exact.shares {
            let amount = found.remove(&id).unwrap_or_default();
            assert!(range.has(amount), "call {call}, {id}: {amount} and not {range:?}");
            assert!(range.is_exact_to_an_atomic_unit(), "call {call}, {id}: {range:?}");
            let sum = due.entry(id).or_default();
            *sum = sum.plus(range);
        }
        assert_eq!(found, BTreeMap::new(), "call {call}: nobody else is paid");
    }
    assert!(
        priced > CALLS / 4 && absorbed > CALLS / 100 && clamped > CALLS / 10,
        "{priced} with a priced dependency, {absorbed} with an absorbed one, {clamped} with one that burnt too much"
    );

    // All of it together: what came in is what was owed, and it lies with those who earned it.
    let [debits, credits] = [0, 1].map(|side| books.0.values().map(|sums| sums[side]).sum::<u128>());
    assert_eq!(debits, credits);
    let mut earned = 0;
    for (account, [debits, credits]) in books.0 {
        match &account {
            Account::Payer(_) => assert_eq!(debits, credits, "{account} is owed"),
            Account::Rail(_) => assert_eq!(debits - credits, owed, "{account}"),
            Account::Operator => assert_eq!((debits, credits), (0, operator)),
            Account::Payee(id) => {
                let range = due.remove(id).unwrap_or_default();
                assert!(debits == 0 && range.has(credits), "{id}: {credits} and not {range:?}");
                // Over the whole run, too.
                assert!(range.is_exact_to_an_atomic_unit(), "{id}: {range:?}");
            }
            Account::Escrow(_) | Account::Invoice(_) => panic!("{account} has no part in it"),
        }
        if matches!(account, Account::Operator | Account::Payee(_)) {
            earned += credits;
        }
    }
    assert_eq!(earned, owed);
    due.retain(|_, range| range.least > 0);
    assert_eq!(due.into_keys().collect::<Vec<_>>(), [""; 0], "whoever is due something has an account");
}
