//! Byte streams: active and passive, TCP, TLS and unix, non-blocking.
//!
//! A [`Stream`] is a socket that may still be connecting. A [`Channel`] adds the buffers: input is read in large
//! pieces, output is queued and written once per turn with one system call for many messages, and what the peer
//! does not take is counted, so that owners can stop producing ([`Channel::queued`]) or reading
//! ([`Channel::pause`]).

use crate::errno;
use crate::event::{Interest, Key, Reactor, Waker};
use crate::tape::Track;
use crate::target::{self, Active, Host, Passive, Service};
use crate::tls::{ClientSide, Session};
use base::{Time, error, info, warn};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use sys::socket::{self, Connect};

/// How a stream is marked and what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The protocol, for the default port.
    pub service: Service,
    /// The DSCP of its packets; `None` leaves it to the system.
    pub dscp: Option<u8>,
}

impl Options {
    /// The JSON-RPC of the database.
    pub const OVSDB: Options = Options { service: Service::Ovsdb, dscp: None };
    /// OpenFlow, marked as network control by default.
    pub const OPENFLOW: Options = Options { service: Service::OpenFlow, dscp: None };
}

enum Sock {
    Tcp(TcpStream),
    Tls(Box<Session>),
    Unix(UnixStream),
    /// A host name is being looked up by a thread of its own.
    Resolving(mpsc::Receiver<io::Result<SocketAddr>>),
    /// There is none: a tape is played.
    Taped,
}

/// A socket that is connected or about to be.
pub struct Stream {
    name: String,
    key: Key,
    sock: Sock,
    connected: bool,
    dscp: Option<u8>,
    interest: Interest,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    /// What TLS needs, until TCP is connected.
    tls: Option<ClientSide>,
    track: Option<Track>,
}

impl Stream {
    /// Begins a connection to `name` (`tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`, `unix:FILE`). Never blocks.
    pub fn connect(r: &mut Reactor, key: Key, name: &str, options: Options) -> io::Result<Stream> {
        let mut track = r.track(name)?;
        let stream = match track.as_mut().filter(|t| t.plays()) {
            Some(track) => {
                let connected = track.next_flag()?;
                Self::register(r, name.to_string(), key, Sock::Taped, connected, options.dscp)
            }
            None => Self::connect_live(r, key, name, options),
        };
        if let Some(track) = &mut track {
            track.note_flag(stream.as_ref().map(Stream::is_connected));
        }
        stream.map(|s| Stream { track, ..s })
    }

    fn connect_live(r: &mut Reactor, key: Key, name: &str, options: Options) -> io::Result<Stream> {
        let tls = if name.starts_with("ssl:") { Some(r.tls_client()?) } else { None };
        let target = target::active(name, options.service, r.rundir(), r.log())?;
        let (sock, connected) = match target {
            Active::Tcp(to) => tcp(to, options.dscp)?,
            Active::Unix(path) => {
                let (s, c) = socket::unix_connect(&path).inspect_err(|e| too_long(r, &path, e))?;
                (Sock::Unix(s), c == Connect::Done)
            }
            Active::TcpName(host, port) => {
                let waker = r.waker(key);
                (Sock::Resolving(resolve(host, port, waker)?), false)
            }
        };
        // What follows TCP's handshake is done by `poll_connect`.
        let connected = connected && tls.is_none();
        let mut s = Self::register(r, name.to_string(), key, sock, connected, options.dscp)?;
        s.tls = tls;
        Ok(s)
    }

    /// Takes a connected socket that does not block.
    pub fn from_unix(r: &mut Reactor, key: Key, name: String, socket: UnixStream) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        Self::register(r, name, key, Sock::Unix(socket), true, None)
    }

    fn from_tcp(
        r: &mut Reactor,
        key: Key,
        socket: TcpStream,
        dscp: Option<u8>,
        tls: bool,
    ) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        let peer = socket.peer_addr()?;
        let kind = if tls { "ssl" } else { "tcp" };
        let name = format!("{kind}:{}:{}", Host(peer.ip()), peer.port());
        if let Some(dscp) = dscp {
            let _ = socket::set_dscp(&socket, peer.is_ipv6(), dscp);
        }
        let _ = socket::set_nodelay(&socket);
        let sock = if tls {
            let log = r.log().clone();
            Sock::Tls(Box::new(Session::server(socket, r.tls_server()?, log)?))
        } else {
            Sock::Tcp(socket)
        };
        Self::register(r, name, key, sock, true, dscp)
    }

    fn register(
        r: &Reactor,
        name: String,
        key: Key,
        sock: Sock,
        connected: bool,
        dscp: Option<u8>,
    ) -> io::Result<Stream> {
        let interest = if connected { Interest::READ } else { Interest::WRITE };
        let mut s = Stream {
            name,
            key,
            sock,
            connected,
            dscp,
            interest,
            peer: None,
            local: None,
            tls: None,
            track: None,
        };
        s.note_addresses();
        if let Some(fd) = s.fd() {
            r.add(fd, key, interest)?;
        }
        Ok(s)
    }

    /// The name it was opened by, or that of its peer.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Under which its events come.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// The peer's address, over TCP.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Our address, over TCP.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Goes on with connecting: true when connected.
    pub fn poll_connect(&mut self, r: &mut Reactor) -> io::Result<bool> {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            self.connected = track.next_flag()?;
            return Ok(self.connected);
        }
        let connected = self.poll_connect_live(r);
        if let Some(track) = &mut self.track {
            track.note_flag(connected.as_ref().copied());
        }
        connected
    }

    fn poll_connect_live(&mut self, r: &mut Reactor) -> io::Result<bool> {
        if let Sock::Resolving(answer) = &self.sock {
            let to = match answer.try_recv() {
                Ok(answer) => answer.inspect_err(|e| {
                    error!(r.log(), "stream_tcp", "{}: connect: {}", self.name, errno::text(e));
                })?,
                Err(mpsc::TryRecvError::Empty) => return Ok(false),
                Err(mpsc::TryRecvError::Disconnected) => return Err(errno::os(libc::EIO)),
            };
            r.drop_waker(self.key);
            let (sock, connected) = tcp(to, self.dscp)?;
            self.sock = sock;
            self.connected = connected && self.tls.is_none();
            self.interest = if self.connected { Interest::READ } else { Interest::WRITE };
            if let Some(fd) = self.fd() {
                r.add(fd, self.key, self.interest)?;
            }
        } else if let (Sock::Tls(_), false) = (&self.sock, self.connected) {
            self.handshake(r)?;
        } else if !self.connected {
            let Some(fd) = self.fd() else { return Ok(false) };
            let done = socket::connect_result(fd)? == Connect::Done;
            match self.tls.take_if(|_| done) {
                Some(side) => {
                    self.begin_tls(r, side)?;
                    self.handshake(r)?;
                }
                None => self.connected = done && self.tls.is_none(),
            }
        }
        if self.connected {
            self.note_addresses();
            self.watch(r, Interest::READ)?;
        }
        Ok(self.connected)
    }

    /// Puts TLS on top of the TCP connection.
    fn begin_tls(&mut self, r: &Reactor, side: ClientSide) -> io::Result<()> {
        let Sock::Tcp(socket) = &self.sock else { return Ok(()) };
        let socket = socket.try_clone()?;
        let host = target::host(&self.name).unwrap_or_default();
        if let Some(fd) = self.fd() {
            r.remove(fd)?;
        }
        self.interest = Interest::NONE;
        self.sock = Sock::Tls(Box::new(Session::client(socket, side, host, r.log().clone())?));
        Ok(())
    }

    fn handshake(&mut self, r: &Reactor) -> io::Result<()> {
        let Sock::Tls(s) = &mut self.sock else { return Ok(()) };
        self.connected = s.handshake()?;
        let write = s.wants_write();
        self.watch(r, Interest { read: true, write })
    }

    /// Watches for `interest` from now on. Without any, not even a hang-up is told: it would be told for ever.
    pub fn watch(&mut self, r: &Reactor, interest: Interest) -> io::Result<()> {
        if self.interest == interest {
            return Ok(());
        }
        if let Some(fd) = self.fd() {
            if interest == Interest::NONE {
                r.remove(fd)?;
            } else if self.interest == Interest::NONE {
                r.add(fd, self.key, interest)?;
            } else {
                r.modify(fd, self.key, interest)?;
            }
        }
        self.interest = interest;
        Ok(())
    }

    /// Reads what is there; 0 bytes means that the peer has closed.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            return track.read(buf);
        }
        let n = match &mut self.sock {
            Sock::Tcp(s) => s.read(buf),
            Sock::Tls(s) => s.read(buf),
            Sock::Unix(s) => s.read(buf),
            Sock::Resolving(_) | Sock::Taped => Err(errno::os(libc::EAGAIN)),
        };
        if let Some(track) = &mut self.track {
            track.note(n.as_ref().map(|n| &buf[..*n]));
        }
        n
    }

    /// Whether bytes may have been read from the socket that [`Stream::read`] has not given.
    fn is_tls(&self) -> bool {
        self.name.starts_with("ssl:")
    }

    /// What TLS has taken from the socket already.
    fn read_decrypted(&mut self, buf: &mut [u8]) -> usize {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            return track.read(buf).unwrap_or(0);
        }
        let Sock::Tls(session) = &mut self.sock else { return 0 };
        let n = session.read_decrypted(buf);
        if let Some(track) = &mut self.track {
            track.note(Ok(&buf[..n]));
        }
        n
    }

    /// Writes as much as fits.
    pub fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            let mut n = [0; 8];
            track.read(&mut n)?;
            return Ok(usize::try_from(u64::from_le_bytes(n)).unwrap_or(usize::MAX).min(length(parts)));
        }
        let n = self.write_live(parts);
        if let Some(track) = &mut self.track {
            match &n {
                Ok(n) => track.note(Ok(&(*n as u64).to_le_bytes())),
                Err(e) => track.note(Err(e)),
            }
        }
        n
    }

    fn write_live(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.sock {
            // One piece goes the shorter way through the kernel.
            Sock::Tcp(s) if parts.len() == 1 => s.write(&parts[0]),
            Sock::Unix(s) if parts.len() == 1 => s.write(&parts[0]),
            Sock::Tcp(s) => s.write_vectored(parts),
            Sock::Tls(s) => s.write(parts),
            Sock::Unix(s) => s.write_vectored(parts),
            Sock::Resolving(_) | Sock::Taped => Err(errno::os(libc::EAGAIN)),
        }
    }

    /// The name in the certificate of a TLS peer.
    pub fn peer_name(&mut self) -> Option<String> {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            return String::from_utf8(track.next().ok()?).ok();
        }
        let Sock::Tls(s) = &self.sock else { return None };
        let name = s.peer_name();
        if let Some(track) = &mut self.track {
            match &name {
                Some(name) => track.note(Ok(name.as_bytes())),
                None => track.note(Err(&errno::os(libc::ENOENT))),
            }
        }
        name
    }

    /// The socket's descriptor, once there is one.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.sock {
            Sock::Tcp(s) => Some(s.as_fd()),
            Sock::Tls(s) => Some(s.tcp().as_fd()),
            Sock::Unix(s) => Some(s.as_fd()),
            Sock::Resolving(_) | Sock::Taped => None,
        }
    }

    fn note_addresses(&mut self) {
        let socket = match &self.sock {
            Sock::Tcp(s) => s,
            Sock::Tls(s) => s.tcp(),
            Sock::Unix(_) | Sock::Resolving(_) | Sock::Taped => return,
        };
        if self.connected {
            (self.peer, self.local) = (socket.peer_addr().ok(), socket.local_addr().ok());
        }
    }
}

fn length(parts: &[IoSlice<'_>]) -> usize {
    parts.iter().map(|p| p.len()).sum()
}

/// Says why the name of a unix socket will not do.
fn too_long(r: &Reactor, path: &std::path::Path, e: &io::Error) {
    if e.raw_os_error() == Some(libc::ENAMETOOLONG) {
        let name = path.display();
        warn!(r.log(), "socket_util_unix", "Unix socket name {name} is longer than maximum 107 bytes");
    }
}

fn tcp(to: SocketAddr, dscp: Option<u8>) -> io::Result<(Sock, bool)> {
    let (s, c) = socket::tcp_connect(to, dscp)?;
    let _ = socket::set_nodelay(&s);
    Ok((Sock::Tcp(s), c == Connect::Done))
}

fn resolve(host: String, port: u16, waker: Waker) -> io::Result<mpsc::Receiver<io::Result<SocketAddr>>> {
    let (send, receive) = mpsc::channel();
    std::thread::Builder::new().name("dns_resolve".to_string()).spawn(move || {
        let answer = match (host.as_str(), port).to_socket_addrs() {
            Ok(mut all) => all.next().ok_or_else(|| errno::os(libc::EAFNOSUPPORT)),
            // As the operating system says of an address that it cannot make sense of.
            Err(_) => Err(errno::os(libc::EAFNOSUPPORT)),
        };
        // The stream may be gone by now.
        let _ = send.send(answer);
        waker.wake();
    })?;
    Ok(receive)
}

/// A stream with buffers.
pub struct Channel {
    stream: Stream,
    /// Space for input; what has come is before `filled`, what was consumed before `taken`.
    input: Vec<u8>,
    filled: usize,
    taken: usize,
    /// Bytes asked for by the next read.
    ask: usize,
    /// The last read left nothing behind.
    drained: bool,
    /// So many reads in a row would have fitted into the smallest space.
    small_reads: u8,
    output: VecDeque<Vec<u8>>,
    written: usize,
    queued: usize,
    paused: bool,
    sent: u64,
    received: u64,
}

impl Channel {
    /// Bytes read by one [`Channel::fill`] at most.
    pub const READ_SIZE: usize = 64 * 1024;
    /// Bytes read at first: enough for most messages. A peer with much to say gets more.
    const FIRST_READ: usize = 2 * 1024;
    /// After so many small reads in a row, the space of larger ones is given back.
    const SMALL_READS: u8 = 4;
    /// Smaller pieces of output are gathered into pieces of about this size.
    const CHUNK: usize = 32 * 1024;
    /// Pieces handed to the kernel at once.
    const VECTORS: usize = 32;

    /// Wraps a stream.
    pub fn new(stream: Stream) -> Channel {
        Channel {
            stream,
            input: Vec::new(),
            filled: 0,
            taken: 0,
            ask: Self::FIRST_READ,
            drained: false,
            small_reads: 0,
            output: VecDeque::new(),
            written: 0,
            queued: 0,
            paused: false,
            sent: 0,
            received: 0,
        }
    }

    /// Begins a connection.
    pub fn connect(r: &mut Reactor, key: Key, name: &str, options: Options) -> io::Result<Channel> {
        Ok(Channel::new(Stream::connect(r, key, name, options)?))
    }

    /// The stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        self.stream.name()
    }

    /// The name in the certificate of a TLS peer.
    pub fn peer_name(&mut self) -> Option<String> {
        self.stream.peer_name()
    }

    /// Goes on with connecting: true when connected.
    pub fn poll_connect(&mut self, r: &mut Reactor) -> io::Result<bool> {
        if self.stream.is_connected() {
            return Ok(true);
        }
        let connected = self.stream.poll_connect(r)?;
        if connected {
            self.watch(r)?;
        }
        Ok(connected)
    }

    /// Reads once. True if bytes came, false if there are none now; the end of the stream is an error
    /// ([`errno::eof`]).
    pub fn fill(&mut self) -> io::Result<bool> {
        if self.paused {
            return Ok(false);
        }
        // A read that came back short has taken everything: the event tells when there is more.
        if std::mem::take(&mut self.drained) {
            self.shrink();
            return Ok(false);
        }
        if self.taken > 0 {
            self.input.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        if self.input.len() < self.filled + self.ask {
            self.input.resize(self.filled + self.ask, 0);
        }
        let space = &mut self.input[self.filled..][..self.ask];
        match self.stream.read(space) {
            Ok(0) => Err(errno::eof()),
            Ok(n) => {
                if n == self.ask {
                    self.ask = (self.ask * 8).min(Self::READ_SIZE);
                } else {
                    self.drained = true;
                }
                self.small_reads = if n < Self::FIRST_READ { self.small_reads.saturating_add(1) } else { 0 };
                self.filled += n;
                self.received += n as u64;
                self.fill_decrypted();
                Ok(true)
            }
            Err(e) if errno::is_again(&e) => {
                self.shrink();
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    /// No event tells of what TLS has taken from the socket already.
    fn fill_decrypted(&mut self) {
        const PIECE: usize = 16 * 1024;
        if !self.stream.is_tls() {
            return;
        }
        // Records are not cut where reads are: a short read says nothing.
        self.drained = false;
        loop {
            self.input.resize(self.filled + PIECE, 0);
            match self.stream.read_decrypted(&mut self.input[self.filled..]) {
                0 => break,
                n => {
                    self.filled += n;
                    self.received += n as u64;
                }
            }
        }
    }

    /// Thousands of idle connections should not keep a large buffer each.
    fn shrink(&mut self) {
        let idle = self.small_reads >= Self::SMALL_READS || self.input.len() > 2 * Self::READ_SIZE;
        if self.taken == self.filled && self.input.len() > Self::FIRST_READ && idle {
            self.input = Vec::new();
            (self.filled, self.taken) = (0, 0);
            self.ask = Self::FIRST_READ;
        }
    }

    /// Bytes read and not consumed.
    pub fn input(&self) -> &[u8] {
        &self.input[self.taken..self.filled]
    }

    /// Drops the first `n` bytes of the input.
    pub fn consume(&mut self, n: usize) {
        self.taken = (self.taken + n).min(self.filled);
        if self.taken == self.filled {
            (self.filled, self.taken) = (0, 0);
        }
    }

    /// Queues bytes. They are written at the latest in the next turn, when the owner's events make it call
    /// [`Channel::flush`].
    pub fn send(&mut self, r: &mut Reactor, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.queued == 0 {
            r.write_soon(self.stream.key);
        }
        self.queued += bytes.len();
        match self.output.back_mut() {
            Some(last) if last.len() + bytes.len() <= Self::CHUNK => last.extend_from_slice(bytes),
            _ => self.output.push_back(bytes.to_vec()),
        }
    }

    /// Writes what the peer takes.
    pub fn flush(&mut self, r: &mut Reactor) -> io::Result<()> {
        if !self.stream.is_connected() {
            return Ok(());
        }
        if self.queued > 0 {
            r.written(self.stream.key);
        }
        while self.queued > 0 {
            let mut parts = [IoSlice::new(&[]); Self::VECTORS];
            let mut n = 0;
            for (part, chunk) in parts.iter_mut().zip(&self.output) {
                *part = IoSlice::new(if n == 0 { &chunk[self.written..] } else { chunk });
                n += 1;
            }
            match self.stream.write(&parts[..n]) {
                Ok(written) => self.advance(written),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if errno::is_again(&e) => break,
                Err(e) => return Err(e),
            }
        }
        if let Sock::Tls(session) = &mut self.stream.sock {
            session.push()?;
        }
        self.watch(r)
    }

    /// Bytes queued and not yet taken by the kernel.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes written and read since the beginning.
    pub fn traffic(&self) -> (u64, u64) {
        (self.sent, self.received)
    }

    /// Stops reading (the peer will feel it), or goes on.
    pub fn pause(&mut self, r: &Reactor, paused: bool) -> io::Result<()> {
        if self.paused == paused {
            return Ok(());
        }
        self.paused = paused;
        self.watch(r)
    }

    fn advance(&mut self, mut n: usize) {
        self.sent += n as u64;
        self.queued -= n;
        while let Some(first) = self.output.front() {
            let rest = first.len() - self.written;
            if n < rest {
                self.written += n;
                return;
            }
            n -= rest;
            self.written = 0;
            self.output.pop_front();
        }
    }

    fn watch(&mut self, r: &Reactor) -> io::Result<()> {
        if !self.stream.is_connected() {
            return Ok(());
        }
        let encrypted = matches!(&self.stream.sock, Sock::Tls(s) if s.wants_write());
        self.stream.watch(r, Interest { read: !self.paused, write: self.queued > 0 || encrypted })
    }
}

enum ListenSock {
    /// The flag: TLS.
    Tcp(TcpListener, bool),
    Unix(UnixListener, PathBuf),
    /// There is none: a tape is played. The port that it had.
    Taped(u16),
}

impl ListenSock {
    fn port(&self) -> Option<u16> {
        match self {
            ListenSock::Tcp(s, _) => s.local_addr().ok().map(|a| a.port()),
            ListenSock::Taped(port) => Some(*port).filter(|p| *p != 0),
            ListenSock::Unix(..) => None,
        }
    }
}

/// A socket that waits for connections.
pub struct Listener {
    name: String,
    key: Key,
    sock: ListenSock,
    dscp: Option<u8>,
    resting: bool,
    track: Option<Track>,
}

impl Listener {
    /// Permissions of a socket in the file system, before the umask.
    const MODE: u32 = 0o770;
    /// How long to wait with accepting when the process has too many files open.
    const REST: Duration = Duration::from_secs(1);

    /// Listens at `name` (`ptcp:[PORT][:IP]`, `pssl:[PORT][:IP]`, `punix:FILE`). The key's timer belongs to the listener.
    pub fn open(r: &Reactor, key: Key, name: &str, options: Options) -> io::Result<Listener> {
        let mut track = r.track(name)?;
        let sock = match track.as_mut().filter(|t| t.plays()) {
            Some(track) => {
                let mut port = [0; 2];
                track.read(&mut port)?;
                Ok(ListenSock::Taped(u16::from_le_bytes(port)))
            }
            None => Self::listen(r, name, options),
        };
        if let Some(track) = &mut track {
            match &sock {
                Ok(sock) => track.note(Ok(&sock.port().unwrap_or(0).to_le_bytes())),
                Err(e) => track.note(Err(e)),
            }
        }
        let l =
            Listener { name: name.to_string(), key, sock: sock?, dscp: options.dscp, resting: false, track };
        if let Some(fd) = l.fd() {
            r.add(fd, key, Interest::READ)?;
        }
        Ok(l)
    }

    fn listen(r: &Reactor, name: &str, options: Options) -> io::Result<ListenSock> {
        let log = r.log();
        Ok(match target::passive(name, options.service, r.rundir(), log)? {
            Passive::Tcp(at) => {
                let text = name.split_once(':').map_or(name, |(_, rest)| rest);
                let socket = socket::tcp_listen(at, options.dscp)
                    .inspect_err(|e| error!(log, "socket_util", "{text}: bind: {}", errno::text(e)))?;
                if at.port() == 0 {
                    let port = socket.local_addr()?.port();
                    info!(log, "socket_util", "{text}: listening on port {port}");
                }
                ListenSock::Tcp(socket, name.starts_with("pssl:"))
            }
            Passive::Unix(path) => {
                let socket = socket::unix_listen(&path, Self::MODE).inspect_err(|e| {
                    too_long(r, &path, e);
                    if e.kind() == io::ErrorKind::NotFound {
                        warn!(
                            log,
                            "fatal_signal",
                            "could not unlink \"{}\" ({})",
                            path.display(),
                            errno::text(e)
                        );
                    }
                    error!(log, "stream_unix", "{}: binding failed: {}", path.display(), errno::text(e));
                })?;
                ListenSock::Unix(socket, path)
            }
        })
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The TCP port it listens on.
    pub fn port(&self) -> Option<u16> {
        self.sock.port()
    }

    /// The next connection, if there is one, whose events will come under `key`.
    pub fn accept(&mut self, r: &mut Reactor, key: Key) -> io::Result<Option<Stream>> {
        if let Some(track) = self.track.as_mut().filter(|t| t.plays()) {
            return match track.next() {
                Ok(name) => {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    let track = r.track(&name)?;
                    let s = Stream::register(r, name, key, Sock::Taped, true, self.dscp)?;
                    Ok(Some(Stream { track, ..s }))
                }
                Err(e) if errno::is_again(&e) => Ok(None),
                Err(e) => Err(e),
            };
        }
        let mut stream = self.accept_live(r, key);
        if let Some(track) = &mut self.track {
            match &mut stream {
                Ok(Some(s)) => {
                    track.note(Ok(s.name.as_bytes()));
                    s.track = r.track(&s.name)?;
                }
                Ok(None) => track.note(Err(&errno::os(libc::EAGAIN))),
                Err(e) => track.note(Err(e)),
            }
        }
        stream
    }

    fn accept_live(&mut self, r: &mut Reactor, key: Key) -> io::Result<Option<Stream>> {
        if self.resting {
            self.resting = false;
            self.watch(r, true)?;
        }
        let stream = match &self.sock {
            ListenSock::Tcp(s, tls) => {
                s.accept().and_then(|(s, _)| Stream::from_tcp(r, key, s, self.dscp, *tls))
            }
            ListenSock::Unix(s, _) => s.accept().and_then(|(s, _)| {
                let name = format!("unix#{}", r.unix_peer());
                Stream::from_unix(r, key, name, s)
            }),
            ListenSock::Taped(_) => return Ok(None),
        };
        match stream {
            Ok(s) => Ok(Some(s)),
            Err(e) if errno::is_again(&e) => Ok(None),
            // The peer has gone away already.
            Err(e)
                if matches!(e.raw_os_error(), Some(libc::ECONNABORTED | libc::ENOTCONN | libc::EPROTO)) =>
            {
                r.again(self.key);
                Ok(None)
            }
            // We have no keys.
            Err(e) if e.raw_os_error() == Some(libc::ENOPROTOOPT) => {
                r.again(self.key);
                Err(e)
            }
            Err(e) => {
                self.resting = true;
                self.watch(r, false)?;
                r.set_timer(self.key, r.now() + Self::REST);
                Err(e)
            }
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.sock {
            ListenSock::Tcp(s, _) => Some(s.as_fd()),
            ListenSock::Unix(s, _) => Some(s.as_fd()),
            ListenSock::Taped(_) => None,
        }
    }

    fn watch(&self, r: &Reactor, wanted: bool) -> io::Result<()> {
        let interest = if wanted { Interest::READ } else { Interest::NONE };
        self.fd().map_or(Ok(()), |fd| r.modify(fd, self.key, interest))
    }

    /// Stops listening and forgets the key's timer.
    pub fn close(self, r: &mut Reactor) {
        r.set_timer(self.key, Time::NEVER);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let ListenSock::Unix(_, path) = &self.sock {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
