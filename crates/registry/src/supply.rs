//! What a release is made of.

use glassbox_core::sbom::Sbom;
use glassbox_core::{PackageRef, limits};
use glassbox_sandbox::read_sbom;
use glassbox_store::{ReleaseRow, Within};

use crate::error::RegistryError;
use crate::open::Registry;

impl Registry {
    /// Returns what the component of a release says that it is made of.
    pub async fn sbom(&self, reference: &PackageRef) -> Result<(ReleaseRow, Sbom), RegistryError> {
        let row = self.release_row(reference).await?;
        if let Some(sbom) = self.store.sbom(&row.id).await? {
            return Ok((row, sbom));
        }
        // Published before bills were kept: what they are read from is still there.
        let component = self.store.object(row.component).await?;
        let reading = tokio::task::spawn_blocking(move || read_sbom(&component));
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
}
