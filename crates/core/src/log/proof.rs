//! The tree's arithmetic: what is stored for a new entry, roots, and proofs of inclusion.

use serde::{Deserialize, Serialize};
use tlog_tiles::{
    Hash, HashReader, check_record, check_tree, node_hash, prove_record, prove_tree, record_hash,
    stored_hashes, tree_hash,
};

use super::{Checkpoint, LogError, TreeError, open_checkpoint};
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

/// Proves that the tree of `size` entries begins with the tree of `old_size` entries. See RFC 6962, section 2.1.2.
///
/// Nothing is needed to prove it of the empty tree, nor of the same size.
pub fn prove_consistency(
    old_size: u64,
    size: u64,
    stored: &impl HashReader,
) -> Result<Vec<Digest>, LogError> {
    if old_size == 0 || old_size == size {
        return Ok(Vec::new());
    }
    let hashes = prove_tree(size, old_size, stored).map_err(LogError::Proof)?;
    Ok(hashes.into_iter().map(|hash| Digest::from_bytes(hash.0)).collect())
}

/// Checks that the tree of `new` begins with the tree of `old`: that nothing was taken back or changed in between.
///
/// Both are of one log, which the caller has seen to.
pub fn check_consistency(old: &Checkpoint, new: &Checkpoint, proof: &[Digest]) -> Result<(), LogError> {
    if old.size == 0 || old.size == new.size {
        let same = old.size == 0 || old.root == new.root;
        return if same && proof.is_empty() { Ok(()) } else { Err(LogError::Proof(TreeError::InvalidProof)) };
    }
    let [old_root, new_root] = [old, new].map(|checkpoint| Hash(*checkpoint.root.as_bytes()));
    let proof = proof.iter().map(|hash| Hash(*hash.as_bytes())).collect();
    check_tree(&proof, new.size, new_root, old.size, old_root).map_err(LogError::Proof)
}

/// Returns the root that a tree of `size` entries must have for `leaf` to be its number `index`, where the `hashes` from
/// the leaf up are as many as that takes. See RFC 9162, section 2.1.3.2.
pub fn root_over(size: u64, index: u64, hashes: &[Digest], leaf: &[u8]) -> Option<Digest> {
    let (mut left, mut last) = (index, size.checked_sub(1).filter(|last| index <= *last)?);
    let mut root = record_hash(leaf);
    for hash in hashes.iter().map(|hash| Hash(*hash.as_bytes())) {
        if last == 0 {
            return None;
        }
        if left % 2 == 1 || left == last {
            root = node_hash(hash, root);
            // The last of an odd number has no sibling on some levels.
            while left % 2 == 0 && left != 0 {
                (left, last) = (left / 2, last / 2);
            }
        } else {
            root = node_hash(root, hash);
        }
        (left, last) = (left / 2, last / 2);
    }
    (last == 0).then(|| Digest::from_bytes(root.0))
}

impl InclusionProof {
    /// Checks that `entry` is in the log that `verifier_key` signs. Returns the checkpoint that proves it.
    pub fn verify(&self, entry: &[u8], verifier_key: &str) -> Result<Checkpoint, LogError> {
        let checkpoint = open_checkpoint(&self.checkpoint, verifier_key)?;
        self.includes(entry, &checkpoint)?;
        Ok(checkpoint)
    }

    /// Checks that `entry` is in the tree of a checkpoint that is trusted already: the proof's own, or any of that tree.
    pub fn includes(&self, entry: &[u8], checkpoint: &Checkpoint) -> Result<(), LogError> {
        let hashes = self.hashes.iter().map(|hash| Hash(*hash.as_bytes())).collect();
        let root = Hash(*checkpoint.root.as_bytes());
        check_record(&hashes, checkpoint.size, root, self.index, record_hash(entry)).map_err(LogError::Proof)
    }
}
