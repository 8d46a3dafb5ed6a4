//! Renews the figures of the golden vectors, after costs were changed on purpose.

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
