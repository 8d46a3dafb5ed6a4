//! The transparency log: an append-only Merkle tree in tiles, with a signed checkpoint.
//!
//! The format is C2SP tlog-tiles and tlog-checkpoint, so that any such client reads it. Hashes are stored in the order
//! of the Go checksum database; who stores them is `store`'s part, through [`HashReader`].

mod checkpoint;
pub mod cosignature;
mod entry;
pub mod map;
mod monitor;
mod note;
mod policy;
mod proof;
mod reader;
mod standing;
mod tile;
mod tlog_proof;
mod witness;

#[cfg(test)]
mod cosignature_tests;
#[cfg(test)]
mod map_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;
#[cfg(test)]
mod vector_tests;

pub use tlog_tiles::{Error as TreeError, HASH_SIZE, Hash, HashReader};

pub use checkpoint::{Checkpoint, LogKey, SignedCheckpoint, open_checkpoint};
pub use cosignature::{Cosigner, CosignerKey};
pub use entry::{Entry, Kind};
pub use map::MapProof;
pub use monitor::{Finding, Monitor};
pub use policy::{Distrust, Freshness, KnownLog, KnownWitness, LogPolicy, LogPolicyError, Trusted};
pub use proof::{
    InclusionProof, check_consistency, hashes_of_new_entry, prove, prove_consistency, root, root_over,
    stored_hash_count,
};
pub use reader::{LogFiles, ReadError, Tree, prove_inclusion, root_at};
pub use standing::{Change, Standing, StandingProof};
pub use tile::{Tile, TilePathError, bundle, check_tiles, entries_of_bundle, tiles};
pub use tlog_proof::TlogProof;
pub use witness::{AddCheckpoint, Submission, WitnessRefusal};

/// Says why a proof or checkpoint was refused.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The checkpoint is not well formed.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// The log's key did not sign it.
    #[error("the checkpoint is not signed by `{0}`")]
    NotSigned(String),
    /// A text is not a key.
    #[error("`{0}` is not the verifier key of a log")]
    NotAKey(String),
    /// The Merkle arithmetic failed.
    #[error("the log's proof does not hold")]
    Proof(#[source] TreeError),
    /// A proof over the map does not hold.
    #[error("the map's proof does not hold")]
    Map,
}
