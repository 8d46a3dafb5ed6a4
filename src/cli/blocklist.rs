//! Flags of blocklists.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum BlocklistCommand {
    /// Sign a list, for registries that follow it with `glassbox serve --blocklist KEY=URL`
    #[command(after_help = "\
Examples:
  glassbox blocklist sign list.txt --name watch --out watch.json

Each line says what is listed and why:
  package:acme:slug sends its input away
  payee:0x5aAe… sanctions list of 3 May

A list is whole: what it does not name any more is not listed any more.")]
    Sign(SignBlocklistArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SignBlocklistArgs {
    /// The list, one thing and its reason in each line
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What it is called
    #[arg(long)]
    pub(crate) name: String,
    /// Its number, higher than that of the list before [default: the seconds since 1970]
    #[arg(long, value_name = "N")]
    pub(crate) sequence: Option<u64>,
    /// For how many days it is good
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) days: u32,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The key that signs it [default: the one in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}
