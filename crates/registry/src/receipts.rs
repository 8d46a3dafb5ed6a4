//! Receipts in the log: batched from time to time, proved to whoever holds one, and checked for whoever asks.
//!
//! Only what was paid for is logged. A free call leaves nothing behind, which is what makes it cheap; its receipt stays
//! the executor's word, which its caller can still hold against it.

use std::sync::PoisonError;

use glassbox_core::acts::{Act as _, ReceiptBatch};
use glassbox_core::log::{CosignerKey, Kind, LogKey};
use glassbox_core::receipt::{BatchTree, Bundle, Level, Proof, Receipt, Report};
use glassbox_core::{Digest, limits};
use glassbox_store::{ReceiptProof, WaitingReceipts};
use tracing::{error, info};

use crate::error::RegistryError;
use crate::open::Registry;

impl Registry {
    /// Logs the receipts that wait, once there are enough of them or the first has waited long enough.
    pub(crate) async fn log_receipts(&self) {
        for _ in 0..limits::RECEIPT_BATCHES_PER_SWEEP {
            match self.log_one_batch().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return error!(%error, "Could not log receipts; they wait for the next sweep"),
            }
        }
    }

    /// Logs one batch. Tells whether it did.
    async fn log_one_batch(&self) -> Result<bool, RegistryError> {
        let executor = self.executor();
        let waiting = self.store.waiting_receipts(&executor, limits::RECEIPT_BATCH_MAX).await?;
        let WaitingReceipts { from, digests, since_ms } = waiting;
        let waited_ms = self.env.now_ms().saturating_sub(since_ms);
        let is_due = digests.len() == limits::RECEIPT_BATCH_MAX || waited_ms >= limits::RECEIPT_BATCH_MS;
        if digests.is_empty() || !is_due {
            return Ok(false);
        }
        let count = digests.len() as u64;
        let root = BatchTree::of(digests).root();
        let batch = ReceiptBatch { executor, from, count, root };
        let statement = batch.clone().sign(&self.keys.executor);
        let index = self.store.log_batch(batch, statement).await?;
        info!(receipts.from = from, receipts.count = count, log.index = index, "Logged a batch of receipts");
        Ok(index.is_some())
    }

    /// Proves that the receipt with this digest of its payload is logged.
    pub async fn prove_receipt(&self, receipt: Digest) -> Result<ReceiptProof, RegistryError> {
        let mut found = self.store.prove_receipt(receipt).await?;
        if let ReceiptProof::Logged(proof) = &mut found {
            self.name_keys(proof);
        }
        Ok(found)
    }

    /// Says which witnesses cosign the checkpoints of this log, so that proofs show their signatures.
    pub fn know_witnesses(&self, keys: Vec<CosignerKey>) {
        *self.witnesses.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Names the keys that signed the checkpoint of a proof, and leaves out every signature by another.
    fn name_keys(&self, proof: &mut Proof) {
        let witnesses = self.witnesses.read().unwrap_or_else(PoisonError::into_inner);
        let shown = shown(&proof.checkpoint, &self.keys.log, &witnesses);
        (proof.checkpoint, proof.keys) = shown;
    }

    /// Checks a bundle as anybody can, and says besides whether its executor still counts here.
    pub async fn verify_bundle(&self, bundle: &Bundle) -> Result<(Report, Option<Receipt>), RegistryError> {
        let (mut report, receipt) = bundle.verify(None);
        if let Some(receipt) = &receipt {
            let standing = self.executor_standing(&receipt.executor).await?;
            let detail = match (&standing.record, standing.quarantined) {
                (_, true) => "found out to have signed what cannot be true",
                (None, false) => "not registered in this log",
                (Some(_), false) => "registered, and nothing is known against it",
            };
            report.add(Level::L0, "executor", standing.record.is_some() && !standing.quarantined, detail);
        }
        Ok((report, receipt))
    }

    /// Logs that this registry runs calls, where the log does not say so already. Shown with the next checkpoint.
    pub async fn register_executor(&self) -> Result<(), RegistryError> {
        let (executor, record) = (self.executor(), self.record().clone());
        let payload = record.payload_digest();
        let logged = self.store.log_of_executor(Kind::Executor, &executor, record, move |entries| {
            let newest = entries.iter().rfind(|entry| entry.kind == Kind::Executor);
            newest.is_some_and(|entry| entry.statement.payload_digest() == payload)
        });
        if logged.await?.is_some()
            && let Err(error) = self.publish_log().await
        {
            // It is written down; the next sweep shows it.
            error!(%error, "Could not show what this executor says of itself");
        }
        Ok(())
    }
}

/// Returns a checkpoint with one signature by the log and one by each witness that cosigned it, and their keys.
fn shown(note: &str, log: &LogKey, witnesses: &[CosignerKey]) -> (String, Vec<String>) {
    let (text, signatures) = note.rsplit_once("\n\n").unwrap_or((note, ""));
    // The log's first signature is the one that proves; its second says how fresh the checkpoint was.
    let own = format!("— {} ", log.origin());
    let signed = signatures.lines().find(|line| line.starts_with(&own)).unwrap_or_default();
    let (mut note, mut keys) = (format!("{text}\n\n{signed}\n"), vec![log.verifier_key()]);
    for witness in witnesses {
        let is_by = |line: &&str| matches!(witness.verify(&format!("{text}\n\n{line}\n")), Ok(Some(_)));
        if let Some(line) = signatures.lines().rfind(is_by) {
            note.push_str(line);
            note.push('\n');
            keys.push(witness.to_string());
        }
    }
    (note, keys)
}

#[cfg(test)]
mod tests {
    use glassbox_core::key::SecretKey;
    use glassbox_core::log::cosignature::attach;
    use glassbox_core::log::{Cosigner, SignedCheckpoint};

    use super::*;

    #[test]
    fn a_proof_shows_the_witnesses_that_are_known_and_signed() {
        let log = LogKey::new("example.org/log", SecretKey::from_seed(&[1; 32])).expect("a valid name");
        let witness = |seed| {
            let name = format!("witness-{seed}.example");
            Cosigner::new(&name, SecretKey::from_seed(&[seed; 32])).expect("a valid name")
        };
        let note = log.sign(7, Digest::of("root"), Digest::of("map"), 1_800_000_000);
        let lines: Vec<String> =
            [2, 3].map(|seed| witness(seed).cosign(&note, 1_800_000_001).expect("a note")).into();
        let note = attach(&note, &lines).expect("a note");
        // One signed and is known, one signed and is not, one is known and did not sign.
        let known = [witness(2).key().clone(), witness(4).key().clone()];
        let (shown, keys) = shown(&note, &log, &known);
        assert_eq!(keys, [log.verifier_key(), witness(2).key().to_string()]);
        assert_eq!(shown.lines().filter(|line| line.starts_with("— ")).count(), 2);
        let signed = SignedCheckpoint::open(&shown, &log.verifier_key()).expect("signed by the log");
        assert_eq!((signed.checkpoint.size, signed.time_s), (7, None));
        assert_eq!(witness(2).key().verify(&shown).expect("a note"), Some(1_800_000_001));
    }
}
