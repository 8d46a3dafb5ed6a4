//! Time and randomness, so that a test can hold both still.

use std::sync::Arc;

use glassbox_core::Digest;

/// Where the registry gets the time and random bytes from.
#[derive(Clone)]
pub struct Env {
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    secret: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
    random: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
}

impl Env {
    /// The system's clock and random generator, and for what every call wants the thread's own, which the system seeds: a
    /// system call takes longer.
    pub fn system() -> Self {
        Self {
            now_ms: Arc::new(|| jiff::Timestamp::now().as_millisecond()),
            secret: Arc::new(|| {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).expect("a machine without random bytes cannot keep a secret");
                bytes
            }),
            random: Arc::new(rand::random),
        }
    }

    /// Any clock, in Unix milliseconds, and any source of 32 random bytes.
    pub fn new(
        now_ms: impl Fn() -> i64 + Send + Sync + 'static,
        random: impl Fn() -> [u8; 32] + Send + Sync + 'static,
    ) -> Self {
        let random = Arc::new(random);
        Self { now_ms: Arc::new(now_ms), secret: random.clone(), random }
    }

    /// Returns the time in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        (self.now_ms)()
    }

    /// Returns 32 bytes for a key or a token, which outlives this process.
    pub fn secret(&self) -> [u8; 32] {
        (self.secret)()
    }

    /// Returns 32 bytes that nobody can guess, for one call.
    pub fn random(&self) -> [u8; 32] {
        (self.random)()
    }

    /// Returns a new unguessable id of 32 hexadecimal digits.
    pub fn id(&self) -> String {
        let mut id = Digest::from_bytes(self.random()).hex();
        id.truncate(32);
        id
    }
}

/// Writes a time as RFC 3339, in UTC.
pub fn rfc3339(now_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(now_ms).map_or_else(|_| now_ms.to_string(), |time| time.to_string())
}
