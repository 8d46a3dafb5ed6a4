//! Receipts: kept, logged, audited.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Fetch the proof that a receipt is logged, and put it into the receipt's file
    #[command(
        after_help = "Examples:\n  glassbox receipt fetch 0f3c…\n  glassbox receipt fetch receipt.json --out proved.json"
    )]
    Fetch(FetchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// A receipt file, or the id of a call of yours
    #[arg(value_name = "RECEIPT")]
    pub(crate) receipt: PathBuf,
    /// Where to write it [default: the file that it is in]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditReceiptsArgs {
    /// Receipt files, or folders of them [default: the receipts of the home folder]
    #[arg(value_name = "RECEIPT")]
    pub(crate) receipts: Vec<PathBuf>,
    /// Run again one in this many, chosen by the log's newest root
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) one_in: u64,
    /// Where to write a signed result for each that was run again, and a certificate for each that is wrong
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Hand in the certificates, which show the arguments of the calls to everybody
    #[arg(long)]
    pub(crate) submit: bool,
}
