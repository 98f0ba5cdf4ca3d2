//! A connection to a controller (or from a client) that lasts.
//!
//! The same idea as [`crate::reconnect`], with the habits of OpenFlow: the attempt includes the exchange of hellos, every
//! failure is told in the log, and a connection counts as good once it has lasted for the current waiting time.

use super::{Options, Vconn, bare, kind};
use crate::errno;
use crate::event::{Key, Reactor};
use base::{Level, Logger, Time, record};
use openflow::version::Version;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

const MODULE: &str = "rconn";

/// Where the machine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Has no target.
    Void,
    /// Waits before the next attempt.
    Backoff,
    /// An attempt is under way.
    Connecting,
    /// Connected.
    Active,
    /// Connected, probed, no answer yet.
    Idle,
    /// A connection that was accepted has ended.
    Disconnected,
}

impl State {
    /// The name in logs and in the database (`Controller.status:state`).
    pub const fn name(self) -> &'static str {
        match self {
            State::Void => "VOID",
            State::Backoff => "BACKOFF",
            State::Connecting => "CONNECTING",
            State::Active => "ACTIVE",
            State::Idle => "IDLE",
            State::Disconnected => "DISCONNECTED",
        }
    }
}

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub struct RconnOptions {
    /// Time without messages after which to probe, and again after which to disconnect; zero never does.
    pub probe_interval: Duration,
    /// The longest time between attempts.
    pub max_backoff: Duration,
    /// Of each connection.
    pub vconn: Options,
}

impl Default for RconnOptions {
    fn default() -> Self {
        RconnOptions {
            probe_interval: Duration::from_secs(5),
            max_backoff: Duration::from_secs(8),
            vconn: Options::default(),
        }
    }
}

/// The connection. All its events come under one key. Call [`Rconn::run`] when the key is told, then take messages by
/// [`Rconn::recv`] until there is none (or call [`Reactor::again`]).
pub struct Rconn {
    key: Key,
    log: Logger,
    options: RconnOptions,
    /// The peer in logs: `br0<->tcp:127.0.0.1:6653`.
    name: String,
    target: String,
    /// Made again when it breaks.
    reliable: bool,
    vconn: Option<Vconn>,
    state: State,
    entered: Time,
    backoff: Duration,
    last_activity: Time,
    created: Time,
    last_connected: Option<Time>,
    last_disconnected: Option<Time>,
    /// When the peer last proved to have let us in.
    last_admitted: Option<Time>,
    admitted: bool,
    last_error: Option<io::Error>,
    seqno: u64,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    /// Copies of what is sent and received, if somebody listens in.
    tap: Option<Vec<Vec<u8>>>,
}

impl Rconn {
    /// No more copies than this wait to be taken.
    const TAP_LIMIT: usize = 1000;

    const MIN_BACKOFF: Duration = Duration::from_secs(1);
    /// A connection is taken to be admitted when it has lasted this long.
    const ADMISSION: Duration = Duration::from_secs(30);

    /// Without a target yet.
    pub fn new(r: &Reactor, key: Key, options: RconnOptions) -> Rconn {
        let now = r.now();
        Rconn {
            key,
            log: r.log().clone(),
            options,
            name: "void".to_string(),
            target: "void".to_string(),
            reliable: false,
            vconn: None,
            state: State::Void,
            entered: now,
            backoff: Duration::ZERO,
            last_activity: now,
            created: now,
            last_connected: None,
            last_disconnected: None,
            last_admitted: None,
            admitted: false,
            last_error: None,
            seqno: 0,
            peer: None,
            local: None,
            tap: None,
        }
    }

    /// Copies what is sent and received from now on, or no longer.
    pub fn set_tap(&mut self, on: bool) {
        match on {
            true => _ = self.tap.get_or_insert_default(),
            false => self.tap = None,
        }
    }

    /// The copies made since this was last asked.
    pub fn take_tapped(&mut self) -> Vec<Vec<u8>> {
        self.tap.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn copy(&mut self, message: &[u8]) {
        if let Some(tap) = &mut self.tap
            && tap.len() < Self::TAP_LIMIT
        {
            tap.push(message.to_vec());
        }
    }

    /// Connects to `target`, again and again. `name` is what logs call it.
    pub fn connect(&mut self, r: &mut Reactor, target: &str, name: &str) {
        self.disconnect(r);
        self.target = target.to_string();
        self.name = name.to_string();
        self.reliable = true;
        self.backoff = Duration::ZERO;
        self.start(r);
        self.arm(r);
    }

    /// Uses a connection that was accepted, until it ends.
    pub fn accept(&mut self, r: &mut Reactor, vconn: Vconn, name: &str) {
        self.disconnect(r);
        self.target = vconn.name().to_string();
        self.name = name.to_string();
        self.reliable = false;
        self.vconn = Some(vconn);
        self.enter(State::Connecting, r.now());
        self.arm(r);
        r.again(self.key);
    }

    /// Closes the connection and forgets the target.
    pub fn disconnect(&mut self, r: &mut Reactor) {
        if self.state != State::Void {
            self.vconn = None;
            self.target = "void".to_string();
            self.name = "void".to_string();
            self.reliable = false;
            self.backoff = Duration::ZERO;
            self.note_down(r.now());
            self.enter(State::Void, r.now());
        }
        r.set_timer(self.key, Time::NEVER);
    }

    /// Drops the connection and makes it anew.
    pub fn reconnect(&mut self, r: &mut Reactor) {
        if matches!(self.state, State::Active | State::Idle) {
            self.say(self.chatter(), format_args!("disconnecting"));
            self.fail(r, None);
            self.arm(r);
        }
    }

    /// Moves connecting and probing on, and writes what is queued.
    pub fn run(&mut self, r: &mut Reactor) {
        self.run_vconn(r);
        for _ in 0..4 {
            let now = r.now();
            if now < self.deadline() {
                break;
            }
            match self.state {
                State::Backoff => self.start(r),
                State::Connecting => {
                    self.say(self.chatter(), format_args!("connection timed out"));
                    self.fail(r, Some(errno::os(libc::ETIMEDOUT)));
                }
                State::Active => {
                    let idle = now.since(self.last_sign()).as_secs();
                    self.say(Level::Dbg, format_args!("idle {idle} seconds, sending inactivity probe"));
                    // First, so that the probe itself is no cause to look at the timer again.
                    self.enter(State::Idle, now);
                    if let Some(v) = &mut self.vconn {
                        let version = v.version().map_or(1, Version::wire);
                        let xid = v.next_xid();
                        let probe = bare(version, kind::ECHO_REQUEST, xid);
                        v.send(r, &probe);
                        self.copy(&probe);
                    }
                }
                State::Idle => {
                    let seconds = now.since(self.entered).as_secs();
                    self.say(
                        Level::Err,
                        format_args!(
                            "no response to inactivity probe after {seconds} seconds, disconnecting"
                        ),
                    );
                    self.fail(r, Some(errno::os(libc::ETIMEDOUT)));
                }
                State::Void | State::Disconnected => break,
            }
        }
        self.arm(r);
    }

    /// The next message.
    pub fn recv(&mut self, r: &mut Reactor) -> Option<Vec<u8>> {
        if !self.is_connected() {
            return None;
        }
        let result = self.vconn.as_mut()?.recv(r);
        match result {
            Ok(Some(m)) => {
                let now = r.now();
                self.copy(&m);
                self.last_activity = now;
                if self.state == State::Idle {
                    self.enter(State::Active, now);
                    self.arm(r);
                }
                // What a switch that is not let in gets as well proves nothing.
                if !matches!(m[1], kind::HELLO | kind::ERROR | kind::ECHO_REQUEST | kind::ECHO_REPLY)
                    || self.last_connected.is_some_and(|c| now.since(c) >= Self::ADMISSION)
                {
                    self.admitted = true;
                    self.last_admitted = Some(now);
                }
                Some(m)
            }
            Ok(None) => None,
            Err(e) => {
                self.drop_connection(r, e);
                self.arm(r);
                None
            }
        }
    }

    /// Queues a message; false without a connection.
    pub fn send(&mut self, r: &mut Reactor, message: &[u8], class: u8) -> bool {
        if self.is_connected() {
            self.copy(message);
        }
        match &mut self.vconn {
            Some(v) if matches!(self.state, State::Active | State::Idle) => {
                v.send_class(r, message, class);
                true
            }
            _ => false,
        }
    }

    /// Writes what is queued now, rather than in the next turn.
    pub fn flush(&mut self, r: &mut Reactor) {
        if let Some(v) = &mut self.vconn
            && v.backlog() > 0
            && let Err(e) = v.flush(r)
        {
            self.drop_connection(r, e);
            self.arm(r);
        }
    }

    /// Messages and bytes of a class (below 4) that the peer has not taken.
    pub fn queued(&self, class: u8) -> (usize, usize) {
        self.vconn.as_ref().map_or((0, 0), |v| v.queued(class))
    }

    /// Bytes that the peer has not taken.
    pub fn backlog(&self) -> usize {
        self.vconn.as_ref().map_or(0, Vconn::backlog)
    }

    /// Stops reading, or goes on.
    pub fn pause(&mut self, r: &mut Reactor, paused: bool) {
        if let Some(v) = &mut self.vconn
            && let Err(e) = v.pause(r, paused)
        {
            self.drop_connection(r, e);
        }
    }

    /// Under which its events come.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The peer in logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The target, or the peer of an accepted connection.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// How long it has been there.
    pub fn in_state_for(&self, now: Time) -> Duration {
        now.since(self.entered)
    }

    /// Whether there is a connection with an agreed version.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Active | State::Idle)
    }

    /// Whether there is a connection or may be one again.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, State::Void | State::Disconnected)
    }

    /// Whether the peer lets us in: it has sent something that only switches that belong to it get.
    pub fn is_admitted(&self, now: Time) -> bool {
        self.is_connected()
            && (self.admitted || self.last_connected.is_some_and(|c| now.since(c) >= Self::ADMISSION))
    }

    /// How long it has been without a connection that lets us in; zero while it has one.
    pub fn failure_duration(&self, now: Time) -> Duration {
        if self.is_admitted(now) {
            Duration::ZERO
        } else {
            now.since(self.last_admitted.unwrap_or(self.created))
        }
    }

    /// The agreed version.
    pub fn version(&self) -> Option<Version> {
        self.vconn.as_ref().and_then(Vconn::version)
    }

    /// A transaction number not used before on this connection.
    pub fn next_xid(&mut self) -> u32 {
        self.vconn.as_mut().map_or(0, Vconn::next_xid)
    }

    /// Why the last connection ended or did not come about.
    pub fn last_error(&self) -> Option<&io::Error> {
        self.last_error.as_ref()
    }

    /// When the last connection came up, and when the last one went down.
    pub fn last_changes(&self) -> (Option<Time>, Option<Time>) {
        (self.last_connected, self.last_disconnected)
    }

    /// Grows whenever a connection comes or goes.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// The address that the connection goes to, or is about to, or last went to.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.vconn.as_ref().and_then(|v| v.channel().stream().peer()).or(self.peer)
    }

    /// The addresses of the last connection: the peer's and ours, over TCP.
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (self.peer, self.local)
    }

    /// The current waiting time.
    pub fn backoff(&self) -> Duration {
        self.backoff
    }

    /// How it behaves.
    pub fn options(&self) -> &RconnOptions {
        &self.options
    }

    /// Changes how it behaves. Other versions or another DSCP take effect with the next connection.
    pub fn set_options(&mut self, r: &mut Reactor, options: RconnOptions) {
        self.options = options;
        if self.state == State::Backoff {
            self.backoff = self.backoff.min(options.max_backoff);
        }
        self.arm(r);
    }

    fn deadline(&self) -> Time {
        let probe = self.options.probe_interval;
        match self.state {
            State::Void | State::Disconnected => Time::NEVER,
            State::Backoff => self.entered + self.backoff,
            State::Connecting => self.entered + self.backoff.max(Duration::from_secs(1)),
            State::Active | State::Idle if probe.is_zero() => Time::NEVER,
            State::Active => self.last_sign() + probe,
            State::Idle => self.entered + probe,
        }
    }

    /// The last sign of life: a message, or having connected.
    fn last_sign(&self) -> Time {
        self.last_activity.max(self.entered)
    }

    fn arm(&self, r: &mut Reactor) {
        r.set_timer(self.key, self.deadline());
    }

    fn run_vconn(&mut self, r: &mut Reactor) {
        let Some(v) = &mut self.vconn else { return };
        let result = v.run(r);
        let now = r.now();
        match result {
            Ok(()) if self.state == State::Connecting && v.version().is_some() => {
                (self.peer, self.local) = (v.channel().stream().peer(), v.channel().stream().local());
                self.say(self.chatter(), format_args!("connected"));
                self.enter(State::Active, now);
                self.last_connected = Some(now);
                self.admitted = false;
                self.seqno += 1;
            }
            Ok(()) => {}
            Err(e) => self.drop_connection(r, e),
        }
    }

    fn start(&mut self, r: &mut Reactor) {
        if self.backoff < self.options.max_backoff {
            self.say(self.chatter(), format_args!("connecting..."));
        }
        let target = self.target.clone();
        match Vconn::connect(r, self.key, &target, self.options.vconn) {
            Ok(v) => {
                self.vconn = Some(v);
                self.enter(State::Connecting, r.now());
                self.run_vconn(r);
            }
            Err(e) => {
                self.say(Level::Warn, format_args!("connection failed ({})", errno::text(&e)));
                self.fail(r, Some(e));
            }
        }
    }

    /// The connection (or the attempt) broke.
    fn drop_connection(&mut self, r: &mut Reactor, e: io::Error) {
        let connected = self.vconn.as_ref().is_some_and(|v| v.channel().stream().is_connected());
        if self.state == State::Connecting && !connected {
            self.say(Level::Warn, format_args!("connection failed ({})", errno::text(&e)));
        } else if errno::is_eof(&e) {
            self.say(self.chatter(), format_args!("connection closed by peer"));
        } else {
            self.say(Level::Warn, format_args!("connection dropped ({})", errno::text(&e)));
        }
        self.fail(r, Some(e));
    }

    /// Leaves the connection behind and decides what next.
    fn fail(&mut self, r: &mut Reactor, e: Option<io::Error>) {
        let now = r.now();
        let was_up = self.is_connected();
        let up_for = self.last_connected.map_or(Duration::ZERO, |c| now.since(c));
        self.vconn = None;
        if e.is_some() {
            self.last_error = e;
        }
        self.note_down(now);
        // Whoever waits for messages has to notice.
        r.again(self.key);
        if !self.reliable {
            self.enter(State::Disconnected, now);
            return;
        }
        let max = self.options.max_backoff.max(Self::MIN_BACKOFF);
        if was_up && up_for >= self.backoff {
            self.backoff = Self::MIN_BACKOFF;
        } else if self.backoff < max {
            self.backoff = (self.backoff * 2).clamp(Self::MIN_BACKOFF, max);
            if self.backoff < max {
                let seconds = self.backoff.as_secs();
                self.say(Level::Info, format_args!("waiting {seconds} seconds before reconnect"));
            } else {
                self.say(
                    Level::Info,
                    format_args!(
                        "continuing to retry connections in the background but suppressing further logging"
                    ),
                );
            }
        }
        self.enter(State::Backoff, now);
    }

    fn note_down(&mut self, now: Time) {
        if self.is_connected() {
            self.last_disconnected = Some(now);
            self.admitted = false;
            self.seqno += 1;
        }
    }

    fn enter(&mut self, state: State, now: Time) {
        self.say(Level::Dbg, format_args!("entering {}", state.name()));
        self.state = state;
        self.entered = now;
    }

    /// Clients come and go: only connections that we want are news.
    fn chatter(&self) -> Level {
        if self.reliable { Level::Info } else { Level::Dbg }
    }

    fn say(&self, level: Level, what: fmt::Arguments<'_>) {
        record!(self.log, level, MODULE, "{}: {what}", self.name);
    }
}
