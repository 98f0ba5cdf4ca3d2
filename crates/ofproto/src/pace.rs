//! Pacing of packet-ins: no more per second than a controller was promised, and no port starves another.
//!
//! What exceeds the rate waits, by the port where it came in; ports take turns. When all that may wait is waiting, the
//! port with most gives up its oldest. Misses and packets that actions send are paced apart, so that a flood of
//! the one does not hide the other.

use base::log::TokenBucket;
use base::{OfPort, Time};
use openflow::Message;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What became of packets so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PaceCounts {
    /// Sent at once.
    pub bypassed: u64,
    /// Made to wait.
    pub queued: u64,
    /// Of these, given up.
    pub dropped: u64,
    /// Waiting now.
    pub backlog: u64,
}

/// Pacing of one kind of packet-in of one connection.
#[derive(Debug)]
pub struct Pace {
    bucket: TokenBucket,
    interval: Duration,
    burst: usize,
    waiting: BTreeMap<OfPort, VecDeque<Message>>,
    /// The port whose turn was last.
    turn: Option<OfPort>,
    counts: PaceCounts,
    /// When a token may have come.
    due: Time,
}

impl Pace {
    /// `rate` packets per second, of which `burst` at once; as many may wait.
    pub fn new(rate: u32, burst: u32, now: Time) -> Pace {
        let interval = Duration::from_secs(1) / rate.max(1);
        Pace {
            bucket: TokenBucket::new(interval, u64::from(burst.max(1)), now),
            interval,
            burst: burst.max(1) as usize,
            waiting: BTreeMap::new(),
            turn: None,
            counts: PaceCounts::default(),
            due: Time::NEVER,
        }
    }

    /// A packet-in: gives it back if it may go at once.
    pub fn offer(&mut self, port: OfPort, message: Message, now: Time) -> Option<Message> {
        if self.waiting.is_empty() && self.bucket.take(now) {
            self.counts.bypassed += 1;
            return Some(message);
        }
        if self.counts.backlog as usize >= self.burst {
            self.give_up();
        }
        self.counts.queued += 1;
        self.counts.backlog += 1;
        self.waiting.entry(port).or_default().push_back(message);
        if self.due == Time::NEVER {
            self.due = now + self.interval;
        }
        None
    }

    /// The next packet-in whose time has come.
    pub fn next(&mut self, now: Time) -> Option<Message> {
        if self.waiting.is_empty() || !self.bucket.take(now) {
            self.due = if self.waiting.is_empty() { Time::NEVER } else { now + self.interval };
            return None;
        }
        let after = self.turn.and_then(|t| {
            let rest = (std::ops::Bound::Excluded(t), std::ops::Bound::Unbounded);
            self.waiting.range(rest).next().map(|(p, _)| *p)
        });
        let port = after.or_else(|| self.waiting.keys().next().copied())?;
        self.turn = Some(port);
        self.take(port)
    }

    /// When [`Pace::next`] may have something.
    pub fn next_deadline(&self) -> Time {
        self.due
    }

    /// What became of packets so far.
    pub fn counts(&self) -> PaceCounts {
        self.counts
    }

    fn give_up(&mut self) {
        let longest = self.waiting.iter().max_by_key(|(_, q)| q.len()).map(|(p, _)| *p);
        if let Some(port) = longest
            && self.take(port).is_some()
        {
            self.counts.dropped += 1;
        }
    }

    fn take(&mut self, port: OfPort) -> Option<Message> {
        let queue = self.waiting.get_mut(&port)?;
        let message = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&port);
        }
        self.counts.backlog -= u64::from(message.is_some());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(n: u8) -> Message {
        Message::EchoRequest(vec![n])
    }

    #[test]
    fn bursts_waits_takes_turns_and_gives_up() {
        let mut now = Time::from_millis(1_000_000);
        let mut p = Pace::new(100, 3, now);
        for n in 0..3 {
            assert_eq!(p.offer(OfPort(1), packet(n), now), Some(packet(n)));
        }
        assert_eq!(p.next_deadline(), Time::NEVER);
        for n in 10..13 {
            assert_eq!(p.offer(OfPort(1), packet(n), now), None);
        }
        // The port with most gives up its oldest for another's.
        assert_eq!(p.offer(OfPort(2), packet(20), now), None);
        assert_eq!(p.counts(), PaceCounts { bypassed: 3, queued: 4, dropped: 1, backlog: 3 });
        assert_eq!(p.next(now), None);
        let mut got = Vec::new();
        while p.next_deadline() != Time::NEVER {
            now = p.next_deadline();
            got.extend(std::iter::from_fn(|| p.next(now)));
        }
        assert_eq!(got, [packet(11), packet(20), packet(12)]);
        assert_eq!(now, Time::from_millis(1_000_030), "one each 10 ms");
        assert_eq!(p.counts().backlog, 0);
    }
}
