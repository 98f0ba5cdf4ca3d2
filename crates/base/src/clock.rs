//! The clock. Every timer in the switch hangs on [`Clock::now`], so that `time/stop` and `time/warp` move all
//! of them, and tests drive hours of protocol in microseconds.
//!
//! A [`Clock`] is a cheap handle shared by all threads of one switch. A machine never holds one: it is told
//! the time as an argument.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on a switch's monotonic clock, in nanoseconds since an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// Before everything.
    pub const ZERO: Time = Time(0);
    /// After everything: "no deadline".
    pub const NEVER: Time = Time(u64::MAX);

    /// Milliseconds since the clock's start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// From milliseconds since the clock's start.
    pub const fn from_millis(ms: u64) -> Time {
        Time(ms.saturating_mul(1_000_000))
    }

    /// Time elapsed since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, o: Time) -> Duration {
        self.since(o)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

struct Inner {
    start: Instant,
    /// Where the clock began: a real clock starts a day in, so that "an hour ago" exists.
    base: u64,
    /// Total time added by warps, minus time that passed while stopped.
    skew: AtomicU64,
    stopped: AtomicBool,
    frozen: AtomicU64,
}

/// A switch's clock: monotonic time that can be stopped and warped, and the wall clock (which cannot).
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

impl Default for Clock {
    fn default() -> Self {
        Clock::real()
    }
}

impl Clock {
    /// A clock that follows the machine's monotonic clock.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn real() -> Clock {
        Clock(Arc::new(Inner {
            start: Instant::now(),
            base: 86_400_000_000_000,
            skew: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            frozen: AtomicU64::new(0),
        }))
    }

    /// A clock that only moves by [`Clock::warp`].
    pub fn simulated() -> Clock {
        let clock = Clock::real();
        clock.stop();
        clock
    }

    fn raw(&self) -> u64 {
        let i = &self.0;
        let elapsed = u64::try_from(i.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        i.base.wrapping_add(elapsed).wrapping_add(i.skew.load(Relaxed))
    }

    /// The present on the monotonic clock.
    pub fn now(&self) -> Time {
        if self.0.stopped.load(Relaxed) { Time(self.0.frozen.load(Relaxed)) } else { Time(self.raw()) }
    }

    /// Stops the monotonic clock: from now on it moves only by [`Clock::warp`] (`time/stop`).
    pub fn stop(&self) {
        if !self.0.stopped.load(Relaxed) {
            self.0.frozen.store(self.raw(), Relaxed);
            self.0.stopped.store(true, Relaxed);
        }
    }

    /// Whether the clock is stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Relaxed)
    }

    /// Moves the clock forward by `d` (one step of `time/warp`).
    pub fn warp(&self, d: Duration) {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        if self.is_stopped() {
            self.0.frozen.fetch_add(ns, Relaxed);
        } else {
            self.0.skew.fetch_add(ns, Relaxed);
        }
    }

    /// The wall clock: milliseconds since the Unix epoch (shifted by nothing; for log stamps and file records).
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn wall_millis(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(d) => d.as_millis() as i64,
            Err(e) => -(e.duration().as_millis() as i64),
        }
    }

    /// The machine's monotonic clock, which nothing stops: for measuring CPU-side durations and for waiting
    /// on other processes.
    pub fn real_now(&self) -> Time {
        Time(u64::try_from(self.0.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_and_warps() {
        let c = Clock::simulated();
        let t = c.now();
        assert_eq!(c.now(), t);
        c.warp(Duration::from_secs(5));
        assert_eq!(c.now() - t, Duration::from_secs(5));
        assert_eq!(t.since(c.now()), Duration::ZERO);
    }
}
