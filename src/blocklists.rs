//! Fetching the blocklists that a registry follows, for as long as it serves.

use std::sync::Arc;
use std::time::Duration;

use glassbox_core::key::PublicKey;
use glassbox_core::limits;
use glassbox_registry::{Registry, chain};

/// How long until a list is fetched again.
const ROUND: Duration = Duration::from_secs(10 * 60);

/// The lists that are followed: whose they are, and where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feeds(Vec<(PublicKey, String)>);

impl Feeds {
    /// Follows lists at URLs, or in files.
    pub(crate) fn new(named: Vec<(PublicKey, String)>) -> Self {
        Self(named)
    }

    /// Returns whose lists count.
    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        self.0.iter().map(|(key, _)| *key).collect()
    }

    /// Fetches them until the task is dropped. Does nothing where there are none.
    pub(crate) async fn follow_for_ever(self, registry: Arc<Registry>) {
        if self.0.is_empty() {
            return;
        }
        loop {
            for (key, place) in &self.0 {
                match fetch(place).await {
                    Ok(bytes) => {
                        if let Err(error) = registry.take_blocklist(key, &bytes).await {
                            registry.note_blocklist(key, &chain(&error));
                        }
                    }
                    Err(reason) => registry.note_blocklist(key, &reason),
                }
            }
            tokio::time::sleep(ROUND).await;
        }
    }
}

async fn fetch(place: &str) -> Result<Vec<u8>, String> {
    if place.starts_with("https://") || place.starts_with("http://") {
        return glassbox_client::fetch(place, limits::BLOCKLIST_BYTES_MAX).await;
    }
    let size = tokio::fs::metadata(place).await.map_err(|error| error.to_string())?.len();
    if size > limits::BLOCKLIST_BYTES_MAX as u64 {
        return Err(format!("it has more than {} bytes", limits::BLOCKLIST_BYTES_MAX));
    }
    tokio::fs::read(place).await.map_err(|error| error.to_string())
}
