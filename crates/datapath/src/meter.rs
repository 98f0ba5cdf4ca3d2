//! Meters: token buckets shared by all engines, without a lock.
//!
//! A bucket is kept as the one time at which it would be full again (the generic cell rate algorithm), so that taking
//! from it is one compare-and-swap whoever else takes at the same moment.

use base::Time;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a meter's rates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterUnit {
    /// Thousands of bits per second.
    Kbps,
    /// Packets per second.
    Pktps,
}

/// A band: what exceeds it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Units per second.
    pub rate: u32,
    /// Units at once; 0 is a second's worth.
    pub burst: u32,
}

/// Counters of a meter.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MeterStats {
    /// Packets that came in.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets and bytes that each band dropped.
    pub bands: Vec<(u64, u64)>,
}

struct Bucket {
    band: Band,
    /// When the bucket will be full, in ns.
    full_at: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// A meter.
pub struct Meter {
    unit: MeterUnit,
    bands: Vec<Bucket>,
    packets: AtomicU64,
    bytes: AtomicU64,
    /// When it was made.
    pub created: Time,
}

impl Meter {
    /// A meter with full buckets.
    pub fn new(unit: MeterUnit, bands: &[Band], now: Time) -> Meter {
        let bands = bands
            .iter()
            .map(|b| Bucket {
                band: *b,
                full_at: AtomicU64::new(0),
                packets: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            })
            .collect();
        Meter { unit, bands, packets: AtomicU64::new(0), bytes: AtomicU64::new(0), created: now }
    }

    /// Runs a packet through; `false`: drop it. Of several bands that it exceeds, the one with the highest rate acts.
    pub fn pass(&self, bytes: u64, now: Time) -> bool {
        self.packets.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        let units = match self.unit {
            MeterUnit::Pktps => 1_000,
            MeterUnit::Kbps => bytes * 8,
        };
        let mut worst: Option<&Bucket> = None;
        for b in &self.bands {
            if !b.take(units, now) && worst.is_none_or(|w| b.band.rate > w.band.rate) {
                worst = Some(b);
            }
        }
        if let Some(b) = worst {
            b.packets.fetch_add(1, Relaxed);
            b.bytes.fetch_add(bytes, Relaxed);
        }
        worst.is_none()
    }

    /// The counters.
    pub fn stats(&self) -> MeterStats {
        MeterStats {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            bands: self.bands.iter().map(|b| (b.packets.load(Relaxed), b.bytes.load(Relaxed))).collect(),
        }
    }
}

impl Bucket {
    /// Takes `milli` thousandths of a unit, if they are there.
    fn take(&self, milli: u64, now: Time) -> bool {
        if self.band.rate == 0 {
            return false;
        }
        let rate = u64::from(self.band.rate);
        let burst = if self.band.burst == 0 { rate } else { u64::from(self.band.burst) };
        let cost = milli.saturating_mul(1_000_000) / rate;
        let depth = burst.saturating_mul(1_000_000_000) / rate;
        let mut full_at = self.full_at.load(Relaxed);
        loop {
            let next = full_at.max(now.0).saturating_add(cost);
            if next - now.0 > depth {
                return false;
            }
            match self.full_at.compare_exchange_weak(full_at, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(seen) => full_at = seen,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn packets_per_second() {
        let t = Time(5_000_000_000);
        let m = Meter::new(MeterUnit::Pktps, &[Band { rate: 10, burst: 3 }], t);
        let passed = (0..5).filter(|_| m.pass(60, t)).count();
        assert_eq!(passed, 3);
        assert!(m.pass(60, t + Duration::from_millis(100)));
        assert!(!m.pass(60, t + Duration::from_millis(100)));
        assert_eq!(m.stats(), MeterStats { packets: 7, bytes: 420, bands: vec![(3, 180)] });
    }

    #[test]
    fn kilobits_and_the_highest_band_exceeded() {
        let t = Time(5_000_000_000);
        let bands = [Band { rate: 8, burst: 8 }, Band { rate: 16, burst: 16 }];
        let m = Meter::new(MeterUnit::Kbps, &bands, t);
        assert!(m.pass(1000, t));
        assert!(!m.pass(1000, t), "the first band has 8 kbit");
        assert!(!m.pass(1000, t));
        assert_eq!(m.stats().bands, [(1, 1000), (1, 1000)]);
        assert!(!Meter::new(MeterUnit::Kbps, &[Band { rate: 0, burst: 0 }], t).pass(1, t));
    }
}
