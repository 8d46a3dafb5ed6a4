//! A registry on a loopback port: its own folder, its own devnet, and a clock that stands still.

use std::future::pending;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_core::ledger::{Account, Kind};
use glassbox_core::log::LogKey;
use glassbox_core::{Atomic, Digest, limits};
use glassbox_pay::devnet::Clock;
use glassbox_pay::{Address, Chain, Devnet, Facilitator as _, Faulty, PayError, Settler, Wallet};
use glassbox_registry::{
    CompanyPolicy, DomainConfig, Env, HostConfig, Keys, OidcIssuer, PackageFiles, Registry, RegistryConfig,
};
use glassbox_sandbox::{Allowed, Network, Sandbox, SandboxConfig};
use glassbox_server::{OperatorToken, Options};
use glassbox_store::{Fault, Moment, PowerCut, Store};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::buyer::{Buyer, Reply};
use crate::packages;

/// The operator's fee of every stage, in basis points.
pub(crate) const FEE_BPS: u32 = 500;

/// What opens the operator's routes of every stage.
pub(crate) const OPERATOR: &str = "gbo_stage";

/// To whom shares go that nobody claims, where their terms name the commons.
pub(crate) const COMMONS: &str = "acct:commons@stage.example";

/// When a write can fail: before it happened, and after.
pub(crate) const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

/// How long any scenario waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where a stage gets time and randomness from, and asks domains. Survives the registry, as they do.
#[derive(Clone)]
pub(crate) struct World {
    now_ms: Arc<AtomicI64>,
    drawn: Arc<AtomicU64>,
    domains: DomainConfig,
    /// What the company allows whose registry it is.
    company: Option<CompanyPolicy>,
    /// The forges whose identity tokens prove grants.
    oidc: Vec<OidcIssuer>,
    /// Whose blocklists count.
    blocklists: Vec<PublicKey>,
    /// The origin of its log, where that is another than every stage's.
    log: Option<&'static str>,
}

impl World {
    /// A world that stands still at a moment.
    pub(crate) fn at(now_ms: i64) -> Self {
        Self {
            now_ms: Arc::new(AtomicI64::new(now_ms)),
            drawn: Arc::default(),
            domains: DomainConfig::default(),
            company: None,
            oidc: Vec::new(),
            blocklists: Vec::new(),
            log: None,
        }
    }

    /// The world at the time of this machine.
    fn of_today() -> Self {
        Self::at(Timestamp::now().as_millisecond())
    }

    /// Returns the keys of its registry.
    fn keys(&self) -> Keys {
        let log = self
            .log
            .map(|origin| LogKey::new(origin, SecretKey::from_seed(Digest::of(origin).as_bytes())).unwrap());
        let keys = keys();
        Keys { log: log.unwrap_or(keys.log), ..keys }
    }

    pub(crate) fn now_s(&self) -> u64 {
        (self.now_ms.load(Ordering::SeqCst) / 1_000) as u64
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }

    /// Puts the clock back, as a person or a time server may.
    pub(crate) fn put_back(&self, by: Duration) {
        self.now_ms.fetch_sub(by.as_millis() as i64, Ordering::SeqCst);
    }

    fn env(&self) -> Env {
        let (now_ms, drawn) = (self.now_ms.clone(), self.drawn.clone());
        Env::new(
            move || now_ms.load(Ordering::SeqCst),
            move || *Digest::of(drawn.fetch_add(1, Ordering::SeqCst).to_string()).as_bytes(),
        )
    }
}

impl Default for World {
    fn default() -> Self {
        Self::at(1_800_000_000_000)
    }
}

/// Whether the registry looks for undecided calls from time to time, as a real one does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Served by [`glassbox_server::serve`].
    On,
    /// Only when a scenario asks: so that a scripted fault strikes what it is meant for.
    Off,
}

/// How a registry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The process is gone. What it wrote, the system still brings to the disk.
    Crash,
    /// The machine is gone, and with it what did not have to be on the disk.
    PowerCut,
}

/// A running registry, on a chain.
pub(crate) struct Stage<C = Devnet> {
    pub(crate) registry: Arc<Registry>,
    pub(crate) rail: Arc<Faulty<Settler<C>>>,
    pub(crate) world: World,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    /// Serves, and runs whatever the registry began.
    power: Option<Runtime>,
    power_cut: Option<PowerCut>,
    folder: Arc<TempDir>,
}

impl<C> Drop for Stage<C> {
    fn drop(&mut self) {
        if let Some(power) = self.power.take() {
            power.shutdown_background();
        }
    }
}

/// One sandbox for the process, with what it compiled kept under `target`: each component compiles once.
pub(crate) fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| reaching(Network::default())).clone()
}

/// Another one, from which guests reach a network.
fn reaching(network: Network) -> Sandbox {
    let artifact_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("artifacts"));
    Sandbox::new(SandboxConfig { artifact_dir, network, ..SandboxConfig::default() }).unwrap()
}

pub(crate) fn keys() -> Keys {
    Keys {
        executor: SecretKey::from_seed(&[1; 32]),
        log: LogKey::new("it.glassbox.dev/log", SecretKey::from_seed(&[2; 32])).unwrap(),
        credit: SecretKey::from_seed(&[3; 32]),
        operator: SecretKey::from_seed(&[4; 32]),
    }
}

pub(crate) fn wallet(name: &str) -> Wallet {
    Wallet::from_bytes(Digest::of(name).as_bytes()).unwrap()
}

impl Stage {
    /// A registry with nothing published.
    pub(crate) async fn empty() -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::On).await
    }

    /// A registry with nothing published whose clock stands at the time of this machine: the built command has no other, and
    /// takes no word from the future.
    pub(crate) async fn of_today() -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), World::of_today(), Sweep::On).await
    }

    /// The same some days ago.
    pub(crate) async fn of_days_ago(days: u64) -> Self {
        let world = World::of_today();
        world.put_back(Duration::from_secs(days * 24 * 60 * 60));
        Self::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::On).await
    }

    /// Another registry with nothing published, of today and with a log of its own.
    pub(crate) async fn elsewhere() -> Self {
        let world = World { log: Some("elsewhere.glassbox.dev/log"), ..World::of_today() };
        Self::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::On).await
    }

    /// A registry with nothing published, whose operator allows this much, also to reach this machine.
    pub(crate) async fn allowing(allowed: Allowed) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let sandbox = reaching(Network { egress: allowed.egress, private_addresses: true });
        let host = HostConfig { grants: allowed.grants, ..HostConfig::default() };
        Self::open_with(folder, World::default(), Sweep::On, sandbox, host).await
    }

    /// A registry that has `lab:bench@1.0.0` and runs guests in a sandbox of its own.
    pub(crate) async fn in_sandbox(sandbox: Sandbox) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let host = HostConfig::default();
        let stage = Self::open_with(folder, World::default(), Sweep::Off, sandbox, host).await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage
    }

    /// A registry with nothing published, for which every domain is on this machine, below a URL.
    pub(crate) async fn with_domains(base: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let domains = DomainConfig { url: format!("{base}/{{domain}}"), private_addresses: true };
        Self::open(folder, World { domains, ..World::default() }, Sweep::Off).await
    }

    /// A registry with nothing published, which believes a forge.
    pub(crate) async fn with_oidc(issuer: OidcIssuer) -> Self {
        Self::with_forges(vec![issuer]).await
    }

    /// A registry with nothing published, which believes some forges.
    pub(crate) async fn with_forges(oidc: Vec<OidcIssuer>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::open(folder, World { oidc, ..World::default() }, Sweep::Off).await
    }

    /// A registry that has `lab:bench@1.0.0` and follows the blocklists of a key.
    pub(crate) async fn with_blocklist(key: PublicKey) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let world = World { blocklists: vec![key], ..World::default() };
        let stage = Self::open(folder, world, Sweep::Off).await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage
    }

    /// A company's registry that has `lab:bench@1.0.0`, and looks for undecided calls only when it is told to.
    pub(crate) async fn of_company(policy: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let company = Some(CompanyPolicy::parse(policy).unwrap());
        let stage = Self::open(folder, World { company, ..World::default() }, Sweep::Off).await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage
    }

    /// A company's registry of today with nothing published, which looks for undecided calls only when it is told to.
    pub(crate) async fn of_company_today(policy: &str) -> Self {
        let company = Some(CompanyPolicy::parse(policy).unwrap());
        let world = World { company, ..World::of_today() };
        Self::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::Off).await
    }

    /// A registry that has `lab:bench@1.0.0`.
    pub(crate) async fn new() -> Self {
        let stage = Self::empty().await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage
    }

    /// The same, which looks for undecided calls only when it is told to.
    pub(crate) async fn without_sweep() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let stage = Self::open(folder, World::default(), Sweep::Off).await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage
    }

    /// Opens the registry that a folder holds.
    pub(crate) async fn open(folder: Arc<TempDir>, world: World, sweep: Sweep) -> Self {
        Self::open_with(folder, world, sweep, sandbox(), HostConfig::default()).await
    }

    async fn open_with(
        folder: Arc<TempDir>,
        world: World,
        sweep: Sweep,
        sandbox: Sandbox,
        host: HostConfig,
    ) -> Self {
        let operator = wallet("treasury");
        let journal = folder.path().join("devnet.journal");
        // After a power cut, the last task to notice still has the journal open.
        let devnet = until("the devnet's journal", async || {
            let clock: Clock = {
                let world = world.clone();
                Arc::new(move || world.now_s())
            };
            match Devnet::open_with_clock(Some(&journal), operator.clone(), clock) {
                Err(PayError::JournalInUse(_)) => None,
                opened => Some(opened.unwrap()),
            }
        })
        .await;
        let rail = Arc::new(Faulty::new(devnet.facilitator()));
        Self::serve(rail, Some(devnet), folder, world, sweep, sandbox, host).await
    }

    /// Stops as at a power cut, and starts again from what is in the folder.
    pub(crate) async fn reopen(self, sweep: Sweep) -> Self {
        self.reopen_after(End::PowerCut, sweep).await
    }

    /// Stops, and starts again from what is in the folder.
    pub(crate) async fn reopen_after(self, end: End, sweep: Sweep) -> Self {
        let (folder, world) = self.end(end).await;
        Self::open(folder, world, sweep).await
    }

    /// Stops, and starts again after the store's folder was changed.
    pub(crate) async fn reopen_changed(self, sweep: Sweep, change: impl FnOnce(&Path)) -> Self {
        let (folder, world) = self.end(End::Crash).await;
        change(&folder.path().join("store"));
        Self::open(folder, world, sweep).await
    }

    async fn end(mut self, end: End) -> (Arc<TempDir>, World) {
        let (power, cut) = (self.power.take().unwrap(), self.power_cut.take().unwrap());
        tokio::task::spawn_blocking(move || power.shutdown_timeout(PATIENCE)).await.unwrap();
        let kept = (self.folder.clone(), self.world.clone());
        drop(self);
        if end == End::PowerCut {
            // The last task to notice still has the store open.
            until("the store to be closed", async || match cut.strike() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                struck => {
                    struck.unwrap();
                    Some(())
                }
            })
            .await;
        }
        kept
    }

    pub(crate) fn devnet(&self) -> &Devnet {
        self.rail.inner().chain()
    }

    /// Makes a payer with as many dollars of play money.
    pub(crate) async fn buyer(&self, name: &str, usd: u32) -> Buyer {
        let wallet = wallet(name);
        let mut left = u128::from(usd) * 1_000_000;
        while left > 0 {
            let amount = left.min(limits::FAUCET_AMOUNT_MAX);
            self.devnet().faucet(wallet.address(), Atomic(amount)).await.unwrap();
            left -= amount;
        }
        Buyer::new(self, wallet)
    }

    /// Returns how many payments arrived on the chain.
    pub(crate) async fn payments(&self) -> usize {
        let treasury = self.devnet().treasury();
        let transfers = self.devnet().transfers().await.unwrap();
        transfers.iter().filter(|transfer| transfer.to == treasury).count()
    }
}

impl<C: Chain + 'static> Stage<C> {
    /// Serves the registry that a folder holds, on a rail.
    pub(crate) async fn serve(
        rail: Arc<Faulty<Settler<C>>>,
        devnet: Option<Devnet>,
        folder: Arc<TempDir>,
        world: World,
        sweep: Sweep,
        sandbox: Sandbox,
        host: HostConfig,
    ) -> Self {
        let store = Store::open(&folder.path().join("store")).unwrap();
        let power_cut = Some(store.foresee_power_cut());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = RegistryConfig {
            fee_bps: FEE_BPS,
            commons: Some(COMMONS.into()),
            oidc: world.oidc.clone(),
            blocklists: world.blocklists.clone(),
            public_url: url.clone(),
            host,
            claim_amount: limits::CLAIM_AMOUNT_DEFAULT,
            domains: world.domains.clone(),
            mutants: false,
            company: world.company.clone(),
        };
        let registry =
            Registry::open(store, sandbox, rail.clone(), world.keys(), world.env(), config).await.unwrap();
        let app = glassbox_server::app(
            registry.clone(),
            Options { devnet, operator: Some(OperatorToken::new(OPERATOR)), witness: None },
        );
        let power = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let served = registry.clone();
        power.spawn(async move {
            match sweep {
                Sweep::On => glassbox_server::serve(listener, app, served, pending()).await,
                Sweep::Off => axum::serve(listener, app).await,
            }
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { registry, rail, world, url, http, power: Some(power), power_cut, folder }
    }

    /// Where the store lies.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn store(&self) -> &Store {
        self.registry.store()
    }

    /// Makes the next write of a verb fail.
    pub(crate) fn inject(&self, verb: &str, moment: Moment) {
        self.store().inject(Fault { verb: verb.into(), moment, abort: false });
    }

    /// Asks for something whose write fails, insists that the failure is said, and asks for the same again.
    pub(crate) async fn ask_twice(&self, verb: &str, moment: Moment, ask: impl AsyncFn() -> Reply) -> Reply {
        self.inject(verb, moment);
        let failed = ask().await;
        assert_eq!((failed.status, failed.code().as_str()), (500, "internal"), "{verb} {moment:?}");
        assert_eq!(self.store().faults_waiting(), 0, "{verb} {moment:?}");
        ask().await
    }

    /// Publishes under the usual key, over HTTP, and insists that it is new.
    pub(crate) async fn publish(&self, package: &PackageFiles) -> Value {
        let request = packages::request(package, packages::sign(package, &packages::publisher()));
        // Publishing compiles, so a registry takes only so many at once and tells the others to come again.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let reply = loop {
            let reply = self.post("/v1/publish", &request).await;
            if reply.code() != "busy" || tokio::time::Instant::now() > deadline {
                break reply;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::of(self.http.get(format!("{}{path}", self.url)).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl serde::Serialize) -> Reply {
        Reply::of(self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn balance(&self, address: Address) -> u128 {
        self.rail.balance(address).await.unwrap().0
    }

    pub(crate) fn treasury(&self) -> Address {
        self.rail.treasury()
    }

    /// Insists that nothing is undecided, that the ledger is balanced, and that it agrees with the chain to the unit.
    pub(crate) async fn assert_sound(&self) {
        assert_eq!(self.store().undecided_calls(100).await.unwrap().len(), 0, "undecided calls");
        assert_eq!(self.store().owed(Kind::Refund, 100).await.unwrap(), [], "owed refunds");
        let audit = self.registry.audit_ledger().await.unwrap();
        assert_eq!(audit.findings, [], "the ledger is not right");
        assert_eq!(audit.booked, audit.held, "the ledger and the chain disagree");
        for balance in self.store().balances().await.unwrap() {
            match &balance.account {
                Account::Payer(payer) if payer.starts_with("credit:") || payer.starts_with("account:") => {}
                Account::Payer(payer) => assert_eq!(balance.debits, balance.credits, "{payer} is owed"),
                Account::Payee(_)
                | Account::Operator
                | Account::Escrow(_)
                | Account::Invoice(_)
                | Account::Rail(_) => {}
            }
        }
        let treasury = self.balance(self.treasury()).await;
        assert_eq!(audit.held, Atomic(treasury).to_pico(), "the audit and the chain disagree");
    }
}

/// Waits until a condition holds, and fails when it never does.
pub(crate) async fn until<T>(what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
