//! A real node on a port of its own, with the token and the contracts of x402, and what can be done to it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy_primitives::{B256, U256, address, hex, keccak256};
use glassbox_pay::evm::addresses;
use glassbox_pay::{Address, Wallet, devnet};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Who may mint: the first of anvil's own accounts, for which it signs.
const MINTER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// The compiled contract of that name.
macro_rules! compiled {
    ($name:literal) => {
        include_str!(concat!("../../../../contracts/", $name, ".bin-runtime"))
    };
}

const CONTRACTS: [(Address, &str); 8] = [
    (devnet::ASSET, compiled!("token")),
    (addresses::PERMIT2, compiled!("permit2")),
    (addresses::EXACT_PERMIT2_PROXY, compiled!("exact_proxy")),
    (addresses::UPTO_PERMIT2_PROXY, compiled!("upto_proxy")),
    (addresses::BATCH_SETTLEMENT, compiled!("batch")),
    (addresses::ERC3009_DEPOSIT_COLLECTOR, compiled!("erc3009_collector")),
    (addresses::PERMIT2_DEPOSIT_COLLECTOR, compiled!("permit2_collector")),
    (addresses::MULTICALL3, compiled!("multicall3")),
];

pub(crate) struct Anvil {
    process: Child,
    pub(crate) port: u16,
}

impl Anvil {
    /// Starts a node of the chain, with nothing on it.
    pub(crate) fn start(chain_id: u64) -> Self {
        let mut process = Command::new(program())
            .args(["--port", "0", "--chain-id", &chain_id.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("anvil says where it listens").unwrap();
            if let Some(address) = line.strip_prefix("Listening on ") {
                break address.rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    /// Starts a node with all contracts, the chain being the one that stock clients know.
    pub(crate) async fn with_contracts() -> Self {
        let anvil = Self::start(devnet::NETWORK.chain_id);
        for (address, code) in CONTRACTS {
            anvil.ask("anvil_setCode", json!([address.to_string(), format!("0x{}", code.trim())])).await;
        }
        let (zero, minter) = (B256::ZERO.to_string(), MINTER.into_word().to_string());
        anvil.ask("anvil_setStorageAt", json!([devnet::ASSET.to_string(), zero, minter])).await;
        anvil
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks, and expects an answer.
    pub(crate) async fn ask(&self, method: &str, parameters: Value) -> Value {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let answer = post(self.port, &question.to_string()).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) async fn number(&self, method: &str, parameters: Value) -> u64 {
        let answer = self.ask(method, parameters).await;
        u64::from_str_radix(answer.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    /// Returns how many transactions of an account are in blocks.
    pub(crate) async fn count(&self, account: Address) -> u64 {
        self.number("eth_getTransactionCount", json!([account.to_string(), "latest"])).await
    }

    pub(crate) async fn set_coins(&self, account: Address, wei: u128) {
        self.ask("anvil_setBalance", json!([account.to_string(), format!("{wei:#x}")])).await;
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        self.ask("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    /// Says whether each transaction gets a block at once.
    pub(crate) async fn mine_at_once(&self, at_once: bool) {
        self.ask("evm_setAutomine", json!([at_once])).await;
    }

    /// Gives an account tokens.
    pub(crate) async fn mint(&self, to: Address, amount: u64) {
        let data = call("mint(address,uint256)", &[to.into_word(), U256::from(amount).into()]);
        self.send(MINTER, devnet::ASSET, &data).await;
    }

    /// Lets Permit2 move all tokens of somebody.
    pub(crate) async fn approve(&self, owner: &Wallet) {
        let account = owner.address();
        self.set_coins(account, 10_u128.pow(18)).await;
        self.ask("anvil_impersonateAccount", json!([account.to_string()])).await;
        let words = [addresses::PERMIT2.into_word(), B256::repeat_byte(0xff)];
        self.send(account, devnet::ASSET, &call("approve(address,uint256)", &words)).await;
    }

    /// Has an account transfer tokens by itself.
    pub(crate) async fn transfer(&self, from: Address, to: Address, amount: u64) {
        self.set_coins(from, 10_u128.pow(18)).await;
        self.ask("anvil_impersonateAccount", json!([from.to_string()])).await;
        let data = call("transfer(address,uint256)", &[to.into_word(), U256::from(amount).into()]);
        self.send(from, devnet::ASSET, &data).await;
    }

    /// Lets somebody else use an account's key, for a transaction that does nothing.
    pub(crate) async fn use_key_of(&self, account: Address) {
        self.ask("anvil_impersonateAccount", json!([account.to_string()])).await;
        self.send(account, MINTER, &[]).await;
    }

    async fn send(&self, from: Address, to: Address, data: &[u8]) {
        let data = hex::encode_prefixed(data);
        let transaction = json!({ "from": from.to_string(), "to": to.to_string(), "data": data });
        let hash = self.ask("eth_sendTransaction", json!([transaction])).await;
        let receipt = loop {
            let receipt = self.ask("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                break receipt;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(receipt["status"], "0x1", "{receipt}");
    }

    /// Lets the process sleep, or wakes it up.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Posts JSON to a port here and returns the body of the answer.
pub(crate) async fn post(port: u16, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let head = format!(
        "POST / HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// Writes a call whose arguments are words.
fn call(function: &str, words: &[B256]) -> Vec<u8> {
    [&keccak256(function)[..4], words.concat().as_slice()].concat()
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("GLASSBOX_ANVIL") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|root| root.join("contracts").exists());
    let modules = root.unwrap().join("tests/it/clients/ts/node_modules");
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "anvil-darwin-arm64",
        ("macos", _) => "anvil-darwin-amd64",
        (_, "aarch64") => "anvil-linux-arm64",
        _ => "anvil-linux-amd64",
    };
    let path = modules.join("@foundry-rs").join(platform).join("bin/anvil");
    assert!(
        path.exists(),
        "there is no anvil: install the npm package `@foundry-rs/anvil` 1.7.1 in tests/it/clients/ts, or let \
         GLASSBOX_ANVIL name the program"
    );
    path
}
