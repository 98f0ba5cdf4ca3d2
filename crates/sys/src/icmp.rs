//! ICMP echo, so that a program can ping without `ping`: a raw socket, for the superuser of a network namespace.

use crate::util::{cvt_len, errno, own};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const HEADER: usize = 8;

/// A socket for echo requests and replies, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Echo(OwnedFd);

impl Echo {
    /// Opens it (`EPERM` without the right to).
    pub fn open() -> io::Result<Echo> {
        // SAFETY: integers only.
        let fd = unsafe {
            libc::socket(
                libc::AF_INET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                libc::IPPROTO_ICMP,
            )
        };
        own(fd).map(Echo)
    }

    /// Sends a request with 56 bytes of payload.
    pub fn request(&self, to: Ipv4Addr, ident: u16, sequence: u16) -> io::Result<()> {
        let mut m = [0u8; HEADER + 56];
        m[0] = ECHO_REQUEST;
        m[4..6].copy_from_slice(&ident.to_be_bytes());
        m[6..8].copy_from_slice(&sequence.to_be_bytes());
        for (i, b) in m[HEADER..].iter_mut().enumerate() {
            *b = i as u8;
        }
        let sum = checksum(&m);
        m[2..4].copy_from_slice(&sum.to_be_bytes());
        // SAFETY: plain integers, for which zero is valid.
        let mut a: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        a.sin_family = libc::AF_INET as libc::sa_family_t;
        a.sin_addr.s_addr = u32::from_ne_bytes(to.octets());
        // SAFETY: message and address live through the call, with their lengths.
        cvt_len(unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                m.as_ptr().cast(),
                m.len(),
                0,
                (&raw const a).cast(),
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            )
        })
        .map(|_| ())
    }

    /// Waits for the next message that is a reply: from whom, with which identifier and sequence number.
    /// `None` after `timeout`; other messages use up none of it beyond the time they take to come.
    pub fn reply(&self, timeout: Duration) -> io::Result<Option<(Ipv4Addr, u16, u16)>> {
        let mut b = [0u8; 1600];
        loop {
            if !crate::epoll::wait_one(&self.0, crate::epoll::Interest::READ, Some(timeout))? {
                return Ok(None);
            }
            // SAFETY: the buffer lives through the call, with its length.
            let r = unsafe { libc::recv(self.0.as_raw_fd(), b.as_mut_ptr().cast(), b.len(), 0) };
            let n = match cvt_len(r) {
                Ok(n) => n,
                Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => continue,
                Err(e) => return Err(e),
            };
            if let Some(reply) = parse(&b[..n]) {
                return Ok(Some(reply));
            }
        }
    }
}

impl AsFd for Echo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Pings once: the round trip's end is the caller's to time.
pub fn ping(to: Ipv4Addr, ident: u16, sequence: u16, timeout: Duration) -> io::Result<()> {
    let s = Echo::open()?;
    s.request(to, ident, sequence)?;
    loop {
        match s.reply(timeout)? {
            Some((from, i, q)) if (from, i, q) == (to, ident, sequence) => return Ok(()),
            Some(_) => {}
            None => return Err(errno(libc::ETIMEDOUT)),
        }
    }
}

/// A raw socket gives the IPv4 header too.
fn parse(b: &[u8]) -> Option<(Ipv4Addr, u16, u16)> {
    let at = usize::from(b.first()? & 15) * 4;
    let from: [u8; 4] = b.get(12..16)?.try_into().ok()?;
    let m = b.get(at..)?;
    if m.len() < HEADER || m[0] != ECHO_REPLY || checksum(m) != 0 {
        return None;
    }
    Some((from.into(), u16::from_be_bytes([m[4], m[5]]), u16::from_be_bytes([m[6], m[7]])))
}

fn checksum(b: &[u8]) -> u16 {
    let mut sum = 0u32;
    for c in b.chunks(2) {
        sum += u32::from(u16::from_be_bytes([c[0], c.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::NetNs;

    #[test]
    fn loopback_answers() {
        let Ok(ns) = NetNs::new() else {
            println!("skipped: no network namespace");
            return;
        };
        ns.run(|| {
            let mut r = crate::rtnl::Route::new().unwrap();
            r.set_up(1, true).unwrap();
            ping(Ipv4Addr::LOCALHOST, 7, 9, Duration::from_secs(2)).unwrap();
        })
        .unwrap();
    }

    #[test]
    fn what_is_no_reply_is_ignored() {
        let mut b = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        b.extend([0, 0, 0xff, 0xfe - 2, 0, 1, 0, 2]);
        let sum = checksum(&[0, 0, 0, 0, 0, 1, 0, 2]);
        b[22..24].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(parse(&b), Some((Ipv4Addr::new(10, 0, 0, 1), 1, 2)));
        for n in 0..b.len() {
            assert_eq!(parse(&b[..n]), None);
        }
        b[20] = ECHO_REQUEST;
        assert_eq!(parse(&b), None);
    }
}
