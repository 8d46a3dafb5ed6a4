//! A node, asked what a token knows of a payer's allowance.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_pay::evm::addresses::PERMIT2;
use glassbox_pay::evm::{allowance, permits_used, read_number};
use glassbox_pay::{Address, U256, hex};
use serde_json::{Value, json};

use crate::policy::{Asset, Host, Policy};

/// Where the devnet of a registry answers.
const DEVNET_PATH: &str = "/v1/devnet/rpc";

/// How long a node may take. There are other ways to pay.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Node {
    url: String,
}

impl Node {
    /// Returns the node of a token's network: the one that the policy names, or the registry's own for play money.
    pub(crate) fn of(asset: &Asset, policy: &Policy, host: &Host) -> Option<Self> {
        match policy.nodes.get(&asset.network.to_string()) {
            Some(url) => Some(Self { url: url.clone() }),
            None if *asset == Asset::DEVNET => Some(Self { url: format!("{host}{DEVNET_PATH}") }),
            None => None,
        }
    }

    /// Returns how many permits an account has used up, where Permit2 may move less than `amount` of its tokens; `None`
    /// where it needs no permit.
    pub(crate) async fn permit(
        &self,
        token: Address,
        owner: Address,
        amount: Atomic,
    ) -> Result<Option<U256>, String> {
        let allowed = self.read(token, &allowance(owner, PERMIT2)).await?;
        if allowed >= U256::from(amount.0) {
            return Ok(None);
        }
        self.read(token, &permits_used(owner)).await.map(Some)
    }

    async fn read(&self, to: Address, data: &[u8]) -> Result<U256, String> {
        let call = json!({ "to": to.to_checksum(None), "data": hex::encode_prefixed(data) });
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"] });
        // The address may hold a key, and is never shown.
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(failed)?;
        let answer = http.post(&self.url).json(&question).send().await.map_err(failed)?;
        let answer: Value = answer.json().await.map_err(failed)?;
        let words = answer["result"].as_str().and_then(|text| hex::decode(text).ok());
        words.and_then(|words| read_number(&words)).ok_or_else(|| "the node gave no number".to_owned())
    }
}
