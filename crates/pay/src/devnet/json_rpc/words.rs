//! The words of the execution APIs: quantities, bytes, blocks, transactions, events.

use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U256, hex, logs_bloom};
use serde_json::{Value, json};

use super::Fault;
use crate::devnet::NETWORK;
use crate::devnet::node::{Mined, MinedBlock, Node};
use glassbox_core::limits::DEVNET_GAS_MAX;

/// Writes a quantity: hex without leading zeros.
pub(super) fn quantity(number: impl Into<U256>) -> Value {
    format!("{:#x}", number.into()).into()
}

/// Writes bytes.
pub(super) fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    hex::encode_prefixed(bytes).into()
}

/// Reads the parameter at `index`, called `name`.
pub(super) fn parameter<'a>(parameters: &'a [Value], index: usize, name: &str) -> Result<&'a Value, Fault> {
    let missing = || Fault::parameters(format!("the parameter `{name}` is missing"));
    parameters.get(index).filter(|value| !value.is_null()).ok_or_else(missing)
}

pub(super) fn read_quantity(value: &Value, name: &str) -> Result<U256, Fault> {
    let refused = || Fault::parameters(format!("`{name}` is not a quantity in hex"));
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).ok_or_else(refused)?;
    if digits.is_empty() || digits.len() > 64 {
        return Err(refused());
    }
    U256::from_str_radix(digits, 16).map_err(|_| refused())
}

pub(super) fn read_bytes(value: &Value, name: &str) -> Result<Bytes, Fault> {
    let refused = || Fault::parameters(format!("`{name}` is not `0x` and bytes in hex"));
    let text = value.as_str().filter(|text| text.starts_with("0x")).ok_or_else(refused)?;
    hex::decode(text).map(Bytes::from).map_err(|_| refused())
}

pub(super) fn read_address(value: &Value, name: &str) -> Result<Address, Fault> {
    let bytes = read_bytes(value, name)?;
    Address::try_from(&bytes[..]).map_err(|_| Fault::parameters(format!("`{name}` is not an address")))
}

pub(super) fn read_hash(value: &Value, name: &str) -> Result<B256, Fault> {
    let bytes = read_bytes(value, name)?;
    B256::try_from(&bytes[..]).map_err(|_| Fault::parameters(format!("`{name}` is not 32 bytes")))
}

/// Reads which block is meant, by name or number; a missing one is the latest. It may be none that there is.
pub(super) fn read_block(value: Option<&Value>, height: u64) -> Result<u64, Fault> {
    match value {
        None | Some(Value::Null) => Ok(height),
        Some(Value::String(tag)) if tag == "earliest" => Ok(0),
        Some(Value::String(tag)) if ["latest", "pending", "safe", "finalized"].contains(&tag.as_str()) => {
            Ok(height)
        }
        Some(value) => Ok(read_quantity(value, "block")?.try_into().unwrap_or(u64::MAX)),
    }
}

/// Writes a block; number 0 is the one in which the contracts were placed.
pub(super) fn block(node: &Node, number: u64, whole: bool) -> Value {
    let placed = MinedBlock { time_s: 0, hash: node.hash_of(0), mined: None };
    let block = match number {
        0 => &placed,
        _ => match node.block(number) {
            Some(block) => block,
            None => return Value::Null,
        },
    };
    let mined = block.mined.as_ref();
    let transactions = mined.map(|mined| match whole {
        true => transaction(block, number, mined),
        false => bytes(mined.transaction.hash),
    });
    json!({
        "number": quantity(U256::from(number)),
        "hash": bytes(block.hash),
        "parentHash": bytes(number.checked_sub(1).map_or(B256::ZERO, |parent| node.hash_of(parent))),
        "timestamp": quantity(U256::from(block.time_s)),
        "transactions": Vec::from_iter(transactions),
        "gasUsed": quantity(U256::from(mined.map_or(0, |mined| mined.gas_used))),
        "gasLimit": quantity(U256::from(DEVNET_GAS_MAX)),
        "baseFeePerGas": "0x0",
        "logsBloom": bytes(mined.map_or(Bloom::ZERO, |mined| logs_bloom(&mined.logs))),
        // What has no meaning here has the form that readers insist on.
        "nonce": "0x0000000000000000",
        "sha3Uncles": bytes(B256::ZERO),
        "transactionsRoot": bytes(B256::ZERO),
        "stateRoot": bytes(B256::ZERO),
        "receiptsRoot": bytes(B256::ZERO),
        "mixHash": bytes(B256::ZERO),
        "miner": bytes(Address::ZERO),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "size": "0x0",
        "uncles": [],
    })
}

/// Writes a transaction.
pub(super) fn transaction(block: &MinedBlock, number: u64, mined: &Mined) -> Value {
    let transaction = &mined.transaction;
    json!({
        "hash": bytes(transaction.hash),
        "type": "0x0",
        "chainId": quantity(U256::from(NETWORK.chain_id)),
        "nonce": quantity(U256::from(transaction.nonce.unwrap_or_default())),
        "blockHash": bytes(block.hash),
        "blockNumber": quantity(U256::from(number)),
        "transactionIndex": "0x0",
        "from": bytes(transaction.call.from),
        "to": bytes(transaction.call.to),
        "input": bytes(&transaction.call.data),
        "value": "0x0",
        "gas": quantity(U256::from(DEVNET_GAS_MAX)),
        "gasPrice": "0x0",
        // The operator's own have no signature.
        "v": "0x0",
        "r": "0x0",
        "s": "0x0",
    })
}

/// Writes what became of a transaction. Those that reverted are in no block.
pub(super) fn receipt(block: &MinedBlock, number: u64, mined: &Mined) -> Value {
    let logs = mined.logs.iter().enumerate().map(|(index, log)| event(block, number, mined, index, log));
    json!({
        "transactionHash": bytes(mined.transaction.hash),
        "transactionIndex": "0x0",
        "type": "0x0",
        "status": "0x1",
        "blockHash": bytes(block.hash),
        "blockNumber": quantity(U256::from(number)),
        "from": bytes(mined.transaction.call.from),
        "to": bytes(mined.transaction.call.to),
        "contractAddress": null,
        "gasUsed": quantity(U256::from(mined.gas_used)),
        "cumulativeGasUsed": quantity(U256::from(mined.gas_used)),
        "effectiveGasPrice": "0x0",
        "logs": Vec::from_iter(logs),
        "logsBloom": bytes(logs_bloom(&mined.logs)),
    })
}

/// Writes the event at `index` of a transaction.
pub(super) fn event(block: &MinedBlock, number: u64, mined: &Mined, index: usize, log: &Log) -> Value {
    json!({
        "address": bytes(log.address),
        "topics": Vec::from_iter(log.topics().iter().map(bytes)),
        "data": bytes(&log.data.data),
        "blockHash": bytes(block.hash),
        "blockNumber": quantity(U256::from(number)),
        "blockTimestamp": quantity(U256::from(block.time_s)),
        "transactionHash": bytes(mined.transaction.hash),
        "transactionIndex": "0x0",
        "logIndex": quantity(U256::from(index)),
        "removed": false,
    })
}
