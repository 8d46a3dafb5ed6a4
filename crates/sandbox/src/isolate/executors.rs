//! The parent's side of running in children: starts them, asks them, and starts them again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use glassbox_core::limits;
use glassbox_core::value::binary;
use tokio::sync::oneshot;

use super::compile::warn_once;
use super::execute::{Answer, Ask, Call, Part, RESULT_BYTES_MAX, Start, outcome};
use super::frame;
use crate::artifact::KEY_BYTES;
use crate::{Failure, FailureKind, Flow, Invocation, Outcome, Prepared, Run, compose};

/// Where guests run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Executor {
    /// In this process, each in an instance of its own.
    #[default]
    InProcess,
    /// In children that can read compiled components and nothing else. Guests with grants still run in this process.
    ///
    /// Needs a directory of compiled components, which is how they reach the children.
    Processes {
        /// The program. Must call [`execute_worker`](crate::execute_worker) when it is given `args`, and must be built
        /// from the same sources.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
        /// How many children there are, each with all the threads that the sandbox is set up with.
        count: usize,
    },
}

/// The children that run guests.
pub(crate) struct Executors {
    recipe: Arc<Recipe>,
    children: Vec<Mutex<Arc<Connection>>>,
    next_id: AtomicU64,
}

/// What it takes to start a child.
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) start: Start,
    pub(crate) key: [u8; KEY_BYTES],
}

/// The connection to one child. Once it is closed it stays so.
#[derive(Default)]
struct Connection(Mutex<Option<Open>>);

struct Open {
    asks: mpsc::Sender<(Ask, Vec<u8>)>,
    waiting: HashMap<u64, Waiting>,
}

/// Somebody who waits for the end of a run.
struct Waiting {
    /// When even a slow child would have answered.
    deadline: Instant,
    answer: oneshot::Sender<(Answer, Vec<u8>)>,
}

/// How often the connection is looked through for runs that should have ended.
const SWEEP: Duration = Duration::from_secs(1);

/// How much longer a child may take to answer than the run's own limits say: it may have to load the component.
const ANSWER_MARGIN: Duration = Duration::from_secs(10);

impl Executors {
    /// Makes ready to start `count` children when they are first needed.
    pub(crate) fn new(recipe: Recipe, count: usize) -> Self {
        let children = (0..count.max(1)).map(|_| Mutex::default()).collect();
        Self { recipe: Arc::new(recipe), children, next_id: AtomicU64::new(0) }
    }

    /// Runs one function in a child. Dropping the future ends the guest at its next yield.
    pub(crate) async fn run(&self, prepared: &Prepared, invocation: Invocation<'_>, flow: Flow) -> Run {
        // What cannot observe anything needs no effects and no files.
        let Invocation { function, ty, args, limits, marked, .. } = invocation;
        let never_answered = || Run {
            outcome: Outcome::Failed(Failure::new(FailureKind::Internal, "the sandbox failed")),
            fuel_used: 0,
            memory_peak_bytes: 0,
            elapsed: Duration::ZERO,
            pure: prepared.is_pure(),
            transcript: None,
            inner: Vec::new(),
            events: BTreeMap::new(),
            waited: Duration::ZERO,
            reached: BTreeSet::new(),
        };
        let body = match binary::encode_args(ty, &args) {
            Ok(body) => body,
            Err(error) => {
                let failure = Failure::new(FailureKind::BadArguments, error.to_string());
                return Run { outcome: Outcome::Failed(failure), ..never_answered() };
            }
        };
        let call = Call {
            component: Part::of(prepared),
            function: function.clone(),
            ty: ty.clone(),
            limits,
            payer: flow.payer.to_string(),
            package: flow.package.to_string(),
            marked,
        };
        let Some(mut asked) = self.ask(call, body) else { return never_answered() };
        match (&mut asked.answer).await {
            Ok((
                Answer::Ended { failure, fuel_used, memory_peak_bytes, elapsed, inner, reached, .. },
                body,
            )) => Run {
                outcome: outcome(ty, failure, &body),
                // Whatever a child says, nobody pays for more than was agreed.
                fuel_used: fuel_used.min(limits.fuel),
                memory_peak_bytes: memory_peak_bytes
                    .min(compose::memory_bytes(limits.memory_bytes, prepared.dependencies())),
                elapsed,
                pure: prepared.is_pure(),
                transcript: None,
                inner,
                events: BTreeMap::new(),
                waited: Duration::ZERO,
                reached,
            },
            _ => never_answered(),
        }
    }

    /// Sends a run to the child whose turn it is, which is started where it does not live.
    fn ask(&self, call: Call, body: Vec<u8>) -> Option<Asked> {
        let patience = Duration::from_millis(limits::QUEUE_WAIT_MS_MAX.saturating_add(call.limits.wall_ms));
        let deadline = Instant::now() + patience + ANSWER_MARGIN;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let child = &self.children[id as usize % self.children.len()];
        let mut connection = child.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.lock().is_none() {
            *connection = self.recipe.clone().start()?;
        }
        let (sender, answer) = oneshot::channel();
        let mut open = connection.lock();
        let open = open.as_mut()?;
        open.waiting.insert(id, Waiting { deadline, answer: sender });
        // A child that has just died closes the connection, which ends the wait.
        let _ = open.asks.send((Ask::Run { id, call: Box::new(call) }, body));
        Some(Asked { connection: connection.clone(), id, answer })
    }
}

impl Drop for Executors {
    fn drop(&mut self) {
        for child in &self.children {
            // Children end when they hear no more.
            child.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
    }
}

/// A run that was asked for. Dropped before its answer, it tells the child that nobody waits any more.
struct Asked {
    connection: Arc<Connection>,
    id: u64,
    answer: oneshot::Receiver<(Answer, Vec<u8>)>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(open) = self.connection.lock().as_mut()
            && open.waiting.remove(&self.id).is_some()
        {
            let _ = open.asks.send((Ask::Drop { id: self.id }, Vec::new()));
        }
    }
}

impl Connection {
    /// What the lock guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection: whoever waits learns that there will be no answer.
    fn close(&self) {
        self.lock().take();
    }

    fn is_overdue(&self) -> bool {
        let now = Instant::now();
        self.lock().as_ref().is_some_and(|open| open.waiting.values().any(|waiting| waiting.deadline < now))
    }
}

impl Recipe {
    /// Starts a child and the threads that speak with it.
    fn start(self: Arc<Self>) -> Option<Arc<Connection>> {
        let (asks, asked) = mpsc::channel();
        let connection = Arc::new(Connection(Mutex::new(Some(Open { asks, waiting: HashMap::new() }))));
        let closing = connection.clone();
        // The child is bound to the life of the thread that starts it, so that is the one that stays.
        let thread = std::thread::Builder::new().name("executor".into()).spawn(move || {
            let ended = self.converse(&closing, asked);
            closing.close();
            match ended {
                Ok(()) => tracing::debug!("An executor ended"),
                Err(error) => tracing::error!("An executor failed: {error}"),
            }
        });
        match thread {
            Ok(_) => Some(connection),
            Err(error) => {
                tracing::error!("Cannot start a thread for an executor: {error}");
                None
            }
        }
    }

    fn converse(&self, connection: &Connection, asked: mpsc::Receiver<(Ask, Vec<u8>)>) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().current_dir("/");
        // What it complains of belongs into our own log.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let child = Mutex::new(child);
        let kill = || child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        let (done, is_done) = mpsc::channel::<()>();
        let ended = std::thread::scope(|scope| {
            let kill = &kill;
            scope.spawn(move || {
                if let Err(error) = self.talk(input, asked) {
                    // A child that does not listen has ended, or is ended by those who wait for it.
                    tracing::debug!("An executor does not listen: {error}");
                }
            });
            scope.spawn(move || {
                while is_done.recv_timeout(SWEEP) == Err(RecvTimeoutError::Timeout) {
                    if connection.is_overdue() {
                        tracing::error!("An executor does not answer");
                        // It fails only where the child has ended by itself.
                        let _ = kill();
                    }
                }
            });
            let ended = listen(&mut io::BufReader::new(output), connection);
            let hung_up = connection.lock().is_none();
            connection.close();
            drop(done);
            // Whatever it still does, nobody listens. This also ends a writing to it that it has let wait.
            kill()?;
            if hung_up { Ok(()) } else { ended }
        });
        let status = Child::wait(&mut child.lock().unwrap_or_else(PoisonError::into_inner))?;
        ended.map_err(|error| io::Error::other(format!("{error} ({status})")))
    }

    /// Passes on what is asked until the connection is closed.
    fn talk(&self, mut input: ChildStdin, asked: mpsc::Receiver<(Ask, Vec<u8>)>) -> io::Result<()> {
        frame::write(&mut input, &self.start, &self.key)?;
        for (ask, body) in asked {
            frame::write(&mut input, &ask, &body)?;
        }
        Ok(())
    }
}

/// Hands out what a child says until it says no more.
fn listen(output: &mut impl io::Read, connection: &Connection) -> io::Result<()> {
    loop {
        let (answer, body_bytes): (Answer, usize) = frame::read_head(output)?;
        if body_bytes > RESULT_BYTES_MAX {
            return Err(io::Error::other("an answer is too long"));
        }
        let body = frame::read_body(output, body_bytes)?;
        match &answer {
            Answer::Ready { missing } => {
                static WARNED: Once = Once::new();
                warn_once(&WARNED, "Guests run", missing);
            }
            Answer::Ended { id, .. } => {
                let waiting = connection.lock().as_mut().and_then(|open| open.waiting.remove(id));
                if let Some(waiting) = waiting {
                    // Who has just gone needs no answer.
                    let _ = waiting.answer.send((answer, body));
                }
            }
        }
    }
}
