//! Runs every test there is.
//!
//! Quick checks come first, so that a slip costs seconds; the test runner comes last, so that its closing lines
//! are the last thing on the screen.

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{cargo, exists, show, show_and_read};
use crate::{codegen, setup, tidy};

/// Runs the tests. With `args`, which select some, only the test runner is started.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    setup::run(root)?;
    if args.is_empty() {
        tidy::run(root)?;
        codegen::check(root)?;
        show(cargo(root).args(["test", "--quiet", "--workspace", "--doc"]))?;
    }
    if exists(cargo(root).arg("nextest")) {
        return show(select(cargo(root).args(["nextest", "run"]), args));
    }
    let (succeeded, output) = show_and_read(select(cargo(root).args(["test", "--all-targets"]), args))?;
    let [passed, failed] = totals(&output);
    println!("{passed} passed, {failed} failed");
    if !succeeded {
        bail!("there are failures");
    }
    Ok(())
}

/// Sums what the test binaries say at their ends: how many cases passed, and how many failed.
fn totals(output: &str) -> [u64; 2] {
    let mut totals = [0, 0];
    for result in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        for (total, noun) in totals.iter_mut().zip([" passed", " failed"]) {
            let before = result.split(';').find_map(|part| part.trim_end().strip_suffix(noun));
            let number = before.and_then(|before| before.split_whitespace().last()?.parse::<u64>().ok());
            *total += number.unwrap_or(0);
        }
    }
    totals
}

/// Adds what both test runners take: which tests, of which packages. Nextest, where it is installed, runs the tests of
/// all crates side by side.
fn select<'a>(command: &'a mut std::process::Command, args: &[String]) -> &'a mut std::process::Command {
    // Cargo takes `--workspace` for the last word, whatever packages are named beside it.
    let names_packages = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    if !names_packages {
        command.arg("--workspace");
    }
    command.arg("--no-fail-fast").args(args)
}

#[cfg(test)]
mod tests {
    use super::totals;

    #[test]
    fn totals_are_summed_over_the_binaries() {
        let output = "running 3 tests\n\
                      test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                      test a ... ok\n\
                      test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(totals(output), [15, 2]);
        assert_eq!(totals(""), [0, 0]);
    }
}
