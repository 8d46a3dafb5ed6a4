//! The devnet as wallets and stock clients see it.

use glassbox_core::Atomic;
use glassbox_core::limits::JSON_RPC_SENT_PER_MINUTE_MAX;
use glassbox_pay::evm::addresses::{MULTICALL3, PERMIT2};
use glassbox_pay::{B256, Facilitator, Settlement, Wallet, devnet};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stage::{START_S, Stage, call, signed_transaction, wallet};

const ASSET: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";

fn hexed(data: &[u8]) -> String {
    alloy_primitives::hex::encode_prefixed(data)
}

async fn result(stage: &Stage, method: &str, parameters: Value) -> Value {
    let answer = stage.rpc(method, parameters).await;
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(1)));
    answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn code(stage: &Stage, method: &str, parameters: Value) -> i64 {
    let answer = stage.rpc(method, parameters).await;
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn what_never_changes() {
    let stage = Stage::new().await;
    for (method, expected) in [
        ("eth_chainId", json!("0x14a34")),
        ("net_version", json!("84532")),
        ("eth_blockNumber", json!("0x1")),
        ("eth_gasPrice", json!("0x0")),
        ("eth_maxPriorityFeePerGas", json!("0x0")),
        ("eth_accounts", json!([])),
        ("eth_syncing", json!(false)),
    ] {
        assert_eq!(result(&stage, method, json!([])).await, expected, "{method}");
    }
    assert!(
        result(&stage, "web3_clientVersion", json!([]))
            .await
            .as_str()
            .unwrap()
            .starts_with("glassbox-devnet/")
    );
    let history = result(&stage, "eth_feeHistory", json!(["0x2", "latest", [10, 50.5]])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(history["reward"], json!([["0x0", "0x0"], ["0x0", "0x0"]]));
}

#[tokio::test]
async fn contracts_are_read() {
    let stage = Stage::new().await;
    let payer = stage.payer.address();
    let balance = json!({ "to": ASSET, "data": hexed(&call("balanceOf(address)", &[payer.into_word()])) });
    for tag in [json!(null), json!("latest"), json!("pending"), json!("0x1"), json!("finalized")] {
        let answer = result(&stage, "eth_call", json!([balance, tag])).await;
        assert_eq!(answer, format!("0x{:064x}", 10_000));
    }
    assert_eq!(code(&stage, "eth_call", json!([balance, "0x0"])).await, -32000, "only the latest state");
    for (address, bytes) in
        [(ASSET, 4_000), (&*PERMIT2.to_string(), 2_000), (&*MULTICALL3.to_string(), 2_000)]
    {
        let code = result(&stage, "eth_getCode", json!([address, "latest"])).await;
        assert!(code.as_str().unwrap().len() > bytes, "{address}");
    }
    assert_eq!(result(&stage, "eth_getCode", json!([payer.to_string(), "latest"])).await, "0x");
    assert_eq!(result(&stage, "eth_getBalance", json!([payer.to_string(), "latest"])).await, "0x0");
    assert_eq!(result(&stage, "eth_getTransactionCount", json!([payer.to_string(), "latest"])).await, "0x0");
    let slot = result(&stage, "eth_getStorageAt", json!([ASSET, "0x1", "latest"])).await;
    assert_eq!(slot, format!("0x{:064x}", 10_000), "the total supply");
    // What reverts says why, as wallets expect it.
    let words = [payer.into_word(), B256::with_last_byte(1)];
    let transfer = json!({ "to": ASSET, "from": wallet("poor").address().to_string(), "input": hexed(&call("transfer(address,uint256)", &words)) });
    let refused = stage.rpc("eth_call", json!([transfer, "latest"])).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["message"]),
        (&json!(3), &json!("execution reverted"))
    );
    let selector = hexed(&call("ERC20InsufficientBalance(address,uint256,uint256)", &[]));
    assert!(refused["error"]["data"].as_str().unwrap().starts_with(&selector));
    assert_eq!(code(&stage, "eth_estimateGas", json!([transfer])).await, 3);
    let transfer = json!({ "to": ASSET, "from": payer.to_string(), "input": hexed(&call("transfer(address,uint256)", &words)) });
    let gas = result(&stage, "eth_estimateGas", json!([transfer])).await;
    assert!(u64::from_str_radix(&gas.as_str().unwrap()[2..], 16).unwrap() > 30_000);
}

#[tokio::test]
async fn blocks_receipts_and_events_tell_of_payments() {
    let stage = Stage::new().await;
    let Settlement::Settled { transaction, .. } = stage.pay(500, 1).await else { panic!("it settles") };
    let hash = transaction.to_string();
    let receipt = result(&stage, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x2")));
    assert_eq!(receipt["logs"].as_array().unwrap().len(), 2, "an authorization used, a transfer");
    let sent = result(&stage, "eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&sent["hash"], &sent["to"]), (&json!(hash), &json!(ASSET.to_lowercase())));
    let block = result(&stage, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!((&block["number"], &block["transactions"]), (&json!("0x2"), &json!([hash])));
    assert_eq!(block["timestamp"], format!("{START_S:#x}"));
    assert_eq!(block["hash"], receipt["blockHash"]);
    let whole = result(&stage, "eth_getBlockByNumber", json!(["0x2", true])).await;
    assert_eq!(whole["transactions"][0], sent);
    let parent = result(&stage, "eth_getBlockByNumber", json!(["0x1", false])).await;
    assert_eq!(block["parentHash"], parent["hash"]);
    let first = result(&stage, "eth_getBlockByNumber", json!(["earliest", false])).await;
    assert_eq!((&first["number"], &first["hash"]), (&json!("0x0"), &parent["parentHash"]));
    let unknown = B256::ZERO.to_string();
    for (method, parameters) in [
        ("eth_getTransactionReceipt", json!([unknown])),
        ("eth_getTransactionByHash", json!([unknown])),
        ("eth_getBlockByNumber", json!(["0x99", false])),
    ] {
        assert_eq!(result(&stage, method, parameters).await, Value::Null, "{method}");
    }

    let transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    let payee = stage.payee.into_word().to_string();
    let count =
        async |filter: Value| result(&stage, "eth_getLogs", json!([filter])).await.as_array().unwrap().len();
    assert_eq!(count(json!({ "fromBlock": "earliest" })).await, 3);
    assert_eq!(count(json!({})).await, 2, "the latest block alone");
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [transfer] })).await, 2);
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [[transfer], null, payee] })).await, 1);
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [unknown] })).await, 0);
    assert_eq!(count(json!({ "fromBlock": "0x0", "address": [ASSET] })).await, 3);
    assert_eq!(count(json!({ "fromBlock": "0x0", "address": PERMIT2.to_string() })).await, 0);
    assert_eq!(count(json!({ "fromBlock": "0x5", "toBlock": "0x9" })).await, 0);
    for filter in [
        json!({ "blockHash": unknown }),
        json!({ "topics": "all" }),
        json!({ "topics": [1] }),
        json!({ "address": vec![ASSET; 65] }),
        json!({ "fromBlock": "two" }),
    ] {
        assert_eq!(code(&stage, "eth_getLogs", json!([filter])).await, -32602, "{filter}");
    }
}

#[tokio::test]
async fn transactions_of_a_stock_wallet_are_taken_once_and_in_order() {
    let signed: Value = serde_json::from_str(include_str!("../data/signed-transactions.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devnet.journal");
    let stage = Stage::open(Some(&path));
    let owner = Wallet::from_hex(&"11".repeat(32)).unwrap().address();
    let early = stage.rpc("eth_sendRawTransaction", json!([signed["eip2930"]])).await;
    assert!(early["error"]["message"].as_str().unwrap().contains("nonce too high"), "{early}");
    for (number, kind) in ["legacy", "eip2930", "eip1559"].into_iter().enumerate() {
        let hash = result(&stage, "eth_sendRawTransaction", json!([signed[kind]])).await;
        let again = result(&stage, "eth_sendRawTransaction", json!([signed[kind]])).await;
        assert_eq!(hash, again, "sent again, it is the same");
        let raw = alloy_primitives::hex::decode(signed[kind].as_str().unwrap()).unwrap();
        assert_eq!(hash, alloy_primitives::keccak256(raw).to_string());
        let receipt = result(&stage, "eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["from"], owner.to_string().to_lowercase());
        assert_eq!(receipt["blockNumber"], format!("{:#x}", number + 1));
        let count = result(&stage, "eth_getTransactionCount", json!([owner.to_string(), "latest"])).await;
        assert_eq!(count, format!("{:#x}", number + 1));
    }
    for (kind, reason) in [
        ("other_chain", "chain 8453"),
        ("with_coins", "no coins"),
        ("creation", "contracts cannot be created"),
    ] {
        let refused = stage.rpc("eth_sendRawTransaction", json!([signed[kind]])).await;
        assert!(refused["error"]["message"].as_str().unwrap().contains(reason), "{refused}");
    }
    let words = [owner.into_word(), PERMIT2.into_word()];
    let allowance = json!({ "to": ASSET, "data": hexed(&call("allowance(address,address)", &words)) });
    let allowed = result(&stage, "eth_call", json!([allowance, "latest"])).await;
    assert_eq!(allowed, B256::repeat_byte(0xff).to_string());
    drop(stage);
    let again = Stage::open(Some(&path));
    assert_eq!(result(&again, "eth_call", json!([allowance, "latest"])).await, allowed);
    assert_eq!(result(&again, "eth_blockNumber", json!([])).await, "0x3");
}

#[tokio::test]
async fn a_transaction_that_reverts_is_not_taken() {
    let stage = Stage::new().await;
    let words = [stage.payee.into_word(), B256::with_last_byte(1)];
    let refused =
        stage.send(&wallet("poor"), devnet::ASSET, &call("transfer(address,uint256)", &words)).await;
    assert_eq!(refused["error"]["code"], 3);
    let count = json!([wallet("poor").address().to_string(), "latest"]);
    assert_eq!(result(&stage, "eth_getTransactionCount", count).await, "0x0");
    // A payer may also pay by hand.
    let sent = stage.send(&stage.payer, devnet::ASSET, &call("transfer(address,uint256)", &words)).await;
    assert!(sent["result"].is_string(), "{sent}");
    assert_eq!(stage.payee_has().await, 1);
    let long = signed_transaction(&stage.payer, 1, devnet::ASSET, &[0; 9_000]);
    assert_eq!(code(&stage, "eth_sendRawTransaction", json!([long])).await, -32000);
}

#[tokio::test]
async fn strangers_send_so_many_transactions_in_a_minute_and_no_more() {
    let stage = Stage::new().await;
    let words = [stage.payee.into_word(), B256::with_last_byte(1)];
    let data = call("transfer(address,uint256)", &words);
    let good = signed_transaction(&stage.payer, 0, devnet::ASSET, &data);
    // The same again is the same, and counts.
    for _ in 0..JSON_RPC_SENT_PER_MINUTE_MAX {
        result(&stage, "eth_sendRawTransaction", json!([good])).await;
    }
    assert_eq!(code(&stage, "eth_sendRawTransaction", json!([good])).await, -32005);
    result(&stage, "eth_blockNumber", json!([])).await;
    assert!(matches!(stage.pay(100, 1).await, Settlement::Settled { .. }), "payments are not held up");
    stage.now_s.fetch_add(60, std::sync::atomic::Ordering::SeqCst);
    result(&stage, "eth_sendRawTransaction", json!([good])).await;
}

#[tokio::test]
async fn batches_and_mistakes() {
    let stage = Stage::new().await;
    let ask = async |body: &str| stage.devnet.json_rpc(body.as_bytes()).await;
    let batch =
        ask(r#"[{"id":"a","method":"eth_chainId"},{"id":7,"method":"nonsense","params":[]},1]"#).await;
    assert_eq!(batch[0], json!({ "jsonrpc": "2.0", "id": "a", "result": "0x14a34" }));
    assert_eq!((&batch[1]["id"], &batch[1]["error"]["code"]), (&json!(7), &json!(-32601)));
    assert_eq!((&batch[2]["id"], &batch[2]["error"]["code"]), (&Value::Null, &json!(-32600)));
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        ("{}", -32600),
        ("null", -32600),
        (r#"{"method":1}"#, -32600),
        (r#"{"method":"eth_call"}"#, -32602),
        (r#"{"method":"eth_call","params":{}}"#, -32602),
        (r#"{"method":"eth_call","params":[{"data":"0x"}]}"#, -32602),
        (r#"{"method":"eth_call","params":[{"to":"0x1"}]}"#, -32602),
        (
            r#"{"method":"eth_call","params":[{"to":"0x036CbD53842c5426634e7929541eC2318f3dCF7e"},"latest",{"0x":{}}]}"#,
            -32602,
        ),
        (r#"{"method":"eth_getBalance","params":["me"]}"#, -32602),
        (r#"{"method":"eth_getBlockByNumber","params":["0xzz"]}"#, -32602),
        (r#"{"method":"eth_sendRawTransaction","params":["0x"]}"#, -32000),
        (r#"{"method":"eth_sendTransaction","params":[{}]}"#, -32601),
    ] {
        assert_eq!(ask(body).await["error"]["code"], code, "{body}");
    }
    let many = format!("[{}]", vec![r#"{"id":1,"method":"eth_chainId"}"#; 33].join(","));
    assert_eq!(ask(&many).await["error"]["code"], -32600);
    assert_eq!(ask(&" ".repeat(300_000)).await["error"]["code"], -32600);
    assert_eq!(stage.rail.balance(stage.payer.address()).await.unwrap(), Atomic(10_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent, it is answered, and nobody's money moves.
    #[test]
    fn any_transaction_is_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0..170_usize,
        other in any::<u8>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new().await;
            let words = [stage.payee.into_word(), B256::with_last_byte(9)];
            let data = call("transfer(address,uint256)", &words);
            let mut good = alloy_primitives::hex::decode(signed_transaction(&stage.payer, 0, devnet::ASSET, &data)).unwrap();
            let at = at % good.len();
            prop_assume!(good[at] != other);
            good[at] = other;
            for bytes in [&bytes, &good] {
                let answer = stage.rpc("eth_sendRawTransaction", json!([hexed(bytes)])).await;
                prop_assert!(answer["result"].is_string() || answer["error"].is_object());
            }
            prop_assert_eq!(stage.balance(stage.payer.address()).await, 10_000);
            Ok(())
        })?;
    }
}
