//! The node: questions in JSON-RPC, answers in our types. See the Ethereum execution APIs.
//!
//! Nothing is asked twice here and nothing is remembered: what to do about a failure is decided above.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, hex};
use glassbox_core::limits::RPC_ANSWER_BYTES_MAX;
use serde_json::{Value, json};

use crate::chain::Call;
use crate::error::PayError;
use crate::http::Peer;
use crate::x402::clip;

/// Why a question came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodeError {
    /// The call reverted, with these bytes.
    #[error("the call reverts with {} bytes", .0.len())]
    Reverted(Bytes),
    /// The node took the question and refused it.
    #[error("the node refused: {0}")]
    Refused(String),
    /// Nobody knows whether the node took the question.
    #[error("the node did not answer: {0}")]
    Silent(String),
}

pub(super) struct Node {
    peer: Peer,
}

/// What is asked of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) time_s: u64,
    pub(super) hash: B256,
    /// What one unit of gas costs there at least, in wei; nothing on chains before EIP-1559.
    pub(super) base_fee: Option<u128>,
}

/// A transaction in a block.
#[derive(Debug, Clone)]
pub(super) struct Receipt {
    pub(super) transaction: B256,
    pub(super) block: u64,
    pub(super) succeeded: bool,
    pub(super) logs: Vec<Log>,
}

/// An event and where it is.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) transaction: B256,
    pub(super) block: u64,
    /// Its place among the events of the block.
    pub(super) index: u64,
    pub(super) log: Log,
}

impl Node {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, PayError> {
        Ok(Self { peer: Peer::new(url, timeout, RPC_ANSWER_BYTES_MAX)? })
    }

    pub(super) async fn chain_id(&self) -> Result<u64, NodeError> {
        small(&self.ask("eth_chainId", json!([])).await?)
    }

    /// Returns the block of a number or a tag, if there is one.
    pub(super) async fn block(&self, which: impl Into<Value>) -> Result<Option<Block>, NodeError> {
        let block = self.ask("eth_getBlockByNumber", json!([which.into(), false])).await?;
        if block.is_null() {
            return Ok(None);
        }
        let base_fee = match block.get("baseFeePerGas") {
            None | Some(Value::Null) => None,
            Some(fee) => Some(wide(fee)?),
        };
        Ok(Some(Block {
            number: small(&block["number"])?,
            time_s: small(&block["timestamp"])?,
            hash: word(&block["hash"])?,
            base_fee,
        }))
    }

    pub(super) async fn latest(&self) -> Result<Block, NodeError> {
        self.block("latest").await?.ok_or_else(|| unreadable("no latest block"))
    }

    pub(super) async fn height(&self) -> Result<u64, NodeError> {
        small(&self.ask("eth_blockNumber", json!([])).await?)
    }

    /// Returns how much of the chain's coin an account has, in wei.
    pub(super) async fn coins(&self, account: Address) -> Result<U256, NodeError> {
        number(&self.ask("eth_getBalance", json!([address(account), "latest"])).await?)
    }

    /// Returns how many transactions of an account there are in the blocks up to a number or a tag.
    pub(super) async fn count(&self, account: Address, up_to: impl Into<Value>) -> Result<u64, NodeError> {
        small(&self.ask("eth_getTransactionCount", json!([address(account), up_to.into()])).await?)
    }

    /// Returns what makers of blocks are given for a unit of gas, in wei.
    pub(super) async fn tip(&self) -> Result<u128, NodeError> {
        wide(&self.ask("eth_maxPriorityFeePerGas", json!([])).await?)
    }

    /// Runs a call without effect, after a block.
    pub(super) async fn call(&self, call: &Call, after: impl Into<Value>) -> Result<Bytes, NodeError> {
        bytes(&self.ask("eth_call", json!([words(call), after.into()])).await?)
    }

    /// Returns how much gas a call takes after the latest block, as [`call`](Self::call) would see it; by default some
    /// nodes count in what waits.
    pub(super) async fn gas(&self, call: &Call) -> Result<u64, NodeError> {
        small(&self.ask("eth_estimateGas", json!([words(call), "latest"])).await?)
    }

    /// Broadcasts a transaction. One that the node has already is taken.
    pub(super) async fn broadcast(&self, raw: &Bytes) -> Result<(), NodeError> {
        let sent = self.ask("eth_sendRawTransaction", json!([hex::encode_prefixed(raw)])).await;
        match sent {
            Ok(_) => Ok(()),
            Err(NodeError::Refused(reason)) if is_there(&reason) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the data of a transaction, if a block holds it.
    pub(super) async fn input(&self, transaction: B256) -> Result<Option<Bytes>, NodeError> {
        let found = self.ask("eth_getTransactionByHash", json!([transaction.to_string()])).await?;
        if found.is_null() || found["blockNumber"].is_null() {
            Ok(None)
        } else {
            bytes(&found["input"]).map(Some)
        }
    }

    /// Says whether a transaction waits or is in a block.
    pub(super) async fn knows(&self, transaction: B256) -> Result<bool, NodeError> {
        let found = self.ask("eth_getTransactionByHash", json!([transaction.to_string()])).await?;
        Ok(!found.is_null())
    }

    /// Returns the receipt of a transaction, if a block holds it.
    pub(super) async fn receipt(&self, transaction: B256) -> Result<Option<Receipt>, NodeError> {
        let receipt = self.ask("eth_getTransactionReceipt", json!([transaction.to_string()])).await?;
        if receipt.is_null() || receipt["blockNumber"].is_null() {
            return Ok(None);
        }
        let logs = list(&receipt["logs"])?.iter().map(log).collect::<Result<_, _>>()?;
        Ok(Some(Receipt {
            transaction,
            block: small(&receipt["blockNumber"])?,
            succeeded: small(&receipt["status"])? == 1,
            logs,
        }))
    }

    /// Returns the events of a contract with these topics in a range of blocks, ends included.
    pub(super) async fn events(
        &self,
        contract: Address,
        topics: &[Option<B256>],
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<Event>, NodeError> {
        let topics: Vec<_> = topics.iter().map(|topic| topic.map(|topic| topic.to_string())).collect();
        let filter = json!({
            "address": address(contract),
            "topics": topics,
            "fromBlock": quantity(from_block),
            "toBlock": quantity(to_block),
        });
        let events = self.ask("eth_getLogs", json!([filter])).await?;
        let event = |event: &Value| {
            Ok(Event {
                transaction: word(&event["transactionHash"])?,
                block: small(&event["blockNumber"])?,
                index: small(&event["logIndex"])?,
                log: log(event)?,
            })
        };
        list(&events)?.iter().map(event).collect()
    }

    async fn ask(&self, method: &str, parameters: Value) -> Result<Value, NodeError> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let answer = self.peer.post("", &question).await.map_err(NodeError::Silent)?;
        let mut body = answer.body;
        if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
            return Err(refusal(error));
        }
        match body.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(NodeError::Silent(format!("status {} and no answer to {method}", answer.status))),
        }
    }
}

impl From<NodeError> for PayError {
    fn from(error: NodeError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Writes a number as the node reads it.
pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// Reads an error. A revert has the code 3 or says so; where its bytes are differs between nodes.
fn refusal(error: &Value) -> NodeError {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason");
    let reverted = error.get("code").and_then(Value::as_i64) == Some(3)
        || message.to_ascii_lowercase().contains("revert");
    if !reverted {
        return NodeError::Refused(clip(message));
    }
    let data = error.get("data").map(|data| data.get("data").unwrap_or(data));
    let text = data.and_then(Value::as_str).unwrap_or_default();
    let text = text.strip_prefix("Reverted ").unwrap_or(text);
    NodeError::Reverted(hex::decode(text).unwrap_or_default().into())
}

/// Says whether a refused transaction is in the pool or in a block already, as several kinds of nodes put it.
fn is_there(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["already known", "already imported", "known transaction", "already exists", "nonce too low"]
        .iter()
        .any(|known| reason.contains(known))
}

fn words(call: &Call) -> Value {
    json!({ "from": address(call.from), "to": address(call.to), "data": hex::encode_prefixed(&call.data) })
}

fn address(address: Address) -> String {
    address.to_checksum(None)
}

fn unreadable(what: &str) -> NodeError {
    NodeError::Silent(format!("unreadable: {what}"))
}

fn list(value: &Value) -> Result<&[Value], NodeError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| unreadable("no list"))
}

fn number(value: &Value) -> Result<U256, NodeError> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    digits.and_then(|digits| U256::from_str_radix(digits, 16).ok()).ok_or_else(|| unreadable("no number"))
}

fn small(value: &Value) -> Result<u64, NodeError> {
    number(value)?.try_into().map_err(|_| unreadable("a number is too large"))
}

fn wide(value: &Value) -> Result<u128, NodeError> {
    number(value)?.try_into().map_err(|_| unreadable("a number is too large"))
}

fn word(value: &Value) -> Result<B256, NodeError> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| unreadable("no hash"))
}

fn bytes(value: &Value) -> Result<Bytes, NodeError> {
    let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
    bytes.map(Bytes::from).ok_or_else(|| unreadable("no bytes"))
}

fn log(value: &Value) -> Result<Log, NodeError> {
    let topics = list(&value["topics"])?.iter().map(word).collect::<Result<_, _>>()?;
    let address = value["address"].as_str().and_then(|text| text.parse().ok());
    Ok(Log {
        address: address.ok_or_else(|| unreadable("no address"))?,
        data: LogData::new(topics, bytes(&value["data"])?).ok_or_else(|| unreadable("too many topics"))?,
    })
}
