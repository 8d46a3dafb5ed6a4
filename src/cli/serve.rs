//! Registries: serve, demo, devnet.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use glassbox_core::key::PublicKey;
use glassbox_store::Fault;

use super::WitnessedArgs;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the story instead of serving on
    #[arg(long)]
    pub(crate) exit: bool,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The folder that holds everything; made where there is none
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:8402", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Where clients reach this registry [default: the address listened on]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The operator's fee, in basis points of each charge
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=1500))]
    pub(crate) fee_bps: u32,
    /// The payee to whom shares go that nobody claims within a year, where their terms name the commons
    #[arg(long, value_name = "PAYEE")]
    pub(crate) commons: Option<String>,
    /// Take the word of this forge for the repositories of its workflows: its issuer, and its keys as a JSON Web Key Set;
    /// may be repeated
    #[arg(long, value_name = "ISSUER=URL|FILE", value_parser = variable)]
    pub(crate) oidc_issuer: Vec<(String, String)>,
    /// Follow a blocklist: the key that signs it, and where it is; may be repeated
    #[arg(long, value_name = "KEY=URL|FILE", value_parser = feed)]
    pub(crate) blocklist: Vec<(PublicKey, String)>,
    /// Let components use this host interface, or make HTTP requests to this URL and what lies below it, where their
    /// manifests declare it; may be repeated [default: wasi, which is all but HTTP requests]
    #[arg(long, value_name = "INTERFACE|URL")]
    pub(crate) allow: Vec<String>,
    /// Let components use no host interface
    #[arg(long, conflicts_with = "allow")]
    pub(crate) allow_none: bool,
    /// Show components that may read the environment this variable; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Leave the tests of releases untried on mutants of their components, which takes seconds of processor time for each
    #[arg(long)]
    pub(crate) no_mutants: bool,
    /// Serve a company: its accounts alone call, within the policy in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) company: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) witnessed: WitnessedArgs,
    #[command(flatten)]
    pub(crate) rail: RailArgs,
    /// End the process at a write of the store, for drills: VERB:before or VERB:after
    #[arg(long, hide = true, value_name = "POINT")]
    pub(crate) crash_at: Vec<Fault>,
}

fn feed(text: &str) -> Result<(PublicKey, String), String> {
    let (key, place) =
        text.split_once('=').filter(|(_, place)| !place.is_empty()).ok_or("write KEY=URL or KEY=FILE")?;
    Ok((key.parse().map_err(|_| "the key is a did:key")?, place.to_owned()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}

/// Where payments are settled.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Payments [default: the devnet, play money]")]
pub(crate) struct RailArgs {
    /// Settle on the chain behind this node; keys/treasury.json is paid and pays for gas
    #[arg(long, env = "GLASSBOX_RPC", hide_env_values = true, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// The chain that the node must have; without it, only known test networks are taken
    #[arg(long, value_name = "ID", requires = "rpc")]
    pub(crate) chain_id: Option<u64>,
    /// The token that is paid in: a dollar with EIP-3009
    #[arg(long, value_name = "ADDRESS", default_value = "0x036CbD53842c5426634e7929541eC2318f3dCF7e")]
    pub(crate) token: String,
    /// The name under which payers sign for the token
    #[arg(long, value_name = "NAME", default_value = "USDC")]
    pub(crate) token_name: String,
    /// The version under which payers sign for the token
    #[arg(long, value_name = "VERSION", default_value = "2")]
    pub(crate) token_version: String,
    /// How many blocks make a transaction final [default: 12, or earlier where the node says so]
    #[arg(long, value_name = "BLOCKS", requires = "rpc")]
    pub(crate) finality: Option<u64>,
    /// Have this facilitator verify and settle; the node is asked where it does not answer
    #[arg(long, value_name = "URL", requires = "rpc")]
    pub(crate) facilitator: Option<String>,
    /// The file with the password of the treasury's wallet [default: GLASSBOX_WALLET_PASSWORD, or you are asked]
    #[arg(long, value_name = "FILE")]
    pub(crate) treasury_password: Option<PathBuf>,
}

impl RailArgs {
    /// The devnet.
    pub(crate) fn devnet() -> Self {
        Self {
            rpc: None,
            chain_id: None,
            token: String::new(),
            token_name: String::new(),
            token_version: String::new(),
            finality: None,
            facilitator: None,
            treasury_password: None,
        }
    }

    /// Returns what people are told about the chain.
    pub(crate) fn label(&self) -> String {
        match self.chain_id {
            Some(chain_id) => format!("chain {chain_id}"),
            None => "a test network".into(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// The file that keeps the chain; without it, it is gone with the process
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:8545", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}
