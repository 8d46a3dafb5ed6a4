//! The system calls that computing needs, and no other.
//!
//! A list of what is allowed needs no update when the kernel learns something new. What is not on it fails with
//! `EPERM` rather than ending the process: libraries ask for things that they can do without.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::Confinement;

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the filter is not valid")]
    Build(#[from] BackendError),
    #[error("the kernel refuses the filter")]
    Apply(#[from] seccompiler::Error),
}

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// Restricts this thread, and those that it starts, to what `confinement` needs: memory and threads for all, the three
/// standard streams for a compiler, reading files for an executor.
pub(super) fn forbid_others(confinement: Confinement<'_>) -> Result<(), FilterError> {
    // The flags of `clone3` lie in memory where no filter can read them. "Not known" has the C library use `clone`.
    let absent: Rules = [(libc::SYS_clone3, Vec::new())].into();
    install(absent, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    let mut rules = computing()?;
    rules.extend(match confinement {
        Confinement::Compile { .. } => compiling()?,
        Confinement::Execute { .. } => executing()?,
    });
    install(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

fn install(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Result<(), FilterError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, on_match, arch)?.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

fn computing() -> Result<Rules, FilterError> {
    const FREELY: &[libc::c_long] = &[
        // Memory that is there.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        // Threads among themselves.
        libc::SYS_clone3,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_membarrier,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Signals of its own.
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        // Time, chance, and giving up.
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_getrandom,
        libc::SYS_getrusage,
        libc::SYS_sysinfo,
        libc::SYS_close,
    ];
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut rules: Rules = FREELY.iter().map(|call| (*call, Vec::new())).collect();
    // Threads, but no processes.
    rules.insert(libc::SYS_clone, any([all([with(0, libc::CLONE_THREAD)])])?);
    // Aborting is a signal to oneself.
    rules.insert(libc::SYS_tgkill, any([all([is(0, own)])])?);
    // Limits may be read: the new ones are absent.
    let absent = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0);
    rules.insert(libc::SYS_prlimit64, any([all([absent])])?);
    // Threads and memory may be named.
    let name = |what| all([is(0, what)]);
    rules.insert(libc::SYS_prctl, any([name(libc::PR_SET_NAME), name(libc::PR_SET_VMA)])?);
    Ok(rules)
}

/// What a compiler needs beside computing.
fn compiling() -> Result<Rules, FilterError> {
    let mut rules = Rules::new();
    // Three streams; whatever else an ancestor may have left open stays out of reach.
    for call in [libc::SYS_read, libc::SYS_readv, libc::SYS_write, libc::SYS_writev] {
        let streams = condition(0, SeccompCmpOp::Le, libc::STDERR_FILENO);
        rules.insert(call, any([all([streams])])?);
    }
    // Shared memory would escape the limit, executable memory would be a way to run something else.
    let private = all([without(2, libc::PROT_EXEC), without(3, libc::MAP_SHARED)]);
    rules.insert(libc::SYS_mmap, any([private])?);
    rules.insert(libc::SYS_mprotect, any([all([without(2, libc::PROT_EXEC)])])?);
    Ok(rules)
}

/// What an executor needs beside computing: to read files, and to keep images of a guest's memory in files that have
/// no name. Where a file may be is decided elsewhere.
fn executing() -> Result<Rules, FilterError> {
    const FREELY: &[libc::c_long] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pread64,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_statx,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_memfd_create,
        libc::SYS_ftruncate,
        libc::SYS_fcntl,
    ];
    /// `PAGEMAP_SCAN`, which finds the pages that a guest has written to.
    const PAGEMAP_SCAN: libc::c_int = 0xc060_6610_u32 as libc::c_int;

    let mut rules: Rules = FREELY.iter().map(|call| (*call, Vec::new())).collect();
    let writing = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
    rules.insert(libc::SYS_openat, any([all([without(2, writing)])])?);
    rules.insert(libc::SYS_ioctl, any([all([is(1, PAGEMAP_SCAN)])])?);
    Ok(rules)
}

type Condition = Result<SeccompCondition, BackendError>;

/// Joins conditions of which every one must hold.
fn all<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// Joins rules of which one must hold.
fn any<const N: usize>(
    rules: [Result<SeccompRule, BackendError>; N],
) -> Result<Vec<SeccompRule>, BackendError> {
    rules.into_iter().collect()
}

fn is(argument: u8, value: libc::c_int) -> Condition {
    condition(argument, SeccompCmpOp::Eq, value)
}

fn with(argument: u8, bits: libc::c_int) -> Condition {
    condition(argument, SeccompCmpOp::MaskedEq(bits as u32 as u64), bits)
}

fn without(argument: u8, bits: libc::c_int) -> Condition {
    condition(argument, SeccompCmpOp::MaskedEq(bits as u32 as u64), 0)
}

/// Compares the lower half of an argument: what the kernel reads of an `int`.
fn condition(argument: u8, operator: SeccompCmpOp, value: libc::c_int) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value as u32 as u64)
}
