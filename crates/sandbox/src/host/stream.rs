//! Streams in memory: a stream never waits, because all there is to read is here and all that is written is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glassbox_core::limits;
use wasmtime::component::ResourceTableError;

use super::bindings::wasi::filesystem::types::ErrorCode;
use super::tree::{NodeId, Tree};

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
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum InputStream {
    /// Reads what is there.
    Source(Source),
    /// Reads a file from a position on.
    File { file: NodeId, position: u64 },
}

/// The host's side of an `output-stream`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum OutputStream {
    /// Forgets what is written.
    Discard,
    /// Keeps what is written.
    Buffer(Buffer),
    /// Writes to a file from a position on.
    File { file: NodeId, position: u64 },
    /// Writes to the end of a file, wherever that is.
    Append { file: NodeId },
}

impl InputStream {
    /// Returns the next bytes, at most `len` and never more than one read gives.
    pub(super) fn read(&mut self, tree: &Tree, len: u64) -> Result<Vec<u8>, StreamError> {
        self.next(tree, len.min(limits::HOST_READ_BYTES_MAX as u64)).map(<[u8]>::to_vec)
    }

    /// Goes past the next bytes, at most `len`, and returns how many they were.
    pub(super) fn skip(&mut self, tree: &Tree, len: u64) -> Result<u64, StreamError> {
        self.next(tree, len).map(|bytes| bytes.len() as u64)
    }

    fn next<'a>(&'a mut self, tree: &'a Tree, len: u64) -> Result<&'a [u8], StreamError> {
        match self {
            Self::Source(source) => source.read(len),
            Self::File { file, position } => {
                let bytes = tree.read(*file, *position, len)?;
                if bytes.is_empty() && len > 0 {
                    return Err(StreamError::Closed);
                }
                *position += bytes.len() as u64;
                Ok(bytes)
            }
        }
    }

    /// Returns the file that it reads, which it holds.
    pub(super) fn file(&self) -> Option<NodeId> {
        match self {
            Self::Source(_) => None,
            Self::File { file, .. } => Some(*file),
        }
    }
}

impl OutputStream {
    /// Returns how many bytes may be written now, at most as many as one read gives.
    pub(super) fn check_write(&self, tree: &Tree) -> Result<u64, StreamError> {
        let left = match self {
            Self::Discard => limits::HOST_READ_BYTES_MAX,
            Self::Buffer(buffer) => buffer.allowance.left(),
            // Bytes that are written over take nothing, so what is left does not say how much may be written.
            Self::File { file, position } if *position < tree.size(*file) => limits::HOST_READ_BYTES_MAX,
            Self::File { .. } | Self::Append { .. } => tree.left(),
        };
        if left > 0 { Ok(left.min(limits::HOST_READ_BYTES_MAX) as u64) } else { Err(StreamError::full()) }
    }

    /// Returns how many bytes the host must make or copy before the next write.
    pub(super) fn preparation(&self, tree: &Tree) -> usize {
        match self {
            Self::Discard | Self::Buffer(_) => 0,
            Self::File { file, position } => tree.preparation(*file, *position),
            Self::Append { file } => tree.preparation(*file, 0),
        }
    }

    /// Writes all of `bytes`, or nothing of them and fails.
    pub(super) fn write(&mut self, tree: &mut Tree, bytes: &[u8]) -> Result<(), StreamError> {
        match self {
            Self::Discard => Ok(()),
            Self::Buffer(buffer) => buffer.write(bytes),
            Self::File { file, position } => {
                tree.write(*file, *position, bytes)?;
                *position += bytes.len() as u64;
                Ok(())
            }
            Self::Append { file } => Ok(tree.write(*file, tree.size(*file), bytes)?),
        }
    }

    /// Returns the file that it writes, which it holds.
    pub(super) fn file(&self) -> Option<NodeId> {
        match self {
            Self::Discard | Self::Buffer(_) => None,
            Self::File { file, .. } | Self::Append { file } => Some(*file),
        }
    }
}

/// The host's side of an `error`: why the last operation on a stream failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct IoError {
    pub(crate) message: String,
    /// What the error is called where it came from a file.
    pub(super) code: Option<ErrorCode>,
}

impl IoError {
    /// Makes an error that did not come from a file.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None }
    }
}

/// Why an operation on a stream did not succeed.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
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
        Self::Failed(IoError::new("no more output is allowed"))
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

impl From<ErrorCode> for StreamError {
    fn from(code: ErrorCode) -> Self {
        Self::Failed(IoError { message: code.message().to_owned(), code: Some(code) })
    }
}
