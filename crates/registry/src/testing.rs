//! Running a package's test cases, at home and at publish.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use glassbox_core::egress::Egress;
use glassbox_core::files::Files;
use glassbox_core::terms::{Effort, edition_of};
use glassbox_core::value::{FunctionType, Value, binary, wave};
use glassbox_core::{Digest, limits};
use glassbox_sandbox::{
    Dependency, Effects, FailureKind, FileSet, Flow, InnerCalls, Invocation, Outcome, Prepared, Run,
    RunLimits, Sandbox,
};
use glassbox_store::ReleaseRow;
use serde::{Deserialize, Serialize};

use crate::depend::exact;
use crate::error::RegistryError;
use crate::live::signed_release;
use crate::open::Registry;
use crate::package::{CheckedCase, Package, PackageFiles, file_set};
use crate::publish::unpack_files;
use crate::publish_error::PublishError;

/// What the test cases of a release showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// The most fuel that any case burnt.
    pub fuel_max: u64,
    /// What a case burns in the component itself, without its dependencies, in the median: the *baseline*. Absent without
    /// cases; those of an edition with a component of its own say nothing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_baseline: Option<u64>,
    /// What dependencies without a price did in all cases together, by their terms. Filled in at publish.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub efforts: BTreeMap<Digest, Effort>,
    /// Case by case.
    pub cases: Vec<CaseReport>,
}

/// What one case showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The file that it stands in.
    pub file: String,
    /// What it shows.
    pub name: String,
    /// The call, in WAVE.
    pub call: String,
    /// Whether it passed.
    pub passed: bool,
    /// What was found, where it failed.
    pub detail: Option<String>,
    /// The fuel burnt.
    pub fuel: u64,
    /// What of it dependencies burnt.
    #[serde(skip)]
    pub(crate) inner: Vec<InnerCalls>,
}

impl CaseReport {
    /// Returns the fuel that the component burnt itself.
    fn fuel_own(&self) -> u64 {
        self.inner.iter().fold(self.fuel, |fuel, calls| fuel.saturating_sub(calls.fuel))
    }
}

impl TestReport {
    /// Tells whether no case failed.
    pub fn holds(&self) -> bool {
        self.failed == 0
    }
}

impl Registry {
    /// Reads a release back into what its tests are run with: the package, and what it imports.
    pub(crate) async fn reopen(&self, row: &ReleaseRow) -> Result<(Package, Vec<Dependency>), PublishError> {
        let worker = |_: RegistryError| PublishError::Worker;
        let files = async |object| {
            let packed = self.store.object(object).await?;
            unpack_files(&row.id, &packed)
        };
        let signed = signed_release(row).map_err(|_| PublishError::Worker)?;
        let mut editions = BTreeMap::new();
        for (name, edition) in signed.editions.0 {
            editions.insert(name, self.store.object(edition.component).await?);
        }
        let mut documents = Vec::new();
        for (path, document) in signed.documents {
            documents.push((path, self.store.object(document).await?));
        }
        let package = PackageFiles {
            documents: Files::within(limits::DOCUMENTS_BYTES_MAX, documents)?,
            wit: files(row.wit).await.map_err(worker)?,
            tests: files(row.tests).await.map_err(worker)?,
            component: self.store.object(row.component).await?,
            editions,
            files: match row.files {
                Some(object) => Some(files(object).await.map_err(worker)?),
                None => None,
            },
            source: None,
            manifest: row.manifest.clone(),
        };
        let reading = tokio::task::spawn_blocking(move || Package::reopen(package));
        let package = reading.await.map_err(|_| PublishError::Worker)??;
        let live = self.live(&exact(&row.id)).await.map_err(worker)?;
        let links = self.links(&live.dependencies, &live.manifest.dependencies, &[], &package.grants).await;
        let (dependencies, _) = links.map_err(worker)?;
        Ok((package, dependencies))
    }
}

/// Compiles the components of `package`, links them to its dependencies, and runs every case in a fresh instance of the one
/// that its function belongs to, within the manifest's limits.
pub async fn run(
    sandbox: &Sandbox,
    package: &Package,
    dependencies: Vec<Dependency>,
) -> Result<TestReport, PublishError> {
    let main = prepare(sandbox, &package.files.component, package, dependencies.clone()).await?;
    let mut editions = BTreeMap::new();
    for (name, component) in &package.files.editions {
        let prepared = prepare(sandbox, component, package, dependencies.clone()).await?;
        editions.insert(name.as_str(), prepared);
    }
    let bench = Bench::new(sandbox, package, flow(package));
    let mut report = TestReport {
        passed: 0,
        failed: 0,
        fuel_max: 0,
        fuel_baseline: None,
        efforts: BTreeMap::new(),
        cases: Vec::new(),
    };
    let mut own = Vec::new();
    let mut fuel_left = limits::PUBLISH_FUEL_MAX;
    for case in &package.cases {
        let edition = edition_of(&package.manifest.edition, &case.function.name);
        let edition = edition.and_then(|(name, _)| editions.get(name));
        let case = judge(case, &bench.run(edition.unwrap_or(&main), case, fuel_left).await);
        if edition.is_none() {
            own.push(case.fuel_own());
        }
        fuel_left = fuel_left.saturating_sub(case.fuel);
        report.passed += usize::from(case.passed);
        report.failed += usize::from(!case.passed);
        report.fuel_max = report.fuel_max.max(case.fuel);
        report.cases.push(case);
    }
    report.fuel_baseline = median(own);
    Ok(report)
}

/// Returns the number in the middle, the higher of two.
fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// Compiling takes seconds for a large component, so it must not stand on a thread that serves others.
pub(crate) async fn prepare(
    sandbox: &Sandbox,
    component: &[u8],
    package: &Package,
    dependencies: Vec<Dependency>,
) -> Result<Arc<Prepared>, PublishError> {
    let (sandbox, grants) = (sandbox.clone(), package.grants.clone());
    let component = component.to_vec();
    let work = move || sandbox.compose(Digest::of(&component), &component, &grants, dependencies);
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| PublishError::Worker)??)
}

/// Where the cases of a package are run.
pub(crate) struct Bench<'a> {
    sandbox: &'a Sandbox,
    package: &'a Package,
    files: Option<Arc<FileSet>>,
    events: BTreeSet<String>,
    flow: Flow,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox, package: &'a Package, flow: Flow) -> Self {
        Self {
            sandbox,
            package,
            files: package.files.files.as_ref().map(|files| Arc::new(file_set(files))),
            events: package.manifest.events().map(str::to_owned).collect(),
            flow,
        }
    }

    /// Runs a case in a fresh instance, within so much fuel and the manifest's limits.
    pub(crate) async fn run(&self, prepared: &Arc<Prepared>, checked: &CheckedCase, fuel_max: u64) -> Run {
        self.run_within(prepared, checked, self.package.manifest.fuel_max().min(fuel_max), false).await
    }

    /// Runs a case on a marked copy and returns the numbers of the places that it comes by. Marks burn more than any manifest
    /// has to allow.
    pub(crate) async fn reached(
        &self,
        marked: &Arc<Prepared>,
        checked: &CheckedCase,
    ) -> Result<BTreeSet<u32>, PublishError> {
        let run = self.run_within(marked, checked, limits::FUEL_MAX, true).await;
        if is_inconclusive(&run.outcome) { Err(PublishError::Worker) } else { Ok(run.reached) }
    }

    async fn run_within(
        &self,
        prepared: &Arc<Prepared>,
        checked: &CheckedCase,
        fuel: u64,
        marked: bool,
    ) -> Run {
        let function = &checked.function;
        let limits = RunLimits {
            fuel,
            memory_bytes: self.package.manifest.memory_max_bytes(),
            ..RunLimits::default()
        };
        let args: Arc<[Value]> = checked.args.as_slice().into();
        loop {
            // A case must pass wherever and whenever it runs, and a publisher has no requests to make at others' cost.
            let effects = Effects::Live { environment: &[], egress: &Egress::none() };
            let invocation = Invocation {
                effects,
                files: self.files.as_ref(),
                events: Some(&self.events),
                marked,
                ..Invocation::new(&function.name, &function.ty, args.clone(), limits)
            };
            let run = self.sandbox.run(prepared, invocation, self.flow.clone()).await;
            // Others keep the threads busy; whoever tests has time.
            if !matches!(&run.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Busy) {
                return run;
            }
        }
    }
}

/// Says whether a run is what its case expects.
pub(crate) fn judge(checked: &CheckedCase, run: &Run) -> CaseReport {
    let detail = compare(&checked.function.ty, checked, &run.outcome).err().or_else(|| {
        let max = checked.case.fuel_max?;
        (run.fuel_used > max)
            .then(|| format!("burnt {} fuel, more than the {max} of `max-fuel`", run.fuel_used))
    });
    CaseReport {
        file: checked.case.file.clone(),
        name: checked.case.name.clone(),
        call: checked.case.call.clone(),
        passed: detail.is_none(),
        detail,
        fuel: run.fuel_used,
        inner: run.inner.clone(),
    }
}

/// Tells whether a run says nothing about its component: the machine had too little time for it, or failed.
pub(crate) fn is_inconclusive(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(failure)
        if matches!(failure.kind, FailureKind::TimedOut | FailureKind::Busy | FailureKind::Internal))
}

/// A publisher's tests take turns with everybody's calls, as if the package paid for itself.
fn flow(package: &Package) -> Flow {
    let name: Arc<str> = package.manifest.package.name.to_string().into();
    Flow::new(name.clone(), name)
}

/// Compares by the canonical encoding, in which a NaN equals itself.
fn compare(ty: &FunctionType, checked: &CheckedCase, outcome: &Outcome) -> Result<(), String> {
    match (&checked.expected, outcome) {
        (Some(expected), Outcome::Returned(found)) => {
            let encode = |value: &Option<Value>| binary::encode_result(ty, value.as_ref());
            if encode(expected) == encode(found) {
                return Ok(());
            }
            Err(format!("expected {}, found {}", show(ty, expected), show(ty, found)))
        }
        (None, Outcome::Returned(found)) => Err(format!("expected a trap, found {}", show(ty, found))),
        (None, Outcome::Failed(failure))
            if matches!(failure.kind, FailureKind::Trap | FailureKind::StackExhausted) =>
        {
            Ok(())
        }
        (_, Outcome::Failed(failure)) => Err(format!("failed: {}: {}", failure.kind, failure.message)),
    }
}

fn show(ty: &FunctionType, value: &Option<Value>) -> String {
    let text = match (&ty.result, value) {
        (Some(ty), Some(value)) => wave::to_wave(value, ty).unwrap_or_else(|error| error.to_string()),
        _ => "nothing".into(),
    };
    if text.chars().count() <= 400 { text } else { text.chars().take(400).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_higher_of_two_in_the_middle() {
        for (numbers, expected) in [
            (vec![], None),
            (vec![7], Some(7)),
            (vec![9, 1], Some(9)),
            (vec![1_000_000, 3, 2], Some(3)),
            (vec![4, 1, 3, 2], Some(3)),
        ] {
            assert_eq!(median(numbers), expected);
        }
    }
}
