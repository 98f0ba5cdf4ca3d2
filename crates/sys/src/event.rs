//! Waking a waiting thread: [`EventFd`] from another thread, [`TimerFd`] after a while.

use crate::util::{cvt, own};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// A counter that polls readable while it is not zero. Clones share it.
#[derive(Clone, Debug)]
pub struct EventFd(Arc<OwnedFd>);

impl EventFd {
    /// A counter at zero.
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: no pointers.
        own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .map(|fd| EventFd(Arc::new(fd)))
    }

    /// Makes it readable. Never blocks; a counter that is already full stays readable.
    pub fn notify(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes; the only error is a full counter, which is as good.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), 8) };
    }

    /// Back to zero; true if it was not.
    pub fn drain(&self) -> bool {
        let mut n = [0u8; 8];
        // SAFETY: eight writable bytes; the only error is an empty counter.
        (unsafe { libc::read(self.0.as_raw_fd(), n.as_mut_ptr().cast(), 8) }) == 8
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A timer that polls readable when it has expired.
#[derive(Debug)]
pub struct TimerFd(OwnedFd);

impl TimerFd {
    /// A timer that is not set.
    pub fn new() -> io::Result<TimerFd> {
        // SAFETY: no pointers.
        let r =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        own(r).map(TimerFd)
    }

    /// Expires once after `delay`, and then every `period` unless that is zero.
    pub fn set(&self, delay: Duration, period: Duration) -> io::Result<()> {
        // A zero delay would switch the timer off.
        self.program(delay.max(Duration::from_nanos(1)), period)
    }

    /// Switches it off.
    pub fn clear(&self) -> io::Result<()> {
        self.program(Duration::ZERO, Duration::ZERO)
    }

    fn program(&self, delay: Duration, period: Duration) -> io::Result<()> {
        let ts = |d: Duration| libc::timespec {
            tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(d.subsec_nanos()),
        };
        let spec = libc::itimerspec { it_interval: ts(period), it_value: ts(delay) };
        // SAFETY: `spec` lives through the call; the old value is not asked for.
        cvt(unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &spec, std::ptr::null_mut()) }).map(|_| ())
    }

    /// How often it has expired since the last call.
    pub fn expirations(&self) -> u64 {
        let mut n = [0u8; 8];
        // SAFETY: eight writable bytes.
        let r = unsafe { libc::read(self.0.as_raw_fd(), n.as_mut_ptr().cast(), 8) };
        if r == 8 { u64::from_ne_bytes(n) } else { 0 }
    }
}

impl AsFd for TimerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoll::{Interest, wait_one};

    #[test]
    fn event_and_timer() {
        let e = EventFd::new().unwrap();
        assert!(!e.drain());
        let other = e.clone();
        let t = std::thread::spawn(move || other.notify());
        assert!(wait_one(&e, Interest::READ, None).unwrap());
        t.join().unwrap();
        assert!(e.drain() && !e.drain());

        let t = TimerFd::new().unwrap();
        assert_eq!(t.expirations(), 0);
        t.set(Duration::from_millis(1), Duration::ZERO).unwrap();
        assert!(wait_one(&t, Interest::READ, None).unwrap());
        assert_eq!(t.expirations(), 1);
        t.set(Duration::from_secs(3600), Duration::ZERO).unwrap();
        t.clear().unwrap();
        assert!(!wait_one(&t, Interest::READ, Some(Duration::ZERO)).unwrap());
    }
}
