//! What most scenarios start with: a devnet whose clock stands still, and a payer with money.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{U256, hex, keccak256};
use glassbox_core::Atomic;
use glassbox_pay::devnet::{self, Clock};
use glassbox_pay::evm::addresses::PERMIT2;
use glassbox_pay::{
    Address, B256, Claim, Devnet, Facilitator, PaymentPayload, PaymentRequirements, Scheme, Settlement,
    Settler, Wallet,
};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

/// The second at which every scenario starts.
pub(crate) const START_S: u64 = 1_800_000_000;

/// How long the authorizations of [`Stage::pay`] live.
pub(crate) const TIMEOUT_S: u64 = 60;

pub(crate) struct Stage {
    pub(crate) devnet: Devnet,
    pub(crate) rail: Settler<Devnet>,
    pub(crate) payer: Wallet,
    pub(crate) payee: Address,
    pub(crate) now_s: Arc<AtomicU64>,
}

impl Stage {
    /// A devnet in memory whose payer has 10,000 atomic units.
    pub(crate) async fn new() -> Self {
        let stage = Self::open(None);
        stage.devnet.faucet(stage.payer.address(), Atomic(10_000)).await.unwrap();
        stage
    }

    /// A devnet as it is in its journal; always with the same accounts.
    pub(crate) fn open(path: Option<&Path>) -> Self {
        let now_s = Arc::new(AtomicU64::new(START_S));
        let told = Arc::clone(&now_s);
        let clock: Clock = Arc::new(move || told.load(Ordering::SeqCst));
        let devnet = Devnet::open_with_clock(path, wallet("treasury"), clock).unwrap();
        let rail = devnet.facilitator();
        Self { devnet, rail, payer: wallet("payer"), payee: wallet("payee").address(), now_s }
    }

    pub(crate) fn offer(&self, amount: u128) -> PaymentRequirements {
        self.rail.offer(Scheme::Exact, Atomic(amount), self.payee, TIMEOUT_S)
    }

    /// Signs a payment of the offer; the same number gives the same payment.
    pub(crate) fn sign(&self, offered: &PaymentRequirements, number: u64) -> PaymentPayload {
        self.payer.sign_exact_with_nonce(offered, None, START_S, nonce(number)).unwrap()
    }

    /// Signs an `upto` payment to the payee; the same number gives the same payment.
    pub(crate) fn upto(&self, ceiling: u128, number: u64) -> (PaymentPayload, PaymentRequirements) {
        let offered = self.rail.offer(Scheme::Upto, Atomic(ceiling), self.payee, TIMEOUT_S);
        (self.payer.sign_upto(&offered, None, START_S, nonce(number)).unwrap(), offered)
    }

    /// An offer to pay the treasury out of a channel.
    pub(crate) fn batch_offer(&self, amount: u128) -> PaymentRequirements {
        self.rail.offer(Scheme::Batch, Atomic(amount), self.devnet.treasury(), TIMEOUT_S)
    }

    /// Everything that the payer's newest voucher allows, to be claimed of its channel.
    pub(crate) fn claim(&self, total: u128) -> Claim {
        let offered = self.batch_offer(100);
        let channel = self.payer.channel(&offered, B256::ZERO).unwrap();
        let voucher = self.payer.sign_voucher(&offered, None, &channel, Atomic(total)).unwrap();
        let signature = hex::decode(voucher.payload["voucher"]["signature"].as_str().unwrap()).unwrap();
        Claim { channel, max_claimable: Atomic(total), signature, total_claimed: Atomic(total) }
    }

    /// Asks by JSON-RPC and returns the answer.
    pub(crate) async fn rpc(&self, method: &str, parameters: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        self.devnet.json_rpc(request.to_string().as_bytes()).await
    }

    /// Sends a transaction that somebody has signed, as a person's wallet would.
    pub(crate) async fn send(&self, sender: &Wallet, to: Address, data: &[u8]) -> Value {
        let count =
            self.rpc("eth_getTransactionCount", json!([sender.address().to_string(), "pending"])).await;
        let count = u64::from_str_radix(&count["result"].as_str().unwrap()[2..], 16).unwrap();
        self.rpc("eth_sendRawTransaction", json!([signed_transaction(sender, count, to, data)])).await
    }

    /// Lets Permit2 move all tokens of somebody.
    pub(crate) async fn approve(&self, owner: &Wallet) {
        let words = [PERMIT2.into_word(), B256::repeat_byte(0xff)];
        let sent = self.send(owner, devnet::ASSET, &call("approve(address,uint256)", &words)).await;
        assert!(sent["result"].is_string(), "{sent}");
    }

    /// Has the payer take back what it signed for Permit2 with this nonce.
    pub(crate) async fn cancel(&self, number: u64) {
        let nonce = U256::from_be_bytes(nonce(number).0);
        let words = [B256::from(nonce >> 8), B256::from(U256::ONE << (nonce & U256::from(0xff)))];
        let data = call("invalidateUnorderedNonces(uint256,uint256)", &words);
        let sent = self.send(&self.payer, PERMIT2, &data).await;
        assert!(sent["result"].is_string(), "{sent}");
    }

    /// Signs and settles a payment.
    pub(crate) async fn pay(&self, amount: u128, number: u64) -> Settlement {
        let offered = self.offer(amount);
        self.rail.settle(&self.sign(&offered, number), &offered, Atomic(amount)).await
    }

    pub(crate) async fn balance(&self, address: Address) -> u128 {
        self.devnet.balance(address).await.unwrap().0
    }

    pub(crate) async fn payee_has(&self) -> u128 {
        self.balance(self.payee).await
    }
}

/// The same wallet for the same name.
pub(crate) fn wallet(name: &str) -> Wallet {
    Wallet::from_bytes(&keccak256(name).0).unwrap()
}

pub(crate) fn nonce(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// Payments of every scheme, made by the stock SDK.
pub(crate) fn stock_schemes() -> serde_json::Value {
    serde_json::from_str(include_str!("../data/stock-schemes.json")).unwrap()
}

/// The payment of that name among them.
pub(crate) fn stock_payment(name: &str) -> PaymentPayload {
    let vectors = stock_schemes();
    let vector =
        vectors["payments"].as_array().unwrap().iter().find(|vector| vector["name"] == name).unwrap();
    serde_json::from_value(vector["payload"].clone()).unwrap()
}

/// Writes a call whose arguments are words.
pub(crate) fn call(function: &str, words: &[B256]) -> Vec<u8> {
    [&keccak256(function)[..4], words.concat().as_slice()].concat()
}

/// Signs a transaction without a fee and without coins (EIP-155).
pub(crate) fn signed_transaction(sender: &Wallet, count: u64, to: Address, data: &[u8]) -> String {
    let text = |bytes: &[u8]| {
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        if bytes.len() == 1 && bytes[0] < 0x80 {
            bytes.to_vec()
        } else {
            [header(0x80, bytes.len()), bytes.to_vec()].concat()
        }
    };
    let number = |number: u64| text(&number.to_be_bytes());
    // Unlike numbers they keep their leading zeros, of which Permit2's address has some.
    let [to, data] = [to.as_slice(), data].map(|bytes| [header(0x80, bytes.len()), bytes.to_vec()].concat());
    let fields = [number(count), number(0), number(100_000), to, number(0), data].concat();
    let list = |rest: Vec<u8>| [header(0xc0, fields.len() + rest.len()), fields.clone(), rest].concat();
    let chain_id = devnet::NETWORK.chain_id;
    let digest = keccak256(list([number(chain_id), number(0), number(0)].concat()));
    let key = SigningKey::from_slice(&hex::decode(sender.to_hex().as_str()).unwrap()).unwrap();
    let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).unwrap();
    let bytes = signature.to_bytes();
    let v = number(chain_id * 2 + 35 + u64::from(recovery.to_byte()));
    hex::encode_prefixed(list([v, text(&bytes[..32]), text(&bytes[32..])].concat()))
}

fn header(start: u8, length: usize) -> Vec<u8> {
    match length {
        0..=55 => vec![start + length as u8],
        56..=255 => vec![start + 56, length as u8],
        _ => vec![start + 57, (length >> 8) as u8, length as u8],
    }
}
