//! The host's side of WASI 0.2: what a guest may ask of the machine, and nothing of the machine behind it.
//!
//! Whatever a guest learns here is either a pure function of the call's input, or an answer from outside that is
//! recorded in the run's transcript: then a stranger can run the call again and must come to the same end. So there are
//! no host files, no real streams and, unless granted, no real clocks and no real random bytes. Each interface of WASI
//! has its module; [`Work`] counts what they cost.

mod bindings;
pub(crate) mod cli;
mod clocks;
pub(crate) mod command;
pub(crate) mod entry;
pub(crate) mod events;
mod filesystem;
pub(crate) mod http;
mod io;
pub(crate) mod observer;
mod random;
pub(crate) mod service;
mod stream;
pub(crate) mod tree;
mod wire;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use glassbox_core::{FunctionName, limits};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

use crate::Grants;
use crate::meter::Guest;
use cli::Stdio;
use clocks::VirtualClock;
use events::Events;
use http::Http;
use http::client::Client;
use observer::Observer;
use random::VirtualRandom;
use tree::Tree;
use work::Work;

/// The interfaces that the host provides, without their versions.
const PROVIDED: [&str; 22] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Those of them whose answers come from outside once they are granted. All others are pure even then.
pub(crate) const OBSERVING: [&str; 7] = [
    "wasi:cli/environment",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Tells whether the host provides an interface, named without its version.
pub(crate) fn provides(interface: &str) -> bool {
    PROVIDED.contains(&interface)
}

/// Tells whether the answers of an interface, named with or without its version, come from outside once it is granted.
pub fn is_observing(interface: &str) -> bool {
    OBSERVING.contains(&interface.split('@').next().unwrap_or(interface))
}

/// What the host keeps for one running guest.
pub(crate) struct Host {
    /// The fuel that the host's own work takes.
    pub(crate) work: Work,
    /// The answers from outside.
    pub(crate) observer: Observer,
    /// What the component reported.
    pub(crate) events: Events,
    /// How long it waited for answers from outside.
    pub(crate) waited: Duration,
    grants: Arc<Grants>,
    /// When the run's time on the wall clock is up.
    deadline: Instant,
    clock: VirtualClock,
    random: VirtualRandom,
    stdio: Stdio,
    tree: Tree,
    pub(crate) http: Http,
    client: Arc<Client>,
    table: ResourceTable,
}

impl Host {
    /// Makes the host's side of a run; `fuel_max` is all that its work may cost, and at `deadline` it waits no longer.
    pub(crate) fn new(
        fuel_max: u64,
        deadline: Instant,
        grants: Arc<Grants>,
        observer: Observer,
        client: Arc<Client>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HOST_RESOURCES_MAX);
        Self {
            work: Work::new(fuel_max),
            observer,
            events: Events::default(),
            waited: Duration::ZERO,
            grants,
            deadline,
            clock: VirtualClock::default(),
            random: VirtualRandom::default(),
            stdio: Stdio::default(),
            tree: Tree::empty(),
            http: Http::default(),
            client,
            table,
        }
    }

    /// Draws the virtual random bytes of a call: `args` are its arguments in the canonical value encoding.
    pub(crate) fn seed(&mut self, function: &FunctionName, args: &[u8]) {
        self.random = VirtualRandom::new(function, args);
    }

    /// Shows the guest a tree of files.
    pub(crate) fn plant(&mut self, tree: Tree) {
        self.tree = tree;
    }

    /// Tells whether the answers of an interface come from outside in this run.
    fn observes(&self, interface: &str) -> bool {
        self.grants.allows(interface)
    }

    /// Gives the guest a new resource. Fails where it holds too many already.
    fn push<T: Send + 'static>(&mut self, resource: T) -> wasmtime::Result<Resource<T>> {
        Ok(self.table.push(resource)?)
    }

    /// Takes a resource back from the guest.
    fn delete<T: Send + 'static>(&mut self, handle: Resource<T>) -> wasmtime::Result<T> {
        Ok(self.table.delete(handle)?)
    }
}

/// Links every interface that the host provides. What is not granted is covered by refusals afterwards.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::wasi::{cli, clocks, filesystem, http, io, random};
    fn host(guest: &mut Guest) -> &mut Host {
        guest.host()
    }
    type Own = HasSelf<Host>;
    io::error::add_to_linker::<_, Own>(linker, host)?;
    io::poll::add_to_linker::<_, Own>(linker, host)?;
    io::streams::add_to_linker::<_, Own>(linker, host)?;
    cli::environment::add_to_linker::<_, Own>(linker, host)?;
    cli::exit::add_to_linker::<_, Own>(linker, host)?;
    cli::stdin::add_to_linker::<_, Own>(linker, host)?;
    cli::stdout::add_to_linker::<_, Own>(linker, host)?;
    cli::stderr::add_to_linker::<_, Own>(linker, host)?;
    cli::terminal_input::add_to_linker::<_, Own>(linker, host)?;
    cli::terminal_output::add_to_linker::<_, Own>(linker, host)?;
    cli::terminal_stdin::add_to_linker::<_, Own>(linker, host)?;
    cli::terminal_stdout::add_to_linker::<_, Own>(linker, host)?;
    cli::terminal_stderr::add_to_linker::<_, Own>(linker, host)?;
    clocks::monotonic_clock::add_to_linker::<_, Own>(linker, host)?;
    clocks::wall_clock::add_to_linker::<_, Own>(linker, host)?;
    filesystem::types::add_to_linker::<_, Own>(linker, host)?;
    filesystem::preopens::add_to_linker::<_, Own>(linker, host)?;
    http::types::add_to_linker::<_, Own>(linker, host)?;
    http::outgoing_handler::add_to_linker::<_, Own>(linker, host)?;
    random::random::add_to_linker::<_, Own>(linker, host)?;
    random::insecure::add_to_linker::<_, Own>(linker, host)?;
    random::insecure_seed::add_to_linker::<_, Own>(linker, host)
}
