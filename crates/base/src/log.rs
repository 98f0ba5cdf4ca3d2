//! Logging as a value.
//!
//! A [`Logger`] is a handle to wherever records go (the daemon's vlog, a test's vector, nowhere). Records have
//! a *module* and a *level*, both part of the interface: operators set levels by module (`vlog/set`) and tools
//! watch for records of level WARN and above.
//!
//! ```
//! let log = base::Logger::none();
//! base::info!(log, "bridge", "bridge {}: added interface {}", "br0", "eth0");
//! ```

use crate::Time;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Severity, most severe first, as `vlog/set` names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// A high-level failure that makes the program exit.
    Emer,
    /// An operation failed; automatic recovery may not be possible.
    Err,
    /// A low-level failure that the program gets over.
    Warn,
    /// Useful to an operator.
    Info,
    /// For debugging only.
    Dbg,
}

/// Where log records go.
pub trait LogSink: Send + Sync {
    /// Whether a record would go anywhere: checked before a message is formatted.
    fn enabled(&self, module: &'static str, level: Level) -> bool;
    /// Takes a record.
    fn log(&self, module: &'static str, level: Level, message: fmt::Arguments<'_>);
    /// Whether rate limits apply to this module (`vlog/disable-rate-limit`).
    fn rate_limited(&self, _module: &'static str) -> bool {
        true
    }
    /// The time that rate limits run on.
    fn now(&self) -> Time;
}

/// A handle to a [`LogSink`], or to nothing.
#[derive(Clone, Default)]
pub struct Logger(Option<Arc<dyn LogSink>>);

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logger")
    }
}

impl Logger {
    /// Records vanish.
    pub const fn none() -> Logger {
        Logger(None)
    }

    /// Records go to `sink`.
    pub fn new(sink: Arc<dyn LogSink>) -> Logger {
        Logger(Some(sink))
    }

    /// Whether a record of this module and level would go anywhere.
    pub fn enabled(&self, module: &'static str, level: Level) -> bool {
        self.0.as_ref().is_some_and(|s| s.enabled(module, level))
    }

    /// Writes a record. Use the macros ([`crate::warn!`] and so on), which check [`Logger::enabled`] first.
    pub fn write(&self, module: &'static str, level: Level, message: fmt::Arguments<'_>) {
        if let Some(s) = &self.0 {
            s.log(module, level, message);
        }
    }

    /// Writes a record unless `limit` says that there were too many; says how many were dropped meanwhile.
    pub fn write_limited(
        &self,
        limit: &RateLimit,
        module: &'static str,
        level: Level,
        message: fmt::Arguments<'_>,
    ) {
        let Some(s) = &self.0 else { return };
        if !s.rate_limited(module) {
            return s.log(module, level, message);
        }
        let now = s.now();
        if !limit.take(now) {
            return;
        }
        s.log(module, level, message);
        let dropped = limit.dropped.swap(0, Relaxed);
        if dropped > 0 {
            let first = Time(limit.first_dropped.load(Relaxed));
            let last = Time(limit.last_dropped.load(Relaxed));
            s.log(
                module,
                level,
                format_args!(
                    "Dropped {dropped} log messages in last {} seconds (most recently, {} seconds ago) due to excessive rate",
                    now.since(first).as_secs(),
                    now.since(last).as_secs()
                ),
            );
        }
    }
}

/// A token bucket for one kind of log record.
#[derive(Debug)]
pub struct RateLimit {
    interval: u64,
    burst: u64,
    /// The time at which the bucket would be full, in ns: tokens are `(now + burst*interval - full_at)/interval`.
    full_at: AtomicU64,
    dropped: AtomicU64,
    first_dropped: AtomicU64,
    last_dropped: AtomicU64,
}

impl RateLimit {
    /// At most `per_minute` records on average, `burst` at once.
    pub const fn new(per_minute: u32, burst: u32) -> RateLimit {
        RateLimit {
            interval: 60_000_000_000 / per_minute as u64,
            burst: burst as u64,
            full_at: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            first_dropped: AtomicU64::new(0),
            last_dropped: AtomicU64::new(0),
        }
    }

    fn take(&self, now: Time) -> bool {
        let full_at = self.full_at.load(Relaxed).max(now.0);
        if full_at - now.0 + self.interval > self.burst * self.interval {
            if self.dropped.fetch_add(1, Relaxed) == 0 {
                self.first_dropped.store(now.0, Relaxed);
            }
            self.last_dropped.store(now.0, Relaxed);
            return false;
        }
        self.full_at.store(full_at + self.interval, Relaxed);
        true
    }
}

/// Writes a record of a given level: `record!(log, Level::Warn, "module", "format", args...)`.
#[macro_export]
macro_rules! record {
    ($log:expr, $level:expr, $module:expr, $($arg:tt)+) => {{
        let log: &$crate::Logger = &$log;
        if log.enabled($module, $level) {
            log.write($module, $level, format_args!($($arg)+));
        }
    }};
}

/// Writes a record of level ERR.
#[macro_export]
macro_rules! error { ($log:expr, $m:expr, $($a:tt)+) => { $crate::record!($log, $crate::Level::Err, $m, $($a)+) } }
/// Writes a record of level WARN.
#[macro_export]
macro_rules! warn { ($log:expr, $m:expr, $($a:tt)+) => { $crate::record!($log, $crate::Level::Warn, $m, $($a)+) } }
/// Writes a record of level INFO.
#[macro_export]
macro_rules! info { ($log:expr, $m:expr, $($a:tt)+) => { $crate::record!($log, $crate::Level::Info, $m, $($a)+) } }
/// Writes a record of level DBG.
#[macro_export]
macro_rules! debug { ($log:expr, $m:expr, $($a:tt)+) => { $crate::record!($log, $crate::Level::Dbg, $m, $($a)+) } }

/// A token bucket over a switch's clock: `burst` at once, one more every `interval`.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    interval: Duration,
    burst: u64,
    tokens: u64,
    last: Time,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that gains one every `interval`.
    pub fn new(interval: Duration, burst: u64, now: Time) -> TokenBucket {
        TokenBucket { interval, burst, tokens: burst, last: now }
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Time) -> bool {
        let step = (self.interval.as_nanos() as u64).max(1);
        let gained = now.since(self.last).as_nanos() as u64 / step;
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(self.burst);
            self.last = Time(self.last.0 + gained * step);
        }
        let ok = self.tokens > 0;
        self.tokens -= ok as u64;
        ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limit_lets_a_burst_through_and_recovers() {
        let r = RateLimit::new(60, 3);
        let now = Time(1_000_000_000_000);
        assert!(r.take(now) && r.take(now) && r.take(now));
        assert!(!r.take(now));
        assert_eq!(r.dropped.load(Relaxed), 1);
        assert!(r.take(now + Duration::from_secs(1)));
        assert!(!r.take(now + Duration::from_secs(1)));
    }

    #[test]
    fn token_bucket() {
        let mut b = TokenBucket::new(Duration::from_secs(1), 2, Time::ZERO);
        assert!(b.take(Time::ZERO) && b.take(Time::ZERO) && !b.take(Time::ZERO));
        assert!(b.take(Time::ZERO + Duration::from_millis(1500)));
        assert!(b.take(Time::ZERO + Duration::from_millis(2000)));
    }
}
