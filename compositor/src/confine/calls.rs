//! seccomp: the system calls that decoding, drawing and encoding make. The kernel answers all others as if it did not know
//! them, so that libraries fall back to what they did before there were any.

use std::collections::BTreeMap;

use compositor_core::error_chain::error_chain;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// Whatever their arguments are. Those that name a file are Landlock's to judge.
const HARMLESS: &[i64] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // What is open, and what to know of files.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
    // The socket that is open.
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    // Threads, and the own process.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    // Time, chance, the machine.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
];

/// The same under the older names that other machines do not have.
#[cfg(target_arch = "x86_64")]
const HARMLESS_OLDER: &[i64] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const HARMLESS_OLDER: &[i64] = &[];

/// For who writes files, where Landlock lets it.
const WRITING: &[i64] = &[
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_mkdirat,
    libc::SYS_openat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// What opens a file to change it, or makes one.
const CHANGES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;

/// Names a mapping; glibc and Rust do.
const PR_SET_VMA: libc::c_int = 0x5356_4d41;

/// Leaves the calls of the lists above.
pub(super) fn give_up(writes_files: bool) {
    let filtered = program(writes_files).and_then(|program| {
        // What it gave up is given up by all threads that it starts.
        apply_filter(&program)
    });
    if let Err(error) = filtered {
        tracing::warn!(error = %error_chain(&error), "seccomp does not confine this process");
    }
}

fn program(writes_files: bool) -> Result<BpfProgram, seccompiler::Error> {
    let filter = SeccompFilter::new(
        rules(writes_files)?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

fn rules(writes_files: bool) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let writing = if writes_files { WRITING } else { &[] };
    let whatever = [HARMLESS, HARMLESS_OLDER, writing].concat();
    let mut rules: BTreeMap<_, _> = whatever.into_iter().map(|call| (call, vec![])).collect();
    let mut allow = |call, ways: &[&[Argument]]| {
        let ways = ways.iter().map(|way| SeccompRule::new(conditions(way)?));
        rules.insert(call, ways.collect::<Result<Vec<_>, _>>()?);
        Ok::<_, BackendError>(())
    };
    if !writes_files {
        let reads = |flags| [(flags, SeccompCmpOp::MaskedEq(CHANGES), 0)];
        allow(libc::SYS_openat, &[&reads(2)])?;
        #[cfg(target_arch = "x86_64")]
        allow(libc::SYS_open, &[&reads(1)])?;
    }
    // GStreamer wakes its threads with these.
    allow(libc::SYS_socketpair, &[&[is(0, libc::AF_UNIX as u64)]])?;
    // Threads, no processes. `clone3` keeps its flags where no filter sees them; without it glibc takes this one.
    let thread = libc::CLONE_THREAD as u64;
    let threads = (0, SeccompCmpOp::MaskedEq(thread), thread);
    allow(libc::SYS_clone, &[&[threads]])?;
    // Ends itself, and nobody else.
    let own = u64::from(std::process::id());
    allow(libc::SYS_tgkill, &[&[is(0, own)]])?;
    // Asks for its limits, and does not set them.
    allow(
        libc::SYS_prlimit64,
        &[&[is(0, 0), NO_LIMITS], &[is(0, own), NO_LIMITS]],
    )?;
    let named = [libc::PR_SET_NAME, libc::PR_GET_NAME, PR_SET_VMA].map(|what| [is(0, what as u64)]);
    allow(libc::SYS_prctl, &named.each_ref().map(|way| &way[..]))?;
    // Whether it is a terminal, and how much there is to read; others of its uses type into terminals.
    let asked = [libc::TCGETS, libc::FIONREAD].map(|what| [is(1, what)]);
    allow(libc::SYS_ioctl, &asked.each_ref().map(|way| &way[..]))?;
    Ok(rules)
}

/// Which argument has which value.
type Argument = (u8, SeccompCmpOp, u64);

/// The argument of `prlimit` with the new ones, the only pointer here.
const NO_LIMITS: Argument = (2, SeccompCmpOp::Eq, 0);

fn is(argument: u8, value: u64) -> Argument {
    (argument, SeccompCmpOp::Eq, value)
}

/// A call with all of these. Of numbers the kernel looks at 32 bits.
fn conditions(arguments: &[Argument]) -> Result<Vec<SeccompCondition>, BackendError> {
    let conditions = arguments.iter().map(|argument| {
        let (index, op, value) = argument.clone();
        let length = if *argument == NO_LIMITS {
            SeccompCmpArgLen::Qword
        } else {
            SeccompCmpArgLen::Dword
        };
        SeccompCondition::new(index, length, op, value)
    });
    conditions.collect()
}
