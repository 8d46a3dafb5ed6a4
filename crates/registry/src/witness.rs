//! A witness: cosigns the checkpoints of logs that it watches, each only if it continues the one before.
//!
//! Two logs that are told apart by nobody else are told apart by what all witnesses have in common. See C2SP
//! tlog-witness.

use glassbox_core::Digest;
use glassbox_core::limits;
use glassbox_core::log::cosignature::attach;
use glassbox_core::log::{AddCheckpoint, Cosigner, CosignerKey, KnownLog, WitnessRefusal};
use glassbox_store::{StoreError, WitnessStore, Witnessed};

use crate::env::Env;

/// A witness of some logs.
pub struct Witness {
    cosigner: Cosigner,
    logs: Vec<KnownLog>,
    store: WitnessStore,
    env: Env,
}

/// Why a witness gave no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It refused.
    #[error(transparent)]
    Refused(#[from] WitnessRefusal),
    /// It could not remember. Whether it will know the checkpoint next time is open.
    #[error("the witness cannot remember")]
    Store(#[from] StoreError),
}

/// Why a witness cannot watch these logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Two keys are of one name.
    #[error("there are two keys for the log `{0}`")]
    Twice(String),
    /// There are too many.
    #[error("{0} logs are more than a witness watches")]
    TooMany(usize),
}

impl Witness {
    /// Makes a witness that signs as `cosigner`.
    pub fn new(
        cosigner: Cosigner,
        logs: Vec<KnownLog>,
        store: WitnessStore,
        env: Env,
    ) -> Result<Self, WatchError> {
        if logs.len() > limits::WITNESSES_MAX {
            return Err(WatchError::TooMany(logs.len()));
        }
        let twice = logs
            .iter()
            .enumerate()
            .find(|(index, log)| logs.iter().take(*index).any(|other| other.origin() == log.origin()));
        match twice {
            Some((_, log)) => Err(WatchError::Twice(log.origin().into())),
            None => Ok(Self { cosigner, logs, store, env }),
        }
    }

    /// Returns the key that cosigns.
    pub fn key(&self) -> &CosignerKey {
        self.cosigner.key()
    }

    /// Returns the logs that it watches.
    pub fn logs(&self) -> &[KnownLog] {
        &self.logs
    }

    /// Answers a request to cosign. Returns the signature line, which has reached the disk with what it signs.
    pub async fn add_checkpoint(&self, body: &[u8]) -> Result<String, WitnessError> {
        let submission = AddCheckpoint::parse(body)?.open(&self.logs)?;
        let now_s = u64::try_from(self.env.now_ms() / 1_000).unwrap_or_default();
        let (cosigner, origin) = (self.cosigner.clone(), submission.checkpoint().origin.clone());
        let judged = self.store.advance(origin.clone(), move |last| {
            submission.judge(last)?;
            let malformed = |_| WitnessRefusal::Malformed("its checkpoint is not a signed note");
            let line = cosigner.cosign(submission.note(), now_s).map_err(malformed)?;
            let note = attach(submission.note(), std::slice::from_ref(&line)).map_err(malformed)?;
            Ok((Witnessed { checkpoint: submission.checkpoint().clone(), note }, line))
        });
        judged.await?.map_err(|refusal: WitnessRefusal| {
            if refusal == WitnessRefusal::Inconsistent {
                tracing::error!(
                    origin,
                    "A log showed a checkpoint that does not continue the one cosigned last"
                );
            }
            WitnessError::from(refusal)
        })
    }

    /// Returns the checkpoint that was cosigned last of the log whose name has this SHA-256, in hexadecimal.
    pub async fn checkpoint(&self, origin_hash: &str) -> Result<Option<String>, StoreError> {
        let known = self.logs.iter().any(|log| Digest::of(log.origin()).hex() == origin_hash);
        if known { self.store.note(origin_hash.to_owned()).await } else { Ok(None) }
    }
}
