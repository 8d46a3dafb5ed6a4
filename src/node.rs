//! A registry in this process, put together from a folder: for `serve`, and for the demo in a temporary one.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use glassbox_core::limits;
use glassbox_core::log::{Cosigner, KnownLog, LogKey};
use glassbox_pay::wallet_file::{self, WalletFile};
use glassbox_pay::{Devnet, PayError, Wallet};
use glassbox_registry::{
    CompanyPolicy, DomainConfig, Env, HostConfig, Keys, OidcIssuer, Registry, RegistryConfig, Witness,
};
use glassbox_sandbox::{Allowed, Network, Sandbox, SandboxConfig};
use glassbox_server::OperatorToken;
use glassbox_store::{Fault, Store, WitnessStore};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::blocklists::Feeds;
use crate::cli::{RailArgs, WitnessedArgs};
use crate::failure::Failure;
use crate::home::{load_key, new_key, write_private};
use crate::rail::Rail;
use crate::witnessing::Witnesses;
use crate::{password, sandbox, wallet};

/// How a node is set up.
pub(crate) struct NodeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) fee_bps: u32,
    /// To whom shares go that nobody claims, where their terms name the commons.
    pub(crate) commons: Option<String>,
    /// The forges whose identity tokens prove grants.
    pub(crate) oidc: Vec<OidcIssuer>,
    /// The blocklists that are followed.
    pub(crate) blocklists: Feeds,
    /// What components may use of this machine.
    pub(crate) allowed: Allowed,
    /// The variables that components may be shown, names and values.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether the tests of releases are tried on mutants.
    pub(crate) mutants: bool,
    /// What the company allows whose registry it is.
    pub(crate) company: Option<CompanyPolicy>,
    /// Where payments are settled.
    pub(crate) rail: RailArgs,
    /// Who cosigns its log, and whose logs it cosigns.
    pub(crate) witnessed: WitnessedArgs,
    pub(crate) faults: Vec<Fault>,
}

/// A registry that is about to serve.
pub(crate) struct Node {
    pub(crate) url: String,
    listener: TcpListener,
    registry: Arc<Registry>,
    devnet: Option<Devnet>,
    operator: OperatorToken,
    witness: Option<Arc<Witness>>,
    witnesses: Witnesses,
    feeds: Feeds,
    /// Held while the node lives: two registries in one folder would ruin it.
    _lock: File,
}

impl Node {
    /// Opens the registry in `data`, makes what is missing, takes up what a crash left, and binds the address.
    ///
    /// The folder holds `lock`, `registry/` (database, objects, log), `devnet.journal`, `artifacts/` (derived) and `keys/`.
    pub(crate) async fn open(data: &Path, config: NodeConfig) -> Result<Self, Failure> {
        let lock = lock(data)?;
        let key = |name: &str| {
            let path = data.join("keys").join(name);
            load_key(&path).and_then(|key| key.map_or_else(|| new_key(&path), Ok))
        };
        let executor = key("executor.json")?;
        let log = key("log.json")?;
        let credit = key("credit.json")?;
        let operator_key = key(OPERATOR_KEY)?;
        let password = config.rail.treasury_password.as_deref();
        let treasury = treasury(&data.join("keys").join("treasury.json"), password).await?;
        let operator = operator_token(&operator_path(data))?;
        let listener = listen(config.listen).await?;
        let rail = Rail::open(&config.rail, data, treasury).await?;
        let WitnessedArgs { witness, witness_quorum, witness_for } = config.witnessed;
        let witnesses = Witnesses::new(witness, witness_quorum)?;
        let feeds = config.blocklists;
        let faults = config.faults.clone();
        let witness = match witness_for.is_empty() {
            true => None,
            false => Some(Arc::new(open_witness(data, None, witness_for, faults)?)),
        };
        let open = async || -> anyhow::Result<Self> {
            let address = listener.local_addr()?;
            let url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
            let url = url.trim_end_matches('/').to_owned();
            let store = Store::open(&data.join("registry"))
                .with_context(|| format!("cannot open the store in `{}`", data.display()))?;
            config.faults.iter().cloned().for_each(|fault| store.inject(fault));
            let Allowed { grants, egress } = config.allowed;
            let host = HostConfig { grants, environment: config.environment };
            let network = Network { egress, ..Network::default() };
            let sandbox = sandbox::serving(data.join("artifacts"))
                .and_then(|config| Ok(Sandbox::new(SandboxConfig { network, ..config })?))
                .context("cannot start the sandbox")?;
            let origin =
                format!("glassbox-{}", &glassbox_core::Digest::of(log.public().as_bytes()).hex()[..12]);
            let log = LogKey::new(&origin, log).context("the log's name is not valid")?;
            let registry = Registry::open(
                store,
                sandbox,
                rail.facilitator,
                Keys { executor, log, credit, operator: operator_key },
                Env::system(),
                RegistryConfig {
                    fee_bps: config.fee_bps,
                    commons: config.commons,
                    oidc: config.oidc,
                    blocklists: feeds.keys(),
                    public_url: url.clone(),
                    host,
                    claim_amount: limits::CLAIM_AMOUNT_DEFAULT,
                    domains: DomainConfig::default(),
                    mutants: config.mutants,
                    company: config.company,
                },
            );
            let registry = registry.await.context("cannot open the registry")?;
            registry.register_executor().await.context("cannot log what this executor says of itself")?;
            let devnet = rail.devnet;
            Ok(Self { url, listener, registry, devnet, operator, witness, witnesses, feeds, _lock: lock })
        };
        Ok(open().await?)
    }

    /// Returns where payments are settled, for people.
    pub(crate) fn payments(&self) -> String {
        self.registry.rail().label().to_owned()
    }

    /// Returns what the company is called whose registry it is, where it is one's.
    pub(crate) fn company(&self) -> Option<String> {
        self.registry.config().company.as_ref().map(|company| company.name.clone())
    }

    /// Returns the verifier key of the log.
    pub(crate) fn log_key(&self) -> String {
        self.registry.log_verifier_key()
    }

    /// Returns the key with which it cosigns the logs of others, where it does.
    pub(crate) fn witness_key(&self) -> Option<String> {
        self.witness.as_ref().map(|witness| witness.key().to_string())
    }

    /// Serves until `stop` completes.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        let options = glassbox_server::Options {
            devnet: self.devnet,
            operator: Some(self.operator),
            witness: self.witness,
        };
        let app = glassbox_server::app(self.registry.clone(), options);
        let witnessing = tokio::spawn(self.witnesses.ask_for_ever(self.registry.clone()));
        let following = tokio::spawn(self.feeds.follow_for_ever(self.registry.clone()));
        let served = glassbox_server::serve(self.listener, app, self.registry, stop).await;
        witnessing.abort();
        following.abort();
        served.map_err(|error| Failure::error("io", format!("the server failed: {error}"), ""))
    }

    /// Serves in the background. Dropping what is returned stops it.
    pub(crate) fn spawn(self) -> Background {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.serve(async {
            // Told to stop, or the other end was dropped: the same to us.
            let _ = stopped.await;
        }));
        Background { stop, task }
    }
}

/// A node that serves in the background.
pub(crate) struct Background {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Background {
    /// Serves on until Ctrl-C.
    pub(crate) async fn until_interrupted(mut self) -> Result<(), Failure> {
        let ended = tokio::select! {
            ended = &mut self.task => ended,
            () = interrupted() => {
                self.stop().await;
                return Ok(());
            }
        };
        ended.unwrap_or(Ok(()))
    }

    /// Stops, and waits a moment for what is under way.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // Whoever keeps a connection open is not waited for longer.
        let _ = tokio::time::timeout(STOP_MAX, self.task).await;
    }
}

/// How long a node in the background may take to stop.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Completes at Ctrl-C or at a polite request to end.
pub(crate) async fn interrupted() {
    let interrupt = async {
        // Without a handler the default one ends the process, which is what was asked for.
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Opens the witness whose key and state are in `data`, and makes what is missing.
///
/// Key and state belong together: a key that is found without what it signed may have cosigned anything.
pub(crate) fn open_witness(
    data: &Path,
    name: Option<&str>,
    logs: Vec<KnownLog>,
    faults: Vec<Fault>,
) -> Result<Witness, Failure> {
    let (key_path, state_path) = (data.join("keys").join("witness.json"), data.join("witness.sqlite"));
    let key = match load_key(&key_path)? {
        Some(_) if !state_path.exists() => {
            let message = format!("the witness has a key, and its state `{}` is gone", state_path.display());
            let hint = format!("move `{}` away: a witness that forgot needs a new key", key_path.display());
            return Err(Failure::error("witness-state-lost", message, hint));
        }
        Some(key) => key,
        None => {
            // The state first: a crash in between leaves no key without one.
            WitnessStore::open(&state_path).map_err(anyhow::Error::from)?;
            new_key(&key_path)?
        }
    };
    let short = &glassbox_core::Digest::of(key.public().as_bytes()).hex()[..12];
    let usual = format!("glassbox-witness-{short}");
    let name = name.unwrap_or(&usual);
    let cosigner = Cosigner::new(name, key).ok_or_else(|| {
        Failure::error(
            "name-invalid",
            format!("`{name}` cannot be a witness's name"),
            "leave out spaces and `+`",
        )
    })?;
    let store = WitnessStore::open(&state_path).map_err(anyhow::Error::from)?;
    faults.into_iter().for_each(|fault| store.inject(fault));
    Witness::new(cosigner, logs, store, Env::system())
        .map_err(|error| Failure::error("logs-invalid", error.to_string(), "name each log once"))
}

/// Takes the folder for this process alone; makes it where there is none.
pub(crate) fn lock(data: &Path) -> Result<File, Failure> {
    let path = data.join("lock");
    let file = std::fs::create_dir_all(data).and_then(|()| File::create(&path)).map_err(|error| {
        let mut failure = Failure::io("write", &path, &error);
        failure.hint = "name a folder that you may write to with --data DIR".into();
        failure
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("another process serves this folder: `{}`", data.display());
            Err(Failure::error("data-in-use", message, "stop it, or name another --data"))
        }
        Err(TryLockError::Error(error)) => Err(Failure::io("lock", &path, &error)),
    }
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => "choose another with --listen 127.0.0.1:0",
            _ => "",
        };
        Failure::error("io", format!("cannot listen on {address}: {error}"), hint)
    })
}

/// The file of the key that quarantines, in the folder of keys.
const OPERATOR_KEY: &str = "operator.json";

/// Where the key lies that quarantines.
pub(crate) fn operator_key_path(data: &Path) -> PathBuf {
    data.join("keys").join(OPERATOR_KEY)
}

/// Where the token lies that opens the operator's routes.
pub(crate) fn operator_path(data: &Path) -> PathBuf {
    data.join("keys").join("operator.token")
}

/// Reads the operator's token, and makes it where there is none.
fn operator_token(path: &Path) -> Result<OperatorToken, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(OperatorToken::new(text.trim())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::io("read", path, &error)),
    }
    let token = format!(
        "{}{}",
        OperatorToken::PREFIX,
        glassbox_core::Digest::from_bytes(Env::system().secret()).hex()
    );
    write_private(path, &token).map_err(|error| Failure::io("write", path, &error))?;
    Ok(OperatorToken::new(&token))
}

/// The operator's wallet: payments arrive there, refunds leave from there.
async fn treasury(path: &Path, password_file: Option<&Path>) -> Result<Wallet, Failure> {
    let failed = |error: PayError| wallet::failure(path, &error);
    if path.exists() {
        return match wallet_file::read(path).map_err(failed)? {
            WalletFile::Plain(wallet) => Ok(wallet),
            WalletFile::Keystore(keystore) => {
                let password = password::opening(password_file, "the treasury's wallet")?;
                wallet::unseal(path, keystore, password).await
            }
        };
    }
    let wallet = Wallet::random().map_err(failed)?;
    wallet_file::save_new(path, &wallet).map_err(failed)?;
    Ok(wallet)
}
