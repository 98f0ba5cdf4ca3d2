//! Names of streams: `tcp:HOST[:PORT]`, `unix:FILE`, `ptcp:[PORT][:IP]`, `punix:FILE` and their TLS forms.
//!
//! A name that does not parse fails with "address family not supported", as the operating system would say of
//! a kind of address that it lacks; what was wrong with it goes to the log.

use crate::errno;
use base::{Logger, error, warn};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The protocol spoken over the stream, for its default port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// OpenFlow: port 6653.
    OpenFlow,
    /// JSON-RPC of the database: port 6640.
    Ovsdb,
}

impl Service {
    /// The port that IANA assigned.
    pub const fn port(self) -> u16 {
        match self {
            Service::OpenFlow => 6653,
            Service::Ovsdb => 6640,
        }
    }

    fn warning(self) -> &'static str {
        match self {
            Service::OpenFlow => "The default OpenFlow port number has changed from 6633 to 6653",
            Service::Ovsdb => "The default OVSDB port number has changed from 6632 to 6640",
        }
    }
}

/// Where to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Active {
    /// An address.
    Tcp(SocketAddr),
    /// A host name, to be resolved, and a port.
    TcpName(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Passive {
    /// An address; port 0 lets the kernel choose. The flag: no address was named, so that both IPv6 and IPv4
    /// peers are welcome.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Whether `name` is of a kind that listens.
pub fn is_passive(name: &str) -> bool {
    ["ptcp:", "pssl:", "punix:"].iter().any(|p| name.starts_with(p))
}

/// Whether `name` is of a kind that connects.
pub fn is_active(name: &str) -> bool {
    ["tcp:", "ssl:", "unix:"].iter().any(|p| name.starts_with(p))
}

/// Whether an inactivity probe is worth sending by default: not over a socket of the same machine.
pub fn needs_probes(name: &str) -> bool {
    ["tcp:", "ssl:", "ptcp:", "pssl:"].iter().any(|p| name.starts_with(p))
}

/// A path relative to the run directory, if it is not absolute.
pub fn unix_path(rundir: &Path, path: &str) -> PathBuf {
    rundir.join(path)
}

/// Parses the name of an active stream.
pub fn active(name: &str, service: Service, rundir: &Path, log: &Logger) -> io::Result<Active> {
    let unsupported = || errno::os(libc::EAFNOSUPPORT);
    if let Some(path) = name.strip_prefix("unix:") {
        return Ok(Active::Unix(unix_path(rundir, path)));
    }
    let Some((kind @ ("tcp" | "ssl"), address)) = name.split_once(':') else { return Err(unsupported()) };
    let full = match split(address) {
        Some((_, Some(_))) | None => address.to_string(),
        Some((_, None)) => {
            warn!(log, "stream", "{}", service.warning());
            format!("{address}:{}", service.port())
        }
    };
    let fail = |why: &str| {
        if !why.is_empty() {
            error!(log, "socket_util", "{full}: {why}");
        }
        if kind == "tcp" {
            error!(log, "stream_tcp", "tcp:{full}: connect: {}", errno::text(&unsupported()));
        }
        Err(unsupported())
    };
    let Some((host, Some(port))) = split(&full) else { return fail("port must be specified") };
    let Some(port) = parse_port(port) else { return fail(&format!("bad port number \"{port}\"")) };
    if host.is_empty() {
        return fail("");
    }
    match parse_ip(host) {
        Some(ip) => Ok(Active::Tcp(SocketAddr::new(ip, port))),
        None if plausible_name(host) => Ok(Active::TcpName(host.to_string(), port)),
        None => fail(""),
    }
}

/// Parses the name of a passive stream.
pub fn passive(name: &str, service: Service, rundir: &Path, log: &Logger) -> io::Result<Passive> {
    let unsupported = || errno::os(libc::EAFNOSUPPORT);
    if let Some(path) = name.strip_prefix("punix:") {
        return Ok(Passive::Unix(unix_path(rundir, path)));
    }
    let Some(("ptcp" | "pssl", address)) = name.split_once(':') else { return Err(unsupported()) };
    let fail = |why: &str| {
        error!(log, "socket_util", "{address}: {why}");
        Err(unsupported())
    };
    let (port, host) = match address.split_once(':') {
        None => (address, ""),
        Some((port, host)) if host.starts_with('[') || !host.contains(':') => (port, host),
        Some(_) => return fail("port must be specified"),
    };
    let port = match port {
        "" => service.port(),
        _ => match parse_port(port) {
            Some(port) => port,
            None => return fail(&format!("bad port number \"{port}\"")),
        },
    };
    let ip = match host {
        "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => match parse_ip(host) {
            Some(ip) => ip,
            None => return fail(&format!("bad IP address \"{host}\"")),
        },
    };
    Ok(Passive::Tcp(SocketAddr::new(ip, port)))
}

/// The host in the name of a TCP or TLS stream.
pub fn host(name: &str) -> Option<&str> {
    let host = split(name.split_once(':')?.1)?.0;
    Some(host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host))
}

/// How an address is written in a stream's name: IPv6 in brackets.
pub struct Host(pub IpAddr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(a) => write!(f, "{a}"),
            IpAddr::V6(a) => write!(f, "[{a}]"),
        }
    }
}

/// Splits `HOST[:PORT]` or `[IPV6][:PORT]`; `None` if that is not what it is.
fn split(s: &str) -> Option<(&str, Option<&str>)> {
    let (host, rest) = match s.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match s.find(':') {
            Some(i) => s.split_at(i),
            None => (s, ""),
        },
    };
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = rest.strip_prefix(':')?;
    (!port.contains(':')).then_some((host, Some(port)))
}

fn parse_port(s: &str) -> Option<u16> {
    s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok())?
}

fn parse_ip(s: &str) -> Option<IpAddr> {
    let s = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(s);
    s.parse::<Ipv4Addr>().map(IpAddr::V4).or_else(|_| s.parse::<Ipv6Addr>().map(IpAddr::V6)).ok()
}

/// Whether `s` can be a host name, and is not a misspelt address.
fn plausible_name(s: &str) -> bool {
    s.len() <= 253
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
        && s.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(s: &str) -> Result<Active, i32> {
        active(s, Service::Ovsdb, Path::new("/run"), &Logger::none()).map_err(|e| e.raw_os_error().unwrap())
    }

    fn pas(s: &str) -> Result<Passive, i32> {
        passive(s, Service::OpenFlow, Path::new("/run"), &Logger::none())
            .map_err(|e| e.raw_os_error().unwrap())
    }

    #[test]
    fn active_names() {
        let tcp = |s: &str| Ok(Active::Tcp(s.parse().unwrap()));
        assert_eq!(act("tcp:127.0.0.1:1"), tcp("127.0.0.1:1"));
        assert_eq!(act("tcp:127.0.0.1"), tcp("127.0.0.1:6640"));
        assert_eq!(act("tcp:[::1]:7"), tcp("[::1]:7"));
        assert_eq!(act("tcp:[::1]"), tcp("[::1]:6640"));
        assert_eq!(act("tcp:localhost:2"), Ok(Active::TcpName("localhost".into(), 2)));
        assert_eq!(act("unix:db.sock"), Ok(Active::Unix("/run/db.sock".into())));
        assert_eq!(act("unix:/x/db.sock"), Ok(Active::Unix("/x/db.sock".into())));
        for bad in [
            "foo:bar",
            "",
            "x",
            "tcp:",
            "tcp:127.0.0.1:x",
            "tcp:127.0.0.1:99999",
            "tcp:[::1",
            "tcp:::1:1",
            "tcp:1.2.3:1",
            "tcp:a b:1",
            "ptcp:1",
            "tcp:127.0.0.1:",
        ] {
            assert_eq!(act(bad), Err(libc::EAFNOSUPPORT), "{bad}");
        }
        assert_eq!(act("ssl:127.0.0.1:1"), tcp("127.0.0.1:1"));
        for (name, want) in [("ssl:h:1", "h"), ("ssl:[::1]:7", "::1"), ("tcp:h", "h")] {
            assert_eq!(host(name), Some(want));
        }
    }

    #[test]
    fn passive_names() {
        let tcp = |s: &str| Ok(Passive::Tcp(s.parse().unwrap()));
        assert_eq!(pas("ptcp:"), tcp("0.0.0.0:6653"));
        assert_eq!(pas("ptcp:0"), tcp("0.0.0.0:0"));
        assert_eq!(pas("ptcp:5:127.0.0.1"), tcp("127.0.0.1:5"));
        assert_eq!(pas("ptcp:5:[::1]"), tcp("[::1]:5"));
        assert_eq!(pas("ptcp::127.0.0.1"), tcp("127.0.0.1:6653"));
        assert_eq!(pas("punix:x"), Ok(Passive::Unix("/run/x".into())));
        for bad in ["ptcp:x", "ptcp:0:::1", "ptcp:0:x", "tcp:1", "ptcp:70000"] {
            assert_eq!(pas(bad), Err(libc::EAFNOSUPPORT), "{bad}");
        }
        assert_eq!(pas("pssl:"), tcp("0.0.0.0:6653"));
    }
}
