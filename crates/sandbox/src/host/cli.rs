//! `wasi:cli`: arguments, environment, standard streams, and the way out.

use wasmtime::component::Resource;

use super::Host;
use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use super::stream::{Buffer, InputStream, OutputStream, Source};

const ENVIRONMENT: &str = "wasi:cli/environment";

/// What a guest finds round it: nothing, unless it is a program that was called with it.
#[derive(Debug)]
pub(super) struct Stdio {
    pub(super) args: Vec<String>,
    pub(super) stdin: Source,
    /// Where what it prints is kept, or `None` where nobody asks for it.
    pub(super) stdout: Option<Buffer>,
    pub(super) stderr: Option<Buffer>,
}

impl Default for Stdio {
    fn default() -> Self {
        Self { args: Vec::new(), stdin: Source::new([]), stdout: None, stderr: None }
    }
}

/// The guest ended itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest exited with status {status}")]
pub(crate) struct Exit {
    pub(crate) status: u8,
}

/// Stands for terminals: there are none, so no value of it is ever made.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum Terminal {}

impl environment::Host for Host {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.work.call(0)?;
        if !self.observes(ENVIRONMENT) {
            return Ok(Vec::new());
        }
        let import = format!("{ENVIRONMENT}#get-environment");
        let variables = self.observer.observe(&import, &[], |live| Ok(live.environment.to_vec()))?;
        self.work
            .bytes(variables.iter().map(|(name, value)| size_of_text(name) + size_of_text(value)).sum())?;
        Ok(variables)
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        self.work.call(self.stdio.args.iter().map(|arg| size_of_text(arg)).sum())?;
        Ok(self.stdio.args.clone())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        self.work.call(0)?;
        Ok(None)
    }
}

/// Returns how many bytes a text of a list takes in the guest: its own, and where they are.
fn size_of_text(text: &str) -> usize {
    text.len() + 2 * size_of::<u32>()
}

impl exit::Host for Host {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        self.exit_with_code(status.is_err().into())
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        self.work.call(1)?;
        Err(wasmtime::Error::new(Exit { status }))
    }
}

impl stdin::Host for Host {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<InputStream>> {
        self.work.call(0)?;
        self.push(InputStream::Source(self.stdio.stdin.clone()))
    }
}

fn output(buffer: &Option<Buffer>) -> OutputStream {
    buffer.clone().map_or(OutputStream::Discard, OutputStream::Buffer)
}

impl stdout::Host for Host {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<OutputStream>> {
        self.work.call(0)?;
        self.push(output(&self.stdio.stdout))
    }
}

impl stderr::Host for Host {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<OutputStream>> {
        self.work.call(0)?;
        self.push(output(&self.stdio.stderr))
    }
}

impl terminal_input::Host for Host {}

impl terminal_input::HostTerminalInput for Host {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.delete(terminal).map(|_| ())
    }
}

impl terminal_output::Host for Host {}

impl terminal_output::HostTerminalOutput for Host {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.delete(terminal).map(|_| ())
    }
}

impl terminal_stdin::Host for Host {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        self.work.call(0)?;
        Ok(None)
    }
}

impl terminal_stdout::Host for Host {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        self.work.call(0)?;
        Ok(None)
    }
}

impl terminal_stderr::Host for Host {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        self.work.call(0)?;
        Ok(None)
    }
}
