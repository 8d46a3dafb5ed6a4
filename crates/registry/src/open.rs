//! The registry itself: what it is made of, and how it starts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use glassbox_core::acts::Marks;
use glassbox_core::dsse::Envelope;
use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_core::log::{Checkpoint, CosignerKey, LogKey, open_checkpoint};
use glassbox_core::{Atomic, Digest, ReleaseId, limits};
use glassbox_pay::Facilitator;
use glassbox_sandbox::Sandbox;
use glassbox_store::{LogState, Store, StoreError};
use glassbox_token::{Issuer, Verified};
use tokio::sync::Semaphore;
use tracing::error;

use crate::advisory::Affecting;
use crate::blocklists::Blocklists;
use crate::company::CompanyPolicy;
use crate::domain::DomainConfig;
use crate::env::Env;
use crate::error::{LOG_BEHIND, RegistryError};
use crate::executor;
use crate::host::HostConfig;
use crate::implementations::{Comparison, Interface};
use crate::known::Known;
use crate::live::Live;
use crate::meter::FreeWork;
use crate::oidc::{FetchedKeys, OidcIssuer};
use crate::organic::Usage;
use crate::pace::RunTimes;
use crate::readers::Readers;
use crate::round::Round;
use crate::shelf::Shelf;
use crate::shortly::Shortly;
use crate::tries::{Pauses, Tries};
use crate::wait::Running;
use crate::witnessing::Witnessing;

/// The keys of a registry. They sign for different things, so they are different keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs receipts.
    pub executor: SecretKey,
    /// Signs checkpoints.
    pub log: LogKey,
    /// Issues tokens that spend credit.
    pub credit: SecretKey,
    /// Quarantines releases and executors, warns of what is wrong with releases, and says what domains said. It decides
    /// over no name.
    pub operator: SecretKey,
}

/// What an operator sets.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// The operator's fee, in basis points of each charge.
    pub fee_bps: u32,
    /// Where clients reach this registry, without a slash at the end: part of what a payment is for.
    pub public_url: String,
    /// What components may use of the machine.
    pub host: HostConfig,
    /// From how much on the vouchers of a channel are claimed.
    pub claim_amount: Atomic,
    /// How domains are asked which keys they vouch for.
    pub domains: DomainConfig,
    /// Whether the tests of releases are tried on mutants of their components, once they are published.
    pub mutants: bool,
    /// Whose blocklists count.
    pub blocklists: Vec<PublicKey>,
    /// The forges whose identity tokens prove grants.
    pub oidc: Vec<OidcIssuer>,
    /// The payee to whom shares go that nobody claims, where their terms name the commons.
    pub commons: Option<String>,
    /// What the company allows whose registry it is. Accounts alone call then.
    pub company: Option<CompanyPolicy>,
}

/// A registry: finds, runs, is paid, and keeps the log. Share it in an `Arc`.
pub struct Registry {
    pub(crate) store: Store,
    pub(crate) sandbox: Sandbox,
    pub(crate) rail: Arc<dyn Facilitator>,
    pub(crate) keys: Keys,
    pub(crate) issuer: Issuer,
    /// Tokens that were verified, by their text.
    pub(crate) tokens: Mutex<HashMap<String, Arc<Verified>>>,
    pub(crate) env: Env,
    pub(crate) config: RegistryConfig,
    /// Releases are immutable, so what was read of one stays right.
    pub(crate) live: Mutex<Known<Live>>,
    /// The advisories that affect releases.
    pub(crate) affecting: Mutex<Known<Vec<Affecting>>>,
    /// The releases that were ever yanked or quarantined: few, and every call asks.
    pub(crate) marks: RwLock<HashMap<ReleaseId, Marks>>,
    /// The minute of the last act over a name, and how many it has had.
    pub(crate) acts: Mutex<(i64, u32)>,
    /// The components of quarantined releases, which run under no name, with the release.
    pub(crate) stopped: RwLock<HashMap<Digest, ReleaseId>>,
    pub(crate) files: Shelf,
    pub(crate) readers: Readers,
    pub(crate) oidc_keys: FetchedKeys,
    pub(crate) blocklists: RwLock<Blocklists>,
    pub(crate) checkpoint: RwLock<Checkpoint>,
    /// Who cosigns the log's checkpoints.
    pub(crate) witnesses: RwLock<Vec<CosignerKey>>,
    pub(crate) witnessing: Witnessing,
    /// What this registry says of itself as an executor.
    pub(crate) record: Envelope,
    /// The digest of its payload, which every receipt names.
    pub(crate) record_digest: Digest,
    /// Whether it was found out to have signed what cannot be true: it runs nothing any more.
    pub(crate) quarantined: AtomicBool,
    pub(crate) running: Running,
    pub(crate) free_work: FreeWork,
    pub(crate) run_times: RunTimes,
    /// Until when it was looked which holds are over.
    pub(crate) let_go_until_ms: AtomicI64,
    /// The interfaces that there are.
    pub(crate) interfaces: Shortly<(), Arc<[Interface]>>,
    /// The implementations of an interface.
    pub(crate) comparisons: Shortly<String, Arc<Comparison>>,
    /// How much releases were used of late.
    pub(crate) used: Shortly<ReleaseId, Usage>,
    /// The interfaces of which some implementation may not be tested yet.
    pub(crate) untested: Mutex<Round>,
    pub(crate) tries: Tries,
    /// How long tests of interfaces are left alone that cannot be run.
    pub(crate) pauses: Pauses,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) free_in_flight: Arc<Semaphore>,
    /// The place for running again what a certificate says.
    pub(crate) accusations: Semaphore,
}

impl Registry {
    /// Starts a registry: shows log entries that a crash left unshown, and takes up calls that one left undecided.
    pub async fn open(
        store: Store,
        sandbox: Sandbox,
        rail: Arc<dyn Facilitator>,
        keys: Keys,
        env: Env,
        config: RegistryConfig,
    ) -> Result<Arc<Self>, RegistryError> {
        let record = executor::record(&keys, &config);
        let registry = Arc::new(Self {
            checkpoint: RwLock::new(first_checkpoint(&store, &keys.log, env.now_ms()).await?),
            marks: RwLock::default(),
            stopped: RwLock::default(),
            store,
            sandbox,
            rail,
            issuer: Issuer::from(&keys.credit),
            record_digest: record.payload_digest().expect("our own envelope"),
            record,
            quarantined: AtomicBool::new(false),
            witnesses: RwLock::default(),
            tokens: Mutex::new(HashMap::new()),
            keys,
            env,
            config,
            live: Mutex::default(),
            affecting: Mutex::default(),
            acts: Mutex::default(),
            files: Shelf::default(),
            readers: Readers::default(),
            oidc_keys: FetchedKeys::default(),
            blocklists: RwLock::default(),
            witnessing: Witnessing::default(),
            running: Running::default(),
            free_work: FreeWork::default(),
            run_times: RunTimes::default(),
            let_go_until_ms: AtomicI64::new(i64::MIN),
            interfaces: Shortly::default(),
            comparisons: Shortly::default(),
            used: Shortly::default(),
            untested: Mutex::default(),
            tries: Tries::default(),
            pauses: Pauses::default(),
            in_flight: Arc::new(Semaphore::new(limits::CALLS_IN_FLIGHT_MAX)),
            free_in_flight: Arc::new(Semaphore::new(limits::FREE_CALLS_IN_FLIGHT_MAX)),
            accusations: Semaphore::new(1),
        });
        registry.read_marks().await?;
        registry.read_blocklists().await?;
        registry.recall_quarantine().await?;
        registry.await_tests(registry.store.all_interfaces().await?);
        registry.reconcile().await;
        Ok(registry)
    }

    /// Returns the key that signs receipts.
    pub fn executor(&self) -> PublicKey {
        self.keys.executor.public()
    }

    /// Returns the key that quarantines.
    pub fn operator(&self) -> PublicKey {
        self.keys.operator.public()
    }

    /// Returns the verifier key of the log.
    pub fn log_verifier_key(&self) -> String {
        self.keys.log.verifier_key()
    }

    /// Returns the time here, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.env.now_ms()
    }

    /// Returns the payment rail.
    pub fn rail(&self) -> &Arc<dyn Facilitator> {
        &self.rail
    }

    /// Returns the store, for what needs no rule: log files and the like.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns what the operator set.
    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// Returns the newest checkpoint that this registry signed.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows appended entries and remembers the checkpoint.
    pub(crate) async fn publish_log(&self) -> Result<(), RegistryError> {
        let checkpoint = publish_log(&self.store, &self.keys.log, self.env.now_ms()).await?;
        let mut known = self.checkpoint.write().unwrap_or_else(PoisonError::into_inner);
        // Two publishers may come here in either order; the log only grows.
        if known.size < checkpoint.size {
            self.witnessing.announce(checkpoint.size);
            *known = checkpoint;
        }
        Ok(())
    }
}

/// Shows the log, or finds the checkpoint in force where the log must not go on.
async fn first_checkpoint(store: &Store, key: &LogKey, now_ms: i64) -> Result<Checkpoint, RegistryError> {
    match publish_log(store, key, now_ms).await {
        Err(RegistryError::Store(behind @ StoreError::LogBehind { .. })) => {
            error!(error = %behind, "Nothing is published: {LOG_BEHIND}");
            let state = store.log_state().await?.ok_or(behind)?;
            opened(&state, key)
        }
        shown => shown,
    }
}

async fn publish_log(store: &Store, key: &LogKey, now_ms: i64) -> Result<Checkpoint, RegistryError> {
    opened(&store.publish_log(key.clone(), now_ms).await?, key)
}

/// Opening our own checkpoint catches a log that was signed with another key before anything is built on it.
fn opened(state: &LogState, key: &LogKey) -> Result<Checkpoint, RegistryError> {
    open_checkpoint(&state.checkpoint, &key.verifier_key())
        .map_err(|error| RegistryError::Damaged("the log".into(), error.to_string()))
}
