//! Implementations of one interface: what each shows of itself.
//!
//! Packages that export the same WIT interface do the same, as far as types say. What tells them apart is shown as it is
//! known here: the most that a call costs, what of the interface's own tests an implementation ships and passes and with how
//! much fuel, how long its runs take here, what it may use, and who pays for it. Use counts only if it is
//! [organic](crate::organic). Calling oneself is no proof of anything.

use std::cmp::Reverse;
use std::str::FromStr;
use std::sync::Arc;

use glassbox_core::case::{self, Case};
use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, PackageName, PackageRef, ReleaseId, limits};

use crate::depend::exact;
use crate::error::RegistryError;
use crate::find::{ReleaseFile, ReleaseView, SameCode, view};
use crate::open::Registry;
use crate::organic::Usage;
use crate::strength::Strength;
use crate::testing::TestReport;

/// By what implementations are put in order. What is equal in it goes by use, then by passed tests, then by name.
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
    /// By how many of the interface's own tests it passes, then of its own, most first.
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

    /// Puts implementations in order.
    fn sort(self, implementations: &mut [Implementation]) {
        implementations.sort_by_key(|one| {
            let of_spec = one.spec_tests.as_ref();
            let first = match self {
                Self::Use | Self::Name => 0,
                Self::Price => one.amount_max.0,
                Self::Fuel => of_spec.and_then(|tests| tests.fuel).map_or(u128::MAX, u128::from),
                Self::Time => one.run_us.map_or(u128::MAX, u128::from),
                Self::Tests => u128::MAX - of_spec.map_or(0, |tests| tests.passed as u128),
            };
            let (organic, passed) = match self {
                Self::Name => (0, 0),
                Self::Tests => (0, one.tests_passed),
                _ => (one.usage.payers_organic, one.tests_passed),
            };
            (first, Reverse(organic), Reverse(passed), one.release.clone())
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
    /// What the tests show of it that the interface came with, where there are any.
    pub spec_tests: Option<SpecTests>,
    /// How long a run takes here, in microseconds: the median of those that returned of late, without waiting in line.
    pub run_us: Option<u64>,
    /// Who pays for it of late.
    pub usage: Usage,
    /// The release of another publisher that first had its code.
    pub same_code: Option<SameCode>,
}

/// What the tests of the package that an interface is named after show of an implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecTests {
    /// How many there are.
    pub total: usize,
    /// How many of them it ships and passes.
    pub passed: usize,
    /// The fuel that they took, where it passes all.
    pub fuel: Option<u64>,
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
    ) -> Result<Vec<Implementation>, RegistryError> {
        let mut implementations = self.compared(interface).await?.to_vec();
        ranking.sort(&mut implementations);
        Ok(implementations)
    }

    /// Returns the same in no certain order.
    pub(crate) async fn compared(&self, interface: &str) -> Result<Arc<[Implementation]>, RegistryError> {
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

    async fn compare(&self, interface: &str) -> Result<Arc<[Implementation]>, RegistryError> {
        let (now_ms, max) = (self.env.now_ms(), limits::IMPLEMENTATIONS_MAX);
        let rows = self.store.implementations(interface, now_ms, max).await?;
        let spec = self.spec_cases(interface).await?;
        let mut implementations = Vec::new();
        for row in rows {
            let ReleaseView { row, listing, report, strength, .. } = view(row)?;
            let own = self.cases(&row.id.package).await?;
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
                spec_tests: spec.as_ref().map(|spec| spec_tests(spec, &own, &report)),
                run_us: self.run_times.median_us(&row.id),
                usage: self.usage(&live).await?,
                same_code: self.same_code(&live).await?,
                release: row.id,
                publisher: row.publisher,
                description: listing.description,
                license: listing.license,
                functions,
                grants: listing.grants,
                tests_passed: report.passed,
                strength,
            });
        }
        Ok(implementations.into())
    }

    /// Returns the tests of the package that an interface is named after, where it is here and has any.
    async fn spec_cases(&self, interface: &str) -> Result<Option<Vec<Case>>, RegistryError> {
        let Some(package) = interface.split('/').next().and_then(|name| name.parse::<PackageName>().ok())
        else {
            return Ok(None);
        };
        match self.cases(&package).await {
            Ok(cases) => Ok((!cases.is_empty()).then_some(cases)),
            Err(RegistryError::NoPackage(_) | RegistryError::AllYanked { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn cases(&self, package: &PackageName) -> Result<Vec<Case>, RegistryError> {
        let reference = PackageRef { package: package.clone(), version: None };
        let files = self.files(&reference, ReleaseFile::Tests).await?;
        let mut cases = Vec::new();
        for (path, bytes) in files.iter() {
            let text = String::from_utf8_lossy(bytes);
            let read = case::parse(path, &text);
            cases.extend(
                read.map_err(|error| RegistryError::Damaged(package.to_string(), error.to_string()))?,
            );
        }
        Ok(cases)
    }
}

/// Returns what an interface's own tests show of an implementation. What it does not ship, it does not pass.
fn spec_tests(spec: &[Case], own: &[Case], report: &TestReport) -> SpecTests {
    let fuel_of = |wanted: &Case| {
        // The same call must be expected to give the same, or a test would be passed by changing it.
        own.iter().find(|case| case.call == wanted.call && case.expect == wanted.expect)?;
        let found = report.cases.iter().find(|case| case.call == wanted.call && case.passed)?;
        Some(found.fuel)
    };
    let passed: Vec<u64> = spec.iter().filter_map(fuel_of).collect();
    let fuel = passed.iter().fold(0_u64, |sum, fuel| sum.saturating_add(*fuel));
    SpecTests { total: spec.len(), passed: passed.len(), fuel: (passed.len() == spec.len()).then_some(fuel) }
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
