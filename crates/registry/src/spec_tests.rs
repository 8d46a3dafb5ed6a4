//! The tests of an interface: what its own package says that any implementation must do, run on all of them.
//!
//! An interface is named after a package. Its newest release that has the interface says by its test cases what is right, and
//! each implementation is run on them here, whatever it ships itself. It is done after a release was published, one
//! implementation at a time and in turns with calls, and again when there are other tests. Interfaces take turns: one with many
//! implementations keeps no other waiting. Where the machine fails, nothing is shown, and it is tried again after a pause.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{MutexGuard, PoisonError};

use glassbox_core::case::{self, Case};
use glassbox_core::terms::edition_of;
use glassbox_core::value::wave;
use glassbox_core::{Digest, FunctionName, PackageName, ReleaseId, limits};
use glassbox_sandbox::{FailureKind, Flow, Outcome, SandboxError};
use glassbox_store::{ImplementationRow, ReleaseRow};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::depend::exact;
use crate::error::{RegistryError, chain};
use crate::open::Registry;
use crate::package::{CheckedCase, texts};
use crate::publish::unpack_files;
use crate::publish_error::PublishError;
use crate::round::Round;
use crate::testing::{Bench, is_inconclusive, judge, prepare};

/// What the tests of an interface's own package showed of an implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecTests {
    /// How many there are.
    pub total: usize,
    /// How many of them it passes.
    pub passed: usize,
    /// The fuel that they took, all together.
    pub fuel: u64,
}

impl SpecTests {
    /// Tells whether it passes all.
    pub fn holds(&self) -> bool {
        self.passed == self.total
    }
}

/// Where the tests of an interface come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecSource {
    /// The release that has them.
    pub release: ReleaseId,
    /// How many of its tests are of the interface.
    pub cases: usize,
}

/// The tests of an interface.
pub(crate) struct InterfaceSpec {
    pub(crate) release: ReleaseId,
    /// The object that they were read from.
    pub(crate) tests: Digest,
    cases: Vec<(FunctionName, Case)>,
}

impl InterfaceSpec {
    pub(crate) fn source(&self) -> SpecSource {
        SpecSource { release: self.release.clone(), cases: self.cases.len() }
    }
}

/// What came of looking for an implementation to test.
enum Looked {
    /// One was tested, or could not be.
    Tested,
    /// There is one for a later time, in Unix milliseconds.
    Later(i64),
    /// There is none.
    Done,
}

impl Looked {
    /// Returns the same where there is one for `from_ms`, too.
    fn or_from(self, from_ms: i64) -> Self {
        match self {
            Self::Later(earlier_ms) => Self::Later(earlier_ms.min(from_ms)),
            Self::Tested | Self::Done => Self::Later(from_ms),
        }
    }
}

/// Tells whether what failed is the component, which fails on every machine. What a compiler did not come to the end of may
/// be the fault of this one.
fn is_of_component(error: &PublishError) -> bool {
    use SandboxError::{CoreModule, Import, Invalid, NotGranted, NotWasm, TooLarge, TooMany, Unbounded};
    let PublishError::Sandbox(error) = error else { return false };
    matches!(
        error,
        TooLarge { .. }
            | NotWasm
            | CoreModule
            | Invalid { .. }
            | TooMany { .. }
            | Unbounded { .. }
            | NotGranted { .. }
            | Import { .. }
    )
}

impl Registry {
    /// Runs the tests of an interface on one implementation that they were not run on yet. Returns whether there was one.
    pub async fn test_next(&self) -> Result<bool, RegistryError> {
        loop {
            let now_ms = self.env.now_ms();
            let next = self.untested().take(now_ms);
            let Some(interface) = next else { return Ok(false) };
            match self.test_one(&interface, now_ms).await {
                Ok(Looked::Tested) => {
                    // There may be more.
                    self.pauses.forget(&interface);
                    self.await_tests([interface]);
                    return Ok(true);
                }
                Ok(Looked::Later(from_ms)) => self.untested().add(interface, from_ms),
                Ok(Looked::Done) => {}
                Err(error) => {
                    let from_ms = self.pauses.note(&interface, now_ms);
                    self.untested().add(interface, from_ms);
                    return Err(error);
                }
            }
        }
    }

    /// Has it looked soon which implementations of some interfaces are to be tested.
    pub(crate) fn await_tests(&self, interfaces: impl IntoIterator<Item = String>) {
        let now_ms = self.env.now_ms();
        let mut untested = self.untested();
        interfaces.into_iter().for_each(|interface| untested.add(interface, now_ms));
    }

    fn untested(&self) -> MutexGuard<'_, Round> {
        self.untested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn test_one(&self, interface: &str, now_ms: i64) -> Result<Looked, RegistryError> {
        let Some(spec) = self.interface_spec(interface).await? else { return Ok(Looked::Done) };
        let max = limits::IMPLEMENTATIONS_MAX;
        let known = self.store.spec_runs(interface).await?;
        let mut looked = Looked::Done;
        for ImplementationRow { release: row, .. } in
            self.store.implementations(interface, now_ms, max).await?
        {
            if known.get(&row.id).is_some_and(|(tests, _)| *tests == spec.tests) {
                continue;
            }
            let what = format!("{interface} {}", row.id);
            if let Some(until_ms) = self.pauses.until_ms(&what, now_ms) {
                looked = looked.or_from(until_ms);
                continue;
            }
            let live = self.live(&exact(&row.id)).await?;
            if self.check_quarantine(&live).is_err() {
                continue;
            }
            let tests = match self.test_on(&spec, &row).await {
                Ok(Some(tests)) => tests,
                // Once it may be the machine's fault. What takes so long whenever it is tried has not passed.
                Ok(None) if !self.tries.are_over(&what) => {
                    self.pauses.note(&what, now_ms);
                    return Ok(Looked::Tested);
                }
                Ok(None) => SpecTests { total: spec.cases.len(), passed: 0, fuel: 0 },
                Err(error) => {
                    warn!(release = %row.id, interface, error = chain(&error), "Cannot run the tests of an interface");
                    if !is_of_component(&error) {
                        // It says nothing of the implementation, so nothing is written, and it is tried again.
                        self.pauses.note(&what, now_ms);
                        return Ok(Looked::Tested);
                    }
                    SpecTests { total: spec.cases.len(), passed: 0, fuel: 0 }
                }
            };
            let json = serde_json::to_string(&tests).expect("numbers are plain JSON");
            self.store.set_spec_run(interface, &row.id, spec.tests, json).await?;
            self.pauses.forget(&what);
            self.tries.forget(&what);
            self.forget_comparisons();
            let SpecTests { total, passed, fuel } = tests;
            info!(release = %row.id, interface, fuel, "Passed {passed} of {total} tests of an interface");
            return Ok(Looked::Tested);
        }
        Ok(looked)
    }

    /// Returns what the tests showed; nothing where the time on the wall was up.
    async fn test_on(
        &self,
        spec: &InterfaceSpec,
        row: &ReleaseRow,
    ) -> Result<Option<SpecTests>, PublishError> {
        let (package, dependencies) = self.reopen(row).await?;
        // All that is tested so is one payer: it never has more than one's turn.
        let bench = Bench::new(&self.sandbox, &package, Flow::new("spec", "spec"));
        let mut tests = SpecTests { total: spec.cases.len(), passed: 0, fuel: 0 };
        let mut editions = BTreeMap::new();
        for (function, case) in &spec.cases {
            let function = package.spec.function(&function.to_string());
            // How much it may burn is what is compared, and not what is tested.
            let case = Case { fuel_max: None, ..case.clone() };
            let Some(checked) = function.and_then(|function| CheckedCase::of(function, case).ok()) else {
                continue;
            };
            let edition = edition_of(&package.manifest.edition, &checked.function.name);
            let prepared = match editions.entry(edition.map(|(name, _)| name)) {
                Entry::Occupied(prepared) => prepared.into_mut(),
                Entry::Vacant(place) => {
                    let component = package.component_of(&checked.function.name);
                    place.insert(prepare(&self.sandbox, component, &package, dependencies.clone()).await?)
                }
            };
            let fuel_left = limits::PUBLISH_FUEL_MAX.saturating_sub(tests.fuel);
            let run = bench.run(prepared, &checked, fuel_left).await;
            if matches!(&run.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::TimedOut) {
                return Ok(None);
            }
            if is_inconclusive(&run.outcome) {
                return Err(PublishError::Worker);
            }
            tests.passed += usize::from(judge(&checked, &run).passed);
            tests.fuel = tests.fuel.saturating_add(run.fuel_used);
        }
        Ok(Some(tests))
    }

    /// Returns the tests of an interface, where its own package is here and has any.
    pub(crate) async fn interface_spec(
        &self,
        interface: &str,
    ) -> Result<Option<InterfaceSpec>, RegistryError> {
        let Some(package) = interface.split('/').next().and_then(|name| name.parse::<PackageName>().ok())
        else {
            return Ok(None);
        };
        let Some(row) = self.store.newest_with(interface, &package, self.env.now_ms()).await? else {
            return Ok(None);
        };
        let damaged = |reason: String| RegistryError::Damaged(row.id.to_string(), reason);
        let live = self.live(&exact(&row.id)).await?;
        let files = unpack_files(&row.id, &self.store.object(row.tests).await?)?;
        let mut cases = Vec::new();
        for (path, text) in texts(&files).map_err(|error| damaged(error.to_string()))? {
            if !path.ends_with(".toml") {
                continue;
            }
            for case in case::parse(&path, &text).map_err(|error| damaged(error.to_string()))? {
                let function = wave::call_from_wave(&case.call).ok();
                let function = function.and_then(|(name, _)| live.spec.function(&name));
                if let Some(function) = function
                    && function.name.interface() == Some(interface)
                {
                    cases.push((function.name.clone(), case));
                }
            }
        }
        let spec = InterfaceSpec { release: row.id.clone(), tests: row.tests, cases };
        Ok((!spec.cases.is_empty()).then_some(spec))
    }
}

#[cfg(test)]
mod tests {
    use glassbox_sandbox::CompileResource;
    use glassbox_store::StoreError;

    use super::*;

    #[test]
    fn what_the_machine_fails_at_says_nothing_of_a_component() {
        let text = || "x".to_owned();
        for error in [
            SandboxError::Invalid { offset: 1, reason: text() },
            SandboxError::Import { interface: text(), reason: text() },
            SandboxError::NotGranted { interfaces: vec![text()] },
        ] {
            let error = PublishError::from(error);
            assert!(is_of_component(&error), "{error}");
        }
        for error in [
            PublishError::Worker,
            StoreError::Worker.into(),
            SandboxError::Compiler(std::io::ErrorKind::OutOfMemory.into()).into(),
            SandboxError::Engine { reason: text() }.into(),
            SandboxError::CompileLimit { what: CompileResource::Wall { ms: 1 } }.into(),
            SandboxError::Compile { reason: text() }.into(),
        ] {
            assert!(!is_of_component(&error), "{error}");
        }
    }
}
