//! What a process or thread says about itself: name, user, limits, processors, random numbers.

use crate::util::{cstring, cvt, errno};
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Names the calling thread (`/proc/PID/comm`; of the main thread: the process's name). Cut at 15 bytes.
pub fn set_name(name: &str) {
    let name: Vec<u8> = name.bytes().filter(|&b| b != 0).take(15).collect();
    if let Ok(name) = CString::new(name) {
        // SAFETY: a NUL-terminated string that lives through the call.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    }
}

/// Gives memory that was freed back to the system, where the C library keeps it.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: an integer only; the allocator takes its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets all other threads go before the calling one.
pub fn be_nice() {
    // SAFETY: integers only. With 0 for the process, Linux takes the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 15) };
}

/// Asks the kernel to send `signal` to this process when its parent dies.
pub fn die_with_parent(signal: crate::signal::Signal) {
    // SAFETY: integers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal.number() as libc::c_ulong, 0, 0, 0) };
}

/// Makes a command be killed when the thread that starts it ends: nothing outlives a test or a demonstration.
pub fn kill_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only prctl(2) is called, with integers.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0);
            Ok(())
        });
    }
}

/// Whether this process may do what the superuser may.
pub fn is_superuser() -> bool {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// The calling thread's number.
pub fn current_tid() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }
}

/// Sends this process SIGALRM in `seconds`, which ends it unless somebody listens (a shell shows status 142);
/// 0 calls it off.
pub fn alarm(seconds: u32) {
    // SAFETY: integers only.
    unsafe { libc::alarm(seconds) };
}

/// Sets the file creation mask and returns the old one.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: integers only, cannot fail.
    unsafe { libc::umask(mask) }
}

/// Fills `buf` with random bytes from the kernel.
pub fn fill_random(buf: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        let rest = &mut buf[done..];
        // SAFETY: `rest` is writable for its length.
        match crate::util::cvt_len(unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) }) {
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A random number, for seeds and identifiers.
pub fn random_u64() -> u64 {
    let mut b = [0; 8];
    // The kernel's generator does not fail once the machine is up; before that, or in a sandbox without it,
    // the address of a local and the time are what there is.
    if fill_random(&mut b).is_err() {
        let mut ts = MaybeUninit::<libc::timespec>::zeroed();
        // SAFETY: room for one timespec, zeroed before.
        let ts = unsafe {
            libc::clock_gettime(libc::CLOCK_MONOTONIC, ts.as_mut_ptr());
            ts.assume_init()
        };
        return (b.as_ptr() as u64).rotate_left(32) ^ (ts.tv_nsec as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    u64::from_ne_bytes(b)
}

/// Binds the calling thread to a processor.
pub fn set_affinity(cpu: usize) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(errno(libc::EINVAL));
    }
    // SAFETY: a zeroed set is valid and empty; `cpu` is within it; the size given is the set's.
    unsafe {
        libc::CPU_SET(cpu, set.assume_init_mut());
        cvt(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr())).map(|_| ())
    }
}

/// Ends the calling thread's sleeps when they are over, and not up to 50 us later.
pub fn exact_timers() {
    // SAFETY: integers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

/// Sleeps, for a time well below a second; a signal ends it early.
pub fn nap(time: std::time::Duration) {
    let ts = libc::timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: `ts` lives through the call; nothing is written.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &ts, std::ptr::null_mut()) };
}

/// Processors that the calling thread may run on, by number.
pub fn affinity() -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the kernel fills the set, of the size given; zeroed it is valid even if it does not.
    let set = unsafe {
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr());
        set.assume_init()
    };
    // SAFETY: every index is within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&c| unsafe { libc::CPU_ISSET(c, &set) }).collect()
}

/// Processors that are on line.
pub fn cpu_count() -> usize {
    // SAFETY: integers only.
    let n = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(n).unwrap_or(1).max(1)
}

/// Processor time that the calling thread has used.
pub fn thread_cpu_time() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time that the process has used.
pub fn process_cpu_time() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut ts = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: room for one timespec, zeroed before.
    let ts = unsafe {
        libc::clock_gettime(id, ts.as_mut_ptr());
        ts.assume_init()
    };
    Duration::new(ts.tv_sec.max(0) as u64, ts.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// Page faults of this process so far: (minor, major).
pub fn page_faults() -> (u64, u64) {
    let mut u = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: room for one rusage, zeroed before.
    let u = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, u.as_mut_ptr());
        u.assume_init()
    };
    (u.ru_minflt as u64, u.ru_majflt as u64)
}

/// Sleeps. For programs that wait for another process; machines and daemons wait for events.
pub fn sleep(d: Duration) {
    #[allow(clippy::disallowed_methods, reason = "the one place where sleeping lives")]
    std::thread::sleep(d);
}

/// Keeps all of this process's memory, present and future, out of swap.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: integers only.
    cvt(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }).map(|_| ())
}

/// Open files that this process may have: (soft, hard) limit.
pub fn open_file_limit() -> io::Result<(u64, u64)> {
    let mut l = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: room for one rlimit.
    cvt(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut l) })?;
    Ok((l.rlim_cur, l.rlim_max))
}

/// Sets the soft limit of open files, at most the hard one.
pub fn set_open_file_limit(soft: u64) -> io::Result<()> {
    let (_, hard) = open_file_limit()?;
    let l = libc::rlimit { rlim_cur: soft.min(hard), rlim_max: hard };
    // SAFETY: one rlimit that lives through the call.
    cvt(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &l) }).map(|_| ())
}

/// A user and group to run as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunAs {
    /// Login name, for the supplementary groups.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
}

/// Why a user was not found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserError {
    /// No such user.
    NoUser,
    /// No such group.
    NoGroup,
}

/// Looks up `USER`, `USER:`, `USER:GROUP` or `:GROUP` (names or, for what has no name, numbers).
pub fn find_user(spec: &str) -> Result<RunAs, UserError> {
    let (user, group) = spec.split_once(':').map_or((spec, None), |(u, g)| (u, Some(g)));
    let mut found = if user.is_empty() {
        // SAFETY: no arguments, cannot fail.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
        RunAs { name: String::new(), uid, gid }
    } else {
        passwd(user).ok_or(UserError::NoUser)?
    };
    if let Some(g) = group.filter(|g| !g.is_empty()) {
        found.gid = group_number(g).ok_or(UserError::NoGroup)?;
    }
    Ok(found)
}

fn passwd(user: &str) -> Option<RunAs> {
    let name = cstring(user).ok()?;
    let mut pw = MaybeUninit::<libc::passwd>::zeroed();
    let mut buf = vec![0 as libc::c_char; 16384];
    let mut res = std::ptr::null_mut();
    // SAFETY: all pointers live through the call, the buffer's size is told.
    let r =
        unsafe { libc::getpwnam_r(name.as_ptr(), pw.as_mut_ptr(), buf.as_mut_ptr(), buf.len(), &mut res) };
    if r == 0 && !res.is_null() {
        // SAFETY: a result means that `pw` is filled.
        let pw = unsafe { pw.assume_init() };
        return Some(RunAs { name: user.into(), uid: pw.pw_uid, gid: pw.pw_gid });
    }
    let uid = user.parse().ok()?;
    Some(RunAs { name: String::new(), uid, gid: uid })
}

fn group_number(group: &str) -> Option<u32> {
    let name = cstring(group).ok()?;
    let mut gr = MaybeUninit::<libc::group>::zeroed();
    let mut buf = vec![0 as libc::c_char; 65536];
    let mut res = std::ptr::null_mut();
    // SAFETY: as in `passwd`.
    let r =
        unsafe { libc::getgrnam_r(name.as_ptr(), gr.as_mut_ptr(), buf.as_mut_ptr(), buf.len(), &mut res) };
    if r == 0 && !res.is_null() {
        // SAFETY: a result means that `gr` is filled.
        return Some(unsafe { gr.assume_init() }.gr_gid);
    }
    group.parse().ok()
}

/// Capabilities by their number in `capabilities(7)`, for [`run_as`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs, reason = "each is the capability of that name in capabilities(7)")]
pub enum Capability {
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    SysNice = 23,
    AuditWrite = 29,
    Bpf = 39,
}

/// Gives up the present user for another (all threads of a process must do so: call it before there are any),
/// keeping `keep` of the capabilities.
pub fn run_as(who: &RunAs, keep: &[Capability]) -> io::Result<()> {
    if !keep.is_empty() {
        // SAFETY: integers only.
        cvt(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    }
    let gid = who.gid;
    // SAFETY: integers only.
    cvt(unsafe { libc::setresgid(gid, gid, gid) })?;
    if who.name.is_empty() {
        // SAFETY: no groups, so nothing is read.
        cvt(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    } else {
        let name = cstring(&who.name)?;
        // SAFETY: a string that lives through the call.
        cvt(unsafe { libc::initgroups(name.as_ptr(), gid) })?;
    }
    // SAFETY: integers only.
    cvt(unsafe { libc::setresuid(who.uid, who.uid, who.uid) })?;
    if !keep.is_empty() {
        set_capabilities(keep)?;
    }
    Ok(())
}

/// Sets the effective, permitted and inheritable capabilities of this thread, and the ambient ones where the
/// kernel has them.
fn set_capabilities(keep: &[Capability]) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let mut data = [Data::default(); 2];
    for &c in keep {
        let (word, bit) = (c as usize / 32, 1u32 << (c as u32 % 32));
        data[word].effective |= bit;
        data[word].permitted |= bit;
        data[word].inheritable |= bit;
    }
    let mut header = Header { version: VERSION_3, pid: 0 };
    // SAFETY: version 3 takes two data words; both structures live through the call.
    let r = unsafe { libc::syscall(libc::SYS_capset, &mut header as *mut Header, data.as_ptr()) };
    if r < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether this process has a capability in effect.
pub fn has_capability(c: Capability) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else { return false };
    let eff = status.lines().find_map(|l| l.strip_prefix("CapEff:")).map_or("", str::trim);
    u64::from_str_radix(eff, 16).is_ok_and(|bits| bits >> (c as u32) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_this_process() {
        assert_ne!(random_u64(), random_u64());
        assert!(cpu_count() >= 1 && !affinity().is_empty());
        assert!(set_affinity(100_000).is_err());
        assert!(thread_cpu_time() <= process_cpu_time() + Duration::from_secs(1));
        let (soft, hard) = open_file_limit().unwrap();
        assert!(soft <= hard);
        std::thread::spawn(|| {
            set_name("a-rather-long-name");
            let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert_eq!(comm.trim(), "a-rather-long-n");
            set_affinity(affinity()[0]).unwrap();
            assert_eq!(affinity().len(), 1);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn users() {
        assert_eq!(find_user("root").unwrap(), RunAs { name: "root".into(), uid: 0, gid: 0 });
        assert_eq!(find_user("root:12").unwrap().gid, 12);
        assert_eq!(find_user("no-such-user"), Err(UserError::NoUser));
        assert_eq!(find_user("root:no-such-group"), Err(UserError::NoGroup));
    }
}
