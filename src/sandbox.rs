//! The sandbox as every command uses it: what strangers wrote is compiled by a child of this program.

use std::path::PathBuf;

use glassbox_sandbox::{Compiler, Sandbox, SandboxConfig};

use crate::failure::Failure;

/// Returns how a sandbox is set up, with compiled components kept in `artifact_dir`, if anywhere.
pub(crate) fn config(artifact_dir: Option<PathBuf>) -> anyhow::Result<SandboxConfig> {
    // The link leads to the program that runs, even after another was installed in its place.
    let own = PathBuf::from("/proc/self/exe");
    let program = if own.exists() { own } else { std::env::current_exe()? };
    let compiler = Compiler::Process { program, args: vec!["sandbox-compile".into()] };
    Ok(SandboxConfig { artifact_dir, compiler, ..SandboxConfig::default() })
}

/// Makes a sandbox that keeps nothing.
pub(crate) fn temporary() -> Result<Sandbox, Failure> {
    let sandbox = config(None).and_then(|config| Ok(Sandbox::new(config)?));
    sandbox.map_err(|error| Failure::error("internal", format!("{error:#}"), ""))
}
