//! Advisories: taking them, and finding those that a release has.

use std::sync::{Arc, PoisonError};

use glassbox_core::acts::{Advisory, AdvisoryError};
use glassbox_core::dsse::{DsseError, Envelope};
use glassbox_core::key::PublicKey;
use glassbox_core::{ReleaseId, limits};
use glassbox_store::{Advised, AdvisoryRow, NewAdvisory};

use crate::error::RegistryError;
use crate::open::Registry;

/// An advisory with where it stands.
#[derive(Debug, Clone)]
pub struct AdvisoryView {
    /// The stored row.
    pub row: AdvisoryRow,
    /// What it says.
    pub advisory: Advisory,
}

/// An advisory that affects a release, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affecting {
    /// Its id.
    pub id: String,
    /// What is wrong, in a line.
    pub summary: String,
    /// The part of the release that is affected, with its version; absent where it is the release itself.
    pub part: Option<String>,
    /// The versions that are said to be without the fault.
    pub fixed: Vec<String>,
}

/// Why an advisory was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AdviseError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The statement.
    #[error("the advisory is not valid")]
    Statement(#[from] DsseError),
    /// It is in another form.
    #[error("the advisory is not valid: {0}")]
    Invalid(#[from] AdvisoryError),
    /// There is not exactly one signature by a key that can be read, or it is too long.
    #[error(
        "an advisory has one signature, by an Ed25519 did:key, and at most {} bytes",
        limits::ADVISORY_BYTES_MAX
    )]
    Form,
    /// The signer may not.
    #[error("{signer} neither decides over `{about}` nor operates this registry")]
    NotAllowed {
        /// Who signed.
        signer: String,
        /// What it is about.
        about: String,
    },
    /// Somebody else signed the one of that id.
    #[error("`{id}` was not signed by {signer}")]
    NotTheirs {
        /// Who signed.
        signer: String,
        /// The advisory.
        id: String,
    },
    /// There is one of that id.
    #[error("there is an advisory `{0}` that is as new, or about something else")]
    Exists(String),
    /// There is none.
    #[error("there is no advisory `{0}`")]
    NotFound(String),
}

impl AdviseError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Registry(error) => error.code(),
            Self::Statement(_) | Self::Invalid(_) | Self::Form => "advisory-invalid",
            Self::NotAllowed { .. } | Self::NotTheirs { .. } => "advisory-refused",
            Self::Exists(_) => "advisory-exists",
            Self::NotFound(_) => "advisory-not-found",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Registry(error) => error.next(),
            Self::NotAllowed { .. } => "tell the publisher, or whoever operates this registry".into(),
            Self::NotTheirs { .. } => {
                "write one of another id, or ask whoever signed it, or operates this registry".into()
            }
            Self::Exists(_) => "take the next number, or a later `modified`".into(),
            Self::NotFound(_) => "see GET /v1/advisories".into(),
            _ => "write it as `glassbox advisory publish` does".into(),
        }
    }
}

impl Registry {
    /// Takes an advisory, by a controller of the package's namespace or by the operator. Returns whether it is new.
    pub async fn advise(&self, envelope: Envelope) -> Result<(AdvisoryView, bool), AdviseError> {
        let bytes = serde_json::to_vec(&envelope).map_err(|_| RegistryError::Worker)?.len();
        let signer = envelope.claimed_key().filter(|_| envelope.signatures.len() == 1);
        let signer = signer.filter(|_| bytes <= limits::ADVISORY_BYTES_MAX).ok_or(AdviseError::Form)?;
        let advisory = envelope.verify::<Advisory>(&signer)?.predicate;
        advisory.check()?;
        let about = advisory.subject();
        if !self.may_advise(&advisory, &signer).await? {
            return Err(AdviseError::NotAllowed { signer: signer.to_string(), about });
        }
        let id = advisory.osv.id.clone();
        let new = NewAdvisory {
            id: id.clone(),
            about,
            modified: advisory.osv.modified.clone(),
            envelope,
            by_operator: signer == self.keys.operator.public(),
            now_ms: self.env.now_ms(),
        };
        let advised = self.store.advise(new).await;
        // Also after a failure: it may have been written.
        self.affecting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let advised = advised.map_err(RegistryError::from)?;
        self.publish_log().await?;
        match advised {
            Advised::Conflict => Err(AdviseError::Exists(id)),
            Advised::NotTheirs => Err(AdviseError::NotTheirs { signer: signer.to_string(), id }),
            Advised::New | Advised::Already => Ok((self.advisory(&id).await?, advised == Advised::New)),
        }
    }

    async fn may_advise(&self, advisory: &Advisory, signer: &PublicKey) -> Result<bool, RegistryError> {
        if *signer == self.keys.operator.public() {
            return Ok(true);
        }
        match &advisory.package {
            Some(package) => self.is_controller(package, signer).await,
            None => Ok(false),
        }
    }

    /// Returns an advisory by its id.
    pub async fn advisory(&self, id: &str) -> Result<AdvisoryView, AdviseError> {
        let row = self.store.advisory(id).await.map_err(RegistryError::from)?;
        let missing = || AdviseError::NotFound(id.chars().take(limits::ADVISORY_ID_BYTES_MAX).collect());
        Ok(view(row.ok_or_else(missing)?)?)
    }

    /// Returns a page of advisories, newest first, about one thing or all; before a place in the feed.
    pub async fn advisories(
        &self,
        about: Option<&str>,
        before: Option<i64>,
    ) -> Result<Vec<AdvisoryView>, RegistryError> {
        let rows = self.store.advisories(about, before, limits::ADVISORIES_PAGE).await?;
        rows.into_iter().map(view).collect()
    }

    /// Returns the advisories that affect a release: itself, or what it is made of. From memory where it was asked before.
    pub async fn affecting(&self, id: &ReleaseId) -> Result<Arc<Vec<Affecting>>, RegistryError> {
        let generation = {
            let known = self.affecting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.get(id) {
                return Ok(found);
            }
            known.generation()
        };
        let mut found = Vec::new();
        for row in self.store.advisories_near(id).await? {
            let AdvisoryView { row, advisory } = view(row)?;
            let version = match &row.part_version {
                // Parts come from elsewhere, and may have versions that are none.
                Some(version) => version.parse().ok(),
                None => Some(id.version.clone()),
            };
            if version.is_some_and(|version| advisory.affects(&version)) {
                let part =
                    row.part_version.as_ref().map(|version| format!("{} {version}", advisory.subject()));
                let fixed = advisory.fixed();
                found.push(Affecting { id: advisory.osv.id, summary: advisory.osv.summary, part, fixed });
            }
        }
        let found = Arc::new(found);
        let mut known = self.affecting.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(generation, id, found.clone());
        Ok(found)
    }
}

fn view(row: AdvisoryRow) -> Result<AdvisoryView, RegistryError> {
    let damaged = |reason: String| RegistryError::Damaged("an advisory".into(), reason);
    let signer = row.envelope.claimed_key().ok_or_else(|| damaged("it has no signer".into()))?;
    let statement = row.envelope.verify::<Advisory>(&signer).map_err(|error| damaged(error.to_string()))?;
    Ok(AdvisoryView { row, advisory: statement.predicate })
}
