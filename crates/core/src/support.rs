//! What support promises, and what comes back where the promise is broken.
//!
//! Two things are measured, both from what a registry writes down anyway: how many calls were answered, and how long a
//! critical hole stayed open. How soon somebody answers a question nobody here can tell.

use jiff::Timestamp;

use crate::manifest::Sla;
use crate::money::Atomic;

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
}
