//! The host's side of WASI 0.2: what a guest may ask of the machine, and nothing of the machine behind it.
//!
//! Whatever a guest learns here is either a pure function of the call's input, or an answer from outside that is
//! recorded in the run's transcript: then a stranger can run the call again and must come to the same end. So there are
//! no host files, no real streams and, unless granted, no real clocks and no real random bytes. Each interface of WASI
//! has its module; [`Work`] counts what they cost.

pub(crate) mod bindings;
mod clocks;
pub(crate) mod io;
pub(crate) mod observer;
pub(crate) mod stream;
mod work;

use glassbox_core::limits;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

use crate::meter::Guest;
use clocks::VirtualClock;
use observer::Observer;
use work::Work;

/// What the host keeps for one running guest.
pub(crate) struct Host {
    /// The fuel that the host's own work takes.
    pub(crate) work: Work,
    /// The answers from outside.
    pub(crate) observer: Observer,
    clock: VirtualClock,
    table: ResourceTable,
}

impl Host {
    /// Makes the host's side of a run; `fuel_max` is all that its work may cost.
    pub(crate) fn new(fuel_max: u64, observer: Observer) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HOST_RESOURCES_MAX);
        Self { work: Work::new(fuel_max), observer, clock: VirtualClock::default(), table }
    }

    /// Gives the guest a new resource. Fails where it holds too many already.
    pub(crate) fn push<T: Send + 'static>(&mut self, resource: T) -> wasmtime::Result<Resource<T>> {
        Ok(self.table.push(resource)?)
    }

    /// Returns a resource that the guest holds.
    pub(crate) fn get<T: Send + 'static>(&mut self, handle: &Resource<T>) -> wasmtime::Result<&mut T> {
        Ok(self.table.get_mut(handle)?)
    }

    /// Takes a resource back from the guest.
    pub(crate) fn delete<T: Send + 'static>(&mut self, handle: Resource<T>) -> wasmtime::Result<T> {
        Ok(self.table.delete(handle)?)
    }
}

/// Links every interface that the sandbox provides. What is not granted is covered by refusals afterwards.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::wasi;
    fn host(guest: &mut Guest) -> &mut Host {
        &mut guest.host
    }
    wasi::io::error::add_to_linker::<_, HasSelf<Host>>(linker, host)?;
    wasi::io::poll::add_to_linker::<_, HasSelf<Host>>(linker, host)?;
    wasi::io::streams::add_to_linker::<_, HasSelf<Host>>(linker, host)?;
    Ok(())
}
