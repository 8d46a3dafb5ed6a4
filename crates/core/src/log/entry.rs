//! Entries: acts that somebody signed, each tied to what was said of the same thing before.

use serde::{Deserialize, Serialize};

use crate::acts::TermsChange;
use crate::dsse::Envelope;
use crate::key::PublicKey;
use crate::release::Release;
use crate::{Digest, canonical};

/// One entry of the log: an act, in the words of whoever is answerable for it.
///
/// It embeds the actor's own signed statement, so that the operator of a log can invent none. `previous` makes a chain
/// of all that was said of one package, one namespace or one executor, so that a monitor can follow it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// What kind of act it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What the actor signed.
    pub statement: Envelope,
    /// The digest of the previous entry about the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

/// Kinds of act. What an entry is about follows from its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A namespace is claimed, or its policy changes: who may publish, price, yank, rotate. About a namespace.
    Namespace,
    /// A key is revoked. About a namespace.
    Key,
    /// A release. About a package.
    Release,
    /// A release is taken out of what ranges resolve to, or put back. About a package.
    Yank,
    /// The operator stops a release from running, with a reason, or lets it run again. About a package.
    Quarantine,
    /// The terms of a release become cheaper. About a package.
    Terms,
    /// A vulnerability of some releases. About a package.
    Advisory,
    /// An executor is registered, or taken out. About an executor.
    Executor,
    /// The root over a batch of an executor's receipts. About an executor.
    Receipts,
    /// Two statements of one executor that cannot both be true. About an executor.
    Contradiction,
}

impl Kind {
    /// Its name in entries, such as `release`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Key => "key",
            Self::Release => "release",
            Self::Yank => "yank",
            Self::Quarantine => "quarantine",
            Self::Terms => "terms",
            Self::Advisory => "advisory",
            Self::Executor => "executor",
            Self::Receipts => "receipts",
            Self::Contradiction => "contradiction",
        }
    }
}

impl Entry {
    /// Reads the release that an entry is of, and who signed it; `None` where it is of something else, or not signed by
    /// whom it names.
    pub fn release(entry: &[u8]) -> Option<(Release, PublicKey)> {
        let Self { kind, statement, .. } = serde_json::from_slice(entry).ok()?;
        let publisher = statement.claimed_key().filter(|_| kind == Kind::Release)?;
        let signed = statement.verify::<Release>(&publisher).ok()?;
        Some((signed.predicate, publisher))
    }

    /// Reads the change of terms that an entry is of; `None` where it is of something else, or not signed by all whom it
    /// names.
    pub fn terms_change(entry: &[u8]) -> Option<TermsChange> {
        let Self { kind, statement, .. } = serde_json::from_slice(entry).ok()?;
        let (signed, _) = statement.open::<TermsChange>().ok().filter(|_| kind == Kind::Terms)?;
        Some(signed.predicate)
    }

    /// Returns the bytes that are logged: canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self)
    }
}
