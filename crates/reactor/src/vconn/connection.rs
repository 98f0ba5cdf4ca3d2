//! One OpenFlow connection.

use super::{HEADER_LEN, hello, kind};
use crate::errno;
use crate::event::{Key, Reactor};
use crate::stream::{self, Channel, Stream};
use crate::target::Service;
use base::log::RateLimit;
use base::{Level, debug, error};
use openflow::version::{Version, VersionSet};
use std::collections::VecDeque;
use std::io;

const MODULE: &str = "vconn";

/// Puts a message into words, for debug records.
pub type Describe = fn(&[u8]) -> String;

/// What a connection is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The versions that are allowed.
    pub versions: VersionSet,
    /// The DSCP of its packets.
    pub dscp: Option<u8>,
    /// For debug records of each message.
    pub describe: Option<Describe>,
    /// Whether messages of other versions than the agreed one are taken, too: who listens in hears whatever others
    /// speak.
    pub any_version: bool,
    /// The transaction number of the hello: those of its own go on from there.
    pub xid: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { versions: VersionSet::ALL, dscp: None, describe: None, any_version: false, xid: 1 }
    }
}

impl Options {
    /// As streams have it.
    pub fn stream(&self) -> stream::Options {
        stream::Options { service: Service::OpenFlow, dscp: self.dscp }
    }
}

enum State {
    Connecting,
    /// Our hello is sent.
    Hello,
    Open(Version),
    /// The peer has nothing in common with us; it is being told.
    Refused,
    Failed,
}

/// Kinds of message whose numbers in the queue are told apart, for limits.
const CLASSES: usize = 4;

/// A connection.
pub struct Vconn {
    channel: Channel,
    options: Options,
    state: State,
    next_xid: u32,
    /// For each message that is queued: where it ends in the stream, its class and length.
    queue: VecDeque<(u64, u8, u16)>,
    queued: [(usize, usize); CLASSES],
    /// Bytes ever queued.
    end: u64,
    messages: (u64, u64),
    warnings: RateLimit,
}

impl Vconn {
    /// Begins a connection to `name`.
    pub fn connect(r: &mut Reactor, key: Key, name: &str, options: Options) -> io::Result<Vconn> {
        let stream = Stream::connect(r, key, name, options.stream())?;
        r.again(key);
        Ok(Self::new(stream, options))
    }

    /// Over a stream that a listener accepted.
    pub fn accepted(r: &mut Reactor, stream: Stream, options: Options) -> Vconn {
        r.again(stream.key());
        Self::new(stream, options)
    }

    fn new(stream: Stream, options: Options) -> Vconn {
        Vconn {
            channel: Channel::new(stream),
            options,
            state: State::Connecting,
            next_xid: options.xid,
            queue: VecDeque::new(),
            queued: [(0, 0); CLASSES],
            end: 0,
            messages: (0, 0),
            warnings: RateLimit::new(600, 600),
        }
    }

    /// The name it was opened by, or that of its peer.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// Under which its events come.
    pub fn key(&self) -> Key {
        self.channel.stream().key()
    }

    /// The stream.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The agreed version: `None` until the hellos are exchanged.
    pub fn version(&self) -> Option<Version> {
        match self.state {
            State::Open(v) => Some(v),
            _ => None,
        }
    }

    /// A transaction number not used before on this connection.
    pub fn next_xid(&mut self) -> u32 {
        let xid = self.next_xid;
        self.next_xid = self.next_xid.wrapping_add(1).max(1);
        xid
    }

    /// Messages sent (queued) and received.
    pub fn messages(&self) -> (u64, u64) {
        self.messages
    }

    /// Connects, exchanges hellos, writes what is queued. After an error there is nothing more to do with it.
    pub fn run(&mut self, r: &mut Reactor) -> io::Result<()> {
        let result = self.step(r);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// Writes what is queued, as far as the peer takes it.
    pub fn flush(&mut self, r: &mut Reactor) -> io::Result<()> {
        let flushed = self.channel.flush(r);
        self.settle();
        flushed
    }

    /// The next message, if there is a whole one and the version is agreed.
    pub fn recv(&mut self, r: &mut Reactor) -> io::Result<Option<Vec<u8>>> {
        // Answers to messages that have come together go out together.
        if self.version().is_none() || !self.has_message() {
            self.run(r)?;
        }
        if self.version().is_none() {
            return Ok(None);
        }
        loop {
            let m = self.read(r).inspect_err(|_| self.state = State::Failed)?;
            if let Some(m) = &m {
                self.messages.1 += 1;
                self.note(r, "received:", m);
                if self.refuse(r, m) {
                    continue;
                }
            }
            return Ok(m);
        }
    }

    /// Answers a message of another version than the agreed one. What belongs to the connection itself is taken in
    /// any.
    fn refuse(&mut self, r: &mut Reactor, m: &[u8]) -> bool {
        let Some(version) = self.version() else { return false };
        let own = [kind::HELLO, kind::ERROR, kind::ECHO_REQUEST, kind::ECHO_REPLY].contains(&m[1]);
        if own || self.options.any_version || m[0] == version.wire() {
            return false;
        }
        let what = format_args!(
            "{}: received OpenFlow version 0x{:02x} != expected {:02x}",
            self.name(),
            m[0],
            version.wire()
        );
        r.log().write_limited(&self.warnings, MODULE, Level::Err, what);
        // OFPET_BAD_REQUEST, OFPBRC_BAD_VERSION, and what it is about.
        let about = &m[..m.len().min(usize::from(u16::MAX) - HEADER_LEN - 4)];
        let mut error = super::bare(m[0], kind::ERROR, super::xid(m).unwrap_or(0));
        error.extend_from_slice(&[0, 1, 0, 0]);
        error.extend_from_slice(about);
        let len = (error.len() as u16).to_be_bytes();
        error[2..4].copy_from_slice(&len);
        self.send(r, &error);
        true
    }

    /// Queues a message.
    pub fn send(&mut self, r: &mut Reactor, message: &[u8]) {
        self.send_class(r, message, 0);
    }

    /// Queues a message of a class (below 4), which [`Vconn::queued`] counts by itself.
    pub fn send_class(&mut self, r: &mut Reactor, message: &[u8], class: u8) {
        if message.is_empty() {
            return;
        }
        self.note(r, "sent (Success):", message);
        self.messages.0 += 1;
        let class = class.min(CLASSES as u8 - 1);
        self.end += message.len() as u64;
        let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
        self.queue.push_back((self.end, class, len));
        let q = &mut self.queued[class as usize];
        *q = (q.0 + 1, q.1 + len as usize);
        self.channel.send(r, message);
    }

    /// Messages and bytes of a class that the peer has not taken.
    pub fn queued(&self, class: u8) -> (usize, usize) {
        self.queued.get(class as usize).copied().unwrap_or_default()
    }

    /// Bytes that the peer has not taken.
    pub fn backlog(&self) -> usize {
        self.channel.queued()
    }

    /// Stops reading, or goes on: back-pressure.
    pub fn pause(&mut self, r: &Reactor, paused: bool) -> io::Result<()> {
        self.channel.pause(r, paused)
    }

    fn step(&mut self, r: &mut Reactor) -> io::Result<()> {
        if let State::Connecting = self.state {
            if !self.channel.poll_connect(r)? {
                return Ok(());
            }
            let hello = hello::encode(self.options.versions, self.next_xid());
            self.send(r, &hello);
            self.state = State::Hello;
        }
        if let State::Hello = self.state
            && let Some(m) = self.read(r)?
        {
            self.note(r, "received:", &m);
            self.negotiate(r, &m)?;
        }
        let flushed = self.channel.flush(r);
        self.settle();
        match self.state {
            // Whether the peer was told or has gone before: that we have no version in common is the error.
            State::Refused | State::Failed => Err(errno::protocol()),
            _ => flushed,
        }
    }

    fn negotiate(&mut self, r: &mut Reactor, m: &[u8]) -> io::Result<()> {
        let ours = self.options.versions;
        let Some(theirs) = hello::decode(m) else {
            let what = match self.options.describe {
                Some(describe) => describe(m),
                None => format!("message of type {} and version {}", m[1], m[0]),
            };
            let what = format_args!("{}: received message while expecting hello: {what}", self.name());
            r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
            return Err(errno::protocol());
        };
        let words = format!(
            "(we support {}, peer supports {})",
            hello::describe(ours.0),
            hello::describe(theirs.versions)
        );
        match hello::choose(ours, &theirs) {
            Some(v) => {
                debug!(
                    r.log(),
                    MODULE,
                    "{}: negotiated OpenFlow version 0x{:02x} {words}",
                    self.name(),
                    v.wire()
                );
                self.state = State::Open(v);
            }
            None => {
                let what = format_args!("{}: version negotiation failed {words}", self.name());
                r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
                self.send(r, &hello::refusal(ours, &theirs));
                self.state = State::Refused;
            }
        }
        Ok(())
    }

    /// Whether the next message is there already.
    fn has_message(&self) -> bool {
        let input = self.channel.input();
        input.len() >= HEADER_LEN && input.len() >= usize::from(u16::from_be_bytes([input[2], input[3]]))
    }

    /// The next whole message in the channel.
    fn read(&mut self, r: &Reactor) -> io::Result<Option<Vec<u8>>> {
        let mut filled = false;
        loop {
            let input = self.channel.input();
            if input.len() >= HEADER_LEN {
                let len = usize::from(u16::from_be_bytes([input[2], input[3]]));
                if len < HEADER_LEN {
                    error!(r.log(), "vconn_stream", "received too-short ofp_header ({len} bytes)");
                    return Err(errno::protocol());
                }
                if input.len() >= len {
                    let m = input[..len].to_vec();
                    self.channel.consume(len);
                    return Ok(Some(m));
                }
            }
            // One read per call: others want their turn, and the event comes again.
            if filled {
                return Ok(None);
            }
            match self.channel.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(e) if errno::is_eof(&e) && !self.channel.input().is_empty() => {
                    error!(r.log(), "vconn_stream", "connection dropped mid-packet");
                    return Err(errno::protocol());
                }
                Err(e) => return Err(e),
            }
            filled = true;
        }
    }

    /// Takes what was written out of the counts.
    fn settle(&mut self) {
        let written = self.channel.traffic().0;
        while let Some(&(end, class, len)) = self.queue.front()
            && end <= written
        {
            self.queue.pop_front();
            let q = &mut self.queued[class as usize];
            *q = (q.0.saturating_sub(1), q.1.saturating_sub(len as usize));
        }
    }

    fn note(&self, r: &Reactor, what: &str, m: &[u8]) {
        if let Some(describe) = self.options.describe
            && r.log().enabled(MODULE, Level::Dbg)
        {
            let words = describe(m);
            let text = format_args!("{}: {what} {}", self.name(), words.trim_end());
            r.log().write_limited(&self.warnings, MODULE, Level::Dbg, text);
        }
    }
}
