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

    /// Runs `glassbox args --json`, and returns its exit code and what it said: the answer, or the error.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, serde_json::Value) {
        let output = self.run(&[args, &["--json"]].concat());
        let code = output.status.code().unwrap();
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        let said: serde_json::Value = serde_json::from_slice(said).unwrap_or_else(|error| {
            panic!("{args:?}: {error}: {}", String::from_utf8_lossy(said));
        });
        (code, if code == 0 { said } else { said["error"].clone() })
    }

    /// Runs `glassbox args --json`, which must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> serde_json::Value {
        let (code, said) = self.json(args);
        assert_eq!(code, 0, "{args:?}: {said}");
        said
    }

    /// Runs `glassbox args --json`, which must fail with this code.
    pub(crate) fn refused(&self, args: &[&str], code: &str) -> serde_json::Value {
        let (exit, said) = self.json(args);
        assert_eq!((exit, said["code"].as_str()), (1, Some(code)), "{args:?}: {said}");
        assert!(!said["hint"].as_str().unwrap_or_default().is_empty(), "{args:?}: {said}");
        said
    }
}

/// A `glassbox serve` of its own process.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// What it said when it began.
    pub(crate) said: serde_json::Value,
}

impl Server {
    /// Starts serving `data` on a port of the system's choice, with some more arguments.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", data, args)
    }

    /// The same on a certain port.
    pub(crate) fn start_at(listen: &str, data: &Path, args: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let serve = ["serve", "--listen", listen, "--data", data, "--no-mutants"];
        Self::spawn(&[&serve, args].concat())
    }

    /// Runs a command that serves until it is ended, and says first where.
    pub(crate) fn spawn(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassbox"));
        command.args(args).arg("--json").env("GLASSBOX_LOG", "off");
        Self::of(command)
    }

    /// Starts serving `data` where no file can grow beyond `kib` KiB, as on a disk that is full.
    pub(crate) fn start_on_a_full_disk(data: &Path, kib: u64) -> Self {
        let mut command = Command::new("bash");
        // Without the signal, a write that is too long fails as one on a full disk does.
        command.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &kib.to_string()]);
        command.args([
            env!("CARGO_BIN_EXE_glassbox"),
            "serve",
            "--no-mutants",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(data).arg("--json").env("GLASSBOX_LOG", "off");
        Self::of(command)
    }

    /// Starts a devnet that is gone with its process.
    pub(crate) fn devnet() -> Self {
        Self::spawn(&["devnet", "--listen", "127.0.0.1:0"])
    }

    /// Starts a program that prints JSON with its `url` when it serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Owned from here on, so that the process is ended whatever happens next.
        let mut server = Self { child, url: String::new(), said: serde_json::Value::Null };
        let mut text = String::new();
        for line in stdout.lines() {
            text.push_str(&line.unwrap());
            if let Ok(answer) = serde_json::from_str::<serde_json::Value>(&text) {
                server.url = answer["url"].as_str().unwrap().to_owned();
                server.said = answer;
                return server;
            }
        }
        panic!("the server ended before it served: {text}");
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
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
