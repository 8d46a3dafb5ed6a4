//! Runs one function of a prepared component in a fresh instance.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glassbox_core::value::{FunctionType, Type, Value, binary};
use glassbox_core::{FunctionName, limits};
use tokio::sync::oneshot;
use wasmtime::component::{ComponentExportIndex, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::engine::Inner;
use crate::link::NotGranted;
use crate::meter::{Guest, Meter};
use crate::{Prepared, Sandbox, convert};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// The function, by its full name.
    pub function: &'a FunctionName,
    /// Its type, from the WIT that the component was checked against.
    pub ty: &'a FunctionType,
    /// Its arguments.
    pub args: &'a [Value],
    /// How far it may go.
    pub limits: RunLimits,
}

/// How far one run may go. More than the profile allows is cut down to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The time on the wall clock was up.
    TimedOut,
    /// The component exports no such function, or one of another type.
    NoSuchFunction,
    /// The arguments are not of the function's type.
    BadArguments,
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
            Self::TimedOut => "timed-out",
            Self::NoSuchFunction => "no-such-function",
            Self::BadArguments => "bad-arguments",
            Self::Internal => "internal",
        }
    }

    /// Tells whether the same call would fail in the same way on any machine.
    ///
    /// Where a stack ends depends on the compiler, when time is up on the machine's load.
    pub fn deterministic(self) -> bool {
        !matches!(self, Self::StackExhausted | Self::TimedOut | Self::Internal)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Failure {
    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Tells whether the same call would fail in the same way on any machine.
    pub fn deterministic(&self) -> bool {
        self.kind.deterministic()
    }
}

impl Sandbox {
    /// Runs one function in a fresh instance. Everything that can happen is in the [`Run`].
    ///
    /// The guest runs on a thread of the runtime's blocking pool, at most [`threads`](crate::SandboxConfig::threads)
    /// at a time; this waits its turn without holding up anything else. Dropping the future ends the guest at its next
    /// yield. Needs a tokio runtime with its timer enabled.
    pub async fn run(&self, prepared: &Arc<Prepared>, invocation: Invocation<'_>) -> Run {
        let pure = prepared.is_pure();
        let never_started = |failure| Run {
            outcome: Outcome::Failed(failure),
            fuel_used: 0,
            memory_peak_bytes: 0,
            elapsed: Duration::ZERO,
            pure,
        };
        let permit = self.inner.permits.clone().acquire_owned().await;
        let job = Job {
            sandbox: self.clone(),
            prepared: prepared.clone(),
            function: invocation.function.clone(),
            ty: invocation.ty.clone(),
            args: invocation.args.to_vec(),
            limits: invocation.limits.capped(),
        };
        // The sender lives in this future, so that the guest learns when nobody waits for it any more.
        let (_waiting, abandoned) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            let run = runtime.block_on(job.run(abandoned));
            drop(permit);
            run
        });
        match thread.await {
            Ok(run) => run,
            Err(error) => {
                tracing::error!("A sandbox thread ended early: {error}");
                never_started(Failure::new(FailureKind::Internal, "the sandbox failed"))
            }
        }
    }
}

/// One run with all that it needs, so that it can move to another thread.
struct Job {
    sandbox: Sandbox,
    prepared: Arc<Prepared>,
    function: FunctionName,
    ty: FunctionType,
    args: Vec<Value>,
    limits: RunLimits,
}

/// What the guest left behind.
struct Ended {
    result: Result<Option<Value>, Failure>,
    fuel_used: u64,
    memory_peak_bytes: usize,
}

impl Job {
    async fn run(self, abandoned: oneshot::Receiver<()>) -> Run {
        let started = Instant::now();
        let pure = self.prepared.is_pure();
        let ended = self.guest(abandoned).await;
        Run {
            outcome: ended.result.map_or_else(Outcome::Failed, Outcome::Returned),
            fuel_used: ended.fuel_used,
            memory_peak_bytes: ended.memory_peak_bytes,
            elapsed: started.elapsed(),
            pure,
        }
    }

    async fn guest(self, abandoned: oneshot::Receiver<()>) -> Ended {
        let refused = |failure, fuel_used| Ended { result: Err(failure), fuel_used, memory_peak_bytes: 0 };
        let lowered_bytes = match binary::encode_args(&self.ty, &self.args) {
            Ok(bytes) => bytes.len(),
            Err(error) => return refused(Failure::new(FailureKind::BadArguments, error.to_string()), 0),
        };
        let Some(index) = self.prepared.function(&self.function) else {
            let message = format!("the component does not export {:?}", self.function);
            return refused(Failure::new(FailureKind::NoSuchFunction, message), 0);
        };
        let profile = self.sandbox.inner.profile;
        let Some(fuel) = self.limits.fuel.checked_sub(profile.host_fuel(lowered_bytes, 0)) else {
            return refused(out_of_fuel(), self.limits.fuel);
        };
        let mut store = match self.store(fuel) {
            Ok(store) => store,
            Err(error) => return refused(internal(&error), 0),
        };
        let args = self.args.into_iter().zip(&self.ty.params);
        let args: Vec<_> = args.map(|(value, param)| convert::to_engine(value, &param.ty)).collect();
        let returns = self.ty.result.is_some();
        let ended = {
            let call = call(&mut store, &self.prepared, index, &args, returns);
            let wall = Duration::from_millis(self.limits.wall_ms);
            tokio::select! {
                biased;
                ended = tokio::time::timeout(wall, call) => ended.unwrap_or(Err(Stop::TimedOut)),
                _ = abandoned => Err(Stop::Abandoned),
            }
        };
        let engine_fuel = fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let memory = &store.data().memory;
        let returned = ended.map_err(|stop| stop.failure(memory)).and_then(|val| {
            let value = lift(val, self.ty.result.as_ref())?;
            let lifted_bytes = measure(&self.ty, value.as_ref(), self.limits.output_bytes)?;
            let used = profile.host_fuel(lowered_bytes, lifted_bytes).saturating_add(engine_fuel);
            if used <= self.limits.fuel { Ok((value, used)) } else { Err(out_of_fuel()) }
        });
        let memory_peak_bytes = memory.peak_bytes();
        match returned {
            Ok((value, fuel_used)) => Ended { result: Ok(value), fuel_used, memory_peak_bytes },
            Err(failure) => {
                let fuel_used = match failure.kind {
                    FailureKind::OutOfFuel => self.limits.fuel,
                    // The engine last looked up to one interval ago, so the work since then is added in full.
                    _ => profile
                        .host_fuel(lowered_bytes, 0)
                        .saturating_add(engine_fuel)
                        .saturating_add(profile.trap.yield_interval)
                        .min(self.limits.fuel),
                };
                Ended { result: Err(failure), fuel_used, memory_peak_bytes }
            }
        }
    }

    /// Makes the store of a guest, with every limit set before any of its code can run: a component may already loop
    /// in its start function.
    fn store(&self, fuel: u64) -> wasmtime::Result<Store<Guest>> {
        let Inner { engine, profile, .. } = &*self.sandbox.inner;
        let meter = Meter::new(self.limits.memory_bytes, self.limits.table_elements);
        let mut store = Store::new(engine, Guest::new(meter, !self.prepared.grants().is_empty()));
        store.limiter(|guest| &mut guest.memory);
        store.set_fuel(fuel)?;
        store.fuel_async_yield_interval(Some(profile.trap.yield_interval))?;
        store.set_hostcall_fuel(handed_out_max(self.ty.result.as_ref(), self.limits.output_bytes));
        Ok(store)
    }
}

/// Why a guest stopped without a result.
enum Stop {
    TimedOut,
    Abandoned,
    NoSuchFunction(&'static str),
    Instantiating(wasmtime::Error),
    Calling(wasmtime::Error),
}

async fn call(
    store: &mut Store<Guest>,
    prepared: &Prepared,
    index: ComponentExportIndex,
    args: &[Val],
    returns: bool,
) -> Result<Option<Val>, Stop> {
    let instance = prepared.pre.instantiate_async(&mut *store).await.map_err(Stop::Instantiating)?;
    let Some(function) = instance.get_func(&mut *store, index) else {
        return Err(Stop::NoSuchFunction(
            "the component exports something else than a function by this name",
        ));
    };
    let ty = function.ty(&*store);
    if ty.params().len() != args.len() || ty.results().len() != usize::from(returns) {
        return Err(Stop::NoSuchFunction("the component exports this function with another type"));
    }
    let mut results = vec![Val::Bool(false); usize::from(returns)];
    function.call_async(&mut *store, args, &mut results).await.map_err(Stop::Calling)?;
    Ok(results.pop())
}

impl Stop {
    fn failure(self, memory: &Meter) -> Failure {
        let (error, instantiating) = match self {
            Stop::TimedOut => {
                return Failure::new(FailureKind::TimedOut, "the time on the wall clock was up");
            }
            Stop::Abandoned => {
                return Failure::new(FailureKind::TimedOut, "nobody waited for the result any more");
            }
            Stop::NoSuchFunction(message) => return Failure::new(FailureKind::NoSuchFunction, message),
            Stop::Instantiating(error) => (error, true),
            Stop::Calling(error) => (error, false),
        };
        if let Some(refusal) = error.downcast_ref::<NotGranted>() {
            return Failure::new(FailureKind::NotGranted, refusal.to_string());
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return match trap {
                Trap::OutOfFuel => out_of_fuel(),
                Trap::StackOverflow => Failure::new(FailureKind::StackExhausted, trap.to_string()),
                trap => Failure::new(FailureKind::Trap, trap.to_string()),
            };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return internal(&error);
        }
        let message = error.root_cause().to_string();
        // The engine's error for this has no public type.
        if message.contains("fuel allocated for hostcalls has been exhausted") {
            return Failure::new(FailureKind::OutputRefused, "the guest handed out more data than it may");
        }
        match (instantiating, memory.refused()) {
            (true, true) => {
                Failure::new(FailureKind::MemoryExceeded, "the component needs more memory than it may have")
            }
            (true, false) => internal(&error),
            (false, _) => Failure::new(FailureKind::Trap, message),
        }
    }
}

fn out_of_fuel() -> Failure {
    Failure::new(FailureKind::OutOfFuel, Trap::OutOfFuel.to_string())
}

fn internal(error: &wasmtime::Error) -> Failure {
    tracing::error!("The engine failed: {error:#}");
    Failure::new(FailureKind::Internal, "the sandbox failed")
}

fn lift(val: Option<Val>, ty: Option<&Type>) -> Result<Option<Value>, Failure> {
    let value = match (val, ty) {
        (Some(val), Some(ty)) => Some(convert::from_engine(val, ty)),
        _ => None,
    };
    value.transpose().map_err(|error| Failure::new(FailureKind::NoSuchFunction, error.to_string()))
}

/// Returns how many bytes the result has in the canonical encoding, if that is allowed.
fn measure(ty: &FunctionType, value: Option<&Value>, output_bytes: usize) -> Result<usize, Failure> {
    match binary::encode_result(ty, value) {
        Ok(bytes) if bytes.len() <= output_bytes => Ok(bytes.len()),
        Ok(bytes) => {
            let message = format!("the result has {} bytes; at most {output_bytes} are allowed", bytes.len());
            Err(Failure::new(FailureKind::OutputRefused, message))
        }
        // A result of our own type fails only by its depth or number of nodes.
        Err(error) => Err(Failure::new(FailureKind::OutputRefused, error.to_string())),
    }
}

/// Returns the engine's limit for what the guest hands out, in bytes of the host's memory.
///
/// Every element of a list takes a whole [`Val`] there, so a limit of `output_bytes` alone would refuse a fortieth of
/// what is allowed. It is bounded all the same; the bytes themselves are counted exactly when they are here.
fn handed_out_max(result: Option<&Type>, output_bytes: usize) -> usize {
    const HOST_BYTES_MAX: usize = 128 * 1024 * 1024;
    match result.is_some_and(holds_list) {
        true => output_bytes.saturating_mul(size_of::<Val>()).min(HOST_BYTES_MAX.max(output_bytes)),
        false => output_bytes,
    }
}

fn holds_list(ty: &Type) -> bool {
    match ty {
        Type::List(_) | Type::FixedList(..) | Type::Map(..) => true,
        Type::Record(fields) => fields.iter().any(|field| holds_list(&field.ty)),
        Type::Tuple(types) => types.iter().any(holds_list),
        Type::Variant(cases) => cases.iter().filter_map(|case| case.ty.as_ref()).any(holds_list),
        Type::Option(some) => holds_list(some),
        Type::Result { ok, err } => [ok, err].into_iter().flatten().any(|ty| holds_list(ty)),
        _ => false,
    }
}
