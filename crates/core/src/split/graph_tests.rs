//! Many calls over many packages: nothing is lost, and everybody has what the exact figures say.

use std::collections::BTreeMap;

use crate::hashed::Document as _;
use crate::manifest::{Dependency, DerivedFrom, Payee, Splits, Terms};
use crate::money::Atomic;
use crate::split::{Receiver, split_along};
use crate::{Digest, limits};

const PACKAGES: usize = 20;
const CALLS: usize = 10_000;

/// An atomic unit, in pico.
const UNIT: f64 = 1e6;

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

/// Makes a package that rests on some of those before it.
fn package(index: usize, before: &[(Digest, Terms)], numbers: &mut Numbers) -> Terms {
    let payees = 1 + numbers.below(4);
    let share = |payee| if payee == 0 { 10_000 - 100 * (payees - 1) as u32 } else { 100 };
    let payee = (0..payees).map(|payee| Payee {
        id: format!("acct:p{index}-{payee}"),
        share: share(payee),
        role: None,
    });
    let mut terms = Terms {
        release: format!("lab:p{index}@1.0.0").parse().expect("valid"),
        license: "MIT".into(),
        execute: Default::default(),
        import: true,
        fuel_max: 1_000_000,
        price: Vec::new(),
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
                let dependency = Dependency { version, share, absorb: false, calls_max: None };
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

/// What everybody should have, without any rounding.
struct Exact<'a> {
    works: &'a BTreeMap<Digest, Terms>,
    shares: BTreeMap<String, f64>,
}

impl Exact<'_> {
    fn divide(&mut self, terms: &Terms, amount: f64, run: &BTreeMap<Digest, u64>, depth: u32) {
        let part = |share: u32| amount * f64::from(share) / 10_000.0;
        let mut own = amount;
        for origin in terms.more.derived_from.iter().filter(|_| depth < limits::ROYALTY_DEPTH_MAX) {
            own -= part(origin.share);
            self.divide(&self.works[&origin.terms], part(origin.share), &BTreeMap::new(), depth + 1);
        }
        let promised = |digest: &Digest| {
            let named = terms.more.dependencies.get(&self.works[digest].release.package);
            named.and_then(|named| named.share)
        };
        let (fixed, pooled): (Vec<_>, Vec<_>) =
            run.iter().partition(|(digest, _)| promised(digest).is_some());
        for (digest, _) in fixed {
            let share = part(promised(digest).unwrap_or_default());
            own -= share;
            self.divide(&self.works[digest], share, &BTreeMap::new(), depth + 1);
        }
        let fuel: u64 = pooled.iter().map(|(_, fuel)| **fuel).sum();
        let pool = part(terms.more.splits.as_ref().map_or(0, |splits| splits.dependencies));
        for (digest, burnt) in pooled.iter().filter(|_| fuel > 0) {
            let share = (pool * **burnt as f64 / fuel as f64).min(pool / 2.0);
            own -= share;
            self.divide(&self.works[*digest], share, &BTreeMap::new(), depth + 1);
        }
        for Payee { id, share, .. } in &terms.payee {
            *self.shares.entry(id.clone()).or_default() += own * f64::from(*share) / 10_000.0;
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
    let (mut charged, mut paid) = (0, 0);
    for call in 0..CALLS {
        let (_, root) = &packages[numbers.below(PACKAGES as u64) as usize];
        let imported =
            packages.iter().filter(|(_, terms)| root.more.dependencies.contains_key(&terms.release.package));
        let run: BTreeMap<Digest, u64> =
            imported.map(|(digest, _)| (*digest, numbers.below(1_000_000))).collect();
        // Each is reached in two ways.
        let halves = run.iter().flat_map(|(digest, fuel)| [(*digest, fuel / 2), (*digest, fuel - fuel / 2)]);
        let charge = Atomic(u128::from(1 + numbers.below(1_000_000)));
        let id = call.to_string();
        let shares = split_along(charge, 500, root, halves, &works, &id).expect("all works are there");
        charged += charge.to_pico().0;
        paid += shares.iter().map(|share| share.amount.0).sum::<u128>();
        let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for share in &shares {
            if let Receiver::Payee(id) = &share.to {
                // Each way to a payee is rounded at each work on it.
                let (amount, ways) = found.entry(id.clone()).or_default();
                *amount += share.amount.0 as f64;
                *ways += 1.0;
            }
        }
        let net = charge.to_pico().0 as f64 * 0.95;
        let mut exact = Exact { works: &works, shares: BTreeMap::new() };
        exact.divide(root, net, &run, 0);
        for (id, exact) in exact.shares {
            let (amount, ways) = found.get(&id).copied().unwrap_or_default();
            let rounded = ways.max(1.0) * f64::from(limits::ROYALTY_DEPTH_MAX + 2);
            assert!(
                (amount - exact).abs() <= rounded.min(UNIT),
                "call {call}, {id}: {amount} and not {exact}"
            );
        }
    }
    assert_eq!(charged, paid);
}
