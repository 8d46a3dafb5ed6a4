//! One guest from its store to its end: the part of a run that happens on the guest's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use glassbox_core::FunctionName;
use glassbox_core::profile::HostWork;
use glassbox_core::transcript::Transcript;
use glassbox_core::value::{FunctionType, Type, Value, binary};
use tokio::sync::oneshot;
use wasmtime::component::{ComponentExportIndex, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::engine::Inner;
use crate::host::Host;
use crate::host::entry::Entry;
use crate::host::observer::{Diverged, Observer};
use crate::host::tree::Tree;
use crate::link::NotGranted;
use crate::meter::{Guest, Meter};
use crate::{Failure, FailureKind, FileSet, Outcome, Prepared, Run, RunLimits, Sandbox};

/// One run with all that it needs, so that it can move to another thread.
pub(crate) struct Job {
    pub(crate) sandbox: Sandbox,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) function: FunctionName,
    pub(crate) ty: FunctionType,
    pub(crate) args: Vec<Value>,
    pub(crate) limits: RunLimits,
    pub(crate) files: FileSet,
}

/// What the guest left behind.
struct Ended {
    result: Result<Option<Value>, Failure>,
    fuel_used: u64,
    memory_peak_bytes: usize,
    transcript: Transcript,
}

impl Job {
    /// Runs the guest to its end, or until nobody waits for it any more.
    pub(crate) async fn run(self, observer: Observer, abandoned: oneshot::Receiver<()>) -> Run {
        let started = Instant::now();
        let pure = self.prepared.is_pure();
        let ended = self.guest(observer, abandoned).await;
        Run {
            outcome: ended.result.map_or_else(Outcome::Failed, Outcome::Returned),
            fuel_used: ended.fuel_used,
            memory_peak_bytes: ended.memory_peak_bytes,
            elapsed: started.elapsed(),
            pure,
            transcript: (!pure).then_some(ended.transcript),
        }
    }

    async fn guest(self, observer: Observer, abandoned: oneshot::Receiver<()>) -> Ended {
        let refused = |failure, fuel_used| Ended {
            result: Err(failure),
            fuel_used,
            memory_peak_bytes: 0,
            transcript: Transcript::new(),
        };
        let encoded = match binary::encode_args(&self.ty, &self.args) {
            Ok(bytes) => bytes,
            Err(error) => return refused(Failure::new(FailureKind::BadArguments, error.to_string()), 0),
        };
        let lowered = HostWork { values: self.args.iter().map(Value::count).sum(), bytes: encoded.len() };
        let Some(index) = self.prepared.function(&self.function) else {
            let message = format!("the component does not export {:?}", self.function);
            return refused(Failure::new(FailureKind::NoSuchFunction, message), 0);
        };
        let entry = Entry::of_name(&self.function);
        if entry.made().is_some_and(|made| made.ty != self.ty) {
            let message = "the component exports this function with another type";
            return refused(Failure::new(FailureKind::NoSuchFunction, message), 0);
        }
        let profile = self.sandbox.inner.profile;
        let Some(fuel) = self.limits.fuel.checked_sub(profile.host_fuel(lowered, HostWork::default())) else {
            return refused(out_of_fuel(), self.limits.fuel);
        };
        let mut host = Host::new(fuel, self.prepared.shared_grants(), observer);
        if let Err(failure) = self.provide(&mut host, &encoded) {
            return refused(failure, 0);
        }
        let mut store = match self.store(fuel, host) {
            Ok(store) => store,
            Err(error) => return refused(internal(&error), 0),
        };
        let host = &mut store.data_mut().host;
        let args = match entry.enter(host, &self.ty, self.args, &self.files, self.limits.output_bytes) {
            Ok(args) => args,
            Err(failure) => return refused(failure, 0),
        };
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
        let Guest { memory, host } = store.data_mut();
        // The engine cannot count what the host did.
        let engine_fuel = engine_fuel.saturating_add(host.work.fuel_used());
        let ended = ended.or_else(|stop| stop.exit(entry)).map_err(|stop| stop.failure(memory));
        let returned = ended.and_then(|val| {
            let value = entry.leave(host, &self.ty, val, self.limits.output_bytes)?;
            let lifted = measure(&self.ty, value.as_ref(), self.limits.output_bytes)?;
            let used = profile.host_fuel(lowered, lifted).saturating_add(engine_fuel);
            if used <= self.limits.fuel { Ok((value, used)) } else { Err(out_of_fuel()) }
        });
        let returned = match host.observer.check_end() {
            // A run that was cut short left nothing undone that it could have done.
            Err(diverged) if !matches!(&returned, Err(failure) if !failure.deterministic()) => {
                Err(Failure::new(FailureKind::Diverged, diverged.to_string()))
            }
            _ => returned,
        };
        let memory_peak_bytes = memory.peak_bytes();
        let transcript = host.observer.take();
        match returned {
            Ok((value, fuel_used)) => Ended { result: Ok(value), fuel_used, memory_peak_bytes, transcript },
            Err(failure) => {
                let fuel_used = match failure.kind {
                    FailureKind::OutOfFuel => self.limits.fuel,
                    // The engine last looked up to one interval ago, so the work since then is added in full.
                    _ => profile
                        .host_fuel(lowered, HostWork::default())
                        .saturating_add(engine_fuel)
                        .saturating_add(profile.trap.yield_interval)
                        .min(self.limits.fuel),
                };
                Ended { result: Err(failure), fuel_used, memory_peak_bytes, transcript }
            }
        }
    }

    /// Gives the host what the component may ask it for; `args` are the call's arguments in the canonical encoding.
    fn provide(&self, host: &mut Host, args: &[u8]) -> Result<(), Failure> {
        if self.prepared.is_provided("wasi:random") {
            host.seed(&self.function, args);
        }
        if self.prepared.is_provided("wasi:filesystem") {
            // The files of a release were checked when it was published.
            let tree = Tree::new(self.files.clone());
            host.plant(tree.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?);
        }
        Ok(())
    }

    /// Makes the store of a guest, with every limit set before any of its code can run: a component may already loop
    /// in its start function.
    fn store(&self, fuel: u64, host: Host) -> wasmtime::Result<Store<Guest>> {
        let Inner { engine, profile, .. } = &*self.sandbox.inner;
        let meter = Meter::new(self.limits.memory_bytes, self.limits.table_elements);
        let mut store = Store::new(engine, Guest { memory: meter, host });
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
    /// Returns the status of a guest that ended itself, where that is a way to return.
    fn exit(self, entry: Entry) -> Result<Option<Val>, Stop> {
        let status = match &self {
            Stop::Instantiating(error) | Stop::Calling(error) => entry.exit_status(error),
            _ => None,
        };
        status.map_or(Err(self), |status| Ok(Some(status)))
    }

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
        if let Some(diverged) = error.downcast_ref::<Diverged>() {
            return Failure::new(FailureKind::Diverged, diverged.to_string());
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

/// Measures the result, and refuses it if it has more bytes in the canonical encoding than allowed.
fn measure(ty: &FunctionType, value: Option<&Value>, output_bytes: usize) -> Result<HostWork, Failure> {
    match binary::encode_result(ty, value) {
        Ok(bytes) if bytes.len() <= output_bytes => {
            Ok(HostWork { values: value.map_or(0, Value::count), bytes: bytes.len() })
        }
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
