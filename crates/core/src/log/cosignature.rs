//! Cosignatures: who saw a checkpoint as the newest of its log, and when. See C2SP tlog-cosignature, version 1.
//!
//! Witnesses sign them, and so does the log itself, whose own cosignature says how fresh a checkpoint is. What a
//! cosigner must have checked before it signs, and whose cosignatures are enough, is for others to say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use signed_note::Signature;

use super::LogError;
use super::note::{self, Algorithm};
use crate::key::{PublicKey, SecretKey};

/// The bytes of a cosignature: the time and an Ed25519 signature.
const SIGNATURE_BYTES: usize = 8 + 64;

/// The latest time that the format allows, in Unix seconds.
const TIME_MAX: u64 = i64::MAX as u64;

/// Who cosigns: a name and a public key. Prints and parses as the verifier key `name+id+base64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CosignerKey {
    name: String,
    key: PublicKey,
}

/// Says that a text is not the verifier key of a cosigner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the verifier key of a cosigner")]
pub struct CosignerKeyError(String);

/// A cosigner's secret half.
#[derive(Debug, Clone)]
pub struct Cosigner {
    key: CosignerKey,
    secret: SecretKey,
}

/// What a signature line says that may be a cosignature. Only [`CosignerKey::verify`] tells whether it is one.
pub(super) struct Cosignature {
    /// When it says that it was made, in Unix seconds.
    pub(super) time_s: u64,
    signature: [u8; 64],
}

impl CosignerKey {
    /// Names a key. The name, best a URL without its scheme, must be free of spaces and plus signs.
    pub fn new(name: &str, key: PublicKey) -> Option<Self> {
        signed_note::is_key_name_valid(name).then(|| Self { name: name.into(), key })
    }

    /// Returns the cosigner's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the public key.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the key's id: the first four bytes of SHA-256 over name, newline, `04` and key.
    pub fn id(&self) -> u32 {
        note::key_id(&self.name, Algorithm::CosignatureV1, &self.key)
    }

    /// Returns when this cosigner signed `note`, in Unix seconds, or `None` where it did not.
    ///
    /// A line that is in its name and does not verify makes the whole note refused. Of several that do, the latest
    /// counts.
    pub fn verify(&self, note: &str) -> Result<Option<u64>, LogError> {
        let opened = note::open(note)?;
        let mut latest = None;
        for line in opened.signatures.iter().filter(|line| self.named_by(line)) {
            let cosignature = Cosignature::read(line).ok_or(LogError::Malformed)?;
            if !self.key.verifies(&message(opened.text, cosignature.time_s), &cosignature.signature) {
                return Err(LogError::NotSigned(self.to_string()));
            }
            latest = latest.max(Some(cosignature.time_s));
        }
        Ok(latest)
    }

    fn named_by(&self, line: &Signature) -> bool {
        line.name() == self.name && line.id() == self.id()
    }
}

impl Cosigner {
    /// Names a secret key, as [`CosignerKey::new`] does a public one.
    pub fn new(name: &str, secret: SecretKey) -> Option<Self> {
        Some(Self { key: CosignerKey::new(name, secret.public())?, secret })
    }

    /// Returns the public half.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Signs that `note` was the newest checkpoint of its log at `time_s`, in Unix seconds.
    ///
    /// Returns the line to send to the log, with its newline; [`attach`] puts it under a note. Whether the checkpoint
    /// deserves it is the caller's to know.
    pub fn cosign(&self, note: &str, time_s: u64) -> Result<String, LogError> {
        Ok(self.line(note::open(note)?.text, time_s.min(TIME_MAX)))
    }

    pub(super) fn line(&self, text: &str, time_s: u64) -> String {
        let signature = self.secret.sign(&message(text, time_s));
        let bytes = [time_s.to_be_bytes().as_slice(), &signature].concat();
        let line = Signature::new(self.key.name.clone(), self.key.id(), bytes);
        let line = line.expect("the name was checked when the key was made");
        String::from_utf8(line.to_bytes()).expect("a signature line is UTF-8")
    }
}

impl Cosignature {
    pub(super) fn read(line: &Signature) -> Option<Self> {
        let bytes: &[u8; SIGNATURE_BYTES] = line.signature().try_into().ok()?;
        let (time, signature) = bytes.split_first_chunk()?;
        let time_s = u64::from_be_bytes(*time);
        (time_s <= TIME_MAX).then_some(())?;
        Some(Self { time_s, signature: signature.try_into().ok()? })
    }
}

/// Puts signature lines, each with its newline, under a note. A line takes the place of one by the same key.
///
/// Nothing is verified, so only what was should be kept.
pub fn attach(note: &str, lines: &[String]) -> Result<String, LogError> {
    let opened = note::open(note)?;
    let read = |line: &String| {
        let line = line.strip_suffix('\n').filter(|line| !line.contains('\n'))?;
        Signature::from_bytes(line.as_bytes()).ok()
    };
    let added = lines.iter().map(read).collect::<Option<Vec<_>>>().ok_or(LogError::Malformed)?;
    let replaced = |old: &Signature| added.iter().any(|new| (new.name(), new.id()) == (old.name(), old.id()));
    let mut attached = format!("{}\n", opened.text);
    for line in opened.signatures.iter().filter(|old| !replaced(old)).chain(&added) {
        attached.push_str(&String::from_utf8_lossy(&line.to_bytes()));
    }
    note::open(&attached)?;
    Ok(attached)
}

/// What is signed. Its first line keeps it apart from every checkpoint, whose first line is the log's name.
fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("{HEADER}\ntime {time_s}\n{text}").into_bytes()
}

/// The first line of what is signed. No log may be called so.
pub(super) const HEADER: &str = "cosignature/v1";

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&note::encode_key(&self.name, Algorithm::CosignatureV1, &self.key))
    }
}

impl FromStr for CosignerKey {
    type Err = CosignerKeyError;

    fn from_str(text: &str) -> Result<Self, CosignerKeyError> {
        let (name, key) = note::decode_key(text, Algorithm::CosignatureV1)
            .ok_or_else(|| CosignerKeyError(text.chars().take(120).collect()))?;
        Ok(Self { name, key })
    }
}

impl From<CosignerKey> for String {
    fn from(key: CosignerKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for CosignerKey {
    type Error = CosignerKeyError;

    fn try_from(text: String) -> Result<Self, CosignerKeyError> {
        text.parse()
    }
}
