//! The door to a chain: calls without effect, submissions that happen once, and how sure they are.
//!
//! It knows contracts by address and bytes alone; what the bytes mean is [`evm`](crate::evm)'s part, and which call
//! to make is [`Settler`](crate::Settler)'s. Implementors: the [`Devnet`](crate::Devnet) in this process, and a
//! chain over JSON-RPC.

use alloy_primitives::{Address, B256, Bytes, Log};
use async_trait::async_trait;
use glassbox_core::Atomic;

use crate::error::PayError;
use crate::network::Network;

/// A call to a contract: who, whom, what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls.
    pub from: Address,
    /// The contract.
    pub to: Address,
    /// The function's selector and its arguments, by the contract ABI.
    pub data: Bytes,
}

/// Says why a call without effect gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The contract refused, with these bytes.
    #[error("the contract refused with {} bytes", .0.len())]
    Reverted(Bytes),
    /// The chain could not be asked.
    #[error("the chain could not be asked: {0}")]
    Unavailable(String),
}

/// What became of a submitted call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Submission {
    /// It is in a block, and took effect.
    Mined {
        /// The transaction's hash.
        transaction: B256,
        /// The number of its block.
        block: u64,
        /// The events that the contracts gave out.
        logs: Vec<Log>,
    },
    /// It had no effect, and will have none: refused when tried before submission, or in a block that is final. The same
    /// id may be tried again.
    Reverted {
        /// What the contract answered.
        output: Bytes,
    },
    /// Nobody knows yet. Ask again with the same id.
    Unknown {
        /// What happened, for the log.
        detail: String,
    },
}

/// How sure it is that a transaction stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It will not be undone.
    Final,
    /// It is in a block that may still be undone.
    Mined {
        /// The number of its block.
        block: u64,
        /// How many blocks there are from its own on, that one included.
        confirmations: u64,
    },
    /// No block holds it, or it had no effect there: it waits, was dropped, or was undone. Submit it again with its id.
    Missing,
}

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

/// What submitting a call costs, in the chain's own coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fee {
    /// The gas that it burns.
    pub gas: u64,
    /// The price of a unit of gas, in the coin's smallest unit.
    pub price: u128,
}

/// A chain with the token in which it pays.
#[async_trait]
pub trait Chain: Send + Sync {
    /// Returns the name to show to people, such as `devnet, play money`.
    fn label(&self) -> &str;

    /// Returns which chain it is.
    fn network(&self) -> Network;

    /// Returns who submits: the facilitator address that `upto` payers sign for.
    fn submitter(&self) -> Address;

    /// Returns the Unix second that a call would see if it were submitted now. An error says that nothing can be
    /// submitted now.
    async fn now_s(&self) -> Result<u64, PayError>;

    /// Returns the number of the latest block.
    async fn block(&self) -> Result<u64, PayError>;

    /// Runs a call without effect and returns its answer.
    async fn call(&self, call: &Call) -> Result<Bytes, CallError>;

    /// Finds out whether a call would revert now. It is expected to be submitted soon.
    async fn attempt(&self, call: &Call) -> Result<(), CallError> {
        self.call(call).await.map(drop)
    }

    /// Says what submitting a call would cost now. Chains without fees say nothing.
    async fn fee(&self, call: &Call) -> Result<Fee, PayError> {
        let _ = call;
        Ok(Fee::default())
    }

    /// Submits a call once per `id`: asked again, it says what became of the first, whatever the call. A call that
    /// reverted left nothing behind, so its id may be tried again. `call.from` is [`submitter`](Self::submitter).
    async fn submit(&self, id: &str, call: &Call) -> Submission;

    /// Returns how sure it is that a transaction stays.
    async fn standing(&self, transaction: B256) -> Result<Standing, PayError>;

    /// Says whether submissions will be taken: an error says why new paid work should not begin.
    async fn ready(&self) -> Result<(), PayError> {
        Ok(())
    }

    /// Returns the events of a transaction; nothing if no block holds it.
    async fn logs(&self, transaction: B256) -> Result<Option<Vec<Log>>, PayError>;

    /// Returns the data of a transaction: the function that it called, and the arguments; nothing if no block holds it.
    async fn input(&self, transaction: B256) -> Result<Option<Bytes>, PayError>;

    /// Returns the token's transfers from or to `account` since the block `from_block`, that one included, in order.
    async fn transfers(&self, account: Address, from_block: u64) -> Result<Vec<TransferEvent>, PayError>;
}
