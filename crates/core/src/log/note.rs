//! Signed notes, taken apart: the text, the signature lines, and the text form of keys. See C2SP signed-note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, Signature};

use super::LogError;
use crate::key::PublicKey;
use crate::limits;

/// What a key of a note signs, the first byte of its material. See C2SP signed-note, "Signature types".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The text of the note.
    Ed25519 = 0x01,
    /// The text under a time. See C2SP tlog-cosignature.
    CosignatureV1 = 0x04,
}

/// A note whose form is right, and whose signatures nobody has checked yet.
pub(super) struct Opened<'a> {
    /// What is signed: up to and including the newline before the blank line.
    pub(super) text: &'a str,
    /// The signatures, in their order.
    pub(super) signatures: Vec<Signature>,
}

pub(super) fn open(note: &str) -> Result<Opened<'_>, LogError> {
    if note.len() > limits::CHECKPOINT_BYTES_MAX {
        return Err(LogError::Malformed);
    }
    Note::from_bytes(note.as_bytes()).map_err(|_| LogError::Malformed)?;
    let (text, lines) = note.rsplit_once("\n\n").ok_or(LogError::Malformed)?;
    let signatures = lines.lines().map(|line| Signature::from_bytes(line.as_bytes()));
    Ok(Opened {
        text: &note[..text.len() + 1],
        signatures: signatures.collect::<Result<_, _>>().map_err(|_| LogError::Malformed)?,
    })
}

/// Returns what a signature line says of its key: the first four bytes of a digest over name and key.
pub(super) fn key_id(name: &str, algorithm: Algorithm, key: &PublicKey) -> u32 {
    signed_note::key_id(name, &material(algorithm, key))
}

/// Writes a verifier key: `name+id+base64`.
pub(super) fn encode_key(name: &str, algorithm: Algorithm, key: &PublicKey) -> String {
    let material = material(algorithm, key);
    format!("{name}+{:08x}+{}", signed_note::key_id(name, &material), STANDARD.encode(material))
}

/// Reads a verifier key that signs in this way, in the one spelling that [`encode_key`] has for it.
pub(super) fn decode_key(text: &str, algorithm: Algorithm) -> Option<(String, PublicKey)> {
    let (name, rest) = text.split_once('+').filter(|(name, _)| signed_note::is_key_name_valid(name))?;
    let (_, base64) = rest.split_once('+').filter(|(_, base64)| base64.len() <= 64)?;
    let material = STANDARD.decode(base64).ok()?;
    let key = PublicKey::from_bytes(material.strip_prefix(&[algorithm as u8])?.try_into().ok()?)?;
    (encode_key(name, algorithm, &key) == text).then(|| (name.to_owned(), key))
}

fn material(algorithm: Algorithm, key: &PublicKey) -> Vec<u8> {
    [&[algorithm as u8], key.as_bytes().as_slice()].concat()
}
