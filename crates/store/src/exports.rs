//! Which packages export an interface.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glassbox_core::{PackageName, Version};
use rusqlite::{Connection, Transaction, params};

use crate::error::StoreError;
use crate::holds;
use crate::releases::{NewRelease, ReleaseRow, is_newer, newest_release, read_release};
use crate::sqlite::{Store, parse};

/// Writes what a release exports, in the transaction that publishes it.
pub(crate) fn write(transaction: &Transaction<'_>, release: &NewRelease) -> Result<(), StoreError> {
    let mut statement = transaction
        .prepare_cached("INSERT OR IGNORE INTO exports (interface, package, version) VALUES (?1, ?2, ?3)")?;
    let (package, version) = (release.id.package.to_string(), release.id.version.to_string());
    for interface in &release.interfaces {
        statement.execute(params![interface, package, version])?;
    }
    Ok(())
}

/// A package that exports an interface by its newest release.
#[derive(Debug, Clone)]
pub struct ImplementationRow {
    /// That release.
    pub release: ReleaseRow,
    /// The index of the log entry of the package's first release that exports the interface.
    pub first_index: u64,
}

impl Store {
    /// Returns the newest releases of the packages that export an interface by them, at most `max`: those of the packages that
    /// had it first, first. How old a package is says nothing, or an old name would be worth a place.
    pub async fn implementations(
        &self,
        interface: &str,
        now_ms: i64,
        max: usize,
    ) -> Result<Vec<ImplementationRow>, StoreError> {
        let interface = interface.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT package, MIN(log_index) AS first_index FROM exports JOIN releases USING (package, version)
                 WHERE interface = ?1 GROUP BY package ORDER BY first_index",
            )?;
            let mut rows = statement.query([&interface])?;
            let mut newest = Vec::new();
            while newest.len() < max
                && let Some(row) = rows.next()?
            {
                let package: PackageName = parse(&row.get::<_, String>(0)?)?;
                let Some(version) = newest_release(connection, &package, now_ms)? else { continue };
                if is_exported(connection, &interface, &package, &version)? {
                    let first_index = row.get::<_, i64>(1)? as u64;
                    let release = read_release(connection, &package.at(version))?;
                    newest.extend(release.map(|release| ImplementationRow { release, first_index }));
                }
            }
            Ok(newest)
        })
        .await
    }

    /// Returns the newest release of a package of those that export an interface.
    pub async fn newest_with(
        &self,
        interface: &str,
        package: &PackageName,
        now_ms: i64,
    ) -> Result<Option<ReleaseRow>, StoreError> {
        let (interface, package) = (interface.to_owned(), package.clone());
        self.read(move |connection| {
            let held = holds::versions_held(connection, &package, now_ms)?;
            let mut statement = connection.prepare_cached(
                "SELECT version FROM exports JOIN releases USING (package, version)
                 WHERE interface = ?1 AND package = ?2 AND resolved",
            )?;
            let versions = statement
                .query_map(params![interface, package.to_string()], |row| row.get::<_, String>(0))?
                .map(|version| parse::<Version>(&version?))
                .collect::<Result<Vec<_>, StoreError>>()?;
            let resolved = versions.into_iter().filter(|version| !held.contains(version));
            let newest = resolved.reduce(|one, other| if is_newer(&other, &one) { other } else { one });
            match newest {
                Some(version) => read_release(connection, &package.at(version)),
                None => Ok(None),
            }
        })
        .await
    }

    /// Returns the interfaces that packages export by their newest releases, each with how many do.
    pub async fn interfaces(&self, now_ms: i64) -> Result<BTreeMap<String, usize>, StoreError> {
        self.read(move |connection| {
            let newest = newest_versions(connection, now_ms)?;
            let mut statement =
                connection.prepare_cached("SELECT interface, package, version FROM exports")?;
            let mut rows = statement.query([])?;
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let version: Version = parse(&row.get::<_, String>(2)?)?;
                if newest.get(&row.get::<_, String>(1)?) == Some(&version) {
                    *counts.entry(row.get(0)?).or_default() += 1;
                }
            }
            Ok(counts)
        })
        .await
    }

    /// Tells whether any release ever exported an interface.
    pub async fn is_exported(&self, interface: &str) -> Result<bool, StoreError> {
        let interface = interface.to_owned();
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM exports WHERE interface = ?1)")?;
            Ok(statement.query_row([interface], |row| row.get(0))?)
        })
        .await
    }

    /// Returns all interfaces that any release exports.
    pub async fn all_interfaces(&self) -> Result<BTreeSet<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT interface FROM exports")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn is_exported(
    connection: &Connection,
    interface: &str,
    package: &PackageName,
    version: &Version,
) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM exports WHERE interface = ?1 AND package = ?2 AND version = ?3)",
    )?;
    Ok(statement.query_row(params![interface, package.to_string(), version.to_string()], |row| row.get(0))?)
}

/// Returns the newest version of each package.
fn newest_versions(connection: &Connection, now_ms: i64) -> Result<HashMap<String, Version>, StoreError> {
    let held = holds::releases_held(connection, now_ms)?;
    let mut statement = connection.prepare_cached("SELECT package, version FROM releases WHERE resolved")?;
    let mut rows = statement.query([])?;
    let mut newest: HashMap<String, Version> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (package, version): (String, String) = (row.get(0)?, row.get(1)?);
        let id = parse::<PackageName>(&package)?.at(parse(&version)?);
        if held.contains(&id) || newest.get(&package).is_some_and(|known| !is_newer(&id.version, known)) {
            continue;
        }
        newest.insert(package, id.version);
    }
    Ok(newest)
}
