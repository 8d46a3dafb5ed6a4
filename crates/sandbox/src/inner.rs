//! Calls of dependencies: one component calls another, each in a store of its own.
//!
//! The store of a component holds those of its dependencies, made when they are first called, so that what a call comes
//! to is a tree and ends with its root. Fuel is passed down and back: a dependency may burn what its importer has left,
//! and what it burnt is gone for the importer. What a component burns itself, without what it calls, is its own and
//! stands in the call tree.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glassbox_core::profile::{HostWork, Profile};
use glassbox_core::{Digest, FunctionName, limits};
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentExportIndex, Func, Instance, Val};
use wasmtime::{Store, StoreContextMut, Trap};

use crate::guest::{Stop, limited};
use crate::host::Host;
use crate::host::events::Events;
use crate::host::http::client::Client;
use crate::host::observer::Observer;
use crate::meter::{Guest, Meter, Whole};
use crate::turn::give_way;
use crate::{Dependency, Failure, FailureKind, Prepared, RunLimits};

/// The calls of one function of a dependency, by the way that it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InnerCalls {
    /// The entry of the function that called it, by its place in the tree; nothing where that is the one that the run
    /// called.
    pub parent: Option<u32>,
    /// The name of the [`Dependency`].
    pub dependency: String,
    /// Its component.
    pub component: Digest,
    /// The function.
    pub function: FunctionName,
    /// How often it was called.
    pub calls: u64,
    /// The fuel that it burnt itself, without what it called: for entering and leaving it, for its instance with its
    /// first call, and for all its work.
    pub fuel: u64,
}

/// A function of a dependency, as its importer is linked to it.
#[derive(Debug)]
pub(crate) struct Route {
    /// The place of the dependency among those of its importer.
    pub(crate) place: usize,
    /// The place of the function among all that the importer is linked to.
    pub(crate) slot: usize,
    pub(crate) export: ComponentExportIndex,
    pub(crate) function: FunctionName,
}

/// What all components of one call share.
pub(crate) struct Call {
    pub(crate) limits: RunLimits,
    pub(crate) deadline: Instant,
    pub(crate) whole: Arc<Whole>,
    /// Where questions to the world outside are answered, and by whom requests are made. `None` where no component of
    /// the call asks anything.
    pub(crate) outside: Option<(Observer, Arc<Client>)>,
    record: Mutex<Record>,
}

/// What is written down of a call while it goes on.
#[derive(Default)]
struct Record {
    tree: Vec<InnerCalls>,
    /// Entries by the one that called, and the function's place there.
    known: HashMap<(Option<u32>, usize), u32>,
    /// The fuel since the call gave way last, as far as no engine has counted it.
    turn: u64,
}

impl Call {
    pub(crate) fn new(
        limits: RunLimits,
        deadline: Instant,
        whole: Whole,
        outside: Option<(Observer, Arc<Client>)>,
    ) -> Self {
        Self { limits, deadline, whole: Arc::new(whole), outside, record: Mutex::default() }
    }

    /// Returns the call tree, and leaves nothing of it.
    pub(crate) fn take_tree(&self) -> Vec<InnerCalls> {
        std::mem::take(&mut self.record().tree)
    }

    /// A record is whole between any two statements.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds or makes the entry of a function.
    fn node(&self, parent: Option<u32>, route: &Route, dependency: &Dependency) -> wasmtime::Result<u32> {
        let mut record = self.record();
        if let Some(node) = record.known.get(&(parent, route.slot)) {
            return Ok(*node);
        }
        let count = record.tree.len();
        if count >= Profile::current().limits.call_tree_nodes_max {
            return Err(TooManyCalls("the call tree has more entries than it may have".into()).into());
        }
        record.tree.push(InnerCalls {
            parent,
            dependency: dependency.name.to_string(),
            component: dependency.prepared.digest(),
            function: route.function.clone(),
            calls: 0,
            fuel: 0,
        });
        let node = count as u32;
        record.known.insert((parent, route.slot), node);
        Ok(node)
    }
}

/// The dependencies of one component in a call.
pub(crate) struct Inner {
    call: Arc<Call>,
    prepared: Arc<Prepared>,
    children: Vec<Option<Box<Child>>>,
    /// How often each was called since the component itself was called last.
    calls: Vec<u64>,
    /// Entries of functions that were called last, with the entry that called.
    nodes: Vec<Option<(Option<u32>, u32)>>,
    /// The entry of the function of the component that is being called.
    node: Option<u32>,
    /// The fuel that its dependencies burnt since it was called last.
    spent: u64,
    /// The fuel that it had when it was set last.
    mark: u64,
    /// The dependency that is being called, and the fuel that it got.
    underway: Option<(usize, u64)>,
}

/// A dependency that was called.
struct Child {
    store: Store<Guest>,
    /// `None` while it is made.
    instance: Option<Instance>,
    functions: Vec<Option<Func>>,
}

/// A call of a dependency, once it has entered it.
pub(crate) struct Entered {
    place: usize,
    node: u32,
    /// What the importer had left.
    fuel: u64,
    /// The bytes of the host's memory that its arguments take while it runs.
    held: usize,
    pub(crate) function: Func,
}

/// A dependency did not return, which ends the whole run.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub(crate) struct Failed(pub(crate) Failure);

/// A component calls its dependencies more often than it may.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TooManyCalls(String);

impl Inner {
    /// Makes ready for the calls of a component that starts with `fuel`, where it has dependencies.
    pub(crate) fn of(call: Option<&Arc<Call>>, prepared: &Arc<Prepared>, fuel: u64) -> Option<Box<Self>> {
        let dependencies = prepared.dependencies().len();
        let call = call.filter(|_| dependencies > 0)?;
        Some(Box::new(Self {
            call: call.clone(),
            prepared: prepared.clone(),
            children: (0..dependencies).map(|_| None).collect(),
            calls: vec![0; dependencies],
            nodes: vec![None; prepared.slots()],
            node: None,
            spent: 0,
            mark: fuel,
            underway: None,
        }))
    }

    /// Makes ready for the next call of the component, which starts with `fuel`.
    fn restart(&mut self, node: u32, fuel: u64) {
        self.calls.fill(0);
        (self.node, self.spent, self.mark) = (Some(node), 0, fuel);
    }

    fn child(&mut self, place: usize) -> &mut Child {
        self.children[place].as_mut().expect("a dependency that was entered is there")
    }

    /// Returns what the dependency that is being called has burnt so far.
    pub(crate) fn underway(&self) -> u64 {
        let Some((place, fuel)) = self.underway else { return 0 };
        let Some(child) = &self.children[place] else { return 0 };
        let guest = child.store.data();
        let left = child.store.get_fuel().unwrap_or(0).saturating_sub(guest.fuel_aside());
        let deeper = guest.inner.as_ref().map_or(0, |inner| inner.underway());
        fuel.saturating_sub(left).saturating_add(deeper)
    }

    /// Returns how long the dependencies waited for answers from outside.
    pub(crate) fn waited(&self) -> Duration {
        let children = self.children.iter().flatten();
        children.fold(Duration::ZERO, |sum, child| sum.saturating_add(child.store.data().waited()))
    }

    /// Waits for all that the dependencies asked of the world outside.
    pub(crate) fn settle_all(&mut self) -> Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + '_>> {
        Box::pin(async move {
            for child in self.children.iter_mut().flatten() {
                let Guest { host, inner, .. } = child.store.data_mut();
                if let Some(host) = host {
                    host.settle_all().await?;
                }
                if let Some(inner) = inner {
                    inner.settle_all().await?;
                }
            }
            Ok(())
        })
    }
}

impl Entered {
    /// Returns the store of the dependency.
    pub(crate) fn store<'a>(&self, importer: &'a mut StoreContextMut<'_, Guest>) -> &'a mut Store<Guest> {
        &mut importer.data_mut().inner().child(self.place).store
    }
}

/// Enters a dependency: passes it the fuel that its importer has left, less the cost of the call with such arguments.
pub(crate) async fn enter(
    importer: &mut StoreContextMut<'_, Guest>,
    route: &Route,
    args: HostWork,
) -> wasmtime::Result<Entered> {
    let Route { place, slot, export, .. } = *route;
    let fuel = importer.get_fuel()?.checked_sub(importer.data().fuel_aside()).ok_or(Trap::OutOfFuel)?;
    let profile = Profile::current();
    let inner = importer.data_mut().inner();
    let held = args.values.saturating_mul(size_of::<Val>()).saturating_add(args.bytes);
    inner.call.whole.hold(held)?;
    let dependency = &inner.prepared.dependencies()[place];
    inner.calls[place] += 1;
    if let Some(max) = dependency.calls_max.filter(|max| inner.calls[place] > *max) {
        let calls = format!("`{}` is called more often than the {max} times allowed", dependency.name);
        return Err(TooManyCalls(calls).into());
    }
    let node = match inner.nodes[slot] {
        Some((parent, node)) if parent == inner.node => node,
        _ => inner.call.node(inner.node, route, dependency)?,
    };
    inner.nodes[slot] = Some((inner.node, node));
    let is_new = inner.children[place].is_none();
    let start = match is_new {
        true => profile.host.per_call.saturating_add(dependency.prepared.start_fuel()),
        false => 0,
    };
    let left = fuel.checked_sub(profile.inner_fuel(args).saturating_add(start)).ok_or(Trap::OutOfFuel)?;
    if is_new {
        let store = store(&inner.call, dependency, left)?;
        let functions = vec![None; inner.nodes.len()];
        inner.children[place] = Some(Box::new(Child { store, instance: None, functions }));
    }
    inner.underway = Some((place, fuel));
    let dependency = is_new.then(|| dependency.prepared.clone());
    let child = inner.child(place);
    let guest = child.store.data_mut();
    guest.allow(left);
    if let Some(deeper) = &mut guest.inner {
        deeper.restart(node, left);
    }
    child.store.set_fuel(left)?;
    if let Some(prepared) = dependency {
        match prepared.pre.instantiate_async(&mut child.store).await {
            Ok(instance) => child.instance = Some(instance),
            Err(error) => {
                let failed = Err::<(Infallible, _), _>(Stop::Instantiating(error));
                match finish(importer, place, node, fuel, failed)?.0 {}
            }
        }
    }
    let known = child.functions[slot];
    let found = known.or_else(|| child.instance?.get_func(&mut child.store, export));
    child.functions[slot] = found;
    let function =
        found.ok_or_else(|| wasmtime::format_err!("an instance lacks a function of its component"))?;
    Ok(Entered { place, node, fuel, held, function })
}

/// Leaves a dependency: takes what it burnt from what its importer has, and gives way where it is time.
pub(crate) async fn leave<R>(
    importer: &mut StoreContextMut<'_, Guest>,
    entered: Entered,
    called: wasmtime::Result<(R, HostWork)>,
) -> wasmtime::Result<R> {
    let Entered { place, node, fuel, held, .. } = entered;
    importer.data_mut().inner().call.whole.let_go(held);
    let (result, is_time) = finish(importer, place, node, fuel, called.map_err(Stop::Calling))?;
    if is_time {
        give_way().await;
    }
    Ok(result)
}

/// Settles a call of a dependency, and tells whether it is time to give way.
fn finish<R>(
    importer: &mut StoreContextMut<'_, Guest>,
    place: usize,
    node: u32,
    fuel: u64,
    called: Result<(R, HostWork), Stop>,
) -> wasmtime::Result<(R, bool)> {
    let profile = Profile::current();
    let inner = importer.data_mut().inner();
    let dependency = inner.prepared.dependencies()[place].name.clone();
    let store = &inner.child(place).store;
    let guest = store.data();
    let engine_left = store.get_fuel()?;
    let ran = engine_left < guest.memory.fuel_max();
    // Where nothing is left there was perhaps too little: the engine does not look at the end of a function.
    let left = engine_left.checked_sub(guest.fuel_aside()).filter(|_| engine_left > 0);
    let (left, ended) = match called {
        Ok((result, work)) => match left.and_then(|left| left.checked_sub(profile.lifted_fuel(work))) {
            Some(left) => (left, Ok(result)),
            None => (0, Err(Stop::Calling(Trap::OutOfFuel.into()))),
        },
        Err(stop) => (left.unwrap_or(0), Err(stop)),
    };
    let (left, ended) = match ended {
        Ok(result) => (left, Ok(result)),
        Err(stop) => match stop.within(dependency, &guest.memory, ran) {
            // What went wrong deeper has been rounded up there.
            Err(failed) => (left, Err(failed)),
            Ok(failure) => {
                let left = match failure.kind {
                    FailureKind::OutOfFuel => 0,
                    _ => left.saturating_sub(profile.trap.yield_interval),
                };
                (left, Err(Failed(failure)))
            }
        },
    };
    let used = fuel.saturating_sub(left);
    let (spent, last) = match &guest.inner {
        Some(deeper) => (deeper.spent, deeper.mark.saturating_sub(left)),
        None => (0, used),
    };
    let interval = profile.trap.yield_interval;
    let own = inner.mark.saturating_sub(fuel);
    let is_time = {
        let mut record = inner.call.record();
        let entry = &mut record.tree[node as usize];
        entry.calls += 1;
        entry.fuel += used.saturating_sub(spent);
        // Whole intervals were turns already.
        record.turn += own % interval + last % interval;
        let is_time = record.turn >= interval;
        record.turn %= interval;
        is_time
    };
    inner.underway = None;
    inner.spent += used;
    inner.mark = left;
    importer.set_fuel(left)?;
    importer.data_mut().allow(left);
    Ok((ended?, is_time))
}

/// Makes the store of a dependency.
fn store(call: &Arc<Call>, dependency: &Dependency, fuel: u64) -> wasmtime::Result<Store<Guest>> {
    let Dependency { prepared, memory_bytes, .. } = dependency;
    let memory_bytes = (*memory_bytes).min(limits::MEMORY_BYTES_MAX);
    let memory = Meter::new(fuel, memory_bytes, call.limits.table_elements).within(Some(call.whole.clone()));
    let host = call.outside.as_ref().filter(|_| prepared.is_linked_to_host()).map(|(observer, client)| {
        let grants = prepared.shared_grants();
        let mut host = Host::new(fuel, call.deadline, grants, observer.clone(), client.clone());
        // What it has prices for is charged where it is called itself, and nowhere else.
        host.events = Events::new(Some(BTreeSet::new()));
        Box::new(host)
    });
    let inner = Inner::of(Some(call), prepared, fuel);
    limited(&prepared.pre, Guest { memory, host, inner }, fuel, call.limits.output_bytes)
}
