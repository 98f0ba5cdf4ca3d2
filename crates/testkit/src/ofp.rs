//! An OpenFlow 1.3 controller, encoded by hand from the specification: it shares nothing with the codec that it tests.

use base::Mac;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;
use sys::netns::NetNs;

/// Protocol version 1.3 on the wire.
pub const VERSION: u8 = 4;

/// Message types of OpenFlow 1.3 (section A.1).
pub mod kind {
    #![allow(missing_docs, reason = "the names are the specification's")]
    pub const HELLO: u8 = 0;
    pub const ERROR: u8 = 1;
    pub const ECHO_REQUEST: u8 = 2;
    pub const ECHO_REPLY: u8 = 3;
    pub const FEATURES_REQUEST: u8 = 5;
    pub const FEATURES_REPLY: u8 = 6;
    pub const SET_CONFIG: u8 = 9;
    pub const PACKET_IN: u8 = 10;
    pub const FLOW_REMOVED: u8 = 11;
    pub const PORT_STATUS: u8 = 12;
    pub const PACKET_OUT: u8 = 13;
    pub const FLOW_MOD: u8 = 14;
    pub const MULTIPART_REQUEST: u8 = 18;
    pub const MULTIPART_REPLY: u8 = 19;
    pub const BARRIER_REQUEST: u8 = 20;
    pub const BARRIER_REPLY: u8 = 21;
    pub const ROLE_REQUEST: u8 = 24;
    pub const ROLE_REPLY: u8 = 25;
}

/// Reserved ports.
pub const LOCAL: u32 = 0xffff_fffe;
/// To the controller.
pub const CONTROLLER: u32 = 0xffff_fffd;
/// As a switch would.
pub const NORMAL: u32 = 0xffff_fffa;
/// Back where it came from.
pub const IN_PORT: u32 = 0xffff_fff8;
/// Everywhere but where it came from.
pub const FLOOD: u32 = 0xffff_fffb;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Transaction.
    pub xid: u32,
    /// What follows the header.
    pub body: Vec<u8>,
}

/// Where switches connect to.
#[derive(Debug)]
pub struct Controller {
    listener: TcpListener,
    /// What to tell the switch: `tcp:ADDRESS:PORT`.
    pub target: String,
}

impl Controller {
    /// Listens on a namespace's loopback address, at `port` or any.
    pub fn listen(ns: &NetNs, port: u16) -> io::Result<Controller> {
        Controller::listen_at(ns, Ipv4Addr::LOCALHOST, port)
    }

    /// Listens on an address of a namespace, at `port` or any.
    pub fn listen_at(ns: &NetNs, ip: Ipv4Addr, port: u16) -> io::Result<Controller> {
        let listener = ns.run(|| TcpListener::bind((ip, port)))??;
        listener.set_nonblocking(true)?;
        let target = format!("tcp:{}", listener.local_addr()?);
        Ok(Controller { listener, target })
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.target.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or(0)
    }

    /// Waits for a switch and greets it.
    #[track_caller]
    pub fn accept(&self) -> Connection {
        // An attempt that the switch has given up meanwhile does not count.
        let greeted = || Connection::greet(self.listener.accept().ok()?.0).ok();
        crate::wait_for("the switch to connect", greeted)
    }

    /// Waits for somebody who is no switch, until they have gone: what they said.
    #[track_caller]
    pub fn visitor(&self) -> io::Result<Vec<u8>> {
        let (mut stream, _) = crate::wait_for("a visitor", || self.listener.accept().ok());
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(crate::wait::LIMIT))?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said)?;
        Ok(said)
    }
}

/// A connection to a switch.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    seen: Vec<u8>,
    xid: u32,
    /// The switch's datapath id.
    pub datapath: u64,
    /// All messages so far: whether the switch sent it, and its bytes.
    pub record: Vec<(bool, Vec<u8>)>,
}

impl Connection {
    fn greet(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        let mut c = Connection { stream, seen: Vec::new(), xid: 0, datapath: 0, record: Vec::new() };
        // A hello with a bitmap of versions: 1.3 only.
        c.send(kind::HELLO, &[0, 1, 0, 8, 0, 0, 0, 1 << VERSION])?;
        c.expect(kind::HELLO)?;
        c.send(kind::FEATURES_REQUEST, &[])?;
        let features = c.expect(kind::FEATURES_REPLY)?;
        c.datapath = u64_at(&features.body, 0);
        // Whole packets.
        c.send(kind::SET_CONFIG, &[0, 0, 0xff, 0xff])?;
        Ok(c)
    }

    /// Sends a message: its transaction.
    pub fn send(&mut self, kind: u8, body: &[u8]) -> io::Result<u32> {
        self.xid += 1;
        self.send_as(kind, self.xid, body)?;
        Ok(self.xid)
    }

    fn send_as(&mut self, kind: u8, xid: u32, body: &[u8]) -> io::Result<()> {
        let mut m = vec![VERSION, kind];
        m.extend(((8 + body.len()) as u16).to_be_bytes());
        m.extend(xid.to_be_bytes());
        m.extend(body);
        self.stream.write_all(&m)?;
        self.record.push((false, m));
        Ok(())
    }

    /// The next message that is not an echo (which is answered); `None` when none comes in time.
    pub fn receive(&mut self, patience: Duration) -> io::Result<Option<Frame>> {
        let clock = base::Clock::real();
        let end = clock.now() + patience;
        let mut buf = [0; 65536];
        loop {
            if let Some(frame) = self.take() {
                if frame.kind == kind::ECHO_REQUEST {
                    self.send_as(kind::ECHO_REPLY, frame.xid, &frame.body)?;
                    continue;
                }
                return Ok(Some(frame));
            }
            let left = end.since(clock.now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buf) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.seen.extend_from_slice(&buf[..n]),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let h = self.seen.get(..8)?;
        let len = usize::from(u16_at(h, 2));
        assert!(len >= 8, "a message shorter than its header");
        let m: Vec<u8> = self.seen.get(..len)?.to_vec();
        self.seen.drain(..len);
        let frame = Frame { kind: m[1], xid: u32_at(&m, 4), body: m[8..].to_vec() };
        self.record.push((true, m));
        Some(frame)
    }

    /// Waits for a message of a kind; others are lost.
    pub fn expect(&mut self, kind: u8) -> io::Result<Frame> {
        loop {
            match self.receive(crate::wait::LIMIT)? {
                Some(f) if f.kind == kind => return Ok(f),
                Some(f) if f.kind == kind::ERROR => {
                    return Err(io::Error::other(format!("error {:?} while waiting for {kind}", f.body)));
                }
                Some(_) => {}
                None => return Err(io::Error::other(format!("no message of type {kind}"))),
            }
        }
    }

    /// Waits until the switch has done all it was told.
    pub fn barrier(&mut self) -> io::Result<()> {
        let xid = self.send(kind::BARRIER_REQUEST, &[])?;
        loop {
            let f = self.expect(kind::BARRIER_REPLY)?;
            if f.xid == xid {
                return Ok(());
            }
        }
    }
}

/// A match, as OXM fields in the order they are added.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Match(Vec<u8>);

impl Match {
    /// Matches everything.
    pub fn any() -> Match {
        Match::default()
    }

    /// Adds a field of the OpenFlow basic class by its number.
    #[must_use]
    pub fn field(mut self, number: u8, value: &[u8]) -> Match {
        self.0.extend(oxm(number, value));
        self
    }

    /// Where the packet came in.
    #[must_use]
    pub fn in_port(self, port: u32) -> Match {
        self.field(0, &port.to_be_bytes())
    }

    /// A TCP connection's direction.
    #[must_use]
    pub fn tcp(self, src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16)) -> Match {
        self.field(5, &[8, 0])
            .field(10, &[6])
            .field(11, &src.0.octets())
            .field(12, &dst.0.octets())
            .field(13, &src.1.to_be_bytes())
            .field(14, &dst.1.to_be_bytes())
    }

    fn encode(&self) -> Vec<u8> {
        let mut m = vec![0, 1];
        m.extend(((4 + self.0.len()) as u16).to_be_bytes());
        m.extend(&self.0);
        m.resize(m.len().next_multiple_of(8), 0);
        m
    }
}

fn oxm(number: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80, 0x00, number << 1, value.len() as u8], value].concat()
}

/// The action list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actions(Vec<u8>);

impl Actions {
    /// No action yet: drop.
    pub fn none() -> Actions {
        Actions::default()
    }

    /// Sends it out of a port.
    #[must_use]
    pub fn output(mut self, port: u32) -> Actions {
        self.0.extend([0, 0, 0, 16]);
        self.0.extend(port.to_be_bytes());
        self.0.extend([0xff, 0xff, 0, 0, 0, 0, 0, 0]);
        self
    }

    /// Sets a field of the OpenFlow basic class by its number.
    #[must_use]
    pub fn set(mut self, number: u8, value: &[u8]) -> Actions {
        let field = oxm(number, value);
        let len = (4 + field.len()).next_multiple_of(8);
        let at = self.0.len();
        self.0.extend([0, 25]);
        self.0.extend((len as u16).to_be_bytes());
        self.0.extend(field);
        self.0.resize(at + len, 0);
        self
    }

    /// Sets the Ethernet destination.
    #[must_use]
    pub fn eth_dst(self, mac: Mac) -> Actions {
        self.set(3, &mac.0)
    }

    /// Sets the source of a TCP segment.
    #[must_use]
    pub fn tcp_src(self, ip: Ipv4Addr, port: u16) -> Actions {
        self.set(11, &ip.octets()).set(13, &port.to_be_bytes())
    }

    /// Sets the destination of a TCP segment.
    #[must_use]
    pub fn tcp_dst(self, ip: Ipv4Addr, port: u16) -> Actions {
        self.set(12, &ip.octets()).set(14, &port.to_be_bytes())
    }
}

/// A flow to be added.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Table.
    pub table: u8,
    /// Priority.
    pub priority: u16,
    /// Cookie.
    pub cookie: u64,
    /// Seconds without a packet after which it goes; 0 for never.
    pub idle: u16,
    /// Seconds after which it goes; 0 for never.
    pub hard: u16,
    /// Whether to be told that it went.
    pub tell: bool,
    /// Match.
    pub when: Match,
    /// Actions.
    pub then: Actions,
}

impl Flow {
    /// The body of the flow-mod that adds it.
    pub fn add(&self) -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(self.cookie.to_be_bytes());
        b.extend([0; 8]);
        b.extend([self.table, 0]);
        b.extend(self.idle.to_be_bytes());
        b.extend(self.hard.to_be_bytes());
        b.extend(self.priority.to_be_bytes());
        // No buffer; any output port and group (looked at by deletions only).
        b.extend([0xff; 12]);
        b.extend(u16::from(self.tell).to_be_bytes());
        b.extend([0, 0]);
        b.extend(self.when.encode());
        if !self.then.0.is_empty() {
            b.extend([0, 4]);
            b.extend(((8 + self.then.0.len()) as u16).to_be_bytes());
            b.extend([0; 4]);
            b.extend(&self.then.0);
        }
        b
    }
}

/// The body of a packet-out that carries `packet`.
pub fn packet_out(in_port: u32, actions: &Actions, packet: &[u8]) -> Vec<u8> {
    let mut b = vec![0xff; 4];
    b.extend(in_port.to_be_bytes());
    b.extend((actions.0.len() as u16).to_be_bytes());
    b.extend([0; 6]);
    b.extend(&actions.0);
    b.extend(packet);
    b
}

/// What a packet-in says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketIn {
    /// Why.
    pub reason: u8,
    /// From which table.
    pub table: u8,
    /// Cookie of the flow.
    pub cookie: u64,
    /// Where it came in.
    pub in_port: u32,
    /// The packet.
    pub packet: Vec<u8>,
}

impl PacketIn {
    /// Reads the body of one. `None` when it is malformed or has no `in_port`.
    pub fn parse(b: &[u8]) -> Option<PacketIn> {
        if b.len() < 20 {
            return None;
        }
        let len = usize::from(u16_at(b, 18));
        let mut fields = b.get(20..16 + len)?;
        let packet = b.get(16 + len.next_multiple_of(8) + 2..)?.to_vec();
        let mut in_port = None;
        while fields.len() >= 4 {
            let n = usize::from(fields[3]);
            if fields[..3] == [0x80, 0, 0] && n == 4 && fields.len() >= 8 {
                in_port = Some(u32_at(fields, 4));
            }
            fields = fields.get(4 + n..)?;
        }
        Some(PacketIn { reason: b[6], table: b[7], cookie: u64_at(b, 8), in_port: in_port?, packet })
    }

    /// The TCP connection that the packet, plain IPv4, is of: source and destination.
    pub fn tcp(&self) -> Option<((Ipv4Addr, u16), (Ipv4Addr, u16))> {
        let p = &self.packet;
        if p.get(12..14)? != [8, 0] || *p.get(23)? != 6 {
            return None;
        }
        let l4 = 14 + usize::from(p[14] & 15) * 4;
        let ip = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(p.get(at..at + 4)?).ok()?));
        p.get(l4..l4 + 4)?;
        Some(((ip(26)?, u16_at(p, l4)), (ip(30)?, u16_at(p, l4 + 2))))
    }
}

/// What a flow-removed says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowRemoved {
    /// Cookie.
    pub cookie: u64,
    /// Priority.
    pub priority: u16,
    /// 0 idle, 1 hard, 2 deleted.
    pub reason: u8,
    /// Idle timeout that it had.
    pub idle: u16,
    /// Packets that it saw.
    pub packets: u64,
    /// And their bytes.
    pub bytes: u64,
}

impl FlowRemoved {
    /// Reads the body of one.
    pub fn parse(b: &[u8]) -> Option<FlowRemoved> {
        if b.len() < 48 {
            return None;
        }
        Some(FlowRemoved {
            cookie: u64_at(b, 0),
            priority: u16_at(b, 8),
            reason: b[10],
            idle: u16_at(b, 20),
            packets: u64_at(b, 24),
            bytes: u64_at(b, 32),
        })
    }
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) << 32 | u64::from(u32_at(b, at + 4))
}
