//! The book: every transaction that was signed, on disk before it is broadcast.
//!
//! A nonce belongs to one submission for ever, and its later transactions replace the earlier ones. What became of them
//! is not written down: the chain knows, and may change its mind.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::{Address, hex};
use serde::{Deserialize, Serialize};

use super::transaction::Signed;
use crate::error::PayError;
use crate::journal::{Header, Journal};

/// One line of the journal.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// The id of the submission.
    id: String,
    /// The transaction's hash.
    hash: String,
    /// The signed transaction.
    raw: String,
    /// When it was signed, as a Unix second.
    time_s: u64,
    /// The latest block then.
    block: u64,
}

/// A transaction that was signed for a submission.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) signed: Signed,
    pub(super) time_s: u64,
    pub(super) block: u64,
}

impl Attempt {
    pub(super) fn nonce(&self) -> u64 {
        self.signed.transaction.nonce
    }
}

#[derive(Default)]
struct Pages {
    /// The attempts of each submission, in order.
    submissions: HashMap<String, Vec<Arc<Attempt>>>,
    /// Whose each nonce is.
    owners: BTreeMap<u64, String>,
    /// Why nothing more is signed: after a failed write nobody knows what is on disk.
    broken: Option<String>,
}

pub(super) struct Book {
    pages: Mutex<Pages>,
    journal: Arc<Mutex<Journal>>,
}

impl Book {
    /// Opens the book of one account on the chain with this first block.
    pub(super) fn open(
        path: &Path,
        account: Address,
        chain_id: u64,
        genesis: String,
    ) -> Result<Self, PayError> {
        // Another account's nonces mean nothing here.
        let header =
            Header { journal: format!("glassbox-rpc/1 of {account}"), chain_id, genesis: Some(genesis) };
        let (journal, entries) = Journal::open::<Entry>(path, &header)?;
        let mut pages = Pages::default();
        for (index, entry) in entries.into_iter().enumerate() {
            // The header is line 1.
            let damaged =
                |reason| PayError::JournalDamaged { path: path.to_owned(), line: index + 2, reason };
            let (id, attempt) = read(entry).map_err(damaged)?;
            pages.add(id, attempt).map_err(damaged)?;
        }
        Ok(Self { pages: Mutex::new(pages), journal: Arc::new(Mutex::new(journal)) })
    }

    /// Returns the attempts of a submission that share its latest nonce, in order.
    pub(super) fn attempts(&self, id: &str) -> Vec<Arc<Attempt>> {
        let pages = self.pages();
        let all = pages.submissions.get(id).map_or(&[][..], Vec::as_slice);
        let latest = all.last().map(|attempt| attempt.nonce());
        all.iter().filter(|attempt| Some(attempt.nonce()) == latest).cloned().collect()
    }

    /// Returns the attempts with this nonce.
    pub(super) fn attempts_at(&self, nonce: u64) -> Vec<Arc<Attempt>> {
        let pages = self.pages();
        let owner = pages.owners.get(&nonce).and_then(|id| pages.submissions.get(id));
        let all = owner.map_or(&[][..], Vec::as_slice);
        all.iter().filter(|attempt| attempt.nonce() == nonce).cloned().collect()
    }

    /// Returns the next free nonce, when so many of the account's transactions are in blocks.
    pub(super) fn next_nonce(&self, mined: u64) -> u64 {
        let last = self.pages().owners.last_key_value().map(|(nonce, _)| nonce.saturating_add(1));
        last.unwrap_or(0).max(mined)
    }

    /// Returns how many nonces were given: as long as that is the same, nothing new was signed.
    pub(super) fn signed(&self) -> usize {
        self.pages().owners.len()
    }

    /// Returns whose a nonce is.
    pub(super) fn owner(&self, nonce: u64) -> Option<String> {
        self.pages().owners.get(&nonce).cloned()
    }

    /// Returns why nothing more is signed.
    pub(super) fn broken(&self) -> Option<String> {
        self.pages().broken.clone()
    }

    /// Writes an attempt down. It is on disk when this returns.
    pub(super) async fn write(&self, id: &str, attempt: Attempt) -> Result<(), PayError> {
        if let Some(reason) = self.broken() {
            return Err(PayError::JournalBroken(reason));
        }
        let entry = Entry {
            id: id.to_owned(),
            hash: attempt.signed.hash.to_string(),
            raw: hex::encode_prefixed(&attempt.signed.raw),
            time_s: attempt.time_s,
            block: attempt.block,
        };
        let journal = Arc::clone(&self.journal);
        let written = tokio::task::spawn_blocking(move || {
            journal.lock().unwrap_or_else(PoisonError::into_inner).append(&entry)
        });
        let written = written.await.map_err(|error| error.to_string());
        let written = written.and_then(|written| written.map_err(|error| error.to_string()));
        let mut pages = self.pages();
        let added = written.and_then(|()| pages.add(id.to_owned(), attempt));
        added.map_err(|reason| {
            tracing::error!(error = %reason, "Signs nothing more: the journal cannot be written");
            pages.broken = Some(reason.clone());
            PayError::JournalBroken(reason)
        })
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn add(&mut self, id: String, attempt: Attempt) -> Result<(), String> {
        let nonce = attempt.nonce();
        let owner = self.owners.entry(nonce).or_insert_with(|| id.clone());
        if *owner != id {
            return Err(format!("the nonce {nonce} belongs to two submissions"));
        }
        self.submissions.entry(id).or_default().push(Arc::new(attempt));
        Ok(())
    }
}

fn read(entry: Entry) -> Result<(String, Attempt), String> {
    let raw = hex::decode(&entry.raw).map_err(|error| error.to_string())?;
    let signed = Signed::read(raw.into())?;
    if signed.hash.to_string() != entry.hash {
        return Err(format!("the hash is not that of the transaction, {}", signed.hash));
    }
    Ok((entry.id, Attempt { signed, time_s: entry.time_s, block: entry.block }))
}
