//! For programs that send requests and wait for the answers: an event loop of their own, hidden.

use super::{Options, Vconn, kind, xid};
use crate::event::{Environment, Key, Reactor};
use base::Clock;
use openflow::version::Version;
use std::io;
use std::time::Duration;

/// A connection that blocks.
pub struct Client {
    reactor: Reactor,
    vconn: Vconn,
    version: Version,
}

impl Client {
    const KEY: Key = Key::new(0, 0);

    /// Connects to `name` and agrees on a version, or fails.
    pub fn connect(name: &str, options: Options, env: Environment) -> io::Result<Client> {
        let mut reactor = Reactor::new(Clock::real(), env)?;
        let mut vconn = Vconn::connect(&mut reactor, Self::KEY, name, options)?;
        loop {
            vconn.run(&mut reactor)?;
            if let Some(version) = vconn.version() {
                return Ok(Client { reactor, vconn, version });
            }
            reactor.turn(&mut Vec::new())?;
        }
    }

    /// The event loop and the connection, for programs that go on with one of their own. The connection's key is
    /// component 0, index 0.
    pub fn into_parts(self) -> (Reactor, Vconn) {
        (self.reactor, self.vconn)
    }

    /// The agreed version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The peer's name.
    pub fn name(&self) -> &str {
        self.vconn.name()
    }

    /// A transaction number not used before.
    pub fn next_xid(&mut self) -> u32 {
        self.vconn.next_xid()
    }

    /// Queues a message; writes when much is queued, so that memory stays bounded.
    pub fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        const MUCH: usize = 256 * 1024;
        self.vconn.send(&mut self.reactor, &message);
        while self.vconn.backlog() > MUCH {
            self.vconn.run(&mut self.reactor)?;
            if self.vconn.backlog() > MUCH {
                self.reactor.turn(&mut Vec::new())?;
            }
        }
        Ok(())
    }

    /// Writes all that is queued.
    pub fn flush(&mut self) -> io::Result<()> {
        loop {
            self.vconn.run(&mut self.reactor)?;
            if self.vconn.backlog() == 0 {
                return Ok(());
            }
            self.reactor.turn(&mut Vec::new())?;
        }
    }

    /// Waits for the next message.
    pub fn recv(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(m) = self.vconn.recv(&mut self.reactor)? {
                return Ok(m);
            }
            self.reactor.turn(&mut Vec::new())?;
        }
    }

    /// The next message, if one is there or comes within `limit`.
    pub fn recv_within(&mut self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        let end = self.reactor.clock().real_now() + limit;
        loop {
            if let Some(m) = self.vconn.recv(&mut self.reactor)? {
                return Ok(Some(m));
            }
            let now = self.reactor.clock().real_now();
            if now >= end {
                return Ok(None);
            }
            self.reactor.turn_within(end.since(now), &mut Vec::new())?;
        }
    }

    /// Sends a request and waits for the message with the same transaction number. Probes are answered meanwhile; other
    /// messages go to `other`.
    pub fn transact(&mut self, request: Vec<u8>, mut other: impl FnMut(Vec<u8>)) -> io::Result<Vec<u8>> {
        let wanted = xid(&request);
        self.send(request)?;
        loop {
            let m = self.recv()?;
            if m[1] == kind::ECHO_REQUEST {
                self.send(super::echo_reply(&m))?;
            } else if xid(&m) == wanted {
                return Ok(m);
            } else {
                other(m);
            }
        }
    }
}
