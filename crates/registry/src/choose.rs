//! Which of several implementations a caller means who does not mind.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, PackageRef, ReleaseId, limits};

use crate::depend::exact;
use crate::error::{CallError, RegistryError};
use crate::implementations::Implementation;
use crate::open::Registry;

/// How one of several implementations is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one whose call costs the least at most.
    Cheapest,
    /// The one that passes the interface's own tests with the least fuel.
    Fastest,
    /// The one that most payers use who have nothing to do with it.
    MostProven,
    /// The one that is named, and no other.
    Pinned,
}

impl Choice {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Cheapest, "cheapest"),
        (Self::Fastest, "fastest"),
        (Self::MostProven, "most-proven"),
        (Self::Pinned, "pinned"),
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(choice, _)| *choice == self).expect("all choices are listed").1
    }
}

/// Says that a text is no way to choose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to choose; there are cheapest, fastest, most-proven and pinned")]
pub struct UnknownChoice(String);

impl FromStr for Choice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(choice, _)| *choice)
            .ok_or_else(|| UnknownChoice(text.chars().take(limits::QUOTED_CHARS_MAX).collect()))
    }
}

/// An implementation that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The release.
    pub release: ReleaseId,
    /// How.
    pub choice: Choice,
    /// Of how many.
    pub among: usize,
    /// Why, in words.
    pub why: String,
}

impl Chosen {
    /// Returns the release as something to call.
    pub fn reference(&self) -> PackageRef {
        PackageRef { package: self.release.package.clone(), version: Some(self.release.version.clone()) }
    }
}

/// What is compared of an implementation that may be called.
struct Candidate {
    release: ReleaseId,
    amount_max: Atomic,
    spec_fuel: Option<u64>,
    payers_organic: usize,
    tests_passed: usize,
}

impl Candidate {
    /// Returns what makes it better the less it is.
    fn rank(&self, choice: Choice) -> (u128, Reverse<usize>, Reverse<usize>, &ReleaseId) {
        let first = match choice {
            Choice::Cheapest => self.amount_max.0,
            Choice::Fastest => self.spec_fuel.map_or(u128::MAX, u128::from),
            Choice::MostProven | Choice::Pinned => 0,
        };
        (first, Reverse(self.payers_organic), Reverse(self.tests_passed), &self.release)
    }

    fn words(&self, choice: Choice) -> String {
        match (choice, self.spec_fuel) {
            (Choice::Cheapest, _) => format!("${} at most", self.amount_max.to_decimal()),
            (Choice::Fastest, Some(fuel)) => format!("{fuel} fuel for the interface's own tests"),
            (Choice::Fastest, None) => "without all of the interface's own tests".into(),
            (Choice::MostProven | Choice::Pinned, _) => {
                format!("{} independent payers, {} tests passed", self.payers_organic, self.tests_passed)
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Registry {
    /// Chooses among the packages that have the same function as the one that is named: the same name in the same interface,
    /// with the same type. What may not run here, or the operator stopped, is none of them.
    ///
    /// A function that belongs to no interface has one implementation, its own.
    pub async fn choose(
        &self,
        reference: &PackageRef,
        function: &str,
        choice: Choice,
    ) -> Result<Chosen, CallError> {
        let named = self.runnable(reference).await?;
        let wanted = named.function(function)?.clone();
        if choice == Choice::Pinned {
            return Ok(Chosen { release: named.id.clone(), choice, among: 1, why: "it was named".into() });
        }
        let mut candidates = Vec::new();
        for one in self.rivals(&wanted.name).await?.iter() {
            let id = &one.release;
            let live = self.live(&exact(id)).await?;
            let is_same = live.function(&wanted.name.to_string()).is_ok_and(|found| found.ty == wanted.ty);
            if !is_same || !live.runs_here(&wanted.name) || self.check_quarantine(&live).is_err() {
                continue;
            }
            candidates.push(Candidate {
                release: id.clone(),
                amount_max: live.quote(&wanted.name, live.fuel_ceiling(None)?, Account::default()).amount_max,
                spec_fuel: one.spec_tests.and_then(|tests| tests.fuel),
                payers_organic: one.usage.payers_organic,
                tests_passed: one.tests_passed,
            });
        }
        candidates.sort_by(|one, other| one.rank(choice).cmp(&other.rank(choice)));
        let among = candidates.len().max(1);
        let mut ranked = candidates.iter();
        let Some(best) = ranked.next() else {
            let why = "no other package has this function".into();
            return Ok(Chosen { release: named.id.clone(), choice, among, why });
        };
        let next = ranked.next().map(|next| format!("; next is {}: {}", next.release, next.words(choice)));
        let why = format!("{}{}", best.words(choice), next.unwrap_or_default());
        Ok(Chosen { release: best.release.clone(), choice, among, why })
    }

    async fn rivals(&self, function: &FunctionName) -> Result<Arc<[Implementation]>, RegistryError> {
        match function.interface() {
            Some(interface) => self.compared(interface).await,
            None => Ok(Arc::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words() {
        for (choice, word) in Choice::ALL {
            assert_eq!(word.parse(), Ok(choice));
        }
        assert!("best".parse::<Choice>().is_err());
    }
}
