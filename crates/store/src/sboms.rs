//! Bills of materials: what each release is made of, and which releases a package went into.

use glassbox_core::ReleaseId;
use glassbox_core::sbom::Sbom;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::{Store, parse};

/// A package within a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The release.
    pub release: ReleaseId,
    /// The version of the package within.
    pub version: String,
    /// Where the package comes from, such as `cargo`.
    pub source: String,
}

/// Writes the bill of a release in the transaction that publishes it.
pub(crate) fn write(transaction: &Transaction<'_>, id: &ReleaseId, sbom: &Sbom) -> Result<(), StoreError> {
    let (package, version) = (id.package.to_string(), id.version.to_string());
    let json = serde_json::to_string(sbom).expect("a bill is plain JSON");
    transaction.execute(
        "INSERT INTO sboms (package, version, sbom) VALUES (?1, ?2, ?3)",
        params![package, version, json],
    )?;
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO sbom_packages (name, version_within, source, package, version)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for part in sbom.packages.iter().filter(|part| !part.build_only) {
        insert.execute(params![part.name, part.version, part.source, package, version])?;
    }
    Ok(())
}

impl Store {
    /// Returns what a release is made of; `None` where it was published before bills were kept.
    pub async fn sbom(&self, id: &ReleaseId) -> Result<Option<Sbom>, StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.read(move |connection| {
            let json: Option<String> = connection
                .prepare_cached("SELECT sbom FROM sboms WHERE package = ?1 AND version = ?2")?
                .query_row([package, version], |row| row.get(0))
                .optional()?;
            json.map(|json| serde_json::from_str(&json).map_err(StoreError::corrupt)).transpose()
        })
        .await
    }

    /// Returns the releases that a package went into, in the order of their names: in one version, or in any.
    pub async fn releases_made_of(
        &self,
        name: &str,
        version: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Within>, StoreError> {
        let (name, version) = (name.to_owned(), version.map(str::to_owned));
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT package, version, version_within, source FROM sbom_packages
                 WHERE name = ?1 AND (?2 IS NULL OR version_within = ?2)
                 ORDER BY package, version LIMIT ?3",
            )?;
            let read = |row: &Row<'_>| -> rusqlite::Result<[String; 4]> {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            };
            let rows = statement.query_map(params![name, version, limit as i64], read)?;
            rows.map(|row| {
                let [package, release, version, source] = row?;
                Ok(Within { release: parse(&format!("{package}@{release}"))?, version, source })
            })
            .collect()
        })
        .await
    }
}
