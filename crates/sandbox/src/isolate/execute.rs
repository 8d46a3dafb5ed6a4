//! Running in a child: what is said over its pipes, and what the child does.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glassbox_core::profile::Profile;
use glassbox_core::value::{FunctionType, binary};
use glassbox_core::{Digest, FunctionName, limits};
use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;

use super::confine::{Confinement, confine, leave_ending_to_the_parent, volunteer_to_die};
use super::frame;
use crate::artifact::{Artifacts, KEY_BYTES};
use crate::engine::Purpose;
use crate::pool::Engines;
use crate::{
    Codegen, Dependency, Failure, FailureKind, Flow, Grants, InnerCalls, Invocation, Outcome, Prepared, Run,
    RunLimits, Sandbox, SandboxConfig, SandboxError,
};

/// The first message to a child. The key of the artefacts is its body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) artifact_dir: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) codegen: Codegen,
    pub(crate) pool: bool,
    pub(crate) threads: usize,
    pub(crate) active: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) hot_bytes: usize,
}

/// What a child is asked from then on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// To run a function. Its arguments, encoded, are the body.
    Run { id: u64, call: Box<Call> },
    /// To end a run that nobody waits for any more.
    Drop { id: u64 },
}

/// A run, but for its arguments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) component: Part,
    pub(super) function: FunctionName,
    pub(super) ty: FunctionType,
    pub(super) limits: RunLimits,
    pub(super) payer: String,
    pub(super) package: String,
    pub(super) marked: bool,
}

/// A component and what it is composed of. None of it has grants.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    digest: Digest,
    dependencies: Vec<DependencyPart>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DependencyPart {
    name: String,
    part: Part,
    memory_bytes: usize,
    calls_max: Option<u64>,
}

impl Part {
    pub(super) fn of(prepared: &Prepared) -> Self {
        let dependency = |dependency: &Dependency| DependencyPart {
            name: dependency.name.to_string(),
            part: Part::of(&dependency.prepared),
            memory_bytes: dependency.memory_bytes,
            calls_max: dependency.calls_max,
        };
        let dependencies = prepared.dependencies().iter().map(dependency).collect();
        Self { digest: prepared.digest(), dependencies }
    }

    /// Returns it where it is prepared already.
    fn prepared(&self, sandbox: &Sandbox) -> Option<Arc<Prepared>> {
        let dependency = |dependency: &DependencyPart| {
            Some(Dependency {
                name: dependency.name.as_str().into(),
                prepared: dependency.part.prepared(sandbox)?,
                memory_bytes: dependency.memory_bytes,
                calls_max: dependency.calls_max,
            })
        };
        let dependencies: Option<Vec<_>> = self.dependencies.iter().map(dependency).collect();
        sandbox.prepared(self.digest, &Grants::none(), &dependencies?)
    }

    /// Prepares it. What the parent has prepared lies in the directory, so its bytes are not needed.
    fn prepare(&self, sandbox: &Sandbox) -> Result<Arc<Prepared>, SandboxError> {
        let dependency = |dependency: &DependencyPart| {
            Ok(Dependency {
                name: dependency.name.as_str().into(),
                prepared: dependency.part.prepare(sandbox)?,
                memory_bytes: dependency.memory_bytes,
                calls_max: dependency.calls_max,
            })
        };
        let dependencies = self.dependencies.iter().map(dependency).collect::<Result<_, SandboxError>>()?;
        sandbox.compose(self.digest, &[], &Grants::none(), dependencies)
    }
}

/// Why a run did not return.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ending {
    kind: FailureKind,
    message: String,
    dependency: Option<String>,
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is ready, and has to do without these barriers.
    Ready { missing: Vec<String> },
    /// A run has ended. The result of one that returned, encoded, is the body.
    Ended {
        id: u64,
        /// Why it did not return, where it did not.
        failure: Option<Ending>,
        fuel_used: u64,
        memory_peak_bytes: usize,
        elapsed: Duration,
        inner: Vec<InnerCalls>,
        reached: BTreeSet<u32>,
    },
}

/// Runs guests for a parent that uses [`Executor::Processes`](crate::Executor::Processes), until that hangs up.
///
/// Speaks on the standard streams and gives up the rights of this process: a `main` calls it before anything else, and
/// returns what it returns.
pub fn execute_worker() -> ExitCode {
    leave_ending_to_the_parent();
    match serve(&mut io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "the executor cannot work: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(from: &mut impl Read) -> io::Result<()> {
    let (start, key_bytes): (Start, usize) = frame::read_head(from)?;
    let key = frame::read_body(from, key_bytes.min(KEY_BYTES))?;
    let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| io::Error::other("the key is cut off"))?;
    let profile = Profile::current();
    let Start { codegen, pool, threads, active, memory_bytes, hot_bytes, .. } = start;
    let config =
        SandboxConfig { codegen, pool, threads, active, memory_bytes, hot_bytes, ..SandboxConfig::default() };
    let engines = Engines::new(profile, &config, Purpose::Run).map_err(io::Error::other)?;
    volunteer_to_die();
    // Before there is any other thread, and before any guest's code is loaded.
    let missing = confine(Confinement::Execute { artifact_dir: &start.artifact_dir });
    let artifacts = Artifacts::with_key(start.artifact_dir, key, start.fingerprint);
    let sandbox = Sandbox::assemble(config, engines, Some(artifacts)).map_err(io::Error::other)?;
    // Only hands results on: guests have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;

    let say = move |answer: &Answer, body: &[u8]| {
        // A parent that does not listen has gone, and is about to end this process too.
        let _ = frame::write(&mut io::stdout().lock(), answer, body);
    };
    say(&Answer::Ready { missing: missing.into_iter().map(str::to_owned).collect() }, &[]);
    let running = Running::default();
    loop {
        let (ask, body_bytes): (Ask, usize) = match frame::read_head(from) {
            Ok(ask) => ask,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let args = frame::read_body(from, body_bytes)?;
        match ask {
            Ask::Drop { id } => {
                if let Some(handle) = running.lock().remove(&id) {
                    handle.abort();
                }
            }
            Ask::Run { id, call } => {
                let (sandbox, also_running) = (sandbox.clone(), running.clone());
                // Held until the handle is in its place, or a short run could end before that and leave it there.
                let mut running = running.lock();
                let task = runtime.spawn(async move {
                    let run = run(&sandbox, &call, &args).await;
                    also_running.lock().remove(&id);
                    let (answer, body) = answer(id, &call.ty, run);
                    say(&answer, &body);
                });
                running.insert(id, task.abort_handle());
            }
        }
    }
}

/// The runs that can still be dropped.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<u64, AbortHandle>>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(sandbox: &Sandbox, call: &Call, args: &[u8]) -> Result<Run, Failure> {
    let internal = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Internal, format!("the executor cannot start this run: {error}"))
    };
    let prepared = match call.component.prepared(sandbox) {
        Some(prepared) => prepared,
        // Reading a large one takes long, and others want to start meanwhile.
        None => tokio::task::block_in_place(|| call.component.prepare(sandbox))
            .map_err(|error| internal(&error))?,
    };
    let args = binary::decode_args(&call.ty, args).map_err(|error| internal(&error))?;
    let flow = Flow::new(call.payer.as_str(), call.package.as_str());
    let invocation = Invocation {
        marked: call.marked,
        ..Invocation::new(&call.function, &call.ty, args.into(), call.limits)
    };
    Ok(sandbox.run(&prepared, invocation, flow).await)
}

fn answer(id: u64, ty: &FunctionType, run: Result<Run, Failure>) -> (Answer, Vec<u8>) {
    let (outcome, fuel_used, memory_peak_bytes, elapsed, inner, reached) = match run {
        Ok(run) => (run.outcome, run.fuel_used, run.memory_peak_bytes, run.elapsed, run.inner, run.reached),
        Err(failure) => (Outcome::Failed(failure), 0, 0, Duration::ZERO, Vec::new(), BTreeSet::new()),
    };
    let encoded = match outcome {
        Outcome::Returned(value) => binary::encode_result(ty, value.as_ref())
            // It was measured in this encoding before it was let out.
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string())),
        Outcome::Failed(failure) => Err(failure),
    };
    let (failure, body) = match encoded {
        Ok(body) => (None, body),
        Err(Failure { kind, message, dependency }) => {
            let dependency = dependency.map(|name| name.to_string());
            (Some(Ending { kind, message, dependency }), Vec::new())
        }
    };
    (Answer::Ended { id, failure, fuel_used, memory_peak_bytes, elapsed, inner, reached }, body)
}

/// Reads the outcome of an [`Answer::Ended`].
pub(super) fn outcome(ty: &FunctionType, failure: Option<Ending>, body: &[u8]) -> Outcome {
    match failure {
        Some(Ending { kind, message, dependency }) => {
            let message = message.chars().take(MESSAGE_CHARS_MAX).collect();
            Outcome::Failed(Failure { kind, message, dependency: dependency.map(Into::into) })
        }
        None => match binary::decode_result(ty, body) {
            Ok(value) => Outcome::Returned(value),
            Err(error) => {
                tracing::error!("An executor returned what is not of the type: {error}");
                Outcome::Failed(Failure::new(FailureKind::Internal, "the sandbox failed"))
            }
        },
    }
}

/// How much of a failure's message is taken over, in characters. The engine's own are shorter.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// The longest body of an answer, in bytes.
pub(super) const RESULT_BYTES_MAX: usize = limits::OUTPUT_BYTES_MAX;
