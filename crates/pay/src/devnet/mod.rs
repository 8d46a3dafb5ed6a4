//! The devnet: a chain in this process, for play money.
//!
//! It runs the bytecode of a real EIP-3009 token and of the contracts of x402's schemes (`contracts/`), so signatures,
//! time windows, nonces and balances follow the rules of a chain, and stock x402 clients pay it unconfigured. Its chain id is that of a public
//! test network and cannot be chosen: a payment signed here is never worth real money anywhere.
//!
//! Each operation is its own block. With a journal it is on disk before the caller hears of it, and opening the
//! devnet again replays it. Submissions need no key: the chain is ours, so the operator is simply made the caller. Others
//! send transactions that they have signed, through [`Devnet::json_rpc`]. [`Weather`] makes it drop, delay, stall and
//! undo what is submitted, for tests and drills.

mod json_rpc;
mod machine;
mod node;
mod operation;
mod raw;
mod transaction;
mod weather;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, Bytes, Log, U256, address};
use async_trait::async_trait;
use glassbox_core::Atomic;
use glassbox_core::limits::FAUCET_AMOUNT_MAX;
use tokio::sync::Mutex;

use self::json_rpc::Door;
use self::machine::Stopped;
use self::node::{Node, Refusal};
use self::operation::Operation;
use crate::chain::{Call, CallError, Chain, Standing, Submission, TransferEvent};
use crate::eip712::Domain;
use crate::error::PayError;
use crate::evm::abi::read_number;
use crate::evm::calls;
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::network::Network;
use crate::settler::Settler;
use crate::wallet::Wallet;

pub use weather::Weather;

/// The name that people see.
pub const LABEL: &str = "devnet, play money";

/// The network, that of the public test network Base Sepolia. It is a constant and no setting, so that the devnet
/// can never speak for a network on which the same signature moves real money. On Base Sepolia itself a payment
/// signed here could at most move the payer's worthless test tokens.
pub const NETWORK: Network = Network { chain_id: 84_532 };

/// The address of the token: where stock clients expect the dollar of [`NETWORK`].
pub const ASSET: Address = address!("036CbD53842c5426634e7929541eC2318f3dCF7e");

/// The name in the token's signing domain, as stock clients expect it.
pub const SIGNING_NAME: &str = "USDC";

/// The version in the token's signing domain, as stock clients expect it.
pub const SIGNING_VERSION: &str = "2";

/// Tells the Unix second. Tests give their own.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A chain in this process with one token, for play money. Clones share it.
#[derive(Clone)]
pub struct Devnet {
    node: Arc<Mutex<Node>>,
    clock: Clock,
    operator: Wallet,
    door: Arc<Door>,
}

impl Devnet {
    /// Opens the devnet whose journal is at `path`, or one in memory. Replays the journal, a millisecond for each
    /// operation, so call it at start-up and not on a request. The operator submits, and its address is the treasury.
    pub fn open(path: Option<&Path>, operator: Wallet) -> Result<Self, PayError> {
        Self::open_with_clock(path, operator, Arc::new(system_seconds))
    }

    /// Opens the devnet with another clock.
    pub fn open_with_clock(path: Option<&Path>, operator: Wallet, clock: Clock) -> Result<Self, PayError> {
        let node = Arc::new(Mutex::new(Node::open(path)?));
        Ok(Self { node, clock, operator, door: Arc::default() })
    }

    /// Returns the facilitator over this chain, with the operator's key.
    pub fn facilitator(&self) -> Settler<Self> {
        Settler::new(self.clone(), self.operator.clone(), token())
    }

    /// Mints play money, at most [`FAUCET_AMOUNT_MAX`] at a time. Not idempotent: each call gives again.
    pub async fn faucet(&self, to: Address, amount: Atomic) -> Result<TransferEvent, PayError> {
        if amount == Atomic::ZERO || amount.0 > FAUCET_AMOUNT_MAX {
            return Err(PayError::FaucetAmount { amount_max: FAUCET_AMOUNT_MAX });
        }
        let operation = Operation::Mint { to: to.to_checksum(None), amount };
        let now_s = self.clock_s();
        let minted = self
            .on_node(move |node| node.execute(operation, now_s).map(|_| node.transfers().last().cloned()));
        match minted.await? {
            Ok(Some(transfer)) => Ok(transfer),
            Ok(None) => Err(PayError::Devnet("the token made no transfer".to_owned())),
            Err(Refusal::Reverted(output)) => {
                Err(PayError::Devnet(read_revert(Purpose::Transfer, Moment::Submitted, &output).to_string()))
            }
            Err(Refusal::Invalid(reason)) => Err(PayError::Devnet(reason)),
            Err(Refusal::Broken(reason)) => Err(PayError::JournalBroken(reason)),
        }
    }

    /// Returns the operator's address.
    pub fn treasury(&self) -> Address {
        self.operator.address()
    }

    /// Returns how much of the token an address has.
    pub async fn balance(&self, address: Address) -> Result<Atomic, PayError> {
        self.read_token(calls::balance_of(address)).await
    }

    /// Returns how much there is in all accounts together: everything ever minted.
    pub async fn total_supply(&self) -> Result<Atomic, PayError> {
        self.read_token(calls::total_supply()).await
    }

    /// Returns every transfer there was, mints included, in order.
    pub async fn transfers(&self) -> Result<Vec<TransferEvent>, PayError> {
        self.on_node(|node| node.transfers().to_vec()).await
    }

    /// Returns what can be done to those who use the chain.
    pub fn weather(&self) -> Weather<'_> {
        Weather::over(self)
    }

    async fn read_token(&self, data: Bytes) -> Result<Atomic, PayError> {
        let call = Call { from: Address::ZERO, to: ASSET, data };
        let output = Chain::call(self, &call).await.map_err(|error| PayError::Devnet(error.to_string()))?;
        let number = read_number(&output);
        atomic(number.ok_or_else(|| PayError::Devnet("the token answered no number".to_owned()))?)
    }

    fn clock_s(&self) -> u64 {
        (self.clock)()
    }

    /// Runs `work` on the node, alone, on a thread that may block on the disk. A caller that gives up waiting does
    /// not stop work that has begun.
    async fn on_node<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, PayError> {
        let mut node = Arc::clone(&self.node).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut node))
            .await
            .map_err(|error| PayError::Unavailable(error.to_string()))
    }
}

#[async_trait]
impl Chain for Devnet {
    fn label(&self) -> &str {
        LABEL
    }

    fn network(&self) -> Network {
        NETWORK
    }

    fn submitter(&self) -> Address {
        self.operator.address()
    }

    async fn now_s(&self) -> Result<u64, PayError> {
        let now_s = self.clock_s();
        let next = self.on_node(move |node| match node.broken() {
            Some(reason) => Err(PayError::JournalBroken(reason.to_owned())),
            None => Ok(node.time_of_next(now_s)),
        });
        next.await?
    }

    async fn block(&self) -> Result<u64, PayError> {
        self.on_node(|node| node.height()).await
    }

    async fn call(&self, call: &Call) -> Result<Bytes, CallError> {
        let (call, now_s) = (call.clone(), self.clock_s());
        let ran = self.on_node(move |node| node.machine().run(&call, node.next(now_s)).map(|run| run.output));
        match ran.await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(Stopped::Reverted(output))) => Err(CallError::Reverted(output)),
            Ok(Err(Stopped::Invalid(reason))) => Err(CallError::Unavailable(reason)),
            Err(error) => Err(CallError::Unavailable(error.to_string())),
        }
    }

    async fn submit(&self, id: &str, call: &Call) -> Submission {
        let (id, call, now_s) = (id.to_owned(), call.clone(), self.clock_s());
        match self.on_node(move |node| node.submit(&id, &call, now_s)).await {
            Ok((submission, delay)) => {
                if let Some(delay) = delay {
                    tokio::time::sleep(delay).await;
                }
                submission
            }
            Err(error) => Submission::Unknown { detail: error.to_string() },
        }
    }

    async fn standing(&self, transaction: B256) -> Result<Standing, PayError> {
        self.on_node(move |node| node.standing(transaction)).await
    }

    async fn logs(&self, transaction: B256) -> Result<Option<Vec<Log>>, PayError> {
        self.on_node(move |node| node.logs(transaction).map(<[Log]>::to_vec)).await
    }

    async fn input(&self, transaction: B256) -> Result<Option<Bytes>, PayError> {
        self.on_node(move |node| node.input(transaction).cloned()).await
    }

    async fn transfers(&self, account: Address, from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        let transfers = self.on_node(move |node| {
            let transfers = node.transfers();
            let start = transfers.partition_point(|transfer| transfer.block < from_block);
            let of_account = |transfer: &&TransferEvent| transfer.from == account || transfer.to == account;
            transfers[start..].iter().filter(of_account).cloned().collect()
        });
        transfers.await
    }
}

impl fmt::Debug for Devnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devnet").field("treasury", &self.treasury()).finish_non_exhaustive()
    }
}

/// Returns the domain under which payers sign for the token.
pub fn token() -> Domain {
    Domain {
        name: SIGNING_NAME.to_owned(),
        version: SIGNING_VERSION.to_owned(),
        chain_id: NETWORK.chain_id,
        verifying_contract: ASSET,
    }
}

fn system_seconds() -> u64 {
    // A clock before 1970 finds every authorization not yet valid, which is the safe answer.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Reads a number of the token's, whose supply is far below the range of an amount.
fn atomic(value: U256) -> Result<Atomic, PayError> {
    value.try_into().map(Atomic).map_err(|_| PayError::Devnet(format!("the token answered {value}")))
}
