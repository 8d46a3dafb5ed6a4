//! `wasi:clocks`: virtual clocks that no machine's time shows in, and real ones where granted.

use std::time::{Duration, SystemTime};

use glassbox_core::profile::Profile;
use wasmtime::component::Resource;

use super::Host;
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::io::{Pollable, Wait};
use wall_clock::Datetime;

const MONOTONIC: &str = "wasi:clocks/monotonic-clock";
const WALL: &str = "wasi:clocks/wall-clock";

/// What a clock says of its steps. The same for all clocks, so that it is no observation.
const RESOLUTION_NS: u32 = 1_000;

/// The monotonic clock of guests that are given no real one: it starts at zero, goes on a step with every look at it,
/// and waiting moves it at once.
#[derive(Debug, Default)]
pub(super) struct VirtualClock {
    now_ns: u64,
}

impl VirtualClock {
    /// Returns the time in nanoseconds without going on.
    pub(super) fn now(&self) -> u64 {
        self.now_ns
    }

    /// Goes on one step and returns the time in nanoseconds.
    pub(super) fn step(&mut self) -> u64 {
        self.now_ns = self.now_ns.saturating_add(Profile::current().virtual_clocks.monotonic_step_ns);
        self.now_ns
    }

    /// Goes on to `instant`, unless it is past already.
    pub(super) fn advance_to(&mut self, instant: u64) {
        self.now_ns = self.now_ns.max(instant);
    }
}

/// What the virtual wall clock shows, and every time of a file: it stands still.
pub(super) fn virtual_wall() -> Datetime {
    Datetime { seconds: Profile::current().virtual_clocks.wall_seconds, nanoseconds: 0 }
}

impl Host {
    /// Makes a pollable for `wait`, a wait on the real clock.
    fn timer(&mut self, wait: impl FnOnce(Duration) -> Duration) -> wasmtime::Result<Resource<Pollable>> {
        let wait = match self.observer.live() {
            Some(live) => {
                let duration = wait(live.started.elapsed());
                let _context = live.runtime()?.enter();
                Wait::on(tokio::time::sleep(duration))
            }
            None => Wait::over(),
        };
        self.push(Pollable::Outside(wait))
    }
}

impl monotonic_clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.work.call(size_of::<u64>())?;
        if !self.observes(MONOTONIC) {
            return Ok(self.clock.step());
        }
        self.observer.observe(&format!("{MONOTONIC}#now"), &[], |live| {
            Ok(u64::try_from(live.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.work.call(size_of::<u64>())?;
        Ok(RESOLUTION_NS.into())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(size_of::<u64>())?;
        match self.observes(MONOTONIC) {
            true => self.timer(|now| Duration::from_nanos(when).saturating_sub(now)),
            false => self.push(Pollable::Timer { at: when }),
        }
    }

    fn subscribe_duration(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(size_of::<u64>())?;
        match self.observes(MONOTONIC) {
            true => self.timer(|_| Duration::from_nanos(when)),
            false => {
                let at = self.clock.now().saturating_add(when);
                self.push(Pollable::Timer { at })
            }
        }
    }
}

impl wall_clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        self.work.call(size_of::<u64>() + size_of::<u32>())?;
        if !self.observes(WALL) {
            return Ok(virtual_wall());
        }
        let (seconds, nanoseconds) = self.observer.observe(&format!("{WALL}#now"), &[], |_| {
            // A machine whose clock stands before 1970 has no better answer.
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Ok((now.as_secs(), now.subsec_nanos()))
        })?;
        Ok(Datetime { seconds, nanoseconds })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        self.work.call(size_of::<u64>() + size_of::<u32>())?;
        Ok(Datetime { seconds: 0, nanoseconds: RESOLUTION_NS })
    }
}
