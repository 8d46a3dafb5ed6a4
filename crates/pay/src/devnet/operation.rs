//! The devnet's operations, as its journal keeps them.

use alloy_primitives::hex;
use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};

use super::NETWORK;
use crate::chain::Call;
use crate::journal::Header;
use crate::x402::ExactPayload;

/// Returns the first line of the devnet's journal.
pub(super) fn header() -> Header {
    Header { journal: "glassbox-devnet/1".to_owned(), chain_id: NETWORK.chain_id, genesis: None }
}

/// One operation with its block.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) block: u64,
    pub(super) time_s: u64,
    pub(super) operation: Operation,
}

/// What changes the chain.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    /// The faucet makes money.
    Mint { to: String, amount: Atomic },
    /// A call is submitted. The id is whole words, the rest hex.
    Call { id: String, from: String, to: String, data: String },
    /// A transaction is taken that its sender has signed; RLP in hex.
    Raw { transaction: String },
    /// Blocks come in which nothing happens.
    Idle { blocks: u64 },
    /// The latest blocks are undone.
    Undo { blocks: u64 },
    /// A payment is settled; as it came over the wire. Read, and no longer written: it is a call.
    Settle(ExactPayload),
    /// The treasury pays. Read, and no longer written: it is a call.
    PayOut { id: String, from: String, to: String, amount: Atomic },
}

impl Operation {
    /// Writes a signed transaction down.
    pub(super) fn raw(transaction: &[u8]) -> Self {
        Self::Raw { transaction: hex::encode_prefixed(transaction) }
    }

    /// Writes a submitted call down.
    pub(super) fn call(id: &str, call: &Call) -> Self {
        Self::Call {
            id: id.to_owned(),
            from: call.from.to_checksum(None),
            to: call.to.to_checksum(None),
            data: hex::encode_prefixed(&call.data),
        }
    }
}
