//! `poll(2)` over a few descriptors, for programs without an event loop.

use crate::util::cvt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

pub use crate::epoll::{Interest, wait_one};

/// What became of one descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Polled {
    /// Reading does not block.
    pub readable: bool,
    /// Writing does not block.
    pub writable: bool,
    /// Hung up, in error or not open.
    pub hangup: bool,
}

/// Waits until one of `fds` is ready, at most `timeout`; answers in the order of `fds`. A signal ends the wait
/// with nothing ready.
pub fn poll(fds: &[(BorrowedFd<'_>, Interest)], timeout: Option<Duration>) -> io::Result<Vec<Polled>> {
    let mut p: Vec<libc::pollfd> = fds
        .iter()
        .map(|(fd, i)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: if i.read { libc::POLLIN } else { 0 } | if i.write { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    let ms = timeout.map_or(-1, |d| i32::try_from(d.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: `p` has as many entries as said.
    match cvt(unsafe { libc::poll(p.as_mut_ptr(), p.len() as libc::nfds_t, ms) }) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(vec![Polled::default(); fds.len()]),
        Err(e) => return Err(e),
    }
    Ok(p.iter()
        .map(|p| {
            let broken = p.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
            Polled {
                readable: p.revents & libc::POLLIN != 0 || broken,
                writable: p.revents & libc::POLLOUT != 0 || broken,
                hangup: broken,
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventFd;
    use std::os::fd::AsFd;

    #[test]
    fn tells_which() {
        let (a, b) = (EventFd::new().unwrap(), EventFd::new().unwrap());
        b.notify();
        let r = poll(&[(a.as_fd(), Interest::READ), (b.as_fd(), Interest::BOTH)], None).unwrap();
        assert_eq!(r[0], Polled::default());
        assert_eq!(r[1], Polled { readable: true, writable: true, hangup: false });
        assert!(poll(&[], Some(Duration::ZERO)).unwrap().is_empty());
    }
}
