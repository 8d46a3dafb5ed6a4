//! Namespaces and what is done to releases: each act is judged, written and logged in one transaction.
//!
//! Core decides what an act may do; what it decides from must not change before it is written, so it decides in here.

use glassbox_core::acts::{Claim, Marks, Moment, NamespaceAct, NamespaceState, Quarantine, Right, Yank};
use glassbox_core::dsse::{Envelope, Signers};
use glassbox_core::log::Kind;
use glassbox_core::release::Release;
use glassbox_core::{Digest, Namespace, PackageName, ReleaseId};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::log;
use crate::releases::Published;
use crate::sqlite::{Store, parse};

/// An act as it was signed. The signatures were checked.
#[derive(Debug, Clone)]
pub struct Signed<A> {
    /// What it says.
    pub act: A,
    /// The statement that says it.
    pub statement: Envelope,
    /// Who signed.
    pub signers: Signers,
}

/// An act about a release.
#[derive(Debug, Clone)]
pub enum ReleaseAct {
    /// By controllers of its namespace.
    Yank(Yank),
    /// By the operator, which the caller has checked.
    Quarantine(Quarantine),
}

impl ReleaseAct {
    /// Returns the release that it is about.
    pub fn release(&self) -> &ReleaseId {
        match self {
            Self::Yank(yank) => &yank.release,
            Self::Quarantine(quarantine) => &quarantine.release,
        }
    }
}

/// What holds of a namespace, and when its domain was last asked, in Unix milliseconds.
#[derive(Debug, Clone)]
pub struct NamespaceRow {
    /// What holds. A change whose delay is over may still wait in it: see [`NamespaceState::at`].
    pub state: NamespaceState,
    /// When its domain was last asked.
    pub asked_at: i64,
}

impl Store {
    /// Returns what holds of a namespace, or `None` where nobody claimed it.
    pub async fn namespace(&self, name: &Namespace) -> Result<Option<NamespaceRow>, StoreError> {
        let name = name.clone();
        self.read(move |connection| read(connection, &name)).await
    }

    /// Applies an act about a namespace and logs it. A policy for a namespace that nobody has claims it.
    ///
    /// The same statement again is a no-op; one that core refuses is [`StoreError::Refused`].
    pub async fn change_namespace(
        &self,
        signed: Signed<NamespaceAct>,
        now_ms: i64,
    ) -> Result<Published, StoreError> {
        self.write("change_namespace", move |transaction| {
            let Signed { act, statement, signers } = signed;
            let identity = identity(&statement)?;
            if let Some(index) = known(transaction, identity)? {
                return Ok(Published::Already(index));
            }
            let name = act.namespace().clone();
            let kind = match act {
                NamespaceAct::Revoke(_) => Kind::Key,
                _ => Kind::Namespace,
            };
            let index = log::append(transaction, kind, name.as_str(), &statement)?;
            match (read(transaction, &name)?, act) {
                (Some(mut row), act) => {
                    row.state.apply(act, &signers, Moment { index, now_ms })?;
                    let state = serde_json::to_string(&row.state).expect("our own state is plain JSON");
                    transaction.execute(
                        "UPDATE namespaces SET state = ?2 WHERE name = ?1",
                        params![name.as_str(), state],
                    )?;
                }
                (None, NamespaceAct::Policy(policy, _)) => {
                    claim(transaction, &name, Claim::Policy(policy), &signers, now_ms)?;
                }
                (None, _) => return Err(StoreError::NoNamespace(name)),
            }
            remember(transaction, identity, index)?;
            Ok(Published::New(index))
        })
        .await
    }

    /// Yanks or quarantines a release, or takes that back, and logs it. What a bare name means, and what search shows,
    /// follows at once.
    ///
    /// The same statement again is a no-op; one that core refuses is [`StoreError::Refused`].
    pub async fn mark_release(
        &self,
        signed: Signed<ReleaseAct>,
        now_ms: i64,
    ) -> Result<Published, StoreError> {
        let package = signed.act.release().package.clone();
        let written = self
            .write("mark_release", move |transaction| {
                let Signed { act, statement, signers } = signed;
                let identity = identity(&statement)?;
                if let Some(index) = known(transaction, identity)? {
                    return Ok(Published::Already(index));
                }
                let id = act.release().clone();
                let mut marks = marks(transaction, &id)?.ok_or_else(|| StoreError::NoRelease(id.clone()))?;
                let kind = match &act {
                    ReleaseAct::Yank(yank) => {
                        let namespace = id.package.in_namespace();
                        let row = read(transaction, &namespace)?.ok_or(StoreError::NoNamespace(namespace))?;
                        row.state.at(now_ms).permit(Right::Yank, &signers)?;
                        marks.yank.change(yank.yanked, &yank.reason, yank.sequence)?;
                        Kind::Yank
                    }
                    ReleaseAct::Quarantine(act) => {
                        marks.quarantine.change(act.quarantined, &act.reason, act.sequence)?;
                        Kind::Quarantine
                    }
                };
                let index = log::append(transaction, kind, &id.package.to_string(), &statement)?;
                transaction.execute(
                    "UPDATE releases SET marks = ?3, resolved = ?4 WHERE package = ?1 AND version = ?2",
                    params![
                        id.package.to_string(),
                        id.version.to_string(),
                        serde_json::to_string(&marks).expect("our own marks are plain JSON"),
                        marks.is_resolved(),
                    ],
                )?;
                remember(transaction, identity, index)?;
                Ok(Published::New(index))
            })
            .await;
        self.show_in_search(written, &package, now_ms).await
    }

    /// Returns the releases that were ever yanked or quarantined, with what holds of each.
    pub async fn marked_releases(&self) -> Result<Vec<(ReleaseId, Marks)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT package, version, marks FROM releases WHERE marks IS NOT NULL")?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<(String, String, String)>, _>>()?;
            rows.into_iter()
                .map(|(package, version, marks)| {
                    let package: PackageName = parse(&package)?;
                    Ok((
                        package.at(parse(&version)?),
                        serde_json::from_str(&marks).map_err(StoreError::corrupt)?,
                    ))
                })
                .collect()
        })
        .await
    }

    /// Returns the components of quarantined releases, with the release that is, or the first of them.
    pub async fn quarantined_components(&self) -> Result<Vec<(Digest, ReleaseId)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT component, package || '@' || version, statement FROM releases
                 WHERE marks ->> '$.quarantine.set' = 1 ORDER BY log_index DESC",
            )?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<(String, String, String)>, _>>()?;
            let mut components = Vec::new();
            for (component, release, statement) in rows {
                let release: ReleaseId = parse(&release)?;
                let statement: Envelope = serde_json::from_str(&statement).map_err(StoreError::corrupt)?;
                let (signed, _) = statement.open::<Release>().map_err(StoreError::corrupt)?;
                components.push((parse(&component)?, release.clone()));
                components.extend(signed.predicate.editions.components().map(|one| (one, release.clone())));
            }
            Ok(components)
        })
        .await
    }

    /// Returns the namespaces that name a domain which was not asked since `before`, in Unix milliseconds.
    pub async fn domains_to_ask(&self, before: i64, limit: usize) -> Result<Vec<Namespace>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name FROM namespaces WHERE asked_at < ?1 AND (state ->> '$.policy.domain' IS NOT NULL
                    OR state ->> '$.pending.policy.domain' IS NOT NULL) ORDER BY asked_at LIMIT ?2",
            )?;
            let rows = statement.query_map(params![before, limit as i64], |row| row.get::<_, String>(0))?;
            rows.map(|name| parse(&name?)).collect()
        })
        .await
    }

    /// Notes when the domain of a namespace was asked.
    pub async fn note_domain_asked(&self, name: &Namespace, now_ms: i64) -> Result<(), StoreError> {
        let name = name.clone();
        self.write("note_domain_asked", move |transaction| {
            let update = "UPDATE namespaces SET asked_at = ?2 WHERE name = ?1";
            transaction.execute(update, params![name.as_str(), now_ms])?;
            Ok(())
        })
        .await
    }
}

/// Reads what holds of a namespace.
pub(crate) fn read(connection: &Connection, name: &Namespace) -> Result<Option<NamespaceRow>, StoreError> {
    let row: Option<(String, Option<String>, i64)> = connection
        .prepare_cached("SELECT owner, state, asked_at FROM namespaces WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((owner, state, asked_at)) = row else { return Ok(None) };
    let state = match state {
        Some(state) => serde_json::from_str(&state).map_err(StoreError::corrupt)?,
        None => {
            let owner = parse(&owner)?;
            NamespaceState::claim(name, Claim::Release(owner), &Signers::one(owner))
                .map_err(StoreError::corrupt)?
        }
    };
    Ok(Some(NamespaceRow { state, asked_at }))
}

/// Claims a namespace that nobody has, unless its name could be taken for another's, or for the host's.
pub(crate) fn claim(
    transaction: &Transaction<'_>,
    name: &Namespace,
    claim: Claim,
    signers: &Signers,
    now_ms: i64,
) -> Result<(), StoreError> {
    if name.is_of_host() {
        return Err(StoreError::NamespaceOfHost(name.clone()));
    }
    let state = NamespaceState::claim(name, claim, signers)?;
    let skeleton = name.skeleton();
    // Own names of keys are drawn by lot, and must need nobody.
    if !name.is_of_key() {
        let mut alike = transaction.prepare_cached("SELECT name FROM namespaces WHERE skeleton = ?1")?;
        for other in alike.query_map([&skeleton], |row| row.get::<_, String>(0))? {
            let other: Namespace = parse(&other?)?;
            let theirs = read(transaction, &other)?.is_some_and(|row| {
                let state = row.state.at(now_ms);
                !signers.keys().iter().any(|key| state.is_controller(key))
            });
            if theirs {
                return Err(StoreError::NamespaceConfusable { namespace: name.clone(), other });
            }
        }
    }
    let owner = state.policy.controllers.first().map(ToString::to_string);
    transaction.execute(
        "INSERT INTO namespaces (name, owner, claimed_at, state, skeleton) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            name.as_str(),
            owner.unwrap_or_default(),
            now_ms,
            serde_json::to_string(&state).expect("our own state is plain JSON"),
            skeleton,
        ],
    )?;
    Ok(())
}

/// Reads the marks of a release; `None` where there is no such release.
fn marks(connection: &Connection, id: &ReleaseId) -> Result<Option<Marks>, StoreError> {
    let marks: Option<Option<String>> = connection
        .prepare_cached("SELECT marks FROM releases WHERE package = ?1 AND version = ?2")?
        .query_row(params![id.package.to_string(), id.version.to_string()], |row| row.get(0))
        .optional()?;
    let read = |marks: Option<String>| match marks {
        Some(marks) => serde_json::from_str(&marks).map_err(StoreError::corrupt),
        None => Ok(Marks::default()),
    };
    marks.map(read).transpose()
}

pub(crate) fn identity(statement: &Envelope) -> Result<Digest, StoreError> {
    statement.payload_digest().ok_or_else(|| StoreError::corrupt("an empty statement"))
}

pub(crate) fn known(connection: &Connection, statement: Digest) -> Result<Option<u64>, StoreError> {
    let index: Option<i64> = connection
        .prepare_cached("SELECT log_index FROM acts WHERE statement = ?1")?
        .query_row([statement.to_string()], |row| row.get(0))
        .optional()?;
    Ok(index.map(|index| index as u64))
}

pub(crate) fn remember(
    transaction: &Transaction<'_>,
    statement: Digest,
    index: u64,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO acts (statement, log_index) VALUES (?1, ?2)")?
        .execute(params![statement.to_string(), index as i64])?;
    Ok(())
}
