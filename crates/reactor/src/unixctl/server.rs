//! The listening side.

use super::command::{Call, Format, Reply, Token, parse_options};
use crate::errno;
use crate::event::{Event, Key, Reactor, Ready};
use crate::jsonrpc::{Connection, Message};
use crate::stream::{Listener, Options};
use base::log::RateLimit;
use base::{Level, debug};
use ovsdb::json::Value;
use std::collections::{HashMap, VecDeque};
use std::io;

const MODULE: &str = "unixctl";

struct Peer {
    conn: Connection,
    format: Format,
    /// Commands handed out and not answered: one at a time, as callers expect replies in order.
    busy: Option<Value>,
    broken: bool,
}

/// The control socket and its connections. It uses keys of one component: index 0 listens, the others are
/// connections.
pub struct Server {
    component: u16,
    listener: Option<Listener>,
    peers: HashMap<Key, Peer>,
    next_index: u64,
    calls: VecDeque<Call>,
    received: u64,
    replied: u64,
    warnings: RateLimit,
}

impl Server {
    /// A message longer than this is refused: more than a command line can hold, and little enough that whatever is
    /// in it can be kept in memory as values.
    const MESSAGE_LIMIT: usize = 4 << 20;
    /// More connections than this wait to be accepted.
    const MAX_PEERS: usize = 1000;

    /// Listens at the absolute or run-directory-relative `path`.
    pub fn listen(r: &Reactor, component: u16, path: &str) -> io::Result<Server> {
        let name = format!("punix:{path}");
        let listener = Listener::open(r, Key::new(component, 0), &name, Options::OVSDB)?;
        Ok(Server { listener: Some(listener), ..Server::closed(component) })
    }

    /// A server that listens nowhere (`--unixctl=none`).
    pub fn closed(component: u16) -> Server {
        Server {
            component,
            listener: None,
            peers: HashMap::new(),
            next_index: 1,
            calls: VecDeque::new(),
            received: 0,
            replied: 0,
            warnings: RateLimit::new(5, 5),
        }
    }

    /// Requests received and replies sent so far.
    pub fn counters(&self) -> (u64, u64) {
        (self.received, self.replied)
    }

    /// Handles an event of the server's component.
    pub fn run(&mut self, r: &mut Reactor, event: Event) {
        if event.key.component() != self.component {
            return;
        }
        if event.key.index() == 0 {
            self.accept(r);
        } else {
            if let Ready::Io { hangup: true, .. } = event.ready
                && let Some(peer) = self.peers.get_mut(&event.key)
                && peer.busy.is_some()
            {
                // Nobody waits for the reply any more.
                peer.broken = true;
            }
            self.run_peer(r, event.key);
        }
    }

    /// The next command to be run.
    pub fn next_call(&mut self) -> Option<Call> {
        self.calls.pop_front()
    }

    /// Answers a call.
    pub fn reply(&mut self, r: &mut Reactor, token: Token, result: Result<Reply, String>) {
        let Some(peer) = self.peers.get_mut(&token.connection) else { return };
        if peer.busy.as_ref() != Some(&token.id) {
            return;
        }
        peer.busy = None;
        self.replied += 1;
        let id = token.id;
        let message = match result {
            Ok(reply) => Message::Reply { id, result: encode(reply, token.format) },
            Err(text) => Message::Error { id, error: Value::string(text) },
        };
        if r.log().enabled(MODULE, Level::Dbg) {
            let (kind, body) = match &message {
                Message::Error { error, .. } => ("error", error),
                Message::Reply { result, .. } => ("success", result),
                _ => return,
            };
            debug!(r.log(), MODULE, "replying with {kind}, id={}: \"{body}\"", message_id(&message));
        }
        peer.conn.send(r, &message);
        // The next request may have been read already.
        r.again(token.connection);
    }

    /// Writes what is queued as far as the kernel takes it: before the process ends.
    pub fn flush(&mut self, r: &mut Reactor) {
        for peer in self.peers.values_mut() {
            peer.broken |= peer.conn.flush(r).is_err();
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.peers.len()
    }

    fn accept(&mut self, r: &mut Reactor) {
        while self.peers.len() < Self::MAX_PEERS {
            let Some(listener) = &mut self.listener else { return };
            let key = Key::new(self.component, self.next_index);
            match listener.accept(r, key) {
                Ok(Some(stream)) => {
                    self.next_index += 1;
                    let mut conn = Connection::new(stream);
                    conn.set_limit(Self::MESSAGE_LIMIT);
                    self.peers.insert(key, Peer { conn, format: Format::Text, busy: None, broken: false });
                    self.run_peer(r, key);
                }
                Ok(None) => return,
                Err(e) => {
                    let what = format_args!("{}: accept failed: {}", listener.name(), errno::text(&e));
                    r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
                    return;
                }
            }
        }
    }

    fn run_peer(&mut self, r: &mut Reactor, key: Key) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.broken |= peer.conn.flush(r).is_err();
        while !peer.broken && peer.busy.is_none() {
            match peer.conn.recv(r) {
                Ok(Some(Message::Request { id, method, params })) => {
                    self.received += 1;
                    Self::request(r, peer, &mut self.calls, id, method, params);
                }
                Ok(Some(other)) => {
                    let what =
                        format_args!("{}: received unexpected {} message", peer.conn.name(), other.kind());
                    r.log().write_limited(&self.warnings, MODULE, Level::Warn, what);
                    peer.broken = true;
                }
                Ok(None) => break,
                Err(_) => peer.broken = true,
            }
        }
        // While a command runs, later requests wait in the kernel.
        let paused = peer.busy.is_some();
        peer.broken |= peer.conn.channel_mut().pause(r, paused).is_err();
        if peer.broken {
            self.peers.remove(&key);
            if self.peers.len() + 1 == Self::MAX_PEERS {
                r.again(Key::new(self.component, 0));
            }
        }
    }

    fn request(
        r: &mut Reactor,
        peer: &mut Peer,
        calls: &mut VecDeque<Call>,
        id: Value,
        method: String,
        params: Vec<Value>,
    ) {
        if r.log().enabled(MODULE, Level::Dbg) {
            debug!(r.log(), MODULE, "received request {method}{}, id={id}", Value::Array(params.clone()));
        }
        let mut args = Vec::with_capacity(params.len());
        let mut all_strings = true;
        for p in params {
            match p {
                Value::String(s) => args.push(s),
                other => {
                    all_strings = false;
                    args.push(other.to_string());
                }
            }
        }
        peer.busy = Some(id.clone());
        let connection = peer.conn.channel().stream().key();
        if method == "set-options"
            && all_strings
            && (1..=2).contains(&args.len())
            && let Ok(Some(format)) = parse_options(&args)
        {
            peer.format = format;
        }
        let token = Token { connection, id, format: peer.format };
        calls.push_back(Call { token, name: method, args, all_strings });
    }
}

fn encode(reply: Reply, format: Format) -> Value {
    match (reply, format) {
        (Reply::Text(s), Format::Text) => Value::string(s),
        (Reply::Text(s), Format::Json) => {
            Value::object([("reply", Value::string(s)), ("reply-format", Value::string("plain"))])
        }
        (Reply::Json(v), Format::Json) => v,
        (Reply::Json(v), Format::Text) => Value::string(v.to_pretty()),
    }
}

fn message_id(m: &Message) -> &Value {
    match m {
        Message::Reply { id, .. } | Message::Error { id, .. } | Message::Request { id, .. } => id,
        Message::Notification { .. } => &Value::Null,
    }
}
