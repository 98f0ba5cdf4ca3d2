//! Where records for syslog go: the local daemon, a datagram socket of some other daemon, or nowhere.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// Facilities by name, with the number of RFC 5424 section 6.2.1.
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("clock", 9),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("alert", 14),
    ("clock2", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The facility unless set: local0.
pub(crate) const DEFAULT_FACILITY: u8 = 16 << 3;

/// A facility's number times 8, as priorities have it.
pub(crate) fn facility(name: &str) -> Option<u8> {
    FACILITIES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|&(_, n)| n << 3)
}

/// A destination for syslog.
#[derive(Debug)]
pub(crate) enum Method {
    /// The system's daemon, in the C library's form.
    Libc(Option<UnixDatagram>),
    /// A unix datagram socket.
    Unix(PathBuf, Option<UnixDatagram>),
    /// A UDP port.
    Udp(Option<UdpSocket>),
    /// Nowhere.
    Null,
}

impl Method {
    const SYSTEM_SOCKET: &str = "/dev/log";

    /// The C library's.
    pub fn libc() -> Method {
        Method::Libc(None)
    }

    /// By its name on the command line; or what is wrong with it, to be logged (the program goes on).
    pub fn parse(name: &str) -> Option<Result<Method, String>> {
        match name {
            "" | "libc" => Some(Ok(Method::libc())),
            "null" => Some(Ok(Method::Null)),
            _ => {
                if let Some(path) = name.strip_prefix("unix:") {
                    return Some(Ok(Method::Unix(path.into(), None)));
                }
                let target = name.strip_prefix("udp:")?;
                Some(udp(target))
            }
        }
    }

    /// Whether messages carry their own date and host: everything but the C library's.
    pub fn wants_prefix(&self) -> bool {
        !matches!(self, Method::Libc(_))
    }

    /// Sends one message; a daemon that is not there loses it.
    pub fn send(&mut self, message: &[u8]) {
        match self {
            Method::Libc(socket) => datagram(socket, std::path::Path::new(Self::SYSTEM_SOCKET), message),
            Method::Unix(path, socket) => datagram(socket, path, message),
            Method::Udp(Some(socket)) => drop(socket.send(message)),
            Method::Udp(None) | Method::Null => {}
        }
    }
}

/// A UDP socket connected to `HOST:PORT`.
pub(crate) fn udp(target: &str) -> Result<Method, String> {
    let Some((host, port)) = target.rsplit_once(':') else {
        return Err(format!("{target}: port must be specified"));
    };
    let port: u16 = port.parse().map_err(|_| format!("{target}: bad port number \"{port}\""))?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let ip = host.parse().map_err(|_| format!("{target}: bad IP address \"{host}\""))?;
    let socket = sys::socket::udp_connect(SocketAddr::new(ip, port), None);
    Ok(Method::Udp(socket.ok()))
}

fn datagram(socket: &mut Option<UnixDatagram>, path: &std::path::Path, message: &[u8]) {
    for _ in 0..2 {
        if socket.is_none() {
            *socket = UnixDatagram::unbound().ok().filter(|s| s.connect(path).is_ok());
            if let Some(s) = socket {
                // Better to lose a record than to stop for a daemon that does not read.
                let _ = s.set_nonblocking(true);
            }
        }
        match socket {
            None => return,
            Some(s) => match s.send(message) {
                Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => *socket = None,
                _ => return,
            },
        }
    }
}
