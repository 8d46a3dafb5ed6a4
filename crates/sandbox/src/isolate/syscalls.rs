//! The system calls that computing needs, and no other.
//!
//! A list of what is allowed needs no update when the kernel learns something new. What is not on it fails with
//! `EPERM` rather than ending the process: libraries ask for things that they can do without.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the filter is not valid")]
    Build(#[from] BackendError),
    #[error("the kernel refuses the filter")]
    Apply(#[from] seccompiler::Error),
}

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// Restricts this thread, and those that it starts, to computing and to reading and writing the three standard streams.
/// Memory can be had, but not made executable; threads can be started, but no processes.
pub(super) fn allow_computing_only() -> Result<(), FilterError> {
    // The flags of `clone3` lie in memory where no filter can read them. "Not known" has the C library use `clone`.
    let absent: Rules = [(libc::SYS_clone3, Vec::new())].into();
    install(absent, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    install(computing()?, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
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
    let is = |argument, value: libc::c_int| condition(argument, SeccompCmpOp::Eq, value);
    let without = |argument, bits: libc::c_int| condition(argument, SeccompCmpOp::MaskedEq(bits as u64), 0);
    let with = |argument, bits: libc::c_int| condition(argument, SeccompCmpOp::MaskedEq(bits as u64), bits);
    // Three streams; whatever else an ancestor may have left open stays out of reach.
    let streams = || condition(0, SeccompCmpOp::Le, libc::STDERR_FILENO);
    let own = || is(0, rustix::process::getpid().as_raw_nonzero().get());

    let mut rules: Rules = FREELY.iter().map(|call| (*call, Vec::new())).collect();
    for call in [libc::SYS_read, libc::SYS_readv, libc::SYS_write, libc::SYS_writev] {
        rules.insert(call, vec![SeccompRule::new(vec![streams()?])?]);
    }
    // Shared memory would escape the limit, executable memory would be a way to run something else.
    let private = SeccompRule::new(vec![without(2, libc::PROT_EXEC)?, without(3, libc::MAP_SHARED)?])?;
    rules.insert(libc::SYS_mmap, vec![private]);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![without(2, libc::PROT_EXEC)?])?]);
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![with(0, libc::CLONE_THREAD)?])?]);
    // Aborting is a signal to oneself.
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own()?])?]);
    // Limits may be read.
    rules.insert(
        libc::SYS_prlimit64,
        vec![SeccompRule::new(vec![SeccompCondition::new(
            2,
            SeccompCmpArgLen::Qword,
            SeccompCmpOp::Eq,
            0,
        )?])?],
    );
    // Threads and memory may be named.
    let names = [is(0, libc::PR_SET_NAME)?, is(0, libc::PR_SET_VMA)?];
    rules.insert(
        libc::SYS_prctl,
        names.into_iter().map(|name| SeccompRule::new(vec![name])).collect::<Result<_, _>>()?,
    );
    Ok(rules)
}

/// Compares the lower half of an argument: what the kernel reads of an `int`.
fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: libc::c_int,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value as u32 as u64)
}
