//! For programs that send a request and wait for the answer: an event loop of their own, hidden.

use super::{Connection, Message};
use crate::event::{Environment, Key, Reactor};
use crate::stream::{Listener, Options};
use base::Clock;
use ovsdb::json::Value;
use std::io;

/// What became of a request.
#[derive(Debug)]
pub enum Failure {
    /// The connection failed.
    Io(io::Error),
    /// The server refused, with this error.
    Refused(Value),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Failure::Io(e)
    }
}

/// A connection that blocks.
pub struct Client {
    reactor: Reactor,
    conn: Connection,
    next_id: i64,
}

impl Client {
    const KEY: Key = Key::new(0, 0);

    /// Connects to `name` and waits until that has succeeded or failed. For a passive name (`punix:FILE`), waits
    /// for somebody to connect.
    pub fn connect(name: &str, env: Environment) -> io::Result<Client> {
        let mut reactor = Reactor::new(Clock::real(), env)?;
        if ["ptcp:", "punix:", "pssl:"].iter().any(|p| name.starts_with(p)) {
            return Client::accept(name, reactor);
        }
        let conn = Connection::connect(&mut reactor, Self::KEY, name)?;
        let mut client = Client { reactor, conn, next_id: 0 };
        while !client.conn.channel_mut().poll_connect(&mut client.reactor)? {
            client.wait()?;
        }
        Ok(client)
    }

    fn accept(name: &str, mut reactor: Reactor) -> io::Result<Client> {
        let mut listener = Listener::open(&reactor, Key::new(0, 1), name, Options::OVSDB)?;
        loop {
            if let Some(stream) = listener.accept(&mut reactor, Self::KEY)? {
                return Ok(Client { reactor, conn: Connection::new(stream), next_id: 0 });
            }
            reactor.turn(&mut Vec::new())?;
        }
    }

    /// Queues a request and returns its id.
    pub fn send_request(&mut self, method: &str, params: Vec<Value>) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&Message::request(id, method, params));
        Value::Integer(id)
    }

    /// Queues a message.
    pub fn send(&mut self, message: &Message) {
        self.conn.send(&mut self.reactor, message);
    }

    /// Waits for the next message of whatever kind.
    pub fn recv(&mut self) -> io::Result<Message> {
        loop {
            self.conn.flush(&mut self.reactor)?;
            if let Some(m) = self.conn.recv(&self.reactor)? {
                return Ok(m);
            }
            if !self.conn.has_input() {
                self.wait()?;
            }
        }
    }

    /// Sends a request and waits for its answer; other messages that come meanwhile are lost, except that probes
    /// are answered.
    pub fn transact(&mut self, method: &str, params: Vec<Value>) -> Result<Value, Failure> {
        let id = self.send_request(method, params);
        loop {
            match self.recv()? {
                Message::Reply { id: i, result } if i == id => return Ok(result),
                Message::Error { id: i, error } if i == id => return Err(Failure::Refused(error)),
                Message::Request { id, method, params } if method == "echo" => {
                    self.send(&Message::Reply { id, result: Value::Array(params) });
                }
                _ => {}
            }
        }
    }

    /// Writes all that is queued.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.conn.backlog() > 0 {
            self.conn.flush(&mut self.reactor)?;
            if self.conn.backlog() > 0 {
                self.wait()?;
            }
        }
        Ok(())
    }

    /// The peer's name.
    pub fn name(&self) -> &str {
        self.conn.name()
    }

    fn wait(&mut self) -> io::Result<()> {
        self.reactor.turn(&mut Vec::new())
    }
}
