//! The release statement: what a publisher signs.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::dsse::{Envelope, Predicate, Subject};
use crate::key::SecretKey;
use crate::name::ReleaseId;

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
    /// Who made it. Absent means unknown.
    #[serde(default)]
    pub authorship: Authorship,
}

/// Who or what made a release, in the publisher's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorship {
    /// Human, ai, mixed or unknown.
    #[serde(default)]
    pub by: Author,
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

    /// Signs this statement.
    pub fn sign(self, key: &SecretKey) -> Envelope {
        Envelope::sign(vec![self.subject()], self, key)
    }
}
