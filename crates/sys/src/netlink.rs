//! Netlink: building messages, reading them, and asking the kernel.
//!
//! ```text
//! length (4, of all)   type (2)   flags (2)   sequence (4)   port (4)   body ...
//! attribute: length (2, without padding)   type (2)   value ... padding to 4
//! ```
//! Everything is in the machine's byte order unless an attribute says otherwise.

use crate::epoll::{Interest, wait_one};
use crate::socket::set_int;
use crate::util::{cvt, cvt_len, errno, own};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const HEADER: usize = 16;
/// Nested attributes are marked so.
const NESTED: u16 = 1 << 15;
const TYPE_MASK: u16 = 0x3fff;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;

/// A message under construction.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
}

/// A nested attribute that is open.
#[must_use = "a nest must be closed"]
#[derive(Debug)]
pub struct Nest(usize);

impl Builder {
    /// A request of a type, with flags beyond `NLM_F_REQUEST`.
    pub fn new(kind: u16, flags: i32) -> Builder {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        Builder { bytes }
    }

    /// Appends bytes of the fixed part, padded to four.
    pub fn fixed(mut self, bytes: &[u8]) -> Builder {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Appends an attribute.
    pub fn attr(mut self, kind: u16, value: &[u8]) -> Builder {
        self.put(kind, value);
        self
    }

    /// Appends an attribute in place.
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        let value = &value[..usize::from(len) - 4];
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    /// Appends a 32-bit attribute.
    pub fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Appends a string attribute with its final NUL.
    pub fn put_str(&mut self, kind: u16, value: &str) {
        let mut v = value.as_bytes().to_vec();
        v.push(0);
        self.put(kind, &v);
    }

    /// Opens a nested attribute, to be closed by [`Builder::end`].
    pub fn begin(&mut self, kind: u16) -> Nest {
        let at = self.bytes.len();
        self.put(kind | NESTED, &[]);
        Nest(at)
    }

    /// Closes a nested attribute.
    pub fn end(&mut self, nest: Nest) {
        let len = u16::try_from(self.bytes.len() - nest.0).unwrap_or(u16::MAX);
        self.bytes[nest.0..nest.0 + 2].copy_from_slice(&len.to_ne_bytes());
    }

    fn finish(mut self, seq: u32) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.bytes
    }
}

/// A message received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its type.
    pub kind: u16,
    /// Its flags.
    pub flags: u16,
    /// The request it answers.
    pub seq: u32,
    /// What follows the header.
    pub body: Vec<u8>,
}

/// Splits a datagram into messages; stops at the first that is cut short.
pub fn messages(mut b: &[u8]) -> Vec<Message> {
    let mut out = Vec::new();
    while b.len() >= HEADER {
        let len = u32_at(b, 0).unwrap_or(0) as usize;
        if len < HEADER || len > b.len() {
            break;
        }
        out.push(Message {
            kind: u16_at(b, 4).unwrap_or(0),
            flags: u16_at(b, 6).unwrap_or(0),
            seq: u32_at(b, 8).unwrap_or(0),
            body: b[HEADER..len].to_vec(),
        });
        b = &b[len.next_multiple_of(4).min(b.len())..];
    }
    out
}

/// Walks attributes: (type without flags, value). Stops at the first that is cut short.
#[derive(Clone, Debug)]
pub struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    /// The attributes in `bytes`, after a fixed part of `skip` bytes.
    pub fn new(bytes: &'a [u8], skip: usize) -> Attrs<'a> {
        Attrs(bytes.get(skip.next_multiple_of(4)..).unwrap_or_default())
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = (u16, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & TYPE_MASK;
        let value = self.0.get(4..len)?;
        self.0 = &self.0[len.next_multiple_of(4).min(self.0.len())..];
        Some((kind, value))
    }
}

/// A 16-bit number at an offset.
pub fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    b.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// A 32-bit number at an offset.
pub fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    b.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// A 64-bit number at an offset.
pub fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    b.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

/// A string attribute, without its NUL.
pub fn text(v: &[u8]) -> String {
    let end = v.iter().position(|&b| b == 0).unwrap_or(v.len());
    String::from_utf8_lossy(&v[..end]).into_owned()
}

/// A netlink socket, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    seq: u32,
    buf: Vec<u8>,
}

impl Socket {
    /// A dump's datagrams are at most this long.
    const BUF: usize = 64 * 1024;
    /// The kernel answers at once; a wait this long means that an answer was lost.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// A socket for a protocol (`NETLINK_ROUTE` ...), subscribed to groups by their bits.
    pub fn new(protocol: i32, groups: u32) -> io::Result<Socket> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: integers only.
        let fd = own(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: plain integers, for which zero is valid.
        let mut addr: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        addr.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        addr.nl_groups = groups;
        let len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: `addr` lives through the call and has `len` bytes.
        cvt(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
        // Strict checking makes dump filters work; older kernels do without.
        let _ = set_int(&fd, libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, 1);
        if groups != 0 {
            let _ = crate::socket::set_recv_buffer(&fd, 1 << 20);
        }
        Ok(Socket { fd, seq: 0, buf: vec![0; Self::BUF] })
    }

    /// Sends a request and waits for its acknowledgement, or its error.
    pub fn ack(&mut self, request: Builder) -> io::Result<()> {
        self.transact(request, libc::NLM_F_ACK, &mut |_| {})
    }

    /// Sends a request and returns its one answer.
    pub fn get(&mut self, request: Builder) -> io::Result<Message> {
        let mut answer = None;
        self.transact(request, libc::NLM_F_ACK, &mut |m| answer = Some(m))?;
        answer.ok_or_else(|| errno(libc::ENODATA))
    }

    /// Sends a dump request and returns all that it lists. A dump that the kernel could not take in one piece
    /// (`NLM_F_DUMP_INTR`) is repeated.
    pub fn dump(&mut self, request: &Builder) -> io::Result<Vec<Message>> {
        const INTERRUPTED: u16 = 0x10;
        for _ in 0..8 {
            let mut all = Vec::new();
            self.transact(request.clone(), libc::NLM_F_DUMP, &mut |m| all.push(m))?;
            if !all.iter().any(|m: &Message| m.flags & INTERRUPTED != 0) {
                return Ok(all);
            }
        }
        Err(errno(libc::EAGAIN))
    }

    fn transact(
        &mut self,
        mut request: Builder,
        flags: i32,
        each: &mut dyn FnMut(Message),
    ) -> io::Result<()> {
        self.seq = self.seq.wrapping_add(1).max(1);
        let f = u16_at(&request.bytes, 6).unwrap_or(0) | flags as u16;
        request.bytes[6..8].copy_from_slice(&f.to_ne_bytes());
        let bytes = request.finish(self.seq);
        // SAFETY: `bytes` is readable for its length.
        cvt_len(unsafe { libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) })?;
        loop {
            if !wait_one(&self.fd, Interest::READ, Some(Self::PATIENCE))? {
                return Err(errno(libc::ETIMEDOUT));
            }
            let Some(list) = self.receive()? else { continue };
            for m in list {
                if m.seq != self.seq {
                    continue;
                }
                match m.kind {
                    ERROR | DONE => {
                        let code = u32_at(&m.body, 0).unwrap_or(0) as i32;
                        return if code < 0 { Err(errno(-code)) } else { Ok(()) };
                    }
                    _ => each(m),
                }
            }
        }
    }

    /// The messages of one waiting datagram; `None` when there is none. `ENOBUFS` says that some were lost.
    pub fn receive(&mut self) -> io::Result<Option<Vec<Message>>> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: `buf` is writable for its length.
        let r =
            unsafe { libc::recv(self.fd.as_raw_fd(), self.buf.as_mut_ptr().cast(), self.buf.len(), flags) };
        match cvt_len(r) {
            // A longer datagram than any that the kernel makes: as good as lost.
            Ok(n) if n > self.buf.len() => {
                self.buf.resize(n.min(1 << 24), 0);
                Err(errno(libc::ENOBUFS))
            }
            Ok(n) => Ok(Some(messages(&self.buf[..n]))),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_and_read_back() {
        let mut b = Builder::new(16, libc::NLM_F_CREATE).fixed(&[1, 2, 3, 4, 5]);
        b.put_str(3, "eth0");
        let n = b.begin(18);
        b.put_u32(1, 7);
        b.put(2, &[9]);
        b.end(n);
        let bytes = b.finish(5);
        let m = messages(&bytes);
        assert_eq!((m.len(), m[0].kind, m[0].seq), (1, 16, 5));
        let attrs: Vec<_> = Attrs::new(&m[0].body, 5).collect();
        assert_eq!(attrs.len(), 2);
        assert_eq!((attrs[0].0, text(attrs[0].1)), (3, "eth0".into()));
        let inner: Vec<_> = Attrs::new(attrs[1].1, 0).collect();
        assert_eq!(inner, [(1, &7u32.to_ne_bytes()[..]), (2, &[9][..])]);
        // Whatever is cut off or flipped, reading ends.
        for cut in 0..bytes.len() {
            for m in messages(&bytes[..cut]) {
                let _ = Attrs::new(&m.body, 5).count();
            }
            for bit in 0..8 {
                let mut x = bytes.clone();
                x[cut] ^= 1 << bit;
                for m in messages(&x) {
                    let _ = Attrs::new(&m.body, 5).map(|(_, v)| Attrs::new(v, 0).count()).sum::<usize>();
                }
            }
        }
    }
}
