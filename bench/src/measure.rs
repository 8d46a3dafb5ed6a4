//! Clocks and rounds.
//!
//! Machines are noisy, so every figure is thread or process CPU time, candidates take turns within one run, and the best
//! of several rounds stands. Ratios between candidates hold where absolute figures do not.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of this thread so far.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// The CPU time of this process so far, over all threads.
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// A candidate: runs its work `times` times and returns the CPU time that took.
pub(crate) type Candidate<'a> = (&'a str, Box<dyn FnMut(u32) -> Duration + 'a>);

/// Lets the candidates take turns for `rounds` rounds of `times` each, and returns each one's best CPU time for one time,
/// in nanoseconds.
pub(crate) fn take_turns<'a>(
    rounds: u32,
    times: u32,
    candidates: &mut [Candidate<'a>],
) -> Vec<(&'a str, f64)> {
    let mut best: Vec<_> = candidates.iter().map(|(name, _)| (*name, f64::INFINITY)).collect();
    for _ in 0..rounds {
        for ((_, run), (_, best)) in candidates.iter_mut().zip(&mut best) {
            let ns = run(times).as_nanos() as f64 / f64::from(times);
            *best = best.min(ns);
        }
    }
    best
}

/// Wraps work on this thread as a candidate.
pub(crate) fn on_this_thread<'a>(name: &'a str, mut work: impl FnMut() + 'a) -> Candidate<'a> {
    let run = move |times| {
        let start = thread_cpu();
        for _ in 0..times {
            work();
        }
        thread_cpu() - start
    };
    (name, Box::new(run))
}

/// Nanoseconds for people.
pub(crate) fn show_ns(ns: f64) -> String {
    match ns {
        ns if ns < 1_000.0 => format!("{ns:.0} ns"),
        ns if ns < 1_000_000.0 => format!("{:.1} µs", ns / 1_000.0),
        ns if ns < 1_000_000_000.0 => format!("{:.1} ms", ns / 1_000_000.0),
        ns => format!("{:.2} s", ns / 1_000_000_000.0),
    }
}
