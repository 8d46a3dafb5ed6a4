//! What waits for its turn, one as often as the other.

use std::collections::BTreeSet;
use std::ops::Bound;

/// Names that wait for their turn. It goes round in their order, so that one that comes back at once keeps no other waiting.
#[derive(Default)]
pub(crate) struct Round {
    waiting: BTreeSet<String>,
    /// Whose turn it was last.
    last: String,
}

impl Round {
    /// Takes the one whose turn it is.
    pub(crate) fn take(&mut self) -> Option<String> {
        let after = (Bound::Excluded(self.last.as_str()), Bound::Unbounded);
        let next = self.waiting.range::<str, _>(after).next().or_else(|| self.waiting.first())?.clone();
        self.waiting.remove(&next);
        self.last.clone_from(&next);
        Some(next)
    }
}

impl Extend<String> for Round {
    fn extend<T: IntoIterator<Item = String>>(&mut self, names: T) {
        self.waiting.extend(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round() {
        let mut round = Round::default();
        assert_eq!(round.take(), None);
        round.extend(["b", "a", "c"].map(str::to_owned));
        let mut taken = Vec::new();
        for _ in 0..5 {
            let name = round.take().expect("some wait");
            round.extend([name.clone()]);
            taken.push(name);
        }
        assert_eq!(taken, ["a", "b", "c", "a", "b"]);
        // Who comes between waits until it is there, and who is done comes no more.
        round.extend(["bb".to_owned()]);
        assert_eq!([round.take(), round.take(), round.take()].map(Option::unwrap), ["bb", "c", "a"]);
        assert_eq!((round.take().as_deref(), round.take()), (Some("b"), None));
    }
}
