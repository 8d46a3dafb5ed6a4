//! What CI runs. Warnings are errors here and only here.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, exists, show};
use crate::test;

/// Runs everything that a change must pass.
pub(crate) fn run(root: &Path) -> Result<()> {
    show(cargo(root).args(["fmt", "--all", "--check"]))?;
    show(cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    if exists(cargo(root).arg("deny")) {
        show(cargo(root).args(["deny", "check", "licenses", "bans", "sources"]))?;
    } else {
        eprintln!("cargo-deny is not installed: licences of dependencies were not checked");
    }
    test::run(root, &[])?;
    show(cargo(root).args(["run", "--release", "--package", "glassbox", "--", "demo", "--exit"]))
}
