//! Meters: mod, configuration, statistics, features.

use super::Message;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
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

fn put_bands(o: &mut Vec<u8>, bands: &[MeterBand]) {
    for b in bands {
        let (kind, prec) = match b.kind {
            MeterBandKind::Drop => (1, 0),
            MeterBandKind::DscpRemark { prec_level } => (2, prec_level),
        };
        o.u16(kind);
        o.u16(16);
        o.u32(b.rate);
        o.u32(b.burst_size);
        o.u8(prec);
        o.zeros(3);
    }
}

fn pull_bands(r: &mut Reader<'_>) -> Decode<Vec<MeterBand>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let left = r.len();
        let kind = r.u16()?;
        let len = usize::from(r.u16()?);
        if len > left || len < 12 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
        if !matches!(kind, 1 | 2) {
            return Err(OfpErr::OFPMMFC_BAD_BAND.into());
        }
        if len != 16 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
        let (rate, burst_size) = (r.u32()?, r.u32()?);
        let prec_level = r.u8()?;
        r.skip(3)?;
        let kind = if kind == 1 { MeterBandKind::Drop } else { MeterBandKind::DscpRemark { prec_level } };
        out.push(MeterBand { kind, rate, burst_size });
    }
    Ok(out)
}

pub(crate) fn put_mod(e: &mut Enc<'_>, m: &MeterMod) -> Encode {
    e.put(Kind::OfptMeterMod, |o| {
        o.u16(m.command as u16);
        o.u16(m.config.flags);
        o.u32(m.config.meter.0);
        put_bands(o, &m.config.bands);
    })
}

pub(crate) fn decode_mod(r: &mut Reader<'_>) -> Decode<Message> {
    let command = match r.u16()? {
        0 => MeterModCommand::Add,
        1 => MeterModCommand::Modify,
        2 => MeterModCommand::Delete,
        _ => return Err(OfpErr::OFPMMFC_BAD_COMMAND.into()),
    };
    let flags = r.u16()?;
    let meter = MeterId(r.u32()?);
    let mut config = MeterConfig { meter, flags, bands: Vec::new() };
    if command == MeterModCommand::Delete {
        config.flags = 0;
    } else {
        if flags & MeterConfig::KBPS != 0 && flags & MeterConfig::PKTPS != 0 {
            return Err(OfpErr::OFPMMFC_BAD_FLAGS.into());
        }
        config.bands = pull_bands(r)?;
    }
    Ok(Message::MeterMod(Box::new(MeterMod { command, config })))
}

pub(crate) fn put_request(e: &mut Enc<'_>, kind: Kind, meter: MeterId) -> Encode {
    e.put(kind, |o| {
        o.u32(meter.0);
        o.zeros(4);
    })
}

pub(crate) fn put_stats(e: &mut Enc<'_>, all: &[MeterStats], more: bool) -> Encode {
    e.split(Kind::OfpstMeterReply, more, all, |o, s| {
        o.u32(s.meter.0);
        o.u16((40 + 16 * s.bands.len()) as u16);
        o.zeros(6);
        o.u32(s.flow_count);
        o.u64(s.packet_in_count);
        o.u64(s.byte_in_count);
        o.u32(s.duration_sec);
        o.u32(s.duration_nsec);
        for b in &s.bands {
            o.u64(b.packet_count);
            o.u64(b.byte_count);
        }
    })
}

pub(crate) fn decode_one_stats(r: &mut Reader<'_>) -> Decode<MeterStats> {
    let left = r.len();
    if left < 40 {
        let text = format!("OFPMP_METER reply has {left} leftover bytes at end");
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_meter", text));
    }
    let meter = MeterId(r.u32()?);
    let len = usize::from(r.u16()?);
    if len < 40 {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    let mut b = r.sub(len - 6)?;
    b.skip(6)?;
    let mut s = MeterStats {
        meter,
        flow_count: b.u32()?,
        packet_in_count: b.u64()?,
        byte_in_count: b.u64()?,
        duration_sec: b.u32()?,
        duration_nsec: b.u32()?,
        bands: Vec::new(),
    };
    while !b.is_empty() {
        s.bands.push(MeterBandStats { packet_count: b.u64()?, byte_count: b.u64()? });
    }
    Ok(s)
}

pub(crate) fn put_config(e: &mut Enc<'_>, all: &[MeterConfig], more: bool) -> Encode {
    e.split(Kind::OfpstMeterConfigReply, more, all, |o, c| {
        o.u16((8 + 16 * c.bands.len()) as u16);
        o.u16(c.flags);
        o.u32(c.meter.0);
        put_bands(o, &c.bands);
    })
}

pub(crate) fn decode_one_config(r: &mut Reader<'_>) -> Decode<MeterConfig> {
    let len = usize::from(r.u16()?);
    if len < 8 {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    let mut b = r.sub(len - 2)?;
    let flags = b.u16()?;
    let meter = MeterId(b.u32()?);
    Ok(MeterConfig { meter, flags, bands: pull_bands(&mut b)? })
}

pub(crate) fn put_features(e: &mut Enc<'_>, f: &MeterFeatures) -> Encode {
    e.put(Kind::OfpstMeterFeaturesReply, |o| {
        o.u32(f.max_meters);
        o.u32(f.band_types);
        o.u32(f.capabilities);
        o.u8(f.max_bands);
        o.u8(f.max_color);
        o.zeros(2);
    })
}

pub(crate) fn decode_features(r: &mut Reader<'_>) -> Decode<MeterFeatures> {
    Ok(MeterFeatures {
        max_meters: r.u32()?,
        band_types: r.u32()?,
        capabilities: r.u32()?,
        max_bands: r.u8()?,
        max_color: r.u8()?,
    })
}
