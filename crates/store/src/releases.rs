//! Releases: written once, read often.

use std::collections::BTreeSet;

use glassbox_core::acts::{Claim, Marks, Right};
use glassbox_core::dsse::{Envelope, Signers};
use glassbox_core::key::PublicKey;
use glassbox_core::log::Kind;
use glassbox_core::sbom::Sbom;
use glassbox_core::{Digest, PackageName, ReleaseId, Version};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::acts;
use crate::error::StoreError;
use crate::exports;
use crate::holds;
use crate::log;
use crate::newcomers;
use crate::sboms;
use crate::search::SearchDocument;
use crate::skeletons;
use crate::sqlite::{Store, parse};

/// A release to be written. Its objects are in the store already.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// The release.
    pub id: ReleaseId,
    /// The key that is accountable for it.
    pub publisher: PublicKey,
    /// The publisher's statement.
    pub statement: Envelope,
    /// Who signed it. The signatures were checked.
    pub signers: Signers,
    /// The manifest's text.
    pub manifest: String,
    /// The component object.
    pub component: Digest,
    /// The object with the WIT files.
    pub wit: Digest,
    /// The object with the test files.
    pub tests: Digest,
    /// The object with the files that the component may read.
    pub files: Option<Digest>,
    /// The object with the source files.
    pub source: Option<Digest>,
    /// What pages show, as JSON.
    pub listing: String,
    /// The test report, as JSON.
    pub report: String,
    /// What search reads.
    pub search: SearchDocument,
    /// The interfaces that it exports, by their full names.
    pub interfaces: BTreeSet<String>,
    /// What the component is made of.
    pub sbom: Sbom,
    /// By what its code is known again under other names.
    pub code: Digest,
    /// Whether strangers publish here: their keys begin few packages within a day while they are new, and none with a name like
    /// that of another's.
    pub newcomers_bounded: bool,
    /// Why it shall be held, for people; nothing where it need not be.
    pub hold_reasons: Vec<String>,
    /// When, in Unix milliseconds.
    pub now_ms: i64,
}

/// What came of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The release is new, at this index of the log.
    New(u64),
    /// The very same release was there already, at this index of the log.
    Already(u64),
}

/// A release as it is stored.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// The release.
    pub id: ReleaseId,
    /// The key that signed, as a `did:key`.
    pub publisher: String,
    /// The publisher's statement, as JSON.
    pub statement: String,
    /// The manifest's text.
    pub manifest: String,
    /// The component object.
    pub component: Digest,
    /// The object with the WIT files.
    pub wit: Digest,
    /// The object with the test files.
    pub tests: Digest,
    /// The object with the files that the component may read.
    pub files: Option<Digest>,
    /// The object with the source files.
    pub source: Option<Digest>,
    /// What pages show, as JSON.
    pub listing: String,
    /// What search reads, as JSON.
    pub search: String,
    /// The test report, as JSON.
    pub report: String,
    /// What trying the tests on mutants showed, as JSON, once they were.
    pub strength: Option<String>,
    /// The index of its log entry.
    pub log_index: u64,
    /// When it was published, in Unix milliseconds.
    pub published_at: i64,
}

/// A package: its releases.
#[derive(Debug, Clone)]
pub struct PackageRow {
    /// The package.
    pub name: PackageName,
    /// The versions, highest first.
    pub versions: Vec<Version>,
    /// What holds of those that were ever yanked or quarantined.
    pub marked: Vec<(Version, Marks)>,
}

const COLUMNS: &str = "package, version, publisher, statement, manifest, component, wit, tests, listing, \
                       search, report, source, files, strength, log_index, published_at";

struct RawRow([String; 11], [Option<String>; 3], i64, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<RawRow> {
    let mut texts: [String; 11] = Default::default();
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.get(index)?;
    }
    Ok(RawRow(texts, [row.get(11)?, row.get(12)?, row.get(13)?], row.get(14)?, row.get(15)?))
}

impl RawRow {
    fn read(self) -> Result<ReleaseRow, StoreError> {
        let RawRow(texts, [source, files, strength], log_index, published_at) = self;
        let [
            package,
            version,
            publisher,
            statement,
            manifest,
            component,
            wit,
            tests,
            listing,
            search,
            report,
        ] = texts;
        let package: PackageName = parse(&package)?;
        Ok(ReleaseRow {
            id: package.at(parse(&version)?),
            publisher,
            statement,
            manifest,
            component: parse(&component)?,
            wit: parse(&wit)?,
            tests: parse(&tests)?,
            files: files.as_deref().map(parse).transpose()?,
            source: source.as_deref().map(parse).transpose()?,
            listing,
            search,
            report,
            strength,
            log_index: log_index as u64,
            published_at,
        })
    }
}

impl Store {
    /// Writes a release, its namespace where that is new, and its log entry, in one transaction.
    ///
    /// The first release of a namespace claims it for its publisher; others take the policy's threshold. The same statement again is a no-op; another statement for a
    /// version that exists is [`StoreError::ReleaseExists`]. Nobody sees the entry before [`Store::publish_log`].
    pub async fn publish(&self, release: NewRelease) -> Result<Published, StoreError> {
        let identity =
            release.statement.payload_digest().ok_or_else(|| StoreError::corrupt("an empty statement"))?;
        let (package, now_ms) = (release.id.package.clone(), release.now_ms);
        let published = self
            .write("publish", move |transaction| {
                let NewRelease { id, publisher, .. } = &release;
                let (package, version) = (id.package.to_string(), id.version.to_string());
                let (namespace, signers) = (id.package.in_namespace(), &release.signers);
                let mut controllers = 1;
                match acts::read(transaction, &namespace)? {
                    Some(row) => {
                        let state = row.state.at(release.now_ms);
                        if !state.is_controller(publisher) {
                            let owner = state.policy.controllers.first().map(ToString::to_string);
                            let owner = owner.unwrap_or_default();
                            return Err(StoreError::NamespaceTaken { namespace: namespace.to_string(), owner });
                        }
                        state.permit(Right::Publish, signers)?;
                        controllers = signers.keys().iter().filter(|key| state.is_controller(key)).count();
                    }
                    None => {
                        acts::claim(transaction, &namespace, Claim::Release(*publisher), signers, release.now_ms)?;
                    }
                }
                let existing: Option<(String, i64)> = transaction
                    .query_row(
                        "SELECT identity, log_index FROM releases WHERE package = ?1 AND version = ?2",
                        params![package, version],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .optional()?;
                match existing {
                    Some((same, index)) if same == identity.to_string() => {
                        return Ok(Published::Already(index as u64));
                    }
                    Some(_) => return Err(StoreError::ReleaseExists(id.clone())),
                    None => newcomers::check(transaction, &release)?,
                }
                skeletons::write(transaction, &release)?;
                let index = log::append(transaction, Kind::Release, &package, &release.statement)?;
                transaction.execute(
                    "INSERT INTO releases (package, version, publisher, statement, identity, manifest, component, wit,
                        tests, source, listing, search, report, log_index, published_at, files, code)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                    params![
                        package,
                        version,
                        publisher.to_string(),
                        serde_json::to_string(&release.statement).expect("an envelope is plain JSON"),
                        identity.to_string(),
                        release.manifest,
                        release.component.to_string(),
                        release.wit.to_string(),
                        release.tests.to_string(),
                        release.source.map(|digest| digest.to_string()),
                        release.listing,
                        serde_json::to_string(&release.search).expect("a search document is plain JSON"),
                        release.report,
                        index as i64,
                        release.now_ms,
                        release.files.map(|digest| digest.to_string()),
                        release.code.to_string(),
                    ],
                )?;
                sboms::write(transaction, id, &release.sbom)?;
                exports::write(transaction, &release)?;
                // What two keys publish together needs no second one to confirm it.
                if controllers < 2 {
                    holds::write(transaction, &release)?;
                }
                Ok(Published::New(index))
            })
            .await;
        self.show_in_search(published, &package, now_ms).await
    }

    /// Makes search show the newest release of a package after a write about it, and returns what came of the write. What was
    /// refused left all as it was.
    pub(crate) async fn show_in_search<T>(
        &self,
        written: Result<T, StoreError>,
        package: &PackageName,
        now_ms: i64,
    ) -> Result<T, StoreError> {
        if written.as_ref().is_err_and(StoreError::is_refusal) {
            return written;
        }
        // Also after a failure: the write may have happened, and search must not wait for a restart to learn of it.
        match self.newest_release(package, now_ms).await? {
            Some(newest) => self.inner.search.replace(vec![newest.search_document()?])?,
            None => self.inner.search.remove(package)?,
        }
        written
    }

    /// Returns the release, or `None`.
    pub async fn release(&self, id: &ReleaseId) -> Result<Option<ReleaseRow>, StoreError> {
        let id = id.clone();
        self.read(move |connection| read_release(connection, &id)).await
    }

    /// Returns the package with its versions, or `None` when nothing was ever published under that name.
    pub async fn package(&self, name: &PackageName) -> Result<Option<PackageRow>, StoreError> {
        let name = name.clone();
        self.read(move |connection| {
            let releases = versions(connection, &name)?;
            if releases.is_empty() {
                return Ok(None);
            }
            let versions = releases.iter().map(|(version, _)| version.clone()).collect();
            let marked =
                releases.into_iter().filter_map(|(version, marks)| Some((version, marks?))).collect();
            Ok(Some(PackageRow { name, versions, marked }))
        })
        .await
    }

    /// Returns the release of the highest version that is not a pre-release, or of the highest where all are. Those that
    /// are yanked or quarantined, and those that are held at `now_ms`, do not count.
    pub async fn newest_release(
        &self,
        name: &PackageName,
        now_ms: i64,
    ) -> Result<Option<ReleaseRow>, StoreError> {
        let name = name.clone();
        self.read(move |connection| match newest_release(connection, &name, now_ms)? {
            Some(version) => read_release(connection, &name.at(version)),
            None => Ok(None),
        })
        .await
    }

    /// Returns the newest releases of all packages, in the order of their names, for the index and for listings.
    pub async fn newest_releases(&self, now_ms: i64) -> Result<Vec<ReleaseRow>, StoreError> {
        self.read(move |connection| newest(connection, now_ms)).await
    }

    /// Returns the release that was published first of those whose tests were not tried on mutants.
    pub async fn untried_release(&self) -> Result<Option<ReleaseRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM releases INDEXED BY releases_untried
                     WHERE strength IS NULL ORDER BY log_index LIMIT 1"
                ))?
                .query_row([], raw)
                .optional()?
                .map(RawRow::read)
                .transpose()
        })
        .await
    }

    /// Writes what trying a release's tests on mutants showed, as JSON.
    pub async fn set_strength(&self, id: &ReleaseId, strength: String) -> Result<(), StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.write("set_strength", move |transaction| {
            transaction.execute(
                "UPDATE releases SET strength = ?3 WHERE package = ?1 AND version = ?2",
                params![package, version, strength],
            )?;
            Ok(())
        })
        .await
    }

    pub(crate) fn rebuild_search(&self) -> Result<(), StoreError> {
        // The store has no clock: what was ever held and not let go is left out, until `show_let_go` is asked.
        let releases = self.inner.read(|connection| newest(connection, i64::MIN))?;
        let documents = releases.iter().map(ReleaseRow::search_document).collect::<Result<Vec<_>, _>>()?;
        self.inner.search.replace(documents)
    }
}

impl ReleaseRow {
    fn search_document(&self) -> Result<SearchDocument, StoreError> {
        serde_json::from_str(&self.search).map_err(StoreError::corrupt)
    }
}

pub(crate) fn read_release(
    connection: &Connection,
    id: &ReleaseId,
) -> Result<Option<ReleaseRow>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM releases WHERE package = ?1 AND version = ?2"))?
        .query_row(params![id.package.to_string(), id.version.to_string()], raw)
        .optional()?
        .map(RawRow::read)
        .transpose()
}

/// Tells whether a version is newer than another. A pre-release is newer only than other pre-releases.
pub(crate) fn is_newer(version: &Version, other: &Version) -> bool {
    (version.pre.is_empty(), version) > (other.pre.is_empty(), other)
}

/// Returns the newest version of a package; see [`Store::newest_release`].
pub(crate) fn newest_release(
    connection: &Connection,
    name: &PackageName,
    now_ms: i64,
) -> Result<Option<Version>, StoreError> {
    let held = holds::versions_held(connection, name, now_ms)?;
    let is_resolved = |(version, marks): &(Version, Option<Marks>)| {
        !held.contains(version) && marks.as_ref().is_none_or(Marks::is_resolved)
    };
    let resolved = versions(connection, name)?.into_iter().filter(is_resolved).map(|(version, _)| version);
    Ok(resolved.reduce(|one, other| if is_newer(&other, &one) { other } else { one }))
}

/// Returns the versions of a package, highest first, with the marks of those that ever had any.
fn versions(
    connection: &Connection,
    name: &PackageName,
) -> Result<Vec<(Version, Option<Marks>)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT version, marks FROM releases WHERE package = ?1")?;
    let rows = statement.query_map([name.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let read = |row: rusqlite::Result<(String, Option<String>)>| {
        let (version, marks) = row?;
        let marks =
            marks.map(|marks| serde_json::from_str(&marks).map_err(StoreError::corrupt)).transpose()?;
        Ok((parse(&version)?, marks))
    };
    let mut versions = rows.map(read).collect::<Result<Vec<(Version, Option<Marks>)>, StoreError>>()?;
    versions.sort_by(|(a, _), (b, _)| b.cmp(a));
    Ok(versions)
}

fn newest(connection: &Connection, now_ms: i64) -> Result<Vec<ReleaseRow>, StoreError> {
    let held = holds::releases_held(connection, now_ms)?;
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM releases WHERE resolved ORDER BY package"))?;
    let rows = statement.query_map([], raw)?;
    let mut newest: Vec<ReleaseRow> = Vec::new();
    for row in rows {
        let row = row?.read()?;
        if held.contains(&row.id) {
            continue;
        }
        match newest.last_mut() {
            Some(last) if last.id.package == row.id.package => {
                if is_newer(&row.id.version, &last.id.version) {
                    *last = row;
                }
            }
            _ => newest.push(row),
        }
    }
    Ok(newest)
}
