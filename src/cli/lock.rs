//! Flags of what a project uses.

use std::path::PathBuf;

use clap::Args;
use glassbox_core::name::RemoteRef;

use super::remote_ref;

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// The licence that was taken for it, a file beside the lock
    #[arg(long, value_name = "FILE")]
    pub(crate) license: Option<String>,
    /// The lock
    #[arg(long, value_name = "FILE", default_value = "glassbox.lock")]
    pub(crate) lock: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// The lock
    #[arg(long, value_name = "FILE", default_value = "glassbox.lock")]
    pub(crate) lock: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct AuditLicensesArgs {
    /// The licences that you take, as SPDX ids
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// For how many days a licence that is over is a warning, and no error
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub(crate) grace: u32,
    /// The lock
    #[arg(long, value_name = "FILE", default_value = "glassbox.lock")]
    pub(crate) lock: PathBuf,
}
