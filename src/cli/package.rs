//! Packages: make, check, publish, find, show.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use glassbox_core::account::Month;
use glassbox_core::name::RemoteRef;
use glassbox_core::{PackageName, PackageRef, limits};

use super::{PurseArgs, remote_ref};

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The folder to make; its last part becomes the package's name
    pub(crate) dir: PathBuf,
    /// The language to write it in
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) lang: Language,
    /// The full name, `namespace:name` [default: a namespace of your key's own]
    #[arg(long, value_name = "NS:NAME")]
    pub(crate) name: Option<PackageName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Language {
    /// Rust, to wasm32-unknown-unknown
    Rust,
    /// JavaScript, on QuickJS
    Js,
    /// WebAssembly text, by hand
    Wat,
}

#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The package or release to derive from
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// The name of the new package
    #[arg(value_name = "NEW:NAME")]
    pub(crate) name: PackageName,
    /// The folder to make [default: the last part of the new name]
    pub(crate) dir: Option<PathBuf>,
    /// What the parent gets of all that the new package receives, of 10000 [default: what it asks for]
    #[arg(long, value_name = "SHARE", value_parser = value_parser!(u32).range(..=i64::from(limits::ROYALTIES_BPS_MAX)))]
    pub(crate) share: Option<u32>,
    /// Import the parent and pass each call on to it, in place of taking its code over
    #[arg(long)]
    pub(crate) wrapper: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder of the package
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Try the tests on mutants of the component too, as registries do: copies with one small mistake each
    #[arg(long)]
    pub(crate) mutants: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The folder of the package
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Do everything but upload
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write the signed statement to this file instead of uploading, for others to sign
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(crate) out: Option<PathBuf>,
    /// Upload with this statement, which others signed, too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "out"])]
    pub(crate) statement: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What you need
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// How many results
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
    /// Only packages that export this interface
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Only packages that touch nothing outside
    #[arg(long)]
    pub(crate) pure: bool,
    /// Only packages with a function that costs at most this per call; 0 is free
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) max_price: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// Print the WIT instead
    #[arg(long)]
    pub(crate) wit: bool,
    /// Print what the component says that it is made of instead, as CycloneDX with --json
    #[arg(long, conflicts_with = "wit")]
    pub(crate) sbom: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// The release
    #[arg(value_name = "NS:NAME@VERSION")]
    pub(crate) release: PackageRef,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key
    New,
    /// Show the public key: your name as a publisher and as a payee
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct EarningsArgs {
    /// One package only
    #[arg(value_name = "NS:NAME")]
    pub(crate) package: Option<PackageName>,
    /// What earnings are told apart by, beside who earned them [default: release]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) by: Vec<EarnedBy>,
    /// One receiver only: a payee's id, or `operator`
    #[arg(long, value_name = "ID")]
    pub(crate) receiver: Option<String>,
    /// The month by UTC, such as 2026-11
    #[arg(long, conflicts_with_all = ["from", "until"])]
    pub(crate) month: Option<Month>,
    /// The first day that counts, such as 2026-11-01
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
    /// The first day after it that counts no more
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<String>,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EarnedBy {
    /// Package
    Package,
    /// Release
    Release,
    /// Function, or what was sold otherwise
    Export,
    /// Day, in UTC
    Day,
    /// Kind of payer: a wallet, credit, an account, or one with a licence
    Payer,
}

impl EarnedBy {
    /// Returns the word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Release => "release",
            Self::Export => "export",
            Self::Day => "day",
            Self::Payer => "payer",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RepublishArgs {
    /// The packages or releases, each with the registry that it is from
    #[arg(required = true, value_name = "REGISTRY/NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) packages: Vec<RemoteRef>,
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}
