//! What each method answers.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use super::Fault;
use super::words::{
    block, bytes, event, parameter, quantity, read_address, read_block, read_bytes, read_hash, read_quantity,
    receipt, transaction,
};
use crate::chain::Call;
use crate::devnet::machine::Stopped;
use crate::devnet::node::{Node, Refusal};
use crate::devnet::operation::Operation;
use crate::devnet::{Devnet, NETWORK, raw};
use glassbox_core::limits::{
    DEVNET_GAS_MAX, DEVNET_RAW_BYTES_MAX, JSON_RPC_FEE_BLOCKS_MAX, JSON_RPC_LOG_BLOCKS_MAX,
    JSON_RPC_LOGS_MAX, JSON_RPC_TOPICS_MAX,
};

impl Devnet {
    pub(super) async fn method(&self, method: &str, parameters: &[Value]) -> Result<Value, Fault> {
        let now_s = self.clock_s();
        let one = |index: usize, name: &str| parameter(parameters, index, name);
        match method {
            "eth_chainId" => Ok(quantity(U256::from(NETWORK.chain_id))),
            "net_version" => Ok(NETWORK.chain_id.to_string().into()),
            "web3_clientVersion" => Ok(concat!("glassbox-devnet/", env!("CARGO_PKG_VERSION")).into()),
            "eth_gasPrice" | "eth_maxPriorityFeePerGas" => Ok("0x0".into()),
            "eth_accounts" => Ok(json!([])),
            "eth_syncing" => Ok(false.into()),
            "eth_blockNumber" => self.ask(|node| Ok(quantity(U256::from(node.height())))).await,
            "eth_call" => {
                let (call, at) = (read_call(one(0, "transaction")?)?, parameters.get(1).cloned());
                if parameters.get(2).is_some_and(|changes| !changes.is_null()) {
                    return Err(Fault::parameters(
                        "calls on a state that was changed for them are not run here",
                    ));
                }
                self.ask(move |node| {
                    only_latest(node, at.as_ref())?;
                    Ok(bytes(&node.machine().run(&call, node.next(now_s)).map_err(stopped)?.output))
                })
                .await
            }
            "eth_estimateGas" => {
                let call = read_call(one(0, "transaction")?)?;
                self.ask(move |node| {
                    let run = node.machine().run(&call, node.next(now_s)).map_err(stopped)?;
                    // A call must carry more than it burns: each call within keeps a part of the gas back.
                    Ok(quantity(U256::from((run.gas_used.saturating_mul(2)).min(DEVNET_GAS_MAX))))
                })
                .await
            }
            "eth_getTransactionReceipt" | "eth_getTransactionByHash" => {
                let hash = read_hash(one(0, "hash")?, "hash")?;
                let write = if method == "eth_getTransactionByHash" { transaction } else { receipt };
                self.ask(move |node| {
                    let number = node.block_of(hash);
                    let found = number.and_then(|number| {
                        let block = node.block(number)?;
                        Some(write(block, number, block.mined.as_ref()?))
                    });
                    Ok(found.unwrap_or(Value::Null))
                })
                .await
            }
            "eth_getTransactionCount" | "eth_getBalance" | "eth_getCode" => {
                let (method, address) = (method.to_owned(), read_address(one(0, "address")?, "address")?);
                let at = parameters.get(1).cloned();
                self.ask(move |node| {
                    only_latest(node, at.as_ref())?;
                    let account = node.machine().account(address);
                    Ok(match method.as_str() {
                        "eth_getCode" => bytes(node.machine().code(address)),
                        "eth_getBalance" => quantity(account.balance),
                        _ => quantity(U256::from(account.nonce)),
                    })
                })
                .await
            }
            "eth_getStorageAt" => {
                let address = read_address(one(0, "address")?, "address")?;
                let slot = read_quantity(one(1, "slot")?, "slot")?;
                let at = parameters.get(2).cloned();
                self.ask(move |node| {
                    only_latest(node, at.as_ref())?;
                    Ok(bytes(B256::from(node.machine().slot(address, slot))))
                })
                .await
            }
            "eth_getBlockByNumber" => {
                let (at, whole) = (one(0, "block")?.clone(), parameters.get(1) == Some(&Value::Bool(true)));
                self.ask(move |node| Ok(block(node, read_block(Some(&at), node.height())?, whole))).await
            }
            "eth_feeHistory" => {
                let (count, newest) =
                    (read_quantity(one(0, "blockCount")?, "blockCount")?, one(1, "newestBlock")?);
                let newest = newest.clone();
                let percentiles = parameters.get(2).and_then(Value::as_array).map(Vec::len);
                self.ask(move |node| fee_history(node, count, &newest, percentiles)).await
            }
            "eth_getLogs" => {
                let filter = one(0, "filter")?.clone();
                self.ask(move |node| logs(node, &filter)).await
            }
            "eth_sendRawTransaction" => {
                let sent = read_bytes(one(0, "transaction")?, "transaction")?;
                self.send_raw(sent, now_s).await
            }
            other => {
                let message = format!("the method `{}` does not exist here", crate::x402::clip(other));
                Err(Fault::new(-32601, message))
            }
        }
    }

    async fn ask(
        &self,
        question: impl FnOnce(&Node) -> Result<Value, Fault> + Send + 'static,
    ) -> Result<Value, Fault> {
        self.on_node(|node| question(node)).await.map_err(|error| Fault::new(-32603, error.to_string()))?
    }

    async fn send_raw(&self, sent: Bytes, now_s: u64) -> Result<Value, Fault> {
        if sent.len() > DEVNET_RAW_BYTES_MAX {
            return Err(Fault::refused(format!("a transaction has at most {DEVNET_RAW_BYTES_MAX} bytes")));
        }
        let hash = raw::read(&sent).map_err(Fault::refused)?.hash;
        if !self.door.admit(now_s) {
            return Err(Fault::limit("too many transactions in this minute; send it again in the next"));
        }
        let done = self.on_node(move |node| {
            // Sent again, it is the same transaction.
            if node.block_of(hash).is_some() { Ok(0) } else { node.execute(Operation::raw(&sent), now_s) }
        });
        match done.await.map_err(|error| Fault::new(-32603, error.to_string()))? {
            Ok(_) => Ok(bytes(hash)),
            Err(Refusal::Reverted(output)) => Err(stopped(Stopped::Reverted(output))),
            Err(Refusal::Invalid(reason)) => Err(Fault::refused(reason)),
            Err(Refusal::Broken(reason)) => Err(Fault::new(-32603, reason)),
        }
    }
}

fn stopped(stopped: Stopped) -> Fault {
    match stopped {
        Stopped::Reverted(output) => Fault {
            code: 3,
            message: "execution reverted".to_owned(),
            data: Some(alloy_primitives::hex::encode_prefixed(output)),
        },
        Stopped::Invalid(reason) => Fault::refused(reason),
    }
}

fn read_call(value: &Value) -> Result<Call, Fault> {
    let field = |name: &str| value.get(name).filter(|field| !field.is_null());
    let to =
        field("to").ok_or_else(|| Fault::parameters("`to` is missing; contracts cannot be created here"))?;
    if let Some(coins) = field("value")
        && read_quantity(coins, "value")? != U256::ZERO
    {
        return Err(Fault::refused("there are no coins on this chain"));
    }
    let data = match field("input").or(field("data")) {
        Some(data) => read_bytes(data, "data")?,
        None => Bytes::new(),
    };
    let from = field("from").map_or(Ok(Address::ZERO), |from| read_address(from, "from"))?;
    Ok(Call { from, to: read_address(to, "to")?, data })
}

fn only_latest(node: &Node, at: Option<&Value>) -> Result<(), Fault> {
    if read_block(at, node.height())? == node.height() {
        Ok(())
    } else {
        Err(Fault::refused("only the latest state is kept here"))
    }
}

fn fee_history(node: &Node, count: U256, newest: &Value, percentiles: Option<usize>) -> Result<Value, Fault> {
    let newest = read_block(Some(newest), node.height())?;
    let count =
        u64::try_from(count).unwrap_or(u64::MAX).min(newest.saturating_add(1)).min(JSON_RPC_FEE_BLOCKS_MAX);
    if newest > node.height() || percentiles.is_some_and(|count| count > JSON_RPC_TOPICS_MAX) {
        return Err(Fault::parameters("the range is too large"));
    }
    let of_each = |value: Value, count: u64| Vec::from_iter((0..count).map(|_| value.clone()));
    let mut history = json!({
        "oldestBlock": quantity(U256::from((newest + 1).saturating_sub(count))),
        "baseFeePerGas": of_each("0x0".into(), count + 1),
        "gasUsedRatio": of_each(0.0.into(), count),
    });
    if let Some(percentiles) = percentiles {
        let rewards = Vec::from_iter((0..percentiles).map(|_| Value::from("0x0")));
        history["reward"] = of_each(rewards.into(), count).into();
    }
    Ok(history)
}

/// Which events are meant: of one of these contracts, with one of these topics at each place; none means any.
struct Filter {
    addresses: Vec<Address>,
    topics: Vec<Vec<B256>>,
}

impl Filter {
    fn read(value: &Value) -> Result<Self, Fault> {
        let addresses = one_or_many(value.get("address"))?;
        let topics = match value.get("topics") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(topics)) if topics.len() <= 4 => topics,
            Some(_) => return Err(Fault::parameters("`topics` is not a list of at most 4")),
        };
        let read_topics = |topic: &Value| -> Result<Vec<B256>, Fault> {
            one_or_many(Some(topic))?.into_iter().map(|topic| read_hash(topic, "topics")).collect()
        };
        Ok(Self {
            addresses: addresses
                .into_iter()
                .map(|address| read_address(address, "address"))
                .collect::<Result<_, _>>()?,
            topics: topics.iter().map(read_topics).collect::<Result<_, _>>()?,
        })
    }

    fn takes(&self, log: &alloy_primitives::Log) -> bool {
        let has = |(index, wanted): (usize, &Vec<B256>)| {
            wanted.is_empty() || log.topics().get(index).is_some_and(|topic| wanted.contains(topic))
        };
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.iter().enumerate().all(has)
    }
}

fn one_or_many(value: Option<&Value>) -> Result<Vec<&Value>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) if values.len() <= JSON_RPC_TOPICS_MAX => Ok(values.iter().collect()),
        Some(Value::Array(_)) => Err(Fault::parameters(format!("at most {JSON_RPC_TOPICS_MAX} are taken"))),
        Some(value) => Ok(vec![value]),
    }
}

fn logs(node: &Node, filter: &Value) -> Result<Value, Fault> {
    if filter.get("blockHash").is_some_and(|hash| !hash.is_null()) {
        return Err(Fault::parameters("ask by `fromBlock` and `toBlock`"));
    }
    let wanted = Filter::read(filter)?;
    let first = read_block(filter.get("fromBlock"), node.height())?.max(1);
    let last = read_block(filter.get("toBlock"), node.height())?.min(node.height());
    if last.saturating_sub(first) >= JSON_RPC_LOG_BLOCKS_MAX {
        return Err(Fault::new(
            -32005,
            format!("at most {JSON_RPC_LOG_BLOCKS_MAX} blocks are searched at once"),
        ));
    }
    let mut found = Vec::new();
    for number in first..=last {
        let Some(block) = node.block(number) else { continue };
        let Some(mined) = &block.mined else { continue };
        for (index, log) in mined.logs.iter().enumerate().filter(|(_, log)| wanted.takes(log)) {
            if found.len() == JSON_RPC_LOGS_MAX {
                return Err(Fault::new(-32005, format!("there are more than {JSON_RPC_LOGS_MAX} events")));
            }
            found.push(event(block, number, mined, index, log));
        }
    }
    Ok(found.into())
}
