//! Running other programs.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Returns the Cargo that runs us, ready to work in `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root);
    // These describe this crate, and would make build scripts of others think that they changed.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program whose output goes where ours goes.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", line(command));
    let status = command.status().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program whose output goes where ours goes, and returns whether it succeeded and what it printed to stdout.
pub(crate) fn show_and_read(command: &mut Command) -> Result<(bool, String)> {
    eprintln!("$ {}", line(command));
    let context = format!("cannot run `{}`", line(command));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| context.clone())?;
    let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| context.clone())?;
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    Ok((child.wait().with_context(|| context.clone())?.success(), text))
}

/// Runs a program and returns what it printed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", line(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no text", line(command)))
}

/// Tells whether a program is there and answers to `--version`.
pub(crate) fn exists(command: &mut Command) -> bool {
    let quiet = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Writes a command as one would type it, with the program by its bare name.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
