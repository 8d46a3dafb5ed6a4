//! What a running guest may take of the machine, and what it costs: memory and tables.

use glassbox_core::profile::{HostCosts, Profile};
use wasmtime::{ResourceLimiter, Trap};

use crate::host::Host;

/// What the host knows of one running guest.
pub(crate) struct Guest {
    pub(crate) memory: Meter,
    /// `None` where the component asks nothing of the host.
    pub(crate) host: Option<Box<Host>>,
}

impl Guest {
    /// Returns the host's side of the run.
    ///
    /// # Panics
    ///
    /// When there is none. Only components that need it are linked to it, and for those there is one.
    pub(crate) fn host(&mut self) -> &mut Host {
        self.host.as_deref_mut().expect("a component linked to the host has one")
    }
}

/// A page of linear memory, in bytes.
const PAGE_BYTES: u64 = 64 * 1024;

/// Counts memory and table elements over all memories and tables of a guest, and refuses what exceeds the limits.
///
/// The engine's own limits are per memory, and a composed component has several. Nor does it charge what is there from
/// the start, or what a page costs once it is touched, so that is counted here and added to its count at the end.
#[derive(Debug)]
pub(crate) struct Meter {
    costs: &'static HostCosts,
    fuel_used: u64,
    fuel_max: u64,
    bytes: usize,
    bytes_max: usize,
    elements: usize,
    elements_max: usize,
    peak_bytes: usize,
    refused: bool,
}

impl Meter {
    /// Makes a meter; memory and tables may cost `fuel_max` at most.
    pub(crate) fn new(fuel_max: u64, bytes_max: usize, elements_max: usize) -> Self {
        let costs = &Profile::current().host;
        let (fuel_used, bytes, elements, peak_bytes, refused) = Default::default();
        Self { costs, fuel_used, fuel_max, bytes, bytes_max, elements, elements_max, peak_bytes, refused }
    }

    /// Returns the fuel that memory and tables cost so far. It may exceed the run's fuel by the growth that ended it.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    fn charge(&mut self, cost: u64, count: u64) -> wasmtime::Result<()> {
        self.fuel_used = self.fuel_used.saturating_add(cost.saturating_mul(count));
        if self.fuel_used <= self.fuel_max { Ok(()) } else { Err(Trap::OutOfFuel.into()) }
    }

    /// Returns the most memory that there was at a time.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    /// Tells whether anything was refused.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Moves `total` from `current` to `desired` if that keeps it within `max`.
    fn grow(total: &mut usize, max: usize, current: usize, desired: usize) -> bool {
        let grown = total.saturating_add(desired.saturating_sub(current));
        let allowed = grown <= max;
        if allowed {
            *total = grown;
        }
        allowed
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Beyond its own maximum the growth fails anyway and must not be counted.
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        let allowed = possible && Self::grow(&mut self.bytes, self.bytes_max, current, desired);
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        self.refused |= !allowed;
        if allowed {
            let pages = (desired.saturating_sub(current) as u64).div_ceil(PAGE_BYTES);
            self.charge(self.costs.per_memory_page, pages)?;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        let allowed = possible && Self::grow(&mut self.elements, self.elements_max, current, desired);
        self.refused |= !allowed;
        if allowed {
            self.charge(self.costs.per_table_element, desired.saturating_sub(current) as u64)?;
        }
        Ok(allowed)
    }
}
