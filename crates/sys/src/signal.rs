//! Signals as readable events.
//!
//! [`Signals`] blocks the signals it wants in the calling thread and reads them from a signalfd, so that no
//! handler runs anywhere and no process-wide variable is needed. Make it before other threads start: they
//! inherit the mask. Children started by `std::process` begin with an empty mask.

use crate::util::{cvt, own};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The signals a program of ours listens to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Signal {
    /// Terminate (SIGTERM).
    Term = libc::SIGTERM,
    /// Interrupt from the keyboard (SIGINT).
    Int = libc::SIGINT,
    /// Terminal gone (SIGHUP).
    Hup = libc::SIGHUP,
    /// Timer of [`crate::alarm`] (SIGALRM).
    Alarm = libc::SIGALRM,
    /// A child process ended (SIGCHLD).
    Child = libc::SIGCHLD,
    /// User-defined (SIGUSR1).
    Usr1 = libc::SIGUSR1,
    /// User-defined (SIGUSR2).
    Usr2 = libc::SIGUSR2,
    /// The window changed its size (SIGWINCH).
    Winch = libc::SIGWINCH,
}

impl Signal {
    /// Those that end a program when nobody listens.
    pub const FATAL: [Signal; 4] = [Signal::Term, Signal::Int, Signal::Hup, Signal::Alarm];

    const ALL: [Signal; 8] = [
        Signal::Term,
        Signal::Int,
        Signal::Hup,
        Signal::Alarm,
        Signal::Child,
        Signal::Usr1,
        Signal::Usr2,
        Signal::Winch,
    ];

    /// The operating system's number.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// Number and name as they appear in logs: `Terminated`, `Segmentation fault`.
pub fn name(number: i32) -> String {
    // SAFETY: strsignal returns a NUL-terminated string or null; it is copied before anybody can call it
    // again in this thread (glibc and musl keep the buffer per thread).
    let p = unsafe { libc::strsignal(number) };
    if p.is_null() {
        return format!("signal {number}");
    }
    // SAFETY: not null, and NUL-terminated as said.
    unsafe { std::ffi::CStr::from_ptr(p) }.to_string_lossy().into_owned()
}

/// A set of signals to be read.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    old: libc::sigset_t,
}

impl Signals {
    /// Blocks `signals` in this thread (and those it starts from now on) and listens to them.
    pub fn new(signals: &[Signal]) -> io::Result<Signals> {
        let set = set_of(signals);
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: both sets live through the call, which fills `old`.
        let r = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, old.as_mut_ptr()) };
        if r != 0 {
            return Err(crate::util::errno(r));
        }
        // SAFETY: pthread_sigmask succeeded, so `old` is filled.
        let old = unsafe { old.assume_init() };
        // SAFETY: `set` lives through the call; -1 asks for a new descriptor.
        let fd = own(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
        Ok(Signals { fd, old })
    }

    /// The next signal that has arrived; `None` when there is none.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let len = size_of::<libc::signalfd_siginfo>();
        // SAFETY: `info` has room for one record.
        let r = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), len) };
        match crate::util::cvt_len(r) {
            Ok(n) if n == len => {
                // SAFETY: zeroed before and filled by the kernel: plain integers.
                let number = unsafe { info.assume_init() }.ssi_signo as i32;
                Ok(Signal::ALL.into_iter().find(|s| s.number() == number))
            }
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What has arrived was meant for the listener: it must not kill the process on its way out.
        while matches!(self.next(), Ok(Some(_))) {}
        // SAFETY: `old` is the mask that `new` saved.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.old, std::ptr::null_mut()) };
    }
}

/// Writing to a connection whose other end is closed becomes an error (`EPIPE`) in place of death. (Rust's
/// runtime does so too before `main`; this is for those who come from elsewhere.)
pub fn ignore_pipe() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Back to death by SIGPIPE, as wanted of command-line programs whose output goes to `head`.
pub fn default_pipe() {
    // SAFETY: the default action installs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Sends a signal to a process; signal 0 only asks whether it is there.
pub fn kill(pid: i32, number: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(crate::util::errno(libc::EINVAL));
    }
    // SAFETY: no pointers; a positive pid is one process.
    cvt(unsafe { libc::kill(pid, number) }).map(|_| ())
}

/// SIGPIPE: nobody reads what is written.
pub const PIPE: i32 = libc::SIGPIPE;

/// Ends this process by `number`'s default action, so that the parent sees it died of that signal.
pub fn die_of(number: i32) -> ! {
    // SAFETY: resets the action to the default (no code), opens the mask for this signal, and raises it.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(number);
    }
    std::process::exit(128 + number)
}

fn set_of(signals: &[Signal]) -> libc::sigset_t {
    // SAFETY: sigset_t is plain integers; sigemptyset makes it a valid set before it is used.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&mut set);
        for s in signals {
            libc::sigaddset(&mut set, s.number());
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoll::{Interest, wait_one};

    #[test]
    fn read_a_signal() {
        let s = Signals::new(&[Signal::Usr1, Signal::Usr2]).unwrap();
        assert_eq!(s.next().unwrap(), None);
        let raise = || {
            // SAFETY: a signal to this thread alone, which has it blocked.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
        };
        raise();
        assert!(wait_one(&s, Interest::READ, None).unwrap());
        assert_eq!(s.next().unwrap(), Some(Signal::Usr2));
        assert_eq!(s.next().unwrap(), None);
        raise();
    }

    #[test]
    fn names() {
        assert_eq!(name(libc::SIGSEGV), "Segmentation fault");
        assert_eq!(name(libc::SIGTERM), "Terminated");
    }
}
