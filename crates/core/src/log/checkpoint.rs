//! Checkpoints: what the log's key signs, and reading one back.

use serde::{Deserialize, Serialize};
use signed_note::{Note, Signature};
use tlog_tiles::Hash;

use super::LogError;
use super::cosignature::{Cosigner, CosignerKey, HEADER};
use super::note::{self, Algorithm};
use crate::Digest;
use crate::key::SecretKey;

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

/// What the extension line of a checkpoint begins with that holds the root of the map.
const MAP_LINE: &str = "map ";

/// A checkpoint with all that its signed note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The tree.
    pub checkpoint: Checkpoint,
    /// The root of the map that the entries add up to, in the line `map sha256:…`. Absent in checkpoints of before there
    /// was one.
    pub map: Option<Digest>,
    /// When the log said last that this is its newest tree, in Unix seconds. Absent where it gave no time.
    pub time_s: Option<u64>,
}

/// The log's own key: Ed25519 under the log's name.
///
/// It signs each checkpoint twice: as it is, for every client of signed notes, and under the time, as a cosigner, so
/// that a client can tell a fresh checkpoint from one that is held back from it.
#[derive(Debug, Clone)]
pub struct LogKey {
    secret: SecretKey,
    cosigner: Cosigner,
}

impl LogKey {
    /// Names a key. `origin` must be non-empty and free of spaces and plus signs (C2SP signed-note).
    pub fn new(origin: &str, secret: SecretKey) -> Option<Self> {
        // A log of that name would sign checkpoints that read as somebody's cosignature.
        let cosigner = Cosigner::new(origin, secret.clone()).filter(|_| origin != HEADER)?;
        Some(Self { secret, cosigner })
    }

    /// Returns the log's name.
    pub fn origin(&self) -> &str {
        self.cosigner.key().name()
    }

    /// Returns the verifier key that clients are given: `name+id+base64`.
    pub fn verifier_key(&self) -> String {
        note::encode_key(self.origin(), Algorithm::Ed25519, &self.secret.public())
    }

    /// Signs that the tree of `size` entries under `root`, which add up to the map under `map`, is the newest at
    /// `time_s`, in Unix seconds. Returns the note that is published.
    pub fn sign(&self, size: u64, root: Digest, map: Digest, time_s: u64) -> String {
        let hash = Hash(*root.as_bytes());
        let extension = format!("{MAP_LINE}{map}\n");
        let text = tlog_tiles::Checkpoint::new(self.origin(), size, hash, &extension)
            .expect("the origin was checked when the key was made")
            .to_bytes();
        let text = String::from_utf8(text).expect("a checkpoint is UTF-8");
        let signature = self.secret.sign(text.as_bytes());
        // A checkpoint that does not verify would halt every client, so it is checked before it leaves.
        assert!(
            self.secret.public().verifies(text.as_bytes(), &signature),
            "a signature that does not verify"
        );
        let id = note::key_id(self.origin(), Algorithm::Ed25519, &self.secret.public());
        let line = Signature::new(self.origin().into(), id, signature.to_vec());
        let line = line.expect("the origin was checked when the key was made");
        let note = Note::new(text.as_bytes(), &[line]).expect("a checkpoint is a valid note");
        let note = String::from_utf8(note.to_bytes()).expect("a note is UTF-8");
        note + &self.cosigner.line(&text, time_s)
    }
}

impl Checkpoint {
    /// Reads what a note claims, without checking who signed it.
    pub fn claimed(note: &str) -> Result<Self, LogError> {
        read(note::open(note)?.text).map(|(checkpoint, _)| checkpoint)
    }
}

/// Reads the text of a checkpoint: the tree, and the root of the map.
fn read(text: &str) -> Result<(Checkpoint, Option<Digest>), LogError> {
    let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).map_err(|_| LogError::Malformed)?;
    let mut map_lines = read.extension().lines().filter_map(|line| line.strip_prefix(MAP_LINE));
    let map = map_lines.next().map(str::parse).transpose().map_err(|_| LogError::Malformed)?;
    // Two roots would be two maps, and each reader could be shown another.
    if map_lines.next().is_some() {
        return Err(LogError::Malformed);
    }
    let root = Digest::from_bytes(read.hash().0);
    Ok((Checkpoint { origin: read.origin().into(), size: read.size(), root }, map))
}

/// Checks the signature of a published checkpoint and reads it.
pub fn open_checkpoint(note: &str, verifier_key: &str) -> Result<Checkpoint, LogError> {
    SignedCheckpoint::open(note, verifier_key).map(|signed| signed.checkpoint)
}

impl SignedCheckpoint {
    /// Checks the log's signatures of a published checkpoint and reads all that it says.
    pub fn open(note: &str, verifier_key: &str) -> Result<Self, LogError> {
        let not_signed = || LogError::NotSigned(verifier_key.chars().take(120).collect());
        let (origin, key) = note::decode_key(verifier_key, Algorithm::Ed25519).ok_or_else(not_signed)?;
        let opened = note::open(note)?;
        let id = note::key_id(&origin, Algorithm::Ed25519, &key);
        let mut own =
            opened.signatures.iter().filter(|line| (line.name(), line.id()) == (&origin, id)).peekable();
        if own.peek().is_none() || !own.all(|line| key.verifies(opened.text.as_bytes(), line.signature())) {
            return Err(not_signed());
        }
        let (checkpoint, map) = read(opened.text)?;
        // The origin names the key that must have signed; any other would be another log's checkpoint.
        if checkpoint.origin != origin {
            return Err(not_signed());
        }
        let own = CosignerKey::new(&origin, key).ok_or_else(not_signed)?;
        Ok(Self { checkpoint, map, time_s: own.verify(note)? })
    }
}
