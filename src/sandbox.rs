//! The sandbox as every command uses it: what strangers wrote is compiled, and where a registry serves also run, by
//! children of this program.

use std::path::PathBuf;

use glassbox_core::egress::Egress;
use glassbox_sandbox::{Allowed, AllowedError, Compiler, Executor, Network, Sandbox, SandboxConfig};

use crate::failure::Failure;

/// What to do about an [`AllowedError`].
pub(crate) const ALLOWED_HINT: &str =
    "name interfaces such as wasi:clocks/wall-clock and URLs such as https://api.example.com/v1/";

/// Reads what `--allow` and `--allow-none` let components use of this machine: without either, all but HTTP requests.
pub(crate) fn allowed(allow: &[String], none: bool) -> Result<Allowed, AllowedError> {
    match none || !allow.is_empty() {
        true => Allowed::parse(allow.iter().map(String::as_str)),
        false => Ok(Allowed::without_network()),
    }
}

/// Returns how a sandbox is set up that keeps compiled components in `artifact_dir`, and runs them in another child.
pub(crate) fn serving(artifact_dir: PathBuf) -> anyhow::Result<SandboxConfig> {
    // One child has all the threads, and so keeps turns fair among everybody.
    let executor = Executor::Processes { program: own()?, args: vec!["sandbox-execute".into()], count: 1 };
    Ok(SandboxConfig { artifact_dir: Some(artifact_dir), executor, ..confined()? })
}

fn confined() -> anyhow::Result<SandboxConfig> {
    let compiler = Compiler::Process { program: own()?, args: vec!["sandbox-compile".into()] };
    Ok(SandboxConfig { compiler, ..SandboxConfig::default() })
}

/// Returns this program.
fn own() -> std::io::Result<PathBuf> {
    // The link leads to the program that runs, even after another was installed in its place.
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}

/// Makes a sandbox that keeps nothing and reaches nobody.
pub(crate) fn temporary() -> Result<Sandbox, Failure> {
    reaching(Egress::none())
}

/// Makes a sandbox that keeps nothing, from which guests may make the requests that `egress` says.
pub(crate) fn reaching(egress: Egress) -> Result<Sandbox, Failure> {
    let network = Network { egress, ..Network::default() };
    let sandbox = confined().and_then(|config| Ok(Sandbox::new(SandboxConfig { network, ..config })?));
    sandbox.map_err(|error| Failure::error("internal", format!("{error:#}"), ""))
}
