//! What the tests of an interface's own package showed of its implementations.

use std::collections::HashMap;

use glassbox_core::{Digest, PackageName, ReleaseId};
use rusqlite::params;

use crate::error::StoreError;
use crate::sqlite::{Store, parse};

impl Store {
    /// Returns what tests last showed of the implementations of an interface that they were run on, as JSON, and the object that
    /// these were read from.
    pub async fn spec_runs(
        &self,
        interface: &str,
    ) -> Result<HashMap<ReleaseId, (Digest, String)>, StoreError> {
        let interface = interface.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT package, version, tests, result FROM spec_runs WHERE interface = ?1",
            )?;
            let mut rows = statement.query([interface])?;
            let mut runs = HashMap::new();
            while let Some(row) = rows.next()? {
                let (package, version): (String, String) = (row.get(0)?, row.get(1)?);
                let id = parse::<PackageName>(&package)?.at(parse(&version)?);
                runs.insert(id, (parse(&row.get::<_, String>(2)?)?, row.get(3)?));
            }
            Ok(runs)
        })
        .await
    }

    /// Writes what tests showed of an implementation, in place of what earlier ones did.
    pub async fn set_spec_run(
        &self,
        interface: &str,
        implementation: &ReleaseId,
        tests: Digest,
        result: String,
    ) -> Result<(), StoreError> {
        let key =
            [interface.to_owned(), implementation.package.to_string(), implementation.version.to_string()];
        self.write("set_spec_run", move |transaction| {
            let [interface, package, version] = key;
            transaction.execute(
                "INSERT OR REPLACE INTO spec_runs (interface, package, version, tests, result)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![interface, package, version, tests.to_string(), result],
            )?;
            Ok(())
        })
        .await
    }
}
