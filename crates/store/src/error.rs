//! What can go wrong with a store.

use glassbox_core::acts::ActRefusal;
use glassbox_core::{Digest, Namespace, PackageName, ReleaseId};

/// Why a store could not do something. Nothing was changed unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or failed.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    /// The file system refused or failed.
    #[error("the folder of the store failed")]
    Io(#[from] std::io::Error),
    /// The search index failed.
    #[error("the search index failed")]
    Search(#[from] tantivy::TantivyError),
    /// Something stored does not read back: the store was damaged, or is newer than this program.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// The log's arithmetic failed.
    #[error("the log failed")]
    Log(#[from] glassbox_core::log::LogError),
    /// The log's entries do not begin with those that were signed last, as after a restore. Nothing was appended nor
    /// signed.
    #[error(
        "the log's database is older than its last signed checkpoint: {found} entries, and {signed} were signed"
    )]
    LogBehind {
        /// How many entries the database has.
        found: u64,
        /// How many the last signed checkpoint has.
        signed: u64,
    },
    /// The store is that of a newer program.
    #[error("the store has schema version {found}, and this program knows up to {known}")]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Another release of this name has other bytes.
    #[error("{0} is already published with other contents")]
    ReleaseExists(ReleaseId),
    /// The namespace belongs to another key.
    #[error("the namespace `{namespace}` belongs to {owner}")]
    NamespaceTaken {
        /// The namespace.
        namespace: String,
        /// The key that owns it.
        owner: String,
    },
    /// The namespace is that of the host's interfaces, or looks like it.
    #[error("the namespace `{0}` is kept for interfaces that every host provides")]
    NamespaceOfHost(Namespace),
    /// An act counts for nothing. Nothing was written.
    #[error(transparent)]
    Refused(#[from] ActRefusal),
    /// The namespace could be taken for another, which others have.
    #[error("`{namespace}` looks like `{other}`, which belongs to others")]
    NamespaceConfusable {
        /// The namespace.
        namespace: Namespace,
        /// The one that it looks like.
        other: Namespace,
    },
    /// The name of a package could be taken for that of another's.
    #[error("`{package}` looks like `{other}`, which belongs to others")]
    PackageConfusable {
        /// The package.
        package: PackageName,
        /// The one that it looks like.
        other: PackageName,
    },
    /// A new key began as many packages of late as it may.
    #[error("{key} is new, and began {max} packages within a day")]
    TooManyPackages {
        /// The key, as a `did:key`.
        key: String,
        /// How many it may begin.
        max: usize,
    },
    /// Nobody claimed the namespace.
    #[error("nobody has the namespace `{0}`")]
    NoNamespace(Namespace),
    /// There is no such release.
    #[error("there is no release {0}")]
    NoRelease(ReleaseId),
    /// There is no such object.
    #[error("object {0} is missing")]
    NoObject(Digest),
    /// A call is not in the state that a step needs. The step was not taken.
    #[error("call {call} is `{found}`, not `{expected}`")]
    CallState {
        /// The call's id.
        call: String,
        /// The state that it is in.
        found: String,
        /// The state that the step needs.
        expected: &'static str,
    },
    /// An account has less than was to leave it. Nothing was written.
    #[error("the account `{0}` has less than that")]
    Overdrawn(String),
    /// A fault that a test or a drill asked for. Whether the write happened depends on the moment asked for.
    #[error("a fault was injected")]
    Injected,
    /// The thread that did the work panicked.
    #[error("the store's worker failed")]
    Worker,
}

impl StoreError {
    /// Tells whether what was asked for was refused by a rule: nothing was written, and asking again is no use.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::ReleaseExists(_)
                | Self::NamespaceTaken { .. }
                | Self::NamespaceOfHost(_)
                | Self::Refused(_)
                | Self::NamespaceConfusable { .. }
                | Self::PackageConfusable { .. }
                | Self::TooManyPackages { .. }
                | Self::NoNamespace(_)
                | Self::NoRelease(_)
        )
    }

    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}
