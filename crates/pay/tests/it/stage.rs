//! What most scenarios start with: a devnet whose clock stands still, and a payer with money.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::keccak256;
use glassbox_core::Atomic;
use glassbox_pay::devnet::Clock;
use glassbox_pay::{
    Address, B256, Devnet, Facilitator, PaymentPayload, PaymentRequirements, Scheme, Settlement, Settler,
    Wallet,
};

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
