//! Flags of licences.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::ReleaseId;
use glassbox_core::key::PublicKey;
use glassbox_core::license::Item;
use glassbox_core::name::RemoteRef;

use super::{PurseArgs, remote_ref};

#[derive(Debug, Subcommand)]
pub(crate) enum LicenseCommand {
    /// Buy a plan, or a licence that a package offers
    #[command(after_help = "\
Examples:
  glassbox license buy acme:audit plan:team --units 3 --credit
  glassbox license buy acme:charts offer:commercial --for \"Example Ltd\" --max-price 49 --out charts.license.json

Calls that the same account or wallet pays for find it from then on.")]
    Buy(BuyLicenseArgs),
    /// Sign a grant of your package for somebody who proved what it asks for
    #[command(
        after_help = "Examples:\n  glassbox license grant acme:fold@1.2.0 academic --to credit:1f… --until 2027-12-31"
    )]
    Grant(GrantLicenseArgs),
    /// Ask for the grant of public repositories, with the identity token that a forge gave a workflow
    #[command(after_help = "\
Examples:
  glassbox license prove acme:fold oss --to credit:1f… --token-file token.txt

The token's audience must be the registry's URL, # and who gets the grant.")]
    Prove(ProveArgs),
    /// Hand a grant in, so that its holder's calls cost less
    Redeem {
        /// The licence
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check a licence, without asking anybody
    #[command(after_help = "\
Examples:
  glassbox license verify charts.license.json
  glassbox license verify charts.license.json --issuer did:key:z6Mk… --component charts.wasm

Without --issuer it shows who signed it, and whether you believe them is for you to say.")]
    Verify(VerifyLicenseArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BuyLicenseArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// What to buy, as the manifest names it
    #[arg(value_name = "plan:ID|offer:ID", value_parser = item)]
    pub(crate) item: Item,
    /// For how many seats or copies
    #[arg(long, default_value_t = 1)]
    pub(crate) units: u64,
    /// Whom it is for, by a name for people
    #[arg(long = "for", value_name = "NAME")]
    pub(crate) licensee: Option<String>,
    /// Where to write the licence [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GrantLicenseArgs {
    /// The release
    #[arg(value_name = "NS:NAME@VERSION")]
    pub(crate) release: ReleaseId,
    /// The grant, by its id in the manifest
    pub(crate) grant: String,
    /// Who gets it: a credit account, or the address of a wallet
    #[arg(long, value_name = "PAYER")]
    pub(crate) to: String,
    /// The day on which it ends [default: never]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) until: Option<String>,
    /// The key of the namespace [default: the one in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// The grant, by its id in the manifest
    pub(crate) grant: String,
    /// Who gets it: a credit account, or the address of a wallet
    #[arg(long, value_name = "PAYER")]
    pub(crate) to: String,
    /// The file with the identity token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TipCommand {
    /// Give to the payees of a package that accepts gifts, by their shares
    #[command(
        after_help = "Examples:\n  glassbox tip give acme:slug 2.50 --credit\n  glassbox tip give acme:slug 2.50 --max-price 2.50"
    )]
    Give(TipArgs),
    /// Give to all that your company used in a month, by its calls of each
    #[command(
        after_help = "Examples:\n  GLASSBOX_ACCOUNT=gba_… glassbox tip spread 2026-11 100\n  GLASSBOX_ACCOUNT=gba_… glassbox tip spread 2026-11 --percent 2"
    )]
    Spread {
        /// The month
        #[arg(value_name = "YYYY-MM")]
        month: String,
        /// How much in all, in dollars
        #[arg(value_name = "DOLLARS", required_unless_present = "percent", conflicts_with = "percent")]
        usd: Option<String>,
        /// How much in all, as a part of what the account spent on calls in the month: 1 to 100
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
        percent: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TipArgs {
    /// The package or release
    #[arg(value_name = "[REGISTRY/]NS:NAME[@VERSION]", value_parser = remote_ref)]
    pub(crate) package: RemoteRef,
    /// How much, in dollars
    #[arg(value_name = "DOLLARS")]
    pub(crate) usd: String,
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyLicenseArgs {
    /// The licence
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Who must have signed it
    #[arg(long, value_name = "DID")]
    pub(crate) issuer: Option<PublicKey>,
    /// The component that it must be for
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
}

fn item(text: &str) -> Result<Item, String> {
    text.parse()
}
