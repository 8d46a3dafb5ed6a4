//! The devnet: a chain in this process, for play money.
//!
//! It runs the bytecode of a real EIP-3009 token (`contracts/token.sol`), so signatures, time windows, nonces and
//! balances follow the rules of a chain, and stock x402 clients pay it unconfigured. Its chain id is that of a public
//! test network and cannot be chosen: a payment signed here is never worth real money anywhere.
//!
//! Each operation is its own block. With a journal it is on disk before the caller hears of it, and opening the
//! devnet again replays it. Pay-outs need no key: the chain is ours, so the treasury is simply made the caller.

mod abi;
mod chain;
mod journal;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, U256, address};
use async_trait::async_trait;
use glassbox_core::Atomic;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use self::chain::{Chain, Refusal};
use self::journal::Operation;
use crate::error::PayError;
use crate::exact;
use crate::facilitator::{Facilitator, Rejection, Settlement, Verified};
use crate::network::Network;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, SCHEME_EXACT};
use glassbox_core::limits::{FAUCET_AMOUNT_MAX, PAY_OUT_ID_BYTES_MAX};

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

/// A transfer that the token has made. A mint comes from the zero address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferEvent {
    /// The transaction's hash.
    pub transaction: B256,
    /// The number of its block.
    pub block: u64,
    /// The Unix second of its block.
    pub time_s: u64,
    /// Who paid.
    pub from: Address,
    /// Who received.
    pub to: Address,
    /// How much.
    pub amount: Atomic,
}

/// A chain in this process with one token, for play money. Clones share it.
#[derive(Clone)]
pub struct Devnet {
    chain: Arc<Mutex<Chain>>,
    clock: Clock,
    treasury: Address,
}

impl Devnet {
    /// Opens the devnet whose journal is at `path`, or one in memory. Replays the journal, a millisecond for each
    /// operation, so call it at start-up and not on a request. Pay-outs come from `treasury`.
    pub fn open(path: Option<&Path>, treasury: Address) -> Result<Self, PayError> {
        Self::open_with_clock(path, treasury, Arc::new(system_seconds))
    }

    /// Opens the devnet with another clock.
    pub fn open_with_clock(path: Option<&Path>, treasury: Address, clock: Clock) -> Result<Self, PayError> {
        let chain = Arc::new(Mutex::new(Chain::open(path)?));
        Ok(Self { chain, clock, treasury })
    }

    /// Mints play money, at most [`FAUCET_AMOUNT_MAX`] at a time. Not idempotent: each call gives again.
    pub async fn faucet(&self, to: Address, amount: Atomic) -> Result<TransferEvent, PayError> {
        if amount == Atomic::ZERO || amount.0 > FAUCET_AMOUNT_MAX {
            return Err(PayError::FaucetAmount { amount_max: FAUCET_AMOUNT_MAX });
        }
        let operation = Operation::Mint { to: to.to_checksum(None), amount };
        let now_s = (self.clock)();
        self.on_chain(move |chain| chain.execute(&operation, now_s)).await?.map_err(|refusal| match refusal {
            Refusal::Reverted(rejection) => PayError::Devnet(rejection.to_string()),
            Refusal::Broken(reason) => PayError::JournalBroken(reason),
        })
    }

    /// Returns every transfer there was, mints included, in order.
    pub async fn transfers(&self) -> Result<Vec<TransferEvent>, PayError> {
        self.on_chain(|chain| chain.transfers().to_vec()).await
    }

    /// Returns the transfer that a transaction made, if there is such a transaction.
    pub async fn receipt(&self, transaction: B256) -> Result<Option<TransferEvent>, PayError> {
        self.on_chain(move |chain| chain.receipt(transaction).cloned()).await
    }

    /// Returns the number of the latest block; there are none at first.
    pub async fn block(&self) -> Result<u64, PayError> {
        self.on_chain(|chain| chain.block()).await
    }

    /// Returns how much there is in all accounts together: everything ever minted.
    pub async fn total_supply(&self) -> Result<Atomic, PayError> {
        self.on_chain(|chain| chain.read(abi::total_supply())).await?
    }

    /// Runs `work` on the chain, alone, on a thread that may block on the disk. A caller that gives up waiting does
    /// not stop work that has begun.
    async fn on_chain<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Chain) -> T + Send + 'static,
    ) -> Result<T, PayError> {
        let mut chain = Arc::clone(&self.chain).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut chain))
            .await
            .map_err(|error| PayError::Unavailable(error.to_string()))
    }

    /// Reads a payment of an offer that is ours.
    fn read(
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<exact::Authorization, Rejection> {
        let authorization = exact::read(payload, offered)?;
        if authorization.key.network == NETWORK && authorization.key.asset == ASSET {
            Ok(authorization)
        } else {
            let message = format!("only {ASSET} on {NETWORK} is settled here");
            Err(Rejection::new(ErrorCode::InvalidPaymentRequirements, message))
        }
    }
}

#[async_trait]
impl Facilitator for Devnet {
    fn label(&self) -> &str {
        LABEL
    }

    fn network(&self) -> Network {
        NETWORK
    }

    fn asset(&self) -> Address {
        ASSET
    }

    fn treasury(&self) -> Address {
        self.treasury
    }

    fn offer(&self, amount: Atomic, pay_to: Address, timeout_s: u64) -> PaymentRequirements {
        let extra = [("name", SIGNING_NAME), ("version", SIGNING_VERSION)];
        PaymentRequirements {
            scheme: SCHEME_EXACT.to_owned(),
            network: NETWORK.to_string(),
            amount: amount.to_string(),
            asset: ASSET.to_checksum(None),
            pay_to: pay_to.to_checksum(None),
            max_timeout_seconds: timeout_s,
            extra: Map::from_iter(extra.map(|(name, text)| (name.to_owned(), Value::from(text)))),
        }
    }

    async fn verify(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection> {
        let authorization = Self::read(payload, offered)?;
        let now_s = (self.clock)();
        exact::check_window(&authorization, now_s, 0)?;
        let verified = Verified { payer: authorization.key.payer, key: authorization.key.clone() };
        let tried = self.on_chain(move |chain| chain.try_settle(&authorization, now_s)).await;
        tried.unwrap_or_else(|error| {
            Err(Rejection::new(ErrorCode::UnexpectedVerifyError, error.to_string()))
        })?;
        Ok(verified)
    }

    async fn settle(&self, payload: &PaymentPayload, offered: &PaymentRequirements) -> Settlement {
        let authorization = match Self::read(payload, offered) {
            Ok(authorization) => authorization,
            Err(rejection) => return Settlement::Rejected(rejection),
        };
        let now_s = (self.clock)();
        let settled = self.on_chain(move |chain| chain.settle(&authorization, now_s)).await;
        settled.unwrap_or_else(|error| Settlement::Unknown { detail: error.to_string() })
    }

    async fn pay_out(&self, id: &str, to: Address, amount: Atomic) -> Settlement {
        if id.is_empty() || id.len() > PAY_OUT_ID_BYTES_MAX {
            let message = format!("a pay-out's id has between 1 and {PAY_OUT_ID_BYTES_MAX} bytes");
            return Settlement::rejected(ErrorCode::InvalidPayload, message);
        }
        if amount == Atomic::ZERO {
            return Settlement::rejected(ErrorCode::InvalidPayload, "the amount is zero");
        }
        let (id, treasury, now_s) = (id.to_owned(), self.treasury, (self.clock)());
        let settled = self.on_chain(move |chain| chain.pay_out(&id, treasury, to, amount, now_s)).await;
        settled.unwrap_or_else(|error| Settlement::Unknown { detail: error.to_string() })
    }

    async fn balance(&self, address: Address) -> Result<Atomic, PayError> {
        self.on_chain(move |chain| chain.read(abi::balance_of(address))).await?
    }
}

impl fmt::Debug for Devnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devnet").field("treasury", &self.treasury).finish_non_exhaustive()
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
