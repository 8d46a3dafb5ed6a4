//! Blocklists that the operator follows: what is on one does not run, is not published, and is not paid out.
//!
//! Somebody else [fetches](crate::Registry::take_blocklist) them: the registry says which are taken. What cannot be taken
//! changes nothing: the list before it counts on, and the operator is told why.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use glassbox_core::blocklist::{Blocklist, BlocklistError, Listed};
use glassbox_core::dsse::{Envelope, Signers};
use glassbox_core::key::PublicKey;
use glassbox_core::{Digest, PackageName};
use glassbox_pay::Address;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::error::RegistryError;
use crate::open::Registry;

/// What counts of the lists.
#[derive(Debug, Default)]
pub(crate) struct Blocklists {
    feeds: BTreeMap<String, Feed>,
    listed: HashMap<Listed, Blocked>,
}

#[derive(Debug, Default)]
struct Feed {
    list: Option<Blocklist>,
    /// Why the last that came was not taken.
    problem: Option<String>,
}

/// Something that is on a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the blocklist `{feed}` has `{about}`: {reason}")]
pub struct Blocked {
    /// What the list is called.
    pub feed: String,
    /// What is on it.
    pub about: Listed,
    /// Why.
    pub reason: String,
}

/// A feed, as its operator sees it.
#[derive(Debug, Clone)]
pub struct FeedView {
    /// Whose it is, as a `did:key`.
    pub key: String,
    /// The list that counts, where one was ever taken.
    pub list: Option<Blocklist>,
    /// Whether that is over, and no other came.
    pub stale: bool,
    /// Why the last that came was not taken.
    pub problem: Option<String>,
}

impl Blocklists {
    fn count(&mut self) {
        self.listed.clear();
        for list in self.feeds.values().filter_map(|feed| feed.list.as_ref()) {
            for entry in &list.entries {
                let blocked = Blocked {
                    feed: list.name.clone(),
                    about: entry.about.clone(),
                    reason: entry.reason.clone(),
                };
                self.listed.entry(spelled(&entry.about)).or_insert(blocked);
            }
        }
    }
}

/// Returns the one spelling of what is listed: chains and hosts do not tell the case of letters apart.
fn spelled(about: &Listed) -> Listed {
    match about {
        Listed::Payee(id) => Listed::Payee(match id.parse::<Address>() {
            Ok(address) => address.to_string(),
            Err(_) => id.to_ascii_lowercase(),
        }),
        other => other.clone(),
    }
}

impl Registry {
    /// Reads the lists that were taken before, of the feeds that are still followed.
    pub(crate) async fn read_blocklists(&self) -> Result<(), RegistryError> {
        let kept: BTreeMap<String, String> = self.store.blocklists().await?.into_iter().collect();
        let mut known = self.blocklists.write().unwrap_or_else(PoisonError::into_inner);
        for key in &self.config.blocklists {
            let statement = kept.get(&key.to_string());
            let envelope = statement.and_then(|statement| serde_json::from_str::<Envelope>(statement).ok());
            // It was checked when it was taken; the time of it may be over since.
            let list = envelope.and_then(|envelope| Blocklist::open(&envelope, key).ok());
            known.feeds.entry(key.to_string()).or_default().list = list;
        }
        known.count();
        Ok(())
    }

    /// Takes what came from a feed: the bytes of a DSSE envelope. Returns whether there is anything new.
    pub async fn take_blocklist(&self, key: &PublicKey, bytes: &[u8]) -> Result<bool, RegistryError> {
        let mut checked = self.check_blocklist(key, bytes);
        if let Ok((true, envelope, list)) = &checked {
            let statement = serde_json::to_string(envelope).map_err(|_| RegistryError::Worker)?;
            if !self.store.keep_blocklist(&key.to_string(), list.sequence, statement).await? {
                // Another was kept meanwhile, or this one by a write whose answer was lost: what is kept is what counts.
                self.read_blocklists().await?;
                checked = self.check_blocklist(key, bytes);
            }
        }
        let (new, _, list) = match checked {
            Ok(checked) => checked,
            Err(refused) => {
                self.note_blocklist(key, &refused.to_string());
                return Ok(false);
            }
        };
        if new {
            info!(
                feed = list.name,
                sequence = list.sequence,
                entries = list.entries.len(),
                "Took a blocklist"
            );
        }
        let mut known = self.blocklists.write().unwrap_or_else(PoisonError::into_inner);
        let feed = known.feeds.entry(key.to_string()).or_default();
        feed.problem = None;
        // Two may be taken at once, in either order.
        if feed.list.as_ref().is_none_or(|before| before.sequence < list.sequence) {
            feed.list = Some(list);
        }
        known.count();
        Ok(new)
    }

    /// Reads what came from a feed and compares it with the list that counts. Tells whether it takes that one's place.
    fn check_blocklist(
        &self,
        key: &PublicKey,
        bytes: &[u8],
    ) -> Result<(bool, Envelope, Blocklist), BlocklistError> {
        let envelope = serde_json::from_slice::<Envelope>(bytes);
        let envelope = envelope.map_err(|error| BlocklistError::Signature(error.to_string()))?;
        let list = Blocklist::open(&envelope, key)?;
        let known = self.blocklists.read().unwrap_or_else(PoisonError::into_inner);
        let before = known.feeds.get(&key.to_string()).and_then(|feed| feed.list.as_ref());
        Ok((list.check(before, self.now())?, envelope, list))
    }

    /// Notes why nothing was taken from a feed, for the operator.
    pub fn note_blocklist(&self, key: &PublicKey, problem: &str) {
        warn!(feed = %key, problem, "A blocklist was not taken");
        let mut known = self.blocklists.write().unwrap_or_else(PoisonError::into_inner);
        known.feeds.entry(key.to_string()).or_default().problem = Some(problem.to_owned());
    }

    /// Returns the feeds that are followed, and what became of them.
    pub fn blocklists(&self) -> Vec<FeedView> {
        let now: Timestamp = self.now();
        let known = self.blocklists.read().unwrap_or_else(PoisonError::into_inner);
        let view = |(key, feed): (&String, &Feed)| FeedView {
            key: key.clone(),
            stale: feed.list.as_ref().is_some_and(|list| list.expires <= now),
            list: feed.list.clone(),
            problem: feed.problem.clone(),
        };
        known.feeds.iter().map(view).collect()
    }

    /// Returns the list that has something.
    fn listed(&self, about: &Listed) -> Option<Blocked> {
        let known = self.blocklists.read().unwrap_or_else(PoisonError::into_inner);
        known.listed.get(&spelled(about)).cloned()
    }

    /// Returns the list that has a payee, by the id or by the address that is paid.
    pub(crate) fn listed_payee(&self, id: &str, to: Option<Address>) -> Option<Blocked> {
        let ids = [id.to_owned()].into_iter().chain(to.map(|to| to.to_string()));
        ids.map(Listed::Payee).find_map(|about| self.listed(&about))
    }

    /// Returns the list that has a release, whether it is there or still to be published: its package, any key that signed it,
    /// or one of its components.
    pub(crate) fn listed_release(
        &self,
        package: &PackageName,
        signers: &Signers,
        components: impl IntoIterator<Item = Digest>,
    ) -> Option<Blocked> {
        // Every call asks, and most registries follow none.
        if self.config.blocklists.is_empty() {
            return None;
        }
        let keys = signers.keys().iter().map(|key| Listed::Publisher(key.to_string()));
        let named = [Listed::Package(package.clone())].into_iter().chain(keys);
        let mut named = named.chain(components.into_iter().map(Listed::Component));
        named.find_map(|about| self.listed(&about))
    }
}
