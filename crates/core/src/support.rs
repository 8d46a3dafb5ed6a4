//! What support promises, and what comes back where the promise is broken.
//!
//! Two things are measured, both from what a registry writes down anyway: how many calls were answered, and how long a
//! critical hole stayed open. How soon somebody answers a question nobody here can tell.

use jiff::Timestamp;

use crate::ledger::{Account, Kind, Transfer};
use crate::manifest::Sla;
use crate::money::{Atomic, Pico};
use crate::split::largest_remainder;

/// What a registry saw of a package in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// How many calls it took up.
    pub asked: u64,
    /// How many of them ended without an answer: for a reason that is not in the arguments, so that the same call may have
    /// one at another time.
    pub unanswered: u64,
    /// The critical holes.
    pub holes: Vec<Hole>,
}

/// A critical hole, as an advisory says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The id of the advisory.
    pub advisory: String,
    /// When it came.
    pub known_at: Timestamp,
    /// When the first release without it was published that is newer than one with it. Absent where there is none.
    pub fixed_at: Option<Timestamp>,
}

/// Which promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// Of `asked` calls `unanswered` had no answer.
    Uptime {
        /// How many there were.
        asked: u64,
        /// How many had none.
        unanswered: u64,
    },
    /// The hole of this advisory was open for too long.
    Fix(String),
}

/// Returns the first promise that was broken in a period.
///
/// A hole counts in the period in which it should have been mended.
pub fn breach(sla: &Sla, from: Timestamp, until: Timestamp, record: &Record) -> Option<Breach> {
    let Record { asked, unanswered, holes } = record;
    if let Some(uptime) = sla.uptime {
        let answered = asked.saturating_sub(*unanswered);
        let wanted = u128::from(*asked) * u128::from(uptime.per_100_000);
        if u128::from(answered) * 100_000 < wanted {
            return Some(Breach::Uptime { asked: *asked, unanswered: *unanswered });
        }
    }
    let length = sla.fix_critical.as_ref()?;
    let late = holes.iter().find(|hole| {
        let due = length.after(hole.known_at);
        from <= due && due < until && hole.fixed_at.is_none_or(|fixed| fixed > due)
    })?;
    Some(Breach::Fix(late.advisory.clone()))
}

/// Returns what comes back of an amount: whole atomic units, so that any rail can pay it.
pub fn credit(paid: Atomic, bps: u32) -> Atomic {
    Atomic(paid.0 * u128::from(bps.min(10_000)) / 10_000)
}

/// Returns the transfers that give `amount` of a charge back to its payer, from each receiver by what it got.
///
/// An account may go below nothing by it, and is paid nothing until it has earned that again.
pub fn reverse(charge: &[Transfer], amount: Atomic, salt: &str) -> Vec<Transfer> {
    let weights: Vec<(String, u128)> =
        charge.iter().map(|transfer| (transfer.credit.to_string(), transfer.amount.0)).collect();
    let parts = largest_remainder(amount.to_pico().0, &weights, salt);
    let back = charge.iter().zip(parts).filter(|(_, part)| *part > 0);
    back.map(|(transfer, part)| Transfer {
        debit: transfer.credit.clone(),
        credit: transfer.debit.clone(),
        amount: Pico(part),
        kind: Kind::Reversal,
    })
    .collect()
}

/// Returns where what came back goes on to: off the invoice that it stood on, or out over the rail that it came by. Credit
/// stays credit.
pub fn onward(funding: &Account, payer: &str, amount: Atomic) -> Option<Transfer> {
    match funding {
        Account::Rail(_) | Account::Invoice(_) => Some(Transfer {
            debit: Account::Payer(payer.to_owned()),
            credit: funding.clone(),
            amount: amount.to_pico(),
            kind: Kind::Refund,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn sla(uptime: Option<&str>, fix: Option<&str>) -> Sla {
        Sla {
            response: None,
            fix_critical: fix.map(|text| text.parse().expect("a length")),
            uptime: uptime.map(|text| text.parse().expect("a part")),
            credit: 2_500,
        }
    }

    #[test]
    fn uptime_is_compared_to_the_last_call() {
        let (from, until) = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let broken = |asked, unanswered| {
            let record = Record { asked, unanswered, holes: Vec::new() };
            breach(&sla(Some("99.9"), None), from, until, &record).is_some()
        };
        for (asked, unanswered, expected) in
            [(0, 0, false), (1, 0, false), (1, 1, true), (1_000, 1, false), (999, 1, true), (2_000, 3, true)]
        {
            assert_eq!(broken(asked, unanswered), expected, "{unanswered} of {asked}");
        }
    }

    #[test]
    fn a_hole_counts_where_it_should_have_been_mended() {
        let january = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let february = (january.1, at("2026-03-01T00:00:00Z"));
        let broken = |(from, until), fixed: Option<&str>| {
            let hole = Hole {
                advisory: "GBX-1".into(),
                known_at: at("2026-01-30T12:00:00Z"),
                fixed_at: fixed.map(at),
            };
            let record = Record { holes: vec![hole], ..Record::default() };
            breach(&sla(None, Some("P3D")), from, until, &record).is_some()
        };
        assert!(!broken(january, None), "there is time until February");
        assert!(broken(february, None) && broken(february, Some("2026-02-02T12:00:01Z")));
        assert!(!broken(february, Some("2026-02-02T12:00:00Z")));
        assert!(!broken(february, Some("2026-01-01T00:00:00Z")), "it was mended before it was known");
    }

    #[test]
    fn what_comes_back_comes_from_each_by_what_it_got() {
        let to = |name: &str, amount| Transfer {
            debit: Account::Payer("p".into()),
            credit: name.parse().expect("an account"),
            amount: Pico(amount),
            kind: Kind::Charge,
        };
        let charge = [to("operator", 50), to("payee:ana", 633_333), to("payee:ben", 366_617)];
        let back = reverse(&charge, Atomic(0), "x");
        assert!(back.is_empty());
        let charge = charge.map(|transfer| Transfer { amount: Pico(transfer.amount.0 * 10), ..transfer });
        let amount = credit(Atomic(10), 2_500);
        assert_eq!(amount, Atomic(2), "whole units");
        let back = reverse(&charge, amount, "x");
        assert_eq!(back.iter().map(|transfer| transfer.amount.0).sum::<u128>(), amount.to_pico().0);
        assert_eq!(back[1].debit.to_string(), "payee:ana");
        assert_eq!(back[1].amount, Pico(1_266_666));
        // Nor does a licence for a million seats come to more than can be reckoned with.
        let paid = Atomic(40_000_000_000_000);
        let charge = [to("operator", paid.to_pico().0 / 20), to("payee:ana", paid.to_pico().0 / 20 * 19)];
        let back = reverse(&charge, paid, "x");
        assert_eq!(back.iter().map(|back| back.amount).collect::<Vec<_>>(), charge.map(|sent| sent.amount));
    }
}
