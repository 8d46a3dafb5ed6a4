//! What a child gives up before it touches anything of a stranger's.

/// What this process may still do.
#[derive(Debug, Clone, Copy)]
pub struct Confinement {
    /// The most processor time over all threads, in seconds.
    pub cpu_seconds: u64,
    /// The most memory, in bytes.
    pub memory_bytes: u64,
}

/// Takes from this process, for good, all that computing does not need: files, sockets, other processes, new programs,
/// privileges, and more time and memory than `confinement` allows.
///
/// Returns the names of the barriers that this system does not have. Each is worth something by itself, so the others
/// stand all the same. It binds the calling thread and the threads that it starts: call it before there are others.
pub fn confine(confinement: Confinement) -> Vec<&'static str> {
    let mut missing = Vec::new();
    #[cfg(target_os = "linux")]
    let files_forbidden = forbid_files();
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
    if let Err(error) = super::syscalls::allow_computing_only() {
        tracing::debug!("No system call filter: {error}");
        missing.push("seccomp");
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    missing.push("seccomp");
    missing
}

#[cfg(unix)]
fn limit(confinement: Confinement, missing: &mut Vec<&'static str>) {
    use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

    /// Standard input, output and error: no file beyond them can be opened.
    const FILES: u64 = 3;
    /// What guests wait for comes first, but a compilation must not starve either.
    const NICENESS: i32 = 10;

    let limits = [
        // The soft limit sends SIGXCPU, which tells this end from others.
        (Resource::Cpu, confinement.cpu_seconds, confinement.cpu_seconds.saturating_add(1)),
        // Data, not address space: allocators and thread stacks reserve far more than they ever use.
        (Resource::Data, confinement.memory_bytes, confinement.memory_bytes),
        (Resource::Fsize, 0, 0),
        (Resource::Core, 0, 0),
        (Resource::Nofile, FILES, FILES),
    ];
    let lowered = limits.into_iter().all(|(resource, current, maximum)| {
        // Where it is lower already it stays so, and raising it would be refused.
        let found = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(current.min(found)), maximum: Some(maximum.min(found)) };
        setrlimit(resource, limit).is_ok()
    });
    if !lowered {
        missing.push("resource limits");
    }
    if nice(NICENESS).is_err() {
        missing.push("low priority");
    }
}

/// Forbids every file, every TCP port, and signals and sockets that lead out of this process.
#[cfg(target_os = "linux")]
fn forbid_files() -> bool {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
    };

    let restrict = || -> Result<bool, RulesetError> {
        // What an older kernel does not know is left out of what is asked of it.
        let abi = ABI::V6;
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
    };
    restrict().unwrap_or(false)
}
