//! Releases that are held: which, why, and how they are let go.
//!
//! What a component may use of the host is written in it, so a release that suddenly asks for more is seen before anybody
//! runs it: the mark of most attacks by a stolen key is a patch that asks for the network. Such a release is published and
//! can be read; names resolve to it, and it runs, once a second key of its namespace confirms it or three days are over.

use std::sync::atomic::Ordering;

use glassbox_core::acts::Confirmation;
use glassbox_core::dsse::{DsseError, Envelope};
use glassbox_core::manifest::{HTTP_INTERFACE, Manifest};
use glassbox_core::{PackageName, PackageRef, Version};
use glassbox_store::ReleaseRow;
use tracing::error;

use crate::error::{CallError, RegistryError};
use crate::live::Live;
use crate::open::Registry;
use crate::package::{Listing, Package};
use crate::publish_error::PublishError;

/// Why a held release was not let go.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The release could not be found.
    #[error(transparent)]
    Find(#[from] RegistryError),
    /// It never was held.
    #[error("{0} is not held")]
    NotHeld(String),
    /// There is not exactly one signature, by a key that can be read.
    #[error("a confirmation has one signature, by an Ed25519 did:key")]
    Signature,
    /// The statement.
    #[error("the confirmation is not valid")]
    Statement(#[from] DsseError),
    /// It is about something else.
    #[error("the confirmation is not about {0} and its component")]
    Differs(String),
    /// The key is the publisher's, or none of the namespace's.
    #[error("{signer} is not a second key of the namespace")]
    NotSecond {
        /// Who signed.
        signer: String,
    },
}

impl ConfirmError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Find(error) => error.code(),
            Self::NotHeld(_) => "release-not-held",
            Self::Signature | Self::Statement(_) | Self::Differs(_) => "confirmation-invalid",
            Self::NotSecond { .. } => "confirmation-refused",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Find(error) => error.next(),
            Self::NotHeld(_) => "there is nothing to do".into(),
            Self::NotSecond { .. } => {
                "sign with a controller's key other than the one that published; without one, wait".into()
            }
            _ => "sign it with `glassbox confirm`".into(),
        }
    }
}

impl Registry {
    /// Says why a release shall be held: what it uses and the release before it did not, without a major version between
    /// them.
    pub(crate) async fn widened(&self, package: &Package) -> Result<Vec<String>, PublishError> {
        let (name, version) = (&package.manifest.package.name, &package.manifest.package.version);
        let Some(before) = self.predecessor(name, version).await? else { return Ok(Vec::new()) };
        let damaged = |_| PublishError::Worker;
        let listing: Listing = serde_json::from_str(&before.listing).map_err(damaged)?;
        let manifest = Manifest::read(&before.manifest).map_err(|_| PublishError::Worker)?;
        let used = Used::of(&listing.grants, &manifest);
        let more = Used::of(&package.listing().grants, &package.manifest).beyond(&used);
        let say = |what: String| format!("it uses {what}, and {} did not", before.id.version);
        Ok(more.into_iter().map(say).collect())
    }

    /// Returns the release that users of a new version come from: the highest below it that is compatible, and that was
    /// not stopped. A yanked one counts: whoever stole a key could yank them all before asking for more.
    async fn predecessor(
        &self,
        name: &PackageName,
        version: &Version,
    ) -> Result<Option<ReleaseRow>, PublishError> {
        let Some(package) = self.store.package(name).await? else { return Ok(None) };
        let now_ms = self.env.now_ms();
        for below in package.versions.iter().filter(|below| *below < version && is_compatible(below, version))
        {
            let id = name.at(below.clone());
            let is_held = self.store.held(&id).await?.is_some_and(|held| held.is_held(now_ms));
            if !is_held && !self.marks(&id).quarantine.set {
                return Ok(self.store.release(&id).await?);
            }
        }
        Ok(None)
    }

    /// Refuses a release that is held.
    pub(crate) fn check_held(&self, live: &Live) -> Result<(), CallError> {
        match &live.held {
            Some(held) if held.is_held(self.env.now_ms()) => Err(CallError::Held {
                release: live.id.to_string(),
                reasons: held.reasons.join("; "),
                until: crate::env::rfc3339(held.until),
            }),
            _ => Ok(()),
        }
    }

    /// Lets search show what is held no more.
    pub(crate) async fn show_let_go(&self) {
        let now_ms = self.env.now_ms();
        let since_ms = self.let_go_until_ms.load(Ordering::Relaxed);
        match self.store.show_let_go(since_ms, now_ms).await {
            Ok(()) => self.let_go_until_ms.store(now_ms, Ordering::Relaxed),
            Err(error) => error!(%error, "Could not show what is held no more"),
        }
    }

    /// Lets a held release go, by the word of a second key of its namespace.
    pub async fn confirm(&self, reference: &PackageRef, confirmation: Envelope) -> Result<(), ConfirmError> {
        let row = self.release_row(reference).await?;
        let held = self.store.held(&row.id).await.map_err(RegistryError::from)?;
        let Some(held) = held else { return Err(ConfirmError::NotHeld(row.id.to_string())) };
        let signer = confirmation.claimed_key().filter(|_| confirmation.signatures.len() == 1);
        let signer = signer.ok_or(ConfirmError::Signature)?;
        let said = confirmation.verify::<Confirmation>(&signer)?.predicate;
        if said.release != row.id || said.component != row.component {
            return Err(ConfirmError::Differs(row.id.to_string()));
        }
        let is_second =
            signer.to_string() != row.publisher && self.is_controller(&row.id.package, &signer).await?;
        if !is_second {
            return Err(ConfirmError::NotSecond { signer: signer.to_string() });
        }
        if held.confirmed_by.is_none() {
            let (by, now_ms) = (signer.to_string(), self.env.now_ms());
            let confirmed = self.store.confirm(&row.id, &by, &confirmation, now_ms).await;
            confirmed.map_err(RegistryError::from)?;
        }
        // Also where somebody else confirmed it before, and it was not heard here.
        self.forget_live(&row.id);
        Ok(())
    }
}

/// What a component uses of the host.
struct Used(Vec<String>);

impl Used {
    fn of(grants: &[String], manifest: &Manifest) -> Self {
        let name = |grant: &String| grant.split('@').next().unwrap_or(grant).to_owned();
        let mut used: Vec<String> = grants.iter().map(name).collect();
        if used.iter().any(|name| name == HTTP_INTERFACE) {
            used.extend(manifest.component.http.iter().map(ToString::to_string));
        }
        Self(used)
    }

    fn beyond(self, other: &Self) -> Vec<String> {
        self.0.into_iter().filter(|used| !other.0.contains(used)).collect()
    }
}

/// Tells whether users of `old` may be given `new` without being asked, by the rules of semantic versions: the leftmost number
/// that is not zero is the same.
fn is_compatible(old: &Version, new: &Version) -> bool {
    match (old.major, old.minor) {
        (0, 0) => (new.major, new.minor) == (0, 0),
        (0, minor) => (new.major, new.minor) == (0, minor),
        (major, _) => new.major == major,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_are_given_without_being_asked() {
        let is = |old: &str, new: &str| {
            is_compatible(&old.parse().expect("a version"), &new.parse().expect("a version"))
        };
        assert!(is("1.2.3", "1.9.0") && !is("1.2.3", "2.0.0") && is("0.2.3", "0.2.4"));
        assert!(!is("0.2.3", "0.3.0") && is("0.0.1", "0.0.2") && !is("0.9.0", "1.0.0"));
    }

    #[test]
    fn versions_of_interfaces_do_not_count_and_rules_do() {
        let used = |names: &[&str]| Used(names.iter().map(|name| (*name).to_owned()).collect());
        let old = used(&["wasi:clocks/wall-clock", "GET https://a.example/"]);
        let new = used(&["wasi:clocks/wall-clock", "https://a.example/"]);
        assert_eq!(new.beyond(&old), ["https://a.example/"]);
    }
}
