//! Implementations of one interface: what each shows of itself, and which of them a caller means who does not mind.
//!
//! Packages that export the same WIT interface do the same, as far as types say. What tells them apart is shown as it is
//! known here: the most that a call costs, what of the interface's own tests an implementation ships and passes and with how
//! much fuel, how long its runs take here, what it may use, and who pays for it. Use counts only if it is
//! [organic](crate::organic). Calling oneself is no proof of anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use glassbox_core::case::{self, Case};
use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, PackageName, PackageRef, ReleaseId, limits};

use crate::depend::exact;
use crate::error::{CallError, RegistryError};
use crate::find::{ReleaseFile, ReleaseView, SameCode};
use crate::open::Registry;
use crate::organic::Usage;
use crate::testing::TestReport;

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
                Self::Tests => (0, one.view.report.passed),
                _ => (one.usage.payers_organic, one.view.report.passed),
            };
            (first, Reverse(organic), Reverse(passed), one.view.row.id.clone())
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

/// An implementation of an interface: the newest release of a package.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// Everything public of it.
    pub view: ReleaseView,
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
    /// Returns the interfaces that packages export by their newest releases: those first that most packages export.
    pub async fn interfaces(&self) -> Result<Vec<Interface>, RegistryError> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for view in self.packages().await? {
            let functions = view.listing.functions.iter();
            let mut names: Vec<&str> = functions.filter_map(|function| function.name.interface()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().for_each(|name| *counts.entry(name.to_owned()).or_default() += 1);
        }
        let interface = |(name, implementations)| Interface { name, implementations };
        let mut interfaces: Vec<Interface> = counts.into_iter().map(interface).collect();
        interfaces.sort_by_key(|interface| Reverse(interface.implementations));
        Ok(interfaces)
    }

    /// Returns the packages that export an interface, such as `acme:text/slug@1.0.0`, each by its newest release.
    pub async fn implementations(
        &self,
        interface: &str,
        ranking: Ranking,
    ) -> Result<Vec<Implementation>, RegistryError> {
        let exports = |view: &ReleaseView| {
            view.listing.functions.iter().any(|function| function.name.interface() == Some(interface))
        };
        let mut views: Vec<_> = self.packages().await?.into_iter().filter(exports).collect();
        if views.len() > limits::IMPLEMENTATIONS_MAX {
            // Whoever floods an interface comes after those who were there.
            views.sort_by_key(|view| view.row.log_index);
            views.truncate(limits::IMPLEMENTATIONS_MAX);
        }
        let spec = self.spec_cases(interface).await?;
        let mut implementations = Vec::new();
        for view in views {
            let own = self.cases(&view.row.id.package).await?;
            let live = self.live(&exact(&view.row.id)).await?;
            let functions = view.listing.functions.iter().map(|function| &function.name);
            let fuel_max = live.terms.fuel_max.min(limits::FUEL_MAX);
            let amounts = functions
                .filter(|name| name.interface() == Some(interface))
                .map(|name| live.quote(name, fuel_max, Account::default()).amount_max);
            implementations.push(Implementation {
                amount_max: amounts.max().unwrap_or_default(),
                spec_tests: spec.as_ref().map(|spec| spec_tests(spec, &own, &view.report)),
                run_us: self.run_times.median_us(&view.row.id),
                usage: self.usage(&live).await?,
                same_code: self.same_code(&live).await?,
                view,
            });
        }
        ranking.sort(&mut implementations);
        Ok(implementations)
    }

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
        for one in self.rivals(&wanted.name).await? {
            let id = &one.view.row.id;
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
                tests_passed: one.view.report.passed,
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

    async fn rivals(&self, function: &FunctionName) -> Result<Vec<Implementation>, RegistryError> {
        match function.interface() {
            Some(interface) => self.implementations(interface, Ranking::Use).await,
            None => Ok(Vec::new()),
        }
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
    fn choices_and_rankings_are_words() {
        for (choice, word) in Choice::ALL {
            assert_eq!(word.parse(), Ok(choice));
        }
        for (ranking, word) in Ranking::ALL {
            assert_eq!(word.parse(), Ok(ranking));
        }
        assert!("best".parse::<Choice>().is_err() && "best".parse::<Ranking>().is_err());
    }
}
