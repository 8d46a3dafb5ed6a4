//! The `glassbox` command: flags, files and printing. What it decides, it decides in the crates below.

mod authorship;
mod blocklists;
mod cli;
mod commands;
mod embedded;
mod failure;
mod files;
mod folder;
mod home;
mod keep;
mod lockfile;
mod node;
mod output;
mod password;
mod progress;
mod rail;
mod receipts;
mod remote;
mod sandbox;
mod wallet;
mod witnessing;

use std::process::ExitCode;

use clap::Parser as _;

/// A call makes and drops hundreds of small things, on one thread and another: the system's allocator is not made for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && asks_for_json() => {
            return output::Output::new(true).fail(&failure::Failure::usage(&error));
        }
        Err(error) => error.exit(),
    };
    // Before there are threads, which would keep the rights that a worker gives up.
    match cli.command {
        cli::Command::SandboxCompile => return glassbox_sandbox::compile_worker(),
        cli::Command::SandboxExecute => return glassbox_sandbox::execute_worker(),
        _ => {}
    }
    let output = output::Output::new(cli.global.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output.fail(&failure::Failure::error("io", format!("cannot start: {error}"), ""));
        }
    };
    let result = runtime.block_on(commands::run(cli, output));
    // Threads of guests that still spin must not keep a finished command alive.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit,
        Err(failure) => output.fail(&failure),
    }
}

/// Tells whether `--json` is among the arguments, for when they could not be read.
fn asks_for_json() -> bool {
    std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}
