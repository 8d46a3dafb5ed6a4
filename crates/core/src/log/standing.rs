//! Standings: what is newest about a package, a namespace or an executor, as the entries about it add up.
//!
//! A fold over the log and nothing else, so that anybody with the entries comes to the same standings, and from them
//! to the same map. It does not judge who may say what: an entry is there because somebody answerable signed it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::map::MapProof;
use super::{Entry, Kind, LogError, SignedCheckpoint};
use crate::acts::{Contradiction, Quarantine, TermsChange, Yank};
use crate::dsse::{Envelope, Predicate, Statement};
use crate::hashed::Document as _;
use crate::key::PublicKey;
use crate::name::{Namespace, PackageName, ReleaseId};
use crate::release::Release;
use crate::sbom::CARGO_URL;
use crate::{Digest, canonical};

/// What stands about one thing. The map holds its digest, that of its canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The digest of the newest entry about it, whose `previous` leads on to all others.
    pub head: Digest,
    /// How many entries are about it.
    pub entries: u64,
    /// What the bare name of a package means: the highest version that is neither yanked nor quarantined, and no
    /// pre-release where there is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Version>,
    /// The versions that are yanked.
    pub yanked: BTreeSet<Version>,
    /// The versions that are quarantined.
    pub quarantined: BTreeSet<Version>,
    /// The terms of each version, and so all versions.
    pub terms: BTreeMap<Version, Digest>,
    /// Whether an executor was found out to have signed what cannot be true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
}

/// What one entry changes, and about what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the package or the namespace, or the `did:key` of the executor.
    pub about: String,
    /// The digest of the entry.
    pub entry: Digest,
    act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Act {
    Terms(Version, Digest),
    Yank(Version, bool),
    Quarantine(Version, bool),
    Contradiction,
    /// It changes nothing but what is newest.
    Other,
}

/// What a statement may be about. The first that it names counts.
#[derive(Deserialize)]
struct About {
    namespace: Option<Namespace>,
    release: Option<ReleaseId>,
    package: Option<PackageName>,
    executor: Option<PublicKey>,
    /// A package that releases are made of, such as `pkg:cargo/smallvec`.
    part: Option<String>,
}

impl Change {
    /// Reads an entry. `None` where it is none, or is about nothing that has a name.
    pub fn of(entry: &[u8]) -> Option<Self> {
        let read: Entry = serde_json::from_slice(entry).ok()?;
        let About { namespace, release, package, executor, part } = read_predicate(&read.statement)?.1;
        let about = namespace
            .map(|namespace| namespace.to_string())
            .or_else(|| release.map(|release| release.package.to_string()))
            .or_else(|| package.map(|package| package.to_string()))
            .or_else(|| executor.map(|executor| executor.to_string()))
            // No package and no namespace has a slash, so none is taken for another.
            .or_else(|| part.filter(|part| part.starts_with(CARGO_URL)))?;
        let statement = &read.statement;
        let act = match read.kind {
            Kind::Release => read_act(statement, |act: Release| Act::Terms(act.release.version, act.terms)),
            Kind::Terms => read_act(statement, |act: TermsChange| {
                Act::Terms(act.release.version, act.terms.compute_digest())
            }),
            Kind::Yank => read_act(statement, |act: Yank| Act::Yank(act.release.version, act.yanked)),
            Kind::Quarantine => {
                read_act(statement, |act: Quarantine| Act::Quarantine(act.release.version, act.quarantined))
            }
            Kind::Contradiction => read_act(statement, |_: Contradiction| Act::Contradiction),
            _ => Act::Other,
        };
        Some(Self { about, entry: Digest::of(entry), act })
    }
}

/// Reads an act of the kind that the entry says it is, or nothing of it.
fn read_act<P: Predicate>(statement: &Envelope, act: impl FnOnce(P) -> Act) -> Act {
    match read_predicate(statement) {
        Some((kind, predicate)) if kind == P::TYPE => act(predicate),
        _ => Act::Other,
    }
}

/// Reads the predicate's type and the predicate. Nothing is verified: whoever logged it has done so, and a monitor does.
fn read_predicate<P: DeserializeOwned>(envelope: &Envelope) -> Option<(String, P)> {
    let payload = STANDARD.decode(&envelope.payload).ok()?;
    let statement: Statement<P> = serde_json::from_slice(&payload).ok()?;
    Some((statement.predicate_type, statement.predicate))
}

impl Standing {
    /// Returns what stands after `change`, which is the next after all that led to `before`.
    pub fn after(before: Option<Self>, change: &Change) -> Self {
        let mut standing = before.unwrap_or_else(|| Self {
            head: change.entry,
            entries: 0,
            latest: None,
            yanked: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            terms: BTreeMap::new(),
            contradicted: false,
        });
        standing.head = change.entry;
        standing.entries += 1;
        let set = |versions: &mut BTreeSet<Version>, version: &Version, there: bool| match there {
            true => drop(versions.insert(version.clone())),
            false => drop(versions.remove(version)),
        };
        match &change.act {
            Act::Terms(version, terms) => drop(standing.terms.insert(version.clone(), *terms)),
            Act::Yank(version, yanked) => set(&mut standing.yanked, version, *yanked),
            Act::Quarantine(version, stopped) => set(&mut standing.quarantined, version, *stopped),
            Act::Contradiction => standing.contradicted = true,
            Act::Other => return standing,
        }
        let stands = |version: &&Version| {
            !standing.yanked.contains(version) && !standing.quarantined.contains(version)
        };
        let versions = || standing.terms.keys().rev().filter(stands);
        standing.latest = versions().find(|version| version.pre.is_empty()).or(versions().next()).cloned();
        standing
    }

    /// Returns what the map holds for it.
    pub fn digest(&self) -> Digest {
        canonical::digest(self)
    }
}

/// What stands about something, and the proof of it: complete, and enough to be checked offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingProof {
    /// What it is about.
    pub about: String,
    /// What stands; absent where the log has no entry about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// Proves that the map has it, or has nothing of that name.
    pub proof: MapProof,
    /// The signed checkpoint, as a note, which holds the root of the map.
    pub checkpoint: String,
}

impl StandingProof {
    /// Checks everything against the log's key. Returns the checkpoint that proves it, whose time says how fresh it is.
    pub fn verify(&self, verifier_key: &str) -> Result<SignedCheckpoint, LogError> {
        let signed = SignedCheckpoint::open(&self.checkpoint, verifier_key)?;
        let root = signed.map.ok_or(LogError::Map)?;
        let value = self.standing.as_ref().map(Standing::digest);
        self.proof.verify(root, Digest::of(&self.about), value)?;
        Ok(signed)
    }
}
