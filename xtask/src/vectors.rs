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

/// Prints how long a unit of fuel takes, in an optimised build: the host's part is slow without.
pub(crate) fn costs(root: &Path) -> Result<()> {
    let table = ["test", "--release", "--package", "glassbox-sandbox", "--test", "sandbox", "costs::table"];
    show(cargo(root).args(table).args(["--", "--nocapture"]).env("GLASSBOX_COSTS", "1"))
}
