//! Releases whose code was published before, under another name.

use glassbox_core::{PackageName, ReleaseId};
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::sqlite::{Store, parse};

/// The release that first had some code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRelease {
    /// The release.
    pub release: ReleaseId,
    /// The key that signed it, as a `did:key`.
    pub publisher: String,
}

impl Store {
    /// Returns the release that first had the code of another one; the same where that was the first.
    pub async fn first_with_code_of(&self, id: &ReleaseId) -> Result<Option<FirstRelease>, StoreError> {
        let key = [id.package.to_string(), id.version.to_string()];
        self.read(move |connection| {
            let [package, version] = key;
            let found = connection
                .prepare_cached(
                    "SELECT first.package, first.version, first.publisher
                     FROM releases AS own CROSS JOIN releases AS first INDEXED BY releases_by_code
                        ON first.code = own.code
                     WHERE own.package = ?1 AND own.version = ?2 ORDER BY first.log_index LIMIT 1",
                )?
                .query_row(params![package, version], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                })
                .optional()?;
            let Some((package, version, publisher)) = found else { return Ok(None) };
            let package: PackageName = parse(&package)?;
            Ok(Some(FirstRelease { release: package.at(parse(&version)?), publisher }))
        })
        .await
    }

    /// Tells whether any of some releases has the code of another one.
    pub async fn have_code_of(&self, releases: Vec<ReleaseId>, id: &ReleaseId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT code FROM releases WHERE package = ?1 AND version = ?2")?;
            let mut code_of = |id: &ReleaseId| -> Result<Option<String>, StoreError> {
                let key = params![id.package.to_string(), id.version.to_string()];
                Ok(statement.query_row(key, |row| row.get(0)).optional()?.flatten())
            };
            let Some(code) = code_of(&id)? else { return Ok(false) };
            for release in &releases {
                if code_of(release)?.as_ref() == Some(&code) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }
}
