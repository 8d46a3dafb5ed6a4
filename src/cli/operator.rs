//! What operators ask of their own registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AuditReceiptsArgs;

/// Who operates the registry.
#[derive(Debug, Args)]
pub(crate) struct Operator {
    /// The data folder of the registry, which holds the operator's token [default: GLASSBOX_OPERATOR has the token]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Replay the ledger of a registry that you operate, and compare it with the chain to the last unit
    #[command(after_help = "Examples:\n  glassbox audit ledger --data ./registry")]
    Ledger(Operator),
    /// Run again a sample of receipts that nobody could foresee, and prove what is wrong
    #[command(
        after_help = "Examples:\n  glassbox audit receipts --one-in 20\n  glassbox audit receipts ./receipts --one-in 1 --out results --submit"
    )]
    Receipts(AuditReceiptsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// `payee:ID`, `payer:ADDRESS`, `escrow:CHANNEL`, `rail:ID` or `operator` [default: all]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutArgs {
    /// The address of a payee, or of the operator as `operator`; may be repeated
    #[arg(long, value_name = "PAYEE=ADDRESS", value_parser = payee_address)]
    pub(crate) to: Vec<(String, String)>,
    /// From how much on an account is paid, in dollars
    #[arg(long, default_value = "1", value_name = "DOLLARS")]
    pub(crate) threshold: String,
    /// Say what would be paid, and pay nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

fn payee_address(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((payee, address)) if !payee.is_empty() && !address.is_empty() => {
            Ok((payee.to_owned(), address.to_owned()))
        }
        _ => Err("write PAYEE=ADDRESS".into()),
    }
}
