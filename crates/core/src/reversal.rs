//! What goes back of a charge: from each receiver by what it has of it, to the payer, and on to where the money came from.

use crate::ledger::{Account, Kind, Transfer};
use crate::money::{Atomic, Pico};
use crate::split::largest_remainder;

/// Returns the transfers that give `amount` of a charge back to its payer, from each receiver by what it has `left` of it.
///
/// Of several that follow one another each takes of what those before it left: all of them together take from each receiver
/// what it got, to the last unit. An account may go below nothing by it, and is paid nothing until it has earned that again.
pub fn reverse(left: &[Transfer], amount: Atomic, salt: &str) -> Vec<Transfer> {
    // One receiver may have several parts, each for another package.
    let name = |transfer: &Transfer| match &transfer.through {
        Some(package) => format!("{} {package}", transfer.credit),
        None => transfer.credit.to_string(),
    };
    let weights: Vec<(String, u128)> =
        left.iter().map(|transfer| (name(transfer), transfer.amount.0)).collect();
    let parts = largest_remainder(amount.to_pico().0, &weights, salt);
    let back = left.iter().zip(parts).filter(|(_, part)| *part > 0);
    back.map(|(transfer, part)| Transfer {
        debit: transfer.credit.clone(),
        credit: transfer.debit.clone(),
        amount: Pico(part),
        kind: Kind::Reversal,
        through: transfer.through.clone(),
    })
    .collect()
}

/// Returns where what came back goes on to: off the invoice that it stood on, or out over the `rail` that it came by, also
/// where a voucher promised it. Credit stays credit.
pub fn onward(funding: &Account, rail: &str, payer: &str, amount: Atomic) -> Option<Transfer> {
    let to = match funding {
        Account::Rail(_) | Account::Invoice(_) => funding.clone(),
        Account::Escrow(_) => Account::Rail(rail.to_owned()),
        Account::Payer(_) | Account::Payee(_) | Account::Operator => return None,
    };
    Some(Transfer {
        debit: Account::Payer(payer.to_owned()),
        credit: to,
        amount: amount.to_pico(),
        kind: Kind::Refund,
        through: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits;

    fn to(name: &str, amount: u128) -> Transfer {
        Transfer {
            debit: Account::Payer("p".into()),
            credit: name.parse().expect("an account"),
            amount: Pico(amount),
            kind: Kind::Charge,
            through: None,
        }
    }

    #[test]
    fn what_comes_back_comes_from_each_by_what_it_got() {
        let charge = [to("operator", 500), to("payee:ana", 6_333_330), to("payee:ben", 3_666_170)];
        assert_eq!(reverse(&charge, Atomic(0), "x"), []);
        let back = reverse(&charge, Atomic(2), "x");
        assert_eq!(back.iter().map(|transfer| transfer.amount.0).sum::<u128>(), Atomic(2).to_pico().0);
        assert_eq!((back[1].debit.to_string().as_str(), back[1].amount), ("payee:ana", Pico(1_266_666)));
    }

    #[test]
    fn what_comes_back_comes_from_each_work_by_what_was_for_it() {
        let through = |transfer: Transfer, package: &str| Transfer {
            through: Some(package.parse().expect("a name")),
            ..transfer
        };
        let own = to("payee:ana", 3_000_000);
        let charge = [own.clone(), through(own.clone(), "a:b"), through(own, "c:d")];
        let back = reverse(&charge, Atomic(6), "x");
        let parts: Vec<_> = back.iter().map(|back| (back.through.clone(), back.amount)).collect();
        assert_eq!(parts, charge.map(|transfer| (transfer.through, Pico(2_000_000))));
    }

    #[test]
    fn the_largest_charge_goes_back_to_the_last_unit() {
        let whole = Atomic(limits::AMOUNT_MAX * 1_000_000).to_pico().0;
        let charge = [to("operator", whole / 20), to("payee:ana", whole - whole / 20)];
        let amount = Atomic(limits::AMOUNT_MAX * 1_000_000 / 3);
        let back = reverse(&charge, amount, "x");
        assert_eq!(back.iter().map(|transfer| transfer.amount.0).sum::<u128>(), amount.to_pico().0);
        assert!(back[0].amount.0.abs_diff(amount.to_pico().0 / 20) <= 1, "{back:?}");
    }

    proptest! {
        #[test]
        fn what_goes_back_in_steps_is_the_whole_and_no_more(
            amounts in prop::collection::vec(1u128..5_000_000, 1..6), steps in prop::collection::vec(0u128..4, 1..6),
        ) {
            let names = ["operator", "payee:a", "payee:b", "payee:c", "payee:d"];
            let mut left: Vec<_> = names.iter().zip(&amounts).map(|(name, amount)| to(name, *amount)).collect();
            let whole: u128 = left.iter().map(|transfer| transfer.amount.0).sum();
            let rounded = whole.next_multiple_of(1_000_000);
            left[0].amount.0 += rounded - whole;
            let mut rest = rounded / 1_000_000;
            for step in steps.into_iter().map(Some).chain([None]) {
                let amount = step.map_or(rest, |step| step.min(rest));
                rest -= amount;
                for back in reverse(&left, Atomic(amount), "x") {
                    let of = left.iter_mut().find(|transfer| transfer.credit == back.debit).expect("it got some");
                    prop_assert!(back.amount <= of.amount);
                    of.amount.0 -= back.amount.0;
                }
            }
            prop_assert!(left.iter().all(|transfer| transfer.amount == Pico::ZERO));
        }
    }
}
