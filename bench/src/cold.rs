//! What a component costs before its first call: compiling it, and finding it compiled.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Sandbox, SandboxConfig};

use crate::guests::{Function, Guest, LARGE_STACK, SMALL_STACK, returned};
use crate::measure::{process_cpu, show_ns};
use crate::report::Report;

pub(crate) fn run(report: &mut Report, components: &[(String, Vec<u8>)]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let open = |artifacts: &Path, hot_bytes| {
        let config = SandboxConfig { artifact_dir: Some(artifacts.to_owned()), ..SandboxConfig::default() };
        Sandbox::new(SandboxConfig { hot_bytes, ..config })
    };
    let everything = SandboxConfig::default().hot_bytes;
    report.heading("Cold");
    report.text(
        "Compiling once, at publish, and loading what was compiled, in wall time: best of several. A server that runs \
         loads what it had to drop from memory; one that was just started also meets its own pool and its engine's \
         tables for the first time.",
    );
    let mut rows = Vec::new();
    for (name, component) in components {
        let artifacts = folder.path().join(name);
        let cpu = process_cpu();
        let start = Instant::now();
        Guest::new(&open(&artifacts, everything)?, component)?;
        let (compiled, cpu) = (start.elapsed(), process_cpu() - cpu);
        let started = best_of(9, || {
            let sandbox = open(&artifacts, everything)?;
            timed(|| Guest::new(&sandbox, component))
        })?;
        let crowded = open(&artifacts, ONE_COMPONENT)?;
        Guest::new(&crowded, LARGE_STACK)?;
        let running = best_of(25, || {
            Guest::new(&crowded, LARGE_STACK)?;
            timed(|| Guest::new(&crowded, component))
        })?;
        let megabytes = component.len() as f64 / 1e6;
        rows.push(vec![
            name.clone(),
            format!("{megabytes:.2} MB"),
            show_ns(compiled.as_nanos() as f64),
            format!("{:.1} s", cpu.as_secs_f64() / megabytes),
            show_ns(running.as_nanos() as f64),
            show_ns(started.as_nanos() as f64),
        ]);
    }
    report.table(&["component", "size", "compile", "CPU per MB", "load", "load, server just started"], rows);

    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let artifacts = folder.path().join("first-call");
    let first_call = |sandbox: &Sandbox| {
        let guest = Guest::new(sandbox, SMALL_STACK)?;
        let run = runtime.block_on(guest.run_here(&add, [Value::U32(1), Value::U32(2)].into()));
        returned(&run).map(drop)
    };
    let crowded = open(&artifacts, ONE_COMPONENT)?;
    first_call(&crowded)?;
    let running = best_of(100, || {
        Guest::new(&crowded, LARGE_STACK)?;
        timed(|| first_call(&crowded))
    })?;
    let started = best_of(25, || {
        let sandbox = open(&artifacts, everything)?;
        timed(|| first_call(&sandbox))
    })?;
    report.figure("first call from an artefact on disk", running.as_secs_f64() * 1e3, "ms", 0.5);
    report.text(&format!(
        "Load, link, instantiate, call: {} in a server that runs, {} in one that was just started.",
        show_ns(running.as_nanos() as f64),
        show_ns(started.as_nanos() as f64),
    ));
    Ok(())
}

/// So few that whatever is loaded drops what was loaded before.
const ONE_COMPONENT: usize = 1;

fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

fn best_of(rounds: usize, mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        best = best.min(run()?);
    }
    Ok(best)
}
