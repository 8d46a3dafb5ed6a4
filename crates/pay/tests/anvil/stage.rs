//! What the scenarios start with: a node, an operator with coins for gas, and a payer with tokens.

use std::time::Duration;

use alloy_primitives::keccak256;
use glassbox_core::Atomic;
use glassbox_pay::devnet::{self, token};
use glassbox_pay::{
    Address, B256, Chain, Facilitator, PaymentPayload, PaymentRequirements, Rpc, RpcConfig, Scheme,
    Settlement, Settler, Wallet,
};
use tempfile::TempDir;

use crate::anvil::Anvil;

/// How long the payers' authorizations live, in seconds.
pub(crate) const TIMEOUT_S: u64 = 3_600;

/// How often is asked before a scenario fails.
const ASKED_MAX: usize = 60;

/// One of the chain's coins, in wei.
pub(crate) const COIN: u128 = 10_u128.pow(18);

pub(crate) struct Stage {
    pub(crate) anvil: Anvil,
    pub(crate) rail: Settler<Rpc>,
    pub(crate) payer: Wallet,
    pub(crate) payee: Address,
    pub(crate) folder: TempDir,
    pub(crate) now_s: u64,
}

impl Stage {
    /// A node on which the operator has a coin and the payer 10,000 atomic units.
    pub(crate) async fn new() -> Self {
        let anvil = Anvil::with_contracts().await;
        let (operator, payer) = (wallet("treasury"), wallet("payer"));
        anvil.set_coins(operator.address(), COIN).await;
        anvil.mint(payer.address(), 10_000).await;
        let folder = tempfile::tempdir().unwrap();
        let rail = open(config(&anvil.url(), &folder)).await;
        let now_s = rail.chain().now_s().await.unwrap();
        Self { anvil, rail, payer, payee: wallet("payee").address(), folder, now_s }
    }

    /// Closes the chain and opens it again.
    pub(crate) async fn reopen(self, change: impl FnOnce(&mut RpcConfig)) -> Self {
        let Self { anvil, rail, payer, payee, folder, now_s } = self;
        drop(rail);
        let mut config = config(&anvil.url(), &folder);
        change(&mut config);
        let rail = open(config).await;
        Self { anvil, rail, payer, payee, folder, now_s }
    }

    pub(crate) fn operator(&self) -> Address {
        self.rail.treasury()
    }

    pub(crate) fn pay(&self, amount: u128, number: u64) -> (PaymentPayload, PaymentRequirements) {
        let offered = self.rail.offer(Scheme::Exact, Atomic(amount), self.payee, TIMEOUT_S);
        let payload = self.payer.sign_exact_with_nonce(&offered, None, self.now_s, nonce(number));
        (payload.unwrap(), offered)
    }

    /// Signs a payment and settles it.
    pub(crate) async fn settle(&self, amount: u128, number: u64) -> Settlement {
        let (payload, offered) = self.pay(amount, number);
        self.rail.settle(&payload, &offered, Atomic(amount)).await
    }

    /// Settles a payment, asking for as long as nobody knows.
    pub(crate) async fn insist(&self, amount: u128, number: u64) -> Settlement {
        let (payload, offered) = self.pay(amount, number);
        // A closure that borrows would not be `Send` for every lifetime, and tasks insist too.
        let mut settlement = self.rail.settle(&payload, &offered, Atomic(amount)).await;
        for _ in 0..ASKED_MAX {
            if !is_unknown(&settlement) {
                break;
            }
            settlement = self.rail.settle(&payload, &offered, Atomic(amount)).await;
        }
        settlement
    }

    pub(crate) async fn balance(&self, account: Address) -> u128 {
        self.rail.balance(account).await.unwrap().0
    }

    pub(crate) async fn payee_has(&self) -> u128 {
        self.balance(self.payee).await
    }
}

pub(crate) fn config(url: &str, folder: &TempDir) -> RpcConfig {
    let mut config = RpcConfig::new("anvil", url, devnet::ASSET, folder.path().join("rpc.journal"));
    config.wait = Duration::from_secs(2);
    config.poll = Duration::from_millis(50);
    // A busy machine is no fault of the node's.
    config.timeout = Duration::from_secs(60);
    config.finality = 3;
    config
}

pub(crate) async fn open(config: RpcConfig) -> Settler<Rpc> {
    // A task of the one before may hold the journal for a moment longer.
    let operator = wallet("treasury");
    for _ in 0..100 {
        match Rpc::open(config.clone(), operator.clone()).await {
            Ok(chain) => return Settler::new(chain, operator, token()),
            Err(error) if error.to_string().contains("in use") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the journal stays in use");
}

/// The same wallet for the same name.
pub(crate) fn wallet(name: &str) -> Wallet {
    Wallet::from_bytes(&keccak256(name).0).unwrap()
}

pub(crate) fn nonce(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// Asks for as long as nobody knows.
pub(crate) async fn known(ask: impl AsyncFn() -> Settlement) -> Settlement {
    let mut settlement = ask().await;
    for _ in 0..ASKED_MAX {
        if !is_unknown(&settlement) {
            return settlement;
        }
        settlement = ask().await;
    }
    panic!("nobody ever knows: {settlement:?}");
}

pub(crate) fn is_settled(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Settled { .. })
}

pub(crate) fn is_unknown(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Unknown { .. })
}

pub(crate) fn amount_of(settlement: &Settlement) -> u128 {
    match settlement {
        Settlement::Settled { amount, .. } => amount.0,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn transaction_of(settlement: &Settlement) -> B256 {
    match settlement {
        Settlement::Settled { transaction, .. } => *transaction,
        other => panic!("{other:?}"),
    }
}
