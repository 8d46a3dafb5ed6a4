//! Implementations of one interface: what each shows of itself, and which of them a caller means who does not mind.
//!
//! Packages that export the same WIT interface do the same, as far as types say. What tells them apart is shown as it is
//! known here: the most that a call costs, what of the interface's own tests an implementation ships and passes and with how
//! much fuel, what it may use, and who pays for it. Use counts only if it is organic: by payers that are none of the payees,
//! of whom there are some, and who pay something. Calling oneself is no proof of anything.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use glassbox_core::case::{self, Case};
use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, PackageName, PackageRef, ReleaseId, limits};
use glassbox_store::PayerSum;

use crate::error::{CallError, RegistryError};
use crate::find::{ReleaseFile, ReleaseView};
use crate::open::Registry;
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
}

impl Choice {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Cheapest, "cheapest"), (Self::Fastest, "fastest"), (Self::MostProven, "most-proven")];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(choice, _)| *choice == self).expect("all choices are listed").1
    }
}

/// Says that a text is no way to choose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to choose; there are cheapest, fastest and most-proven")]
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

/// An implementation of an interface: the newest release of a package.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// Everything public of it.
    pub view: ReleaseView,
    /// The fuel that the interface's own tests took, where it ships all of them and passed.
    pub spec_fuel: Option<u64>,
    /// Who pays for it of late.
    pub usage: Usage,
}

/// What a package was used of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many paid for it.
    pub payers: usize,
    /// How many of them count: none of its payees, where there are enough and they pay enough.
    pub payers_organic: usize,
    /// How many paid calls there were.
    pub calls: u64,
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
            Choice::MostProven => 0,
        };
        (first, Reverse(self.payers_organic), Reverse(self.tests_passed), &self.release)
    }

    fn words(&self, choice: Choice) -> String {
        match (choice, self.spec_fuel) {
            (Choice::Cheapest, _) => format!("${} at most", self.amount_max.to_decimal()),
            (Choice::Fastest, Some(fuel)) => format!("{fuel} fuel for the interface's own tests"),
            (Choice::Fastest, None) => "without all of the interface's own tests".into(),
            (Choice::MostProven, _) => {
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
    /// Returns the packages that export an interface, such as `acme:text/slug@1.0.0`, each by its newest release: first those
    /// that most payers use who have nothing to do with them.
    pub async fn implementations(&self, interface: &str) -> Result<Vec<Implementation>, RegistryError> {
        let exports = |view: &ReleaseView| {
            view.listing.functions.iter().any(|function| function.name.interface() == Some(interface))
        };
        let views: Vec<_> = self.packages().await?.into_iter().filter(exports).collect();
        let spec = self.spec_cases(interface).await?;
        let mut implementations = Vec::new();
        for view in views {
            let own = self.cases(&view.row.id.package).await?;
            implementations.push(Implementation {
                spec_fuel: spec.as_ref().and_then(|spec| fuel_of(spec, &own, &view.report)),
                usage: self.usage(&view).await?,
                view,
            });
        }
        implementations.sort_by_key(|one| {
            let (organic, passed) = (one.usage.payers_organic, one.view.report.passed);
            (Reverse(organic), Reverse(passed), one.view.row.id.clone())
        });
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
        let mut candidates = Vec::new();
        for one in self.rivals(&wanted.name).await? {
            let id = &one.view.row.id;
            let live = self
                .live(&PackageRef { package: id.package.clone(), version: Some(id.version.clone()) })
                .await?;
            let is_same = live.function(&wanted.name.to_string()).is_ok_and(|found| found.ty == wanted.ty);
            if !is_same || !live.runs_here() || self.check_quarantine(&live).is_err() {
                continue;
            }
            candidates.push(Candidate {
                release: id.clone(),
                amount_max: live.quote(&wanted.name, live.fuel_ceiling(None)?, Account::default()).amount_max,
                spec_fuel: one.spec_fuel,
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
            Some(interface) => self.implementations(interface).await,
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

    async fn usage(&self, view: &ReleaseView) -> Result<Usage, RegistryError> {
        let since_ms = self.env.now_ms().saturating_sub(limits::USAGE_WINDOW_MS);
        let sums = self.store.payers(&view.row.id.package, since_ms).await?;
        let live =
            PackageRef { package: view.row.id.package.clone(), version: Some(view.row.id.version.clone()) };
        let terms = self.live(&live).await?.terms.clone();
        let payees: Vec<&str> = terms.payee.iter().map(|payee| payee.id.as_str()).collect();
        Ok(usage(&sums, &payees))
    }
}

/// Returns the fuel of an interface's own tests, where an implementation ships every one of them and passed.
fn fuel_of(spec: &[Case], own: &[Case], report: &TestReport) -> Option<u64> {
    let fuel = |wanted: &Case| {
        // The same call must be expected to give the same, or a test would be passed by changing it.
        own.iter().find(|case| case.call == wanted.call && case.expect == wanted.expect)?;
        let found = report.cases.iter().find(|case| case.call == wanted.call && case.passed)?;
        Some(found.fuel)
    };
    spec.iter().try_fold(0_u64, |sum, case| Some(sum.saturating_add(fuel(case)?)))
}

fn usage(sums: &[PayerSum], payees: &[&str]) -> Usage {
    let organic: Vec<&PayerSum> = sums
        .iter()
        .filter(|sum| !payees.iter().any(|payee| payee.eq_ignore_ascii_case(&sum.payer)))
        .collect();
    let calls: u64 = organic.iter().map(|sum| sum.calls).sum();
    let paid: u128 = organic.iter().map(|sum| sum.amount.0).sum();
    let enough = organic.len() >= limits::ORGANIC_PAYERS_MIN
        && paid >= u128::from(calls).saturating_mul(limits::ORGANIC_AVERAGE_MIN.0);
    Usage {
        payers: sums.len(),
        payers_organic: if enough { organic.len() } else { 0 },
        calls: sums.iter().map(|sum| sum.calls).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_counts_if_it_is_organic() {
        let sum =
            |payer: &str, calls, amount| PayerSum { payer: payer.into(), calls, amount: Atomic(amount) };
        let check = |sums: &[PayerSum]| usage(sums, &["0xAA", "acct:ana"]).payers_organic;
        let [a, b, c] = [sum("0xa", 1, 1_000), sum("0xb", 2, 2_000), sum("0xc", 1, 1_000)];
        assert_eq!(check(&[]), 0);
        assert_eq!(check(&[a.clone(), b.clone()]), 0, "too few");
        assert_eq!(check(&[a.clone(), b.clone(), c.clone()]), 3);
        assert_eq!(check(&[a.clone(), b.clone(), sum("0xaa", 1_000, 1_000_000)]), 0, "a payee is nobody");
        assert_eq!(check(&[a, b, sum("0xc", 2, 1_999)]), 0, "too little");
        assert_eq!(usage(&[c], &[]).payers, 1);
    }

    #[test]
    fn choices_are_words() {
        for (choice, word) in Choice::ALL {
            assert_eq!(word.parse(), Ok(choice));
        }
        assert!("best".parse::<Choice>().is_err());
    }
}
