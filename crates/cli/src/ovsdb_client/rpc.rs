//! A connection to a server, for a program that mostly waits: it blocks, and keeps an eye on signals and, when
//! the program is a daemon, on its control socket.

use crate::daemon::Daemon;
use crate::fatal::Fatal;
use base::{Clock, info, warn};
use ovsdb::json::Value;
use reactor::event::Environment;
use reactor::jsonrpc::{Connection, Message};
use reactor::stream::Options;
use reactor::{Event, Key, Listener, Reactor, Ready, errno, target};
use std::io;
use std::time::Duration;
use sys::signal::Signal;

const CONNECTION: Key = Key::new(1, 0);
const SIGNALS: Key = Key::new(2, 0);
/// The component of the control socket's keys.
pub(super) const UNIXCTL: u16 = 3;
/// The longest pause between attempts to connect to one of several servers.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// A connection.
pub(super) struct Rpc {
    pub(super) reactor: Reactor,
    connection: Connection,
    next_id: i64,
    name: String,
    /// What ends with the program.
    process: Option<Daemon>,
}

/// What a wait brought.
pub(super) enum Arrived {
    /// A message.
    Message(Message),
    /// Something at the control socket.
    Control(Event),
}

fn lost(e: &io::Error) -> Fatal {
    Fatal::new(format!("transaction failed ({})", errno::text(e)))
}

impl Rpc {
    /// Connects to `server`, or waits for it to connect, or (of several, with commas between) finds one that
    /// answers.
    pub(super) fn connect(server: &str, env: Environment, clock: &Clock) -> Result<Rpc, Fatal> {
        let os = |e: io::Error| Fatal::new(errno::text(&e));
        let mut reactor = Reactor::new(clock.clone(), env).map_err(os)?;
        reactor.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS).map_err(os)?;
        let connection = if server.contains(',') {
            any_of(&mut reactor, &server.split(',').collect::<Vec<_>>())
        } else {
            one(&mut reactor, server).map_err(|e| {
                // An address that means nothing could have been of either kind.
                let active = target::is_active(server) && e.raw_os_error() != Some(errno::NO_SUCH_FAMILY);
                let what = if active { "connect to" } else { "connect or listen to" };
                Fatal::new(format!("failed to {what} \"{server}\" ({})", errno::text(&e)))
            })
        }?;
        Ok(Rpc { reactor, connection, next_id: 0, name: server.to_owned(), process: None })
    }

    /// Connects to `server` as a lasting session would, and says so in the log.
    pub(super) fn connect_logged(server: &str, env: Environment, clock: &Clock) -> Result<Rpc, Fatal> {
        let os = |e: io::Error| Fatal::new(errno::text(&e));
        let mut reactor = Reactor::new(clock.clone(), env).map_err(os)?;
        reactor.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS).map_err(os)?;
        let connection = any_of(&mut reactor, &server.split(',').collect::<Vec<_>>())?;
        Ok(Rpc { reactor, connection, next_id: 0, name: server.to_owned(), process: None })
    }

    /// Watches for signals as the process that this has become by forking: the kernel tells each only of its own.
    pub(super) fn watch_signals(&mut self) -> Result<(), Fatal> {
        let watched = self.reactor.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS);
        watched.map_err(|e| Fatal::new(errno::text(&e)))
    }

    /// From now on the program follows what the server says, as this process.
    pub(super) fn follow(&mut self, process: Daemon) {
        self.process = Some(process);
    }

    /// The process that [`Rpc::follow`] was told of.
    pub(super) fn process(&mut self) -> Option<&mut Daemon> {
        self.process.as_mut()
    }

    /// Before the program ends.
    pub(super) fn end(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
    }

    fn lost(&self, e: &io::Error) -> Fatal {
        match self.process {
            Some(_) => Fatal::new(format!("{}: receive failed ({})", self.name, errno::text(e))),
            None => lost(e),
        }
    }

    /// The name that it was opened by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request; returns its id.
    pub(super) fn request(&mut self, method: &str, params: Vec<Value>) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let message = Message::request(id, method, params);
        self.connection.send(&mut self.reactor, &message);
        Value::Integer(id)
    }

    /// Waits for something; probes are answered on the way.
    pub(super) fn wait(&mut self) -> Result<Arrived, Fatal> {
        let mut events = Vec::new();
        loop {
            let flushed = self.connection.flush(&mut self.reactor);
            flushed.map_err(|e| self.lost(&e))?;
            match self.connection.recv(&self.reactor).map_err(|e| self.lost(&e))? {
                Some(Message::Request { id, method, params }) if method == "echo" => {
                    let reply = Message::Reply { id, result: Value::Array(params) };
                    self.connection.send(&mut self.reactor, &reply);
                    continue;
                }
                Some(message) => return Ok(Arrived::Message(message)),
                None if self.connection.has_input() => continue,
                None => {}
            }
            events.clear();
            self.reactor.turn(&mut events).map_err(|e| self.lost(&e))?;
            if events.iter().any(|e| matches!(e.ready, Ready::Signal(_))) {
                self.end();
            }
            end_by_signal(&self.reactor, &events);
            if let Some(e) = events.iter().find(|e| e.key.component() == UNIXCTL) {
                return Ok(Arrived::Control(*e));
            }
        }
    }

    /// Sends a request and waits for its reply. Other messages that come before it are lost.
    pub(super) fn transact(
        &mut self,
        method: &str,
        params: Vec<Value>,
    ) -> Result<Result<Value, Value>, Fatal> {
        let id = self.request(method, params);
        loop {
            match self.wait()? {
                Arrived::Message(Message::Reply { id: i, result }) if i == id => return Ok(Ok(result)),
                Arrived::Message(Message::Error { id: i, error }) if i == id => return Ok(Err(error)),
                _ => {}
            }
        }
    }

    /// The reply of a request that must succeed.
    pub(super) fn call(&mut self, method: &str, params: Vec<Value>) -> Result<Value, Fatal> {
        self.transact(method, params)?.map_err(|e| Fatal::new(format!("transaction returned error: {e}")))
    }
}

/// Waits for events; a signal ends the program.
fn turn(r: &mut Reactor, events: &mut Vec<Event>) -> Result<(), Fatal> {
    r.turn(events).map_err(|e| lost(&e))?;
    end_by_signal(r, events);
    Ok(())
}

fn end_by_signal(r: &Reactor, events: &[Event]) {
    for e in events {
        if let Ready::Signal(signal) = e.ready {
            let number = signal.number();
            warn!(
                r.log(),
                "fatal_signal",
                "terminating with signal {number} ({})",
                sys::signal::name(number)
            );
            sys::signal::die_of(number);
        }
    }
}

fn one(r: &mut Reactor, server: &str) -> io::Result<Connection> {
    let mut events = Vec::new();
    if target::is_passive(server) {
        let mut listener = Listener::open(r, CONNECTION, server, Options::OVSDB)?;
        info!(r.log(), "ovsdb_client", "{server}: waiting for connection...");
        loop {
            if let Some(stream) = listener.accept(r, CONNECTION)? {
                return Ok(Connection::new(stream));
            }
            events.clear();
            r.turn(&mut events)?;
            end_by_signal(r, &events);
        }
    }
    let mut connection = Connection::connect(r, CONNECTION, server)?;
    while !connection.channel_mut().poll_connect(r)? {
        events.clear();
        r.turn(&mut events)?;
        end_by_signal(r, &events);
    }
    Ok(connection)
}

fn any_of(r: &mut Reactor, servers: &[&str]) -> Result<Connection, Fatal> {
    let mut pause = Duration::from_secs(1);
    loop {
        for server in servers {
            info!(r.log(), "reconnect", "{server}: connecting...");
            match one(r, server) {
                Ok(c) => {
                    info!(r.log(), "reconnect", "{server}: connected");
                    return Ok(c);
                }
                Err(e) => {
                    let why = errno::text(&e);
                    info!(r.log(), "reconnect", "{server}: connection attempt failed ({why})");
                }
            }
        }
        let until = r.now() + pause;
        r.set_timer(CONNECTION, until);
        while r.now() < until {
            let mut events = Vec::new();
            turn(r, &mut events)?;
        }
        pause = (pause * 2).min(MAX_PAUSE);
    }
}
