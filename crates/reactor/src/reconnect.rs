//! The reconnect machine: when to connect, when to probe, when to give up, and how long to wait.
//!
//! ```text
//!            enable          deadline           connected         silence
//!    VOID ──────────► BACKOFF ───────► CONNECTING ───────► ACTIVE ───────► IDLE
//!                        ▲  ▲ failed │               │  ▲  data      │  silence
//!                        │  └────────┘               │  └────────────┤
//!                        └───────────────────────────┴───────────────┘
//! ```
//!
//! A passive session waits in `LISTENING` instead of connecting. The waiting time starts at the minimum,
//! doubles with every failure up to the maximum, and returns to the minimum once a connection has carried
//! data for at least as long as the current waiting time. When it reaches the maximum, the log falls silent about
//! attempts, so that a peer that is away for days does not fill the disk.
//!
//! The machine does nothing by itself: it is told what happens, and [`Reconnect::run`] says what to do.

use crate::errno;
use base::{Level, Logger, Time};
use std::fmt;
use std::io;
use std::time::Duration;

/// What the owner of the connection has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start to connect (or listen, when passive), then call [`Reconnect::connecting`] and so on.
    Connect,
    /// Close the connection (or the attempt), then call [`Reconnect::disconnected`].
    Disconnect,
    /// Send something that the peer has to answer.
    Probe,
}

/// Where the machine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Disabled, or given up.
    Void,
    /// Listening for a peer.
    Listening,
    /// Waiting before the next attempt.
    Backoff,
    /// An attempt is under way.
    Connecting,
    /// Connected.
    Active,
    /// Connected, probed, no answer yet.
    Idle,
    /// To be disconnected and connected at once.
    Reconnect,
}

impl State {
    /// The name in logs and in the database (`Manager.status:state`).
    pub const fn name(self) -> &'static str {
        match self {
            State::Void => "VOID",
            State::Listening => "LISTENING",
            State::Backoff => "BACKOFF",
            State::Connecting => "CONNECTING",
            State::Active => "ACTIVE",
            State::Idle => "IDLE",
            State::Reconnect => "RECONNECT",
        }
    }
}

/// Figures for status columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// When the machine was made.
    pub created: Time,
    /// The last data received.
    pub last_activity: Option<Time>,
    /// The last time a connection came up.
    pub last_connected: Option<Time>,
    /// The last time one went down.
    pub last_disconnected: Option<Time>,
    /// Attempts made.
    pub attempted: u32,
    /// Attempts that succeeded.
    pub successful: u32,
    /// Time connected in former connections.
    pub connected: Duration,
    /// Grows with every change between connected and not.
    pub seqno: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Reconnect {
    log: Logger,
    name: String,
    min_backoff: Duration,
    max_backoff: Duration,
    probe_interval: Duration,
    passive: bool,
    quiet: bool,
    max_tries: Option<u32>,
    state: State,
    entered: Time,
    backoff: Duration,
    last_receive_attempt: Time,
    stats: Stats,
}

const MODULE: &str = "reconnect";

impl Reconnect {
    /// The default time from the last data to a probe, and from the probe to giving up.
    pub const DEFAULT_PROBE: Duration = Duration::from_secs(5);
    /// The default first waiting time.
    pub const DEFAULT_MIN_BACKOFF: Duration = Duration::from_secs(1);
    /// The default longest waiting time.
    pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(8);

    /// A disabled machine.
    pub fn new(name: impl Into<String>, log: Logger, now: Time) -> Reconnect {
        Reconnect {
            log,
            name: name.into(),
            min_backoff: Self::DEFAULT_MIN_BACKOFF,
            max_backoff: Self::DEFAULT_MAX_BACKOFF,
            probe_interval: Self::DEFAULT_PROBE,
            passive: false,
            quiet: false,
            max_tries: None,
            state: State::Void,
            entered: now,
            backoff: Duration::ZERO,
            last_receive_attempt: now,
            stats: Stats { created: now, ..Stats::default() },
        }
    }

    /// The peer's name in logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names the peer, as when the connection moves to another of several.
    pub fn set_name(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }

    /// Writes the records that are normally of level INFO at level DBG.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The shortest and longest waiting time.
    pub fn set_backoff(&mut self, min: Duration, max: Duration) {
        self.min_backoff = min.max(Duration::from_millis(1));
        self.max_backoff = if max.is_zero() { Self::DEFAULT_MAX_BACKOFF } else { max }.max(self.min_backoff);
        if self.state == State::Backoff && self.backoff > self.max_backoff {
            self.backoff = self.max_backoff;
        }
    }

    /// The time without data after which to probe, and again after which to disconnect; zero never does.
    pub fn set_probe_interval(&mut self, interval: Duration) {
        self.probe_interval =
            if interval.is_zero() { interval } else { interval.max(Duration::from_secs(1)) };
    }

    /// The probe interval.
    pub fn probe_interval(&self) -> Duration {
        self.probe_interval
    }

    /// Waits for peers instead of connecting to one.
    pub fn set_passive(&mut self, passive: bool, now: Time) {
        if self.passive == passive {
            return;
        }
        self.passive = passive;
        let wrong =
            if passive { matches!(self.state, State::Connecting) } else { self.state == State::Listening };
        if wrong {
            self.enter(State::Backoff, now);
            self.backoff = Duration::ZERO;
        }
    }

    /// Whether peers connect to us.
    pub fn is_passive(&self) -> bool {
        self.passive
    }

    /// How many more attempts to make: `None` without end.
    pub fn set_max_tries(&mut self, tries: Option<u32>) {
        self.max_tries = tries;
    }

    /// How many more attempts will be made.
    pub fn max_tries(&self) -> Option<u32> {
        self.max_tries
    }

    /// Starts; the first attempt is made at once.
    pub fn enable(&mut self, now: Time) {
        if self.state == State::Void && self.may_try() {
            self.enter(State::Backoff, now);
            self.backoff = Duration::ZERO;
        }
    }

    /// Stops; the owner closes the connection.
    pub fn disable(&mut self, now: Time) {
        if self.state != State::Void {
            self.enter(State::Void, now);
        }
    }

    /// Whether it was started and has not given up.
    pub fn is_enabled(&self) -> bool {
        self.state != State::Void
    }

    /// Drops the connection or attempt and starts over at once.
    pub fn force(&mut self, now: Time) {
        if matches!(self.state, State::Connecting | State::Active | State::Idle) {
            self.enter(State::Reconnect, now);
        }
    }

    /// The connection went down for a reason that does not speak against the peer: no waiting.
    pub fn skip_backoff(&mut self) {
        if self.state == State::Backoff {
            self.backoff = Duration::ZERO;
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Active | State::Idle | State::Reconnect)
    }

    /// The current waiting time.
    pub fn backoff(&self) -> Duration {
        self.backoff
    }

    /// Figures for status columns.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How long it has been in its state.
    pub fn in_state_for(&self, now: Time) -> Duration {
        now.since(self.entered)
    }

    /// What to do now.
    pub fn run(&mut self, now: Time) -> Option<Action> {
        if now < self.deadline() {
            return None;
        }
        match self.state {
            State::Backoff => Some(Action::Connect),
            State::Connecting | State::Reconnect => Some(Action::Disconnect),
            State::Active => {
                let idle = now.since(self.last_sign());
                self.say(Level::Dbg, format_args!("idle {} ms, sending inactivity probe", idle.as_millis()));
                self.enter(State::Idle, now);
                Some(Action::Probe)
            }
            State::Idle => {
                let seconds = short_float(now.since(self.entered).as_secs_f64());
                self.say(
                    Level::Err,
                    format_args!("no response to inactivity probe after {seconds} seconds, disconnecting"),
                );
                Some(Action::Disconnect)
            }
            State::Void | State::Listening => None,
        }
    }

    /// When to call [`Reconnect::run`] next.
    pub fn deadline(&self) -> Time {
        match self.state {
            State::Void | State::Listening => Time::NEVER,
            State::Backoff => self.entered + self.backoff,
            State::Connecting => self.entered + self.backoff.max(Duration::from_secs(1)),
            State::Active if !self.probe_interval.is_zero() => {
                // While input waits to be read, silence means nothing.
                let expect = self.last_sign() + self.probe_interval;
                if self.last_receive_attempt >= expect {
                    expect
                } else {
                    expect.max(self.last_receive_attempt)
                }
            }
            State::Idle if !self.probe_interval.is_zero() => self.entered + self.probe_interval,
            State::Active | State::Idle => Time::NEVER,
            State::Reconnect => self.entered,
        }
    }

    /// An attempt has begun.
    pub fn connecting(&mut self, now: Time) {
        if self.state == State::Connecting {
            return;
        }
        if self.passive {
            self.say(self.chatter(), format_args!("listening..."));
        } else if self.backoff < self.max_backoff {
            self.say(self.chatter(), format_args!("connecting..."));
        }
        self.enter(State::Connecting, now);
    }

    /// We listen for peers.
    pub fn listening(&mut self, now: Time) {
        if self.state != State::Listening {
            self.say(self.chatter(), format_args!("listening..."));
            self.enter(State::Listening, now);
        }
    }

    /// Listening failed.
    pub fn listen_failed(&mut self, now: Time, error: &io::Error) {
        self.disconnected(now, Some(error));
    }

    /// The connection is up.
    pub fn connected(&mut self, now: Time) {
        if self.is_connected() {
            return;
        }
        self.connecting(now);
        self.say(self.chatter(), format_args!("connected"));
        self.enter(State::Active, now);
        self.stats.last_connected = Some(now);
        self.last_receive_attempt = now;
    }

    /// The attempt failed. `None`: it took too long.
    pub fn connect_failed(&mut self, now: Time, error: Option<&io::Error>) {
        self.connecting(now);
        self.disconnected(now, error);
    }

    /// The connection is down, or the attempt failed, or the peer is to be left. `None`: by our own decision.
    pub fn disconnected(&mut self, now: Time, error: Option<&io::Error>) {
        if matches!(self.state, State::Backoff | State::Void) {
            return;
        }
        self.report_down(error);
        if matches!(self.state, State::Active | State::Idle | State::Reconnect) {
            self.stats.last_disconnected = Some(now);
        }
        let lasted = match (self.stats.last_activity, self.stats.last_connected) {
            (Some(a), Some(c)) => a.since(c),
            _ => Duration::ZERO,
        };
        let was_up = matches!(self.state, State::Active | State::Idle | State::Reconnect);
        if was_up && !self.backoff.is_zero() && lasted >= self.backoff {
            self.backoff = if self.passive { Duration::ZERO } else { self.min_backoff };
        } else if self.passive && was_up {
            self.backoff = Duration::ZERO;
        } else {
            self.grow_backoff();
        }
        let next = if self.may_try() { State::Backoff } else { State::Void };
        self.enter(next, now);
    }

    /// Data arrived.
    pub fn activity(&mut self, now: Time) {
        if self.state == State::Idle {
            self.enter(State::Active, now);
        }
        self.stats.last_activity = Some(now);
    }

    /// We have read whatever there was: silence up to now is the peer's.
    pub fn receive_attempted(&mut self, now: Time) {
        self.last_receive_attempt = now;
    }

    fn may_try(&self) -> bool {
        self.max_tries != Some(0)
    }

    /// The last sign of life: data, or having connected.
    fn last_sign(&self) -> Time {
        self.stats.last_activity.map_or(self.entered, |a| a.max(self.entered))
    }

    fn grow_backoff(&mut self) {
        if self.backoff < self.min_backoff {
            self.backoff = self.min_backoff;
        } else if self.backoff < self.max_backoff {
            if self.backoff >= self.max_backoff / 2 {
                self.backoff = self.max_backoff;
                self.say(
                    self.chatter(),
                    format_args!(
                        "continuing to {} in the background but suppressing further logging",
                        self.again()
                    ),
                );
            } else {
                self.backoff *= 2;
                self.say(
                    self.chatter(),
                    format_args!(
                        "waiting {} seconds before {}",
                        short_float(self.backoff.as_secs_f64()),
                        if self.passive { "trying to listen again" } else { "reconnect" }
                    ),
                );
            }
        }
    }

    fn again(&self) -> &'static str {
        if self.passive { "try to listen" } else { "reconnect" }
    }

    fn report_down(&self, error: Option<&io::Error>) {
        match self.state {
            State::Active | State::Idle => match error {
                Some(e) if errno::is_eof(e) => {
                    self.say(self.chatter(), format_args!("connection closed by peer"))
                }
                Some(e) => self.say(Level::Warn, format_args!("connection dropped ({})", errno::text(e))),
                None => self.say(self.chatter(), format_args!("connection dropped")),
            },
            State::Listening => match error {
                Some(e) => self
                    .say(Level::Warn, format_args!("error listening for connections ({})", errno::text(e))),
                None => self.say(self.chatter(), format_args!("error listening for connections")),
            },
            State::Reconnect => {}
            State::Connecting if self.backoff < self.max_backoff => {
                let what = if self.passive { "listen" } else { "connection" };
                match error {
                    Some(e) => {
                        self.say(self.chatter(), format_args!("{what} attempt failed ({})", errno::text(e)))
                    }
                    None => self.say(self.chatter(), format_args!("{what} attempt timed out")),
                }
            }
            _ => {}
        }
    }

    fn chatter(&self) -> Level {
        if self.quiet { Level::Dbg } else { Level::Info }
    }

    fn say(&self, level: Level, what: fmt::Arguments<'_>) {
        base::record!(self.log, level, MODULE, "{}: {what}", self.name);
    }

    fn enter(&mut self, state: State, now: Time) {
        let was = self.is_connected();
        if was
            && !matches!(state, State::Active | State::Idle | State::Reconnect)
            && let Some(c) = self.stats.last_connected
        {
            self.stats.connected += now.since(c);
        }
        if state == State::Connecting {
            self.stats.attempted += 1;
            self.max_tries = self.max_tries.map(|n| n.saturating_sub(1));
        }
        if state == State::Active && self.state != State::Idle {
            self.stats.successful += 1;
        }
        self.say(Level::Dbg, format_args!("entering {}", state.name()));
        self.state = state;
        self.entered = now;
        if was != self.is_connected() {
            self.stats.seqno += 1;
        }
    }
}

/// A number with three significant digits and no trailing zeros, as C's `%.3g` for 0.001 to 999.
fn short_float(x: f64) -> String {
    let digits = if x >= 100.0 {
        0
    } else if x >= 10.0 {
        1
    } else {
        2
    };
    let s = format!("{x:.digits$}");
    if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.').to_string() } else { s }
}

#[cfg(test)]
#[path = "reconnect_tests.rs"]
mod tests;
