//! Runs one function of a prepared component in a fresh instance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use glassbox_core::transcript::Transcript;
use glassbox_core::value::{FunctionType, Value};
use glassbox_core::{FunctionName, limits};
use serde::{Deserialize, Serialize};

use crate::guest::{Job, Outside};
use crate::host::entry::Entry;
use crate::host::observer::{Effects, Source};
use crate::schedule::NotRun;
use crate::{FileSet, Flow, InnerCalls, Prepared, Sandbox, compose};

/// What to run.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// The function, by its full name.
    pub function: &'a FunctionName,
    /// Its type, from the WIT that the component was checked against.
    pub ty: &'a FunctionType,
    /// Its arguments.
    pub args: Arc<[Value]>,
    /// How far it may go.
    pub limits: RunLimits,
    /// Where the answers of granted interfaces come from.
    pub effects: Effects<'a>,
    /// The files of the release, or `None` where there are none. Only a component that is granted
    /// [`FILES_INTERFACE`](glassbox_core::manifest::FILES_INTERFACE) sees them.
    pub files: Option<&'a Arc<FileSet>>,
    /// The names of the events that it may report, or `None` where it may report any.
    pub events: Option<&'a BTreeSet<String>>,
    /// Whether it is a [`marked`](crate::marked) copy, which tells what places it comes by.
    pub marked: bool,
}

impl<'a> Invocation<'a> {
    /// Makes a live invocation without environment variables and files.
    pub fn new(
        function: &'a FunctionName,
        ty: &'a FunctionType,
        args: Arc<[Value]>,
        limits: RunLimits,
    ) -> Self {
        Self {
            function,
            ty,
            args,
            limits,
            effects: Effects::default(),
            files: None,
            events: None,
            marked: false,
        }
    }
}

/// How far one run may go. More than the profile allows is cut down to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// The most fuel, the host's share included.
    pub fuel: u64,
    /// The most memory over all linear memories, in bytes.
    pub memory_bytes: usize,
    /// The most elements over all tables.
    pub table_elements: usize,
    /// The most data that the guest may hand out, in bytes.
    pub output_bytes: usize,
    /// The longest time on the wall clock, in milliseconds, from when the guest starts.
    pub wall_ms: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            fuel: limits::FUEL_DEFAULT,
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            table_elements: limits::TABLE_ELEMENTS_MAX,
            output_bytes: limits::OUTPUT_BYTES_MAX,
            wall_ms: limits::CALL_WALL_MS_MAX,
        }
    }
}

impl RunLimits {
    /// Cuts each limit down to what anybody may have.
    fn capped(self) -> Self {
        Self {
            fuel: self.fuel.min(limits::FUEL_MAX),
            memory_bytes: self.memory_bytes.min(limits::MEMORY_BYTES_MAX),
            table_elements: self.table_elements.min(limits::TABLE_ELEMENTS_MAX),
            output_bytes: self.output_bytes.min(limits::OUTPUT_BYTES_MAX),
            wall_ms: self.wall_ms.min(limits::CALL_WALL_MS_MAX),
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// The fuel it used, the host's share included. Exact where it returned or ran out; else rounded up as the
    /// profile says. Zero where it never started.
    pub fuel_used: u64,
    /// The most memory it held at a time, in bytes.
    pub memory_peak_bytes: usize,
    /// How long it ran, without waiting in line.
    pub elapsed: Duration,
    /// Whether the component can do nothing but compute.
    pub pure: bool,
    /// What it observed of the world outside until it ended, or `None` where it can observe nothing.
    pub transcript: Option<Transcript>,
    /// What it called of its dependencies, in the order of first calls. What `fuel_used` has beyond theirs is the
    /// component's own.
    pub inner: Vec<InnerCalls>,
    /// What the component reported until it ended, by name.
    pub events: BTreeMap<String, u64>,
    /// How long it waited for answers from outside. No replay can tell.
    pub waited: Duration,
    /// The numbers of the marked places that it came by.
    pub reached: BTreeSet<u32>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It returned, a value or nothing. An `err` of the function's own is a value.
    Returned(Option<Value>),
    /// It did not return.
    Failed(Failure),
}

/// Why a run did not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for people. Says nothing about the host.
    pub message: String,
    /// The [`Dependency`](crate::Dependency) that failed, where it was not the component that was called.
    pub dependency: Option<Arc<str>>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// The fuel was used up.
    OutOfFuel,
    /// The guest trapped, by itself or by handing the host something malformed.
    Trap,
    /// The guest's stack was used up.
    StackExhausted,
    /// The instance needs more memory or tables than it may have before it runs at all.
    MemoryExceeded,
    /// The guest handed out more data than it may.
    OutputRefused,
    /// The guest called something that it was not granted.
    NotGranted,
    /// The guest called a dependency more often, or in more ways, than it may.
    TooManyCalls,
    /// The time on the wall clock was up.
    TimedOut,
    /// No thread became free in time. The guest never started.
    Busy,
    /// The component exports no such function, or one of another type.
    NoSuchFunction,
    /// The arguments are not of the function's type.
    BadArguments,
    /// The run was a replay, and left the transcript that it should follow.
    Diverged,
    /// The host failed; the guest is not to blame.
    Internal,
}

impl FailureKind {
    /// Returns the stable name, in kebab case, that receipts and interfaces carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutOfFuel => "out-of-fuel",
            Self::Trap => "trap",
            Self::StackExhausted => "stack-exhausted",
            Self::MemoryExceeded => "memory-exceeded",
            Self::OutputRefused => "output-refused",
            Self::NotGranted => "not-granted",
            Self::TooManyCalls => "too-many-calls",
            Self::TimedOut => "timed-out",
            Self::Busy => "busy",
            Self::NoSuchFunction => "no-such-function",
            Self::BadArguments => "bad-arguments",
            Self::Diverged => "diverged",
            Self::Internal => "internal",
        }
    }

    /// Tells whether the same call would fail in the same way on any machine.
    ///
    /// Where a stack ends depends on the compiler, when time is up on the machine's load.
    pub fn deterministic(self) -> bool {
        !matches!(self, Self::StackExhausted | Self::TimedOut | Self::Busy | Self::Internal)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), dependency: None }
    }

    /// Tells whether the same call would fail in the same way on any machine.
    pub fn deterministic(&self) -> bool {
        self.kind.deterministic()
    }
}

impl Run {
    /// What came of a run that never started.
    fn never_started(prepared: &Prepared, failure: Failure) -> Self {
        Self {
            outcome: Outcome::Failed(failure),
            fuel_used: 0,
            memory_peak_bytes: 0,
            elapsed: Duration::ZERO,
            pure: prepared.is_pure(),
            transcript: (!prepared.is_pure()).then(Transcript::new),
            inner: Vec::new(),
            events: BTreeMap::new(),
            waited: Duration::ZERO,
            reached: BTreeSet::new(),
        }
    }
}

impl Sandbox {
    /// Runs one function in a fresh instance, on a thread for guests, when it is the turn of `flow`. Everything that can
    /// happen is in the [`Run`]. The thread is one of this process or of another, as [`Executor`](crate::Executor) says.
    ///
    /// Dropping the future ends the guest at its next yield.
    pub async fn run(&self, prepared: &Arc<Prepared>, invocation: Invocation<'_>, flow: Flow) -> Run {
        let elsewhere = prepared.runs_elsewhere() && matches!(invocation.effects, Effects::Live { .. });
        if let Some(executors) = self.inner.executors.as_ref().filter(|_| elsewhere) {
            let invocation = Invocation { limits: invocation.limits.capped(), ..invocation };
            return match prepared.export(invocation.function, invocation.ty) {
                // Apart, or every run in this process would be carried around with room for it.
                Ok(_) => Box::pin(executors.run(prepared, invocation, flow)).await,
                Err(failure) => Run::never_started(prepared, failure),
            };
        }
        let job = match self.job(prepared, invocation) {
            Ok(job) => job,
            Err(failure) => return Run::never_started(prepared, failure),
        };
        let memory_bytes = compose::memory_bytes(job.limits.memory_bytes, prepared.dependencies());
        let run = self.inner.scheduler.run(flow, memory_bytes, || job.run(), |run: &Run| run.fuel_used).await;
        run.unwrap_or_else(|not_run| {
            let failure = match not_run {
                NotRun::Busy => Failure::new(FailureKind::Busy, "no thread became free in time"),
                NotRun::Panicked => Failure::new(FailureKind::Internal, "the sandbox failed"),
            };
            Run::never_started(prepared, failure)
        })
    }

    /// Runs one function like [`run`](Self::run), on the thread that polls this future and without waiting for a turn:
    /// for a program that has nobody else to serve.
    pub async fn run_here(&self, prepared: &Arc<Prepared>, invocation: Invocation<'_>) -> Run {
        match self.job(prepared, invocation) {
            Ok(job) => job.run().await,
            Err(failure) => Run::never_started(prepared, failure),
        }
    }

    fn job(&self, prepared: &Arc<Prepared>, invocation: Invocation<'_>) -> Result<Job, Failure> {
        let export = prepared.export(invocation.function, invocation.ty)?;
        // A transcript must be followed also where nothing can be asked.
        let replays = matches!(invocation.effects, Effects::Replay(transcript) if !transcript.is_empty());
        let outside = replays || export.entry != Entry::Function || prepared.asks_host();
        let outside = outside.then(|| Outside {
            effects: Source::new(invocation.effects),
            files: invocation.files.cloned().unwrap_or_default(),
            client: self.inner.client.clone(),
            events: invocation.events.cloned(),
        });
        let limits = invocation.limits.capped();
        let marked = invocation.marked;
        Ok(Job { prepared: prepared.clone(), export, args: invocation.args, limits, outside, marked })
    }
}
