use proptest::prelude::*;

use super::remainder::largest_remainder;
use super::*;

const VECTORS: &str = include_str!("../../../../conformance/split/waterfall.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    charge: Atomic,
    /// What is absorbed.
    #[serde(default)]
    absorbed: Atomic,
    fee_bps: u32,
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
    assert!(vectors.len() >= 5);
    for Vector { name, charge, absorbed, fee_bps, call, work, used, shares } in vectors {
        assert_eq!(waterfall(charge, absorbed, fee_bps, &work, &used, &call), Some(shares), "{name}");
    }
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
fn small_shares_do_not_starve() {
    let payees = payees(&[("big", 9_900), ("small", 100)]);
    let small: u128 = (0..1_000)
        .flat_map(|call| split(Atomic(10), 0, &payees, &call.to_string()))
        .filter(|share| share.to == Receiver::Payee("small".into()))
        .map(|share| share.amount.0)
        .sum();
    assert_eq!(small, 100 * 1_000_000);
}

#[test]
fn a_chain_of_forks_is_paid_so_far_and_no_farther() {
    let mut work = Work { payees: payees(&[("last", 1)]), ..Work::default() };
    for depth in 0..20 {
        let royalties = vec![Royalty { to: work, share: 5_000 }];
        work = Work { payees: payees(&[(&format!("p{depth}"), 1)]), royalties, ..Work::default() };
    }
    let shares = waterfall(Atomic(1_000), Atomic(0), 0, &work, &[], "call");
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
    leaf.prop_recursive(3, 12, 3, |inner| {
        let royalties = prop::collection::vec((inner, 0u32..5_000), 0..3);
        (royalties, 0u32..9_000, prop::collection::vec(1u32..9_000, 1..4)).prop_map(
            |(royalties, pool, shares)| Work {
                package: None,
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

proptest! {
    #[test]
    fn parts_always_sum_to_the_charge(
        charge in 0u128..1_000_000_000_000_000,
        fee_bps in 0u32..2_000,
        work in some_work(),
        used in prop::collection::vec((some_work(), any::<u64>(), prop::option::of(0u32..3_000)), 0..6),
    ) {
        let used: Vec<Used> = used
            .into_iter()
            .map(|(work, fuel, share)| Used { work, fuel, fuel_counted_max: None, share })
            .collect();
        let shares = waterfall(Atomic(charge), Atomic(0), fee_bps, &work, &used, "call");
        let sum: u128 = shares.iter().flatten().map(|share| share.amount.0).sum();
        prop_assert_eq!(sum, Atomic(charge).to_pico().0);
    }

    #[test]
    fn every_part_is_within_one_unit_of_the_exact_figure(
        amount in 0u128..1_000_000_000_000_000_000,
        weights in prop::collection::vec(0u128..1_000_000_000, 1..20),
    ) {
        let weights: Vec<(String, u128)> =
            weights.into_iter().enumerate().map(|(index, weight)| (format!("p{index}"), weight)).collect();
        let sum: u128 = weights.iter().map(|(_, weight)| weight).sum();
        for ((_, weight), part) in weights.iter().zip(largest_remainder(amount, &weights, "call")) {
            prop_assert!((part * sum).abs_diff(amount * weight) <= sum);
        }
    }
}
