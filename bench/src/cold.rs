//! What a component costs before its first call: compiling it, and finding it compiled.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Sandbox, SandboxConfig};

use crate::guests::{Function, Guest, SMALL_STACK, returned};
use crate::measure::{process_cpu, show_ns};
use crate::report::Report;

pub(crate) fn run(report: &mut Report, components: &[(String, Vec<u8>)]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let open = |artifacts: &Path| {
        Sandbox::new(SandboxConfig { artifact_dir: Some(artifacts.to_owned()), ..SandboxConfig::default() })
    };
    report.heading("Cold");
    report.text("Compiling once, at publish, and loading what was compiled, in wall time: best of several.");
    let mut rows = Vec::new();
    for (name, component) in components {
        let sandbox = open(&folder.path().join(name))?;
        let cpu = process_cpu();
        let start = Instant::now();
        Guest::new(&sandbox, component)?;
        let (wall, cpu) = (start.elapsed(), process_cpu() - cpu);
        // A sandbox that has not seen it yet finds it on the disk.
        let mut loaded = Duration::MAX;
        for _ in 0..9 {
            let sandbox = open(&folder.path().join(name))?;
            let start = Instant::now();
            Guest::new(&sandbox, component)?;
            loaded = loaded.min(start.elapsed());
        }
        let megabytes = component.len() as f64 / 1e6;
        rows.push(vec![
            name.clone(),
            format!("{:.2} MB", megabytes),
            show_ns(wall.as_nanos() as f64),
            format!("{:.1} s", cpu.as_secs_f64() / megabytes),
            show_ns(loaded.as_nanos() as f64),
        ]);
    }
    report.table(&["component", "size", "compile", "CPU per MB", "load"], rows);

    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let artifacts = folder.path().join("first-call");
    Guest::new(&open(&artifacts)?, SMALL_STACK)?;
    let mut best = Duration::MAX;
    for _ in 0..25 {
        let sandbox = open(&artifacts)?;
        let start = Instant::now();
        let guest = Guest::new(&sandbox, SMALL_STACK)?;
        let run = runtime.block_on(guest.run_here(&add, [Value::U32(1), Value::U32(2)].into()));
        returned(&run)?;
        best = best.min(start.elapsed());
    }
    report.figure("first call from an artefact on disk", best.as_secs_f64() * 1e3, "ms", 0.5);
    Ok(())
}
