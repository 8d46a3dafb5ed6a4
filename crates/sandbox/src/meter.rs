//! What a running guest may take of the machine, and what it costs: memory and tables.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glassbox_core::profile::{HostCosts, Profile};
use wasmtime::{ResourceLimiter, Trap};

use crate::host::Host;
use crate::inner::Inner;
use crate::mutants::Marks;

/// What the host knows of one running guest.
pub(crate) struct Guest {
    pub(crate) memory: Meter,
    /// `None` where the component asks nothing of the host.
    pub(crate) host: Option<Box<Host>>,
    /// `None` where the component has no dependencies.
    pub(crate) inner: Option<Box<Inner>>,
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

    /// Returns the dependencies of the component.
    ///
    /// # Panics
    ///
    /// When it has none. Only components that have some are linked to them.
    pub(crate) fn inner(&mut self) -> &mut Inner {
        self.inner.as_deref_mut().expect("a component linked to dependencies has some")
    }

    /// Returns the fuel that the engine did not count: the work of the host, memory and tables.
    pub(crate) fn fuel_aside(&self) -> u64 {
        let host = self.host.as_ref().map_or(0, |host| host.work.fuel_used());
        host.saturating_add(self.memory.fuel_used())
    }

    /// Returns how long it waited for answers from outside, and its dependencies did.
    pub(crate) fn waited(&self) -> Duration {
        let host = self.host.as_ref().map_or(Duration::ZERO, |host| host.waited);
        self.inner.as_ref().map_or(host, |inner| host.saturating_add(inner.waited()))
    }

    /// Starts counting anew what the engine does not: from now on there is `fuel_max`.
    pub(crate) fn allow(&mut self, fuel_max: u64) {
        self.memory.allow(fuel_max);
        if let Some(host) = &mut self.host {
            host.work.allow(fuel_max);
        }
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
    /// What is held together with others, where there are others.
    whole: Option<Arc<Whole>>,
    /// The marked places that it came by, where that is asked for.
    marks: Option<Marks>,
}

/// What all guests of one call hold together.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Total,
    elements: Total,
    /// What the host holds of arguments on their way between packages.
    crossing: Total,
    peak_bytes: AtomicUsize,
}

/// The guests of a call have more of the host's memory under way between them than they may.
#[derive(Debug, thiserror::Error)]
#[error(
    "the arguments that packages of one call pass each other take more than {CROSSING_BYTES_MAX} bytes of memory"
)]
pub(crate) struct TooMuchCrosses;

/// The most memory of the host that arguments take on their way between the packages of one call, in bytes: as much as one
/// result may take that is handed out. Packages that call each other in turn hold theirs at the same time.
const CROSSING_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A sum that must not exceed a maximum. The guests of a call take turns, so no order of memory matters.
#[derive(Debug)]
struct Total {
    held: AtomicUsize,
    max: usize,
}

impl Total {
    fn grow(&self, by: usize) -> bool {
        let grown = self.held.load(Ordering::Relaxed).saturating_add(by);
        let allowed = grown <= self.max;
        if allowed {
            self.held.store(grown, Ordering::Relaxed);
        }
        allowed
    }

    fn shrink(&self, by: usize) {
        self.held.store(self.held.load(Ordering::Relaxed).saturating_sub(by), Ordering::Relaxed);
    }
}

impl Whole {
    pub(crate) fn new(bytes_max: usize, elements_max: usize) -> Self {
        let total = |max| Total { held: AtomicUsize::new(0), max };
        Self {
            bytes: total(bytes_max),
            elements: total(elements_max),
            crossing: total(CROSSING_BYTES_MAX),
            peak_bytes: AtomicUsize::new(0),
        }
    }

    /// Counts arguments that the host holds until [`let_go`](Self::let_go).
    pub(crate) fn hold(&self, bytes: usize) -> wasmtime::Result<()> {
        if self.crossing.grow(bytes) { Ok(()) } else { Err(TooMuchCrosses.into()) }
    }

    /// Counts arguments no more.
    pub(crate) fn let_go(&self, bytes: usize) {
        self.crossing.shrink(bytes);
    }

    /// Returns the most memory that there was at a time.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

impl Meter {
    /// Makes a meter; memory and tables may cost `fuel_max` at most.
    pub(crate) fn new(fuel_max: u64, bytes_max: usize, elements_max: usize) -> Self {
        let costs = &Profile::current().host;
        let (fuel_used, bytes, elements, peak_bytes, refused, whole, marks) = Default::default();
        Self {
            costs,
            fuel_used,
            fuel_max,
            bytes,
            bytes_max,
            elements,
            elements_max,
            peak_bytes,
            refused,
            whole,
            marks,
        }
    }

    /// Counts what is held towards what is held together with others, too.
    pub(crate) fn within(self, whole: Option<Arc<Whole>>) -> Self {
        Self { whole, ..self }
    }

    /// Notes the marked places that it comes by, where that is asked for.
    pub(crate) fn marking(self, marked: bool) -> Self {
        Self { marks: marked.then(Marks::default), ..self }
    }

    /// Takes out the marked places that it came by.
    pub(crate) fn take_reached(&mut self) -> BTreeSet<u32> {
        self.marks.take().map(Marks::into_numbers).unwrap_or_default()
    }

    fn allow(&mut self, fuel_max: u64) {
        (self.fuel_used, self.fuel_max) = (0, fuel_max);
    }

    /// Returns the fuel that there was when counting began.
    pub(crate) fn fuel_max(&self) -> u64 {
        self.fuel_max
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

    /// Adds `by` to `total` if that keeps it within `max`, and the whole within its own.
    fn grow(total: &mut usize, max: usize, by: usize, whole: Option<&Total>) -> bool {
        let grown = total.saturating_add(by);
        let allowed = grown <= max && whole.is_none_or(|whole| whole.grow(by));
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
        if self.marks.as_mut().is_some_and(|marks| marks.note(current, desired)) {
            return Ok(false);
        }
        // Beyond its own maximum the growth fails anyway and must not be counted.
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        let by = desired.saturating_sub(current);
        let whole = self.whole.as_ref().map(|whole| &whole.bytes);
        let allowed = possible && Self::grow(&mut self.bytes, self.bytes_max, by, whole);
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        if let Some(whole) = &self.whole {
            whole.peak_bytes.fetch_max(whole.bytes.held.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.refused |= !allowed;
        if allowed {
            let pages = (by as u64).div_ceil(PAGE_BYTES);
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
        let by = desired.saturating_sub(current);
        let whole = self.whole.as_ref().map(|whole| &whole.elements);
        let allowed = possible && Self::grow(&mut self.elements, self.elements_max, by, whole);
        self.refused |= !allowed;
        if allowed {
            self.charge(self.costs.per_table_element, by as u64)?;
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crosses_is_bounded_as_long_as_it_is_held() {
        let whole = Whole::new(0, 0);
        let half = CROSSING_BYTES_MAX / 2;
        assert!(whole.hold(half).is_ok() && whole.hold(half).is_ok());
        assert!(whole.hold(1).expect_err("no more").is::<TooMuchCrosses>());
        whole.let_go(half);
        assert!(whole.hold(half).is_ok());
        assert_eq!(whole.peak_bytes(), 0, "it is no guest's memory");
    }
}
