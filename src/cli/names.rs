//! Names: policies of namespaces, revocations, yanks, quarantines, signatures.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glassbox_core::key::PublicKey;
use glassbox_core::{Namespace, ReleaseId};

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as the command runs")]
pub(crate) enum NamespaceCommand {
    /// Show who may do what, what waits, and what the domain said
    #[command(
        after_help = "Examples:\n  glassbox namespace show acme\n  glassbox namespace show acme --json"
    )]
    Show {
        /// The namespace
        namespace: Namespace,
    },
    /// Change the policy, or claim a namespace that nobody has
    #[command(after_help = "\
Examples:
  glassbox namespace policy acme --add did:key:z6Mk… --threshold publish=2 --threshold rotate=2
  glassbox namespace policy acme --recovery did:key:z6Mk… --rotate-hours 72 --recover-hours 336
  glassbox namespace policy acme --domain acme.example

What is not named stays as it is. The change takes effect after the delay of the policy in force.")]
    Policy(PolicyArgs),
    /// Put a new key in the place of an old one
    #[command(after_help = "Examples:\n  glassbox namespace rotate acme --to did:key:z6Mk…")]
    Rotate {
        /// The namespace
        namespace: Namespace,
        /// The old key [default: yours]
        #[arg(long, value_name = "DID")]
        from: Option<PublicKey>,
        /// The new key
        #[arg(long, value_name = "DID")]
        to: PublicKey,
        #[command(flatten)]
        signing: Signing,
    },
    /// Set new controllers with a recovery key, where theirs are lost
    #[command(
        after_help = "Examples:\n  glassbox namespace recover acme --to did:key:z6Mk… --key recovery.json"
    )]
    Recover {
        /// The namespace
        namespace: Namespace,
        /// A new controller; may be repeated
        #[arg(long, value_name = "DID", required = true)]
        to: Vec<PublicKey>,
        #[command(flatten)]
        signing: Signing,
    },
    /// Take back a change of the policy that waits
    #[command(after_help = "Examples:\n  glassbox namespace cancel acme --reason 'it was not us'")]
    Cancel {
        /// The namespace
        namespace: Namespace,
        /// Why, for everybody to read
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        signing: Signing,
    },
    /// Revoke a key at once; what it signed before stays
    #[command(
        after_help = "Examples:\n  glassbox namespace revoke-key acme did:key:z6Mk… --reason 'the laptop was stolen'"
    )]
    RevokeKey {
        /// The namespace
        namespace: Namespace,
        /// The key
        #[arg(value_name = "DID")]
        revoked: PublicKey,
        /// Why, for everybody to read
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        signing: Signing,
    },
    /// Have the domain of the policy asked which keys it vouches for
    #[command(after_help = "\
Examples:
  glassbox namespace prove acme

The domain serves https://DOMAIN/.well-known/glassbox.json, such as
  {\"namespaces\": {\"acme\": [\"did:key:z6Mk…\"]}}")]
    Prove {
        /// The namespace
        namespace: Namespace,
    },
}

/// Who signs, and where the statement goes.
#[derive(Debug, Args)]
pub(crate) struct Signing {
    /// The key file to sign with [default: key.json in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Write the signed statement to this file instead of sending it, for others to sign
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The namespace
    pub(crate) namespace: Namespace,
    /// Another controller; may be repeated
    #[arg(long, value_name = "DID")]
    pub(crate) add: Vec<PublicKey>,
    /// A controller that is none any more; may be repeated
    #[arg(long, value_name = "DID")]
    pub(crate) remove: Vec<PublicKey>,
    /// How many keys it takes to publish, price, yank, rotate or recover; may be repeated
    #[arg(long, value_name = "RIGHT=COUNT", value_parser = threshold)]
    pub(crate) threshold: Vec<(Right, u32)>,
    /// A recovery key, in place of those before; may be repeated
    #[arg(long, value_name = "DID")]
    pub(crate) recovery: Vec<PublicKey>,
    /// How long a change by the controllers waits
    #[arg(long, value_name = "HOURS")]
    pub(crate) rotate_hours: Option<u32>,
    /// How long a change by the recovery keys waits
    #[arg(long, value_name = "HOURS")]
    pub(crate) recover_hours: Option<u32>,
    /// The domain that vouches for the namespace; an empty one removes it
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// What a threshold is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Publish,
    Price,
    Yank,
    Rotate,
    Recover,
}

fn threshold(text: &str) -> Result<(Right, u32), &'static str> {
    let wrong = "write RIGHT=COUNT, such as publish=2; rights are publish, price, yank, rotate and recover";
    let (right, count) = text.split_once('=').ok_or(wrong)?;
    let right = match right {
        "publish" => Right::Publish,
        "price" => Right::Price,
        "yank" => Right::Yank,
        "rotate" => Right::Rotate,
        "recover" => Right::Recover,
        _ => return Err(wrong),
    };
    Ok((right, count.parse().map_err(|_| wrong)?))
}

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    /// The release
    #[arg(value_name = "NS:NAME@VERSION")]
    pub(crate) release: ReleaseId,
    /// Why, for everybody to read
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    /// The release
    #[arg(value_name = "NS:NAME@VERSION")]
    pub(crate) release: ReleaseId,
    /// Why, for everybody to read
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Let it run again
    #[arg(long)]
    pub(crate) lift: bool,
    /// The data folder of the registry, which holds the operator's key
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The file with the statement
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The key file to sign with [default: key.json in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Send it to the registry, too
    #[arg(long)]
    pub(crate) send: bool,
}
