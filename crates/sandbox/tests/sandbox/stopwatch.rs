//! Runs programs on this thread and reads its clock.

use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::value::json;
use glassbox_sandbox::{Grants, Invocation, Outcome, Run, RunLimits, Sandbox, SandboxConfig, SandboxError};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::component::integer_type;

pub(crate) struct Stopwatch {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
}

/// What a program took, and what came of it.
pub(crate) struct Taken {
    pub(crate) cpu: Duration,
    pub(crate) run: Run,
}

impl Taken {
    /// Returns the picoseconds of processor time that one unit of fuel came to.
    pub(crate) fn picoseconds(&self) -> u64 {
        u64::try_from(self.cpu.as_nanos() * 1000 / u128::from(self.run.fuel_used.max(1))).unwrap_or(u64::MAX)
    }

    /// Tells in a word how it ended.
    pub(crate) fn ended(&self) -> String {
        match &self.run.outcome {
            Outcome::Returned(_) => "returned".to_owned(),
            Outcome::Failed(failure) => failure.kind.to_string(),
        }
    }
}

/// Returns the processor time that this thread has had.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

/// Returns the processor time that this process has had: of all its threads, such as those that compile and run guests.
pub(crate) fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

/// Returns the most memory that this process has held so far, in bytes.
#[cfg(target_os = "linux")]
pub(crate) fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system says so");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    let kib: usize = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn peak_bytes() -> usize {
    0
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let config = SandboxConfig { threads: 1, hot_bytes: 1, ..SandboxConfig::default() };
        Self { sandbox: Sandbox::new(config).expect("starts"), runtime: runtime.expect("starts") }
    }

    /// Runs `run` of a component, of type `func(n: u32) -> u32`, as often as `tries` says.
    ///
    /// # Errors
    ///
    /// When the component is refused.
    pub(crate) fn take(&self, component: &[u8], fuel: u64, tries: usize) -> Result<Vec<Taken>, SandboxError> {
        let prepared = self.sandbox.prepare(Digest::of(component), component, &Grants::none())?;
        let ty = integer_type();
        let function = "run".parse().expect("a name");
        let limits = RunLimits { fuel, memory_bytes: 512 * 1024 * 1024, ..RunLimits::default() };
        let once = || {
            let args = json::args_from_json(&ty, &json!([0])).expect("a number");
            let started = thread_time();
            let invocation = Invocation::new(&function, &ty, args.into(), limits);
            let run = self.runtime.block_on(self.sandbox.run_here(&prepared, invocation));
            Taken { cpu: thread_time() - started, run }
        };
        Ok((0..tries).map(|_| once()).collect())
    }
}
