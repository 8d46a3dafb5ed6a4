//! The rail of a node: where its payments are settled.

use std::path::Path;
use std::sync::Arc;

use glassbox_core::limits::RPC_FINALITY;
use glassbox_pay::eip712::Domain;
use glassbox_pay::remote::{Remote, RemoteConfig};
use glassbox_pay::rpc::{Rpc, RpcConfig};
use glassbox_pay::{Address, Chain as _, Devnet, Facilitator, PayError, Settler, Wallet};
use glassbox_registry::chain;

use crate::cli::RailArgs;
use crate::failure::Failure;

/// How long a facilitator may take: stock ones wait for the chain.
const FACILITATOR_PATIENCE: std::time::Duration = std::time::Duration::from_secs(25);

/// Where payments are settled.
pub(crate) struct Rail {
    pub(crate) facilitator: Arc<dyn Facilitator>,
    /// The devnet, where payments are made on it.
    pub(crate) devnet: Option<Devnet>,
}

impl Rail {
    /// Opens the rail that the flags name: the devnet in `data`, or a chain behind a node, with a facilitator in front of
    /// it or not.
    pub(crate) async fn open(args: &RailArgs, data: &Path, treasury: Wallet) -> Result<Self, Failure> {
        let failed = |error: PayError| Failure::error("rail", chain(&error), hint(&error));
        let Some(url) = &args.rpc else {
            let devnet = Devnet::open(Some(&data.join("devnet.journal")), treasury).map_err(failed)?;
            return Ok(Self { facilitator: Arc::new(devnet.facilitator()), devnet: Some(devnet) });
        };
        let token: Address = args.token.parse().map_err(|_| {
            let message = format!("`{}` is not the address of a token", args.token);
            Failure::error("address-invalid", message, "write 0x and 40 hexadecimal digits with --token")
        })?;
        let journal = data.join("settler.journal");
        let config = RpcConfig {
            chain_id: args.chain_id,
            finality: args.finality.unwrap_or(RPC_FINALITY),
            ..RpcConfig::new(args.label(), url, token, journal)
        };
        let rpc = Rpc::open(config, treasury.clone()).await.map_err(failed)?;
        let domain = Domain {
            name: args.token_name.clone(),
            version: args.token_version.clone(),
            chain_id: rpc.network().chain_id,
            verifying_contract: token,
        };
        let settler = Arc::new(Settler::new(rpc.clone(), treasury.clone(), domain.clone()));
        let Some(facilitator) = &args.facilitator else {
            return Ok(Self { facilitator: settler, devnet: None });
        };
        let config = RemoteConfig {
            label: format!("{} through {facilitator}", args.label()),
            url: facilitator.clone(),
            timeout: FACILITATOR_PATIENCE,
            token: domain,
            treasury: treasury.address(),
        };
        let remote = Remote::connect(config, Some(Arc::new(rpc)), Some(settler)).await.map_err(failed)?;
        Ok(Self { facilitator: Arc::new(remote), devnet: None })
    }
}

fn hint(error: &PayError) -> &'static str {
    match error {
        PayError::RealMoney { .. } => "name the chain with --chain-id if real money is meant",
        PayError::Unavailable(_) => "check the address, and whether the node answers",
        _ => "",
    }
}
