//! The proof that a receipt is logged: its place in a batch of its executor's, and the batch's place in the log.
//!
//! Everything that a verifier can compute is left out, so that the proof stays small: the batch's statement and its log
//! entry are written again from the numbers here and the executor's signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Receipt;
use crate::Digest;
use crate::acts::{ReceiptBatch, TermsChange};
use crate::dsse::DsseError;
use crate::hashed::Document as _;
use crate::key::PublicKey;
use crate::log::cosignature::{CosignerKey, CosignerKeyError};
use crate::log::{self, Checkpoint, Entry, Hash, HashReader, Kind, SignedCheckpoint, TreeError};
use crate::name::ReleaseId;
use crate::release::{Pinned, Release};

/// Proves that a receipt is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proof {
    /// The batch, and the receipt's place in it.
    pub batch: Batch,
    /// The place of the batch's entry in the log.
    pub entry: Place,
    /// What the price follows from: the entry by which the publisher set the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<LoggedTerms>,
    /// The checkpoint that they are in: a signed note, with the signatures of the keys below and no other.
    pub checkpoint: String,
    /// The verifier keys of the signatures, in their order: first the log's, then those of witnesses. They say who signed;
    /// whom to believe is the reader's to say.
    pub keys: Vec<String>,
}

/// A batch as its executor signed it, and a receipt's place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// The number of the batch's first receipt.
    pub from: u64,
    /// How many receipts it has.
    pub count: u64,
    /// The executor's signature, in base64.
    pub signature: String,
    /// The digest of the previous log entry about the executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The receipt's place.
    pub place: Place,
}

/// A place in a Merkle tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The index, counted from 0.
    pub index: u64,
    /// The hashes from the leaf up; as text one after the other, in base64.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub hashes: Vec<Digest>,
}

/// The log entry by which a publisher set the terms of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedTerms {
    /// The bytes of the entry: canonical JSON.
    pub entry: String,
    /// Its place in the log.
    pub place: Place,
}

/// The tree over a batch: what its root is, and where each receipt is in it.
#[derive(Debug, Default)]
pub struct BatchTree {
    count: u64,
    hashes: Vec<Hash>,
}

impl BatchTree {
    /// Makes the tree over the payload digests of receipts, in their order.
    pub fn of(receipts: impl IntoIterator<Item = Digest>) -> Self {
        let mut tree = Self::default();
        for receipt in receipts {
            let hashes = log::hashes_of_new_entry(tree.count, receipt.as_bytes(), &tree);
            tree.hashes.extend(hashes.expect("the tree has all of its hashes"));
            tree.count += 1;
        }
        tree
    }

    /// Returns the root.
    pub fn root(&self) -> Digest {
        log::root(self.count, self).expect("the tree has all of its hashes")
    }

    /// Returns the place of receipt `index`, where there is one.
    pub fn place(&self, index: u64) -> Option<Place> {
        let hashes = (index < self.count).then(|| log::prove(index, self.count, self))?;
        Some(Place { index, hashes: hashes.expect("the tree has all of its hashes") })
    }
}

impl HashReader for BatchTree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| self.hashes.get(*index as usize).copied().ok_or(TreeError::IndexesNotInTree);
        indexes.iter().map(read).collect()
    }
}

impl Batch {
    /// Returns the log entry of the batch that has this receipt.
    fn entry(&self, receipt: Digest, executor: &PublicKey) -> Result<Entry, String> {
        let &Self { from, count, ref place, .. } = self;
        let root = log::root_over(count, place.index, &place.hashes, receipt.as_bytes());
        let root = root.ok_or_else(|| format!("it is not number {} of {count}", place.index))?;
        let signature =
            STANDARD.decode(&self.signature).map_err(|_| "the batch's signature is not base64")?;
        let statement =
            ReceiptBatch { executor: *executor, from, count, root }.signed_by(executor, &signature);
        statement.verify::<ReceiptBatch>(executor).map_err(|_| "the executor did not sign such a batch")?;
        Ok(Entry { kind: Kind::Receipts, statement, previous: self.previous })
    }
}

impl Place {
    fn check(&self, log: &Checkpoint, entry: &[u8]) -> Result<(), String> {
        match log::root_over(log.size, self.index, &self.hashes, entry) {
            Some(root) if root == log.root => Ok(()),
            _ => Err(format!("it is not entry {} of {}", self.index, log.size)),
        }
    }
}

/// A checkpoint as a proof shows it.
pub(super) struct Seen {
    pub(super) log: Checkpoint,
    /// The witnesses, and when each saw it, in Unix seconds.
    pub(super) witnesses: Vec<(String, u64)>,
}

impl Proof {
    /// Opens the checkpoint: who logged, up to where, and who saw it.
    pub(super) fn open(&self) -> Result<Seen, String> {
        let (log, witnesses) = self.keys.split_first().ok_or("the proof names no key of a log")?;
        // A key id has two spellings, and the file one.
        let ids = self.keys.iter().filter_map(|key| key.split('+').nth(1));
        if ids.flat_map(str::bytes).any(|byte| byte.is_ascii_uppercase()) {
            return Err("a key's id is not in small letters".into());
        }
        let signed = SignedCheckpoint::open(&self.checkpoint, log).map_err(|error| error.to_string())?;
        let cosigned = |text: &String| {
            let key: CosignerKey = text.parse().map_err(|error: CosignerKeyError| error.to_string())?;
            let seen = key.verify(&self.checkpoint).map_err(|error| error.to_string())?;
            let time_s = seen.ok_or_else(|| format!("{} did not sign the checkpoint", key.name()))?;
            Ok((key.name().to_owned(), time_s))
        };
        let witnesses = witnesses.iter().map(cosigned).collect::<Result<Vec<_>, String>>()?;
        // Nor may there be a signature that nobody checked.
        let checked = 1 + usize::from(signed.time_s.is_some()) + witnesses.len();
        let signatures = self.checkpoint.lines().filter(|line| line.starts_with("— ")).count();
        if signatures != checked {
            return Err(format!(
                "the checkpoint has {signatures} signatures, {checked} by the keys that are named"
            ));
        }
        Ok(Seen { log: signed.checkpoint, witnesses })
    }

    /// Checks that the receipt with this digest of its payload is in the batch, and the batch in the log.
    pub(super) fn check_batch(
        &self,
        payload: Digest,
        executor: &PublicKey,
        log: &Checkpoint,
    ) -> Result<(), String> {
        self.entry.check(log, &self.batch.entry(payload, executor)?.to_bytes())
    }

    /// Checks that the receipt's terms are what the publisher set, in an entry that the executor could see. Returns who
    /// signed it.
    pub(super) fn check_terms(&self, receipt: &Receipt, log: &Checkpoint) -> Option<Result<String, String>> {
        let LoggedTerms { entry, place } = self.terms.as_ref()?;
        Some(place.check(log, entry.as_bytes()).and_then(|()| {
            if place.index >= receipt.checkpoint.size {
                return Err(format!("entry {} came after the call", place.index));
            }
            let signers = signers(entry, receipt)?;
            Ok(format!("entry {} of the log, signed by {signers}", place.index))
        }))
    }
}

/// Returns who signed an entry that sets the terms of a receipt.
fn signers(entry: &str, receipt: &Receipt) -> Result<String, String> {
    let entry: Entry = serde_json::from_str(entry).map_err(|error| error.to_string())?;
    let odd = |error: DsseError| error.to_string();
    let sets = |release: &ReleaseId, terms: Digest, manifest, component, files, pins: &[Pinned]| {
        (release, terms) == (&receipt.release, receipt.terms)
            && (component, files) == (receipt.component, receipt.files)
            && receipt.manifest.is_none_or(|expected: Digest| manifest == expected)
            && receipt.links(pins)
    };
    let (sets, signers) = match entry.kind {
        Kind::Release => {
            let (signed, signers) = entry.statement.open::<Release>().map_err(odd)?;
            let component = signed.predicate.component_of(&receipt.function);
            let Release { release, terms, manifest, files, dependencies, .. } = signed.predicate;
            (sets(&release, terms, manifest, component, files, &dependencies), signers)
        }
        Kind::Terms => {
            let (signed, signers) = entry.statement.open::<TermsChange>().map_err(odd)?;
            let TermsChange { release, terms, manifest, component, files, dependencies, editions, .. } =
                signed.predicate;
            let component = editions.component_of(&receipt.function).unwrap_or(component);
            (sets(&release, terms.compute_digest(), manifest, component, files, &dependencies), signers)
        }
        _ => return Err("the entry sets no terms".into()),
    };
    let names: Vec<String> = signers.keys().iter().map(ToString::to_string).collect();
    if sets { Ok(names.join(" and ")) } else { Err("the entry does not set the terms of this call".into()) }
}

fn to_base64<S: Serializer>(hashes: &[Digest], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(serde::de::Error::custom("hashes have 32 bytes each"));
    }
    Ok(hashes.iter().copied().map(Digest::from_bytes).collect())
}
