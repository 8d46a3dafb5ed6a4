//! Chains that do what they are told: the devnet in this process, and a real node.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use glassbox_pay::devnet;
use glassbox_pay::rpc::{Rpc, RpcConfig};
use glassbox_pay::{Chain, Devnet, Faulty, Settler};
use glassbox_registry::HostConfig;
use serde_json::json;

use crate::anvil::Anvil;
use crate::buyer::Buyer;
use crate::packages;
use crate::payer::Payer;
use crate::stage::{Stage, Sweep, World, sandbox, wallet};

/// How many blocks make a transaction final; a scenario takes back fewer.
pub(crate) const FINALITY: u64 = 4;

/// A registry with `lab:bench@1.0.0`, which sweeps when it is told to, on a chain that does what it is told.
pub(crate) trait Ground {
    /// The chain.
    type Chain: Chain + 'static;

    fn stage(&self) -> &Stage<Self::Chain>;

    /// Makes a payer with five dollars in its wallet and one in credit, of which the top-up may still be taken back.
    async fn payer(&self, name: &str) -> Payer;

    async fn mine(&self, blocks: u64);

    /// Takes the latest blocks back; their transactions are gone.
    async fn reorg(&self, blocks: u64);

    /// Lets everything that is submitted wait, until it is released.
    async fn stall(&self);

    async fn release(&self);

    /// Sweeps, and lets time pass on the chain, until all is final; and insists that the money is right.
    async fn finish(&self) {
        for _ in 0..3 {
            self.mine(FINALITY).await;
            self.stage().registry.reconcile().await;
        }
        assert_eq!(self.stage().store().submissions(9).await.unwrap(), [], "not final");
        assert_eq!(self.stage().store().unsettled_calls(9).await.unwrap().len(), 0, "not final");
        self.stage().assert_sound().await;
    }
}

/// The devnet.
pub(crate) struct InProcess(pub(crate) Stage);

impl InProcess {
    pub(crate) async fn new() -> Self {
        let stage = Stage::without_sweep().await;
        stage.devnet().weather().mine(FINALITY).await.unwrap();
        stage.devnet().weather().finality(FINALITY).await.unwrap();
        Self(stage)
    }
}

impl Ground for InProcess {
    type Chain = Devnet;

    fn stage(&self) -> &Stage {
        &self.0
    }

    async fn payer(&self, name: &str) -> Payer {
        Payer::new(&self.0, name).await
    }

    async fn mine(&self, blocks: u64) {
        self.0.devnet().weather().mine(blocks).await.unwrap();
    }

    async fn reorg(&self, blocks: u64) {
        self.0.devnet().weather().reorg(blocks).await.unwrap();
    }

    async fn stall(&self) {
        self.0.devnet().weather().stall().await.unwrap();
    }

    async fn release(&self) {
        self.0.devnet().weather().release().await.unwrap();
    }
}

/// A real node.
pub(crate) struct Node {
    pub(crate) anvil: Anvil,
    stage: Stage<Rpc>,
}

impl Node {
    pub(crate) async fn new() -> Self {
        let anvil = Anvil::with_contracts().await;
        let operator = wallet("treasury");
        anvil.set_coins(operator.address(), 10_u128.pow(18)).await;
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let config = RpcConfig {
            finality: FINALITY,
            wait: Duration::from_secs(1),
            poll: Duration::from_millis(20),
            // A busy machine is no fault of the node's.
            timeout: Duration::from_secs(60),
            replace_after: Duration::ZERO,
            ..RpcConfig::new("anvil", anvil.url(), devnet::ASSET, folder.path().join("rpc.journal"))
        };
        let rpc = Rpc::open(config, operator.clone()).await.unwrap();
        let rail = Arc::new(Faulty::new(Settler::new(rpc, operator, devnet::token())));
        // The node has the time of the day, and payers sign by the registry's.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let world = World::at(now.as_millis() as i64);
        let host = HostConfig::default();
        let stage = Stage::serve(rail, None, folder, world, Sweep::Off, sandbox(), host).await;
        stage.publish(&packages::bench("1.0.0")).await;
        Self { anvil, stage }
    }
}

impl Ground for Node {
    type Chain = Rpc;

    fn stage(&self) -> &Stage<Rpc> {
        &self.stage
    }

    async fn payer(&self, name: &str) -> Payer {
        let wallet = wallet(name);
        self.anvil.mint(wallet.address(), 6_000_000).await;
        self.anvil.approve(&wallet).await;
        Payer::of(Buyer::new(&self.stage, wallet), name).await
    }

    async fn mine(&self, blocks: u64) {
        self.anvil.mine(blocks).await;
    }

    async fn reorg(&self, blocks: u64) {
        self.anvil.mine_at_once(false).await;
        self.anvil.ask("anvil_reorg", json!([blocks, []])).await;
        self.anvil.mine_at_once(true).await;
    }

    async fn stall(&self) {
        self.anvil.mine_at_once(false).await;
    }

    async fn release(&self) {
        self.anvil.mine_at_once(true).await;
        self.anvil.mine(1).await;
    }
}
