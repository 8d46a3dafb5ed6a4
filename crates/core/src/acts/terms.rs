//! Terms that change after a release was published: only ever to the better of whoever relied on them.

use serde::{Deserialize, Serialize};

use super::ActRefusal;
use crate::hashed::Document as _;
use crate::manifest::Terms;
use crate::name::ReleaseId;
use crate::release::{Editions, Pinned, Release};
use crate::terms::cheaper_or_equal;
use crate::{Digest, limits};

/// Makes a release cheaper, and changes nothing else of it.
///
/// Signed by the namespace's threshold for `price`. It has the new terms whole and names everything that stays, so that it
/// proves a price as the release's own statement does. It names the terms that it takes the place of, so that none can be
/// presented again once others took theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TermsChange {
    /// The release.
    pub release: ReleaseId,
    /// The manifest as it was published: what of it is no terms still holds.
    pub manifest: Digest,
    /// The component.
    pub component: Digest,
    /// The files that the component may read, where it ships any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// The releases that stand behind its imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Pinned>,
    /// The editions that have a component of their own.
    #[serde(default, skip_serializing_if = "Editions::is_empty")]
    pub editions: Editions,
    /// The digest of the terms until now.
    pub previous: Digest,
    /// The terms from now on.
    pub terms: Terms,
}

impl TermsChange {
    /// Makes the change of a release from the terms with the digest `previous` to others.
    pub fn new(release: &Release, previous: Digest, terms: Terms) -> Self {
        let Release { release: id, manifest, component, files, dependencies, editions, .. } = release;
        Self {
            release: id.clone(),
            manifest: *manifest,
            component: *component,
            files: *files,
            dependencies: dependencies.clone(),
            editions: editions.clone(),
            previous,
            terms,
        }
    }

    /// Returns the digest of the new terms.
    pub fn digest(&self) -> Digest {
        self.terms.compute_digest()
    }

    /// Checks that it is of this release as it was published, follows the terms `before`, and is in nothing dearer.
    pub fn check(&self, release: &Release, before: &Terms) -> Result<(), ActRefusal> {
        if *self != Self::new(release, self.previous, self.terms.clone())
            || self.terms.release != self.release
        {
            return Err(ActRefusal::OtherRelease(self.release.clone()));
        }
        let expected = before.compute_digest();
        if self.previous != expected {
            return Err(ActRefusal::Superseded { found: self.previous, expected });
        }
        if self.terms == *before {
            return Err(ActRefusal::NoChange);
        }
        Ok(cheaper_or_equal(before, &self.terms)?)
    }
}

/// Returns the terms of a release after changes, in the order of the log, where each follows the one before. `own` are
/// those that it was published with.
///
/// Whoever has the changes comes to the same, and needs to believe nobody about who is worse off.
pub fn terms_after(release: &Release, own: Terms, changes: &[TermsChange]) -> Result<Terms, ActRefusal> {
    let found = own.compute_digest();
    if found != release.terms {
        return Err(ActRefusal::Superseded { found, expected: release.terms });
    }
    if changes.len() > limits::TERMS_CHANGES_MAX {
        return Err(ActRefusal::TooManyChanges);
    }
    changes.iter().try_fold(own, |before, change| {
        change.check(release, &before)?;
        Ok(change.terms.clone())
    })
}

acts! {
    about release;
    TermsChange: "terms-change"
}
