//! Transactions: who calls what, under which hash, and which submission that was.

use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};

use super::machine::MINTER;
use super::operation::Operation;
use super::{ASSET, NETWORK, raw, token};
use crate::chain::Call;
use crate::evm::calls;
use crate::settler;

/// Who submitted payments when the devnet settled them itself.
const SETTLER: Address = address!("00000000000000000000000000676c6173737331");

#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) hash: B256,
    /// The id under which it was submitted.
    pub(super) id: Option<String>,
    /// How many transactions its sender must have made before. Those who sign say so; ours are told apart by their ids.
    pub(super) nonce: Option<u64>,
    pub(super) call: Call,
}

impl Transaction {
    /// Makes the transaction of an operation in a block. Journals of every age give the transactions that they always
    /// gave, hashes included: receipts name them.
    pub(super) fn of(operation: &Operation, block: u64) -> Result<Self, String> {
        let (id, call) = match operation {
            Operation::Call { id, from, to, data } => {
                let data = hex::decode(data).map_err(|error| error.to_string())?;
                let call = Call { from: account(from)?, to: account(to)?, data: data.into() };
                let hash = submission_hash(id, &call);
                return Ok(Self { hash, id: Some(id.clone()), nonce: None, call });
            }
            Operation::Raw { transaction } => {
                let bytes = hex::decode(transaction).map_err(|error| error.to_string())?;
                let raw = raw::read(&bytes)?;
                return Ok(Self { hash: raw.hash, id: None, nonce: Some(raw.nonce), call: raw.call });
            }
            Operation::Mint { to, amount } => {
                (None, to_token(MINTER, calls::mint(account(to)?, U256::from(amount.0))))
            }
            Operation::PayOut { id, from, to, amount } => {
                let data = calls::transfer(account(to)?, U256::from(amount.0));
                (Some(settler::pay_out_id(id)), to_token(account(from)?, data))
            }
            Operation::Settle(exact) => {
                let transfer = exact.transfer().map_err(|rejection| rejection.to_string())?;
                let signature = exact.signature_bytes().and_then(|bytes| bytes.try_into().ok());
                let signature = signature.ok_or("the signature is not 65 bytes")?;
                let data = calls::transfer_with_authorization(&transfer, &signature);
                (Some(settler::transfer_id(&token(), &transfer)), to_token(SETTLER, data))
            }
            Operation::Idle { .. } | Operation::Undo { .. } => return Err("it is no transaction".to_owned()),
        };
        Ok(Self { hash: block_hash(block, call.from, &call.data), id, nonce: None, call })
    }
}

fn account(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn to_token(from: Address, data: Bytes) -> Call {
    Call { from, to: ASSET, data }
}

/// Returns the hash of a submission, which has no signature: over what makes it the one it is. It is the same in
/// whatever block, so that a transaction that was undone comes back under its hash.
fn submission_hash(id: &str, call: &Call) -> B256 {
    let chain_id = NETWORK.chain_id.to_be_bytes();
    let id = keccak256(id);
    keccak256(
        [&b"glassbox devnet submission"[..], &chain_id, &id[..], &call.from[..], &call.to[..], &call.data]
            .concat(),
    )
}

/// Returns the hash of a call to the token that has nothing but its block to tell it from others.
fn block_hash(block: u64, caller: Address, data: &[u8]) -> B256 {
    let chain_id = NETWORK.chain_id.to_be_bytes();
    keccak256([&b"glassbox devnet"[..], &chain_id, &block.to_be_bytes(), caller.as_slice(), data].concat())
}
