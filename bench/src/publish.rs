//! What others notice while a large component is published: it is compiled in a child of low priority.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Compiler, Flow, Sandbox, SandboxConfig};

use crate::guests::{Function, Guest, SMALL_STACK};
use crate::measure::show_ns;
use crate::report::Report;

/// What this program is called with to be the compiler's child.
pub(crate) const COMPILE: &str = "compile-child";

/// Compiles `component` beside short calls, and compares their latency with that of the same calls alone.
pub(crate) fn run(report: &mut Report, name: &str, component: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe().context("this program lies nowhere")?;
    let sandbox = Sandbox::new(SandboxConfig {
        artifact_dir: Some(folder.path().to_owned()),
        compiler: Compiler::Process { program, args: vec![COMPILE.into()] },
        ..SandboxConfig::default()
    })?;
    let short = Guest::new(&sandbox, SMALL_STACK)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let alone = runtime.block_on(latencies(&short, Until::Calls(5_000)))?;
    let (beside, took) = std::thread::scope(|scope| {
        let done = Arc::new(AtomicBool::new(false));
        let compiling = scope.spawn({
            let done = done.clone();
            move || {
                let start = Instant::now();
                let compiled = Guest::new(&sandbox, component).map(drop);
                done.store(true, Ordering::Release);
                compiled.map(|()| start.elapsed())
            }
        });
        let beside = runtime.block_on(latencies(&short, Until::Done(&done)))?;
        let took = compiling.join().map_err(|_| anyhow::anyhow!("the compiling thread panicked"))??;
        anyhow::Ok((beside, took))
    })?;
    ensure!(beside.len() > 100, "compiling ended before anything could be measured beside it");
    let at = |latencies: &[Duration], percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    report.heading("Publishing beside calls");
    report.text(&format!(
        "Short calls, one after the other, alone and while the {name} component of {:.1} MB compiles for {:.1} s in its \
         child. Wall time as the caller sees it.",
        component.len() as f64 / 1e6,
        took.as_secs_f64(),
    ));
    let row = |name: &str, latencies: &[Duration]| {
        let show = |percent| show_ns(at(latencies, percent).as_nanos() as f64);
        vec![name.to_owned(), latencies.len().to_string(), show(50), show(99)]
    };
    report.table(
        &["short calls", "how many", "p50", "p99"],
        [row("alone", &alone), row("while it compiles", &beside)],
    );
    let ratio = |percent| at(&beside, percent).as_secs_f64() / at(&alone, percent).as_secs_f64();
    report.figure("p50 of short calls while a large component compiles", ratio(50), "x alone", 1.5);
    report.figure("p99 of short calls while a large component compiles", ratio(99), "x alone", 3.0);
    Ok(())
}

/// When to stop calling.
#[derive(Clone, Copy)]
enum Until<'a> {
    Calls(usize),
    Done(&'a AtomicBool),
}

/// Calls with a pause after each, and returns how long each took, sorted.
async fn latencies(guest: &Guest, until: Until<'_>) -> Result<Vec<Duration>> {
    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let mut latencies = Vec::new();
    loop {
        let done = match until {
            Until::Calls(calls) => latencies.len() >= calls,
            Until::Done(done) => done.load(Ordering::Acquire),
        };
        if done {
            break;
        }
        let start = Instant::now();
        let _ = guest.run(&add, [Value::U32(1), Value::U32(2)].into(), Flow::new("short", "package")).await;
        latencies.push(start.elapsed());
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    latencies.sort_unstable();
    Ok(latencies)
}
