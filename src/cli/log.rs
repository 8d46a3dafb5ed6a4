//! Logs: whom to believe, witnesses, proofs and mirrors.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::log::cosignature::CosignerKeyError;
use glassbox_core::log::{CosignerKey, KnownLog};
use glassbox_core::name::RemoteRef;
use glassbox_store::Fault;

use super::remote_ref;
use super::token::lifetime;

/// Whom to believe about logs.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    /// The policy that says which logs and witnesses to believe [default: log-policy in the home folder, and without one
    /// the log that is met first at an address]
    #[arg(long, global = true, env = "GLASSBOX_LOG_POLICY", hide_env_values = true, value_name = "FILE")]
    pub(crate) log_policy: Option<PathBuf>,
    /// How old the signatures of a log may be, such as 30m or 24h
    #[arg(long, global = true, value_name = "TIME", value_parser = lifetime, default_value = "24h")]
    pub(crate) log_age_max: u64,
}

/// The witnesses of a registry, and what it is a witness of.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Witnesses")]
pub(crate) struct WitnessedArgs {
    /// Have this witness cosign every checkpoint; may be repeated
    #[arg(long, value_name = "URL=KEY", value_parser = witness)]
    pub(crate) witness: Vec<(String, CosignerKey)>,
    /// How many cosignatures a publisher waits for, a few seconds at most [default: more than half of the witnesses]
    #[arg(long, value_name = "N", requires = "witness")]
    pub(crate) witness_quorum: Option<usize>,
    /// Cosign the checkpoints of another registry's log, given by its verifier key; may be repeated
    #[arg(long, value_name = "KEY", value_parser = log_key)]
    pub(crate) witness_for: Vec<KnownLog>,
}

#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// The folder that holds key and state; made where there is none. Never put an old copy of it back
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A log to watch, given by its verifier key; may be repeated
    #[arg(long = "log", value_name = "KEY", required = true, value_parser = log_key)]
    pub(crate) logs: Vec<KnownLog>,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:8403", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The name that it signs under, best a URL without its scheme [default: made from its key]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// End the process at a write, for drills: witness:before or witness:after
    #[arg(long, hide = true, value_name = "POINT")]
    pub(crate) crash_at: Vec<Fault>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show the newest checkpoint of a registry's log, and who vouches for it
    Show,
    /// Read the whole log, rebuild its tree and its map, follow each chain, and say what is wrong with it
    #[command(
        after_help = "Examples:\n  glassbox log check\n  glassbox log check --registry https://registry.example --json"
    )]
    Check,
    /// Show what stands about a package, a namespace or an executor, proved to be the newest
    #[command(after_help = "Examples:\n  glassbox log standing docs:markdown\n  glassbox log standing docs")]
    Standing {
        /// What it is about
        #[arg(value_name = "NS:NAME|NS|DID")]
        about: String,
    },
    /// Write the proof that a release is in the log: a file that is enough to check it offline
    #[command(
        after_help = "Examples:\n  glassbox log proof docs:markdown\n  glassbox log proof docs:markdown@1.0.0 --out markdown.tlog-proof"
    )]
    Proof {
        /// The package or release
        #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
        package: RemoteRef,
        /// Where to write it; `-` is standard output [default: NAME-VERSION.tlog-proof in this folder]
        #[arg(short, long, value_name = "FILE|-")]
        out: Option<PathBuf>,
    },
    /// Verify a proof offline, by the policy or by a log's key
    #[command(
        after_help = "Examples:\n  glassbox log verify markdown.tlog-proof --log-policy policy\n  glassbox log verify markdown.tlog-proof --log-key example.org/log+1a2b3c4d+AT…"
    )]
    Verify {
        /// The proof
        #[arg(value_name = "FILE")]
        proof: PathBuf,
        /// The log's verifier key [default: what the policy says]
        #[arg(long, value_name = "KEY")]
        log_key: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MirrorArgs {
    #[command(subcommand)]
    pub(crate) command: Option<MirrorCommand>,
    /// The registry to copy
    #[arg(value_name = "URL", required = true)]
    pub(crate) url: Option<String>,
    /// The folder to copy into; what is there already is checked and not fetched again
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MirrorCommand {
    /// Serve a copy, read-only: clients believe it nothing that the log does not prove
    #[command(
        after_help = "Examples:\n  glassbox mirror serve ./mirror\n  glassbox mirror serve ./mirror --listen 127.0.0.1:8404"
    )]
    Serve {
        /// The folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Where to listen; port 0 lets the system choose
        #[arg(long, default_value = "127.0.0.1:8404", value_name = "ADDRESS")]
        listen: SocketAddr,
    },
}

fn log_key(text: &str) -> Result<KnownLog, String> {
    KnownLog::new(text, None).map_err(|error| error.to_string())
}

fn witness(text: &str) -> Result<(String, CosignerKey), String> {
    // Keys end in base64, which may have `=` in it; URLs of witnesses have none.
    let (url, key) = text.split_once('=').ok_or("write URL=KEY")?;
    Ok((url.to_owned(), key.parse().map_err(|error: CosignerKeyError| error.to_string())?))
}
