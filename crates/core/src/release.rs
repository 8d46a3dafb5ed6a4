//! The release statement: what a publisher signs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::dsse::{Envelope, Predicate, Signers, Subject};
use crate::key::{PublicKey, SecretKey};
use crate::name::{FunctionName, ReleaseId};
use crate::terms::names;
use crate::{Digest, limits};

/// What a release is made of, layer by layer. Signed by its publisher and embedded in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The release.
    pub release: ReleaseId,
    /// The manifest's bytes.
    pub manifest: Digest,
    /// The terms that the manifest states.
    pub terms: Digest,
    /// The WIT files.
    pub wit: Digest,
    /// The test files.
    pub tests: Digest,
    /// The component's bytes.
    pub component: Digest,
    /// The files that the component may read, where it ships any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// The source files, where they are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// The releases that stand behind the packages that it imports, ascending: what runs is exactly these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Pinned>,
    /// The documents that the manifest names, by their paths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, Digest>,
    /// The verifier key of the log of the registry that it is published at, where its terms let no other run it for others.
    /// What names none was signed for no registry in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The editions that have a component of their own.
    #[serde(default, skip_serializing_if = "Editions::is_empty")]
    pub editions: Editions,
    /// Who made it. Absent means unknown.
    #[serde(default)]
    pub authorship: Authorship,
}

/// The components of editions, by the names of these. What belongs to none of them is the release's own component's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Editions(pub BTreeMap<String, EditionComponent>);

/// A component that stands for a part of a release's exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EditionComponent {
    /// Its bytes.
    pub component: Digest,
    /// The interfaces and functions that it is called for.
    pub exports: BTreeSet<String>,
}

impl Editions {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the component that a call of `function` runs, where it is not the release's own.
    pub fn component_of(&self, function: &FunctionName) -> Option<Digest> {
        let has = |edition: &&EditionComponent| edition.exports.iter().any(|export| names(export, function));
        self.0.values().find(has).map(|edition| edition.component)
    }

    /// Returns all of their components.
    pub fn components(&self) -> impl Iterator<Item = Digest> {
        self.0.values().map(|edition| edition.component)
    }
}

/// A dependency, as it was resolved when its importer was published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// The release.
    pub release: ReleaseId,
    /// Its component's bytes.
    pub component: Digest,
    /// Its terms.
    pub terms: Digest,
}

/// Who or what made a release, in the publisher's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorship {
    /// Human, ai, mixed or unknown.
    #[serde(default)]
    pub by: Author,
    /// The program that wrote, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who looked at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewed_by: Vec<String>,
    /// The one key that answers for it, whoever made it: that of a signer. Absent means the only signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accountable: Option<PublicKey>,
    /// How the publisher knows. Absent where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// How a publisher knows who made a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The manifest says so.
    Stated,
    /// The trailers of the commits say so.
    GitTrailers,
}

impl Authorship {
    /// Tells whether its texts are short enough to be shown to everybody.
    pub fn is_bounded(&self) -> bool {
        let texts = self.agent.iter().chain(&self.model).chain(&self.reviewed_by);
        self.reviewed_by.len() <= limits::REVIEWERS_MAX
            && texts.into_iter().all(|text| text.len() <= limits::AUTHOR_BYTES_MAX)
    }

    /// Returns the key that answers for the release, where it is one of `signers`.
    pub fn accountable_of(&self, signers: &Signers) -> Option<PublicKey> {
        match (self.accountable, signers.keys()) {
            (Some(key), _) if signers.contains(&key) => Some(key),
            (None, [only]) => Some(*only),
            _ => None,
        }
    }
}

/// Kinds of author.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Author {
    /// People.
    Human,
    /// A model.
    Ai,
    /// Both.
    Mixed,
    /// The publisher does not say.
    #[default]
    Unknown,
}

impl Predicate for Release {
    const TYPE: &'static str = "https://glassbox.dev/attestation/release/v1";
}

impl Release {
    /// Returns the one subject of the statement: the component.
    pub fn subject(&self) -> Subject {
        Subject::new(format!("{}.wasm", self.release.package.name()), self.component)
    }

    /// Returns the component that a call of `function` runs.
    pub fn component_of(&self, function: &FunctionName) -> Digest {
        self.editions.component_of(function).unwrap_or(self.component)
    }

    /// Signs this statement.
    pub fn sign(self, key: &SecretKey) -> Envelope {
        Envelope::sign(vec![self.subject()], self, key)
    }
}
