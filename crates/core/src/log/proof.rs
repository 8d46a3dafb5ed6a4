//! The tree's arithmetic: what is stored for a new entry, roots, and proofs of inclusion.

use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, HashReader, check_record, prove_record, record_hash, stored_hashes, tree_hash};

use super::{Checkpoint, LogError, open_checkpoint};
use crate::Digest;

/// Proves that an entry is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The entry's index, counted from 0.
    pub index: u64,
    /// The hashes from the leaf up.
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, as a note.
    pub checkpoint: String,
}

/// Returns the hashes to append to the stored ones when `entry` becomes number `index` of the log.
pub fn hashes_of_new_entry(
    index: u64,
    entry: &[u8],
    stored: &impl HashReader,
) -> Result<Vec<Hash>, LogError> {
    stored_hashes(index, entry, stored).map_err(LogError::Proof)
}

/// Returns how many hashes are stored for a log of `size` entries.
pub fn stored_hash_count(size: u64) -> u64 {
    tlog_tiles::stored_hash_count(size)
}

/// Returns the root of the tree of the first `size` entries.
pub fn root(size: u64, stored: &impl HashReader) -> Result<Digest, LogError> {
    tree_hash(size, stored).map(|hash| Digest::from_bytes(hash.0)).map_err(LogError::Proof)
}

/// Proves that entry `index` is in the tree of `size` entries.
pub fn prove(index: u64, size: u64, stored: &impl HashReader) -> Result<Vec<Digest>, LogError> {
    let hashes = prove_record(size, index, stored).map_err(LogError::Proof)?;
    Ok(hashes.into_iter().map(|hash| Digest::from_bytes(hash.0)).collect())
}

/// Checks that `leaf` is number `index` of the tree of `size` entries under `root`.
pub fn check_place(
    size: u64,
    root: Digest,
    index: u64,
    hashes: &[Digest],
    leaf: &[u8],
) -> Result<(), LogError> {
    let hashes = hashes.iter().map(|hash| Hash(*hash.as_bytes())).collect();
    check_record(&hashes, size, Hash(*root.as_bytes()), index, record_hash(leaf)).map_err(LogError::Proof)
}

impl InclusionProof {
    /// Checks that `entry` is in the log that `verifier_key` signs. Returns the checkpoint that proves it.
    pub fn verify(&self, entry: &[u8], verifier_key: &str) -> Result<Checkpoint, LogError> {
        let checkpoint = open_checkpoint(&self.checkpoint, verifier_key)?;
        check_place(checkpoint.size, checkpoint.root, self.index, &self.hashes, entry)?;
        Ok(checkpoint)
    }
}
