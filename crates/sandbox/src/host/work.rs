//! What the host's work on a guest's behalf costs.

use glassbox_core::profile::{HostCosts, Profile};
use wasmtime::Trap;

/// Counts the fuel of host calls: each has a price, and so has every byte that crosses in it.
///
/// The engine cannot count it, so it is added to the engine's count at the end. Here it only ends a run that would
/// exceed its fuel by the host's work alone, which bounds the number of host calls too.
#[derive(Debug)]
pub(crate) struct Work {
    costs: &'static HostCosts,
    fuel_used: u64,
    fuel_max: u64,
    /// The fuel since the guest gave way last.
    turn: u64,
}

impl Work {
    pub(crate) fn new(fuel_max: u64) -> Self {
        Self { costs: &Profile::current().host, fuel_used: 0, fuel_max, turn: 0 }
    }

    /// Returns the fuel used so far. It may exceed the run's fuel by the price of the call that ended it.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Starts counting anew: from now on there is `fuel_max`.
    pub(crate) fn allow(&mut self, fuel_max: u64) {
        (self.fuel_used, self.fuel_max) = (0, fuel_max);
    }

    /// Charges one host call that brought `bytes` from the guest.
    pub(crate) fn call(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.charge(self.costs.per_host_call, 1)?;
        self.bytes(bytes)
    }

    /// Charges `bytes` that cross in the call that is under way. Asked before they are made.
    pub(crate) fn bytes(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.charge(self.costs.per_host_byte, bytes)
    }

    /// Charges `bytes` of the call that is under way for being random.
    pub(crate) fn random(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.charge(self.costs.per_random_byte, bytes)
    }

    /// Tells whether the host has worked as long as a turn is since this was last said.
    pub(crate) fn is_time(&mut self) -> bool {
        let interval = Profile::current().trap.yield_interval;
        let is_time = self.turn >= interval;
        self.turn %= interval;
        is_time
    }

    fn charge(&mut self, cost: u64, count: usize) -> wasmtime::Result<()> {
        let fuel = cost.saturating_mul(count as u64);
        self.fuel_used = self.fuel_used.saturating_add(fuel);
        self.turn = self.turn.saturating_add(fuel);
        if self.fuel_used <= self.fuel_max { Ok(()) } else { Err(Trap::OutOfFuel.into()) }
    }
}
