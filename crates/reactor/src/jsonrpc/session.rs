//! A connection that lasts: made again when it breaks, probed when it is silent.

use super::{Connection, Message};
use crate::errno;
use crate::event::{Key, Reactor};
use crate::reconnect::{Action, Reconnect};
use crate::stream::{Listener, Options, Stream};
use crate::target;
use base::Time;
use ovsdb::json::Value;
use std::io;
use std::time::Duration;

/// How a session behaves.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Time without data after which to probe; zero never does. `None`: 5 s over TCP, never over unix sockets.
    pub probe_interval: Option<Duration>,
    /// The longest time between attempts.
    pub max_backoff: Duration,
    /// The DSCP of its packets.
    pub dscp: Option<u8>,
    /// Connect again and again; otherwise each target is tried once.
    pub retry: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            probe_interval: None,
            max_backoff: Reconnect::DEFAULT_MAX_BACKOFF,
            dscp: None,
            retry: true,
        }
    }
}

/// A session. All its events come under one key, except that connections of a passive one are accepted under it
/// as well. Call [`Session::run`] when the key is told, then take messages by [`Session::recv`] until there is
/// none (or call [`Reactor::again`]).
pub struct Session {
    key: Key,
    targets: Vec<String>,
    next_target: usize,
    options: SessionOptions,
    reconnect: Reconnect,
    conn: Option<Connection>,
    connecting: bool,
    listener: Option<Listener>,
    last_error: Option<io::Error>,
    next_id: i64,
}

impl Session {
    /// A session with one of several targets; the first is tried first, then the others in turn.
    pub fn new(r: &mut Reactor, key: Key, targets: &[String], options: SessionOptions) -> Session {
        let now = r.now();
        let name = targets.first().map_or("", String::as_str);
        let mut reconnect = Reconnect::new(name, r.log().clone(), now);
        reconnect.set_passive(target::is_passive(name), now);
        reconnect.set_backoff(Reconnect::DEFAULT_MIN_BACKOFF, options.max_backoff);
        if !options.retry {
            reconnect.set_max_tries(Some(targets.len() as u32));
        }
        reconnect.enable(now);
        let mut s = Session {
            key,
            targets: targets.to_vec(),
            next_target: 0,
            options,
            reconnect,
            conn: None,
            connecting: false,
            listener: None,
            last_error: None,
            next_id: 0,
        };
        s.apply_probe_interval();
        r.again(key);
        s
    }

    /// A session over a connection that a server accepted; it ends with the connection.
    pub fn accepted(r: &mut Reactor, key: Key, stream: Stream, options: SessionOptions) -> Session {
        let name = stream.name().to_string();
        let mut s = Session::new(r, key, std::slice::from_ref(&name), options);
        let now = r.now();
        s.reconnect = Reconnect::new(name, r.log().clone(), now);
        s.reconnect.set_quiet(true);
        s.reconnect.set_max_tries(Some(0));
        s.apply_probe_interval();
        s.reconnect.connected(now);
        s.conn = Some(Connection::new(stream));
        s
    }

    /// Under which its events come.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The current target, or the peer of an accepted session.
    pub fn name(&self) -> &str {
        self.reconnect.name()
    }

    /// Moves connecting and probing on, and writes what is queued.
    pub fn run(&mut self, r: &mut Reactor) {
        self.run_connection(r);
        self.run_listener(r);
        // An action may make another due at once (a refused connection, a backoff of zero), but each moves the
        // machine on: a handful of rounds settles it.
        for _ in 0..4 {
            match self.reconnect.run(r.now()) {
                None => break,
                Some(Action::Connect) => self.connect(r),
                Some(Action::Disconnect) => self.disconnect(r, None),
                Some(Action::Probe) => {
                    if let Some(c) = &mut self.conn {
                        c.send(r, &Message::probe());
                    }
                }
            }
        }
        self.flush(r);
        r.set_timer(self.key, self.reconnect.deadline());
    }

    /// The next message. Probes are answered, and answers to ours swallowed, here.
    pub fn recv(&mut self, r: &mut Reactor) -> Option<Message> {
        loop {
            if self.connecting {
                return None;
            }
            let conn = self.conn.as_mut()?;
            let before = conn.channel().traffic().1;
            let received = conn.recv(r);
            let now = r.now();
            if conn.channel().traffic().1 > before {
                self.reconnect.activity(now);
            }
            match received {
                Ok(Some(Message::Request { id, method, params })) if method == "echo" => {
                    conn.send(r, &Message::Reply { id, result: Value::Array(params) });
                }
                Ok(Some(Message::Reply { id, .. } | Message::Error { id, .. }))
                    if id.as_str() == Some("echo") => {}
                Ok(Some(m)) => return Some(m),
                Ok(None) => {
                    self.reconnect.receive_attempted(now);
                    return None;
                }
                Err(e) => {
                    self.disconnect(r, Some(e));
                    return None;
                }
            }
        }
    }

    /// Queues a message; lost without a connection.
    pub fn send(&mut self, r: &mut Reactor, message: &Message) {
        if let (Some(c), false) = (&mut self.conn, self.connecting) {
            c.send(r, message);
        }
    }

    /// Queues a request and returns its id.
    pub fn request(&mut self, r: &mut Reactor, method: &str, params: Vec<Value>) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(r, &Message::request(id, method, params));
        id
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.conn.is_some() && !self.connecting
    }

    /// Whether there is a connection or may be one again.
    pub fn is_alive(&self) -> bool {
        self.conn.is_some() || self.listener.is_some() || self.reconnect.is_enabled()
    }

    /// Grows whenever a connection comes or goes.
    pub fn seqno(&self) -> u64 {
        self.reconnect.stats().seqno
    }

    /// Why the last connection ended; one that did not come about is told by the state alone.
    pub fn last_error(&self) -> Option<&io::Error> {
        self.last_error.as_ref()
    }

    /// The reconnect machine, for status columns.
    pub fn reconnect(&self) -> &Reconnect {
        &self.reconnect
    }

    /// The connection, if there is one.
    pub fn connection(&self) -> Option<&Connection> {
        if self.connecting { None } else { self.conn.as_ref() }
    }

    /// The connection, if there is one, to pause reading.
    pub fn connection_mut(&mut self) -> Option<&mut Connection> {
        if self.connecting { None } else { self.conn.as_mut() }
    }

    /// Bytes queued that the peer has not taken.
    pub fn backlog(&self) -> usize {
        self.conn.as_ref().map_or(0, Connection::backlog)
    }

    /// Sets the probe interval; zero never probes.
    pub fn set_probe_interval(&mut self, r: &mut Reactor, interval: Option<Duration>) {
        self.options.probe_interval = interval;
        self.apply_probe_interval();
        r.set_timer(self.key, self.reconnect.deadline());
    }

    /// Sets the longest time between attempts.
    pub fn set_max_backoff(&mut self, max: Duration) {
        self.options.max_backoff = max;
        self.reconnect.set_backoff(Reconnect::DEFAULT_MIN_BACKOFF, max);
    }

    /// Replaces the targets; a connection to one that stays is kept.
    pub fn set_targets(&mut self, r: &mut Reactor, targets: &[String]) {
        let kept = targets.iter().position(|t| t == self.reconnect.name());
        self.targets = targets.to_vec();
        match kept {
            Some(i) => self.next_target = i + 1,
            None => {
                self.next_target = 0;
                self.force_reconnect(r);
            }
        }
    }

    /// Closes the connection and makes it anew, with the next target if there are several.
    pub fn force_reconnect(&mut self, r: &mut Reactor) {
        self.reconnect.force(r.now());
        r.again(self.key);
    }

    /// Goes on to the next target without waiting, as after finding that this one is not the cluster's leader.
    pub fn next_target(&mut self, r: &mut Reactor) {
        self.force_reconnect(r);
        self.reconnect.skip_backoff();
    }

    /// Closes the connection for good, writing first what the kernel takes at once.
    pub fn close(mut self, r: &mut Reactor) {
        self.flush(r);
        self.reconnect.disable(r.now());
        r.set_timer(self.key, Time::NEVER);
    }

    fn run_connection(&mut self, r: &mut Reactor) {
        let Some(conn) = &mut self.conn else { return };
        if !self.connecting {
            return;
        }
        match conn.channel_mut().poll_connect(r) {
            Ok(true) => {
                self.connecting = false;
                self.last_error = None;
                self.reconnect.connected(r.now());
            }
            Ok(false) => {}
            Err(e) => {
                self.conn = None;
                self.connecting = false;
                self.reconnect.connect_failed(r.now(), Some(&e));
            }
        }
    }

    fn run_listener(&mut self, r: &mut Reactor) {
        let Some(listener) = &mut self.listener else { return };
        match listener.accept(r, self.key) {
            Ok(Some(stream)) => {
                self.reconnect.connected(r.now());
                self.conn = Some(Connection::new(stream));
                self.listener = None;
            }
            Ok(None) => {}
            Err(e) => {
                self.listener = None;
                self.reconnect.listen_failed(r.now(), &e);
            }
        }
    }

    fn connect(&mut self, r: &mut Reactor) {
        self.conn = None;
        self.listener = None;
        if self.targets.is_empty() {
            self.reconnect.disable(r.now());
            return;
        }
        let name = self.targets[self.next_target % self.targets.len()].clone();
        self.next_target = (self.next_target + 1) % self.targets.len();
        self.reconnect.set_name(name.clone());
        self.reconnect.set_passive(target::is_passive(&name), r.now());
        self.apply_probe_interval();
        let options = Options { dscp: self.options.dscp, ..Options::OVSDB };
        let now = r.now();
        if target::is_passive(&name) {
            match Listener::open(r, self.key, &name, options) {
                Ok(l) => {
                    self.listener = Some(l);
                    self.reconnect.listening(now);
                }
                Err(e) => self.reconnect.connect_failed(now, Some(&e)),
            }
            return;
        }
        self.reconnect.connecting(now);
        match Stream::connect(r, self.key, &name, options) {
            Ok(stream) => {
                self.connecting = true;
                self.conn = Some(Connection::new(stream));
                self.run_connection(r);
            }
            Err(e) => self.reconnect.connect_failed(now, Some(&e)),
        }
    }

    fn disconnect(&mut self, r: &mut Reactor, error: Option<io::Error>) {
        self.conn = None;
        self.listener = None;
        self.connecting = false;
        self.reconnect.disconnected(r.now(), error.as_ref());
        self.last_error = Some(error.unwrap_or_else(|| errno::os(libc::ETIMEDOUT)));
        // Whoever waits for messages has to notice.
        r.again(self.key);
    }

    fn flush(&mut self, r: &mut Reactor) {
        if let (Some(c), false) = (&mut self.conn, self.connecting)
            && let Err(e) = c.flush(r)
        {
            self.disconnect(r, Some(e));
        }
    }

    fn apply_probe_interval(&mut self) {
        let by_kind = if target::needs_probes(self.reconnect.name()) {
            Reconnect::DEFAULT_PROBE
        } else {
            Duration::ZERO
        };
        self.reconnect.set_probe_interval(self.options.probe_interval.unwrap_or(by_kind));
    }
}
