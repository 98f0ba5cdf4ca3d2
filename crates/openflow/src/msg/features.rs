//! Features of a switch.

use super::PhyPort;
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
