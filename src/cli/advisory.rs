//! Flags of advisories.

use std::path::PathBuf;

use clap::Subcommand;
use glassbox_core::PackageName;

#[derive(Debug, Subcommand)]
pub(crate) enum AdvisoryCommand {
    /// Say that versions of a package are vulnerable, signed with your key
    #[command(after_help = "\
Examples:
  glassbox advisory publish acme:slug --summary 'slugs may collide' --introduced 1.0.0 --fixed 1.2.1
  glassbox advisory publish --osv RUSTSEC-2026-0001.json --key ./registry/keys/operator.json

An OSV record about a crate needs the operator's key, and warns of every release that is made of it.")]
    Publish {
        /// The package
        #[arg(value_name = "NS:NAME", required_unless_present = "osv")]
        package: Option<PackageName>,
        /// What is wrong, in a line
        #[arg(long, required_unless_present = "osv")]
        summary: Option<String>,
        /// What is wrong, at length
        #[arg(long, default_value = "")]
        details: String,
        /// The first affected version
        #[arg(long, value_name = "VERSION", default_value = "0")]
        introduced: String,
        /// The first version after it without the fault
        #[arg(long, value_name = "VERSION")]
        fixed: Option<String>,
        /// A whole OSV record instead
        #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "summary", "fixed"])]
        osv: Option<PathBuf>,
        /// The key to sign with [default: the one in the home folder]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Say that an advisory was wrong
    Withdraw {
        /// Its id
        id: String,
        /// The key to sign with [default: the one in the home folder]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// List the newest advisories
    #[command(after_help = "Examples:\n  glassbox advisory list\n  glassbox advisory list acme:slug --json")]
    List {
        /// What they are about: a package, or pkg:cargo/NAME [default: all]
        about: Option<String>,
    },
}
