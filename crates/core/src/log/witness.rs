//! What a witness decides: whether a checkpoint continues the one that it cosigned last. See C2SP tlog-witness.
//!
//! In two steps, because the second must be one transaction with remembering the outcome: [`AddCheckpoint::open`] looks
//! at the request alone, [`Submission::judge`] compares it with what the witness cosigned last.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::policy::KnownLog;
use super::{Checkpoint, LogError, SignedCheckpoint, check_consistency, note};
use crate::{Digest, limits};

/// A request to cosign: a checkpoint, and the proof that it continues an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness cosigned last, as the log believes.
    pub old_size: u64,
    /// The consistency proof from there.
    pub hashes: Vec<Digest>,
    /// The signed note.
    pub checkpoint: String,
}

/// A checkpoint that its log signed, and how it claims to continue an earlier one.
#[derive(Debug, Clone)]
pub struct Submission {
    checkpoint: Checkpoint,
    note: String,
    old_size: u64,
    hashes: Vec<Digest>,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// The request is not well formed.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// The log's key did not sign the checkpoint.
    #[error("the checkpoint is not signed by a key that this witness knows for its log")]
    NotSigned,
    /// The witness does not watch this log.
    #[error("this witness does not know the log `{0}`")]
    UnknownLog(String),
    /// The witness cosigned another size last: this one.
    #[error("the last cosigned checkpoint has {0} entries")]
    Conflict(u64),
    /// The checkpoint does not continue the last one.
    #[error("the checkpoint does not continue the one cosigned last")]
    Inconsistent,
}

impl AddCheckpoint {
    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<Self, WitnessRefusal> {
        let malformed = WitnessRefusal::Malformed;
        let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("it has no empty line"))?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or(malformed("its first line is not `old N`"))?;
        let hashes: Vec<Digest> = lines
            .take(limits::WITNESS_HASHES_MAX + 1)
            .map(hash)
            .collect::<Option<_>>()
            .ok_or(malformed("a line of its proof is not a hash"))?;
        if hashes.len() > limits::WITNESS_HASHES_MAX {
            return Err(malformed("its proof has more than 63 hashes"));
        }
        Ok(Self { old_size, hashes, checkpoint: checkpoint.into() })
    }

    /// Writes the body of a request.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.hashes {
            text.push_str(&STANDARD.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Checks what needs no memory: that a known log signed the checkpoint.
    pub fn open(self, logs: &[KnownLog]) -> Result<Submission, WitnessRefusal> {
        let malformed = |_| WitnessRefusal::Malformed("its checkpoint is not a signed note");
        let opened = note::open(&self.checkpoint).map_err(malformed)?;
        let origin = opened.text.split('\n').next().unwrap_or_default();
        let log = logs.iter().find(|log| log.origin() == origin);
        let log = log.ok_or_else(|| WitnessRefusal::UnknownLog(origin.chars().take(120).collect()))?;
        let signed = SignedCheckpoint::open(&self.checkpoint, &log.key).map_err(|error| match error {
            LogError::NotSigned(_) => WitnessRefusal::NotSigned,
            error => malformed(error),
        })?;
        let checkpoint = signed.checkpoint;
        if checkpoint.size > limits::LOG_ENTRIES_MAX {
            return Err(WitnessRefusal::Malformed("its checkpoint is larger than any log"));
        }
        if self.old_size > checkpoint.size {
            return Err(WitnessRefusal::Malformed("the old size is above the checkpoint's"));
        }
        // What nobody here verified is not passed on with our name under it.
        let own = opened.signatures.iter().filter(|line| line.name() == origin && line.id() == log.key_id());
        let mut note = format!("{}\n", opened.text);
        own.for_each(|line| note.push_str(&String::from_utf8_lossy(&line.to_bytes())));
        Ok(Submission { checkpoint, note, old_size: self.old_size, hashes: self.hashes })
    }
}

impl Submission {
    /// Returns the checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the signed note, with the log's signatures alone.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Decides whether to cosign, where `last` is what was cosigned last of this log.
    ///
    /// Remembering the checkpoint and asking again must be one transaction, or two requests that race could take the
    /// witness back.
    pub fn judge(&self, last: Option<&Checkpoint>) -> Result<(), WitnessRefusal> {
        let last_size = last.map_or(0, |last| last.size);
        if self.old_size != last_size {
            return Err(WitnessRefusal::Conflict(last_size));
        }
        let continues = match last {
            None => self.hashes.is_empty(),
            Some(last) => check_consistency(last, &self.checkpoint, &self.hashes).is_ok(),
        };
        // Every tree continues the empty one, which has but one root.
        let continues = continues && (self.checkpoint.size > 0 || self.checkpoint.root == Digest::of(""));
        if continues { Ok(()) } else { Err(WitnessRefusal::Inconsistent) }
    }
}

/// Reads a number in decimal, without leading zeroes or signs.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Reads a hash in base64.
pub(super) fn hash(line: &str) -> Option<Digest> {
    Some(Digest::from_bytes(STANDARD.decode(line).ok()?.try_into().ok()?))
}
