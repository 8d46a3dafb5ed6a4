//! The wallet, and prepaid credit.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::Operator;

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet, under a password where one is given
    #[command(after_help = "\
Examples:
  glassbox wallet new
  glassbox wallet new --password-file password.txt
  glassbox wallet new --plain

Without a password its key lies in clear, and it pays play money only.")]
    New(NewWallet),
    /// Take over a key: hexadecimal digits, or a keystore of geth, cast or other wallets
    #[command(
        after_help = "Examples:\n  glassbox wallet import ~/.foundry/keystores/agent\n  echo $KEY | glassbox wallet import - --password-file password.txt"
    )]
    Import {
        /// The file with the key; `-` is standard input
        #[arg(value_name = "FILE|-")]
        from: PathBuf,
        #[command(flatten)]
        new: NewWallet,
    },
    /// Write the wallet as a keystore that geth, cast and other wallets read
    #[command(
        after_help = "Examples:\n  glassbox wallet export agent.json\n  glassbox wallet export - > agent.json"
    )]
    Export {
        /// The file to make; `-` is standard output
        #[arg(value_name = "FILE|-")]
        to: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Show the address and what it has
    Show,
    /// Put the wallet under a password, or under another
    #[command(
        after_help = "Examples:\n  glassbox wallet passwd\n  glassbox wallet passwd --password-file old.txt --new-password-file new.txt"
    )]
    Passwd {
        #[command(flatten)]
        password: PasswordFile,
        /// The file that holds the new password [default: you are asked]
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
    /// Show what was spent in a day, beside what may be
    #[command(
        after_help = "Examples:\n  glassbox wallet spending\n  glassbox wallet spending --day 2026-11-21 --json"
    )]
    Spending {
        /// The UTC day [default: today]
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Option<Date>,
    },
    /// Show the payment channels, and what is left in them
    Channels,
    /// Ask registries for the rest of payment channels back
    #[command(after_help = "\
Examples:
  glassbox wallet close
  glassbox wallet close 0x7d0c…

A registry that does not give it back can be left alone: after the channel's delay, a transaction of your own takes it.")]
    Close {
        /// The channel [default: all of them]
        channel: Option<String>,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Ask the devnet's faucet for play money
    #[command(after_help = "Examples:\n  glassbox wallet fund\n  glassbox wallet fund 5")]
    Fund {
        /// How much, in dollars
        #[arg(default_value = "10")]
        usd: String,
    },
}

/// How a new wallet is kept.
#[derive(Debug, Args)]
pub(crate) struct NewWallet {
    #[command(flatten)]
    pub(crate) password: PasswordFile,
    /// Keep its key in clear, for play money
    #[arg(long, conflicts_with = "file")]
    pub(crate) plain: bool,
}

/// Where the wallet's password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordFile {
    /// The file that holds the wallet's password [default: GLASSBOX_WALLET_PASSWORD, or you are asked]
    #[arg(long = "password-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreditCommand {
    /// Buy credit with the wallet, and keep the token in the home folder
    #[command(
        after_help = "Examples:\n  glassbox credit buy 5\n  glassbox credit buy 5 --account credit:1f…"
    )]
    Buy {
        /// How much, in dollars
        usd: String,
        /// The account that gets it [default: that of your token, or a new one]
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Show what your account has
    Show,
    /// Have credit paid back to an address
    Refund {
        /// How much, in dollars
        usd: String,
        /// The address [default: that of your wallet]
        #[arg(long)]
        to: Option<String>,
    },
    /// Open an account and give it credit, as the operator of a registry
    Grant {
        /// How much, in dollars
        usd: String,
        /// What you call the account
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        operator: Operator,
    },
}
