//! When a polling thread naps: letting packets gather at moderate load.
//!
//! Between an idle thread, which sleeps until a packet wakes it, and one that is overloaded, which never has to wait,
//! lies the load at which packets come every few microseconds. Whoever looks again at once handles them one by one,
//! with a system call each to send, and burns a whole core on a fraction of the load that it could carry. A nap of
//! some tens of microseconds gathers a batch, and costs less than the calls that it saves.
//!
//! Nobody notices the delay who sends that much; but a lone request and its reply must not wait. So the rate of the
//! last millisecond decides: below [`FEWEST`] there are no naps. Nor are there any where frames come that are still to
//! be segmented: each stands for dozens, and a sender waits for it.

use base::Time;
use std::time::Duration;

/// How long a rate is measured.
const WINDOW: u64 = 1_000_000;
/// Packets per window from which on it naps: 50,000 a second.
const FEWEST: u64 = 50;
/// Packets that a nap is to gather.
const WANTED: u64 = 24;
/// Bytes of a packet, on average, from which on packets are gathered enough.
const LARGE: u64 = 4_000;
/// Naps in nanoseconds, at least and at most.
const SHORTEST: u64 = 20_000;
const LONGEST: u64 = 60_000;

/// The rate at which packets come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    began: u64,
    packets: u64,
    bytes: u64,
    /// Packets per window, of the last whole one.
    rate: u64,
}

impl Pace {
    /// A round that began at `now` brought so many packets. Gives the nap to take after it.
    pub(crate) fn round(&mut self, now: Time, packets: usize, bytes: usize, full: bool) -> Option<Duration> {
        self.packets += packets as u64;
        self.bytes += bytes as u64;
        let took = now.0.saturating_sub(self.began);
        if took >= WINDOW {
            self.rate = (u128::from(self.packets) * u128::from(WINDOW) / u128::from(took)) as u64;
            if self.bytes > self.packets * LARGE {
                self.rate = 0;
            }
            (self.began, self.packets, self.bytes) = (now.0, 0, 0);
        }
        // More is there already.
        if full || self.rate < FEWEST {
            return None;
        }
        Some(Duration::from_nanos((WANTED * WINDOW / self.rate).clamp(SHORTEST, LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The naps of a second of packets at an even rate, and how many rounds there were.
    fn second(per_second: u64, batch_limit: u64, size: usize) -> (u64, u64, u64) {
        let mut p = Pace::default();
        let (mut now, mut taken, mut naps, mut rounds, mut longest) = (0u64, 0u64, 0, 0, 0);
        while now < 1_000_000_000 {
            let there = now * per_second / 1_000_000_000;
            let n = (there - taken).min(batch_limit);
            taken += n;
            rounds += 1;
            now += 1_000 + 500 * n;
            match p.round(Time(now), n as usize, n as usize * size, n == batch_limit) {
                Some(d) => {
                    naps += 1;
                    longest = longest.max(d.as_nanos() as u64);
                    now += d.as_nanos() as u64;
                }
                // Sleeps until the next packet.
                None if n == 0 => now = now.max((taken + 1) * 1_000_000_000 / per_second),
                None => {}
            }
        }
        (naps, rounds, longest)
    }

    #[test]
    fn moderate_load_gathers_and_little_load_does_not_wait() {
        assert_eq!(second(1_000, 32, 60).0, 0);
        assert_eq!(second(20_000, 32, 60).0, 0);
        assert_eq!(second(100_000, 32, 32_000).0, 0);
        let (naps, rounds, longest) = second(100_000, 32, 1500);
        assert!(naps > 10_000 && rounds < 20_000 && longest <= LONGEST, "{naps} {rounds} {longest}");
        let (_, rounds, _) = second(400_000, 32, 60);
        assert!(rounds < 30_000, "{rounds}");
    }

    #[test]
    fn overload_never_naps_once_rounds_are_full() {
        let mut p = Pace::default();
        for i in 0..10_000u64 {
            assert_eq!(p.round(Time(i * 20_000), 32, 1920, true), None);
        }
    }
}
