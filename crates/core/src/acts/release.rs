//! What decides over a release after it was published.

use serde::{Deserialize, Serialize};

use super::ActRefusal;
use crate::manifest::Terms;
use crate::name::ReleaseId;
use crate::{Digest, limits};

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

/// What yanks and quarantines made of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Whether it is yanked.
    #[serde(default)]
    pub yank: Mark,
    /// Whether it is quarantined.
    #[serde(default)]
    pub quarantine: Mark,
}

/// A mark that can be set and taken away again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whether it is set.
    pub set: bool,
    /// Why it was set or taken away, for people.
    pub reason: String,
    /// How often it was set or taken away.
    pub sequence: u64,
}

impl Marks {
    /// Tells whether ranges and bare names may resolve to the release.
    pub fn is_resolved(&self) -> bool {
        !self.yank.set && !self.quarantine.set
    }
}

impl Mark {
    /// Sets the mark or takes it away. `sequence` says which change of it that is, from 1 on.
    pub fn change(&mut self, set: bool, reason: &str, sequence: u64) -> Result<(), ActRefusal> {
        if reason.trim().is_empty() || reason.len() > limits::REASON_BYTES_MAX {
            return Err(ActRefusal::Reason);
        }
        let expected = self.sequence + 1;
        if sequence != expected {
            return Err(ActRefusal::Sequence { found: sequence, expected });
        }
        if set == self.set {
            return Err(ActRefusal::NoChange);
        }
        *self = Self { set, reason: reason.into(), sequence };
        Ok(())
    }
}

acts! {
    about release;
    Yank: "yank",
    Quarantine: "quarantine",
    TermsChange: "terms-change"
}
