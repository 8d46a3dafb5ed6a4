//! Flags of a company's registry: accounts, approvals, chargeback.

use clap::{Args, Subcommand};
use glassbox_core::account::{AccountName, CostCenter, Month};

use super::{Operator, lifetime};

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account for an agent, or for a person
    #[command(after_help = "\
Examples:
  glassbox account add ci-bot --cost-center research --data ./registry
  glassbox account add ana@example.org --cost-center it --person --approves --month 200 --data ./registry")]
    Add(AddAccountArgs),
    /// Show all accounts, with what they spent in this month
    List(Operator),
    /// Show what your own account has and spent: that of GLASSBOX_ACCOUNT
    Show,
    /// Set what an account may spend in a month
    #[command(
        after_help = "Examples:\n  glassbox account budget ci-bot 20 --data ./registry\n  glassbox account budget ci-bot policy --data ./registry"
    )]
    Budget {
        /// The account
        name: AccountName,
        /// Dollars, or `policy` for what the policy says
        #[arg(value_name = "DOLLARS|policy")]
        month: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Make a token that opens an account; it is shown this once
    #[command(
        after_help = "Examples:\n  glassbox account token ci-bot --label 'build farm' --expires 90d --data ./registry"
    )]
    Token {
        /// The account
        name: AccountName,
        /// What it is for
        #[arg(long, default_value = "", value_name = "TEXT")]
        label: String,
        /// How long it lasts, such as 24h or 90d [default: until it is taken back]
        #[arg(long, value_name = "TIME", value_parser = lifetime)]
        expires: Option<u64>,
        #[command(flatten)]
        operator: Operator,
    },
    /// Show the tokens of an account, by their ids
    Tokens {
        /// The account
        name: AccountName,
        #[command(flatten)]
        operator: Operator,
    },
    /// Take a token of an account back
    Revoke {
        /// The account
        name: AccountName,
        /// The token's id, as `glassbox account tokens` shows it
        id: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Close an account for good
    Close {
        /// The account
        name: AccountName,
        #[command(flatten)]
        operator: Operator,
    },
    /// Book what was paid in for an account that pays beforehand
    #[command(
        after_help = "Examples:\n  glassbox account credit lab 500 --reference 'transfer 4711' --data ./registry"
    )]
    Credit {
        /// The account
        name: AccountName,
        /// How much, in dollars
        usd: String,
        /// What the bank's statement says
        #[arg(long, default_value = "", value_name = "TEXT")]
        reference: String,
        /// Your name for the booking, under which it is booked once [default: a new one]
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        operator: Operator,
    },
    /// Book that an account paid what it owes for a month
    #[command(
        after_help = "Examples:\n  glassbox account settle ci-bot 2026-10 --reference 'journal 88' --data ./registry"
    )]
    Settle {
        /// The account
        name: AccountName,
        /// The month, which is over by UTC
        month: Month,
        /// What the bank's statement says
        #[arg(long, default_value = "", value_name = "TEXT")]
        reference: String,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddAccountArgs {
    /// Its name: a-z, 0-9, `.`, `_`, `@` and `-`
    pub(crate) name: AccountName,
    /// What bears its cost
    #[arg(long, value_name = "NAME")]
    pub(crate) cost_center: CostCenter,
    /// It is a person's, and not an agent's
    #[arg(long)]
    pub(crate) person: bool,
    /// It may approve what others ask for
    #[arg(long, requires = "person")]
    pub(crate) approves: bool,
    /// It pays beforehand, and not by invoice
    #[arg(long)]
    pub(crate) prepaid: bool,
    /// What it may spend in a month, in dollars [default: what the policy says]
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) month: Option<String>,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// Show what waits for a person
    #[command(
        after_help = "Examples:\n  glassbox approvals list\n  glassbox approvals list --all --data ./registry"
    )]
    List {
        /// Show also what was decided within a week
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Let a call be made, once
    Approve(DecideArgs),
    /// Say that a call may not be made
    Deny(DecideArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The approval's id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Args)]
pub(crate) struct ChargebackArgs {
    /// The month by UTC, such as 2026-10 [default: this one]
    #[arg(long)]
    pub(crate) month: Option<Month>,
    /// Print every call as CSV
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
}
