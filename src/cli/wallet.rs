//! The wallet, and prepaid credit.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::PackageName;
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
    /// Print a token that may do less than yours: for a program, or for somebody else
    #[command(after_help = "\
Examples:
  glassbox credit narrow --total 1 --calls 100 --package docs:markdown
  glassbox credit narrow --per-call 0.01 --expires 24h

It needs no registry: whoever has a token can narrow it.")]
    Narrow(NarrowArgs),
    /// Take a token back, and every token that was made from it
    Revoke {
        /// The token [default: yours]
        token: Option<String>,
    },
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

#[derive(Debug, Args)]
pub(crate) struct NarrowArgs {
    /// The most that one call may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) per_call: Option<String>,
    /// The most that all calls together may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) total: Option<String>,
    /// The most calls
    #[arg(long)]
    pub(crate) calls: Option<u64>,
    /// How long it lasts, such as 30m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<u64>,
    /// A package that may be called; may be repeated
    #[arg(long = "package", value_name = "NS:NAME")]
    pub(crate) packages: Vec<PackageName>,
}

/// Reads a time such as `24h` as seconds.
pub(super) fn lifetime(text: &str) -> Result<u64, &'static str> {
    let wrong = "write a number and m, h or d, such as 24h";
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or(wrong)
}
