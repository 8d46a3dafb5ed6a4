//! What is said of executors: by themselves, and by whoever found one out.

use serde::{Deserialize, Serialize};

use super::Act;
use crate::Digest;
use crate::dsse::{Envelope, Subject};
use crate::key::PublicKey;

/// What an executor says of itself. Signed by the executor; a later record replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutorRecord {
    /// The key that signs its receipts.
    pub executor: PublicKey,
    /// The key of whoever operates it and answers for it. Executors of one operator are one party.
    pub operator: PublicKey,
    /// The profile that it runs and meters by.
    pub profile: Digest,
    /// Where it is reached.
    pub url: String,
}

/// The receipts of an executor since its last batch, as the root of a Merkle tree. Signed by the executor.
///
/// The tree is that of RFC 6962 over the 32 bytes of each receipt's payload digest, so that the log shows how many
/// receipts there are and nothing of any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptBatch {
    /// The executor.
    pub executor: PublicKey,
    /// The number of the first receipt, counted from 0 over all batches of the executor.
    pub from: u64,
    /// How many there are.
    pub count: u64,
    /// The root of the tree.
    pub root: Digest,
}

/// An executor signed what cannot be true. From this entry of the log on, its receipts count no longer.
///
/// Signed by the operator of the log. The certificate proves it to whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contradiction {
    /// The executor.
    pub executor: PublicKey,
    /// The receipts that contradict one another, or the one that running the call again contradicts, by the digests of
    /// their payloads.
    pub receipts: Vec<Digest>,
    /// The digest of the certificate's file.
    pub certificate: Digest,
}

impl ReceiptBatch {
    /// Puts a signature that was taken off its envelope back into one. The envelope's payload is this statement as
    /// [`Act::sign`] writes it, to the byte.
    pub fn signed_by(self, key: &PublicKey, signature: &[u8]) -> Envelope {
        let about = self.about();
        let digest = Digest::of(&about);
        Envelope::with_signature(vec![Subject::new(about, digest)], self, key, signature)
    }
}

acts! {
    about executor;
    ExecutorRecord: "executor",
    ReceiptBatch: "receipt-batch",
    Contradiction: "contradiction"
}
