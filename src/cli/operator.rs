//! What operators ask of their own registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::{PackageName, PackageRef};

use super::{AuditLicensesArgs, AuditReceiptsArgs};

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
    /// Check that all of glassbox.lock may be used: licences, terms, yanks, quarantines
    #[command(after_help = "\
Examples:
  glassbox audit licenses --allow MIT,Apache-2.0,MPL-2.0

What is under another licence needs one that was taken: glassbox add NS:NAME --license FILE.")]
    Licenses(AuditLicensesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// `payee:ID`, `payer:ADDRESS`, `escrow:CHANNEL`, `rail:ID` or `operator` [default: all]
    pub(crate) account: Option<String>,
    /// Print CSV, for an accountant's program
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
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
    /// Pay only payees that `glassbox payee verify` was told of
    #[arg(long)]
    pub(crate) verified: bool,
    /// Say what would be paid, and pay nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Args)]
pub(crate) struct RefundArgs {
    /// The id of what was charged, as receipts and `glassbox statement` name it
    pub(crate) call: String,
    /// How much shall have gone back in all, in dollars [default: the whole]
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) total: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PayeeCommand {
    /// Show what you decided about payees, and whose earnings wait
    List(Operator),
    /// Write down that you know who a payee is, and where it is paid
    #[command(
        after_help = "Examples:\n  glassbox payee verify acct:ana@example.org --address 0x5aAe… --reason 'contract of 3 May' --data ./registry"
    )]
    Verify {
        #[command(flatten)]
        decision: PayeeDecision,
        /// Where it is paid
        #[arg(long, value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// Keep what a payee earned and will earn, until you decide otherwise
    Suspend(PayeeDecision),
    /// Take what you decided about a payee back
    Reset(PayeeDecision),
    /// Keep what a package earned, while there is a dispute about it; its calls go on
    #[command(
        after_help = "Examples:\n  glassbox payee freeze acme:slug --reason 'notice 1f3a…: copied from docs:slug' --data ./registry"
    )]
    Freeze(FreezeArgs),
    /// Let what a package earned go
    Thaw(FreezeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PayeeDecision {
    /// The payee, as manifests name it
    pub(crate) payee: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Args)]
pub(crate) struct FreezeArgs {
    /// The package
    pub(crate) package: PackageName,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// Tell the operator of a registry that something is wrong with a package
    #[command(
        after_help = "Examples:\n  glassbox notice give acme:slug@1.2.0 --ground license --text 'it is docs:slug without its notice' --contact me@example.org"
    )]
    Give {
        /// The package, or a release of it
        #[arg(value_name = "PACKAGE")]
        about: PackageRef,
        /// malware, fraud, license, copyright, personal-data, unlawful or other
        #[arg(long)]
        ground: String,
        /// What is wrong, and where it can be seen
        #[arg(long)]
        text: String,
        /// Where an answer reaches you
        #[arg(long, value_name = "ADDRESS")]
        contact: Option<String>,
    },
    /// Show what became of a notice
    Show {
        /// Its id
        id: String,
    },
    /// Show the notices that wait for your decision
    List {
        /// Show also those that you decided
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Say that you did something about a notice, and what
    #[command(
        after_help = "Examples:\n  glassbox notice act 1f3a… --reason 'quarantined: the claim holds' --data ./registry"
    )]
    Act(NoticeDecisionArgs),
    /// Say that you do nothing about a notice, and why
    Dismiss(NoticeDecisionArgs),
    /// Show what you decided about notices, payees and packages, in order
    Log(Operator),
}

#[derive(Debug, Args)]
pub(crate) struct NoticeDecisionArgs {
    /// The notice's id
    pub(crate) id: String,
    /// Why, for whoever gave it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
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
