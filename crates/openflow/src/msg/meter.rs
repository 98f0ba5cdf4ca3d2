//! Meters: mod, configuration, statistics, features.

use base::MeterId;

/// What a meter-mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum MeterModCommand {
    /// Add.
    Add = 0,
    /// Change.
    Modify = 1,
    /// Delete one or all.
    Delete = 2,
}

/// What a band does with what exceeds its rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MeterBandKind {
    /// Drop it.
    Drop,
    /// Lower its DSCP drop precedence by `prec_level`.
    DscpRemark {
        /// How many levels.
        prec_level: u8,
    },
}

/// A band.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeterBand {
    /// What it does.
    pub kind: MeterBandKind,
    /// In kb/s or packets/s.
    pub rate: u32,
    /// In kb or packets.
    pub burst_size: u32,
}

/// A meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterConfig {
    /// Its number.
    pub meter: MeterId,
    /// Bits.
    pub flags: u16,
    /// Its bands.
    pub bands: Vec<MeterBand>,
}

impl MeterConfig {
    /// Rates are in kb/s.
    pub const KBPS: u16 = 1 << 0;
    /// Rates are in packets/s.
    pub const PKTPS: u16 = 1 << 1;
    /// Burst sizes are given.
    pub const BURST: u16 = 1 << 2;
    /// Collect statistics.
    pub const STATS: u16 = 1 << 3;
    /// Last ordinary meter.
    pub const MAX: MeterId = MeterId(0xffff_0000);
    /// The slow path's meter.
    pub const SLOWPATH: MeterId = MeterId(0xffff_fffd);
    /// The controller connection's meter.
    pub const CONTROLLER: MeterId = MeterId(0xffff_fffe);
    /// All meters.
    pub const ALL: MeterId = MeterId(0xffff_ffff);
}

/// A meter-mod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterMod {
    /// What to do.
    pub command: MeterModCommand,
    /// To which meter.
    pub config: MeterConfig,
}

/// Counters of a band.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeterBandStats {
    /// Packets in the band.
    pub packet_count: u64,
    /// Bytes in the band.
    pub byte_count: u64,
}

/// Counters of a meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterStats {
    /// The meter.
    pub meter: MeterId,
    /// Flows that use it.
    pub flow_count: u32,
    /// Packets.
    pub packet_in_count: u64,
    /// Bytes.
    pub byte_in_count: u64,
    /// Age, seconds.
    pub duration_sec: u32,
    /// And nanoseconds.
    pub duration_nsec: u32,
    /// Its bands.
    pub bands: Vec<MeterBandStats>,
}

/// What meters can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeterFeatures {
    /// Most meters.
    pub max_meters: u32,
    /// Bit n: band type n.
    pub band_types: u32,
    /// Flags that are supported.
    pub capabilities: u32,
    /// Most bands of a meter.
    pub max_bands: u8,
    /// Most colours.
    pub max_color: u8,
}
