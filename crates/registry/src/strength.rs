//! How strong a package's tests are: how many small mistakes in its component they notice.
//!
//! Tests that pass say little where they would pass whatever the component did. So copies with one mistake each are made, and
//! the tests are run on them: a mutant is caught if any test fails, in whatever way but by the clock. What mutants there are
//! follows from the component alone, and fuel ends what loops, so the figure is the same wherever it is measured. They are in
//! code that the tests run: how much of what they run they notice, and not how much they run. No suite must catch all, because
//! some mistakes change nothing that anybody could see.
//!
//! It takes a compilation for each mutant, and is done after a release was published, one at a time and in turns with calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use glassbox_core::limits;
use glassbox_sandbox::{Dependency, Flow, Mutant, Prepared, Run, Sandbox, entries, marked, mutants};
use glassbox_store::ReleaseRow;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::depend::exact;
use crate::error::RegistryError;
use crate::open::Registry;
use crate::package::{CheckedCase, Package};
use crate::publish_error::PublishError;
use crate::testing::{Bench, TestReport, is_inconclusive, judge, prepare};

/// What trying tests on mutants showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Strength {
    /// The tests were tried.
    Measured {
        /// How many mutants they caught.
        caught: usize,
        /// Of how many.
        mutants: usize,
    },
    /// They were not.
    Unmeasured {
        /// Why, in words.
        unmeasured: String,
    },
}

impl Strength {
    fn unmeasured(why: impl Into<String>) -> Self {
        Self::Unmeasured { unmeasured: why.into() }
    }
}

impl std::fmt::Display for Strength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Measured { caught, mutants } => write!(f, "caught {caught} of {mutants} mutants"),
            Self::Unmeasured { unmeasured } => write!(f, "not tried on mutants: {unmeasured}"),
        }
    }
}

impl Registry {
    /// Tries the tests of the release on mutants that was published first of those that were not tried yet. Returns whether
    /// there was one.
    pub async fn measure_next(&self) -> Result<bool, RegistryError> {
        let Some(row) = self.store.untried_release().await? else { return Ok(false) };
        let id = row.id.clone();
        let strength = match self.measure(&row).await {
            Ok(strength) => strength,
            Err(error) => {
                warn!(release = %id, error = crate::error::chain(&error), "Cannot try tests on mutants");
                // It may be the machine's fault, which says nothing about tests.
                if !self.tries.are_over(&id.to_string()) {
                    return Ok(true);
                }
                Strength::unmeasured("it failed")
            }
        };
        self.tries.forget(&id.to_string());
        let json = serde_json::to_string(&strength).expect("numbers and sentences are plain JSON");
        self.store.set_strength(&id, json).await?;
        info!(release = %id, "Tried tests on mutants: {strength}");
        Ok(true)
    }

    async fn measure(&self, row: &ReleaseRow) -> Result<Strength, PublishError> {
        let live = self.live(&exact(&row.id)).await.map_err(|_| PublishError::Worker)?;
        if self.check_quarantine(&live).is_err() {
            return Ok(Strength::unmeasured("it may not run here"));
        }
        let report: TestReport = serde_json::from_str(&row.report).map_err(|_| PublishError::Worker)?;
        let (package, dependencies) = self.reopen(row).await?;
        measure(&self.sandbox, &package, dependencies, &report).await
    }
}

/// Tries the tests of a package on mutants of its component. `report` is what they showed of the component itself, which passed.
pub async fn measure(
    sandbox: &Sandbox,
    package: &Package,
    dependencies: Vec<Dependency>,
    report: &TestReport,
) -> Result<Strength, PublishError> {
    let component = package.files.component.as_slice();
    let max = limits::MUTANTS_COMPONENT_BYTES_MAX;
    if component.len() > max {
        return Ok(Strength::unmeasured(format!("the component is larger than {max} bytes")));
    }
    if !package.listing().is_pure() {
        return Ok(Strength::unmeasured("it observes what is outside"));
    }
    // The component of an edition is tested by cases of its own, which say nothing about this one.
    let is_own = |(case, _): &(&CheckedCase, u64)| package.component_of(&case.function.name) == component;
    let fuel = report.cases.iter().map(|case| fuel_max(case.fuel));
    let cases: Vec<(&CheckedCase, u64)> = package.cases.iter().zip(fuel).filter(is_own).collect();
    if cases.is_empty() || report.cases.len() != package.cases.len() {
        return Ok(Strength::unmeasured("it has no tests"));
    }
    let Some(count) = count(cases.iter().map(|(_, fuel)| *fuel)) else {
        return Ok(Strength::unmeasured("its tests take too much fuel"));
    };
    // All that is measured is one payer: it never has more than one's turn.
    let bench = Bench::new(sandbox, package, Flow::new("mutants", "mutants"));
    let lab = Lab { sandbox, package, dependencies, cases, bench };
    let functions = lab.reached(&entries(component)?).await?;
    let mut drawn = mutants(component, &functions)?;
    drawn.truncate(limits::MUTANTS_DRAWN_MAX);
    let places: BTreeSet<usize> = drawn.iter().map(Mutant::place).collect();
    let run = lab.reached(&places.into_iter().collect::<Vec<_>>()).await?;
    let all: Vec<Mutant> =
        drawn.into_iter().filter(|mutant| run.contains(&mutant.place())).take(count).collect();
    if all.len() < limits::MUTANTS_MIN {
        return Ok(Strength::unmeasured("its tests run too little code"));
    }
    let mut caught = 0;
    for mutant in &all {
        caught += usize::from(lab.catches(mutant).await?);
    }
    Ok(Strength::Measured { caught, mutants: all.len() })
}

/// Where copies of a component are tried.
struct Lab<'a> {
    sandbox: &'a Sandbox,
    package: &'a Package,
    dependencies: Vec<Dependency>,
    /// The cases, each with what it may burn of a mutant.
    cases: Vec<(&'a CheckedCase, u64)>,
    bench: Bench<'a>,
}

impl Lab<'_> {
    /// Returns by which of some places the tests come.
    async fn reached(&self, places: &[usize]) -> Result<BTreeSet<usize>, PublishError> {
        let mut reached = BTreeSet::new();
        // Without marks it would be no copy, and must not be forgotten.
        if places.is_empty() {
            return Ok(reached);
        }
        let copy = self.prepare(&marked(&self.package.files.component, places)?).await?;
        for (case, _) in &self.cases {
            let numbers = self.bench.reached(&copy.0, case).await?;
            reached.extend(numbers.iter().filter_map(|number| places.get(*number as usize)).copied());
        }
        Ok(reached)
    }

    /// Tells whether any test fails on a mutant.
    async fn catches(&self, mutant: &Mutant) -> Result<bool, PublishError> {
        let copy = self.prepare(&mutant.of(&self.package.files.component)).await?;
        for (case, fuel) in &self.cases {
            if is_caught(case, &self.bench.run(&copy.0, case, *fuel).await)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn prepare(&self, component: &[u8]) -> Result<Trial<'_>, PublishError> {
        let dependencies = self.dependencies.clone();
        Ok(Trial(prepare(self.sandbox, component, self.package, dependencies).await?, self.sandbox))
    }
}

/// Tells whether a test fails on a mutant. A run that a busy machine ends may be that of any.
fn is_caught(case: &CheckedCase, run: &Run) -> Result<bool, PublishError> {
    if is_inconclusive(&run.outcome) {
        return Err(PublishError::Worker);
    }
    Ok(!judge(case, run).passed)
}

/// A copy that is compiled for a few runs, and forgotten with this.
struct Trial<'a>(Arc<Prepared>, &'a Sandbox);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.1.forget(self.0.digest());
    }
}

/// Returns what a test may burn of a mutant.
fn fuel_max(fuel: u64) -> u64 {
    fuel.saturating_mul(limits::MUTANT_FUEL_FACTOR).max(limits::MUTANT_FUEL_MIN)
}

/// Returns how many mutants there is fuel for, if for some.
fn count(fuel: impl Iterator<Item = u64>) -> Option<usize> {
    let each = fuel.fold(0, u64::saturating_add).max(1);
    let count =
        usize::try_from(limits::MUTANTS_FUEL_MAX / each).unwrap_or(usize::MAX).min(limits::MUTANTS_MAX);
    (count >= limits::MUTANTS_MIN).then_some(count)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use glassbox_core::case;
    use glassbox_core::value::Value;
    use glassbox_sandbox::{Failure, FailureKind, Outcome, Spec};

    use super::*;

    #[test]
    fn there_are_as_many_mutants_as_there_is_fuel_for() {
        assert_eq!(count([fuel_max(10)].into_iter()), Some(limits::MUTANTS_MAX));
        let all = limits::MUTANTS_FUEL_MAX / limits::MUTANTS_MIN as u64;
        assert_eq!(count([all / 2; 2].into_iter()), Some(limits::MUTANTS_MIN));
        assert_eq!(count([all, 1].into_iter()), None);
        assert_eq!(count([u64::MAX; 2].into_iter()), None);
        assert_eq!(fuel_max(u64::MAX), u64::MAX);
    }

    #[test]
    fn what_the_machine_fails_at_is_not_caught() {
        let wit = "package a:b;\nworld w { export f: func() -> u32; }";
        let spec = Spec::parse(&[("w.wit".to_owned(), wit.to_owned())], Some("w")).expect("WIT");
        let text = "[[case]]\nname = \"one\"\ncall = \"f()\"\nexpect = \"1\"\n";
        let case = case::parse("t.toml", text).expect("cases").remove(0);
        let case = CheckedCase::of(spec.function("f").expect("there"), case).expect("typed");
        let check = |outcome| is_caught(&case, &run(outcome));
        assert!(matches!(check(Outcome::Returned(Some(Value::U32(1)))), Ok(false)));
        assert!(matches!(check(Outcome::Returned(Some(Value::U32(2)))), Ok(true)));
        let failed = |kind| Outcome::Failed(Failure { kind, message: String::new(), dependency: None });
        for kind in [FailureKind::Trap, FailureKind::OutOfFuel, FailureKind::MemoryExceeded] {
            assert!(matches!(check(failed(kind)), Ok(true)), "{kind:?}");
        }
        for kind in [FailureKind::TimedOut, FailureKind::Busy, FailureKind::Internal] {
            assert!(check(failed(kind)).is_err(), "{kind:?}");
        }
    }

    fn run(outcome: Outcome) -> Run {
        Run {
            outcome,
            fuel_used: 1,
            memory_peak_bytes: 0,
            elapsed: Duration::ZERO,
            pure: true,
            transcript: None,
            inner: Vec::new(),
            events: Default::default(),
            waited: Duration::ZERO,
            reached: Default::default(),
        }
    }

    #[test]
    fn strength_is_said_in_a_line() {
        for (strength, line, json) in [
            (
                Strength::Measured { caught: 27, mutants: 32 },
                "caught 27 of 32 mutants",
                r#"{"caught":27,"mutants":32}"#,
            ),
            (
                Strength::unmeasured("it is so"),
                "not tried on mutants: it is so",
                r#"{"unmeasured":"it is so"}"#,
            ),
        ] {
            assert_eq!(strength.to_string(), line);
            assert_eq!(serde_json::to_string(&strength).expect("plain"), json);
            assert_eq!(serde_json::from_str::<Strength>(json).expect("plain"), strength);
        }
    }
}
