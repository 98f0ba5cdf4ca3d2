//! Waiting for many descriptors: a level-triggered epoll set.
//!
//! Level-triggered on purpose: a reader may stop early (to be fair to others) and is told again.

use crate::util::{cvt, own, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// Wait until reading does not block.
    pub read: bool,
    /// Wait until writing does not block.
    pub write: bool,
}

impl Interest {
    /// Nothing but errors and hang-ups, which are always told.
    pub const NONE: Interest = Interest { read: false, write: false };
    /// Readable.
    pub const READ: Interest = Interest { read: true, write: false };
    /// Writable.
    pub const WRITE: Interest = Interest { read: false, write: true };
    /// Both.
    pub const BOTH: Interest = Interest { read: true, write: true };

    fn bits(self) -> u32 {
        let r = if self.read { libc::EPOLLIN | libc::EPOLLRDHUP } else { 0 };
        let w = if self.write { libc::EPOLLOUT } else { 0 };
        (r | w) as u32
    }
}

/// One descriptor that is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready {
    /// The token given when the descriptor was added.
    pub token: u64,
    /// Reading does not block (data, end of stream or an error to be fetched).
    pub readable: bool,
    /// Writing does not block (or an error is to be fetched).
    pub writable: bool,
    /// The other side hung up or the descriptor has an error.
    pub hangup: bool,
}

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    buf: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Ready descriptors told by one wait at most.
    const BATCH: usize = 256;

    /// An empty set.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers.
        let fd = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Epoll { fd, buf: vec![libc::epoll_event { events: 0, u64: 0 }; Self::BATCH] })
    }

    fn ctl(&self, op: i32, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        let mut ev = libc::epoll_event { events: interest.bits(), u64: token };
        // SAFETY: `ev` lives through the call; both descriptors are live by their types.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, fd.as_raw_fd(), &mut ev) }).map(|_| ())
    }

    /// Adds a descriptor (an error if it is there already).
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_ADD, fd.as_fd(), token, interest)
    }

    /// Changes what is waited for, and the token.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_MOD, fd.as_fd(), token, interest)
    }

    /// Takes a descriptor out. (Closing its last duplicate does the same.)
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_DEL, fd.as_fd(), 0, Interest::NONE)
    }

    /// Adds a descriptor given by number, for device queues that only tell the number of theirs. A number
    /// that is not open is `EBADF`.
    pub fn add_raw(&self, fd: i32, token: u64, interest: Interest) -> io::Result<()> {
        let mut ev = libc::epoll_event { events: interest.bits(), u64: token };
        // SAFETY: `ev` lives through the call; a stale descriptor number is an error, not unsoundness.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut ev) }).map(|_| ())
    }

    /// Takes out a descriptor given by number.
    pub fn remove_raw(&self, fd: i32) -> io::Result<()> {
        let mut ev = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: as in `add_raw`.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, &mut ev) }).map(|_| ())
    }

    /// Waits until something is ready, at most `timeout` (`None`: forever; zero: not at all; a fraction of a
    /// millisecond is kept where the kernel can and never rounded down to a busy loop), and appends what is
    /// ready to `out`. A signal ends the wait with nothing.
    pub fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Ready>) -> io::Result<usize> {
        let ts = timeout.map(|d| libc::timespec {
            tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX / 2_000_000_000),
            tv_nsec: i64::from(d.subsec_nanos()),
        });
        let ts_ptr = ts.as_ref().map_or(std::ptr::null(), |t| t as *const libc::timespec);
        let max = self.buf.len() as i32;
        // SAFETY: `buf` has room for `max` events, `ts` outlives the call, a null signal mask means none.
        let r = unsafe {
            libc::epoll_pwait2(self.fd.as_raw_fd(), self.buf.as_mut_ptr(), max, ts_ptr, std::ptr::null())
        };
        let n = match cvt(r) {
            Ok(n) => n as usize,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => self.wait_millis(timeout)?,
            Err(e) => return Err(e),
        };
        for ev in &self.buf[..n] {
            let bits = ev.events as i32;
            let hangup = bits & (libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLRDHUP) != 0;
            let broken = bits & (libc::EPOLLHUP | libc::EPOLLERR) != 0;
            out.push(Ready {
                token: ev.u64,
                readable: bits & (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP) != 0 || broken,
                writable: bits & libc::EPOLLOUT != 0 || broken,
                hangup,
            });
        }
        Ok(n)
    }

    /// For kernels before 5.11: milliseconds, rounded up.
    fn wait_millis(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let ms = timeout.map_or(-1, |d| i32::try_from(d.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let max = self.buf.len() as i32;
        // SAFETY: `buf` has room for `max` events.
        match cvt(unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.buf.as_mut_ptr(), max, ms) }) {
            Ok(n) => Ok(n as usize),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(e) => Err(e),
        }
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits for one descriptor; true when it is ready (or broken), false when the time is over.
pub fn wait_one(fd: impl AsFd, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
    let events =
        if interest.read { libc::POLLIN } else { 0 } | if interest.write { libc::POLLOUT } else { 0 };
    let mut p = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
    let ms = timeout.map_or(-1, |d| i32::try_from(d.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: one pollfd that lives through the call.
    retry(|| unsafe { libc::poll(&mut p, 1, ms) }).map(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::pipe;
    use std::io::{Read, Write};

    #[test]
    fn level_triggered_with_tokens() {
        let (r, w) = pipe().unwrap();
        let mut ep = Epoll::new().unwrap();
        ep.add(&r, 7, Interest::READ).unwrap();
        ep.add(&w, 8, Interest::NONE).unwrap();
        assert_eq!(ep.add(&r, 7, Interest::READ).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let mut out = Vec::new();
        assert_eq!(ep.wait(Some(Duration::from_micros(200)), &mut out).unwrap(), 0);
        let mut w = std::fs::File::from(w);
        w.write_all(b"ab").unwrap();
        for _ in 0..2 {
            out.clear();
            assert_eq!(ep.wait(None, &mut out).unwrap(), 1);
            assert_eq!(out, [Ready { token: 7, readable: true, writable: false, hangup: false }]);
        }
        ep.modify(&w, 9, Interest::WRITE).unwrap();
        out.clear();
        ep.wait(None, &mut out).unwrap();
        assert!(out.iter().any(|r| r.token == 9 && r.writable));
        drop(w);
        let mut r = std::fs::File::from(r);
        let mut s = String::new();
        r.read_to_string(&mut s).unwrap();
        assert_eq!(s, "ab");
        out.clear();
        ep.wait(None, &mut out).unwrap();
        assert!(out[0].hangup && out[0].readable);
        ep.remove(&r).unwrap();
        out.clear();
        assert_eq!(ep.wait(Some(Duration::ZERO), &mut out).unwrap(), 0);
        assert!(ep.add_raw(-1, 0, Interest::READ).is_err());
    }
}
