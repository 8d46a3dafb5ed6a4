//! Where a guest's questions about the world outside are answered: from the world and recorded, or from a record.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use glassbox_core::egress::Egress;
use glassbox_core::transcript::{Entry, Transcript};
use tokio::runtime::Handle;

use super::wire::Wire;

/// Where the answers of granted interfaces come from.
///
/// What is not granted is the same in both: refused, or a pure function of the call's input.
#[derive(Debug, Clone, Copy)]
pub enum Effects<'a> {
    /// From the world outside. Every answer is recorded in the run's transcript.
    Live {
        /// The environment variables that the guest sees, names and values. They are recorded as any other answer,
        /// so no secret belongs here.
        environment: &'a [(String, String)],
        /// The HTTP requests that the caller allows, within what the manifest declares.
        egress: &'a Egress,
    },
    /// From the transcript of an earlier run, which must agree with this one question by question.
    Replay(&'a Transcript),
}

impl Default for Effects<'_> {
    fn default() -> Self {
        Self::Live { environment: &[], egress: &Egress::Any }
    }
}

/// A replay came to another question than its transcript, or stopped asking too early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run left its transcript at entry {entry}: expected {expected}, found {found}")]
pub(crate) struct Diverged {
    /// The index of the first entry that does not agree.
    pub(crate) entry: usize,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// What answers the questions of one run. All clones are one: a component and its dependencies ask in one order.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    source: Source,
    /// The questions so far, with their answers.
    transcript: Arc<Mutex<Transcript>>,
}

/// [`Effects`] that can move to another thread. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Live(Live),
    Replay(Arc<Transcript>),
}

/// What live answers are made from.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) environment: Arc<[(String, String)]>,
    /// The HTTP requests that the caller allows.
    pub(crate) egress: Arc<Egress>,
    /// Zero of the monotonic clock.
    pub(crate) started: Instant,
    /// The runtime whose timers and sockets are used, whichever thread the guest runs on. Where there is none, a guest
    /// cannot wait.
    runtime: Option<Handle>,
}

impl Live {
    /// Returns the runtime that a wait needs.
    pub(crate) fn runtime(&self) -> wasmtime::Result<&Handle> {
        self.runtime.as_ref().ok_or_else(|| wasmtime::format_err!("there is no runtime to wait in"))
    }
}

impl Source {
    /// Takes what answers need, the runtime of the caller among it.
    pub(crate) fn new(effects: Effects<'_>) -> Self {
        match effects {
            Effects::Live { environment, egress } => Self::Live(Live {
                environment: environment.into(),
                egress: Arc::new(egress.clone()),
                started: Instant::now(),
                runtime: Handle::try_current().ok(),
            }),
            Effects::Replay(transcript) => Self::Replay(Arc::new(transcript.clone())),
        }
    }
}

impl Observer {
    /// Makes the observer of a run.
    pub(crate) fn new(source: Source) -> Self {
        Self { source, transcript: Arc::default() }
    }

    /// A transcript is whole between any two statements.
    fn transcript(&self) -> MutexGuard<'_, Transcript> {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what live answers are made from, or `None` where a transcript answers.
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.source {
            Source::Live(live) => Some(live),
            Source::Replay(_) => None,
        }
    }

    /// Answers a question from the transcript, or returns `None` where the answer must be found outside and then
    /// [recorded](Observer::record).
    ///
    /// `import` is the function that was called, without a version, `args` its arguments in the canonical value
    /// encoding, one after the other.
    pub(crate) fn replay<A: Wire>(&self, import: &str, args: &[u8]) -> wasmtime::Result<Option<A>> {
        let mut transcript = self.transcript();
        if !transcript.has_room() {
            wasmtime::bail!("the guest observed more than a transcript can hold");
        }
        let Source::Replay(from) = &self.source else {
            return Ok(None);
        };
        let index = transcript.entries().len();
        let diverged = |expected, found| Diverged { entry: index, expected, found };
        let question = |import: &str, args: &[u8]| format!("`{import}` with {}", Hex(args));
        let Some(entry) = from.entries().get(index) else {
            return Err(diverged("the end".into(), question(import, args)).into());
        };
        if entry.import != import || entry.args != args {
            let expected = question(&entry.import, &entry.args);
            return Err(diverged(expected, question(import, args)).into());
        }
        let Some(answer) = A::decode(&entry.result) else {
            let expected = format!("an answer to `{import}`, a {}", A::ty());
            return Err(diverged(expected, Hex(&entry.result).to_string()).into());
        };
        transcript.push(entry.clone()).map_err(wasmtime::Error::new)?;
        Ok(Some(answer))
    }

    /// Records what was found outside for a question that [`Observer::replay`] left open.
    pub(crate) fn record<A: Wire>(&self, import: &str, args: &[u8], answer: A) -> wasmtime::Result<()> {
        let entry = Entry { import: import.to_owned(), args: args.to_vec(), result: answer.encode()? };
        self.transcript().push(entry).map_err(wasmtime::Error::new)
    }

    /// Answers a question from the transcript, or by `find`, whose answer is recorded.
    pub(crate) fn observe<A: Wire + Clone>(
        &self,
        import: &str,
        args: &[u8],
        find: impl FnOnce(&Live) -> wasmtime::Result<A>,
    ) -> wasmtime::Result<A> {
        if let Some(answer) = self.replay(import, args)? {
            return Ok(answer);
        }
        let Source::Live(live) = &self.source else {
            unreachable!("a replay answers every question or fails");
        };
        let answer = find(live)?;
        self.record(import, args, answer.clone())?;
        Ok(answer)
    }

    /// Says that the answer that [`Observer::replay`] gave last cannot be one to its question.
    pub(crate) fn impossible(&self, expected: impl fmt::Display) -> wasmtime::Error {
        let transcript = self.transcript();
        let last = transcript.entries().last();
        wasmtime::Error::new(Diverged {
            entry: transcript.entries().len().saturating_sub(1),
            expected: expected.to_string(),
            found: last.map_or_else(String::new, |entry| Hex(&entry.result).to_string()),
        })
    }

    /// Returns what was observed, and leaves nothing of it.
    pub(crate) fn take(&self) -> Transcript {
        std::mem::take(&mut self.transcript())
    }

    /// Checks that a run that came to its end has asked every question of the transcript that it replays.
    pub(crate) fn check_end(&self) -> Result<(), Diverged> {
        let entry = self.transcript().entries().len();
        let next = match &self.source {
            Source::Replay(from) => from.entries().get(entry),
            Source::Live(_) => None,
        };
        next.map_or(Ok(()), |next| {
            let expected = format!("`{}` with {}", next.import, Hex(&next.args));
            Err(Diverged { entry, expected, found: "the end".into() })
        })
    }
}

/// Prints the start of some bytes in hexadecimal, and how many there are.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        f.write_str("0x")?;
        for byte in self.0.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        if self.0.len() > SHOWN { write!(f, "… of {} bytes", self.0.len()) } else { Ok(()) }
    }
}
