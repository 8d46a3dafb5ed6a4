//! Executors: what they say of themselves, and what becomes of one that signed what cannot be true.
//!
//! Nobody decides that an executor lied. A certificate either holds or does not, and one that holds is logged and
//! stops the executor, whoever handed it in. It takes the operator's key and not the operator.

use std::sync::atomic::Ordering;

use glassbox_core::acts::{Act as _, Contradiction, ExecutorRecord};
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::key::PublicKey;
use glassbox_core::log::{Entry, Kind};
use glassbox_core::profile::Profile;
use glassbox_core::receipt::{Accusation, Bundle, Certificate, Receipt, Report};
use glassbox_core::{Digest, PackageRef};
use tracing::error;

use crate::error::RegistryError;
use crate::open::{Keys, Registry, RegistryConfig};
use crate::publish::unpack_files;
use crate::replay::{Code, Rerun, rerun};

/// What the log says of an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorStanding {
    /// What it says of itself; nothing where it is not registered.
    pub record: Option<ExecutorRecord>,
    /// Whether a contradiction was proved: its receipts count no longer.
    pub quarantined: bool,
    /// The certificates, by the digests of their files.
    pub contradictions: Vec<Digest>,
}

/// What came of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accused {
    /// The executor.
    pub executor: PublicKey,
    /// The digest of the certificate's file, under which it is found.
    pub certificate: Digest,
    /// Whether it is the first against this executor, and was logged.
    pub new: bool,
}

/// Why a certificate was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AccusationError {
    /// It does not hold.
    #[error("the certificate does not hold: {0}")]
    Refused(String),
    /// The executor is not registered here.
    #[error("{0} is no executor of this log")]
    Unknown(Box<PublicKey>),
    /// The call could not be run again.
    #[error("the call cannot be run again here: {0}")]
    Undecided(String),
    /// Another certificate is being run.
    #[error("another certificate is being checked")]
    Busy,
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl AccusationError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "contradiction-refused",
            Self::Unknown(_) => "executor-not-found",
            Self::Undecided(_) => "contradiction-undecided",
            Self::Busy => "busy",
            Self::Registry(error) => error.code(),
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Refused(_) => "check it with `glassbox verify`, which says where it fails".into(),
            Self::Unknown(_) => "send it to the log that the receipt names in `checkpoint`".into(),
            Self::Undecided(_) => {
                "send two receipts that contradict one another, or keep the certificate".into()
            }
            Self::Busy => "send it again in a moment".into(),
            Self::Registry(error) => error.next(),
        }
    }
}

/// Signs what a registry says of itself as an executor.
pub(crate) fn record(keys: &Keys, config: &RegistryConfig) -> Envelope {
    let record = ExecutorRecord {
        executor: keys.executor.public(),
        operator: keys.operator.public(),
        profile: Profile::current().digest(),
        url: config.public_url.clone(),
    };
    record.sign(&keys.executor)
}

/// Returns the newest record among what was logged of an executor.
fn newest_record(entries: &[Entry], executor: &PublicKey) -> Option<ExecutorRecord> {
    let record = entries.iter().rfind(|entry| entry.kind == Kind::Executor)?;
    Some(record.statement.verify::<ExecutorRecord>(executor).ok()?.predicate)
}

impl Registry {
    /// Returns what this registry says of itself as an executor, signed.
    pub(crate) fn record(&self) -> &Envelope {
        &self.record
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Acquire)
    }

    /// Remembers whether the log says that this executor counts no longer.
    pub(crate) async fn recall_quarantine(&self) -> Result<(), RegistryError> {
        let standing = self.executor_standing(&self.executor()).await?;
        self.quarantined.store(standing.quarantined, Ordering::Release);
        Ok(())
    }

    /// Returns what the log says of an executor.
    pub async fn executor_standing(&self, executor: &PublicKey) -> Result<ExecutorStanding, RegistryError> {
        let entries = self.store.executor_entries(executor).await?;
        let contradictions: Vec<Digest> = entries
            .iter()
            .filter(|entry| entry.kind == Kind::Contradiction)
            .filter_map(|entry| entry.statement.verify::<Contradiction>(&self.operator()).ok())
            .map(|statement| statement.predicate.certificate)
            .collect();
        Ok(ExecutorStanding {
            record: newest_record(&entries, executor),
            quarantined: !contradictions.is_empty(),
            contradictions,
        })
    }

    /// Takes a certificate that an executor signed what cannot be true. Where it holds, it is logged, and the executor's
    /// receipts count no longer; where the executor is this registry, it runs nothing any more.
    pub async fn accuse(&self, certificate: &Certificate) -> Result<Accused, AccusationError> {
        let (report, accusation) = certificate.verify();
        let Accusation { executor, receipts, rerun } =
            accusation.ok_or_else(|| AccusationError::Refused(first_failure(&report)))?;
        let standing = self.executor_standing(&executor).await?;
        if standing.record.is_none() {
            return Err(AccusationError::Unknown(Box::new(executor)));
        }
        if let Some(first) = standing.contradictions.first() {
            // Whoever logged it may have ended before it took effect here.
            self.recall_quarantine().await?;
            return Ok(Accused { executor, certificate: *first, new: false });
        }
        if let (Some(receipt), [bundle]) = (&rerun, certificate.receipts.as_slice()) {
            self.contradict(bundle, receipt).await?;
        }
        let bytes = certificate.to_bytes();
        let certificate = self.store.put_object(bytes).await.map_err(RegistryError::from)?;
        let statement = Contradiction { executor, receipts, certificate }.sign(&self.keys.operator);
        let logged = self.store.log_of_executor(Kind::Contradiction, &executor, statement, |entries| {
            entries.iter().any(|entry| entry.kind == Kind::Contradiction)
        });
        let new = logged.await.map_err(RegistryError::from)?.is_some();
        self.recall_quarantine().await?;
        error!(executor = %executor, certificate = %certificate, "An executor signed what cannot be true");
        self.publish_log().await?;
        Ok(Accused { executor, certificate, new })
    }

    /// Runs a call again, and insists that its receipt is wrong.
    async fn contradict(&self, bundle: &Bundle, receipt: &Receipt) -> Result<(), AccusationError> {
        // One at a time: whoever has a receipt may ask, and a run may be long.
        let _place = self.accusations.try_acquire().map_err(|_| AccusationError::Busy)?;
        let component = self.store.object(receipt.component).await;
        let component = component.map_err(|error| AccusationError::Undecided(error.to_string()))?;
        let files = match receipt.files {
            Some(_) => self.shipped(receipt).await?,
            None => None,
        };
        let mut report = Report::default();
        let mut dependencies = Vec::new();
        for (_, component) in receipt.linked_components() {
            let component = self.store.object(component).await;
            dependencies.push(component.map_err(|error| AccusationError::Undecided(error.to_string()))?);
        }
        let code = Code { component: &component, files: files.as_ref(), dependencies: &dependencies };
        match rerun(&self.sandbox, bundle, receipt, code, &mut report).await {
            Rerun::Different => Ok(()),
            Rerun::Same => Err(AccusationError::Refused("running the call again comes to the same".into())),
            Rerun::Undecided => Err(AccusationError::Undecided(first_failure(&report))),
        }
    }

    /// Returns the files of the release that a receipt names.
    async fn shipped(&self, receipt: &Receipt) -> Result<Option<Files>, RegistryError> {
        let package = receipt.release.package.clone();
        let reference = PackageRef { package, version: Some(receipt.release.version.clone()) };
        let live = self.live(&reference).await?;
        let Some(files) = live.files else { return Ok(None) };
        unpack_files(&live.id, &self.store.object(files.object).await?).map(Some)
    }

    /// Returns the file of a certificate that was logged.
    pub async fn certificate(&self, executor: &PublicKey, digest: Digest) -> Result<Vec<u8>, RegistryError> {
        let standing = self.executor_standing(executor).await?;
        if !standing.contradictions.contains(&digest) {
            return Err(RegistryError::NoReceipt(digest.to_string()));
        }
        Ok(self.store.object(digest).await?)
    }
}

fn first_failure(report: &Report) -> String {
    let failed = report.checks.iter().find(|check| !check.holds);
    failed.map_or_else(
        || "nothing was found wrong".to_owned(),
        |check| format!("{}: {}", check.name, check.detail),
    )
}
