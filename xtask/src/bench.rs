//! Measures, and keeps what was measured in `docs/reference/benchmarks.md`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result};

use crate::process::{cargo, read, show};
use crate::setup;

const PAGE: &str = "docs/reference/benchmarks.md";

const HEAD: &str = "# Benchmarks

Written by `cargo xtask bench`, which builds everything with the profile `dist` and measures it in one run on one machine.
Ratios are what counts: candidates take turns, and the best of several rounds stands. Everything is measured in three
passes: of a time the shortest stands, of a ratio the middle one, of memory the largest; tables are of the last pass.
CPU time is that of the threads that did the work, so that what else the machine did shows little.

";

/// Runs the benchmarks, or the parts named, and writes the page when all of them ran.
pub(crate) fn run(root: &Path, parts: &[String]) -> Result<()> {
    let folder = root.join("bench/python");
    setup::python(&folder)?;
    let component = python_component(&folder)?;
    // Of the whole workspace, so that a command for servers, which is built the same way, shares what is built.
    show(cargo(root).args(["build", "--profile", "dist", "--workspace", "--bin", "glassbox-bench"]))?;
    let program = program("glassbox-bench")?;
    let page = read(Command::new(program).arg("--component").arg(&component).args(parts))?;
    if !parts.is_empty() {
        print!("{page}");
        return Ok(());
    }
    let page = format!("{HEAD}{}\n\n{page}", machine());
    fs::write(root.join(PAGE), &page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("{page}");
    Ok(())
}

/// Builds the Python component, unless it is there.
fn python_component(folder: &Path) -> Result<PathBuf> {
    let component = folder.join("dist/python.wasm");
    if !component.exists() {
        fs::create_dir_all(folder.join("dist"))?;
        let build =
            ["-d", "wit", "-w", "python", "componentize", "--stub-wasi", "app", "-o", "dist/python.wasm"];
        show(Command::new(folder.join(".venv/bin/componentize-py")).args(build).current_dir(folder))?;
    }
    Ok(component)
}

/// Returns where such a build puts a program: beside the folder of debug builds, which this task runs from.
fn program(name: &str) -> Result<PathBuf> {
    let here = env::current_exe().context("this program lies nowhere")?;
    let target = here.ancestors().nth(2).context("this program lies in no target folder")?;
    Ok(target.join("dist").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// Says on what kind of machine this is.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    format!(
        "Measured on {cores} cores of {}, Linux {kernel}.",
        model.unwrap_or_else(|| "an unknown processor".into())
    )
}
