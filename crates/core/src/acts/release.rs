//! What decides over a release after it was published.

use serde::{Deserialize, Serialize};

use super::Act;
use crate::Digest;
use crate::dsse::Predicate;
use crate::manifest::Terms;
use crate::name::ReleaseId;

/// Takes a release out of what ranges and bare names resolve to, or puts it back. It still runs under its exact version.
///
/// Signed by the namespace's threshold for `yank`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Yank {
    /// The release.
    pub release: ReleaseId,
    /// Whether it is yanked from now on.
    pub yanked: bool,
    /// Why, for people.
    pub reason: String,
    /// Which such act of this release it is, from 1 on, so that an old one cannot be presented again.
    pub sequence: u64,
}

/// Stops a release from running and from being resolved, or lets it run again.
///
/// Signed by the operator's key: the one act by which the operator decides over a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// The release.
    pub release: ReleaseId,
    /// Whether it is quarantined from now on.
    pub quarantined: bool,
    /// Why, for people.
    pub reason: String,
    /// Which such act of this release it is, from 1 on, so that an old one cannot be presented again.
    pub sequence: u64,
}

/// Makes a release cheaper. Terms never become dearer, so an old change cannot be presented again.
///
/// Signed by the namespace's threshold for `price`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TermsChange {
    /// The release.
    pub release: ReleaseId,
    /// The digest of the terms until now.
    pub previous: Digest,
    /// The terms from now on.
    pub terms: Terms,
}

macro_rules! acts {
    ($($act:ty: $kind:literal),*) => {$(
        impl Predicate for $act {
            const TYPE: &'static str = concat!("https://glassbox.dev/attestation/", $kind, "/v1");
        }

        impl Act for $act {
            fn about(&self) -> String {
                self.release.to_string()
            }
        }
    )*};
}

acts! {
    Yank: "yank",
    Quarantine: "quarantine",
    TermsChange: "terms-change"
}
