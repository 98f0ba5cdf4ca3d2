//! Sockets that the standard library cannot make: connecting without blocking, service marks, unix sockets
//! whose path is longer than a socket address.

use crate::util::{cvt, errno, own, retry};
use std::fs::File;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Whether a connection is there yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connect {
    /// It is.
    Done,
    /// Wait until the socket is writable, then ask [`connect_result`].
    InProgress,
}

/// Begins a TCP connection; never blocks. `dscp` (0..=63) marks its packets.
pub fn tcp_connect(to: SocketAddr, dscp: Option<u8>) -> io::Result<(TcpStream, Connect)> {
    let fd = inet_socket(&to, libc::SOCK_STREAM)?;
    if let Some(d) = dscp {
        set_dscp(&fd, to.is_ipv6(), d)?;
    }
    set_nodelay(&fd)?;
    let (addr, len) = sockaddr(&to);
    // SAFETY: `addr` is valid for `len` bytes.
    let r = cvt(unsafe { libc::connect(fd.as_raw_fd(), (&raw const addr).cast(), len) });
    Ok((TcpStream::from(fd), progress(r)?))
}

/// Listens on a TCP address (port 0: any), without blocking in `accept`. The address may be used again at once
/// after an earlier listener died.
pub fn tcp_listen(at: SocketAddr, dscp: Option<u8>) -> io::Result<TcpListener> {
    let fd = inet_socket(&at, libc::SOCK_STREAM)?;
    set_int(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if let Some(d) = dscp {
        set_dscp(&fd, at.is_ipv6(), d)?;
    }
    let (addr, len) = sockaddr(&at);
    // SAFETY: `addr` is valid for `len` bytes.
    cvt(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
    // SAFETY: integers only.
    cvt(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(fd))
}

/// A UDP socket connected to `to`, without blocking.
pub fn udp_connect(to: SocketAddr, dscp: Option<u8>) -> io::Result<UdpSocket> {
    let fd = inet_socket(&to, libc::SOCK_DGRAM)?;
    if let Some(d) = dscp {
        set_dscp(&fd, to.is_ipv6(), d)?;
    }
    let (addr, len) = sockaddr(&to);
    // SAFETY: `addr` is valid for `len` bytes.
    cvt(unsafe { libc::connect(fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
    Ok(UdpSocket::from(fd))
}

/// What became of a connection that was in progress: `Done`, `InProgress`, or why it failed.
pub fn connect_result(fd: impl AsFd) -> io::Result<Connect> {
    if !crate::epoll::wait_one(&fd, crate::epoll::Interest::WRITE, Some(std::time::Duration::ZERO))? {
        return Ok(Connect::InProgress);
    }
    if let Some(e) = take_error(&fd)? {
        return Err(e);
    }
    let mut addr = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: room for `len` bytes.
    cvt(unsafe { libc::getpeername(fd.as_fd().as_raw_fd(), addr.as_mut_ptr().cast(), &mut len) })?;
    Ok(Connect::Done)
}

/// The error waiting on a socket (`SO_ERROR`), which is thereby taken.
pub fn take_error(fd: impl AsFd) -> io::Result<Option<io::Error>> {
    let n = int_option(&fd, libc::SOL_SOCKET, libc::SO_ERROR)?;
    Ok((n != 0).then(|| errno(n)))
}

/// Sends small writes at once (`TCP_NODELAY`).
pub fn set_nodelay(fd: impl AsFd) -> io::Result<()> {
    set_int(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
}

/// Marks a socket's packets with a DSCP (0..=63).
pub fn set_dscp(fd: impl AsFd, ipv6: bool, dscp: u8) -> io::Result<()> {
    if dscp > 63 {
        return Err(errno(libc::EINVAL));
    }
    let tos = i32::from(dscp) << 2;
    if ipv6 {
        set_int(&fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos)?;
        // Mapped IPv4 addresses take theirs from here; a socket for IPv6 alone refuses it.
        let _ = set_int(&fd, libc::IPPROTO_IP, libc::IP_TOS, tos);
        return Ok(());
    }
    set_int(fd, libc::IPPROTO_IP, libc::IP_TOS, tos)
}

/// Sets the size of the receive buffer, beyond the system's limit if permitted.
pub fn set_recv_buffer(fd: impl AsFd, bytes: usize) -> io::Result<()> {
    let n = i32::try_from(bytes).unwrap_or(i32::MAX);
    set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, n)
        .or_else(|_| set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, n))
}

/// Sets the size of the send buffer, beyond the system's limit if permitted.
pub fn set_send_buffer(fd: impl AsFd, bytes: usize) -> io::Result<()> {
    let n = i32::try_from(bytes).unwrap_or(i32::MAX);
    set_int(&fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, n)
        .or_else(|_| set_int(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, n))
}

/// Listens on a unix stream socket at `path` (or, if it starts with `@`, in the abstract name space), without
/// blocking in `accept`. A socket that is there already is replaced; `mode` is the new file's permissions
/// before the umask.
pub fn unix_listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let fd = unix_socket()?;
    let name = UnixName::new(path)?;
    if !name.is_abstract() {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        // On Linux the mode of the unbound socket, less the umask, is what bind gives the file.
        // SAFETY: integers only.
        cvt(unsafe { libc::fchmod(fd.as_raw_fd(), mode) })?;
    }
    name.with(|addr, len| {
        // SAFETY: `addr` is valid for `len` bytes.
        cvt(unsafe { libc::bind(fd.as_raw_fd(), addr, len) })
    })?;
    // SAFETY: integers only.
    cvt(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) })?;
    Ok(UnixListener::from(fd))
}

/// Begins a connection to a unix stream socket; never blocks.
pub fn unix_connect(path: &Path) -> io::Result<(UnixStream, Connect)> {
    let fd = unix_socket()?;
    let r = UnixName::new(path)?.with(|addr, len| {
        // SAFETY: `addr` is valid for `len` bytes.
        cvt(unsafe { libc::connect(fd.as_raw_fd(), addr, len) })
    });
    Ok((UnixStream::from(fd), progress(r)?))
}

/// Pending connections that a listener holds.
const BACKLOG: i32 = 64;

fn unix_socket() -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    own(unsafe {
        libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    })
}

fn inet_socket(addr: &SocketAddr, kind: i32) -> io::Result<OwnedFd> {
    let family = if addr.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: integers only.
    own(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) })
}

fn progress(r: io::Result<i32>) -> io::Result<Connect> {
    match r {
        Ok(_) => Ok(Connect::Done),
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => Ok(Connect::InProgress),
        Err(e) => Err(e),
    }
}

pub(crate) fn set_int(fd: impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let p = (&raw const value).cast();
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` lives through the call and has `len` bytes.
    cvt(unsafe { libc::setsockopt(fd.as_fd().as_raw_fd(), level, name, p, len) }).map(|_| ())
}

pub(crate) fn int_option(fd: impl AsFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` has room for `len` bytes.
    cvt(unsafe { libc::getsockopt(fd.as_fd().as_raw_fd(), level, name, (&raw mut value).cast(), &mut len) })?;
    Ok(value)
}

/// A socket address as C has it, and its length.
fn sockaddr(a: &SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: plain integers, for which zero is valid.
    let mut s: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let len = match a {
        SocketAddr::V4(a) => {
            let v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: a.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is large and aligned enough for every kind of address.
            unsafe { (&raw mut s).cast::<libc::sockaddr_in>().write(v4) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(a) => {
            let v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: a.port().to_be(),
                sin6_flowinfo: a.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                sin6_scope_id: a.scope_id(),
            };
            // SAFETY: as above.
            unsafe { (&raw mut s).cast::<libc::sockaddr_in6>().write(v6) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (s, len as libc::socklen_t)
}

/// A unix socket's name in a form that fits an address. A path that is too long is reached through a
/// descriptor of its directory, which `/proc` shows under a short name and which must stay open meanwhile.
struct UnixName {
    bytes: Vec<u8>,
    _dir: Option<File>,
}

impl UnixName {
    /// Bytes of a path in a socket address, less the final NUL.
    const MAX: usize = 107;

    fn new(path: &Path) -> io::Result<UnixName> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(errno(libc::EINVAL));
        }
        if bytes[0] == b'@' {
            if bytes.len() > Self::MAX + 1 {
                return Err(errno(libc::ENAMETOOLONG));
            }
            let mut name = bytes.to_vec();
            name[0] = 0;
            return Ok(UnixName { bytes: name, _dir: None });
        }
        if bytes.len() <= Self::MAX {
            return Ok(UnixName { bytes: bytes.to_vec(), _dir: None });
        }
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(errno(libc::ENAMETOOLONG));
        };
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let dir = open_dir(dir)?;
        let mut short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
        short.push(name);
        let short = short.into_os_string().into_encoded_bytes();
        if short.len() > Self::MAX {
            return Err(errno(libc::ENAMETOOLONG));
        }
        Ok(UnixName { bytes: short, _dir: Some(dir) })
    }

    fn is_abstract(&self) -> bool {
        self.bytes[0] == 0
    }

    fn with(
        &self,
        mut f: impl FnMut(*const libc::sockaddr, libc::socklen_t) -> io::Result<i32>,
    ) -> io::Result<i32> {
        // SAFETY: plain integers, for which zero is valid.
        let mut s: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        s.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (d, b) in s.sun_path.iter_mut().zip(&self.bytes) {
            *d = *b as libc::c_char;
        }
        // A path ends in NUL, an abstract name is as long as said.
        let n = self.bytes.len() + usize::from(!self.is_abstract());
        let len = std::mem::offset_of!(libc::sockaddr_un, sun_path) + n;
        f((&raw const s).cast(), len as libc::socklen_t)
    }
}

fn open_dir(dir: &Path) -> io::Result<File> {
    let c = crate::util::cstring(dir)?;
    // SAFETY: `c` lives through the call.
    let fd = retry(|| unsafe { libc::open(c.as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) });
    own(fd?).map(File::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoll::{Interest, wait_one};
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn tcp_both_families() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let at: SocketAddr = at.parse().unwrap();
            let l = match tcp_listen(at, Some(48)) {
                Ok(l) => l,
                Err(e) if at.is_ipv6() => {
                    println!("skipped: no IPv6 here ({e})");
                    continue;
                }
                Err(e) => panic!("{e}"),
            };
            assert_eq!(l.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let to = l.local_addr().unwrap();
            let (mut c, _) = tcp_connect(to, Some(10)).unwrap();
            wait_one(&c, Interest::WRITE, None).unwrap();
            assert_eq!(connect_result(&c).unwrap(), Connect::Done);
            c.write_all(b"hi").unwrap();
            wait_one(&l, Interest::READ, None).unwrap();
            let (mut s, _) = l.accept().unwrap();
            let mut b = [0; 2];
            s.read_exact(&mut b).unwrap();
            assert_eq!(&b, b"hi");
            drop((l, s));
            let refused = tcp_connect(to, None).and_then(|(c, _)| {
                wait_one(&c, Interest::WRITE, None)?;
                connect_result(&c)
            });
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ECONNREFUSED));
        }
        assert!(tcp_connect("127.0.0.1:9".parse().unwrap(), Some(64)).is_err());
    }

    #[test]
    fn unix_with_a_long_path() {
        let top = crate::util::tests_dir("socket");
        let mut dir = top.clone();
        for _ in 0..4 {
            dir.push("d".repeat(60));
        }
        std::fs::create_dir_all(&dir).unwrap();
        for path in
            [top.join("short"), dir.join("long"), PathBuf::from(format!("@oxvs-{}", std::process::id()))]
        {
            let l = unix_listen(&path, 0o700).unwrap();
            let abstract_name = path.to_string_lossy().starts_with('@');
            if !abstract_name {
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
            }
            let (mut c, state) = unix_connect(&path).unwrap();
            assert_eq!(state, Connect::Done);
            c.write_all(b"x").unwrap();
            let (mut s, _) = l.accept().unwrap();
            let mut b = [0; 1];
            s.read_exact(&mut b).unwrap();
            drop(l);
            if !abstract_name {
                assert_eq!(unix_connect(&path).unwrap_err().raw_os_error(), Some(libc::ECONNREFUSED));
                drop(unix_listen(&path, 0o700).unwrap());
            }
        }
        assert_eq!(unix_connect(&top.join("none")).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        std::fs::remove_dir_all(top).unwrap();
    }
}
