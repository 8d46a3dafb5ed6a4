//! Checkpoints: what the log's key signs, and reading one back.

use ed25519_dalek::Verifier as _;
use serde::{Deserialize, Serialize};
use signed_note::{Note, Signer, StandardVerifier, VerifierList};
use tlog_tiles::Hash;

use super::LogError;
use crate::Digest;
use crate::key::{PublicKey, SecretKey};

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
