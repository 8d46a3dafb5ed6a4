//! What fuel costs: renews the golden vectors after a change on purpose, and measures what a unit takes.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, show};

/// Writes fuel and memory of every vector of `conformance/fuel` anew, and then runs them under every compiler.
///
/// # Errors
///
/// When a call ends in another way than the vector says, which no renewing changes.
pub(crate) fn run(root: &Path) -> Result<()> {
    let golden = ["test", "--quiet", "--package", "glassbox-sandbox", "--test", "sandbox", "golden::"];
    show(cargo(root).args(golden).env("GLASSBOX_BLESS", "1"))?;
    show(cargo(root).args(golden))
}

/// Prints how long a unit of fuel takes in programs that do one thing each.
pub(crate) fn costs(root: &Path) -> Result<()> {
    table(root, "costs::table", ("GLASSBOX_COSTS", "1"))
}

/// Prints the programs whose units of fuel take longest, of `count` that are drawn and changed.
pub(crate) fn search(root: &Path, count: usize) -> Result<()> {
    table(root, "search::table", ("GLASSBOX_SEARCH", &count.to_string()))
}

/// Has a test print its table, in an optimised build: the host's part is slow without.
fn table(root: &Path, test: &str, (variable, value): (&str, &str)) -> Result<()> {
    let args = ["test", "--release", "--package", "glassbox-sandbox", "--test", "sandbox", test];
    show(cargo(root).args(args).args(["--", "--exact", "--nocapture"]).env(variable, value))
}
