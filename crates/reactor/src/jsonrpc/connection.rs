//! Messages over one channel.

use super::Message;
use crate::errno;
use crate::event::{Key, Reactor};
use crate::stream::{Channel, Options, Stream};
use base::log::RateLimit;
use base::{Level, debug};
use ovsdb::json::{Parser, Value};
use std::io;

const MODULE: &str = "jsonrpc";

/// A connection that carries JSON-RPC.
pub struct Connection {
    channel: Channel,
    parser: Parser,
    /// Bytes of the message that is being read.
    length: usize,
    limit: usize,
    failed: bool,
    backlog_logged: bool,
    warnings: RateLimit,
}

impl Connection {
    /// The longest message that is taken unless said otherwise.
    pub const DEFAULT_LIMIT: usize = 1 << 30;

    /// Over a stream.
    pub fn new(stream: Stream) -> Connection {
        Connection {
            channel: Channel::new(stream),
            parser: Parser::new(),
            length: 0,
            limit: Self::DEFAULT_LIMIT,
            failed: false,
            backlog_logged: false,
            warnings: RateLimit::new(5, 5),
        }
    }

    /// Begins a connection.
    pub fn connect(r: &mut Reactor, key: Key, name: &str) -> io::Result<Connection> {
        Ok(Connection::new(Stream::connect(r, key, name, Options::OVSDB)?))
    }

    /// Takes no message longer than this many bytes.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// The channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The channel, to pause it or to go on connecting.
    pub fn channel_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// The peer's name.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// Bytes that the peer has not taken yet.
    pub fn backlog(&self) -> usize {
        self.channel.queued()
    }

    /// Queues a message.
    pub fn send(&mut self, r: &mut Reactor, message: &Message) {
        if self.failed {
            return;
        }
        if r.log().enabled(MODULE, Level::Dbg) {
            let kind = if matches!(message, Message::Error { .. }) { "reply" } else { message.kind() };
            debug!(r.log(), MODULE, "{}: send {kind}{}", self.channel.name(), message.describe());
        }
        let text = message.to_text().into_bytes();
        self.channel.send(r, &text);
        self.note_backlog(r);
    }

    /// Queues a message that is text already, as when one goes to many.
    pub fn send_text(&mut self, r: &mut Reactor, text: &[u8]) {
        if !self.failed {
            self.channel.send(r, text);
            self.note_backlog(r);
        }
    }

    /// Writes what is queued.
    pub fn flush(&mut self, r: &mut Reactor) -> io::Result<()> {
        self.channel.flush(r).inspect_err(|e| {
            self.failed = true;
            let what = format_args!("{}: send error: {}", self.channel.name(), errno::text(e));
            r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
        })
    }

    /// The next message, if there is a whole one. After an error there will be no other.
    pub fn recv(&mut self, r: &Reactor) -> io::Result<Option<Message>> {
        if self.failed {
            return Err(errno::protocol());
        }
        let result = self.parse(r);
        self.failed |= result.is_err();
        result
    }

    /// Whether bytes wait that have been read from the channel already.
    pub fn has_input(&self) -> bool {
        !self.channel.input().is_empty()
    }

    fn parse(&mut self, r: &Reactor) -> io::Result<Option<Message>> {
        let mut filled = false;
        loop {
            if self.channel.input().is_empty() {
                // One read per call: others want their turn, and the event comes again.
                if filled || !self.fill(r)? {
                    return Ok(None);
                }
                filled = true;
            }
            let used = self.parser.feed(self.channel.input());
            self.channel.consume(used);
            self.length += used;
            if self.length > self.limit {
                return Err(
                    self.bad(r, format!("error parsing stream: message longer than {} bytes", self.limit))
                );
            }
            if self.parser.is_done() {
                self.length = 0;
                let done = self.parser.take();
                let value = done.map_err(|e| self.bad(r, format!("error parsing stream: {e}")))?;
                return self.message(r, value).map(Some);
            }
        }
    }

    fn fill(&mut self, r: &Reactor) -> io::Result<bool> {
        self.channel.fill().inspect_err(|e| {
            if !errno::is_eof(e) {
                let what = format_args!("{}: receive error: {}", self.channel.name(), errno::text(e));
                r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
            }
        })
    }

    fn message(&self, r: &Reactor, value: Value) -> io::Result<Message> {
        let m = Message::from_json(value)
            .map_err(|e| self.bad(r, format!("received bad JSON-RPC message: {e}")))?;
        if r.log().enabled(MODULE, Level::Dbg) {
            debug!(r.log(), MODULE, "{}: received {}{}", self.channel.name(), m.kind(), m.describe());
        }
        Ok(m)
    }

    fn bad(&self, r: &Reactor, what: String) -> io::Error {
        let what = format_args!("{}: {what}", self.channel.name());
        r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
        errno::protocol()
    }

    fn note_backlog(&mut self, r: &Reactor) {
        const MUCH: usize = 50 * 1024 * 1024;
        let queued = self.channel.queued();
        if queued >= MUCH && !self.backlog_logged {
            self.backlog_logged = true;
            base::info!(
                r.log(),
                MODULE,
                "excessive sending backlog, jsonrpc: {}, num of bytes: {queued}",
                self.name()
            );
        } else if queued < MUCH / 2 {
            self.backlog_logged = false;
        }
    }
}
