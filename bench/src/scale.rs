//! What happens when there is more than one: threads, payers, and a hundred thousand calls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Flow, Sandbox, SandboxConfig};

use crate::guests::{Function, Guest, LARGE_STACK, SMALL_STACK};
use crate::measure::resident_bytes;
use crate::report::Report;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    threads(report)?;
    memory(report)?;
    fairness(report)
}

#[expect(clippy::disallowed_methods, reason = "a measurement takes a given time, and waits for nothing")]
/// Calls per second over `threads` threads that call as fast as they can for `duration`.
fn throughput(guest: &Guest, threads: usize, duration: Duration) -> Result<f64> {
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let calls = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> Result<u64> {
                    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
                    let args: Arc<[Value]> = [Value::U32(1), Value::U32(2)].into();
                    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                    runtime.block_on(async {
                        let mut calls = 0;
                        while !stop.load(Ordering::Relaxed) {
                            for _ in 0..100 {
                                let _ = std::hint::black_box(guest.run_here(&add, args.clone()).await);
                            }
                            calls += 100;
                        }
                        Ok(calls)
                    })
                })
            })
            .collect();
        std::thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(0))).sum::<Result<u64>>()
    })?;
    Ok(calls as f64 / start.elapsed().as_secs_f64())
}

/// What this program is called with to be an executor that calls as fast as it can, and says how often it did.
pub(crate) const CALL_LOOP: &str = "call-loop";

/// Is that executor.
pub(crate) fn call_loop(guest: &str) -> Result<()> {
    let component = guests().into_iter().find(|(name, _)| *name == guest).context("no such guest")?.1;
    let sandbox = Sandbox::new(SandboxConfig { threads: 1, ..SandboxConfig::default() })?;
    let guest = Guest::new(&sandbox, component)?;
    // All of them are ready before any begins.
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;
    println!("{}", throughput(&guest, 1, ROUND)?);
    Ok(())
}

fn guests() -> [(&'static str, &'static [u8]); 2] {
    [("64 KiB stack", SMALL_STACK), ("1 MiB stack", LARGE_STACK)]
}

const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: usize = 11;

/// The middle of what was measured. One and two take turns, so a time in which the machine was busy shows in both.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Calls per second over `count` processes of one thread each.
fn executors(guest: &str, count: usize) -> Result<f64> {
    let spawn = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([CALL_LOOP, guest]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn()
    };
    let mut children = (0..count).map(|_| spawn()).collect::<std::io::Result<Vec<_>>>()?;
    let mut outputs = Vec::new();
    for child in &mut children {
        let mut output = BufReader::new(child.stdout.take().context("a child without output")?);
        output.read_line(&mut String::new())?;
        outputs.push(output);
    }
    for child in &mut children {
        writeln!(child.stdin.take().context("a child without input")?)?;
    }
    let mut calls = 0.0;
    for (child, output) in children.iter_mut().zip(&mut outputs) {
        let mut line = String::new();
        output.read_line(&mut line)?;
        calls += line.trim().parse::<f64>().context("a child did not say how often it called")?;
        child.wait()?;
    }
    Ok(calls)
}

fn threads(report: &mut Report) -> Result<()> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    report.heading("Two cores");
    report.text(
        "Fresh instances as fast as they go, by one executor and by two: processes of one thread each, and threads of \
         one process. Threads share the engine's pool and the kernel's map of one address space, which calls as \
         small as these do little else than change; calls that compute do not feel it.",
    );
    let mut rows = Vec::new();
    for (name, component) in guests() {
        let guest = Guest::new(&sandbox, component)?;
        let (mut processes, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            processes.push([executors(name, 1)?, executors(name, 2)?]);
            threads.push([throughput(&guest, 1, ROUND)?, throughput(&guest, 2, ROUND)?]);
        }
        let ratio = |rounds: &[[f64; 2]]| median(rounds.iter().map(|[one, two]| two / one));
        for (kind, rounds) in [("processes", &processes), ("threads", &threads)] {
            let best = |index: usize| rounds.iter().map(|round| round[index]).fold(0.0, f64::max);
            let best = [best(0), best(1)].map(|calls| format!("{calls:.0}/s"));
            let cells = best.into_iter().chain([format!("{:.2}x", ratio(rounds))]);
            rows.push([name.to_owned(), kind.to_owned()].into_iter().chain(cells).collect());
        }
        report.figure_at_least(&format!("two executors against one, {name}"), ratio(&processes), "x", 1.7);
    }
    report.table(&["guest", "executors", "one", "two", "middle ratio"], rows);
    Ok(())
}

/// What this program is called with to be a server that calls very often, and says what memory it had and took.
pub(crate) const MANY_CALLS: &str = "many-calls";

/// Is that server.
pub(crate) fn many_calls() -> Result<()> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let guest = Guest::new(&sandbox, LARGE_STACK)?;
    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let call = |calls: usize| {
        runtime.block_on(async {
            for _ in 0..calls {
                let flow = Flow::new("payer", "package");
                let _ = guest.run(&add, [Value::U32(1), Value::U32(2)].into(), flow).await;
            }
        });
    };
    call(10_000);
    let before = resident_bytes();
    call(100_000);
    println!("{before} {}", resident_bytes().saturating_sub(before));
    Ok(())
}

/// In a process of its own: what parts before left behind comes and goes.
fn memory(report: &mut Report) -> Result<()> {
    let output = Command::new(std::env::current_exe()?).arg(MANY_CALLS).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(output.stdout)?;
    let (before, grown) = said.trim().split_once(' ').context("a child did not say what memory it took")?;
    let (before, grown) = (before.parse::<u64>()? as f64 / 1e6, grown.parse::<u64>()? as f64 / 1e6);
    report.figure("resident memory grown over 100,000 calls", grown, "MB", 1.0);
    report.heading("Memory");
    report.text(&format!(
        "{before:.1} MB resident after 10,000 calls, {grown:.1} MB more after 100,000 more, in a process that does nothing else."
    ));
    Ok(())
}

/// The 99th of 100 latencies of short calls by one payer.
async fn p99(guest: &Guest, add: &Function) -> Duration {
    let mut latencies = Vec::new();
    for _ in 0..1_000 {
        let start = Instant::now();
        let _ = guest.run(add, [Value::U32(1), Value::U32(2)].into(), Flow::new("short", "package")).await;
        latencies.push(start.elapsed());
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

fn fairness(report: &mut Report) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let sandbox = Sandbox::new(SandboxConfig { threads: cores, ..SandboxConfig::default() })?;
    let guest = Guest::new(&sandbox, SMALL_STACK)?;
    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (solo, crowded) = runtime.block_on(async {
        let mut solo = Duration::MAX;
        for _ in 0..3 {
            solo = solo.min(p99(&guest, &add).await);
        }
        let spinning: Vec<_> = (0..100)
            .map(|_| {
                let guest = guest.clone();
                tokio::spawn(async move {
                    let spin = Function::new("spin", &[Type::U32], Type::U32)?;
                    let flow = Flow::new("spinner", "package");
                    guest.run(&spin, [Value::U32(u32::MAX)].into(), flow).await;
                    anyhow::Ok(())
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut crowded = Duration::MAX;
        for _ in 0..3 {
            crowded = crowded.min(p99(&guest, &add).await);
        }
        spinning.iter().for_each(tokio::task::JoinHandle::abort);
        (solo, crowded)
    });
    let ratio = crowded.as_secs_f64() / solo.as_secs_f64();
    report.figure("p99 of a payer's short calls beside another's 100 spinning ones", ratio, "x solo", 5.0);
    report.heading("Fairness");
    report.text(&format!(
        "One payer makes short calls, another has 100 calls that never end. The first one's p99 is {:.0} µs alone and \
         {:.0} µs beside the other.",
        solo.as_secs_f64() * 1e6,
        crowded.as_secs_f64() * 1e6
    ));
    Ok(())
}
