//! The supply chain of a release: what it is made of, and what others say of it.

use glassbox_core::attestation::{Attestation, AttestationError};
use glassbox_core::dsse::Envelope;
use glassbox_core::sbom::Sbom;
use glassbox_core::{PackageRef, limits};
use glassbox_sandbox::read_sbom;
use glassbox_store::{AttestationRow, Attested, ReleaseRow, Within};

use crate::error::RegistryError;
use crate::open::Registry;

/// What somebody says of a release.
#[derive(Debug, Clone)]
pub struct AttestationView {
    /// The stored row.
    pub row: AttestationRow,
    /// Whether whoever published the release signed it.
    pub by_publisher: bool,
    /// What it shows, and what it does not, for people.
    pub means: &'static str,
}

/// Why an attestation was not kept.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The release could not be found.
    #[error(transparent)]
    Find(#[from] RegistryError),
    /// It is no attestation of this release.
    #[error(transparent)]
    Invalid(#[from] AttestationError),
    /// It has too many bytes.
    #[error("the attestation has {0} bytes, more than the {max} allowed", max = limits::ATTESTATION_BYTES_MAX)]
    TooLong(usize),
    /// Only who published a release says how it was built.
    #[error("{signer} signed, and {publisher} published the release")]
    NotPublisher {
        /// Who signed.
        signer: String,
        /// Who published.
        publisher: String,
    },
    /// There are enough.
    #[error("there are enough attestations of this kind, from this signer or from all")]
    TooMany,
}

impl AttestError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Find(error) => error.code(),
            Self::Invalid(_) | Self::TooLong(_) => "attestation-invalid",
            Self::NotPublisher { .. } => "attestation-not-publishers",
            Self::TooMany => "attestations-full",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Find(error) => error.next(),
            Self::Invalid(_) => "sign SLSA provenance v1, or a rebuild, over the component's digest; `glassbox attest` does it".into(),
            Self::TooLong(_) => "leave out what nobody checks".into(),
            Self::NotPublisher { .. } => "let the publisher sign it; a rebuild may be signed by anybody".into(),
            Self::TooMany => "it is known well enough; there is nothing to do".into(),
        }
    }
}

impl Registry {
    /// Returns what the component of a release says that it is made of.
    pub async fn sbom(&self, reference: &PackageRef) -> Result<(ReleaseRow, Sbom), RegistryError> {
        let row = self.release_row(reference).await?;
        if let Some(sbom) = self.store.sbom(&row.id).await? {
            return Ok((row, sbom));
        }
        // Published before bills were kept: what they are read from is still there.
        let component = self.store.object(row.component).await?;
        let reading = tokio::task::spawn_blocking(move || read_sbom([component.as_slice()]));
        let read = reading.await.map_err(|_| RegistryError::Worker)?;
        Ok((row, read.unwrap_or_default()))
    }

    /// Returns the releases that a package went into: in one version, or in any.
    pub async fn releases_made_of(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<Within>, RegistryError> {
        Ok(self.store.releases_made_of(name, version, limits::SBOM_RELEASES_MAX).await?)
    }

    /// Keeps what somebody says of a release: provenance by its publisher, a rebuild by anybody. Returns it, and whether it is
    /// new.
    pub async fn attest(
        &self,
        reference: &PackageRef,
        envelope: Envelope,
    ) -> Result<(AttestationView, bool), AttestError> {
        let row = self.release_row(reference).await?;
        let bytes = serde_json::to_vec(&envelope).map_err(|_| RegistryError::Worker)?.len();
        if bytes > limits::ATTESTATION_BYTES_MAX {
            return Err(AttestError::TooLong(bytes));
        }
        let (signer, attestation) = Attestation::read(&envelope, &row.component)?;
        let signer = signer.to_string();
        if matches!(attestation, Attestation::Provenance(_)) && signer != row.publisher {
            return Err(AttestError::NotPublisher { signer, publisher: row.publisher });
        }
        let kept = AttestationRow {
            id: envelope.payload_digest().ok_or(RegistryError::Worker)?,
            signer,
            kind: attestation.kind().into(),
            envelope,
            created_at: self.env.now_ms(),
        };
        match self.store.attest(&row.id, kept.clone()).await.map_err(RegistryError::from)? {
            Attested::New => Ok((attested(kept, &row), true)),
            Attested::Already => Ok((attested(kept, &row), false)),
            Attested::TooMany => Err(AttestError::TooMany),
        }
    }

    /// Returns what others say of a release, oldest first.
    pub async fn attestations(&self, reference: &PackageRef) -> Result<Vec<AttestationView>, RegistryError> {
        let row = self.release_row(reference).await?;
        let rows = self.store.attestations(&row.id).await?;
        Ok(rows.into_iter().map(|attestation| attested(attestation, &row)).collect())
    }
}

fn attested(row: AttestationRow, release: &ReleaseRow) -> AttestationView {
    let means = match row.kind.as_str() {
        "provenance" => {
            "Its publisher says how and where it was built. That shows neither that the build was honest nor that the source \
             is safe."
        }
        _ => {
            "Its signer says that building the published source again gave the very same bytes. That shows as much as the \
             signer is to be trusted, who may be anybody, and nothing about what the source does."
        }
    };
    AttestationView { by_publisher: row.signer == release.publisher, row, means }
}
