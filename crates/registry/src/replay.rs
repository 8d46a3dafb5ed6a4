//! Re-executing a call from its bundle: the check that no signature can replace.
//!
//! Needs the component, and the files that its release ships, and nothing else of the registry: anybody who has them can
//! do it, on any machine.

use std::sync::Arc;

use glassbox_core::files::Files;
use glassbox_core::profile::Profile;
use glassbox_core::receipt::{Bundle, Level, Opening, Outcome, Receipt, Report, is_decided};
use glassbox_core::tree::{Linked, Node};
use glassbox_core::value::json;
use glassbox_core::{Digest, FunctionName};
use glassbox_sandbox::{
    Dependency, Effects, Flow, Grants, Import, Invocation, Outcome as RunOutcome, Run, RunLimits, Sandbox,
    inspect,
};

use crate::depend::nodes;
use crate::package::file_set;

/// What ran: the parts of a release that decide what a call gives.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// The component's bytes.
    pub component: &'a [u8],
    /// The files that the release ships, where there are any.
    pub files: Option<&'a Files>,
    /// The components of its dependencies, and of theirs, in any order.
    pub dependencies: &'a [Vec<u8>],
}

/// Runs the call of `bundle` again and compares output and fuel with its receipt, check by check, into `report`.
///
/// `receipt` is the one that [`Bundle::verify`] returned. A run that was not pure is given the answers of its transcript
/// again, and stops where it asks for anything else: that shows what the code made of them, and not that the world gave
/// them. Tells whether there was a run to compare that came to its own end.
pub async fn replay(
    sandbox: &Sandbox,
    bundle: &Bundle,
    receipt: &Receipt,
    code: Code<'_>,
    report: &mut Report,
) -> bool {
    let digest = Digest::of(code.component);
    report.add(Level::L2, "component", digest == receipt.component, digest.to_string());
    let files = code.files.map(Files::digest);
    if files.is_some() || receipt.files.is_some() {
        let found = files.map_or_else(|| "there are none".to_owned(), |files| files.to_string());
        report.add(Level::L2, "files", files == receipt.files, found);
    }
    for (release, component) in receipt.linked_components() {
        let found = code.dependencies.iter().any(|bytes| Digest::of(bytes) == component);
        if !found {
            report.add(Level::L2, "dependency", false, format!("the component of {release} is not there"));
        }
    }
    let profile = Profile::current();
    report.add(
        Level::L2,
        "profile",
        profile.digest() == receipt.profile,
        format!("{} {}", profile.id, profile.digest()),
    );
    let replayable = receipt.pure || bundle.opening.transcript.is_some();
    let part = match (receipt.pure, &bundle.opening.transcript) {
        (true, _) => "nothing outside took part".to_owned(),
        (false, Some(transcript)) => {
            format!("{} answers from outside are taken from the transcript", transcript.entries().len())
        }
        (false, None) => "the host took part, and its answers are not in the bundle".to_owned(),
    };
    report.add(Level::L2, "outside", replayable, part);
    if report.checks.iter().any(|check| check.level == Level::L2 && !check.holds) {
        return false;
    }
    match run(sandbox, bundle, receipt, code).await {
        Ok(run) => {
            compare(bundle, receipt, &run, report);
            !matches!(&run.outcome, RunOutcome::Failed(failure) if !failure.kind.deterministic())
        }
        Err(error) => {
            report.add(Level::L2, "re-execution", false, error);
            false
        }
    }
}

async fn run(sandbox: &Sandbox, bundle: &Bundle, receipt: &Receipt, code: Code<'_>) -> Result<Run, String> {
    let ty = &bundle.opening.function_type;
    let args = json::args_from_json(ty, &bundle.opening.args).map_err(|error| error.to_string())?;
    let grants =
        Grants::parse(receipt.grants.iter().map(String::as_str)).map_err(|error| error.to_string())?;
    let (compiler, digest, bytes) = (sandbox.clone(), receipt.component, code.component.to_vec());
    let (linked, components) = (receipt.dependencies.clone(), code.dependencies.to_vec());
    let compose = move || {
        let dependencies = compose(&compiler, &bytes, &linked, &components)?;
        compiler.compose(digest, &bytes, &grants, dependencies).map_err(|error| error.to_string())
    };
    let prepared = tokio::task::spawn_blocking(compose).await.map_err(|error| error.to_string())??;
    let limits = RunLimits {
        fuel: receipt.fuel_max,
        memory_bytes: usize::try_from(receipt.memory_bytes_max).unwrap_or(usize::MAX),
        ..RunLimits::default()
    };
    let files = code.files.map(|files| Arc::new(file_set(files)));
    let mut invocation = Invocation::new(&receipt.function, ty, args.into(), limits);
    invocation.files = files.as_ref();
    if let Some(transcript) = &bundle.opening.transcript {
        invocation.effects = Effects::Replay(transcript);
    }
    Ok(sandbox.run(&prepared, invocation, Flow::new("replay", receipt.component.to_string())).await)
}

/// Links dependencies of a component as a receipt says that they were.
fn compose(
    sandbox: &Sandbox,
    importer: &[u8],
    linked: &[Linked],
    components: &[Vec<u8>],
) -> Result<Vec<Dependency>, String> {
    check_functions(importer, linked)?;
    let compose = |linked: &Linked| {
        let bytes = components.iter().find(|bytes| Digest::of(bytes) == linked.component);
        let bytes = bytes.ok_or_else(|| format!("the component of {} is not there", linked.release))?;
        let grants = linked.grants.iter().map(String::as_str);
        let grants = Grants::parse(grants).map_err(|error| error.to_string())?;
        let below = compose(sandbox, bytes, &linked.dependencies, components)?;
        let prepared = sandbox.compose(linked.component, bytes, &grants, below);
        Ok(Dependency {
            name: linked.release.to_string().into(),
            prepared: prepared.map_err(|error| error.to_string())?,
            memory_bytes: usize::try_from(linked.memory_bytes_max).unwrap_or(usize::MAX),
            calls_max: linked.calls_max,
        })
    };
    linked.iter().map(compose).collect()
}

/// Checks that a component imports the functions whose prices a receipt counts into the ceiling.
fn check_functions(importer: &[u8], linked: &[Linked]) -> Result<(), String> {
    let mut functions = linked.iter().flat_map(|linked| &linked.functions).peekable();
    if functions.peek().is_none() {
        return Ok(());
    }
    let imports = inspect(importer).map_err(|error| error.to_string())?.imports;
    let is_imported = |function: &FunctionName| {
        let from = |import: &&Import| Some(import.interface.as_str()) == function.interface();
        imports
            .iter()
            .filter(from)
            .any(|import| import.functions.iter().any(|name| name == function.function()))
    };
    match functions.find(|function| !is_imported(function)) {
        None => Ok(()),
        Some(function) => Err(format!("`{function}` is not imported, and its price is in the ceiling")),
    }
}

/// The checks that say whether a run came to the same.
const COMPARED: [&str; 4] = ["re-execution", "events", "fuel", "calls of dependencies"];

/// What running a call again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// The same, to the bit and to the unit.
    Same,
    /// Something else: the receipt is wrong.
    Different,
    /// Nothing that could be compared: it could not be run, or the machine ended it.
    Undecided,
}

/// Runs the call of `bundle` again, into `report`, and says whether that contradicts its receipt.
pub async fn rerun(
    sandbox: &Sandbox,
    bundle: &Bundle,
    receipt: &Receipt,
    code: Code<'_>,
    report: &mut Report,
) -> Rerun {
    let decided = replay(sandbox, bundle, receipt, code, report).await;
    let mut compared = report.checks.iter().filter(|check| COMPARED.contains(&check.name.as_str()));
    match decided && is_decided(&receipt.outcome) {
        false => Rerun::Undecided,
        true if compared.all(|check| check.holds) => Rerun::Same,
        true => Rerun::Different,
    }
}

fn compare(bundle: &Bundle, receipt: &Receipt, run: &Run, report: &mut Report) {
    let ty = &bundle.opening.function_type;
    let Some(salt) = bundle.opening.salt_bytes() else {
        return report.add(Level::L2, "re-execution", false, "the salt is not 64 hexadecimal digits");
    };
    match (&run.outcome, &receipt.outcome) {
        (RunOutcome::Returned(value), Outcome::Returned { output }) => {
            let found = Opening::output_digest(&salt, ty, value.as_ref());
            let same = found.as_ref().is_ok_and(|found| found == output);
            let detail = if same { "the same output, bit for bit" } else { "another output" };
            report.add(Level::L2, "re-execution", same, detail);
        }
        (RunOutcome::Failed(failure), Outcome::Failed { failure: expected, .. }) => {
            let found = failure.kind.name();
            report.add(Level::L2, "re-execution", found == expected, format!("failed with `{found}`"));
        }
        (RunOutcome::Returned(_), Outcome::Failed { failure, .. }) => {
            report.add(
                Level::L2,
                "re-execution",
                false,
                format!("returned, where the receipt says `{failure}`"),
            );
        }
        (RunOutcome::Failed(failure), Outcome::Returned { .. }) => {
            let found = format!("failed with `{}`: {}", failure.kind.name(), failure.message);
            report.add(Level::L2, "re-execution", false, found);
        }
    }
    if !receipt.dependencies.is_empty() {
        // What the receipt compares them with is no part of the run.
        let ran = receipt.inner.iter().map(|node| Node { fuel_baseline: None, ..node.clone() });
        let same = nodes(&run.inner, &receipt.dependencies).is_some_and(|nodes| ran.eq(nodes));
        let detail = if same { "the same calls for the same fuel" } else { "other calls, or other fuel" };
        report.add(Level::L2, "calls of dependencies", same, detail);
    }
    if !(run.events.is_empty() && receipt.events.is_empty()) {
        let detail = format!("{} kinds of event", run.events.len());
        report.add(Level::L2, "events", run.events == receipt.events, detail);
    }
    let detail = format!("{} fuel again, {} on the receipt", run.fuel_used, receipt.fuel_used);
    report.add(Level::L2, "fuel", run.fuel_used.min(receipt.fuel_max) == receipt.fuel_used, detail);
}
