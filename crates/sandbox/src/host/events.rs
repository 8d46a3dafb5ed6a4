//! `glassbox:meter/events`: what a component reports to be charged for, counted by the host.
//!
//! The interface, in WIT:
//!
//! ```wit
//! package glassbox:meter@1.0.0;
//!
//! interface events {
//!     /// Reports `count` more of the event `name`, which the manifest has a price for.
//!     emit: func(name: string, count: u64);
//! }
//! ```
//!
//! A report is a pure function of what the component computes, so it needs no grant, and a replay must count the same.

use std::collections::{BTreeMap, BTreeSet};

use glassbox_core::limits;
use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;

use crate::link::NotGranted;
use crate::meter::Guest;

/// The interface, without its version.
pub(crate) const INTERFACE: &str = "glassbox:meter/events";

/// The events of a run.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The names that may be reported, or `None` where any may.
    priced: Option<BTreeSet<String>>,
    counted: BTreeMap<String, u64>,
}

impl Events {
    /// Counts from nothing.
    pub(crate) fn new(priced: Option<BTreeSet<String>>) -> Self {
        Self { priced, counted: BTreeMap::new() }
    }

    /// Returns what was counted.
    pub(crate) fn take(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.counted)
    }

    fn emit(&mut self, name: String, count: u64) -> wasmtime::Result<()> {
        if self.priced.as_ref().is_some_and(|priced| !priced.contains(&name)) {
            let name: String = name.chars().take(limits::QUOTED_CHARS_MAX).collect();
            let (interface, function) = (INTERFACE.to_owned(), format!("emit(\"{name}\")"));
            return Err(wasmtime::Error::new(NotGranted { interface, function }));
        }
        let is_bounded = name.len() <= limits::ID_BYTES_MAX;
        if !is_bounded || self.counted.len() >= limits::EVENT_NAMES_MAX && !self.counted.contains_key(&name) {
            wasmtime::bail!("there are too many names of events, or one is too long");
        }
        let counted = self.counted.entry(name).or_default();
        *counted = counted.saturating_add(count);
        if *counted > limits::EVENTS_PER_CALL_MAX {
            wasmtime::bail!("a call may report {} of an event", limits::EVENTS_PER_CALL_MAX);
        }
        Ok(())
    }
}

/// Links the interface, under the name by which a component imports it.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("emit", |mut store: StoreContextMut<'_, Guest>, (name, count): (String, u64)| {
        let host = store.data_mut().host();
        host.work.call(name.len() + size_of::<u64>())?;
        host.events.emit(name, count)
    })
}
