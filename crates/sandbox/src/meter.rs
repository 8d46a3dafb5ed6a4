//! What a running guest may take of the machine: memory and tables.

use wasmtime::ResourceLimiter;

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

/// Counts memory and table elements over all memories and tables of a guest, and refuses what exceeds the limits.
///
/// The engine's own limits are per memory, and a composed component has several.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes: usize,
    bytes_max: usize,
    elements: usize,
    elements_max: usize,
    peak_bytes: usize,
    refused: bool,
}

impl Meter {
    pub(crate) fn new(bytes_max: usize, elements_max: usize) -> Self {
        Self { bytes: 0, bytes_max, elements: 0, elements_max, peak_bytes: 0, refused: false }
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
        Ok(allowed)
    }
}
