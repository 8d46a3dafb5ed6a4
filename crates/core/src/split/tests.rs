use proptest::prelude::*;

use super::remainder::largest_remainder;
use super::*;

const VECTORS: &str = include_str!("../../../../conformance/split/waterfall.json");
const STARVATION: &str = include_str!("../../../../conformance/split/starvation.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    charge: Atomic,
    /// What is absorbed.
    #[serde(default)]
    absorbed: Atomic,
    fee_bps: u32,
    /// The most of the pool that one dependency gets, where that is not what holds.
    #[serde(default)]
    pool_share_bps_max: Option<u32>,
    call: String,
    work: Work,
    used: Vec<Used>,
    shares: Vec<Share>,
}

fn payees(shares: &[(&str, u32)]) -> Vec<Payee> {
    shares.iter().map(|(id, share)| Payee { id: (*id).into(), share: *share, role: None }).collect()
}

#[test]
fn the_vectors_hold() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).expect("vectors");
    assert!(vectors.len() >= 8);
    for Vector { name, charge, absorbed, fee_bps, pool_share_bps_max, call, work, used, shares } in vectors {
        let pool_share_bps_max = pool_share_bps_max.unwrap_or(limits::POOL_SHARE_BPS_MAX);
        let due = Due { charge, absorbed, fee_bps, pool_share_bps_max };
        assert_eq!(waterfall(&due, &work, &used, &call), Some(shares), "{name}");
    }
}

/// Many small charges, each divided in whole atomic units, and in pico.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Starvation {
    calls: u32,
    charge: Atomic,
    payees: Vec<Payee>,
    atomic: Vec<Atomic>,
    pico: Vec<Pico>,
}

#[test]
fn small_shares_starve_in_atomic_units_and_not_in_pico() {
    let Starvation { calls, charge, payees, atomic, pico } =
        serde_json::from_str(STARVATION).expect("a vector");
    let weights: Vec<(String, u64)> =
        payees.iter().map(|payee| (payee.id.clone(), payee.share.into())).collect();
    let (mut in_atomic, mut in_pico) = (vec![Atomic(0); payees.len()], vec![Pico(0); payees.len()]);
    for call in 0..calls {
        for (sum, part) in in_atomic.iter_mut().zip(spread(charge, &weights, &call.to_string())) {
            sum.0 += part.0;
        }
        for share in split(charge, 0, &payees, &call.to_string()) {
            let is_to = |payee: &Payee| share.to == Receiver::Payee(payee.id.clone());
            let payee = payees.iter().position(is_to).expect("a payee");
            in_pico[payee].0 += share.amount.0;
        }
    }
    assert_eq!((in_atomic, in_pico), (atomic, pico));
}

#[test]
fn operator_first_then_payees() {
    let shares = split(Atomic(10_000), 500, &payees(&[("ana", 6_000), ("bo", 3_000), ("cy", 1_000)]), "call");
    let amounts: Vec<u128> = shares.iter().map(|share| share.amount.0).collect();
    assert_eq!(amounts, [500_000_000, 5_700_000_000, 2_850_000_000, 950_000_000]);
}

#[test]
fn leftovers_go_by_largest_remainder() {
    let weights = [("a", 300_000), ("b", 100_000), ("c", 37)].map(|(id, weight)| (id.to_owned(), weight));
    let parts = largest_remainder(1_900_000_000, &weights, "r");
    assert_eq!(parts, [1_424_868_200, 474_956_066, 175_734]);
}

#[test]
fn amounts_are_divided_by_amounts_exactly() {
    // A trillion dollars by what two receivers had of it, in pico: the products have 160 bits.
    let whole = limits::AMOUNT_MAX * 10_u128.pow(12);
    let weights = [("a".to_owned(), whole / 3), ("b".to_owned(), whole - whole / 3)];
    assert_eq!(largest_remainder(whole, &weights, "r"), [whole / 3, whole - whole / 3]);
    assert_eq!(largest_remainder(whole - 1, &weights, "r"), [whole / 3, whole - whole / 3 - 1]);
    let weights = [("a".to_owned(), whole / 4), ("b".to_owned(), whole - whole / 4)];
    assert_eq!(largest_remainder(whole / 2, &weights, "r"), [whole / 8, whole / 2 - whole / 8]);
}

#[test]
fn a_tenth_of_what_each_fork_receives_reaches_the_work_above() {
    let mut work = Work { payees: payees(&[("p6", 1)]), ..Work::default() };
    for depth in (0..6).rev() {
        let royalties = vec![Royalty { to: work, share: 1_000 }];
        work = Work { payees: payees(&[(&format!("p{depth}"), 1)]), royalties, ..Work::default() };
    }
    let shares = waterfall(&Due::new(Atomic(10_000), 500), &work, &[], "call").expect("nothing is absorbed");
    let amount = |id: &str| {
        let is_to = |share: &&Share| share.to == Receiver::Payee(id.to_owned());
        shares.iter().find(is_to).expect("it is paid").amount.0
    };
    let reached: Vec<u128> =
        (1..=6).map(|depth| (depth..=6).map(|above| amount(&format!("p{above}"))).sum()).collect();
    assert_eq!(reached, [950_000_000, 95_000_000, 9_500_000, 950_000, 95_000, 9_500]);
}

#[test]
fn a_chain_of_forks_is_paid_so_far_and_no_farther() {
    let mut work = Work { payees: payees(&[("last", 1)]), ..Work::default() };
    for depth in 0..20 {
        let royalties = vec![Royalty { to: work, share: 5_000 }];
        work = Work { payees: payees(&[(&format!("p{depth}"), 1)]), royalties, ..Work::default() };
    }
    let shares = waterfall(&Due::new(Atomic(1_000), 0), &work, &[], "call");
    assert_eq!(shares.expect("nothing is absorbed").len(), 1 + limits::ROYALTY_DEPTH_MAX as usize);
}

fn some_work() -> impl Strategy<Value = Work> {
    let leaf = prop::collection::vec(0u32..12_000, 0..6).prop_map(|shares| Work {
        package: Some("a:b".parse().expect("valid")),
        payees: shares
            .iter()
            .enumerate()
            .map(|(index, share)| Payee { id: format!("p{index}"), share: *share, role: None })
            .collect(),
        ..Work::default()
    });
    leaf.prop_recursive(2, 6, 3, |inner| {
        let royalties = prop::collection::vec((inner, 0u32..5_000), 0..3);
        (royalties, 0u32..9_000, prop::collection::vec(1u32..9_000, 1..4)).prop_map(
            |(royalties, pool, shares)| Work {
                package: None,
                terms: None,
                payees: shares
                    .iter()
                    .map(|share| Payee { id: format!("q{share}"), share: *share, role: None })
                    .collect(),
                royalties: royalties.into_iter().map(|(to, share)| Royalty { to, share }).collect(),
                pool,
            },
        )
    })
}

fn some_used() -> impl Strategy<Value = Used> {
    let some = (some_work(), any::<u64>(), prop::option::of(any::<u64>()), prop::option::of(0u32..3_000));
    some.prop_map(|(work, fuel, fuel_counted_max, share)| Used { work, fuel, fuel_counted_max, share })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn every_payee_has_the_exact_figure_rounded_down_or_up(
        amount in 0u128..=1_000_000_000_000_000,
        fee_bps in 0u32..2_000,
        shares in prop::collection::vec(1u32..10_000, 1..=20),
    ) {
        let payees: Vec<Payee> = shares
            .iter()
            .enumerate()
            .map(|(index, share)| Payee { id: format!("p{index}"), share: *share, role: None })
            .collect();
        let total = Atomic(amount).to_pico().0;
        let fee = total * u128::from(fee_bps.min(limits::OPERATOR_FEE_BPS_MAX)) / BPS;
        let (net, whole) = (total - fee, shares.iter().map(|share| u128::from(*share)).sum::<u128>());
        let found = split(Atomic(amount), fee_bps, &payees, "call");
        prop_assert_eq!(found.iter().map(|share| share.amount.0).sum::<u128>(), total);
        for payee in &payees {
            let is_to = |share: &&Share| share.to == Receiver::Payee(payee.id.clone());
            let part = found.iter().find(is_to).map_or(0, |share| share.amount.0);
            let exact = net * u128::from(payee.share);
            prop_assert!(part == exact / whole || part == exact.div_ceil(whole));
        }
    }

    #[test]
    fn parts_always_sum_to_the_charge(
        charge in 0u128..1_000_000_000_000_000,
        fee_bps in 0u32..2_000,
        work in some_work(),
        used in prop::collection::vec(some_used(), 0..4),
        pool_share_bps_max in 0u32..=10_000,
    ) {
        let due = Due { pool_share_bps_max, ..Due::new(Atomic(charge), fee_bps) };
        let shares = waterfall(&due, &work, &used, "call");
        let sum: u128 = shares.iter().flatten().map(|share| share.amount.0).sum();
        prop_assert_eq!(sum, Atomic(charge).to_pico().0);
    }

    #[test]
    fn every_part_is_the_exact_figure_rounded_down_or_up(
        amount in 0u128..1_000_000_000_000_000_000,
        weights in prop::collection::vec(0u128..1_000_000_000, 1..20),
    ) {
        let weights: Vec<(String, u128)> =
            weights.into_iter().enumerate().map(|(index, weight)| (format!("p{index}"), weight)).collect();
        let sum: u128 = weights.iter().map(|(_, weight)| weight).sum();
        for ((_, weight), part) in weights.iter().zip(largest_remainder(amount, &weights, "call")) {
            let exact = amount * weight;
            prop_assert!(sum > 0 && (part == exact / sum || part == exact.div_ceil(sum)));
        }
    }
}
