//! A chain over JSON-RPC: reads from a node, and transactions that one key of the operator's signs.
//!
//! The key must be used by nobody else, and by one process at a time; the journal is locked. Whoever moves the key to
//! another machine moves the journal too: it knows which transactions were broadcast and for what.
//!
//! Real money moves here. A network that is not known to be a test network is refused, unless the configuration names
//! its chain id. The key is never written anywhere, and neither is the node's address, which may hold one.
//!
//! A transaction that reverted is unknown until its block is final: in another block it may have its effect. What reverts
//! before it was ever submitted is refused at once.

mod book;
mod node;
mod submit;
mod transaction;
mod tried;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, Log, keccak256};
use async_trait::async_trait;
use glassbox_core::Atomic;
use glassbox_core::limits::{RPC_FEE_MAX, RPC_FINALITY, RPC_GAS_MAX, RPC_LOG_BLOCKS_MAX};
use tokio::sync::Mutex;

use self::book::Book;
use self::node::{Node, NodeError, quantity};
use self::submit::system_seconds;
use self::tried::Tried;
use crate::chain::{Call, CallError, Chain, Fee, Standing, Submission, TransferEvent};
use crate::error::PayError;
use crate::evm::calls;
use crate::network::Network;
use crate::wallet::Wallet;

/// Networks on which no money is worth anything: Base Sepolia, Sepolia, Holesky, Hoodi, Arbitrum Sepolia, Optimism
/// Sepolia, Polygon Amoy, Avalanche Fuji, and the ids that nodes on one's own machine give themselves.
const TEST_CHAIN_IDS: [u64; 10] =
    [84_532, 11_155_111, 17_000, 560_048, 421_614, 11_155_420, 80_002, 43_113, 31_337, 1_337];

/// How to reach a chain, and how to behave there.
#[derive(Clone)]
pub struct RpcConfig {
    /// The name to show to people, such as `Base`.
    pub label: String,
    /// Where the node listens. It may hold a key, and is never shown.
    pub url: String,
    /// The chain id that the node must have. Without one, only known test networks are taken.
    pub chain_id: Option<u64>,
    /// The token in which is paid.
    pub token: Address,
    /// The file that knows what was signed.
    pub journal: PathBuf,
    /// How many blocks make a transaction final, its own included, where the node does not say so earlier.
    pub finality: u64,
    /// How long [`Chain::submit`] waits for a block.
    pub wait: Duration,
    /// How often it looks at least; at first it looks sooner.
    pub poll: Duration,
    /// How long one answer of the node may take.
    pub timeout: Duration,
    /// How long a transaction waits, while blocks come without it, before more is offered for it.
    pub replace_after: Duration,
    /// The most gas that one call may take.
    pub gas_max: u64,
    /// The most that a unit of gas may cost, in wei.
    pub fee_max: u128,
    /// How much gas must be paid for in advance before new paid work is begun: that of some settlements.
    pub gas_reserve: u64,
}

impl RpcConfig {
    /// Makes a configuration in which everything else is as it is mostly wanted.
    pub fn new(
        label: impl Into<String>,
        url: impl Into<String>,
        token: Address,
        journal: impl Into<PathBuf>,
    ) -> Self {
        Self {
            label: label.into(),
            url: url.into(),
            chain_id: None,
            token,
            journal: journal.into(),
            finality: RPC_FINALITY,
            wait: Duration::from_secs(5),
            poll: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            replace_after: Duration::from_secs(30),
            gas_max: RPC_GAS_MAX,
            fee_max: RPC_FEE_MAX,
            gas_reserve: 1_000_000,
        }
    }
}

/// A chain over JSON-RPC. Clones share it.
#[derive(Clone)]
pub struct Rpc {
    inner: Arc<Inner>,
}

struct Inner {
    config: RpcConfig,
    chain_id: u64,
    wallet: Wallet,
    node: Node,
    book: Book,
    tried: Tried,
    /// Held while a transaction is given its nonce and broadcast.
    sending: Mutex<()>,
}

impl Rpc {
    /// Opens the chain for the operator, who submits. Asks the node which chain it is, so it must be there.
    pub async fn open(config: RpcConfig, operator: Wallet) -> Result<Self, PayError> {
        let node = Node::new(&config.url, config.timeout)?;
        let chain_id = node.chain_id().await?;
        match config.chain_id {
            Some(named) if named == chain_id => {}
            Some(named) => return Err(PayError::WrongChain { chain_id, named }),
            None if TEST_CHAIN_IDS.contains(&chain_id) => {}
            None => return Err(PayError::RealMoney { chain_id }),
        }
        let genesis = node.block(quantity(0)).await?;
        let genesis =
            genesis.ok_or_else(|| PayError::Unavailable("the node has no first block".to_owned()))?;
        let (path, account) = (config.journal.clone(), operator.address());
        let opened = tokio::task::spawn_blocking(move || {
            Book::open(&path, account, chain_id, genesis.hash.to_string())
        });
        let book = opened.await.map_err(|error| PayError::Unavailable(error.to_string()))??;
        let (tried, sending) = (Tried::default(), Mutex::new(()));
        let inner = Inner { config, chain_id, wallet: operator, node, book, tried, sending };
        Ok(Self { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl Chain for Rpc {
    fn label(&self) -> &str {
        &self.inner.config.label
    }

    fn network(&self) -> Network {
        Network { chain_id: self.inner.chain_id }
    }

    fn submitter(&self) -> Address {
        self.inner.wallet.address()
    }

    async fn now_s(&self) -> Result<u64, PayError> {
        // The next block is no older than the latest, and about as old as now.
        Ok(self.inner.node.latest().await?.time_s.max(system_seconds()))
    }

    async fn block(&self) -> Result<u64, PayError> {
        Ok(self.inner.node.height().await?)
    }

    async fn call(&self, call: &Call) -> Result<Bytes, CallError> {
        self.inner.node.call(call, "latest").await.map_err(unanswered)
    }

    async fn attempt(&self, call: &Call) -> Result<(), CallError> {
        let Inner { node, tried, .. } = &*self.inner;
        // To estimate is to try, and is not done again as long as this block is the latest.
        let (gas, block) = tokio::try_join!(node.gas(call), node.height()).map_err(unanswered)?;
        tried.remember(call, gas, block);
        Ok(())
    }

    async fn fee(&self, call: &Call) -> Result<Fee, PayError> {
        let node = &self.inner.node;
        let (gas, block, tip) = tokio::try_join!(node.gas(call), node.latest(), node.tip())?;
        Ok(Fee { gas, price: block.base_fee.unwrap_or(0).saturating_add(tip) })
    }

    async fn submit(&self, id: &str, call: &Call) -> Submission {
        let (inner, id, call) = (Arc::clone(&self.inner), id.to_owned(), call.clone());
        // On a task of its own: a caller that gives up must not leave between the journal and the node.
        let submitted = tokio::spawn(async move { inner.submit(&id, &call).await });
        submitted.await.unwrap_or_else(|error| Submission::Unknown { detail: error.to_string() })
    }

    async fn standing(&self, transaction: B256) -> Result<Standing, PayError> {
        let inner = &self.inner;
        let (receipt, height) = tokio::try_join!(inner.node.receipt(transaction), inner.node.height())?;
        // One that was undone may be in another block, where it reverts: then it moved nothing.
        let Some(receipt) = receipt.filter(|receipt| receipt.succeeded) else {
            return Ok(Standing::Missing);
        };
        let block = receipt.block;
        let confirmations = height.saturating_add(1).saturating_sub(block);
        let is_final = confirmations >= inner.config.finality
            || inner.finalized().await.is_some_and(|finalized| block <= finalized);
        Ok(if is_final { Standing::Final } else { Standing::Mined { block, confirmations } })
    }

    async fn ready(&self) -> Result<(), PayError> {
        let inner = &self.inner;
        if let Some(reason) = inner.book.broken() {
            return Err(PayError::JournalBroken(reason));
        }
        let coins = async { Ok(inner.node.coins(inner.wallet.address()).await?) };
        let (fees, coins) = tokio::try_join!(inner.fees(), coins)?;
        inner.check_coins(inner.config.gas_reserve, fees, coins)
    }

    async fn logs(&self, transaction: B256) -> Result<Option<Vec<Log>>, PayError> {
        Ok(self.inner.node.receipt(transaction).await?.map(|receipt| receipt.logs))
    }

    async fn input(&self, transaction: B256) -> Result<Option<Bytes>, PayError> {
        Ok(self.inner.node.input(transaction).await?)
    }

    async fn transfers(&self, account: Address, from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        let (node, token) = (&self.inner.node, self.inner.config.token);
        let (name, account) = (keccak256("Transfer(address,address,uint256)"), account.into_word());
        let height = node.height().await?;
        let (mut events, mut start) = (Vec::new(), from_block);
        while start <= height {
            let end = start.saturating_add(RPC_LOG_BLOCKS_MAX - 1).min(height);
            let (out, into) = ([Some(name), Some(account)], [Some(name), None, Some(account)]);
            events.extend(node.events(token, &out, start, end).await?);
            events.extend(node.events(token, &into, start, end).await?);
            start = end + 1;
        }
        events.sort_by_key(|event| (event.block, event.index));
        // Somebody may pay himself.
        events.dedup_by_key(|event| (event.block, event.index));
        let (mut times, mut transfers) = (HashMap::new(), Vec::new());
        for event in events {
            let block = event.block;
            let Some(moved) = calls::read_transfers(token, std::slice::from_ref(&event.log)).next() else {
                continue;
            };
            let time_s = match times.get(&block) {
                Some(&time_s) => time_s,
                None => {
                    let gone = || PayError::Unavailable(format!("the node lost block {block}"));
                    let time_s = node.block(quantity(block)).await?.ok_or_else(gone)?.time_s;
                    times.insert(block, time_s);
                    time_s
                }
            };
            let amount = moved.value.try_into().map(Atomic).map_err(|_| {
                PayError::Unavailable(format!("the token moved {}, which is no amount", moved.value))
            })?;
            let (transaction, from, to) = (event.transaction, moved.from, moved.to);
            transfers.push(TransferEvent { transaction, block, time_s, from, to, amount });
        }
        Ok(transfers)
    }
}

fn unanswered(error: NodeError) -> CallError {
    match error {
        NodeError::Reverted(output) => CallError::Reverted(output),
        other => CallError::Unavailable(other.to_string()),
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("label", &self.inner.config.label)
            .field("chain_id", &self.inner.chain_id)
            .field("submitter", &self.inner.wallet.address())
            .finish_non_exhaustive()
    }
}
