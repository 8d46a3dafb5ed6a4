//! Works that derive from works: checked against the log when a release is published, found again when it is paid.
//!
//! A fork names each parent by release and by the digest of terms that the log has, so a parent is always older than
//! its fork, and there are no circles. What a parent passes on to its own parents is its own terms' business.

use std::collections::{BTreeMap, VecDeque};

use glassbox_core::manifest::{DerivedFrom, RoyaltyMode, Terms};
use glassbox_core::terms::Import;
use glassbox_core::{Digest, Hashed, ReleaseId, limits};

use crate::depend::exact;
use crate::error::RegistryError;
use crate::open::Registry;
use crate::package::Package;

/// Why a release cannot derive from another.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// There is no such release.
    #[error("there is no release {0} to derive from")]
    NotFound(ReleaseId),
    /// The release never had such terms.
    #[error("the log has no terms {terms} of {release}")]
    Differs {
        /// The parent.
        release: ReleaseId,
        /// What the manifest says of it.
        terms: Digest,
    },
    /// The release was yanked.
    #[error("{0} is yanked: {1}")]
    Yanked(ReleaseId, String),
    /// The operator stopped the release.
    #[error("{0} is quarantined: {1}")]
    Quarantined(ReleaseId, String),
    /// Its terms do not let others fork it.
    #[error("the terms of {0} do not let others fork it")]
    Denied(ReleaseId),
    /// It requires more of a fork.
    #[error("{release} requires {required} basis points of a fork, and is promised {share}")]
    RoyaltyTooLow {
        /// The parent.
        release: ReleaseId,
        /// What the manifest promises.
        share: u32,
        /// The least.
        required: u32,
    },
    /// A charge would be divided too often.
    #[error("there are more than {max} ways to works that it derives from", max = limits::ROYALTY_WAYS_MAX)]
    TooMany,
}

impl DerivationError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "parent-not-found",
            Self::Differs { .. } => "parent-differs",
            Self::Yanked(..) => "parent-yanked",
            Self::Quarantined(..) => "parent-quarantined",
            Self::Denied(_) => "fork-denied",
            Self::RoyaltyTooLow { .. } => "royalty-too-low",
            Self::TooMany => "parents-too-many",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::NotFound(_) | Self::Yanked(..) | Self::Quarantined(..) => {
                "derive from another version".into()
            }
            Self::Differs { .. } => {
                "let `glassbox fork` write it, or take `terms` from the release's statement".into()
            }
            Self::Denied(_) => "ask its publisher, or build what its interface and tests say anew".into(),
            Self::RoyaltyTooLow { required, .. } => {
                format!("write share = {required} in its [[derived-from]]")
            }
            Self::TooMany => "name fewer works in [[derived-from]]".into(),
        }
    }
}

impl Registry {
    /// Checks what a manifest says of the works that it derives from against the log.
    pub(crate) async fn check_parents(
        &self,
        package: &Package,
    ) -> Result<Result<(), DerivationError>, RegistryError> {
        let named = &package.manifest.derived_from;
        for parent in named {
            if let Err(refused) = self.check_parent(parent).await? {
                return Ok(Err(refused));
            }
        }
        // Each way to a work is a division of its own: a few works that derive from all of a few others have thousands.
        let (mut ways, mut level): (usize, Vec<DerivedFrom>) = (0, owed(named).cloned().collect());
        for _ in 0..limits::ROYALTY_DEPTH_MAX {
            ways += level.len();
            if ways > limits::ROYALTY_WAYS_MAX {
                return Ok(Err(DerivationError::TooMany));
            }
            let mut above = Vec::new();
            for parent in &level {
                let terms = self.terms_of(&parent.release, parent.terms).await?;
                above.extend(owed(&terms.more.derived_from).cloned());
            }
            level = above;
        }
        Ok(Ok(()))
    }

    /// Checks one parent.
    async fn check_parent(&self, parent: &DerivedFrom) -> Result<Result<(), DerivationError>, RegistryError> {
        let DerivedFrom { release, terms, share } = parent;
        let live = match self.live(&exact(release)).await {
            Ok(live) => live,
            Err(RegistryError::NoPackage(_) | RegistryError::NoRelease { .. }) => {
                return Ok(Err(DerivationError::NotFound(release.clone())));
            }
            Err(error) => return Err(error),
        };
        // Any that it ever had: what a fork was made under stands, also where its parent became cheaper.
        let Some(found) = live.had(*terms) else {
            return Ok(Err(DerivationError::Differs { release: release.clone(), terms: *terms }));
        };
        let yank = self.marks(release).yank;
        if yank.set {
            return Ok(Err(DerivationError::Yanked(release.clone(), yank.reason)));
        }
        if let Err(RegistryError::Quarantined { reason, .. }) = self.check_quarantine(&live) {
            return Ok(Err(DerivationError::Quarantined(release.clone(), reason)));
        }
        // By the newest terms: they may have brought the day nearer on which its licence opens.
        let today = self.today();
        let upstream = found.upstream_on(today).filter(|_| !live.terms.has_opened(today));
        let Some(upstream) = upstream else { return Ok(Ok(())) };
        if !upstream.allow_forks {
            return Ok(Err(DerivationError::Denied(release.clone())));
        }
        let lasting = upstream.royalty.as_ref().filter(|royalty| {
            royalty.mode == RoyaltyMode::Required
                && royalty.term.as_ref().is_none_or(|term| self.now() < term.after(live.published_at))
        });
        Ok(match lasting.map(|royalty| royalty.share) {
            Some(required) if *share < required => {
                Err(DerivationError::RoyaltyTooLow { release: release.clone(), share: *share, required })
            }
            _ => Ok(()),
        })
    }

    /// Returns the terms of the works that a bill and its split follow from: of dependencies that worked for it, and of all
    /// that they and the work itself derive from, as far up as is paid; and of `imports`, which could have cost something.
    pub(crate) async fn works(
        &self,
        terms: &Terms,
        worked: Vec<(ReleaseId, Digest)>,
        imports: &[Import],
    ) -> Result<BTreeMap<Digest, Terms>, RegistryError> {
        let parents = |terms: &Terms, height: u32| -> Vec<(ReleaseId, Digest, u32)> {
            let paid = owed(&terms.more.derived_from).filter(|_| height < limits::ROYALTY_DEPTH_MAX);
            paid.map(|parent| (parent.release.clone(), parent.terms, height + 1)).collect()
        };
        let mut works = BTreeMap::new();
        // In the order of their heights, so that no work is first found where its own parents are beyond what is paid.
        let worked = worked.into_iter().map(|(release, terms)| (release, terms, 0));
        let mut missing: VecDeque<_> = worked.collect();
        missing.extend(parents(terms, 0));
        while let Some((release, digest, height)) = missing.pop_front() {
            if works.contains_key(&digest) {
                continue;
            }
            let found = self.terms_of(&release, digest).await?;
            missing.extend(parents(&found, height));
            works.insert(digest, Terms::clone(&found));
        }
        for terms in imports.iter().flat_map(Import::works) {
            works.entry(terms.digest()).or_insert_with(|| Terms::clone(terms));
        }
        Ok(works)
    }

    /// Returns the terms of a release that have a digest, which was checked when something referred to it.
    async fn terms_of(&self, release: &ReleaseId, digest: Digest) -> Result<Hashed<Terms>, RegistryError> {
        let live = self.live(&exact(release)).await?;
        let others = || RegistryError::Damaged(release.to_string(), "it never had its terms".into());
        live.had(digest).ok_or_else(others)
    }
}

/// Returns the works that something is owed to.
fn owed(parents: &[DerivedFrom]) -> impl Iterator<Item = &DerivedFrom> {
    parents.iter().filter(|parent| parent.share > 0)
}
