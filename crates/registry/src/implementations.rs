//! Implementations of one interface: what each shows of itself.
//!
//! Packages that export the same WIT interface do the same, as far as types say. What tells them apart is shown as it is
//! known here: the most that a call costs, what of the interface's own tests it passes and with how much fuel, how long its runs take here, what it may use, and who pays for it. Use counts only if it is
//! [organic](crate::organic). Calling oneself is no proof of anything.

use std::cmp::Reverse;
use std::str::FromStr;
use std::sync::Arc;

use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, ReleaseId, limits};
use glassbox_store::ImplementationRow;

use crate::depend::exact;
use crate::error::RegistryError;
use crate::find::{ReleaseView, SameCode, parse};
use crate::open::Registry;
use crate::organic::Usage;
use crate::spec_tests::{SpecSource, SpecTests};
use crate::strength::Strength;

/// By what implementations are put in order. What is equal in it goes by use, then by how many of the interface's own tests it
/// passes, then by who had the interface first: a publisher makes up neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ranking {
    /// By payers who have nothing to do with it, most first.
    #[default]
    Use,
    /// By the most that a call costs, least first.
    Price,
    /// By the fuel for the interface's own tests, least first.
    Fuel,
    /// By how long a run takes here, shortest first.
    Time,
    /// By how many of the interface's own tests it passes, most first.
    Tests,
    /// By name.
    Name,
}

impl Ranking {
    /// All there are, with their words.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Use, "use"),
        (Self::Price, "price"),
        (Self::Fuel, "fuel"),
        (Self::Time, "time"),
        (Self::Tests, "tests"),
        (Self::Name, "name"),
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(ranking, _)| *ranking == self).expect("all rankings are listed").1
    }

    /// Puts implementations in order.
    fn sort(self, implementations: &mut [Implementation]) {
        implementations.sort_by_key(|one| {
            let passed = one.spec_passed();
            let first = match self {
                Self::Use | Self::Name => 0,
                Self::Price => one.amount_max.0,
                Self::Fuel => one.spec_fuel().map_or(u128::MAX, u128::from),
                Self::Time => one.run_us.map_or(u128::MAX, u128::from),
                Self::Tests => u128::MAX - passed as u128,
            };
            let ties = match self {
                Self::Name => (Reverse(0), Reverse(0), 0),
                _ => (Reverse(one.usage.payers_organic), Reverse(passed), one.first_index),
            };
            (first, ties, one.release.clone())
        });
    }
}

impl FromStr for Ranking {
    type Err = UnknownRanking;

    fn from_str(text: &str) -> Result<Self, UnknownRanking> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(ranking, _)| *ranking)
            .ok_or_else(|| UnknownRanking(text.chars().take(limits::QUOTED_CHARS_MAX).collect()))
    }
}

/// Says that a text is no way to put implementations in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("implementations are not sorted by `{0}`; there are use, price, fuel, time, tests and name")]
pub struct UnknownRanking(String);

/// An interface that packages export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `acme:text/slug@1.0.0`.
    pub name: String,
    /// How many packages export it.
    pub implementations: usize,
}

/// A function of an interface, as one implementation has it.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Its name.
    pub name: FunctionName,
    /// What it costs, for people.
    pub price: String,
}

/// An implementation of an interface: the newest release of a package.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// The release.
    pub release: ReleaseId,
    /// The index of the log entry of the package's first release that exports the interface.
    pub first_index: u64,
    /// The key that signed it, as a `did:key`.
    pub publisher: String,
    /// The one-line description.
    pub description: String,
    /// The licence of the component.
    pub license: String,
    /// What it has of the interface.
    pub functions: Vec<Offered>,
    /// The host interfaces that it was granted and uses.
    pub grants: Vec<String>,
    /// How many of its own tests passed when it was published.
    pub tests_passed: usize,
    /// What trying its tests on mutants showed, once they were.
    pub strength: Option<Strength>,
    /// The most that a call costs, of the function that costs most.
    pub amount_max: Atomic,
    /// What the tests of the interface showed of it, once they were run.
    pub spec_tests: Option<SpecTests>,
    /// How long a run takes here, in microseconds: the median of those that returned of late, without waiting in line.
    pub run_us: Option<u64>,
    /// Who pays for it of late.
    pub usage: Usage,
    /// The release of another publisher that first had its code.
    pub same_code: Option<SameCode>,
}

impl Implementation {
    /// Returns how many of the tests of the interface it passes.
    pub fn spec_passed(&self) -> usize {
        self.spec_tests.map_or(0, |tests| tests.passed)
    }

    /// Returns the fuel that the tests of the interface take, where it passes all.
    pub fn spec_fuel(&self) -> Option<u64> {
        self.spec_tests.filter(SpecTests::holds).map(|tests| tests.fuel)
    }
}

/// The implementations of an interface.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Where its tests come from, where it has any.
    pub spec: Option<SpecSource>,
    /// Each by its newest release.
    pub implementations: Vec<Implementation>,
}

impl Registry {
    /// Returns the interfaces that packages export by their newest releases: those first that most packages export.
    pub async fn interfaces(&self) -> Result<Arc<[Interface]>, RegistryError> {
        let now_ms = self.env.now_ms();
        let compute = async || {
            let counts = self.store.interfaces(now_ms).await?;
            let interface = |(name, implementations)| Interface { name, implementations };
            let mut interfaces: Vec<Interface> = counts.into_iter().map(interface).collect();
            interfaces.sort_by_key(|interface| Reverse(interface.implementations));
            Ok(interfaces.into())
        };
        self.interfaces.get(&(), now_ms, compute).await
    }

    /// Returns the packages that export an interface, such as `acme:text/slug@1.0.0`, each by its newest release.
    pub async fn implementations(
        &self,
        interface: &str,
        ranking: Ranking,
    ) -> Result<Comparison, RegistryError> {
        let compared = self.compared(interface).await?;
        let mut comparison = Comparison::clone(&compared);
        ranking.sort(&mut comparison.implementations);
        Ok(comparison)
    }

    /// Returns the same in no certain order.
    pub(crate) async fn compared(&self, interface: &str) -> Result<Arc<Comparison>, RegistryError> {
        // Of what nobody exports, nothing is kept: anybody can make up names.
        if !self.store.is_exported(interface).await? {
            return Ok(Arc::default());
        }
        let compute = async || self.compare(interface).await;
        self.comparisons.get(&interface.to_owned(), self.env.now_ms(), compute).await
    }

    /// Forgets what was compared, because there is something new to compare.
    pub(crate) fn forget_comparisons(&self) {
        self.interfaces.clear();
        self.comparisons.clear();
    }

    async fn compare(&self, interface: &str) -> Result<Arc<Comparison>, RegistryError> {
        let (now_ms, max) = (self.env.now_ms(), limits::IMPLEMENTATIONS_MAX);
        let rows = self.store.implementations(interface, now_ms, max).await?;
        let spec = self.interface_spec(interface).await?;
        let shown = match spec {
            Some(_) => self.store.spec_runs(interface).await?,
            None => Default::default(),
        };
        let mut is_tested = true;
        let mut implementations = Vec::new();
        for ImplementationRow { release: row, first_index } in rows {
            let ReleaseView { row, listing, report, strength, .. } = self.view(row)?;
            // What earlier tests showed stands until there are new ones.
            let tests = shown.get(&row.id);
            is_tested &= tests.map(|(tests, _)| *tests) == spec.as_ref().map(|spec| spec.tests);
            let spec_tests = tests.map(|(_, json)| parse(&row.id.to_string(), json)).transpose()?;
            let live = self.live(&exact(&row.id)).await?;
            let of_interface =
                listing.functions.into_iter().filter(|function| function.name.interface() == Some(interface));
            let functions: Vec<Offered> =
                of_interface.map(|function| Offered { name: function.name, price: function.price }).collect();
            let fuel_max = live.terms.fuel_max.min(limits::FUEL_MAX);
            let amounts = functions
                .iter()
                .map(|function| live.quote(&function.name, fuel_max, Account::default()).amount_max);
            implementations.push(Implementation {
                amount_max: amounts.max().unwrap_or_default(),
                spec_tests,
                run_us: self.run_times.median_us(&row.id),
                usage: self.usage(&row.id).await?,
                same_code: self.same_code(&live).await?,
                release: row.id,
                first_index,
                publisher: row.publisher,
                description: listing.description,
                license: listing.license,
                functions,
                grants: listing.grants,
                tests_passed: report.passed,
                strength,
            });
        }
        if !is_tested {
            self.await_tests([interface.to_owned()]);
        }
        Ok(Arc::new(Comparison { spec: spec.map(|spec| spec.source()), implementations }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rankings_are_words() {
        for (ranking, word) in Ranking::ALL {
            assert_eq!(word.parse(), Ok(ranking));
        }
        assert!("best".parse::<Ranking>().is_err());
    }
}
