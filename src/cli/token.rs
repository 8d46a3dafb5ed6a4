//! Flags of tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::key::PublicKey;
use glassbox_core::{Digest, PackageName, ReleaseId};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a credit account, as the operator of a registry
    #[command(
        after_help = "Examples:\n  glassbox token mint credit:1f… --data ./registry --total 1 --expires 30d"
    )]
    Mint {
        /// The account whose credit it spends
        account: String,
        /// The data folder of the registry, which holds the key that issues tokens
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        caps: CapArgs,
    },
    /// Print a token that may do less than yours: for a program, or for somebody else
    #[command(after_help = "\
Examples:
  glassbox token attenuate --total 1 --calls 100 --package docs:markdown
  glassbox token attenuate --per-call 0.01 --expires 24h
  glassbox token attenuate --calls 10 --holder did:key:z6Mk…

It needs no registry: whoever has a token can narrow it. One that names a holder is handed on with the holder's key,
which is the one in the home folder.")]
    Attenuate {
        /// The token to narrow [default: yours]
        #[arg(long)]
        token: Option<String>,
        #[command(flatten)]
        caps: CapArgs,
    },
    /// Show what a token allows, block by block, without asking anybody
    Inspect {
        /// The token [default: yours]
        token: Option<String>,
    },
    /// Take a token back, and every token that was made from it
    #[command(
        after_help = "Examples:\n  glassbox token revoke gbt_…\n  glassbox token revoke 97374b52…\n\nAn id takes back what `glassbox token inspect` shows under it; only the account's own token may say so."
    )]
    Revoke {
        /// The token, or the id of a block [default: your token]
        #[arg(value_name = "TOKEN|ID")]
        what: Option<String>,
    },
}

/// What a token shall allow, and no more.
#[derive(Debug, Args)]
pub(crate) struct CapArgs {
    /// The most that one call may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) per_call: Option<String>,
    /// The most that all calls together may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) total: Option<String>,
    /// The most calls
    #[arg(long)]
    pub(crate) calls: Option<u64>,
    /// How long it lasts, such as 30m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<u64>,
    /// A package that may be called; may be repeated
    #[arg(long = "package", value_name = "NS:NAME")]
    pub(crate) packages: Vec<PackageName>,
    /// A release that may be called; may be repeated
    #[arg(long = "release", value_name = "NS:NAME@VERSION")]
    pub(crate) releases: Vec<ReleaseId>,
    /// A component that may be called, by its digest; may be repeated
    #[arg(long = "component", value_name = "DIGEST")]
    pub(crate) components: Vec<Digest>,
    /// A function that may be called, by any of its names; may be repeated
    #[arg(long = "function", value_name = "NAME")]
    pub(crate) functions: Vec<String>,
    /// Whose key requests must be signed with: the token is of no use to anybody else
    #[arg(long, value_name = "DID")]
    pub(crate) holder: Option<PublicKey>,
}

/// Reads a time such as `24h` as seconds.
pub(crate) fn lifetime(text: &str) -> Result<u64, &'static str> {
    let wrong = "write a number and m, h or d, such as 24h";
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or(wrong)
}
