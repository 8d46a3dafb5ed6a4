//! Compiling in a child: what the parent asks, what the child does, and how its ends are told apart.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Once;
use std::sync::mpsc;
use std::time::Duration;

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use serde::{Deserialize, Serialize};

use super::confine::{Confinement, confine, volunteer_to_die};
use super::frame;
use crate::unroll::unrolled;
use crate::{Codegen, SandboxError, engine};

/// Where components are compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without a limit: for components that one trusts, and for tests.
    #[default]
    InProcess,
    /// In a child for each component: confined, bounded by [`CompileLimits`], and of low priority.
    Process {
        /// The program. Must call [`compile_worker`] when it is given `args`, and must be built from the same sources.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
}

/// How much the compilation of one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileLimits {
    /// The most processor time over all threads, in seconds.
    pub cpu_seconds: u64,
    /// The most memory, in bytes.
    pub memory_bytes: u64,
    /// The longest time on the wall clock, in milliseconds.
    pub wall_ms: u64,
    /// The largest result, in bytes.
    pub artifact_bytes: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            cpu_seconds: limits::COMPILE_CPU_SECONDS_MAX,
            memory_bytes: limits::COMPILE_MEMORY_BYTES_MAX,
            wall_ms: limits::COMPILE_WALL_MS_MAX,
            artifact_bytes: limits::ARTIFACT_BYTES_MAX,
        }
    }
}

/// What a compilation takes more of than it may, and how much it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields are units")]
pub enum CompileResource {
    /// Processor time.
    Cpu { seconds: u64 },
    /// Memory.
    Memory { bytes: u64 },
    /// Time on the wall clock: the only one that depends on what else the machine does.
    Wall { ms: u64 },
    /// Compiled code.
    Artifact { bytes: usize },
}

impl fmt::Display for CompileResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { seconds } => write!(f, "{seconds} s of processor time"),
            Self::Memory { bytes } => write!(f, "{bytes} bytes of memory"),
            Self::Wall { ms } => write!(f, "{ms} ms"),
            Self::Artifact { bytes } => write!(f, "{bytes} bytes of compiled code"),
        }
    }
}

/// What the child is asked. A component follows as the body.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Compilation {
    pub(crate) codegen: Codegen,
    pub(crate) limits: CompileLimits,
}

/// What the child answers. An artefact follows as the body where it was compiled.
#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    result: Result<(), Refusal>,
    /// The barriers that the child has to do without.
    missing: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Refusal {
    Invalid(String),
    ArtifactTooLarge,
}

/// Compiles one component for a parent that uses [`Compiler::Process`], and ends.
///
/// Speaks on the standard streams and gives up the rights of this process: a `main` calls it before anything else, and
/// returns what it returns.
pub fn compile_worker() -> ExitCode {
    match serve_one(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "the compiler cannot work: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_one(from: &mut impl Read, to: &mut impl io::Write) -> io::Result<()> {
    let (Compilation { codegen, limits }, component_bytes) = frame::read_head(from)?;
    // Made of nothing but our own profile, and not from a pool, which would only reserve memory.
    let engine = engine::on_demand(Profile::current(), codegen).map_err(io::Error::other)?;
    volunteer_to_die();
    let missing =
        confine(Confinement::Compile { cpu_seconds: limits.cpu_seconds, memory_bytes: limits.memory_bytes });
    let missing = missing.into_iter().map(str::to_owned).collect();
    let component = frame::read_body(from, component_bytes.min(limits::COMPONENT_BYTES_MAX))?;
    let compiled = engine.precompile_component(&unrolled(&component));
    let result = match &compiled {
        Ok(artifact) if artifact.len() <= limits.artifact_bytes => Ok(()),
        Ok(_) => Err(Refusal::ArtifactTooLarge),
        Err(error) => Err(Refusal::Invalid(format!("{error:#}").chars().take(REASON_CHARS_MAX).collect())),
    };
    let artifact = compiled.ok().filter(|_| result.is_ok()).unwrap_or_default();
    frame::write(to, &Reply { result, missing }, &artifact)
}

/// How much is said of a refusal, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// Compiles a component in a child, and returns its artefact. Blocks for as long as that takes, and no longer than the
/// limits allow.
pub(crate) fn compile(
    program: &Path,
    args: &[OsString],
    component: &[u8],
    compilation: Compilation,
) -> Result<Vec<u8>, SandboxError> {
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that whatever it starts ends with it, should the system let it start anything.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(SandboxError::Compiler)?;
    let ended = converse(child, component, &compilation).map_err(SandboxError::Compiler)?;
    ended.artifact(&compilation.limits)
}

/// How a child ended, and what it said before.
struct Ended {
    status: ExitStatus,
    timed_out: bool,
    reply: io::Result<(Reply, Option<Vec<u8>>)>,
    complaint: String,
}

/// Gives a child its component and hears it out, until it has said everything or time is up.
fn converse(mut child: Child, component: &[u8], compilation: &Compilation) -> io::Result<Ended> {
    let limits = &compilation.limits;
    let (Some(mut input), Some(mut output), Some(mut errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the child has no pipes"));
    };
    std::thread::scope(|scope| {
        // A child that ends early says why by its end: that it did not listen is no news.
        scope.spawn(move || frame::write(&mut input, compilation, component));
        let complaint = scope.spawn(move || {
            let mut complaint = Vec::new();
            // Read to its end even beyond what is kept: a child must not block on a full pipe.
            let kept = errors.by_ref().take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint);
            let _ = kept.and_then(|_| io::copy(&mut errors, &mut io::sink()));
            String::from_utf8_lossy(&complaint).into_owned()
        });
        let (heard, done) = mpsc::channel();
        scope.spawn(move || {
            let reply = hear(&mut output, limits);
            // Whatever else it has to say is waited for, as the end of its output is the sign that it is done.
            let _ = io::copy(&mut output.take(COMPLAINT_BYTES_MAX), &mut io::sink());
            // The receiver waits as long as there is time.
            let _ = heard.send(reply);
        });
        let reply = done.recv_timeout(Duration::from_millis(limits.wall_ms));
        // One that has closed its output is ending, and what it ends with cannot be changed any more. One that only
        // pretends to, or takes too long, ends now.
        kill(&mut child)?;
        let status = child.wait()?;
        Ok(Ended {
            status,
            timed_out: reply.is_err(),
            reply: reply.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            complaint: complaint.join().unwrap_or_default(),
        })
    })
}

/// Ends a child and its group. It was not waited for yet, so its number is still its own.
fn kill(child: &mut Child) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        // The group is gone where the child alone was left of it, and has ended.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
    child.kill()
}

/// How much of what a child writes beside its reply is kept, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 4 * 1024;

/// Reads a reply, and the artefact unless it is larger than allowed.
fn hear(from: &mut impl Read, limits: &CompileLimits) -> io::Result<(Reply, Option<Vec<u8>>)> {
    let (reply, artifact_bytes): (Reply, usize) = frame::read_head(from)?;
    if artifact_bytes > limits.artifact_bytes {
        return Ok((reply, None));
    }
    Ok((reply, Some(frame::read_body(from, artifact_bytes)?)))
}

impl Ended {
    fn artifact(self, limits: &CompileLimits) -> Result<Vec<u8>, SandboxError> {
        let exceeded = |what| Err(SandboxError::CompileLimit { what });
        let too_large = CompileResource::Artifact { bytes: limits.artifact_bytes };
        match self.reply {
            Ok((reply, artifact)) if self.status.success() => {
                static WARNED: Once = Once::new();
                warn_once(&WARNED, "Components are compiled", &reply.missing);
                match (reply.result, artifact) {
                    (Ok(()), Some(artifact)) => Ok(artifact),
                    (Ok(()) | Err(Refusal::ArtifactTooLarge), _) => exceeded(too_large),
                    (Err(Refusal::Invalid(reason)), _) => Err(SandboxError::Compile { reason }),
                }
            }
            _ if self.timed_out => exceeded(CompileResource::Wall { ms: limits.wall_ms }),
            _ if ran_out_of_cpu(self.status) => {
                exceeded(CompileResource::Cpu { seconds: limits.cpu_seconds })
            }
            // The standard library's own words; there is no other sign of it.
            _ if self.complaint.contains("memory allocation of") => {
                exceeded(CompileResource::Memory { bytes: limits.memory_bytes })
            }
            reply => {
                let reply = reply.map(|(reply, _)| reply);
                tracing::warn!(reply = ?reply, complaint = self.complaint, "The compiler ended early: {}", self.status);
                Err(SandboxError::Compile { reason: format!("the compiler ended early: {}", self.status) })
            }
        }
    }
}

#[cfg(unix)]
fn ran_out_of_cpu(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn ran_out_of_cpu(_: ExitStatus) -> bool {
    false
}

/// What a system does not have does not change while the program runs.
pub(super) fn warn_once(once: &Once, what: &str, missing: &[String]) {
    if !missing.is_empty() {
        once.call_once(|| tracing::warn!("{what} without {}", missing.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Counts what is logged.
    #[derive(Default, Clone)]
    struct Lines(std::sync::Arc<AtomicUsize>);

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_barrier_that_is_missing_is_told_once() {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            let once = Once::new();
            let told = || lines.0.load(Ordering::Relaxed);
            warn_once(&once, "Guests run", &[]);
            assert_eq!(told(), 0);
            for _ in 0..3 {
                warn_once(&once, "Guests run", &["landlock".to_owned()]);
                assert_eq!(told(), 1);
            }
        });
    }
}
