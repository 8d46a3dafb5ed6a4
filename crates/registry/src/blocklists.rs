//! Blocklists that the operator follows: what is on one does not run, is not published, and is not paid out.
//!
//! Somebody else [fetches](crate::Registry::take_blocklist) them: the registry says which are taken. What cannot be taken
//! changes nothing: the list before it counts on, and the operator is told why.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use glassbox_core::blocklist::{Blocklist, BlocklistError, Listed};
use glassbox_core::dsse::Envelope;
use glassbox_core::key::PublicKey;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::error::RegistryError;
use crate::live::Live;
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
                self.listed.entry(entry.about.clone()).or_insert(blocked);
            }
        }
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
            known.feeds.insert(key.to_string(), Feed { list, problem: None });
        }
        known.count();
        Ok(())
    }

    /// Takes what came from a feed: the bytes of a DSSE envelope. Returns whether there is anything new.
    pub async fn take_blocklist(&self, key: &PublicKey, bytes: &[u8]) -> Result<bool, RegistryError> {
        let read = |envelope: Envelope| Blocklist::open(&envelope, key).map(|list| (envelope, list));
        let opened = match serde_json::from_slice::<Envelope>(bytes) {
            Ok(envelope) => read(envelope),
            Err(error) => Err(BlocklistError::Signature(error.to_string())),
        };
        let checked = opened.and_then(|(envelope, list)| {
            let known = self.blocklists.read().unwrap_or_else(PoisonError::into_inner);
            let before = known.feeds.get(&key.to_string()).and_then(|feed| feed.list.as_ref());
            Ok((list.check(before, self.now())?, envelope, list))
        });
        let (new, envelope, list) = match checked {
            Ok(checked) => checked,
            Err(refused) => {
                self.note_blocklist(key, &refused.to_string());
                return Ok(false);
            }
        };
        if new {
            let statement = serde_json::to_string(&envelope).map_err(|_| RegistryError::Worker)?;
            self.store.keep_blocklist(&key.to_string(), list.sequence, statement).await?;
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
    pub(crate) fn listed(&self, about: &Listed) -> Option<Blocked> {
        self.blocklists.read().unwrap_or_else(PoisonError::into_inner).listed.get(about).cloned()
    }

    /// Returns the list that has a release: its package, whoever published it, or one of its components.
    pub(crate) fn blocked(&self, live: &Live) -> Option<Blocked> {
        // Every call asks, and most registries follow none.
        if self.config.blocklists.is_empty() {
            return None;
        }
        let components = [live.component].into_iter().chain(live.editions.components());
        let named = [Listed::Package(live.id.package.clone()), Listed::Publisher(live.publisher.to_string())];
        named.into_iter().chain(components.map(Listed::Component)).find_map(|about| self.listed(&about))
    }
}
