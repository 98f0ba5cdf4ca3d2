//! Going into the background, and staying there.
//!
//! ```text
//!  caller's process ──fork──► monitor (with --monitor) ──fork──► daemon
//!        │ waits                   │ waits, restarts after crashes   │
//!        └◄── "ready" or exit ─────┴◄────────── Daemon::ready ───────┘
//! ```
//!
//! [`start`] returns only in the process that is to do the work. The caller's process stays until that one has
//! said [`Daemon::ready`], so that a shell sees whether the start worked, with everything already written to
//! its standard error. All of this happens before the program has threads: `fork` copies only one.

use crate::pidfile::{Pidfile, PidfileError};
use crate::util::{cvt, pipe, retry};
use crate::{crash, epoll, signal};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

/// What the command line asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Go into the background (`--detach`).
    pub detach: bool,
    /// Keep the working directory when detaching (`--no-chdir`).
    pub no_chdir: bool,
    /// Watch the daemon and start it again after a crash (`--monitor`).
    pub monitor: bool,
    /// Write this pidfile (`--pidfile`), an absolute path.
    pub pidfile: Option<PathBuf>,
    /// Do so even if another runs (`--overwrite-pidfile`).
    pub overwrite_pidfile: bool,
    /// Keep the standard input, output and error when detaching, for debugging.
    pub keep_stdio: bool,
}

/// Why the daemon did not start.
#[derive(Debug)]
pub enum DaemonError {
    /// The pidfile.
    Pidfile(PidfileError),
    /// A system call: which, and why.
    Os(&'static str, io::Error),
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DaemonError::Pidfile(e) => e.fmt(f),
            DaemonError::Os(what, e) => {
                let words = e.raw_os_error().map_or_else(|| e.to_string(), crate::errno_text);
                write!(f, "{what} failed ({words})")
            }
        }
    }
}

impl std::error::Error for DaemonError {}

/// How a child process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By a signal; true if a core was dumped.
    Killed(i32, bool),
}

impl End {
    /// From what `wait(2)` tells.
    pub fn from_wait_status(status: i32) -> End {
        if libc::WIFSIGNALED(status) {
            End::Killed(libc::WTERMSIG(status), libc::WCOREDUMP(status))
        } else {
            End::Exited(libc::WEXITSTATUS(status))
        }
    }

    /// Whether a monitor starts the daemon again: after signals that mean a broken program.
    pub fn is_crash(self) -> bool {
        const CRASH: [i32; 8] = [
            libc::SIGABRT,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGPIPE,
            libc::SIGSEGV,
            libc::SIGXCPU,
            libc::SIGXFSZ,
        ];
        matches!(self, End::Killed(s, _) if CRASH.contains(&s))
    }
}

impl fmt::Display for End {
    /// `exit status 1`, `killed (Segmentation fault), core dumped`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::Exited(n) => write!(f, "exit status {n}"),
            End::Killed(s, core) => {
                write!(f, "killed ({}){}", signal::name(s), if core { ", core dumped" } else { "" })
            }
        }
    }
}

/// What the monitor has to tell; each call may log. Called in the monitor's process.
pub trait MonitorLog {
    /// The daemon `pid` ended. `crashes` counts those before this one; `backtrace` is what a crashing daemon
    /// wrote ([`crash::install`]); `restarting` says what happens next.
    fn ended(&mut self, pid: i32, end: End, crashes: u32, restarting: bool, backtrace: &str);
    /// The daemon crashed so soon after the last start that the next waits.
    fn waiting(&mut self);
    /// The monitor is about to go on without its log file open, now that the daemon has it; called after each
    /// start that succeeded.
    fn quiet(&mut self) {}
    /// In the new child, first thing.
    fn child(&mut self) {}
    /// A restart failed: the text to log.
    fn failed(&mut self, text: &str);
}

/// A [`MonitorLog`] that says nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl MonitorLog for Silent {
    fn ended(&mut self, _: i32, _: End, _: u32, _: bool, _: &str) {}
    fn waiting(&mut self) {}
    fn failed(&mut self, _: &str) {}
}

/// The process that does the work, not yet announced as ready.
#[derive(Debug)]
pub struct Daemon {
    options: Options,
    notify: Option<OwnedFd>,
    /// Where crashes go when a monitor listens.
    crash: Option<OwnedFd>,
    pidfile: Option<Pidfile>,
    crashes: u32,
}

/// Forks as the options say and makes the pidfile. Returns in the process that is to do the work; the others
/// end in here, with exit status 0 once the daemon is ready, or with its own exit status if it is not.
///
/// An error comes back in the working process (which reports it and exits) or, if not even a fork was
/// possible, in the caller's.
pub fn start(options: &Options, log: &mut dyn MonitorLog) -> Result<Daemon, DaemonError> {
    let mut d = Daemon { options: options.clone(), notify: None, crash: None, pidfile: None, crashes: 0 };
    if options.detach {
        match fork_and_wait()? {
            Forked::Parent(_, Startup::Ready) => leave(0),
            Forked::Parent(_, Startup::Died(end)) => leave(report_early_death(end)),
            Forked::Child(notify, _) => d.notify = Some(notify),
        }
        // SAFETY: no arguments; fails only for a group leader, which a forked child is not.
        unsafe { libc::setsid() };
    }
    if options.monitor {
        monitor(&mut d, log)?;
    }
    if let Some(path) = &options.pidfile {
        d.pidfile = Some(Pidfile::create(path, options.overwrite_pidfile).map_err(DaemonError::Pidfile)?);
    }
    Ok(d)
}

impl Daemon {
    /// The daemon works: lets those that wait go on, and lets go of the terminal and the directory.
    pub fn ready(&mut self) -> io::Result<()> {
        if let Some(fd) = self.notify.take() {
            // Nobody listening any more is their affair.
            let _ = File::from(fd).write_all(&[0]);
        }
        if self.options.detach {
            if !self.options.no_chdir {
                std::env::set_current_dir("/")?;
            }
            if !self.options.keep_stdio {
                close_stdio()?;
            }
        }
        Ok(())
    }

    /// Removes the pidfile before the end of the process (dropping does too).
    pub fn remove_pidfile(&mut self) {
        if let Some(p) = &mut self.pidfile {
            p.remove();
        }
    }

    /// The pidfile, if there is one.
    pub fn pidfile(&self) -> Option<&std::path::Path> {
        self.pidfile.as_ref().map(Pidfile::path)
    }

    /// How often the daemon crashed before this start, under a monitor.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Sends backtraces of crashes to the monitor if there is one, otherwise to `log_file`.
    pub fn install_crash_handler(&self, log_file: Option<&dyn AsRawFd>) {
        match (&self.crash, log_file) {
            (Some(fd), _) => crash::install(fd),
            (None, Some(f)) => {
                let raw = f.as_raw_fd();
                // SAFETY: borrowed for the call alone from a live object.
                crash::install(unsafe { std::os::fd::BorrowedFd::borrow_raw(raw) });
            }
            (None, None) => {}
        }
    }
}

enum Startup {
    Ready,
    Died(End),
}

enum Forked {
    Parent(i32, Startup),
    /// The ends for "ready" and for backtraces.
    Child(OwnedFd, OwnedFd),
}

/// Forks; the parent waits until the child is ready or dead.
fn fork_and_wait() -> Result<Forked, DaemonError> {
    let mut unused = None;
    fork_with_crash_pipe(&mut unused)
}

fn fork_with_crash_pipe(crash_read: &mut Option<OwnedFd>) -> Result<Forked, DaemonError> {
    let os = |what| move |e| DaemonError::Os(what, e);
    let (ready_r, ready_w) = pipe().map_err(os("pipe"))?;
    let (crash_r, crash_w) = pipe().map_err(os("pipe"))?;
    match fork().map_err(os("fork"))? {
        0 => {
            *crash_read = None;
            Ok(Forked::Child(ready_w, crash_w))
        }
        pid => {
            drop((ready_w, crash_w));
            *crash_read = Some(crash_r);
            let mut byte = [0];
            let n = File::from(ready_r).read(&mut byte).unwrap_or(0);
            if n == 1 {
                return Ok(Forked::Parent(pid, Startup::Ready));
            }
            Ok(Forked::Parent(pid, Startup::Died(wait_for(pid).map_err(os("waitpid"))?)))
        }
    }
}

/// Forks this process, which must have one thread.
fn fork() -> io::Result<i32> {
    if std::fs::read_dir("/proc/self/task").is_ok_and(|d| d.count() > 1) {
        return Err(io::Error::other("the process has threads"));
    }
    // SAFETY: with one thread, the child has everything that the parent has: no lock is held by a thread that
    // is not there.
    cvt(unsafe { libc::fork() })
}

fn wait_for(pid: i32) -> io::Result<End> {
    let mut status = 0;
    // SAFETY: room for the status.
    retry(|| unsafe { libc::waitpid(pid, &mut status, 0) })?;
    Ok(End::from_wait_status(status))
}

/// Ends without running destructors of what the child goes on with.
fn leave(status: i32) -> ! {
    let _ = io::stdout().flush();
    // SAFETY: does not return; nothing of this process is left to be cleaned up.
    unsafe { libc::_exit(status) }
}

/// The exit status of a parent whose child died before it was ready: the child's own, which has said why.
fn report_early_death(end: End) -> i32 {
    match end {
        End::Exited(0) => 1,
        End::Exited(n) => n,
        End::Killed(..) => {
            eprintln!("fork child died before signaling startup ({end})");
            1
        }
    }
}

/// Runs the daemon in a child and watches it; returns only in such a child.
fn monitor(d: &mut Daemon, log: &mut dyn MonitorLog) -> Result<(), DaemonError> {
    /// A daemon that crashes at once is not started more often than this.
    const BETWEEN_STARTS: Duration = Duration::from_secs(10);
    let clock = base::Clock::real();
    let mut last_start = None;
    let mut crashes = 0;
    loop {
        let mut crash_read = None;
        let (pid, startup) = match fork_with_crash_pipe(&mut crash_read)? {
            Forked::Child(notify, crash) => {
                d.notify = Some(notify);
                d.crash = Some(crash);
                d.crashes = crashes;
                log.child();
                return Ok(());
            }
            Forked::Parent(pid, startup) => (pid, startup),
        };
        let end = match startup {
            Startup::Ready => {
                // The first start: whoever waits for us may go on.
                d.ready().map_err(|e| DaemonError::Os("detaching", e))?;
                log.quiet();
                wait_for(pid).map_err(|e| DaemonError::Os("waitpid", e))?
            }
            Startup::Died(end) if last_start.is_none() => leave(report_early_death(end)),
            Startup::Died(end) => {
                log.failed(&format!("fork child died before signaling startup ({end})"));
                end
            }
        };
        let again = end.is_crash();
        log.ended(pid, end, crashes, again, &crash_read.map(read_waiting).unwrap_or_default());
        if !again {
            leave(match end {
                End::Exited(n) => n,
                End::Killed(..) => 0,
            });
        }
        crashes += 1;
        let now = clock.real_now();
        if let Some(last) = last_start
            && now.since(last) < BETWEEN_STARTS
        {
            log.waiting();
            crate::sleep(BETWEEN_STARTS - now.since(last));
        }
        last_start = Some(clock.real_now());
    }
}

/// What is in a pipe whose writer is dead, at most 64 KiB. Its grandchildren may still hold the other end, so
/// the end of the stream is not waited for.
fn read_waiting(fd: OwnedFd) -> String {
    let _ = crate::set_nonblocking(&fd, true);
    let mut text = Vec::new();
    while text.len() < 65536
        && epoll::wait_one(fd.as_fd(), epoll::Interest::READ, Some(Duration::ZERO)).unwrap_or(false)
    {
        let mut buf = [0u8; 4096];
        // SAFETY: `buf` is writable for its length.
        match crate::util::cvt_len(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) })
        {
            Ok(n) if n > 0 => text.extend_from_slice(&buf[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Points the three standard descriptors at `/dev/null`.
fn close_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for fd in 0..3 {
        // SAFETY: integers only; replaces descriptors that std treats as always open, by one that is open.
        retry(|| unsafe { libc::dup2(null.as_raw_fd(), fd) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_words() {
        assert_eq!(End::from_wait_status(0x100).to_string(), "exit status 1");
        assert_eq!(End::from_wait_status(11).to_string(), "killed (Segmentation fault)");
        assert_eq!(End::from_wait_status(0x80 | 6).to_string(), "killed (Aborted), core dumped");
        assert!(End::Killed(libc::SIGSEGV, false).is_crash());
        assert!(!End::Killed(libc::SIGTERM, false).is_crash());
        assert!(!End::Exited(1).is_crash());
    }
}
