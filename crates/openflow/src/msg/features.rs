//! Features of a switch.

use super::Message;
use super::PhyPort;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::version::Version;
use base::Dpid;

/// What the switch is and can do.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Features {
    /// Datapath id.
    pub datapath_id: Dpid,
    /// Packets that can be buffered.
    pub n_buffers: u32,
    /// Number of tables.
    pub n_tables: u8,
    /// Which connection to the same controller this is (from 1.3 on).
    pub auxiliary_id: u8,
    /// Bits `CAP_*`.
    pub capabilities: u32,
    /// Supported actions of OpenFlow 1.0, as on the wire (bit n: action type n).
    pub actions: u32,
    /// Ports (up to 1.2).
    pub ports: Vec<PhyPort>,
}

impl Features {
    /// Flow statistics.
    pub const CAP_FLOW_STATS: u32 = 1 << 0;
    /// Table statistics.
    pub const CAP_TABLE_STATS: u32 = 1 << 1;
    /// Port statistics.
    pub const CAP_PORT_STATS: u32 = 1 << 2;
    /// Group statistics (from 1.1 on).
    pub const CAP_GROUP_STATS: u32 = 1 << 4;
    /// Can reassemble IP fragments.
    pub const CAP_IP_REASM: u32 = 1 << 5;
    /// Queue statistics.
    pub const CAP_QUEUE_STATS: u32 = 1 << 6;
    /// Match IP addresses in ARP packets (up to 1.1).
    pub const CAP_ARP_MATCH_IP: u32 = 1 << 7;
    /// Blocks looping ports (from 1.2 on).
    pub const CAP_PORT_BLOCKED: u32 = 1 << 8;
    /// Supports bundles (from 1.4 on).
    pub const CAP_BUNDLES: u32 = 1 << 9;
    /// Supports flow monitoring (from 1.4 on).
    pub const CAP_FLOW_MONITORING: u32 = 1 << 10;
    /// 802.1d spanning tree (1.0 only; a bit of its own here, bit 3 on the wire).
    pub const CAP_STP: u32 = 1 << 31;
}

/// Bits of the capabilities that a version has.
fn allowed(version: Version) -> u32 {
    let common = Features::CAP_FLOW_STATS
        | Features::CAP_TABLE_STATS
        | Features::CAP_PORT_STATS
        | Features::CAP_IP_REASM
        | Features::CAP_QUEUE_STATS;
    common
        | match version {
            Version::V10 => Features::CAP_ARP_MATCH_IP,
            Version::V11 => Features::CAP_GROUP_STATS_WIRE | Features::CAP_ARP_MATCH_IP,
            Version::V12 | Version::V13 => Features::CAP_GROUP_STATS_WIRE | Features::CAP_PORT_BLOCKED,
            _ => {
                Features::CAP_GROUP_STATS_WIRE
                    | Features::CAP_PORT_BLOCKED
                    | Features::CAP_BUNDLES
                    | Features::CAP_FLOW_MONITORING
            }
        }
}

impl Features {
    /// Group statistics on the wire; in OpenFlow 1.0 the bit means spanning tree.
    const CAP_GROUP_STATS_WIRE: u32 = 1 << 3;
}

fn caps_to_wire(caps: u32, version: Version) -> u32 {
    let mut w = caps & allowed(version) & !Features::CAP_GROUP_STATS_WIRE;
    if version == Version::V10 {
        if caps & Features::CAP_STP != 0 {
            w |= 1 << 3;
        }
    } else if caps & Features::CAP_GROUP_STATS != 0 {
        w |= 1 << 3;
    }
    w
}

fn caps_from_wire(w: u32, version: Version) -> u32 {
    let mut caps = w & allowed(version) & !Features::CAP_GROUP_STATS_WIRE;
    if w & (1 << 3) != 0 {
        caps |= if version == Version::V10 { Features::CAP_STP } else { Features::CAP_GROUP_STATS };
    }
    caps
}

pub(crate) fn put(e: &mut Enc<'_>, f: &Features) -> Encode {
    let version = e.version;
    e.put(Kind::OfptFeaturesReply, |o| {
        o.u64(f.datapath_id.0);
        o.u32(f.n_buffers);
        o.u8(f.n_tables);
        o.u8(if version >= Version::V13 { f.auxiliary_id } else { 0 });
        o.zeros(2);
        o.u32(caps_to_wire(f.capabilities, version));
        o.u32(if version == Version::V10 { f.actions } else { 0 });
        if version < Version::V13 {
            for p in &f.ports {
                super::port::put_phy(o, p, version);
            }
        }
    })
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let mut f = decode_head(r, version)?;
    if version < Version::V13 {
        while !r.is_empty() {
            match super::port::pull_phy(r, version) {
                Ok(port) => f.ports.push(port),
                Err(mut e) => {
                    e.partial = Some(Box::new(Message::FeaturesReply(Box::new(f))));
                    return Err(e);
                }
            }
        }
    }
    Ok(Message::FeaturesReply(Box::new(f)))
}

/// What comes before the ports.
pub(crate) fn decode_head(r: &mut Reader<'_>, version: Version) -> Decode<Features> {
    let mut f = Features {
        datapath_id: Dpid(r.u64()?),
        n_buffers: r.u32()?,
        n_tables: r.u8()?,
        auxiliary_id: r.u8()?,
        ..Features::default()
    };
    r.skip(2)?;
    f.capabilities = caps_from_wire(r.u32()?, version);
    f.actions = r.u32()?;
    if version != Version::V10 {
        f.actions = 0;
    }
    if version < Version::V13 {
        f.auxiliary_id = 0;
    }
    Ok(f)
}
