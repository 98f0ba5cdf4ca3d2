//! Counters of events, for people who ask what a daemon spends its time with (`coverage/show`).
//!
//! A component asks for a counter by name once and keeps the handle; counting is one relaxed addition. The averages
//! over 5 seconds, a minute and an hour come from samples that the daemon takes every 5 seconds.

use base::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A counter.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts one event.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `n` events.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// How many events so far.
    pub fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Default)]
struct Entry {
    counter: Counter,
    last: u64,
    /// Events in each of the last minute's samples.
    samples: VecDeque<u64>,
    /// Events in each of the last hour's minutes.
    minutes: VecDeque<u64>,
    minute: u64,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<&'static str, Entry>,
    next_sample: Option<Time>,
    samples_in_minute: usize,
}

/// The counters of one daemon. Clones share them.
#[derive(Clone, Default)]
pub struct Coverage(Arc<Mutex<Inner>>);

const SAMPLE: Duration = Duration::from_secs(5);
const SAMPLES_PER_MINUTE: usize = 12;
const MINUTES: usize = 60;

impl Coverage {
    /// No counters.
    pub fn new() -> Coverage {
        Coverage::default()
    }

    /// The counter `name`, made at the first call.
    pub fn counter(&self, name: &'static str) -> Counter {
        self.lock().entries.entry(name).or_default().counter.clone()
    }

    /// Takes over the total of something that is counted elsewhere.
    pub fn mirror(&self, name: &'static str, total: u64) {
        self.counter(name).0.fetch_max(total, Relaxed);
    }

    /// The total of counter `name`.
    pub fn read(&self, name: &str) -> Option<u64> {
        self.lock().entries.get(name).map(|e| e.counter.total())
    }

    /// Takes samples that are due; returns when the next one is.
    pub fn run(&self, now: Time) -> Time {
        let mut inner = self.lock();
        let mut next = inner.next_sample.unwrap_or(now + SAMPLE);
        // After a long pause (or warp) all that matters is that the window is past.
        let mut left = SAMPLES_PER_MINUTE * (MINUTES + 2);
        while next <= now && left > 0 {
            inner.sample();
            next += SAMPLE;
            left -= 1;
        }
        if next <= now {
            next = now + SAMPLE;
        }
        inner.next_sample = Some(next);
        next
    }

    /// The reply of `coverage/show`.
    pub fn show(&self, now: Time) -> String {
        self.run(now);
        let inner = self.lock();
        let hit: Vec<_> = inner.entries.iter().filter(|(_, e)| e.counter.total() > 0).collect();
        let hash = hit.iter().fold(0u32, |h, (name, _)| {
            name.bytes().fold(h, |h, b| h.rotate_left(5).wrapping_mul(0x9e37_79b1) ^ b as u32)
        });
        // Writing to a String cannot fail.
        let mut s = String::new();
        let _ = writeln!(
            s,
            "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash={hash:08x}:"
        );
        for (name, e) in &hit {
            let second = e.samples.back().copied().unwrap_or(0) as f64 / SAMPLE.as_secs_f64();
            let minute = e.samples.iter().sum::<u64>() as f64 / 60.0;
            let hour = (e.minutes.iter().sum::<u64>() + e.minute) as f64 / 3600.0;
            let _ = writeln!(
                s,
                "{name:<24} {second:>5.1}/sec {minute:>9.3}/sec {hour:>13.4}/sec   total: {}",
                e.counter.total()
            );
        }
        let _ = writeln!(s, "{} events never hit", inner.entries.len() - hit.len());
        s
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn sample(&mut self) {
        self.samples_in_minute += 1;
        let whole_minute = self.samples_in_minute >= SAMPLES_PER_MINUTE;
        for e in self.entries.values_mut() {
            let total = e.counter.total();
            let events = total - e.last;
            e.last = total;
            push(&mut e.samples, events, SAMPLES_PER_MINUTE);
            e.minute += events;
            if whole_minute {
                let minute = std::mem::take(&mut e.minute);
                push(&mut e.minutes, minute, MINUTES);
            }
        }
        if whole_minute {
            self.samples_in_minute = 0;
        }
    }
}

fn push(window: &mut VecDeque<u64>, value: u64, limit: usize) {
    if window.len() == limit {
        window.pop_front();
    }
    window.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_averages() {
        let c = Coverage::new();
        let hits = c.counter("txn_success");
        c.counter("never");
        c.run(Time::ZERO);
        hits.add(50);
        let text = c.show(Time::from_millis(5000));
        let mut lines = text.lines();
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=")
        );
        assert_eq!(
            lines.next(),
            Some("txn_success               10.0/sec     0.833/sec        0.0139/sec   total: 50")
        );
        assert_eq!(lines.next(), Some("1 events never hit"));
        assert_eq!(c.read("txn_success"), Some(50));
        assert_eq!(c.read("x"), None);
        c.run(Time::from_millis(100_000_000));
        assert!(
            c.show(Time::from_millis(100_000_000))
                .contains("  0.0/sec     0.000/sec        0.0000/sec   total: 50")
        );
    }
}
