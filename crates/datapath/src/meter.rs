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

/// What becomes of what exceeds a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It is dropped.
    Drop,
    /// Its drop precedence is raised by so many levels, if its DSCP has one.
    Remark(u8),
}

/// A band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Units per second.
    pub rate: u32,
    /// Units at once; 0 is a second's worth.
    pub burst: u32,
    /// What becomes of what exceeds it.
    pub excess: Excess,
}

/// Counters of a meter.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MeterStats {
    /// Packets that came in.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets and bytes that exceeded each band.
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

    /// Runs a packet through. Of several bands that it exceeds, the one with the highest rate acts.
    pub fn pass(&self, bytes: u64, now: Time) -> Result<(), Excess> {
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
        let Some(b) = worst else { return Ok(()) };
        b.packets.fetch_add(1, Relaxed);
        b.bytes.fetch_add(bytes, Relaxed);
        Err(b.band.excess)
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

/// A DSCP with its drop precedence raised by some levels, for the classes of assured forwarding (RFC 2597): three
/// bits of class, two of precedence, 1 to 3. Others have none.
pub fn raised_precedence(dscp: u8, levels: u8) -> u8 {
    let (class, precedence) = (dscp >> 3, dscp >> 1 & 3);
    if !(1..=4).contains(&class) || precedence == 0 || dscp & 1 != 0 {
        return dscp;
    }
    class << 3 | precedence.saturating_add(levels).min(3) << 1
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

    fn dropping(n: u32) -> Band {
        Band { rate: n, burst: n, excess: Excess::Drop }
    }

    #[test]
    fn remarking() {
        let t = Time(5_000_000_000);
        let remark = Band { rate: 1, burst: 1, excess: Excess::Remark(1) };
        let drop = Band { rate: 2, burst: 2, excess: Excess::Drop };
        let m = Meter::new(MeterUnit::Pktps, &[remark, drop], t);
        let seen: Vec<_> = (0..4).map(|_| m.pass(60, t)).collect();
        assert_eq!(seen, [Ok(()), Err(Excess::Remark(1)), Err(Excess::Drop), Err(Excess::Drop)]);
        // AF11 to AF12 and on to AF13; AF43; what has no precedence: best effort, CS1, EF.
        let cases = [(10, 1, 12), (10, 2, 14), (12, 9, 14), (38, 1, 38), (0, 1, 0), (8, 1, 8), (46, 1, 46)];
        for (dscp, levels, want) in cases {
            assert_eq!(raised_precedence(dscp, levels), want, "{dscp} by {levels}");
        }
    }

    #[test]
    fn packets_per_second() {
        let t = Time(5_000_000_000);
        let m = Meter::new(MeterUnit::Pktps, &[Band { rate: 10, burst: 3, excess: Excess::Drop }], t);
        let passed = (0..5).filter(|_| m.pass(60, t).is_ok()).count();
        assert_eq!(passed, 3);
        assert!(m.pass(60, t + Duration::from_millis(100)).is_ok());
        assert!(m.pass(60, t + Duration::from_millis(100)).is_err());
        assert_eq!(m.stats(), MeterStats { packets: 7, bytes: 420, bands: vec![(3, 180)] });
    }

    #[test]
    fn kilobits_and_the_highest_band_exceeded() {
        let t = Time(5_000_000_000);
        let bands = [dropping(8), dropping(16)];
        let m = Meter::new(MeterUnit::Kbps, &bands, t);
        assert!(m.pass(1000, t).is_ok());
        assert!(m.pass(1000, t).is_err(), "the first band has 8 kbit");
        assert!(m.pass(1000, t).is_err());
        assert_eq!(m.stats().bands, [(1, 1000), (1, 1000)]);
        assert!(Meter::new(MeterUnit::Kbps, &[dropping(0)], t).pass(1, t).is_err());
    }
}
