//! The transparency log: an append-only Merkle tree in tiles, with a signed checkpoint.
//!
//! The format is C2SP tlog-tiles and tlog-checkpoint, so that any such client reads it. Hashes are stored in the order
//! of the Go checksum database; who stores them is `store`'s part, through [`HashReader`].

use ed25519_dalek::Verifier as _;
use serde::{Deserialize, Serialize};
use signed_note::{Note, Signer, StandardVerifier, VerifierList};
pub use tlog_tiles::{Error as TreeError, HASH_SIZE, Hash, HashReader};
use tlog_tiles::{Tile, check_record, prove_record, record_hash, stored_hashes, tree_hash};

use crate::dsse::Envelope;
use crate::key::{PublicKey, SecretKey};
use crate::{Digest, canonical};

/// The height of a tile: 256 hashes. Fixed by C2SP tlog-tiles.
const TILE_HEIGHT: u8 = 8;

/// The width of a full tile.
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// Says why a proof or checkpoint was refused.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The checkpoint is not well formed.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// The log's key did not sign it.
    #[error("the checkpoint is not signed by `{0}`")]
    NotSigned(String),
    /// The Merkle arithmetic failed.
    #[error("the log's proof does not hold")]
    Proof(#[source] TreeError),
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Entry {
    /// A release. Embeds the publisher's own signed statement, so that the operator cannot invent one.
    Release {
        /// The publisher's envelope.
        statement: Envelope,
        /// The digest of this package's previous entry, so that a monitor can follow one package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<Digest>,
    },
}

impl Entry {
    /// Returns the bytes that are logged: canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self)
    }
}

/// A checkpoint that somebody saw: how large the tree was, and its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree.
    pub root: Digest,
}

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

/// The log's own key: Ed25519 under the log's name.
#[derive(Debug, Clone)]
pub struct LogKey {
    origin: String,
    secret: SecretKey,
}

impl LogKey {
    /// Names a key. `origin` must be non-empty and free of spaces and plus signs (C2SP signed-note).
    pub fn new(origin: &str, secret: SecretKey) -> Option<Self> {
        signed_note::is_key_name_valid(origin).then(|| Self { origin: origin.into(), secret })
    }

    /// Returns the log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the verifier key that clients are given: `name+id+base64`.
    pub fn verifier_key(&self) -> String {
        verifier_key(&self.origin, &self.secret.public())
    }

    /// Signs a checkpoint of `size` entries under `root`. Returns the note that is published.
    pub fn sign(&self, size: u64, root: Digest) -> String {
        let hash = Hash(*root.as_bytes());
        let text = tlog_tiles::Checkpoint::new(&self.origin, size, hash, "")
            .expect("the origin was checked when the key was made")
            .to_bytes();
        let mut note = Note::new(&text, &[]).expect("a checkpoint is a valid note");
        note.add_sigs(&[self]).expect("the key's name was checked when it was made");
        String::from_utf8(note.to_bytes()).expect("a note is UTF-8")
    }
}

impl Signer for LogKey {
    fn name(&self) -> &str {
        &self.origin
    }

    fn key_id(&self) -> u32 {
        let key = [&[1], self.secret.public().as_bytes().as_slice()].concat();
        signed_note::key_id(&self.origin, &key)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        let signature = self.secret.sign(message);
        // A checkpoint that does not verify would halt every client, so it is checked before it leaves.
        self.secret.public().dalek().verify(message, &ed25519_dalek::Signature::from_bytes(&signature))?;
        Ok(signature.to_vec())
    }
}

fn verifier_key(origin: &str, key: &PublicKey) -> String {
    signed_note::new_ed25519_verifier_key(origin, key.dalek())
}

/// Checks the signature of a published checkpoint and reads it.
pub fn open_checkpoint(note: &str, verifier_key: &str) -> Result<Checkpoint, LogError> {
    let not_signed = || LogError::NotSigned(verifier_key.chars().take(120).collect());
    let verifier = StandardVerifier::new(verifier_key).map_err(|_| not_signed())?;
    let note = Note::from_bytes(note.as_bytes()).map_err(|_| LogError::Malformed)?;
    let known = VerifierList::new(vec![Box::new(verifier)]);
    note.verify(&known).map_err(|_| not_signed())?;
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|_| LogError::Malformed)?;
    // The origin names the key that must have signed; any other would be another log's checkpoint.
    if verifier_key.split('+').next() != Some(checkpoint.origin()) {
        return Err(not_signed());
    }
    Ok(Checkpoint {
        origin: checkpoint.origin().into(),
        size: checkpoint.size(),
        root: Digest::from_bytes(checkpoint.hash().0),
    })
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

impl InclusionProof {
    /// Checks that `entry` is in the log that `verifier_key` signs. Returns the checkpoint that proves it.
    pub fn verify(&self, entry: &[u8], verifier_key: &str) -> Result<Checkpoint, LogError> {
        let checkpoint = open_checkpoint(&self.checkpoint, verifier_key)?;
        let hashes = self.hashes.iter().map(|hash| Hash(*hash.as_bytes())).collect();
        let root = Hash(*checkpoint.root.as_bytes());
        check_record(&hashes, checkpoint.size, root, self.index, record_hash(entry))
            .map_err(LogError::Proof)?;
        Ok(checkpoint)
    }
}

/// A file of the published log: its path under the log's root, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Such as `tile/0/x001/234` or `tile/entries/000.p/5`. See C2SP tlog-tiles, "Merkle Tree" and "Log entries".
    pub path: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Returns the hash tiles to write when the log grows from `old_size` to `new_size`.
pub fn hash_tiles(old_size: u64, new_size: u64, stored: &impl HashReader) -> Result<Vec<TileFile>, LogError> {
    Tile::new_tiles(TILE_HEIGHT, old_size, new_size)
        .into_iter()
        .map(|tile| {
            let path = tile_path(&tile.level().to_string(), tile.level_index(), u64::from(tile.width()));
            Ok(TileFile { path, bytes: tile.read_data(stored).map_err(LogError::Proof)? })
        })
        .collect()
}

/// Returns the ranges of entries whose bundles change when the log grows from `old_size` to `new_size`.
pub fn bundle_ranges(old_size: u64, new_size: u64) -> Vec<std::ops::Range<u64>> {
    let first = old_size / TILE_WIDTH;
    let last = new_size.div_ceil(TILE_WIDTH);
    (first..last).map(|n| n * TILE_WIDTH..((n + 1) * TILE_WIDTH).min(new_size)).collect()
}

/// Returns the entry bundle that holds `entries`, the first of which has index `start`.
///
/// # Panics
///
/// When an entry is longer than `limits::LOG_ENTRY_BYTES_MAX`, which is checked before it is appended.
pub fn bundle(start: u64, entries: &[Vec<u8>]) -> TileFile {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("entries are bounded when they are appended");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    TileFile { path: tile_path("entries", start / TILE_WIDTH, entries.len() as u64), bytes }
}

/// The C2SP path of a tile: the number in groups of three digits, all but the last with an `x`, and `.p/W` when it
/// is partial. The library's own path is the Go one, with a height in it.
fn tile_path(level: &str, number: u64, width: u64) -> String {
    let mut path = format!("{:03}", number % 1_000);
    let mut rest = number / 1_000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1_000);
        rest /= 1_000;
    }
    let partial = if width == TILE_WIDTH { String::new() } else { format!(".p/{width}") };
    format!("tile/{level}/{path}{partial}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stored(Vec<Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
            indexes
                .iter()
                .map(|i| self.0.get(*i as usize).copied().ok_or(TreeError::IndexesNotInTree))
                .collect()
        }
    }

    fn log_of(size: u64) -> Stored {
        let mut stored = Stored(Vec::new());
        for index in 0..size {
            let hashes =
                hashes_of_new_entry(index, format!("entry {index}").as_bytes(), &stored).expect("stored");
            stored.0.extend(hashes);
            assert_eq!(stored.0.len() as u64, stored_hash_count(index + 1));
        }
        stored
    }

    #[test]
    fn every_entry_is_provable_and_no_other() {
        let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("valid name");
        for size in [1, 2, 3, 7, 256, 257, 600] {
            let stored = log_of(size);
            let checkpoint = key.sign(size, root(size, &stored).expect("stored"));
            for index in [0, size / 2, size - 1] {
                let hashes = prove(index, size, &stored).expect("stored");
                let proof = InclusionProof { index, hashes, checkpoint: checkpoint.clone() };
                let entry = format!("entry {index}");
                let seen = proof.verify(entry.as_bytes(), &key.verifier_key()).expect("included");
                assert_eq!((seen.size, seen.origin.as_str()), (size, "example.org/log"));
                assert!(proof.verify(b"entry x", &key.verifier_key()).is_err());
                let elsewhere = InclusionProof { index: index + 1, ..proof };
                assert!(elsewhere.verify(entry.as_bytes(), &key.verifier_key()).is_err());
            }
        }
    }

    #[test]
    fn another_key_is_refused() {
        let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("valid name");
        let other = LogKey::new("example.org/log", SecretKey::from_seed(&[4; 32])).expect("valid name");
        let note = key.sign(0, Digest::of(""));
        assert!(open_checkpoint(&note, &key.verifier_key()).is_ok());
        assert!(open_checkpoint(&note, &other.verifier_key()).is_err());
        assert!(open_checkpoint(&note.replace("\n0\n", "\n1\n"), &key.verifier_key()).is_err());
        assert!(open_checkpoint("garbage", &key.verifier_key()).is_err());
        assert!(LogKey::new("with space", SecretKey::from_seed(&[3; 32])).is_none());
    }

    #[test]
    fn tile_paths_are_those_of_c2sp() {
        assert_eq!(tile_path("0", 0, 256), "tile/0/000");
        assert_eq!(tile_path("1", 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(tile_path("entries", 273, 67), "tile/entries/273.p/67");
        let stored = log_of(300);
        let paths: Vec<String> =
            hash_tiles(0, 300, &stored).expect("stored").into_iter().map(|tile| tile.path).collect();
        assert_eq!(paths, ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]);
        assert_eq!(bundle_ranges(250, 300), [0..256, 256..300]);
        assert_eq!(bundle(256, &[b"ab".to_vec()]).bytes, [0, 2, b'a', b'b']);
    }
}
