//! Flags of terms.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::ReleaseId;

use super::Signing;

#[derive(Debug, Subcommand)]
pub(crate) enum TermsCommand {
    /// Make a release cheaper: its terms become those of a manifest
    #[command(after_help = "\
Examples:
  glassbox terms change acme:slug@1.2.0
  glassbox terms change acme:slug@1.2.0 ./slug/glassbox.toml --out change.json

Only the terms are taken from the manifest: prices, payees, plans, offers, grants and the like. Nothing may cost more
than before, and no right may go; for that, publish a new version.")]
    Change(ChangeTermsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChangeTermsArgs {
    /// The release
    #[arg(value_name = "NS:NAME@VERSION")]
    pub(crate) release: ReleaseId,
    /// The manifest with the new terms, or the folder of the package
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) signing: Signing,
}
