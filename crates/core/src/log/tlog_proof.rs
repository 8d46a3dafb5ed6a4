//! One entry's proof as one text file, which is enough to check it offline. See C2SP tlog-proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::witness::{decimal, hash};
use super::{InclusionProof, LogError};
use crate::limits;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes of an inclusion proof: one for each level of the largest tree.
const HASHES_MAX: usize = 64;

/// A proof that travels alone: `c2sp.org/tlog-proof@v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Anything. Ours carry the entry itself, which the proof then vouches for.
    pub extra: Option<Vec<u8>>,
    /// Index, hashes and checkpoint.
    pub proof: InclusionProof,
}

impl TlogProof {
    /// The ending of such files.
    pub const EXTENSION: &str = "tlog-proof";

    /// Writes the file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.proof.index));
        for hash in &self.proof.hashes {
            text.push_str(&STANDARD.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.proof.checkpoint);
        text
    }

    /// Reads a file. Nothing in it is verified yet.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        if text.len() > limits::TLOG_PROOF_BYTES_MAX {
            return Err(LogError::Malformed);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(LogError::Malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(LogError::Malformed);
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                let extra = STANDARD.decode(extra).map_err(|_| LogError::Malformed)?;
                lines.next();
                Some(extra)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(LogError::Malformed)?;
        let hashes: Option<Vec<_>> = lines.take(HASHES_MAX + 1).map(hash).collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= HASHES_MAX).ok_or(LogError::Malformed)?;
        Ok(Self { extra, proof: InclusionProof { index, hashes, checkpoint: checkpoint.into() } })
    }
}
