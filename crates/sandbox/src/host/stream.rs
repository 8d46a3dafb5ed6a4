//! Streams in memory: a stream never waits, because all there is to read is here and all that is written is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glassbox_core::limits;
use wasmtime::component::ResourceTableError;

/// How many bytes a guest may still hand out, over all streams and files that share the allowance.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<Mutex<usize>>);

impl Allowance {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    /// Returns how many bytes are left.
    pub(crate) fn left(&self) -> usize {
        *lock(&self.0)
    }

    /// Takes `bytes`, or nothing and returns `false` where fewer are left.
    #[must_use]
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let mut left = lock(&self.0);
        match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }

    /// Gives back `bytes` that were taken and are gone.
    pub(crate) fn give(&self, bytes: usize) {
        let mut left = lock(&self.0);
        *left = left.saturating_add(bytes);
    }
}

/// What these locks guard is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that a guest writes, shared by every stream that writes to the same place.
#[derive(Debug, Clone)]
pub(crate) struct Buffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    allowance: Allowance,
}

impl Buffer {
    /// Makes an empty buffer that takes what it holds from `allowance`.
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { bytes: Arc::default(), allowance }
    }

    /// Returns what was written, and leaves the buffer empty.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *lock(&self.bytes))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), StreamError> {
        if !self.allowance.take(bytes.len()) {
            return Err(StreamError::full());
        }
        lock(&self.bytes).extend_from_slice(bytes);
        Ok(())
    }
}

/// Bytes that a guest reads, shared by every stream that reads from the same place.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    bytes: Arc<[u8]>,
    position: Arc<Mutex<usize>>,
}

impl Source {
    /// Makes a source of `bytes`.
    pub(crate) fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { bytes: bytes.into(), position: Arc::default() }
    }

    /// Returns the next bytes, at most `len`, and goes on behind them. Closed where none are left.
    fn read(&self, len: u64) -> Result<&[u8], StreamError> {
        let mut position = lock(&self.position);
        let rest = self.bytes.get(*position..).unwrap_or_default();
        if rest.is_empty() {
            return Err(StreamError::Closed);
        }
        let taken = rest.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        *position += taken;
        Ok(&rest[..taken])
    }
}

/// The host's side of an `input-stream`.
#[derive(Debug)]
pub enum InputStream {
    /// Reads what is there.
    Source(Source),
}

/// The host's side of an `output-stream`.
#[derive(Debug)]
pub enum OutputStream {
    /// Forgets what is written.
    Discard,
    /// Keeps what is written.
    Buffer(Buffer),
}

impl InputStream {
    /// Returns the next bytes, at most `len` and never more than one read gives.
    pub(crate) fn read(&mut self, len: u64) -> Result<Vec<u8>, StreamError> {
        let len = len.min(limits::HOST_READ_BYTES_MAX as u64);
        match self {
            Self::Source(source) => source.read(len).map(<[u8]>::to_vec),
        }
    }

    /// Goes past the next bytes, at most `len`, and returns how many they were.
    pub(crate) fn skip(&mut self, len: u64) -> Result<u64, StreamError> {
        match self {
            Self::Source(source) => source.read(len).map(|bytes| bytes.len() as u64),
        }
    }
}

impl OutputStream {
    /// Returns how many bytes may be written now, at most as many as one read gives.
    pub(crate) fn check_write(&mut self) -> Result<u64, StreamError> {
        let left = match self {
            Self::Discard => limits::HOST_READ_BYTES_MAX,
            Self::Buffer(buffer) => buffer.allowance.left(),
        };
        if left > 0 { Ok(left.min(limits::HOST_READ_BYTES_MAX) as u64) } else { Err(StreamError::full()) }
    }

    /// Writes all of `bytes`, or nothing of them and fails.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        match self {
            Self::Discard => Ok(()),
            Self::Buffer(buffer) => buffer.write(bytes),
        }
    }
}

/// The host's side of an `error`: why the last operation on a stream failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoError {
    pub(crate) message: String,
}

/// Why an operation on a stream did not succeed.
#[derive(Debug)]
pub enum StreamError {
    /// Nothing will come, or be taken, any more.
    Closed,
    /// The operation failed, as the guest is told.
    Failed(IoError),
    /// The run ends here.
    Stop(wasmtime::Error),
}

impl StreamError {
    /// More was written than may be handed out.
    pub(crate) fn full() -> Self {
        Self::Failed(IoError { message: "no more output is allowed".into() })
    }
}

impl From<wasmtime::Error> for StreamError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Stop(error)
    }
}

impl From<ResourceTableError> for StreamError {
    fn from(error: ResourceTableError) -> Self {
        Self::Stop(error.into())
    }
}
