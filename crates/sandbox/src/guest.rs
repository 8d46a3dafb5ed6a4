//! One guest from its store to its end: the part of a run that happens on the guest's thread.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use glassbox_core::manifest::FILES_INTERFACE;
use glassbox_core::profile::{HostWork, Profile};
use glassbox_core::transcript::Transcript;
use glassbox_core::value::{FunctionType, Type, Value, binary};
use wasmtime::component::{InstancePre, ResourceAny, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::function::Export;
use crate::host::Host;
use crate::host::cli::Exit;
use crate::host::entry::Entry;
use crate::host::events::Events;
use crate::host::http::client::Client;
use crate::host::observer::{Diverged, Observer, Source};
use crate::host::tree::Tree;
use crate::host::{command, service};
use crate::inner::{Call, Failed, Inner, InnerCalls, TooManyCalls};
use crate::link::NotGranted;
use crate::meter::{Guest, Meter, TooMuchCrosses, Whole};
use crate::turn::HostTurns;
use crate::{Failure, FailureKind, FileSet, Outcome, Prepared, Run, RunLimits, compose, convert};

/// One run with all that it needs, so that it can move to another thread.
pub(crate) struct Job {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) export: Arc<Export>,
    pub(crate) args: Arc<[Value]>,
    pub(crate) limits: RunLimits,
    /// `None` where the component asks nothing of the host, which then has nothing to make ready.
    pub(crate) outside: Option<Outside>,
    /// Whether to note the marked places that it comes by.
    pub(crate) marked: bool,
}

/// What the host needs to answer a guest.
pub(crate) struct Outside {
    pub(crate) effects: Source,
    pub(crate) files: Arc<FileSet>,
    pub(crate) client: Arc<Client>,
    /// The names of the events that may be reported, or `None` where any may.
    pub(crate) events: Option<BTreeSet<String>>,
}

/// What the guest left behind.
struct Ended {
    result: Result<Option<Value>, Failure>,
    fuel_used: u64,
    memory_peak_bytes: usize,
    transcript: Transcript,
    inner: Vec<InnerCalls>,
    events: BTreeMap<String, u64>,
    waited: Duration,
    reached: BTreeSet<u32>,
}

impl Job {
    /// Runs the guest to its end. Dropping the future ends it at its next yield.
    pub(crate) async fn run(self) -> Run {
        let started = Instant::now();
        let ended = self.guest(started + Duration::from_millis(self.limits.wall_ms)).await;
        Run {
            outcome: ended.result.map_or_else(Outcome::Failed, Outcome::Returned),
            fuel_used: ended.fuel_used,
            memory_peak_bytes: ended.memory_peak_bytes,
            elapsed: started.elapsed(),
            pure: self.prepared.is_pure(),
            transcript: (!self.prepared.is_pure()).then_some(ended.transcript),
            inner: ended.inner,
            events: ended.events,
            waited: ended.waited,
            reached: ended.reached,
        }
    }

    async fn guest(&self, deadline: Instant) -> Ended {
        let refused = |failure, fuel_used| Ended {
            result: Err(failure),
            fuel_used,
            memory_peak_bytes: 0,
            transcript: Transcript::new(),
            inner: Vec::new(),
            events: BTreeMap::new(),
            waited: Duration::ZERO,
            reached: BTreeSet::new(),
        };
        let ty = &self.export.ty;
        let lowered = match binary::measure_args(ty, &self.args) {
            Ok(bytes) => HostWork { values: self.args.iter().map(Value::count).sum(), bytes },
            Err(error) => return refused(Failure::new(FailureKind::BadArguments, error.to_string()), 0),
        };
        let profile = Profile::current();
        let entering = profile.lowered_fuel(lowered);
        let entering = entering.saturating_add(self.prepared.start_fuel());
        let Some(fuel) = self.limits.fuel.checked_sub(entering) else {
            return refused(out_of_fuel(), self.limits.fuel);
        };
        let observer = self.outside.as_ref().map(|outside| Observer::new(outside.effects.clone()));
        let host = match self.host(observer.as_ref(), fuel, deadline) {
            Ok(host) => host.map(Box::new),
            Err(failure) => return refused(failure, 0),
        };
        let call = self.composed(observer.as_ref(), deadline);
        let mut store = match self.store(fuel, host, call.as_ref()) {
            Ok(store) => store,
            Err(error) => return refused(internal(&error), 0),
        };
        let ended = until(deadline, self.call(&mut store)).await.unwrap_or(Err(Stop::TimedOut));
        let engine_left = store.get_fuel().unwrap_or(0);
        let engine_fuel = fuel.saturating_sub(engine_left);
        let guest = store.data();
        // A dependency whose call was cut short has not been settled.
        let underway = guest.inner.as_ref().map_or(0, |inner| inner.underway());
        // The engine cannot count what the host did for the guest, nor what a page of memory costs.
        let aside = guest.fuel_aside().saturating_add(underway);
        let burnt = entering.saturating_add(engine_fuel).saturating_add(aside);
        let memory = &guest.memory;
        let returned = ended.map_err(|stop| stop.failure(memory, engine_fuel > 0)).and_then(|value| {
            let lifted = measure(ty, value.as_ref(), self.limits.output_bytes)?;
            let used = burnt.saturating_add(profile.lifted_fuel(lifted));
            // Where nothing is left there was perhaps too little: the engine does not look at the end of a function.
            if used <= self.limits.fuel && engine_left > 0 { Ok((value, used)) } else { Err(out_of_fuel()) }
        });
        let followed = observer.as_ref().map_or(Ok(()), Observer::check_end);
        let returned = match followed {
            // A run that was cut short left nothing undone that it could have done.
            Err(diverged) if !matches!(&returned, Err(failure) if !failure.deterministic()) => {
                Err(Failure::new(FailureKind::Diverged, diverged.to_string()))
            }
            _ => returned,
        };
        let memory_peak_bytes = call.as_ref().map_or(memory.peak_bytes(), |call| call.whole.peak_bytes());
        let transcript = observer.map(|observer| observer.take()).unwrap_or_default();
        let inner = call.map(|call| call.take_tree()).unwrap_or_default();
        let waited = guest.waited();
        let events = store.data_mut().host.as_mut().map(|host| host.events.take()).unwrap_or_default();
        let reached = store.data_mut().memory.take_reached();
        let (result, fuel_used) = match returned {
            Ok((value, fuel_used)) => (Ok(value), fuel_used),
            Err(failure) => {
                let fuel_used = match failure.kind {
                    FailureKind::OutOfFuel => self.limits.fuel,
                    // Rounded up where it failed.
                    _ if failure.dependency.is_some() => burnt.min(self.limits.fuel),
                    // The engine last looked up to one interval ago, so the work since then is added in full.
                    _ => burnt.saturating_add(profile.trap.yield_interval).min(self.limits.fuel),
                };
                (Err(failure), fuel_used)
            }
        };
        Ended { result, fuel_used, memory_peak_bytes, transcript, inner, events, waited, reached }
    }

    /// Makes what all components of the call share, where there are several.
    fn composed(&self, observer: Option<&Observer>, deadline: Instant) -> Option<Arc<Call>> {
        let dependencies = self.prepared.dependencies();
        if dependencies.is_empty() {
            return None;
        }
        let memory_bytes = compose::memory_bytes(self.limits.memory_bytes, dependencies);
        let client = self.outside.as_ref().map(|outside| outside.client.clone());
        let whole = Whole::new(memory_bytes, self.limits.table_elements);
        Some(Arc::new(Call::new(self.limits, deadline, whole, observer.cloned().zip(client))))
    }

    /// Makes the host's side of the run where there is one: what the call brings, and what the component may ask for.
    fn host(
        &self,
        observer: Option<&Observer>,
        fuel: u64,
        deadline: Instant,
    ) -> Result<Option<Host>, Failure> {
        let Export { name, ty, entry, .. } = &*self.export;
        let (Some(Outside { files, client, events, .. }), Some(observer)) = (&self.outside, observer) else {
            return Ok(None);
        };
        let grants = self.prepared.shared_grants();
        let mut host = Host::new(fuel, deadline, grants, observer.clone(), client.clone());
        host.events = Events::new(events.clone());
        if self.prepared.is_provided("wasi:random") {
            let args = binary::encode_args(ty, &self.args)
                .map_err(|error| Failure::new(FailureKind::BadArguments, error.to_string()))?;
            host.seed(name, &args);
        }
        // A program may always read what it is called with, and what its release ships only where that is granted.
        let files = match self.prepared.grants().allows(FILES_INTERFACE) {
            true => files.clone(),
            false => Arc::default(),
        };
        // A program's tree is made with the files of its arguments.
        let plants = *entry != Entry::Command && self.prepared.is_provided("wasi:filesystem");
        if plants && !files.is_empty() {
            // The files of a release were checked when it was published.
            let tree = Tree::new(files.clone());
            host.plant(tree.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?);
        }
        entry.enter(&mut host, &self.args, &files, self.limits.output_bytes)?;
        Ok(Some(host))
    }

    fn store(
        &self,
        fuel: u64,
        host: Option<Box<Host>>,
        call: Option<&Arc<Call>>,
    ) -> wasmtime::Result<Store<Guest>> {
        let memory = Meter::new(fuel, self.limits.memory_bytes, self.limits.table_elements)
            .within(call.map(|call| call.whole.clone()))
            .marking(self.marked);
        let inner = Inner::of(call, &self.prepared, fuel);
        let lists = self.export.shape.is_none() && self.export.ty.result.as_ref().is_some_and(holds_list);
        let output_bytes = self.limits.output_bytes;
        let handed_out_max = if lists { with_lists(output_bytes) } else { output_bytes };
        let mut store = limited(&self.prepared.pre, Guest { memory, host, inner }, fuel, output_bytes)?;
        if call.is_none() {
            store.set_hostcall_fuel(handed_out_max);
        }
        Ok(store)
    }

    /// Calls the function, or the component's own behind one that the sandbox makes.
    async fn call(&self, store: &mut Store<Guest>) -> Result<Option<Value>, Stop> {
        let returned = match self.export.entry {
            Entry::Function => self.call_own(store, &self.args).await,
            Entry::Command => self.call_command(store).await,
            Entry::Service => self.call_service(store).await,
        };
        // What it sent is on record also where it did not look at the answer, or failed.
        let Guest { host, inner, .. } = store.data_mut();
        if let Some(host) = host {
            let settled = host.settle_all().await;
            let settled = match (settled, inner) {
                (Ok(()), Some(inner)) => inner.settle_all().await,
                (settled, _) => settled,
            };
            let value = returned?;
            settled.map_err(Stop::Calling)?;
            return Ok(value);
        }
        returned
    }

    async fn call_command(&self, store: &mut Store<Guest>) -> Result<Option<Value>, Stop> {
        let status = match self.call_own(store, &[]).await {
            Ok(Some(Value::Result(Ok(_)))) => 0,
            Ok(_) => 1,
            Err(stop) => stop.exit_status()?,
        };
        let left = command::leave(store.data_mut().host(), status, self.limits.output_bytes);
        left.map(Some).ok_or(Stop::TooMuch)
    }

    async fn call_service(&self, store: &mut Store<Guest>) -> Result<Option<Value>, Stop> {
        let instance = self.prepared.pre.instantiate_async(&mut *store).await.map_err(Stop::Instantiating)?;
        let function = instance.get_func(&mut *store, self.export.index).ok_or(Stop::NoSuchFunction)?;
        let (request, outparam) = store.data_mut().host().incoming().map_err(Stop::Calling)?;
        let args = [
            ResourceAny::try_from_resource(request, &mut *store).map_err(Stop::Calling)?,
            ResourceAny::try_from_resource(outparam, &mut *store).map_err(Stop::Calling)?,
        ];
        let args = args.map(Val::Resource);
        function.call_async(&mut *store, &args, &mut []).await.map_err(Stop::Calling)?;
        service::leave(store.data_mut().host()).map(Some).map_err(Stop::Unanswered)
    }

    /// Makes the instance and calls the component's own function.
    async fn call_own(&self, store: &mut Store<Guest>, args: &[Value]) -> Result<Option<Value>, Stop> {
        let instance = self.prepared.pre.instantiate_async(&mut *store).await.map_err(Stop::Instantiating)?;
        let Export { own, index, shape, .. } = &*self.export;
        let function = instance.get_func(&mut *store, *index).ok_or(Stop::NoSuchFunction)?;
        if let Some(shape) = shape {
            return shape.call(store, function, args).await.map_err(Stop::Calling);
        }
        let args = args.iter().zip(&own.params);
        let args: Vec<_> = args.map(|(value, param)| convert::to_engine(value, &param.ty)).collect();
        let mut results = vec![Val::Bool(false); usize::from(own.result.is_some())];
        function.call_async(&mut *store, &args, &mut results).await.map_err(Stop::Calling)?;
        match (results.pop(), &own.result) {
            (Some(val), Some(ty)) => convert::from_engine(val, ty).map(Some).map_err(Stop::Unexpected),
            _ => Ok(None),
        }
    }
}

/// Makes the store of a guest, with every limit set before any of its code can run: a component may already loop in its
/// start function.
pub(crate) fn limited(
    pre: &InstancePre<Guest>,
    guest: Guest,
    fuel: u64,
    output_bytes: usize,
) -> wasmtime::Result<Store<Guest>> {
    let mut store = Store::new(pre.engine(), guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_fuel(fuel)?;
    store.fuel_async_yield_interval(Some(Profile::current().trap.yield_interval))?;
    store.set_hostcall_fuel(with_lists(output_bytes));
    if store.data().host.is_some() {
        store.call_hook_async(HostTurns);
    }
    Ok(store)
}

/// Polls `future` to its end, or gives `None` when it is not done at the deadline.
///
/// A guest that computes gives way again and again, so the clock is looked at often enough without a timer.
async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if Instant::now() >= deadline => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Why a guest stopped without a result.
pub(crate) enum Stop {
    TimedOut,
    TooMuch,
    NoSuchFunction,
    Instantiating(wasmtime::Error),
    Calling(wasmtime::Error),
    Unexpected(convert::Unexpected),
    /// A server did not answer.
    Unanswered(String),
}

impl Stop {
    /// Returns the status of a guest that ended itself.
    fn exit_status(self) -> Result<u8, Stop> {
        let exit = match &self {
            Stop::Instantiating(error) | Stop::Calling(error) => error.downcast_ref::<Exit>(),
            _ => None,
        };
        exit.map(|exit| exit.status).ok_or(self)
    }

    /// Returns the failure of a dependency by its name, or that of one that it called.
    pub(crate) fn within(self, dependency: Arc<str>, memory: &Meter, ran: bool) -> Result<Failure, Failed> {
        match self {
            Stop::Calling(error) if error.is::<Failed>() => match error.downcast() {
                Ok(failed) => Err(failed),
                Err(error) => Ok(Failure::new(FailureKind::Internal, error.to_string())),
            },
            stop => Ok(Failure { dependency: Some(dependency), ..stop.failure(memory, ran) }),
        }
    }

    /// `ran` tells whether any code of the component's own was run.
    fn failure(self, memory: &Meter, ran: bool) -> Failure {
        let (error, instantiating) = match self {
            Stop::TimedOut => {
                return Failure::new(FailureKind::TimedOut, "the time on the wall clock was up");
            }
            Stop::TooMuch => {
                return Failure::new(
                    FailureKind::OutputRefused,
                    "the guest handed out more data than it may",
                );
            }
            Stop::NoSuchFunction => {
                return Failure::new(FailureKind::NoSuchFunction, "the instance lacks the function");
            }
            Stop::Unexpected(error) => return Failure::new(FailureKind::NoSuchFunction, error.to_string()),
            Stop::Unanswered(reason) => return Failure::new(FailureKind::Trap, reason),
            Stop::Instantiating(error) => (error, true),
            Stop::Calling(error) => (error, false),
        };
        if let Some(Failed(failure)) = error.downcast_ref::<Failed>() {
            return failure.clone();
        }
        if let Some(too_many) = error.downcast_ref::<TooManyCalls>() {
            return Failure::new(FailureKind::TooManyCalls, too_many.to_string());
        }
        if let Some(too_much) = error.downcast_ref::<TooMuchCrosses>() {
            // It protects this machine, and is no rule of the profile, so that nobody is charged for it and nothing signed. It
            // counts as a failed run all the same, or it could be tried for nothing without end.
            return Failure::new(FailureKind::Internal, too_much.to_string());
        }
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
        // The engine's error for this has none either.
        let no_room = memory.refused() && message.contains(" minimum size of ");
        match instantiating {
            true if no_room => {
                Failure::new(FailureKind::MemoryExceeded, "the component needs more memory than it may have")
            }
            // What a start function brings about is its own fault.
            // The system may be out of maps or memory when a later module is instantiated, too.
            true if !ran || is_of_system(&error) => internal(&error),
            _ => Failure::new(FailureKind::Trap, message),
        }
    }
}

fn out_of_fuel() -> Failure {
    Failure::new(FailureKind::OutOfFuel, Trap::OutOfFuel.to_string())
}

/// Tells whether the system had not what an instance takes.
fn is_of_system(error: &wasmtime::Error) -> bool {
    error.is::<std::io::Error>() || error.is::<rustix::io::Errno>() || error.is::<wasmtime::OutOfMemory>()
}

fn internal(error: &wasmtime::Error) -> Failure {
    tracing::error!("The engine failed: {error:#}");
    Failure::new(FailureKind::Internal, "the sandbox failed")
}

/// Measures the result, and refuses it if it has more bytes in the canonical encoding than allowed.
fn measure(ty: &FunctionType, value: Option<&Value>, output_bytes: usize) -> Result<HostWork, Failure> {
    match binary::measure_result(ty, value) {
        Ok(bytes) if bytes <= output_bytes => Ok(HostWork { values: value.map_or(0, Value::count), bytes }),
        Ok(bytes) => {
            let message = format!("the result has {bytes} bytes; at most {output_bytes} are allowed");
            Err(Failure::new(FailureKind::OutputRefused, message))
        }
        // A result of our own type fails only by its depth or number of nodes.
        Err(error) => Err(Failure::new(FailureKind::OutputRefused, error.to_string())),
    }
}

/// Returns the engine's limit for what the guest hands out where lists are among it, in bytes of the host's memory.
///
/// Called dynamically, every element of a list takes a whole [`Val`] there, so a limit of `output_bytes` alone would
/// refuse a fortieth of what is allowed. It is bounded all the same; the bytes themselves are counted exactly when they
/// are here.
fn with_lists(output_bytes: usize) -> usize {
    const HOST_BYTES_MAX: usize = 128 * 1024 * 1024;
    output_bytes.saturating_mul(size_of::<Val>()).min(HOST_BYTES_MAX.max(output_bytes))
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
