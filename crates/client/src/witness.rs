//! Asking a witness to cosign a checkpoint: the log's side of C2SP tlog-witness.

use std::time::Duration;

use glassbox_core::limits;
use glassbox_core::log::cosignature::attach;
use glassbox_core::log::{AddCheckpoint, CosignerKey};
use reqwest::{Method, StatusCode};

use crate::error::ClientError;
use crate::http::Client;

/// A witness, seen from a log.
#[derive(Debug, Clone)]
pub struct WitnessClient {
    client: Client,
    key: CosignerKey,
}

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// Its signature line, verified.
    Cosigned(String),
    /// It cosigned a tree of this many entries last, and wants a proof from there.
    Conflict(u64),
}

impl WitnessClient {
    /// Makes a client of the witness at `url`, its submission prefix, whose key is `key`.
    pub fn new(url: &str, key: CosignerKey) -> Result<Self, ClientError> {
        Ok(Self { client: Client::new(url)?, key })
    }

    /// Returns the witness's key.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Asks for a cosignature.
    ///
    /// # Errors
    ///
    /// Also if the witness takes longer than [`limits::WITNESS_WAIT_MS_MAX`], or signed something else.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<WitnessAnswer, ClientError> {
        let asked = self.client.request(Method::POST, "/add-checkpoint").body(request.to_text());
        let asked = asked.timeout(Duration::from_millis(limits::WITNESS_WAIT_MS_MAX));
        let response = self.client.send(asked).await?;
        let conflict = response.status() == StatusCode::CONFLICT;
        let response = if conflict { response } else { self.client.expect_success(response).await? };
        let bytes = self.client.bytes_within(response, limits::WITNESS_BODY_BYTES_MAX).await?;
        let text = String::from_utf8(bytes).map_err(|_| self.client.odd("not a witness's answer".into()))?;
        if conflict {
            let size = text.trim_end_matches('\n').parse();
            return size
                .map(WitnessAnswer::Conflict)
                .map_err(|_| self.client.odd("a conflict without a size".into()));
        }
        // A witness may have other keys besides; only what this one signed is taken over.
        let signed = |line: &&str| {
            let note = attach(&request.checkpoint, &[format!("{line}\n")]);
            note.and_then(|note| self.key.verify(&note)).is_ok_and(|time| time.is_some())
        };
        let line = text.lines().find(signed);
        let line = line.ok_or_else(|| self.client.odd("no cosignature by the key of this witness".into()))?;
        Ok(WitnessAnswer::Cosigned(format!("{line}\n")))
    }
}
