//! Who gets how much of a charge. Exact to the last unit: largest remainder, ties broken by a hash.
//!
//! The waterfall so far: the operator's fee, then the payees by their shares. Amounts are in pico, so that a charge of
//! one atomic unit still splits fairly.

use serde::{Deserialize, Serialize};

use crate::manifest::Payee;
use crate::money::{Atomic, Pico};
use crate::{Digest, limits};

/// One receiver's part of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Who: the operator, or a payee's id.
    pub to: Receiver,
    /// How much.
    pub amount: Pico,
}

/// A receiver of money.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// Whoever runs the registry and the executor.
    Operator,
    /// A payee of the manifest, by id.
    Payee(String),
}

/// Splits `charge` between the operator (`fee_bps` basis points, rounded down) and the payees.
///
/// `call` breaks ties, so that no payee wins every leftover unit. Parts of zero are left out. The parts always sum to
/// the charge; without payees all of it is the operator's.
pub fn split(charge: Atomic, fee_bps: u32, payees: &[Payee], call: &str) -> Vec<Share> {
    let total = charge.to_pico().0;
    let fee_bps = fee_bps.min(limits::OPERATOR_FEE_BPS_MAX);
    // A manifest's shares sum to 10,000; those of a stranger's bundle may not.
    let nobody = payees.iter().all(|payee| payee.share == 0);
    let fee = if nobody { total } else { total * u128::from(fee_bps) / 10_000 };
    let weights: Vec<(&str, u128)> =
        payees.iter().map(|payee| (payee.id.as_str(), payee.share.into())).collect();
    let mut shares = vec![Share { to: Receiver::Operator, amount: Pico(fee) }];
    for (id, amount) in largest_remainder(total - fee, &weights, call) {
        shares.push(Share { to: Receiver::Payee(id.to_owned()), amount: Pico(amount) });
    }
    shares.retain(|share| share.amount > Pico::ZERO);
    let sum: u128 = shares.iter().map(|share| share.amount.0).sum();
    assert_eq!(sum, total, "a split must sum to its charge");
    shares
}

/// Divides `amount` by `weights`: `floor(amount × w / W)` each, the leftover units by largest remainder, ties by
/// ascending SHA-256 of `salt || id`. Every part is within one unit of the exact figure.
fn largest_remainder<'a>(amount: u128, weights: &[(&'a str, u128)], salt: &str) -> Vec<(&'a str, u128)> {
    let weight_sum: u128 = weights.iter().map(|(_, weight)| weight).sum();
    if weight_sum == 0 {
        return Vec::new();
    }
    let mut parts: Vec<(&str, u128)> = Vec::with_capacity(weights.len());
    let mut order: Vec<(u128, Digest, usize)> = Vec::with_capacity(weights.len());
    for (index, (id, weight)) in weights.iter().enumerate() {
        // Fits: amounts are at most 1e24 pico and weights at most 1e11 (fuel), which is below 2^128.
        let product = amount * weight;
        parts.push((id, product / weight_sum));
        order.push((product % weight_sum, Digest::of_parts(&[salt.as_bytes(), id.as_bytes()]), index));
    }
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let leftover = amount - parts.iter().map(|(_, part)| part).sum::<u128>();
    for (_, _, index) in order.into_iter().take(leftover as usize) {
        parts[index].1 += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operator_first_then_payees() {
        let payees =
            [("ana", 6_000), ("bo", 3_000), ("cy", 1_000)].map(|(id, share)| Payee { id: id.into(), share });
        let shares = split(Atomic(10_000), 500, &payees, "call");
        let amounts: Vec<u128> = shares.iter().map(|share| share.amount.0).collect();
        assert_eq!(amounts, [500_000_000, 5_700_000_000, 2_850_000_000, 950_000_000]);
    }

    #[test]
    fn leftovers_go_by_largest_remainder() {
        // The dependency pool of the reference vector: 1,900,000,000 pico by fuel 300,000 : 100,000 : 37.
        let parts = largest_remainder(1_900_000_000, &[("a", 300_000), ("b", 100_000), ("c", 37)], "r");
        assert_eq!(parts, [("a", 1_424_868_200), ("b", 474_956_066), ("c", 175_734)]);
    }

    #[test]
    fn small_shares_do_not_starve() {
        let payees = [("big", 9_900), ("small", 100)].map(|(id, share)| Payee { id: id.into(), share });
        let small: u128 = (0..1_000)
            .flat_map(|call| split(Atomic(10), 0, &payees, &call.to_string()))
            .filter(|share| share.to == Receiver::Payee("small".into()))
            .map(|share| share.amount.0)
            .sum();
        assert_eq!(small, 100 * 1_000_000);
    }

    proptest! {
        #[test]
        fn parts_always_sum_to_the_charge(
            charge in 0u128..1_000_000_000_000_000,
            fee_bps in 0u32..2_000,
            weights in prop::collection::vec(1u32..10_000, 0..20),
        ) {
            let payees: Vec<Payee> = weights.iter().enumerate()
                .map(|(index, share)| Payee { id: format!("p{index}"), share: *share }).collect();
            let shares = split(Atomic(charge), fee_bps, &payees, "call");
            prop_assert_eq!(shares.iter().map(|share| share.amount.0).sum::<u128>(), Atomic(charge).to_pico().0);
        }
    }
}
