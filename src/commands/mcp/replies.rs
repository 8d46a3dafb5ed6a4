//! Replies by the caller's own names for its requests, for as long as the process lives.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use glassbox_api::Problem;
use glassbox_core::Digest;
use glassbox_mcp::{Asked, Called};

/// How many are remembered; the oldest go first.
const REPLIES_MAX: usize = 1_000;

/// A reply, or the place for one while its call is under way.
type Slot = Arc<tokio::sync::Mutex<Option<Called>>>;

/// One kept request.
struct Kept {
    key: String,
    request: Digest,
    slot: Slot,
}

#[derive(Default)]
pub(super) struct Replies(std::sync::Mutex<VecDeque<Kept>>);

impl Replies {
    /// Returns the reply under `key`, and makes it where there is none. Whoever asks meanwhile waits for it; a failure is
    /// forgotten, so that the same key may try again.
    pub(super) async fn of<F: Future<Output = Result<Called, Problem>>>(
        &self,
        key: &str,
        asked: &Asked,
        make: impl FnOnce() -> F,
    ) -> Result<Called, Problem> {
        let body = serde_json::to_string(&asked.body).expect("a body has string keys");
        let slot = self.slot(key, Digest::of(format!("{} {} {body}", asked.release, asked.function)))?;
        let mut reply = slot.lock().await;
        if let Some(reply) = &*reply {
            return Ok(Called { replayed: true, ..reply.clone() });
        }
        let made = make().await?;
        *reply = Some(made.clone());
        Ok(made)
    }

    fn slot(&self, key: &str, request: Digest) -> Result<Slot, Problem> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.iter().find(|kept| kept.key == key) {
            if found.request != request {
                let detail = "this `idempotency_key` belongs to another request";
                return Err(Problem::new(
                    409,
                    "payment-bound",
                    detail,
                    "take another key for another request",
                ));
            }
            return Ok(found.slot.clone());
        }
        if kept.len() >= REPLIES_MAX {
            kept.pop_front();
        }
        let slot = Slot::default();
        kept.push_back(Kept { key: key.to_owned(), request, slot: slot.clone() });
        Ok(slot)
    }
}
