//! A monitor: reads a log from its first entry on, and comes to its tree and its map by itself.
//!
//! It believes what is in the entries and nothing else, so what it finds wrong anybody can find again. Where entries and
//! checkpoint come from, and whether the checkpoint is the newest, is for the caller to see to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::map::MemoryMap;
use super::{Change, Entry, Kind, SignedCheckpoint, Standing, Tree};
use crate::acts::TermsChange;
use crate::manifest::Terms;
use crate::terms::cheaper_or_equal;
use crate::{Digest, ReleaseId};

/// What a monitor knows after some entries.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    tree: Tree,
    standings: BTreeMap<String, Standing>,
    kinds: BTreeMap<&'static str, u64>,
    findings: Vec<Finding>,
    /// The terms of releases that were ever changed, which entries have whole. Those of others stand in manifests.
    changed: BTreeMap<ReleaseId, Terms>,
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// An entry that is not canonical JSON, or is about nothing that has a name.
    Unreadable {
        /// Its index.
        index: u64,
    },
    /// An entry whose statement is not signed by the keys that it names: the operator may have made it up.
    Unsigned {
        /// Its index.
        index: u64,
        /// What it is about.
        about: String,
    },
    /// An entry that does not name the one before it about the same thing: whoever follows that alone was misled.
    Unchained {
        /// Its index.
        index: u64,
        /// What it is about.
        about: String,
    },
    /// A change of terms that is not of those which stood: it was presented again, or nobody was asked.
    Unfounded {
        /// Its index.
        index: u64,
        /// What it is about.
        about: String,
    },
    /// A change of terms after another one that is dearer than that, whoever signed it.
    Dearer {
        /// Its index.
        index: u64,
        /// What it is about.
        about: String,
        /// What of it is dearer.
        what: String,
    },
    /// The checkpoint is of other entries.
    Root {
        /// What the entries come to.
        computed: Digest,
        /// What is signed.
        signed: Digest,
    },
    /// The checkpoint's map is not what the entries add up to: lookups are answered with something else.
    Map {
        /// What the entries add up to.
        computed: Digest,
        /// What is signed; absent where nothing is.
        signed: Option<Digest>,
    },
}

impl Monitor {
    /// Reads the next entry.
    pub fn push(&mut self, entry: &[u8]) {
        let index = self.tree.size();
        self.tree.push(entry);
        let read = serde_json::from_slice::<Entry>(entry).ok().filter(|read| read.to_bytes() == entry);
        let (Some(read), Some(change)) = (read, Change::of(entry)) else {
            return self.findings.push(Finding::Unreadable { index });
        };
        *self.kinds.entry(read.kind.as_str()).or_default() += 1;
        let about = change.about.clone();
        if read.statement.signers().is_err() {
            self.findings.push(Finding::Unsigned { index, about: about.clone() });
        }
        let before = self.standings.remove(&about);
        if read.previous != before.as_ref().map(|before| before.head) {
            self.findings.push(Finding::Unchained { index, about: about.clone() });
        }
        if read.kind == Kind::Terms {
            let stood = |change: &TermsChange| {
                let terms = before.as_ref().and_then(|before| before.terms.get(&change.release.version));
                terms == Some(&change.previous)
            };
            match Entry::terms_change(entry).filter(stood) {
                Some(change) => self.follow(index, &about, change),
                None => self.findings.push(Finding::Unfounded { index, about: about.clone() }),
            }
        }
        self.standings.insert(about, Standing::after(before, &change));
    }

    /// Takes over what a change says the terms are, and says where that is dearer than what the change before it said.
    fn follow(&mut self, index: u64, about: &str, change: TermsChange) {
        let TermsChange { release, terms, .. } = change;
        if let Some(before) = self.changed.get(&release)
            && let Err(dearer) = cheaper_or_equal(before, &terms)
        {
            self.findings.push(Finding::Dearer { index, about: about.to_owned(), what: dearer.to_string() });
        }
        self.changed.insert(release, terms);
    }

    /// Returns the tree of all entries read.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns what stands about everything that an entry was about, by its name.
    pub fn standings(&self) -> &BTreeMap<String, Standing> {
        &self.standings
    }

    /// Returns how many entries of each kind there were.
    pub fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.kinds
    }

    /// Returns the root of the map.
    pub fn map_root(&self) -> Digest {
        let leaves = self.standings.iter().map(|(about, standing)| (Digest::of(about), standing.digest()));
        MemoryMap::default().update(&leaves.collect())
    }

    /// Returns all that is wrong, where `signed` is the checkpoint of as many entries as were read.
    pub fn findings(&self, signed: &SignedCheckpoint) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        let root = self.tree.root();
        if root != signed.checkpoint.root {
            findings.push(Finding::Root { computed: root, signed: signed.checkpoint.root });
        }
        let map = self.map_root();
        if signed.map != Some(map) {
            findings.push(Finding::Map { computed: map, signed: signed.map });
        }
        findings
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { index } => write!(f, "entry {index} cannot be read"),
            Self::Unsigned { index, about } => write!(f, "entry {index} about `{about}` is not signed"),
            Self::Unchained { index, about } => {
                write!(f, "entry {index} about `{about}` does not name the one before it")
            }
            Self::Unfounded { index, about } => {
                write!(f, "entry {index} about `{about}` changes terms that did not stand")
            }
            Self::Dearer { index, about, what } => {
                write!(f, "entry {index} about `{about}` changes terms for dearer ones: {what}")
            }
            Self::Root { computed, signed } => {
                write!(f, "the entries come to {computed}, and {signed} is signed")
            }
            Self::Map { computed, signed: Some(signed) } => {
                write!(f, "the entries add up to the map {computed}, and {signed} is signed")
            }
            Self::Map { signed: None, .. } => write!(f, "the checkpoint has no map"),
        }
    }
}
