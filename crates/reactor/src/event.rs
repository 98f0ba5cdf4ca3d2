//! The event loop.
//!
//! [`Reactor::turn`] blocks until a descriptor is ready, a timer is due, another thread calls a [`Waker`], a
//! signal arrives or an object asked to be run [`again`](Reactor::again), and says whose turn it is. Timers hang
//! on the switch's clock: while it is stopped, only [`Reactor::warp`] makes them fire, and the loop sleeps.

use crate::errno;
use crate::tape::{self, Tape, Track};
use crate::timers::Timers;
use crate::tls::{ClientSide, Settings, Tls};
use base::{Clock, Logger, Time};
use rustls::ServerConfig;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
pub use sys::epoll::Interest;
use sys::epoll::{self, Epoll};
use sys::event::EventFd;
use sys::signal::{Signal, Signals};

/// Who an event is for: a component of the daemon, numbered by the daemon, and an object in it, numbered by
/// the component. Everything that belongs to one object (descriptors, timer, wake-ups) shares its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    const INDEX_BITS: u32 = 48;
    /// The reactor's own wake-up and signal descriptors.
    const OWN: Key = Key(u64::MAX);

    /// Object `index` (below 2^48) of component `component` (below 0xffff).
    pub const fn new(component: u16, index: u64) -> Key {
        Key((component as u64) << Self::INDEX_BITS | index & ((1 << Self::INDEX_BITS) - 1))
    }

    /// The component.
    pub const fn component(self) -> u16 {
        (self.0 >> Self::INDEX_BITS) as u16
    }

    /// The object within the component.
    pub const fn index(self) -> u64 {
        self.0 & ((1 << Self::INDEX_BITS) - 1)
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Key {
        Key(bits)
    }

    /// Object `index` of the same component.
    pub const fn sibling(self, index: u64) -> Key {
        Key::new(self.component(), index)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.component(), self.index())
    }
}

/// Why an object's turn has come. Several reasons may come as one event or as several in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// A descriptor is ready (or broken, which reading or writing will tell).
    Io {
        /// Reading does not block.
        read: bool,
        /// Writing does not block.
        write: bool,
        /// The other side is gone; told as long as the descriptor is watched, whatever for.
        hangup: bool,
    },
    /// Its timer is due.
    Timer,
    /// A [`Waker`] was called.
    Wake,
    /// It asked to be run again.
    Again,
    /// A signal arrived.
    Signal(Signal),
    /// The clock was moved by a step of [`Reactor::warp`].
    Warp {
        /// That was the last step.
        done: bool,
    },
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The object.
    pub key: Key,
    /// The reason.
    pub ready: Ready,
}

/// Makes the loop run an object, from any thread.
#[derive(Clone, Debug)]
pub struct Waker {
    pending: Arc<AtomicBool>,
    fd: EventFd,
}

impl Waker {
    /// The object's turn comes soon. Cheap when it is already on the way; never blocks.
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.fd.notify();
        }
    }
}

/// What the loop hangs on, given once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Where log records go.
    pub log: Logger,
    /// The directory for sockets with relative names.
    pub rundir: PathBuf,
    /// Keys and certificates for TLS.
    pub tls: Settings,
    /// Whether what happens is recorded or played back.
    pub tape: tape::Mode,
}

impl Environment {
    /// Without keys for TLS and tape.
    pub fn new(log: Logger, rundir: PathBuf) -> Environment {
        Environment { log, rundir, ..Environment::default() }
    }

    /// With keys for TLS.
    pub fn with_tls(self, tls: Settings) -> Environment {
        Environment { tls, ..self }
    }
}

struct Warp {
    key: Key,
    left: Duration,
    step: Duration,
    busy_turns: u32,
}

/// The event loop of one control thread.
pub struct Reactor {
    clock: Clock,
    now: Time,
    tape: Option<Tape>,
    /// What the wall clock showed when a tape's last turn began, and the time of that.
    taped: Option<(i64, Time)>,
    env: Environment,
    tls: Tls,
    epoll: Epoll,
    ready: Vec<epoll::Ready>,
    timers: Timers,
    again: Vec<Key>,
    /// Objects with output that nobody has tried to write yet.
    unwritten: Vec<Key>,
    wake_fd: EventFd,
    wakers: HashMap<Key, Arc<AtomicBool>>,
    signals: Option<(Signals, Key)>,
    warp: Option<Warp>,
    next_unix_peer: u64,
}

/// The clock is moved on at the latest after so many turns in which there was something else to do.
const MAX_BUSY_TURNS: u32 = 64;
/// So long a tape waits for a thread that had called a [`Waker`] when it was recorded.
const MAX_PATIENCE: Duration = Duration::from_secs(5);
/// Token of the wake-up descriptor and of the signals.
const OWN_TOKEN: u64 = Key::OWN.0;

impl Reactor {
    /// An empty loop on `clock`.
    pub fn new(clock: Clock, env: Environment) -> io::Result<Reactor> {
        let epoll = Epoll::new()?;
        let wake_fd = EventFd::new()?;
        epoll.add(&wake_fd, OWN_TOKEN, Interest::READ)?;
        let mut tls = Tls::default();
        tls.configure(&env.tls, &env.log);
        let mut tape = Tape::open(&env.tape, &env.log)?;
        let mut taped = None;
        if let Some(tape) = &mut tape {
            // The first turn, which has no events, says when all began.
            if tape.plays() {
                taped = tape.turn().map(|t| (t.wall, t.now));
                clock.stop();
            } else {
                let (wall, now) = (clock.wall_millis(), clock.now());
                tape.note(now, wall, &[]);
                taped = Some((wall, now));
            }
        }
        Ok(Reactor {
            tape,
            taped,
            tls,
            now: clock.now(),
            clock,
            env,
            epoll,
            ready: Vec::new(),
            timers: Timers::default(),
            again: Vec::new(),
            unwritten: Vec::new(),
            wake_fd,
            wakers: HashMap::new(),
            signals: None,
            warp: None,
            next_unix_peer: 0,
        })
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The time at which this turn began.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The wall clock, in milliseconds since 1970; with a tape, as it was when the turn began.
    pub fn wall_millis(&self) -> i64 {
        self.taped.map_or_else(|| self.clock.wall_millis(), |(wall, _)| wall)
    }

    /// A seed of random numbers: another each time, unless a tape is played.
    pub fn seed(&self) -> io::Result<[u8; tape::SEED]> {
        let mut seed = [0; tape::SEED];
        match &self.tape {
            Some(tape) => seed = tape.seed(),
            None => sys::fill_random(&mut seed)?,
        }
        Ok(seed)
    }

    /// Where what the stream or listener `name` gives is recorded, or played back from.
    pub(crate) fn track(&self, name: &str) -> io::Result<Option<Track>> {
        self.tape.as_ref().map_or(Ok(None), |tape| tape.track(name, &self.env.log))
    }

    /// Where log records go.
    pub fn log(&self) -> &Logger {
        &self.env.log
    }

    /// The directory for sockets with relative names.
    pub fn rundir(&self) -> &Path {
        &self.env.rundir
    }

    /// Changes keys and certificates; connections that are there keep theirs.
    pub fn configure_tls(&mut self, settings: &Settings) {
        self.tls.configure(settings, &self.env.log);
    }

    /// Keys and certificates for TLS.
    pub fn tls_settings(&self) -> &Settings {
        self.tls.settings()
    }

    pub(crate) fn tls_client(&mut self) -> io::Result<ClientSide> {
        self.tls.client(&self.env.log)
    }

    pub(crate) fn tls_server(&mut self) -> io::Result<Arc<ServerConfig>> {
        self.tls.server(&self.env.log)
    }

    /// Watches a descriptor for the object `key`, as long as it is ready (level-triggered). Closing the
    /// descriptor ends it.
    pub fn add(&self, fd: impl AsFd, key: Key, interest: Interest) -> io::Result<()> {
        self.epoll.add(fd, key.0, interest)
    }

    /// As [`Reactor::add`], for a descriptor that is known by its number.
    pub fn add_raw(&self, fd: i32, key: Key, interest: Interest) -> io::Result<()> {
        self.epoll.add_raw(fd, key.0, interest)
    }

    /// Changes what a descriptor is watched for.
    pub fn modify(&self, fd: impl AsFd, key: Key, interest: Interest) -> io::Result<()> {
        self.epoll.modify(fd, key.0, interest)
    }

    /// Stops watching a descriptor.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.epoll.remove(fd)
    }

    /// As [`Reactor::remove`], by number.
    pub fn remove_raw(&self, fd: i32) -> io::Result<()> {
        self.epoll.remove_raw(fd)
    }

    /// Sets the timer of `key`, which has one; `Time::NEVER` clears it.
    pub fn set_timer(&mut self, key: Key, at: Time) {
        self.timers.set(key, at);
    }

    /// When the timer of `key` is due.
    pub fn timer(&self, key: Key) -> Time {
        self.timers.deadline(key)
    }

    /// Runs `key` once more in the next turn: for an object that stopped with work left, to let others have
    /// their turn.
    pub fn again(&mut self, key: Key) {
        self.again.push(key);
    }

    /// Runs `key` in the next turn to write its output, unless it has done so by then.
    pub(crate) fn write_soon(&mut self, key: Key) {
        self.unwritten.push(key);
    }

    /// The objects of a component that have output which nobody has tried to write yet.
    pub fn unwritten(&self, component: u16) -> Vec<Key> {
        self.unwritten.iter().copied().filter(|k| k.component() == component).collect()
    }

    /// The output of `key` was written, or waits for its descriptor.
    pub(crate) fn written(&mut self, key: Key) {
        if let Some(at) = self.unwritten.iter().rposition(|k| *k == key) {
            self.unwritten.swap_remove(at);
        }
    }

    /// A handle by which other threads have `key` run.
    pub fn waker(&mut self, key: Key) -> Waker {
        let pending = self.wakers.entry(key).or_default().clone();
        Waker { pending, fd: self.wake_fd.clone() }
    }

    /// Makes the wakers of `key` idle.
    pub fn drop_waker(&mut self, key: Key) {
        self.wakers.remove(&key);
    }

    /// Tells `key` of signals from now on.
    pub fn watch_signals(&mut self, signals: &[Signal], key: Key) -> io::Result<()> {
        // The old ones give back the mask that they found: before the new ones set theirs.
        self.signals = None;
        let signals = Signals::new(signals)?;
        self.epoll.add(&signals, OWN_TOKEN, Interest::READ)?;
        self.signals = Some((signals, key));
        Ok(())
    }

    /// Moves the clock on by `total` in steps of `step`, letting everything run between steps; tells `key` of
    /// each step.
    pub fn warp(&mut self, total: Duration, step: Duration, key: Key) {
        self.warp = Some(Warp { key, left: total, step: step.max(Duration::from_millis(1)), busy_turns: 0 });
    }

    /// Whether a warp is under way.
    pub fn warping(&self) -> bool {
        self.warp.is_some()
    }

    /// A number for the name of a connection whose peer has none.
    pub(crate) fn unix_peer(&mut self) -> u64 {
        let n = self.next_unix_peer;
        self.next_unix_peer += 1;
        n
    }

    /// Blocks until something is to be done, and appends it to `events`.
    pub fn turn(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = if self.is_pressed() || !events.is_empty() {
            Some(Duration::ZERO)
        } else {
            match self.timers.next() {
                Time::NEVER => None,
                at => {
                    self.now = self.clock.now();
                    match at.since(self.now) {
                        Duration::ZERO => Some(Duration::ZERO),
                        _ if self.clock.is_stopped() => None,
                        wait => Some(wait),
                    }
                }
            }
        };
        self.gather(timeout, events)
    }

    /// As [`Reactor::turn`], but blocks for at most `limit` of real time. False if nothing came.
    pub fn turn_within(&mut self, limit: Duration, events: &mut Vec<Event>) -> io::Result<bool> {
        let mut timeout = limit;
        if self.is_pressed() {
            timeout = Duration::ZERO;
        }
        let at = self.timers.next();
        if at != Time::NEVER {
            let wait = at.since(self.clock.now());
            if wait.is_zero() || !self.clock.is_stopped() {
                timeout = timeout.min(wait);
            }
        }
        let before = events.len();
        self.gather(Some(timeout), events)?;
        Ok(events.len() > before)
    }

    /// Whether there is something to do without waiting.
    fn is_pressed(&self) -> bool {
        !self.again.is_empty() || !self.unwritten.is_empty() || self.warp.is_some()
    }

    fn gather(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        if self.tape.as_ref().is_some_and(Tape::plays) {
            return self.play(events);
        }
        let before = events.len();
        self.gather_live(timeout, events)?;
        if let Some(tape) = &mut self.tape {
            let wall = self.clock.wall_millis();
            tape.note(self.now, wall, &events[before..]);
            self.taped = Some((wall, self.now));
        }
        Ok(())
    }

    /// The next turn of the tape. Signals are real ones as well, and other threads are waited for.
    fn play(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let Some(turn) = self.tape.as_mut().and_then(Tape::turn) else { return Err(errno::eof()) };
        if let Some((_, last)) = self.taped {
            self.clock.warp(turn.now.since(last));
        }
        self.taped = Some((turn.wall, turn.now));
        self.now = self.clock.now();
        self.again.clear();
        self.unwritten.clear();
        while self.timers.pop(self.now).is_some() {}
        let wakes = turn.events.iter().any(|e| e.ready == Ready::Wake);
        let patience = if wakes { MAX_PATIENCE } else { Duration::ZERO };
        self.ready.clear();
        self.epoll.wait(Some(patience), &mut self.ready)?;
        self.own_descriptors(events)?;
        events.retain(|e| matches!(e.ready, Ready::Signal(_)));
        events.extend(turn.events);
        Ok(())
    }

    fn gather_live(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let before = events.len();
        self.ready.clear();
        self.epoll.wait(timeout, &mut self.ready)?;
        self.now = self.clock.now();
        let again = self.again.drain(..).chain(self.unwritten.drain(..));
        events.extend(again.map(|key| Event { key, ready: Ready::Again }));
        let mut own = false;
        for r in &self.ready {
            if r.token == OWN_TOKEN {
                own = true;
            } else {
                let (read, write) = (r.readable || r.hangup, r.writable || r.hangup);
                let ready = Ready::Io { read, write, hangup: r.hangup };
                events.push(Event { key: Key(r.token), ready });
            }
        }
        if own {
            self.own_descriptors(events)?;
        }
        self.expire(events);
        if let Some(warp) = &mut self.warp {
            warp.busy_turns += 1;
            if events.len() == before || warp.busy_turns >= MAX_BUSY_TURNS {
                self.step(events);
            }
        }
        Ok(())
    }

    fn own_descriptors(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        if self.wake_fd.drain() {
            let mut keys: Vec<Key> = self
                .wakers
                .iter()
                .filter(|(_, pending)| pending.swap(false, Ordering::AcqRel))
                .map(|(&key, _)| key)
                .collect();
            keys.sort_unstable();
            events.extend(keys.into_iter().map(|key| Event { key, ready: Ready::Wake }));
        }
        if let Some((signals, key)) = &self.signals {
            while let Some(signal) = signals.next()? {
                events.push(Event { key: *key, ready: Ready::Signal(signal) });
            }
        }
        Ok(())
    }

    fn expire(&mut self, events: &mut Vec<Event>) {
        while let Some(key) = self.timers.pop(self.now) {
            events.push(Event { key, ready: Ready::Timer });
        }
    }

    fn step(&mut self, events: &mut Vec<Event>) {
        let Some(warp) = &mut self.warp else { return };
        let step = warp.step.min(warp.left);
        self.clock.warp(step);
        warp.left -= step;
        warp.busy_turns = 0;
        let (key, done) = (warp.key, warp.left.is_zero());
        if done {
            self.warp = None;
        }
        self.now = self.clock.now();
        self.expire(events);
        events.push(Event { key, ready: Ready::Warp { done } });
    }
}

/// A pair of connected descriptors, for tests and for talking to oneself.
pub fn socketpair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (a, b) = std::os::unix::net::UnixStream::pair()?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    Ok((a.into(), b.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn reactor(clock: &Clock) -> Reactor {
        Reactor::new(clock.clone(), Environment::default()).unwrap()
    }

    #[test]
    fn keys() {
        let k = Key::new(7, 12345);
        assert_eq!((k.component(), k.index()), (7, 12345));
        assert_eq!(k.sibling(3), Key::new(7, 3));
    }

    #[test]
    fn io_timers_wakers() {
        let clock = Clock::real();
        let mut r = reactor(&clock);
        let (a, mut b) = UnixStream::pair().unwrap();
        r.add(&a, Key::new(1, 1), Interest::READ).unwrap();
        let mut ev = Vec::new();
        b.write_all(b"x").unwrap();
        r.turn(&mut ev).unwrap();
        assert_eq!(
            ev,
            [Event { key: Key::new(1, 1), ready: Ready::Io { read: true, write: false, hangup: false } }]
        );
        r.remove(&a).unwrap();

        ev.clear();
        r.set_timer(Key::new(2, 2), clock.now() + Duration::from_millis(5));
        r.turn(&mut ev).unwrap();
        assert_eq!(ev, [Event { key: Key::new(2, 2), ready: Ready::Timer }]);

        ev.clear();
        let w = r.waker(Key::new(3, 3));
        let t = std::thread::spawn(move || w.wake());
        r.turn(&mut ev).unwrap();
        t.join().unwrap();
        assert_eq!(ev, [Event { key: Key::new(3, 3), ready: Ready::Wake }]);

        ev.clear();
        r.again(Key::new(4, 4));
        r.turn(&mut ev).unwrap();
        assert_eq!(ev, [Event { key: Key::new(4, 4), ready: Ready::Again }]);
    }

    #[test]
    fn a_stopped_clock_does_not_spin_and_a_warp_moves_it() {
        let clock = Clock::simulated();
        let mut r = reactor(&clock);
        let start = clock.now();
        r.set_timer(Key::new(1, 1), start + Duration::from_millis(250));
        let mut ev = Vec::new();
        assert!(!r.turn_within(Duration::from_millis(5), &mut ev).unwrap());
        r.warp(Duration::from_millis(300), Duration::from_millis(100), Key::new(9, 9));
        let mut seen = Vec::new();
        while r.warping() {
            ev.clear();
            r.turn(&mut ev).unwrap();
            seen.extend(ev.iter().map(|e| (e.key.component(), (clock.now() - start).as_millis(), e.ready)));
        }
        let step = |ms, done| (9, ms, Ready::Warp { done });
        assert_eq!(seen, [step(100, false), step(200, false), (1, 300, Ready::Timer), step(300, true)]);
    }
}
