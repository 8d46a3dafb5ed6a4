//! Runs every test there is.
//!
//! Quick checks come first, so that a slip costs seconds; the test runner comes last, so that its closing lines
//! are the last thing on the screen.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, exists, show};
use crate::{codegen, setup, tidy};

/// Runs the tests. With `args`, which select some, only the test runner is started.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    setup::run(root)?;
    if args.is_empty() {
        tidy::run(root)?;
        codegen::check(root)?;
        show(cargo(root).args(["test", "--quiet", "--workspace", "--doc"]))?;
    }
    show(runner(root, args).args(args))
}

/// Returns nextest where it is installed: it runs the tests of all crates side by side.
fn runner(root: &Path, args: &[String]) -> std::process::Command {
    let mut command = cargo(root);
    if exists(cargo(root).arg("nextest")) {
        command.args(["nextest", "run"]);
    } else {
        command.args(["test", "--all-targets"]);
    }
    // Cargo takes `--workspace` for the last word, whatever packages are named beside it.
    let names_packages = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    if !names_packages {
        command.arg("--workspace");
    }
    command.arg("--no-fail-fast");
    command
}
