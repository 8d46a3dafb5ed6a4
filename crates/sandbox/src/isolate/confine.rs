//! What a child gives up before it touches anything of a stranger's.

use std::path::Path;

/// What this process is for, and so may still do.
#[derive(Debug, Clone, Copy)]
pub enum Confinement<'a> {
    /// To compute, at a low priority, and to make nothing executable.
    Compile {
        /// The most processor time over all threads, in seconds.
        cpu_seconds: u64,
        /// The most memory, in bytes.
        memory_bytes: u64,
    },
    /// To compute, and to load compiled components. Time and memory are bounded guest by guest.
    Execute {
        /// The one directory that can be read.
        artifact_dir: &'a Path,
    },
}

/// Takes from this process, for good, all that its work does not need: files, sockets, other processes, new programs
/// and privileges, and more time and memory than `confinement` allows.
///
/// Returns the names of the barriers that this system does not have. Each is worth something by itself, so the others
/// stand all the same. It binds the calling thread and the threads that it starts: call it before there are others.
pub fn confine(confinement: Confinement<'_>) -> Vec<&'static str> {
    let mut missing = Vec::new();
    #[cfg(target_os = "linux")]
    let files_forbidden = forbid_files(confinement);
    #[cfg(not(target_os = "linux"))]
    let files_forbidden = false;
    if !files_forbidden {
        missing.push("landlock");
    }
    // Later than the above, which opens a file.
    #[cfg(unix)]
    limit(confinement, &mut missing);
    #[cfg(not(unix))]
    {
        let _ = confinement;
        missing.push("resource limits");
    }
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    if let Err(error) = super::syscalls::forbid_others(confinement) {
        tracing::debug!("No system call filter: {error}");
        missing.push("seccomp");
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    missing.push("seccomp");
    missing
}

#[cfg(unix)]
fn limit(confinement: Confinement<'_>, missing: &mut Vec<&'static str>) {
    use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

    /// Standard input, output and error: no file beyond them can be opened.
    const STREAMS: u64 = 3;
    /// What guests wait for comes first, but a compilation must not starve either.
    const NICENESS: i32 = 10;

    let lower = |resource, current: u64, maximum: u64| {
        // Where it is lower already it stays so, and raising it would be refused.
        let found = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(current.min(found)), maximum: Some(maximum.min(found)) };
        setrlimit(resource, limit).is_ok()
    };
    let mut lowered = lower(Resource::Core, 0, 0);
    if let Confinement::Compile { cpu_seconds, memory_bytes } = confinement {
        // The soft limit sends SIGXCPU, which tells this end from others.
        lowered &= lower(Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1));
        // Data, not address space: allocators and thread stacks reserve far more than they ever use.
        lowered &= lower(Resource::Data, memory_bytes, memory_bytes);
        lowered &= lower(Resource::Fsize, 0, 0);
        lowered &= lower(Resource::Nofile, STREAMS, STREAMS);
        if nice(NICENESS).is_err() {
            missing.push("low priority");
        }
    }
    if !lowered {
        missing.push("resource limits");
    }
}

/// A child is of no use without its parent, and the one to do without where memory runs out for all.
pub(super) fn volunteer_to_die() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let bound = set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from);
        if let Err(error) = bound.and_then(|()| std::fs::write("/proc/self/oom_score_adj", "1000")) {
            tracing::debug!("Cannot volunteer to die first: {error}");
        }
    }
}

/// Goes on when all processes are asked to end: a terminal and a service manager ask children and parent alike, and the parent
/// has calls to bring to their end first. This process ends when its parent hangs up, at the latest with it.
pub(super) fn leave_ending_to_the_parent() {
    #[cfg(target_os = "linux")]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Nobody looks at it: that something is done when the signal comes is what keeps it from ending this process.
        if let Err(error) = signal_hook::flag::register(signal, std::sync::Arc::default()) {
            tracing::debug!("Cannot outlast a signal: {error}");
        }
    }
}

/// Forbids every file but those that can be read, every TCP port, and signals and sockets that lead out of this process.
#[cfg(target_os = "linux")]
fn forbid_files(confinement: Confinement<'_>) -> bool {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetStatus, Scope,
    };

    let restrict = || -> Result<bool, Box<dyn std::error::Error>> {
        // What an older kernel does not know is left out of what is asked of it.
        let abi = ABI::V6;
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        if let Confinement::Execute { artifact_dir } = confinement {
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(artifact_dir)?, AccessFs::ReadFile))?;
        }
        Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
    };
    restrict().unwrap_or_else(|error| {
        tracing::debug!("No restriction of files: {error}");
        false
    })
}
