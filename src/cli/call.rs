//! Calls: quote, call, download, run, verify.

use std::path::PathBuf;

use clap::Args;
use glassbox_core::key::PublicKey;
use glassbox_core::name::{NameError, RemoteRef};
use glassbox_registry::Choice;

use super::{PasswordFile, remote_ref};

#[derive(Debug, Args)]
pub(crate) struct QuoteArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// The function: `function` or `interface.function`
    pub(crate) function: String,
    /// The fuel ceiling that the quote is for
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// The call in WAVE: `function(args)` or `interface.function(args)`
    pub(crate) call: String,
    /// Call whichever package with the same interface is the `cheapest`, the `fastest`, or the `most-proven`; `pinned` is the named one
    #[arg(long, value_name = "HOW")]
    pub(crate) choose: Option<Choice>,
    /// Choose also among those that do not pass the tests of the interface, or were not tried yet
    #[arg(long, requires = "choose")]
    pub(crate) untested: bool,
    #[command(flatten)]
    pub(crate) allowance: Allowance,
}

/// What a caller allows a call to cost and to use, and where its receipt goes.
#[derive(Debug, Args)]
pub(crate) struct Allowance {
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
    /// The fuel ceiling
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Allow only this host interface of those that the release declares, or only HTTP requests to this URL and what
    /// lies below it, such as https://*.example.com/v1/ or "GET https://api.example.com"; may be repeated
    #[arg(long, value_name = "INTERFACE|URL", conflicts_with = "allow_none")]
    pub(crate) allow: Vec<String>,
    /// Allow no host interface
    #[arg(long)]
    pub(crate) allow_none: bool,
    /// Where to keep the receipt [default: receipts/CALL.json in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

impl Allowance {
    /// Returns what the component may use, where the caller says.
    pub(crate) fn grants(&self) -> Option<Vec<String>> {
        (self.allow_none || !self.allow.is_empty()).then(|| self.allow.clone())
    }
}

/// What pays, and how much at most.
#[derive(Debug, Args)]
pub(crate) struct PurseArgs {
    /// The most that it may cost, in dollars; without it, nothing is paid
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) max_price: Option<String>,
    /// Pay with prepaid credit: the token in the home folder, or GLASSBOX_CREDIT
    #[arg(long, conflicts_with = "max_price")]
    pub(crate) credit: bool,
    #[command(flatten)]
    pub(crate) password: PasswordFile,
}

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// Where to write it; `-` is standard output [default: NAME.wasm in this folder, where there is none]
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The package or release, or the folder of a package, which runs on this machine
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]|DIR", value_parser = program)]
    pub(crate) program: Program,
    /// Show the program this file under a name of its own, such as in.csv=data.csv; may be repeated
    #[arg(long = "file", value_name = "NAME=PATH", value_parser = named_file)]
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Show the program what is in this folder; may be repeated
    #[arg(long = "dir", value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Write the files that the program made or changed into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Let them replace files that are there already
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) allowance: Allowance,
    /// Say on stderr what the run cost, also where that is no terminal
    #[arg(long)]
    pub(crate) summary: bool,
    /// The program's arguments
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

/// What `run` runs.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A release, on the registry.
    Release(RemoteRef),
    /// The package in a folder, here.
    Folder(PathBuf),
}

/// Reads what to run: the names of packages have a colon, and folders that have one too begin with a dot or a slash.
fn program(text: &str) -> Result<Program, NameError> {
    if text.starts_with(['.', '/']) || !text.contains(':') {
        return Ok(Program::Folder(text.into()));
    }
    remote_ref(text).map(Program::Release)
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("write NAME=PATH".into()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A receipt file, the id of a call of yours, or a certificate against an executor
    #[arg(value_name = "RECEIPT")]
    pub(crate) receipt: PathBuf,
    /// Run the call again and compare output, fuel and bill
    #[arg(long)]
    pub(crate) replay: bool,
    /// The component to run [default: the registry's, where its terms allow]
    #[arg(long, value_name = "FILE", requires = "replay")]
    pub(crate) component: Option<PathBuf>,
    /// The folder of the files that its release ships [default: the registry's, where its terms allow]
    #[arg(long, value_name = "DIR", requires = "replay")]
    pub(crate) files: Option<PathBuf>,
    /// Ask the registry, too, whether the log that the executor saw is the one that everybody sees
    #[arg(long)]
    pub(crate) online: bool,
    /// The executor key to trust [default: the one that the receipt names]
    #[arg(long, value_name = "DID")]
    pub(crate) executor: Option<PublicKey>,
    /// The verifier key of the log that it must be in, in place of a --log-policy [default: the one that its proof names]
    #[arg(long, value_name = "KEY")]
    pub(crate) log: Option<String>,
}
