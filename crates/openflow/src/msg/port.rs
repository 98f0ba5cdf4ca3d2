//! Ports: description, status, mod, statistics.

use super::Message;
use crate::buf::DecodeError;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Codec, pull_property, put_property, put_sized, unknown_property};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use base::{Mac, OfPort};

/// Administrative settings of a port: bits as in OpenFlow 1.0, which has them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortConfig(pub u32);

impl PortConfig {
    /// Administratively down.
    pub const PORT_DOWN: u32 = 1 << 0;
    /// No 802.1D (1.0).
    pub const NO_STP: u32 = 1 << 1;
    /// Drop what comes in, but 802.1D.
    pub const NO_RECV: u32 = 1 << 2;
    /// Drop 802.1D that comes in (1.0).
    pub const NO_RECV_STP: u32 = 1 << 3;
    /// Not part of a flood (1.0).
    pub const NO_FLOOD: u32 = 1 << 4;
    /// Drop what goes out.
    pub const NO_FWD: u32 = 1 << 5;
    /// No packet-ins for misses.
    pub const NO_PACKET_IN: u32 = 1 << 6;
}

/// State of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortState(pub u32);

impl PortState {
    /// No link.
    pub const LINK_DOWN: u32 = 1 << 0;
    /// Blocked (from 1.1 on).
    pub const BLOCKED: u32 = 1 << 1;
    /// Live for fast failover (from 1.1 on).
    pub const LIVE: u32 = 1 << 2;
    /// Spanning tree: listening (1.0: zero under the mask).
    pub const STP_LISTEN: u32 = 0 << 8;
    /// Spanning tree: learning (1.0).
    pub const STP_LEARN: u32 = 1 << 8;
    /// Spanning tree: forwarding (1.0).
    pub const STP_FORWARD: u32 = 2 << 8;
    /// Spanning tree: blocking (1.0).
    pub const STP_BLOCK: u32 = 3 << 8;
    /// Mask of the spanning-tree states.
    pub const STP_MASK: u32 = 3 << 8;
}

/// A port.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PhyPort {
    /// Number.
    pub port: OfPort,
    /// Ethernet address.
    pub hw_addr: Mac,
    /// Name, at most 15 bytes (63 from 1.4 on).
    pub name: String,
    /// Settings.
    pub config: PortConfig,
    /// State.
    pub state: PortState,
    /// Features now: bits `FEATURE_*`.
    pub curr: u32,
    /// Features advertised.
    pub advertised: u32,
    /// Features supported.
    pub supported: u32,
    /// Features that the peer advertises.
    pub peer: u32,
    /// Speed now, kb/s.
    pub curr_speed: u32,
    /// Highest speed, kb/s.
    pub max_speed: u32,
}

/// Why a port-status message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PortReason {
    /// The port is new.
    Add = 0,
    /// The port has gone.
    Delete = 1,
    /// The port has changed.
    Modify = 2,
}

/// A port has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStatus {
    /// How.
    pub reason: PortReason,
    /// The port.
    pub desc: PhyPort,
}

/// Change a port's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortMod {
    /// The port.
    pub port: OfPort,
    /// Its address, as a check.
    pub hw_addr: Mac,
    /// New settings.
    pub config: PortConfig,
    /// Which settings.
    pub mask: PortConfig,
    /// Features to advertise; 0: leave.
    pub advertise: u32,
}

/// Counters of a port; `u64::MAX`: unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStats {
    /// The port.
    pub port: OfPort,
    /// Age, seconds and nanoseconds (from 1.3 on).
    pub duration: Option<(u32, u32)>,
    /// Received packets.
    pub rx_packets: u64,
    /// Sent packets.
    pub tx_packets: u64,
    /// Received bytes.
    pub rx_bytes: u64,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Dropped on receipt.
    pub rx_dropped: u64,
    /// Dropped on sending.
    pub tx_dropped: u64,
    /// Errors on receipt.
    pub rx_errors: u64,
    /// Errors on sending.
    pub tx_errors: u64,
    /// Framing errors.
    pub rx_frame_err: u64,
    /// Overruns.
    pub rx_over_err: u64,
    /// Checksum errors.
    pub rx_crc_err: u64,
    /// Collisions.
    pub collisions: u64,
    /// Counters by size (an extension from 1.4 on), in the order of [`PortStats::RFC2819`].
    pub rfc2819: Option<Box<[u64; 21]>>,
    /// Named counters (an extension from 1.4 on).
    pub custom: Vec<(String, u64)>,
}

impl PortStats {
    /// What the extended counters count, in their order on the wire.
    pub const RFC2819: [&'static str; 21] = [
        "rx_1_to_64_packets",
        "rx_65_to_127_packets",
        "rx_128_to_255_packets",
        "rx_256_to_511_packets",
        "rx_512_to_1023_packets",
        "rx_1024_to_1522_packets",
        "rx_1523_to_max_packets",
        "tx_1_to_64_packets",
        "tx_65_to_127_packets",
        "tx_128_to_255_packets",
        "tx_256_to_511_packets",
        "tx_512_to_1023_packets",
        "tx_1024_to_1522_packets",
        "tx_1523_to_max_packets",
        "tx_multicast_packets",
        "rx_broadcast_packets",
        "tx_broadcast_packets",
        "rx_undersized_errors",
        "rx_oversize_errors",
        "rx_fragmented_errors",
        "rx_jabber_errors",
    ];
}

/// A port number of OpenFlow 1.1 or later.
pub(crate) fn port_from_wire(n: u32) -> Decode<OfPort> {
    let p = OfPort(n);
    if p.to_u16().is_some() {
        return Ok(p);
    }
    Err(DecodeError::logged(
        OfpErr::OFPBAC_BAD_OUT_PORT,
        "ofp_port",
        format!("port {n} is outside the supported range 0 through 65279 or 0xffffff00 through 0xffffffff"),
    ))
}

/// Features: bits as in OpenFlow 1.1.
impl PhyPort {
    /// 10 Mb, half duplex.
    pub const FEATURE_10MB_HD: u32 = 1 << 0;
    /// 10 Mb, full duplex.
    pub const FEATURE_10MB_FD: u32 = 1 << 1;
    /// 100 Mb, half duplex.
    pub const FEATURE_100MB_HD: u32 = 1 << 2;
    /// 100 Mb, full duplex.
    pub const FEATURE_100MB_FD: u32 = 1 << 3;
    /// 1 Gb, half duplex.
    pub const FEATURE_1GB_HD: u32 = 1 << 4;
    /// 1 Gb, full duplex.
    pub const FEATURE_1GB_FD: u32 = 1 << 5;
    /// 10 Gb, full duplex.
    pub const FEATURE_10GB_FD: u32 = 1 << 6;
    /// 40 Gb, full duplex.
    pub const FEATURE_40GB_FD: u32 = 1 << 7;
    /// 100 Gb, full duplex.
    pub const FEATURE_100GB_FD: u32 = 1 << 8;
    /// 1 Tb, full duplex.
    pub const FEATURE_1TB_FD: u32 = 1 << 9;
    /// Some other rate.
    pub const FEATURE_OTHER: u32 = 1 << 10;
    /// Copper.
    pub const FEATURE_COPPER: u32 = 1 << 11;
    /// Fiber.
    pub const FEATURE_FIBER: u32 = 1 << 12;
    /// Auto-negotiation.
    pub const FEATURE_AUTONEG: u32 = 1 << 13;
    /// Pause.
    pub const FEATURE_PAUSE: u32 = 1 << 14;
    /// Asymmetric pause.
    pub const FEATURE_PAUSE_ASYM: u32 = 1 << 15;

    /// The speed that a set of features stands for, in kb/s.
    pub fn features_to_kbps(features: u32) -> u32 {
        const SPEEDS: [(u32, u32); 10] = [
            (PhyPort::FEATURE_1TB_FD, 1_000_000_000),
            (PhyPort::FEATURE_100GB_FD, 100_000_000),
            (PhyPort::FEATURE_40GB_FD, 40_000_000),
            (PhyPort::FEATURE_10GB_FD, 10_000_000),
            (PhyPort::FEATURE_1GB_FD, 1_000_000),
            (PhyPort::FEATURE_1GB_HD, 1_000_000),
            (PhyPort::FEATURE_100MB_FD, 100_000),
            (PhyPort::FEATURE_100MB_HD, 100_000),
            (PhyPort::FEATURE_10MB_FD, 10_000),
            (PhyPort::FEATURE_10MB_HD, 10_000),
        ];
        SPEEDS.iter().find(|(bit, _)| features & bit != 0).map_or(0, |(_, s)| *s)
    }
}

fn features_from_10(w: u32) -> u32 {
    w & 0x7f | (w >> 7 & 0x1f) << 11
}

fn features_to_10(f: u32) -> u32 {
    f & 0x7f | (f >> 11 & 0x1f) << 7
}

const CONFIG_11: u32 =
    PortConfig::PORT_DOWN | PortConfig::NO_RECV | PortConfig::NO_FWD | PortConfig::NO_PACKET_IN;
const CONFIG_10: u32 = 0x7f;
const STATE_11: u32 = PortState::LINK_DOWN | PortState::BLOCKED | PortState::LIVE;
const STATE_10: u32 = PortState::LINK_DOWN | PortState::STP_MASK;

pub(crate) fn put_phy(o: &mut Vec<u8>, p: &PhyPort, version: Version) {
    if version == Version::V10 {
        o.u16(p.port.to_u16().unwrap_or(0xffff));
        o.bytes(&p.hw_addr.0);
        o.string(&p.name, 16);
        o.u32(p.config.0 & CONFIG_10);
        o.u32(p.state.0 & STATE_10);
        for f in [p.curr, p.advertised, p.supported, p.peer] {
            o.u32(features_to_10(f));
        }
        return;
    }
    let start = o.len();
    o.u32(p.port.0);
    o.zeros(4);
    o.bytes(&p.hw_addr.0);
    o.zeros(2);
    o.string(&p.name, 16);
    o.u32(p.config.0 & CONFIG_11);
    o.u32(p.state.0 & STATE_11);
    let ethernet = |o: &mut Vec<u8>| {
        for f in [p.curr, p.advertised, p.supported, p.peer, p.curr_speed, p.max_speed] {
            o.u32(f);
        }
    };
    if version < Version::V14 {
        ethernet(o);
    } else {
        put_property(o, 0, |o| {
            o.zeros(4);
            ethernet(o);
        });
        let len = o.len() - start;
        o.patch16(start + 4, len as u16);
    }
}

pub(crate) fn pull_phy(r: &mut Reader<'_>, version: Version) -> Decode<PhyPort> {
    let mut p = PhyPort::default();
    if version == Version::V10 {
        p.port = OfPort::from_u16(r.u16()?);
        p.hw_addr = Mac(r.array()?);
        p.name = r.name(16)?;
        p.config = PortConfig(r.u32()? & CONFIG_10);
        p.state = PortState(r.u32()? & STATE_10);
        p.curr = features_from_10(r.u32()?);
        p.advertised = features_from_10(r.u32()?);
        p.supported = features_from_10(r.u32()?);
        p.peer = features_from_10(r.u32()?);
        p.curr_speed = PhyPort::features_to_kbps(p.curr);
        p.max_speed = PhyPort::features_to_kbps(p.supported);
        return Ok(p);
    }
    let left = r.len();
    let port = r.u32()?;
    let len = usize::from(r.u16()?);
    r.skip(2)?;
    p.hw_addr = Mac(r.array()?);
    r.skip(2)?;
    p.name = r.name(16)?;
    p.config = PortConfig(r.u32()? & CONFIG_11);
    p.state = PortState(r.u32()? & STATE_11);
    if version >= Version::V14 && (len < 40 || len > left) {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    p.port = port_from_wire(port)?;
    if version < Version::V14 {
        pull_ethernet(r, &mut p)?;
        return Ok(p);
    }
    let mut props = r.sub(len - 40)?;
    while !props.is_empty() {
        let mut property = pull_property(&mut props)?;
        // Optical ports and experimenters say more than we have room for.
        if property.kind == 0 {
            if property.body.len() != 28 {
                return Err(OfpErr::OFPBPC_BAD_LEN.into());
            }
            property.body.skip(4)?;
            pull_ethernet(&mut property.body, &mut p)?;
        }
    }
    Ok(p)
}

fn pull_ethernet(r: &mut Reader<'_>, p: &mut PhyPort) -> Decode<()> {
    p.curr = r.u32()? & 0xffff;
    p.advertised = r.u32()? & 0xffff;
    p.supported = r.u32()? & 0xffff;
    p.peer = r.u32()? & 0xffff;
    p.curr_speed = r.u32()?;
    p.max_speed = r.u32()?;
    Ok(())
}

pub(crate) fn put_status(e: &mut Enc<'_>, s: &PortStatus) -> Encode {
    let version = e.version;
    e.put(Kind::OfptPortStatus, |o| {
        o.u8(s.reason as u8);
        o.zeros(7);
        put_phy(o, &s.desc, version);
    })
}

pub(crate) fn decode_status(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let reason = match r.u8()? {
        0 => PortReason::Add,
        1 => PortReason::Delete,
        2 => PortReason::Modify,
        _ => return Err(OfpErr::NXBRC_BAD_REASON.into()),
    };
    r.skip(7)?;
    let desc = pull_phy(r, version)?;
    Ok(Message::PortStatus(Box::new(PortStatus { reason, desc })))
}

pub(crate) fn put_mod(e: &mut Enc<'_>, p: &PortMod) -> Encode {
    let version = e.version;
    e.put(Kind::OfptPortMod, |o| match version {
        Version::V10 => {
            o.u16(p.port.to_u16().unwrap_or(0xffff));
            o.bytes(&p.hw_addr.0);
            o.u32(p.config.0 & CONFIG_10);
            o.u32(p.mask.0 & CONFIG_10);
            o.u32(features_to_10(p.advertise));
            o.zeros(4);
        }
        _ => {
            o.u32(p.port.0);
            o.zeros(4);
            o.bytes(&p.hw_addr.0);
            o.zeros(2);
            o.u32(p.config.0 & CONFIG_11);
            o.u32(p.mask.0 & CONFIG_11);
            if version < Version::V14 {
                o.u32(p.advertise);
                o.zeros(4);
            } else if p.advertise != 0 {
                put_property(o, 0, |o| o.u32(p.advertise));
            }
        }
    })
}

pub(crate) fn decode_mod(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let mut p = PortMod {
        port: OfPort::NONE,
        hw_addr: Mac::ZERO,
        config: PortConfig::default(),
        mask: PortConfig::default(),
        advertise: 0,
    };
    if version == Version::V10 {
        p.port = OfPort::from_u16(r.u16()?);
        p.hw_addr = Mac(r.array()?);
        p.config = PortConfig(r.u32()? & CONFIG_10);
        p.mask = PortConfig(r.u32()? & CONFIG_10);
        p.advertise = features_from_10(r.u32()?);
    } else {
        p.port = port_from_wire(r.u32()?)?;
        r.skip(4)?;
        p.hw_addr = Mac(r.array()?);
        r.skip(2)?;
        p.config = PortConfig(r.u32()? & CONFIG_11);
        p.mask = PortConfig(r.u32()? & CONFIG_11);
        if version < Version::V14 {
            p.advertise = r.u32()? & 0xffff;
        } else {
            while !r.is_empty() {
                let mut property = pull_property(r)?;
                match property.kind {
                    0 => p.advertise = property.u32()? & 0xffff,
                    _ if codec.lenient => {}
                    _ => return Err(unknown_property("ofp_port", "port_mod", &property)),
                }
            }
        }
    }
    p.config.0 &= p.mask.0;
    Ok(Message::PortMod(p))
}

/// Appends a port as requests have it.
pub(crate) fn put_port(o: &mut Vec<u8>, p: OfPort, version: Version) {
    if version == Version::V10 {
        o.u16(p.to_u16().unwrap_or(0xffff));
        o.zeros(6);
    } else {
        o.u32(p.0);
        o.zeros(4);
    }
}

pub(crate) fn decode_port(r: &mut Reader<'_>, version: Version) -> Decode<OfPort> {
    if version == Version::V10 { Ok(OfPort::from_u16(r.u16()?)) } else { port_from_wire(r.u32()?) }
}

pub(crate) fn put_stats_request(e: &mut Enc<'_>, p: OfPort) -> Encode {
    let version = e.version;
    e.put(Kind::OfpstPortRequest, |o| put_port(o, p, version))
}

pub(crate) fn put_desc_request(e: &mut Enc<'_>, p: OfPort) -> Encode {
    let version = e.version;
    e.put(Kind::OfpstPortDescRequest, |o| {
        if version >= Version::V15 {
            put_port(o, p, version);
        }
    })
}

pub(crate) fn put_desc(e: &mut Enc<'_>, ports: &[PhyPort], more: bool) -> Encode {
    let version = e.version;
    e.split(Kind::OfpstPortDescReply, more, ports, |o, p| put_phy(o, p, version))
}

/// Experimenter and types of the extended counters.
const EXT_VENDOR: u32 = 0x0000_aa01;
const EXT_RFC2819: u32 = 1;
const EXT_CUSTOM: u32 = 2;

fn empty_stats(port: OfPort) -> PortStats {
    PortStats {
        port,
        duration: None,
        rx_packets: u64::MAX,
        tx_packets: u64::MAX,
        rx_bytes: u64::MAX,
        tx_bytes: u64::MAX,
        rx_dropped: u64::MAX,
        tx_dropped: u64::MAX,
        rx_errors: u64::MAX,
        tx_errors: u64::MAX,
        rx_frame_err: u64::MAX,
        rx_over_err: u64::MAX,
        rx_crc_err: u64::MAX,
        collisions: u64::MAX,
        rfc2819: None,
        custom: Vec::new(),
    }
}

impl Default for PortStats {
    fn default() -> Self {
        empty_stats(OfPort::NONE)
    }
}

pub(crate) fn put_stats(e: &mut Enc<'_>, stats: &[PortStats], more: bool) -> Encode {
    let version = e.version;
    e.split(Kind::OfpstPortReply, more, stats, |o, s| put_one_stats(o, s, version))
}

fn put_one_stats(o: &mut Vec<u8>, s: &PortStats, version: Version) {
    let common = |o: &mut Vec<u8>| {
        let n = [
            s.rx_packets,
            s.tx_packets,
            s.rx_bytes,
            s.tx_bytes,
            s.rx_dropped,
            s.tx_dropped,
            s.rx_errors,
            s.tx_errors,
        ];
        n.into_iter().for_each(|n| o.u64(n));
    };
    let ethernet = |o: &mut Vec<u8>| {
        [s.rx_frame_err, s.rx_over_err, s.rx_crc_err, s.collisions].into_iter().for_each(|n| o.u64(n));
    };
    let (sec, nsec) = s.duration.unwrap_or((u32::MAX, u32::MAX));
    if version < Version::V14 {
        put_port(o, s.port, version);
        common(o);
        ethernet(o);
        if version == Version::V13 {
            o.u32(sec);
            o.u32(nsec);
        }
        return;
    }
    put_sized(o, |o| {
        o.zeros(2);
        o.u32(s.port.0);
        o.u32(sec);
        o.u32(nsec);
        common(o);
        put_property(o, 0, |o| {
            o.zeros(4);
            ethernet(o);
        });
        if let Some(rfc) = &s.rfc2819 {
            put_property(o, 0xffff, |o| {
                o.u32(EXT_VENDOR);
                o.u32(EXT_RFC2819);
                o.zeros(4);
                rfc.iter().for_each(|n| o.u64(*n));
            });
        }
        if !s.custom.is_empty() {
            put_property(o, 0xffff, |o| {
                o.u32(EXT_VENDOR);
                o.u32(EXT_CUSTOM);
                o.zeros(2);
                o.u16(s.custom.len() as u16);
                for (name, value) in &s.custom {
                    let name = &name.as_bytes()[..name.len().min(255)];
                    o.u8(name.len() as u8);
                    o.bytes(name);
                    o.u64(*value);
                }
            });
        }
    });
}

fn pull_common(r: &mut Reader<'_>, s: &mut PortStats) -> Decode<()> {
    s.rx_packets = r.u64()?;
    s.tx_packets = r.u64()?;
    s.rx_bytes = r.u64()?;
    s.tx_bytes = r.u64()?;
    s.rx_dropped = r.u64()?;
    s.tx_dropped = r.u64()?;
    s.rx_errors = r.u64()?;
    s.tx_errors = r.u64()?;
    Ok(())
}

fn pull_ethernet_stats(r: &mut Reader<'_>, s: &mut PortStats) -> Decode<()> {
    s.rx_frame_err = r.u64()?;
    s.rx_over_err = r.u64()?;
    s.rx_crc_err = r.u64()?;
    s.collisions = r.u64()?;
    Ok(())
}

fn duration(sec: u32, nsec: u32) -> Option<(u32, u32)> {
    (sec != u32::MAX).then_some((sec, nsec))
}

pub(crate) fn decode_one_stats(r: &mut Reader<'_>, version: Version) -> Decode<PortStats> {
    if version < Version::V14 {
        let mut s = empty_stats(decode_port(r, version)?);
        r.skip(if version == Version::V10 { 6 } else { 4 })?;
        pull_common(r, &mut s)?;
        pull_ethernet_stats(r, &mut s)?;
        if version == Version::V13 {
            s.duration = duration(r.u32()?, r.u32()?);
        }
        return Ok(s);
    }
    let len = usize::from(r.u16()?);
    if len < 80 {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    let mut b = r.sub(len - 2)?;
    b.skip(2)?;
    let mut s = empty_stats(port_from_wire(b.u32()?)?);
    s.duration = duration(b.u32()?, b.u32()?);
    pull_common(&mut b, &mut s)?;
    while !b.is_empty() {
        let mut p = pull_property(&mut b)?;
        match (p.kind, p.experimenter) {
            (0, _) => {
                if p.body.len() != 36 {
                    return Err(OfpErr::OFPBPC_BAD_LEN.into());
                }
                p.body.skip(4)?;
                pull_ethernet_stats(&mut p.body, &mut s)?;
            }
            (_, Some((EXT_VENDOR, kind))) => pull_extension(kind, &mut p.body, &mut s)?,
            _ => {}
        }
    }
    Ok(s)
}

fn pull_extension(kind: u32, b: &mut Reader<'_>, s: &mut PortStats) -> Decode<()> {
    match kind {
        EXT_RFC2819 => {
            b.skip(4)?;
            let mut all = [0; 21];
            for n in &mut all {
                *n = b.u64()?;
            }
            s.rfc2819 = Some(Box::new(all));
        }
        EXT_CUSTOM => {
            b.skip(2)?;
            let n = b.u16()?;
            for _ in 0..n {
                let len = usize::from(b.u8()?);
                let name = b.string(len)?;
                s.custom.push((name, b.u64()?));
            }
        }
        _ => {}
    }
    Ok(())
}
