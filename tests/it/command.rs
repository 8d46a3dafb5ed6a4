//! The built command: run with a home of its own, against a registry of its own, as a person would.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with nothing in it, and a registry's address.
pub(crate) struct Shell {
    pub(crate) folder: TempDir,
    pub(crate) registry: String,
}

impl Shell {
    /// A shell for the registry at `registry`.
    pub(crate) fn new(registry: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), registry: registry.into() }
    }

    /// Prepares `glassbox args` in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassbox"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("GLASSBOX_HOME", self.folder.path().join("home"))
            .env("GLASSBOX_REGISTRY", &self.registry)
            .stdin(Stdio::null());
        command
    }

    /// Runs `glassbox args` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

/// A `glassbox serve` of its own process.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts serving `data` on a port of the system's choice, with some more arguments.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassbox"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--data"]).arg(data);
        command.args(args).env("GLASSBOX_LOG", "off");
        Self::of(command)
    }

    /// Starts a devnet that is gone with its process.
    pub(crate) fn devnet() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassbox"));
        command.args(["devnet", "--listen", "127.0.0.1:0", "--json"]);
        Self::of(command)
    }

    /// Starts a program that prints JSON with its `url` when it serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Owned from here on, so that the process is ended whatever happens next.
        let mut server = Self { child, url: String::new() };
        let mut text = String::new();
        for line in stdout.lines() {
            text.push_str(&line.unwrap());
            if let Ok(answer) = serde_json::from_str::<serde_json::Value>(&text) {
                server.url = answer["url"].as_str().unwrap().to_owned();
                return server;
            }
        }
        panic!("the server ended before it served: {text}");
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, or ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
