//! Meters: their configuration and counters. The packets are metered in the datapath.

use crate::group::Pair;
use base::{MeterId, Time};
use openflow::msg::{MeterBandStats, MeterConfig, MeterStats};

/// Counters of a meter; may be written from any thread.
#[derive(Debug)]
pub struct MeterCounters {
    /// What came in.
    pub total: Pair,
    /// What exceeded each band.
    pub bands: Box<[Pair]>,
}

/// A meter. Immutable but for its counters.
#[derive(Debug)]
pub struct Meter {
    /// Its number and bands.
    pub config: MeterConfig,
    /// When it was added.
    pub created: Time,
    /// Counters.
    pub counters: MeterCounters,
}

impl Meter {
    /// A fresh meter.
    pub fn new(config: MeterConfig, now: Time) -> Meter {
        let bands = config.bands.iter().map(|_| Pair::default()).collect();
        Meter { config, created: now, counters: MeterCounters { total: Pair::default(), bands } }
    }

    /// Its number.
    pub fn id(&self) -> MeterId {
        self.config.meter
    }

    /// Its statistics, given how many flows use it.
    pub fn stats(&self, flow_count: u32, now: Time) -> MeterStats {
        let (packet_in_count, byte_in_count) = self.counters.total.get();
        let (duration_sec, duration_nsec) = crate::age::on_the_wire(self.created, now);
        MeterStats {
            meter: self.id(),
            flow_count,
            packet_in_count,
            byte_in_count,
            duration_sec,
            duration_nsec,
            bands: self
                .counters
                .bands
                .iter()
                .map(|b| {
                    let (packet_count, byte_count) = b.get();
                    MeterBandStats { packet_count, byte_count }
                })
                .collect(),
        }
    }
}
