//! The task runner: everything that is done to this repository rather than with it.
//!
//! It needs no tool beyond Cargo; what a task wants besides, it says.

mod bench;
mod ci;
mod codegen;
mod fixtures;
mod process;
mod setup;
mod test;
mod tidy;
mod vectors;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// Tasks of the Glassbox repository
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need; quick when it is there
    Setup,
    /// Run every test there is, after `setup` and `tidy`
    Test {
        /// Passed to the test runner, to run only some tests; documentation tests are then left out
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Check what no compiler checks: floors, limits, links, leftovers
    Tidy,
    /// Run what CI runs: format, lints, tests and the demo as a release build
    Ci,
    /// Measure, and write docs/reference/benchmarks.md
    Bench {
        /// Only these parts, without writing the page
        parts: Vec<String>,
    },
    /// Rebuild the components of the examples and templates, or the one named
    Fixtures {
        /// A folder of `examples`, or `template-rust` and so on
        name: Option<String>,
    },
    /// Renew fuel and memory of the vectors in conformance/fuel, after costs were changed on purpose
    Vectors,
    /// Print how long a unit of fuel takes in programs that do one thing over and over
    Costs,
    /// Search for programs that take far more time for their fuel than others, and print the worst
    SearchCosts {
        /// How many programs to draw and to change: a thousand take some minutes
        #[arg(default_value_t = 1000)]
        count: usize,
    },
    /// Write the generated pages of docs/reference
    Codegen {
        /// Compare instead, and fail when a page is not current
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let root = root()?;
    match task {
        Task::Setup => setup::run(&root),
        Task::Test { args } => test::run(&root, &args),
        Task::Tidy => tidy::run(&root),
        Task::Ci => ci::run(&root),
        Task::Bench { parts } => bench::run(&root, &parts),
        Task::Fixtures { name } => fixtures::run(&root, name.as_deref()),
        Task::Vectors => vectors::run(&root),
        Task::Costs => vectors::costs(&root),
        Task::SearchCosts { count } => vectors::search(&root, count),
        Task::Codegen { check: false } => codegen::write(&root),
        Task::Codegen { check: true } => codegen::check(&root),
    }
}

/// Returns the folder of the repository: Cargo tells where this crate lies, and it lies one folder down.
fn root() -> Result<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").context("run this with `cargo xtask`")?;
    Ok(Path::new(&here).parent().context("xtask lies in no folder")?.to_owned())
}
