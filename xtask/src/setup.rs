//! Installs what tests need beside Cargo: the stock x402 clients in TypeScript and Python, the stock server, and an
//! anvil.
//!
//! A stamp in the installed folder says for which list it was installed, so a second run costs nothing, and a changed
//! list is noticed whatever the files' times are.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::process::{exists, show};

const STAMP: &str = ".glassbox-setup";

/// Installs what is missing.
pub(crate) fn run(root: &Path) -> Result<()> {
    let clients = root.join("tests/it/clients");
    install(&clients.join("ts"), "package.json", "node_modules", install_typescript)?;
    python(&clients.join("py"))
}

/// Installs what `requirements.txt` of a folder lists into its `.venv`.
pub(crate) fn python(folder: &Path) -> Result<()> {
    install(folder, "requirements.txt", ".venv", install_python)
}

/// Installs into `folder/target` what `folder/list` names, unless that was done. Tries twice: registries have hiccups.
fn install(folder: &Path, list: &str, target: &str, work: fn(&Path) -> Result<()>) -> Result<()> {
    let list = folder.join(list);
    if !list.exists() {
        return Ok(());
    }
    let wanted = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let wanted = format!("{:x}\n", Sha256::digest(wanted));
    let stamp = folder.join(target).join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if let Err(error) = work(folder) {
        eprintln!("trying once more, because: {error:#}");
        work(folder)?;
    }
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn install_typescript(folder: &Path) -> Result<()> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if !exists(&mut Command::new(npm)) {
        bail!("`npm` is missing, and a stock TypeScript client is tested\nhint: install Node.js 20 or newer");
    }
    // No lock file: it would name the mirror of whoever wrote it. The list names exact versions.
    let install = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
    show(Command::new(npm).args(install).current_dir(folder))
}

fn install_python(folder: &Path) -> Result<()> {
    if !exists(&mut Command::new("python3")) {
        bail!(
            "`python3` is missing, and a stock Python client is tested\nhint: install Python 3.10 or newer"
        );
    }
    show(Command::new("python3").args(["-m", "venv", "--clear", ".venv"]).current_dir(folder))
        .context("hint: Debian and Ubuntu keep venv in the package python3-venv")?;
    let python = folder.join(if cfg!(windows) { ".venv/Scripts/python.exe" } else { ".venv/bin/python" });
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
    show(Command::new(python).args(install).current_dir(folder))
}
