//! What Glassbox costs, as ratios within one run. Prints a page of Markdown; `cargo xtask bench` keeps it.
//!
//! Arguments choose parts: `calls`, `inner`, `kernels`, `copy`, `cold`, `publish`, `scale`, `log`, `http`, `verify`. `--component PATH` adds one
//! to be compiled in `cold` and `publish`.

mod bare;
mod calls;
mod cold;
mod copy;
mod guests;
mod http;
mod inner;
mod kernels;
mod log;
mod measure;
mod publish;
mod report;
mod scale;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use glassbox_sandbox::{Sandbox, SandboxConfig};
use report::Report;

/// What the command uses too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some(publish::COMPILE) => return Ok(glassbox_sandbox::compile_worker()),
        Some(http::EXECUTE) => return Ok(glassbox_sandbox::execute_worker()),
        Some(scale::CALL_LOOP) => {
            return scale::call_loop(&args.next().unwrap_or_default()).map(|()| ExitCode::SUCCESS);
        }
        Some(scale::MANY_CALLS) => return scale::many_calls().map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let mut parts = Vec::new();
    let mut components = vec![("bench guest".to_owned(), guests::SMALL_STACK.to_vec())];
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--component" {
            let path = args.next().context("--component wants a path")?;
            let name = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {path}"))?;
            components.push((name, bytes));
        } else {
            parts.push(arg);
        }
    }
    let mut report = Report::default();
    for _ in 0..PASSES {
        report.start_pass();
        measure(&mut report, &parts, &components)?;
    }
    print!("{}", report.page());
    Ok(ExitCode::SUCCESS)
}

/// Machines are slower for minutes, too: longer than a part takes, so that all of them come again.
const PASSES: usize = 3;

/// Measures the parts named, or all of them, once.
fn measure(report: &mut Report, parts: &[String], components: &[(String, Vec<u8>)]) -> Result<()> {
    let wants = |name: &str| parts.is_empty() || parts.iter().any(|part| part == name);
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    if wants("calls") {
        calls::run(report, &sandbox)?;
    }
    if wants("inner") {
        inner::run(report, &sandbox)?;
    }
    if wants("kernels") {
        kernels::run(report, &sandbox)?;
    }
    if wants("copy") {
        copy::run(report, &sandbox)?;
    }
    drop(sandbox);
    if wants("cold") {
        cold::run(report, components)?;
    }
    if wants("publish") {
        for (name, component) in &components[1..] {
            publish::run(report, name, component)?;
        }
    }
    if wants("scale") {
        scale::run(report)?;
    }
    if wants("log") {
        log::run(report)?;
    }
    if wants("http") {
        http::run(report)?;
    }
    if wants("verify") {
        verify::run(report)?;
    }
    Ok(())
}
