//! Writes the pages that the program itself knows best: the HTTP API and the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{cargo, read};

/// Writes every generated page.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (path, text) in pages(root)? {
        fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
        println!("{path}");
    }
    Ok(())
}

/// Checks that every generated page is what would be written now.
pub(crate) fn check(root: &Path) -> Result<()> {
    for (path, text) in pages(root)? {
        let found = fs::read_to_string(root.join(path)).unwrap_or_default();
        ensure!(found == text, "{path} is not current\nhint: run `cargo xtask codegen` and commit it");
    }
    Ok(())
}

fn pages(root: &Path) -> Result<[(&'static str, String); 2]> {
    let program = program(root)?;
    Ok([
        ("docs/reference/openapi.json", openapi(&program)?),
        ("docs/reference/cli.md", command_line(&program)?),
    ])
}

/// Builds the command and returns where it is.
///
/// Builds all targets of all crates, as the tests do: a narrower selection has other features and would build half of
/// the dependencies twice.
fn program(root: &Path) -> Result<PathBuf> {
    let build = ["build", "--workspace", "--all-targets", "--message-format=json-render-diagnostics"];
    let output = cargo(root).args(build).stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the workspace does not build");
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_program = target.get("name")? == "glassbox" && target.get("kind")?.get(0)? == "bin";
        let is_test = message.get("profile")?.get("test")? == true;
        let executable = message.get("executable")?.as_str()?;
        (is_program && !is_test).then(|| PathBuf::from(executable))
    };
    let output = String::from_utf8(output.stdout).context("cargo printed no text")?;
    output.lines().find_map(executable).context("cargo built no command `glassbox`")
}

/// Returns a run of the command that nothing on this machine can change: no settings, no terminal, a fixed width.
fn run(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GLASSBOX_") {
            command.env_remove(&name);
        }
    }
    command.env("COLUMNS", "100").env("NO_COLOR", "1");
    command
}

fn openapi(program: &Path) -> Result<String> {
    let text = read(run(program).arg("openapi"))?;
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
    ensure!(parsed.is_ok(), "`glassbox openapi` printed no JSON");
    Ok(format!("{}\n", text.trim_end()))
}

fn command_line(program: &Path) -> Result<String> {
    let top = read(run(program).arg("--help"))?;
    let mut page = String::from(
        "# Command line\n\n\
         Written by `cargo xtask codegen` from the help texts; do not edit.\n\n",
    );
    page.push_str(&section("glassbox", &top));
    for verb in verbs(&top)? {
        let help = read(run(program).args([&verb, "--help"]))?;
        page.push_str(&section(&format!("glassbox {verb}"), &help));
        for below in verbs(&help).unwrap_or_default() {
            let help = read(run(program).args([&verb, &below, "--help"]))?;
            page.push_str(&section(&format!("glassbox {verb} {below}"), &help));
        }
    }
    Ok(format!("{}\n", page.trim_end()))
}

fn section(command: &str, help: &str) -> String {
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    format!("## {command}\n\n```text\n{}\n```\n\n", lines.join("\n").trim_end())
}

/// Reads the names of the commands out of a help text.
fn verbs(help: &str) -> Result<Vec<String>> {
    let mut lines = help.lines().skip_while(|line| line.trim_end() != "Commands:").skip(1).peekable();
    if lines.peek().is_none() {
        bail!("the help text lists no commands");
    }
    let listed = lines.take_while(|line| !line.trim().is_empty());
    // A name stands two columns in; deeper lines go on with the description above.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::verbs;

    #[test]
    fn verbs_are_read_from_help() {
        let help = "Does things\n\nCommands:\n  new     Make one\n  wallet  Keep money\n          safely\n  help    Print\n\nOptions:\n  -h";
        assert_eq!(verbs(help).expect("listed"), ["new", "wallet"]);
        assert!(verbs("Does things\n\nOptions:\n  -h").is_err());
    }
}
