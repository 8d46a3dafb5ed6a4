//! What waits for its turn, one as often as the other.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::tries::lies_ahead;

/// Names that wait for their turn. It goes round in their order, so that one that comes back at once keeps no other waiting.
#[derive(Default)]
pub(crate) struct Round {
    /// Each with the time from which on it may have a turn, in Unix milliseconds.
    waiting: BTreeMap<String, i64>,
    /// Whose turn it was last.
    last: String,
}

impl Round {
    /// Adds one that may have a turn from a time on; the earlier of two counts.
    pub(crate) fn add(&mut self, name: String, from_ms: i64) {
        let known = self.waiting.entry(name).or_insert(from_ms);
        *known = from_ms.min(*known);
    }

    /// Takes the one whose turn it is.
    pub(crate) fn take(&mut self, now_ms: i64) -> Option<String> {
        let after = (Bound::Excluded(self.last.as_str()), Bound::Unbounded);
        let mut in_turn = self.waiting.range::<str, _>(after).chain(&self.waiting);
        let next = in_turn.find(|(_, from_ms)| !lies_ahead(**from_ms, now_ms))?.0.clone();
        self.waiting.remove(&next);
        self.last.clone_from(&next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(names: &[&str]) -> Round {
        let mut round = Round::default();
        names.iter().for_each(|name| round.add((*name).to_owned(), 0));
        round
    }

    #[test]
    fn turns_go_round() {
        assert_eq!(round(&[]).take(0), None);
        let mut round = round(&["b", "a", "c"]);
        let mut taken = Vec::new();
        for _ in 0..5 {
            let name = round.take(0).expect("some wait");
            round.add(name.clone(), 0);
            taken.push(name);
        }
        assert_eq!(taken, ["a", "b", "c", "a", "b"]);
        // Who comes between waits until it is there, and who is done comes no more.
        round.add("bb".to_owned(), 0);
        for next in ["bb", "c", "a", "b"] {
            assert_eq!(round.take(0).as_deref(), Some(next));
        }
        assert_eq!(round.take(0), None);
    }

    #[test]
    fn who_may_come_later_keeps_nobody_waiting() {
        let mut round = round(&["b"]);
        round.add("a".to_owned(), 9);
        assert_eq!(round.take(8).as_deref(), Some("b"));
        assert_eq!(round.take(8), None);
        assert_eq!(round.take(9).as_deref(), Some("a"));
        round.add("a".to_owned(), 9);
        round.add("a".to_owned(), 0);
        assert_eq!(round.take(1).as_deref(), Some("a"), "something is new");
    }
}
