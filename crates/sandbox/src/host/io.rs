//! `wasi:io`: streams, errors, and waiting.

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use wasmtime::component::Resource;

use super::Host;
use super::bindings::wasi::io::{error, poll, streams};
use super::stream::{InputStream, IoError, OutputStream, StreamError};
use super::wire::Wire;

/// The most bytes of one write that also flushes. See `blocking-write-and-flush` in `wasi:io/streams`.
const FLUSHED_WRITE_BYTES_MAX: u64 = 4096;

/// The host's side of a `pollable`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum Pollable {
    /// Ready from the start: there is nothing to wait for in memory.
    Ready,
    /// Ready from an instant of the virtual monotonic clock on.
    Timer {
        /// The instant, in nanoseconds.
        at: u64,
    },
    /// Waits for something outside. Whether it is ready is an observation.
    Outside(Wait),
    /// Waits for the response to the HTTP request at this place, for as long as that takes. That it is ready says
    /// nothing of when, so it is no observation.
    Response(usize),
}

/// A wait for something outside. In a replay nothing is waited for.
#[derive(Default)]
pub(crate) struct Wait(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Wait {
    /// Waits until `future` is done.
    pub(crate) fn on(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }

    /// Waits for nothing: for what is ready, and for replays, where the transcript says what was ready.
    pub(crate) fn over() -> Self {
        Self(None)
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(future) = &mut self.0
            && future.as_mut().poll(context).is_ready()
        {
            self.0 = None;
        }
        self.0.is_none()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Wait" } else { "Wait(over)" })
    }
}

impl Pollable {
    fn is_outside(&self) -> bool {
        matches!(self, Self::Outside(_))
    }

    /// Tells whether it is ready at `now` of the virtual clock.
    fn is_ready(&mut self, now: u64, context: &mut Context<'_>) -> bool {
        match self {
            Self::Ready => true,
            Self::Timer { at } => *at <= now,
            Self::Outside(wait) => wait.poll(context),
            // Once there is a response, this is another pollable.
            Self::Response(_) => false,
        }
    }
}

impl Host {
    /// Returns which of `pollables` are ready, by their places in the list.
    fn ready(
        &mut self,
        pollables: &[Resource<Pollable>],
        context: &mut Context<'_>,
    ) -> wasmtime::Result<Vec<u32>> {
        let now = self.clock.now();
        let mut ready = Vec::new();
        for (index, pollable) in (0..).zip(pollables) {
            if self.table.get_mut(pollable)?.is_ready(now, context) {
                ready.push(index);
            }
        }
        Ok(ready)
    }

    /// Waits for the run's deadline. Whoever polls the guest looks at the clock whenever it is polled; this has it polled
    /// then.
    pub(super) fn until_deadline(&self) -> wasmtime::Result<Wait> {
        Ok(match self.observer.live() {
            Some(live) => {
                let _context = live.runtime()?.enter();
                Wait::on(tokio::time::sleep_until(self.deadline.into()))
            }
            None => Wait::over(),
        })
    }

    /// Waits until one of `pollables` is ready, of which one at least waits for something outside.
    ///
    /// The virtual clock stands still meanwhile: if it went to its next timer at once, every time-out would come before
    /// what it is for.
    async fn wait_outside(&mut self, pollables: &[Resource<Pollable>]) -> wasmtime::Result<Vec<u32>> {
        let mut deadline = self.until_deadline()?;
        let since = Instant::now();
        let ready = future::poll_fn(|context| match self.ready(pollables, context) {
            Ok(ready) if ready.is_empty() => {
                deadline.poll(context);
                Poll::Pending
            }
            done => Poll::Ready(done),
        })
        .await;
        self.waited += since.elapsed();
        ready
    }

    /// Waits on the virtual clock, which takes no time.
    fn wait_virtually(&mut self, pollables: &[Resource<Pollable>]) -> wasmtime::Result<Vec<u32>> {
        let mut context = Context::from_waker(Waker::noop());
        let ready = self.ready(pollables, &mut context)?;
        if !ready.is_empty() {
            return Ok(ready);
        }
        let mut next = u64::MAX;
        for pollable in pollables {
            if let Pollable::Timer { at } = self.table.get(pollable)? {
                next = next.min(*at);
            }
        }
        self.clock.advance_to(next);
        let ready = self.ready(pollables, &mut context)?;
        if ready.is_empty() {
            wasmtime::bail!("the guest waits for the response to a request whose body it has not finished");
        }
        Ok(ready)
    }
}

impl poll::Host for Host {
    async fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        const IMPORT: &str = "wasi:io/poll#poll";
        self.work.call(pollables.len().saturating_mul(2 * size_of::<u32>()))?;
        if pollables.is_empty() {
            wasmtime::bail!("`poll` was called with an empty list");
        }
        self.settle_polled(&pollables).await?;
        let mut outside = false;
        for pollable in &pollables {
            outside |= self.table.get(pollable)?.is_outside();
        }
        if !outside {
            return self.wait_virtually(&pollables);
        }
        let args = pollables.iter().map(Resource::rep).collect::<Vec<_>>().encode()?;
        if let Some(ready) = self.observer.replay::<Vec<u32>>(IMPORT, &args)? {
            let is_place = |index: &u32| (*index as usize) < pollables.len();
            return match !ready.is_empty() && ready.iter().all(is_place) {
                true => Ok(ready),
                false => Err(self.observer.impossible("places in the list")),
            };
        }
        let ready = self.wait_outside(&pollables).await?;
        self.observer.record(IMPORT, &args, ready.clone())?;
        Ok(ready)
    }
}

impl poll::HostPollable for Host {
    async fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        const IMPORT: &str = "wasi:io/poll#[method]pollable.ready";
        self.work.call(0)?;
        // Looking is a step in time: a guest that looks again and again must see its timer come.
        let now = self.clock.step();
        let args = pollable.rep().encode()?;
        let pollables = [pollable];
        self.settle_polled(&pollables).await?;
        let [pollable] = pollables;
        let pollable = self.table.get_mut(&pollable)?;
        let mut context = Context::from_waker(Waker::noop());
        match pollable.is_outside() {
            true => self.observer.observe(IMPORT, &args, |_| Ok(pollable.is_ready(now, &mut context))),
            false => Ok(pollable.is_ready(now, &mut context)),
        }
    }

    async fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        // That it ended says nothing that the guest did not know, so it is no observation.
        let pollables = [pollable];
        self.settle_polled(&pollables).await?;
        if self.table.get(&pollables[0])?.is_outside() {
            self.wait_outside(&pollables).await?;
        } else {
            self.wait_virtually(&pollables)?;
        }
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(pollable).map(|_| ())
    }
}

impl error::Host for Host {}

impl error::HostError for Host {
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        self.work.call(0)?;
        let message = self.table.get(&error)?.message.clone();
        self.work.bytes(message.len())?;
        Ok(message)
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(error).map(|_| ())
    }
}

impl streams::Host for Host {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        Ok(match error {
            StreamError::Closed => streams::StreamError::Closed,
            StreamError::Failed(error) => streams::StreamError::LastOperationFailed(self.push(error)?),
            StreamError::Stop(error) => return Err(error),
        })
    }
}

impl streams::HostInputStream for Host {
    fn read(&mut self, stream: Resource<InputStream>, len: u64) -> Result<Vec<u8>, StreamError> {
        self.work.call(0)?;
        let bytes = self.table.get_mut(&stream)?.read(&self.tree, len)?;
        self.work.bytes(bytes.len())?;
        Ok(bytes)
    }

    fn blocking_read(&mut self, stream: Resource<InputStream>, len: u64) -> Result<Vec<u8>, StreamError> {
        self.read(stream, len)
    }

    fn skip(&mut self, stream: Resource<InputStream>, len: u64) -> Result<u64, StreamError> {
        self.work.call(0)?;
        self.table.get_mut(&stream)?.skip(&self.tree, len)
    }

    fn blocking_skip(&mut self, stream: Resource<InputStream>, len: u64) -> Result<u64, StreamError> {
        self.skip(stream, len)
    }

    fn subscribe(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(0)?;
        self.table.get(&stream)?;
        self.push(Pollable::Ready)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        if let Some(file) = self.delete(stream)?.file() {
            self.tree.release(file);
        }
        Ok(())
    }
}

impl Host {
    /// Writes `len` zeros, which may not be more than one write takes.
    fn zeroes(&mut self, stream: &Resource<OutputStream>, len: u64) -> Result<(), StreamError> {
        let stream = self.table.get_mut(stream)?;
        if stream.check_write(&self.tree)? < len {
            return Err(StreamError::full());
        }
        self.work.bytes(stream.preparation(&self.tree))?;
        stream.write(&mut self.tree, &vec![0; len as usize])
    }
}

impl streams::HostOutputStream for Host {
    fn check_write(&mut self, stream: Resource<OutputStream>) -> Result<u64, StreamError> {
        self.work.call(0)?;
        self.table.get_mut(&stream)?.check_write(&self.tree)
    }

    fn write(&mut self, stream: Resource<OutputStream>, contents: Vec<u8>) -> Result<(), StreamError> {
        self.work.call(contents.len())?;
        let stream = self.table.get_mut(&stream)?;
        self.work.bytes(stream.preparation(&self.tree))?;
        stream.write(&mut self.tree, &contents)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        contents: Vec<u8>,
    ) -> Result<(), StreamError> {
        within_flushed_write(contents.len() as u64)?;
        self.write(stream, contents)
    }

    fn flush(&mut self, stream: Resource<OutputStream>) -> Result<(), StreamError> {
        self.work.call(0)?;
        self.table.get(&stream)?;
        Ok(())
    }

    fn blocking_flush(&mut self, stream: Resource<OutputStream>) -> Result<(), StreamError> {
        self.flush(stream)
    }

    fn subscribe(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(0)?;
        self.table.get(&stream)?;
        self.push(Pollable::Ready)
    }

    fn write_zeroes(&mut self, stream: Resource<OutputStream>, len: u64) -> Result<(), StreamError> {
        self.work.call(usize::try_from(len).unwrap_or(usize::MAX))?;
        self.zeroes(&stream, len)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        len: u64,
    ) -> Result<(), StreamError> {
        within_flushed_write(len)?;
        self.write_zeroes(stream, len)
    }

    fn splice(
        &mut self,
        stream: Resource<OutputStream>,
        source: Resource<InputStream>,
        len: u64,
    ) -> Result<u64, StreamError> {
        self.work.call(0)?;
        let len = len.min(self.table.get_mut(&stream)?.check_write(&self.tree)?);
        let bytes = self.table.get_mut(&source)?.read(&self.tree, len)?;
        self.work.bytes(bytes.len())?;
        let stream = self.table.get_mut(&stream)?;
        self.work.bytes(stream.preparation(&self.tree))?;
        stream.write(&mut self.tree, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn blocking_splice(
        &mut self,
        stream: Resource<OutputStream>,
        source: Resource<InputStream>,
        len: u64,
    ) -> Result<u64, StreamError> {
        self.splice(stream, source, len)
    }

    fn drop(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        if let Some(file) = self.delete(stream)?.file() {
            self.tree.release(file);
        }
        Ok(())
    }
}

/// A write that flushes has a bound of its own, beyond which the guest traps.
fn within_flushed_write(len: u64) -> wasmtime::Result<()> {
    if len <= FLUSHED_WRITE_BYTES_MAX {
        Ok(())
    } else {
        wasmtime::bail!("{len} bytes are more than the {FLUSHED_WRITE_BYTES_MAX} of a write that flushes");
    }
}
