//! Asking witnesses to cosign each checkpoint of a registry, for as long as it serves.

use std::sync::Arc;
use std::time::Duration;

use glassbox_client::{WitnessAnswer, WitnessClient};
use glassbox_core::limits;
use glassbox_core::log::CosignerKey;
use glassbox_registry::{Registry, chain};
use tokio::task::JoinSet;

use crate::failure::Failure;

/// How long until witnesses are asked again, also where nothing is new: cosignatures say when they were made.
const ROUND: Duration = Duration::from_secs(60);

/// The witnesses of a registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witnesses {
    /// Whom to ask.
    pub(crate) clients: Vec<WitnessClient>,
    /// How many cosignatures a publisher waits for.
    pub(crate) quorum: usize,
}

impl Witnesses {
    /// Takes the witnesses that a command line names. Without a quorum, more than half of them are waited for.
    pub(crate) fn new(named: Vec<(String, CosignerKey)>, quorum: Option<usize>) -> Result<Self, Failure> {
        let most = named.len().min(limits::WITNESSES_MAX);
        if most < named.len() {
            let message = format!("{} witnesses are too many", named.len());
            return Err(Failure::error("witnesses-invalid", message, format!("name at most {most}")));
        }
        let quorum = quorum.unwrap_or(most / 2 + 1);
        let clients = named.into_iter().map(|(url, key)| Ok(WitnessClient::new(&url, key)?));
        Ok(Self { clients: clients.collect::<Result<_, Failure>>()?, quorum })
    }

    /// Asks them until the task is dropped. Does nothing where there are none.
    pub(crate) async fn ask_for_ever(self, registry: Arc<Registry>) {
        if self.clients.is_empty() {
            return;
        }
        registry.know_witnesses(self.clients.iter().map(|client| client.key().clone()).collect());
        let mut shown = registry.start_witnessing();
        // What each cosigned last, as it said itself; what is wrong is corrected by its first answer.
        let mut sizes = vec![0; self.clients.len()];
        loop {
            let size = registry.checkpoint().size;
            self.round(&registry, &mut sizes).await;
            registry.end_witnessing(size);
            // A tree that grew meanwhile is asked about at once.
            if *shown.borrow_and_update() <= size {
                let _ = tokio::time::timeout(ROUND, shown.changed()).await;
            }
        }
    }

    async fn round(&self, registry: &Arc<Registry>, sizes: &mut [u64]) {
        let mut asked = JoinSet::new();
        for (index, (client, size)) in self.clients.iter().zip(sizes.iter()).enumerate() {
            let (client, registry, size) = (client.clone(), registry.clone(), *size);
            asked.spawn(async move { (index, ask(&registry, &client, size).await) });
        }
        let mut cosigned = 0;
        while let Some(answered) = asked.join_next().await {
            let Ok((index, Some(answer))) = answered else { continue };
            sizes[index] = answer.size;
            let shown = registry.show_cosignatures(answer.note, vec![answer.line]).await;
            if let Err(error) = shown {
                tracing::warn!(error = chain(&error), "A cosignature could not be kept");
                continue;
            }
            cosigned += 1;
            if cosigned == self.quorum {
                registry.end_witnessing(answer.size);
            }
        }
    }
}

/// A cosignature that came.
struct Cosigned {
    size: u64,
    note: String,
    line: String,
}

/// Asks one witness, a second time where it knows another size than it was believed to.
async fn ask(registry: &Registry, witness: &WitnessClient, known: u64) -> Option<Cosigned> {
    let name = witness.key().name();
    let mut old_size = known;
    for _ in 0..3 {
        let request = match registry.add_checkpoint(old_size).await {
            Ok(Some(request)) => request,
            Ok(None) => {
                let message =
                    "A witness has seen more entries than the log has: it was restored from an old copy";
                tracing::error!(witness = name, seen = old_size, message);
                return None;
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "Witnesses cannot be asked");
                return None;
            }
        };
        match witness.add_checkpoint(&request).await {
            Ok(WitnessAnswer::Cosigned(line)) => {
                let size = request.checkpoint.lines().nth(1).and_then(|line| line.parse().ok())?;
                return Some(Cosigned { size, note: request.checkpoint, line });
            }
            Ok(WitnessAnswer::Conflict(size)) => old_size = size,
            Err(error) => {
                tracing::warn!(witness = name, error = chain(&error), "A witness does not cosign");
                return None;
            }
        }
    }
    None
}
