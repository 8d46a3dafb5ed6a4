//! Answers that anybody may ask for and that take some work: computed once in a while, however many ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use glassbox_core::limits;
use tokio::sync::Semaphore;

/// Answers by what was asked, of bounded number, each kept for a short time. Few are computed at once, and each once for all
/// who wait for it.
pub(crate) struct Shortly<K, V> {
    answers: Mutex<HashMap<K, Slot<V>>>,
    places: Semaphore,
}

/// An answer with the time of which it is, once it was computed. Whoever computes it holds it.
type Slot<V> = Arc<tokio::sync::Mutex<Option<(i64, V)>>>;

impl<K, V> Default for Shortly<K, V> {
    fn default() -> Self {
        Self { answers: Mutex::default(), places: Semaphore::new(limits::ANSWERS_COMPUTED_AT_ONCE) }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Shortly<K, V> {
    /// Returns the answer, from memory where it is young enough.
    pub(crate) async fn get<E>(
        &self,
        key: &K,
        now_ms: i64,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let slot = self.slot(key);
        let mut kept = slot.lock().await;
        if let Some((at, answer)) = &*kept
            && (0..limits::ANSWERS_KEPT_MS).contains(&now_ms.saturating_sub(*at))
        {
            return Ok(answer.clone());
        }
        let _place = self.places.acquire().await;
        let answer = compute().await?;
        *kept = Some((now_ms, answer.clone()));
        Ok(answer)
    }

    /// Forgets all, because something changed that they were made of.
    pub(crate) fn clear(&self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn slot(&self, key: &K) -> Slot<V> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= limits::ANSWERS_KEPT && !answers.contains_key(key) {
            // Whichever: it is computed again when it is asked for.
            if let Some(any) = answers.keys().next().cloned() {
                answers.remove(&any);
            }
        }
        answers.entry(key.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_computed_once_for_a_while() {
        let (shortly, computed) = (Shortly::<usize, usize>::default(), AtomicUsize::new(0));
        let ask = async |key: usize, now_ms: i64| {
            let compute = async || Ok::<_, ()>(computed.fetch_add(1, Ordering::Relaxed));
            shortly.get(&key, now_ms, compute).await
        };
        let all = tokio::join!(ask(1, 0), ask(1, 0), ask(1, 1), ask(1, limits::ANSWERS_KEPT_MS - 1));
        assert_eq!(all, (Ok(0), Ok(0), Ok(0), Ok(0)));
        assert_eq!(ask(1, limits::ANSWERS_KEPT_MS).await, Ok(1), "it is old");
        assert_eq!(ask(1, 0).await, Ok(2), "a clock that was put back");
        shortly.clear();
        assert_eq!(ask(1, 0).await, Ok(3), "something changed");
        let fail = async || Err(());
        assert_eq!(shortly.get(&2, 0, fail).await, Err(()));
        assert_eq!(ask(2, 0).await, Ok(4), "a failure is not kept");
        for key in 0..limits::ANSWERS_KEPT + 9 {
            ask(key, 0).await.expect("computed");
        }
        assert_eq!(shortly.answers.lock().expect("nobody panicked").len(), limits::ANSWERS_KEPT);
    }
}
