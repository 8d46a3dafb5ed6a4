//! Where a guest's questions about the world outside are answered: from the world and recorded, or from a record.

use std::fmt;
use std::sync::Arc;

use glassbox_core::transcript::{Entry, Transcript};
use glassbox_core::value::{Type, Value, binary};
use tokio::runtime::Handle;

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
    },
    /// From the transcript of an earlier run, which must agree with this one question by question.
    Replay(&'a Transcript),
}

impl Default for Effects<'_> {
    fn default() -> Self {
        Self::Live { environment: &[] }
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

/// What answers the questions of one run.
#[derive(Debug)]
pub(crate) struct Observer {
    source: Source,
    transcript: Transcript,
}

#[derive(Debug, Clone)]
enum Source {
    /// The guest can observe nothing.
    Nothing,
    Live(Live),
    Replay {
        from: Arc<Transcript>,
    },
}

/// What live answers are made from.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) environment: Arc<[(String, String)]>,
    /// The runtime whose timers and sockets are used, whichever thread the guest runs on.
    pub(crate) runtime: Handle,
}

impl Observer {
    /// Makes the observer of a guest that is granted nothing to observe.
    pub(crate) fn nothing() -> Self {
        Self { source: Source::Nothing, transcript: Transcript::new() }
    }

    /// Makes the observer of a run. Needs to be in a tokio runtime, whose timers live answers use.
    pub(crate) fn new(effects: Effects<'_>) -> Self {
        let source = match effects {
            Effects::Live { environment } => {
                Source::Live(Live { environment: environment.into(), runtime: Handle::current() })
            }
            Effects::Replay(transcript) => Source::Replay { from: Arc::new(transcript.clone()) },
        };
        Self { source, transcript: Transcript::new() }
    }

    /// Returns what live answers are made from, or `None` where a transcript answers.
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.source {
            Source::Live(live) => Some(live),
            Source::Nothing | Source::Replay { .. } => None,
        }
    }

    /// Answers a question from the transcript, or returns `None` where the answer must be found outside and then
    /// [recorded](Observer::record).
    ///
    /// `import` is the function that was called, without a version, `args` its arguments in the canonical value
    /// encoding; so is the answer.
    pub(crate) fn replay(&mut self, import: &str, args: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        if !self.transcript.has_room() {
            wasmtime::bail!("the guest observed more than a transcript can hold");
        }
        let from = match &self.source {
            Source::Replay { from } => from,
            Source::Live(_) => return Ok(None),
            Source::Nothing => wasmtime::bail!("`{import}` was called by a guest that may observe nothing"),
        };
        let index = self.transcript.entries().len();
        let question = |import: &str, args: &[u8]| format!("`{import}` with {}", Hex(args));
        let entry = from.entries().get(index);
        let Some(entry) = entry.filter(|entry| entry.import == import && entry.args == args) else {
            let expected = entry.map(|entry| question(&entry.import, &entry.args));
            return Err(wasmtime::Error::new(Diverged {
                entry: index,
                expected: expected.unwrap_or_else(|| "the end".into()),
                found: question(import, args),
            }));
        };
        let result = entry.result.clone();
        self.transcript.push(entry.clone()).map_err(wasmtime::Error::new)?;
        Ok(Some(result))
    }

    /// Records what was found outside for a question that [`Observer::replay`] left open.
    pub(crate) fn record(&mut self, import: &str, args: &[u8], result: &[u8]) -> wasmtime::Result<()> {
        let entry = Entry { import: import.to_owned(), args: args.to_vec(), result: result.to_vec() };
        self.transcript.push(entry).map_err(wasmtime::Error::new)
    }

    /// Answers a question whose answer is found at once: from the transcript, or by `find`, which is then recorded.
    pub(crate) fn observe(
        &mut self,
        import: &str,
        args: &[(Value, Type)],
        ty: &Type,
        find: impl FnOnce(&Live) -> wasmtime::Result<Value>,
    ) -> wasmtime::Result<Value> {
        let mut question = Vec::new();
        for (value, ty) in args {
            question.extend(binary::encode(value, ty).map_err(wasmtime::Error::new)?);
        }
        if let Some(answer) = self.replay(import, &question)? {
            return self.decode(&answer, ty);
        }
        let Source::Live(live) = &self.source else {
            wasmtime::bail!("only a live run asks outside");
        };
        let value = find(live)?;
        let answer = binary::encode(&value, ty).map_err(wasmtime::Error::new)?;
        self.record(import, &question, &answer)?;
        Ok(value)
    }

    /// Reads the answer that [`Observer::replay`] gave last. One that is no value of `ty` is no answer to the question.
    pub(crate) fn decode(&self, answer: &[u8], ty: &Type) -> wasmtime::Result<Value> {
        binary::decode(answer, ty).map_err(|_| self.no_answer(answer, ty))
    }

    /// Says that the answer that [`Observer::replay`] gave last is no answer to the question.
    pub(crate) fn no_answer(&self, answer: &[u8], expected: impl fmt::Display) -> wasmtime::Error {
        wasmtime::Error::new(Diverged {
            entry: self.transcript.entries().len().saturating_sub(1),
            expected: format!("the answer {expected}"),
            found: Hex(answer).to_string(),
        })
    }

    /// Checks that a replay that returned has asked every question, and returns what was observed.
    pub(crate) fn finish(&mut self, returned: bool) -> Result<Transcript, Diverged> {
        let entry = self.transcript.entries().len();
        if let Source::Replay { from } = &self.source
            && returned
            && let Some(next) = from.entries().get(entry)
        {
            let expected = format!("`{}` with {}", next.import, Hex(&next.args));
            return Err(Diverged { entry, expected, found: "the end".into() });
        }
        Ok(std::mem::take(&mut self.transcript))
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
