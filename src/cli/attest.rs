//! Flags of attestations.

use std::path::PathBuf;

use clap::Subcommand;
use glassbox_core::PackageRef;

#[derive(Debug, Subcommand)]
pub(crate) enum AttestCommand {
    /// Say that you built a release from its source and got the very same component
    #[command(after_help = "Examples:\n  glassbox attest rebuild acme:slug@1.0.0 target/slug.wasm")]
    Rebuild {
        /// The release
        #[arg(value_name = "NS:NAME@VERSION")]
        release: PackageRef,
        /// The component that you built
        component: PathBuf,
    },
    /// Say how you built a release of yours
    #[command(after_help = "\
Examples:
  glassbox attest provenance acme:slug@1.0.0 provenance.json

The file is the predicate of SLSA provenance v1, as builders write it: buildDefinition and runDetails.")]
    Provenance {
        /// The release
        #[arg(value_name = "NS:NAME@VERSION")]
        release: PackageRef,
        /// The file with the predicate
        predicate: PathBuf,
    },
    /// Show what others say of a release
    Show {
        /// The package or release
        #[arg(value_name = "NS:NAME[@VERSION]")]
        release: PackageRef,
    },
}
