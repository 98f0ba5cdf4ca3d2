//! Flow and aggregate statistics.

use super::FlowModFlags;
use crate::Action;
use base::{Cookie, GroupId, OfPort};
use flow::MiniMatch;

/// Which flows are asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStatsRequest {
    /// Flows at least as specific as this.
    pub matching: MiniMatch,
    /// Cookie that they must have in the bits of `cookie_mask`.
    pub cookie: Cookie,
    /// Which bits of the cookie matter.
    pub cookie_mask: Cookie,
    /// Their outputs must include this port ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// They must use this group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Their table, or 255: all.
    pub table: u8,
}

/// One flow's statistics.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStats {
    /// Match.
    pub matching: MiniMatch,
    /// Cookie.
    pub cookie: Cookie,
    /// Table.
    pub table: u8,
    /// Priority.
    pub priority: u16,
    /// Idle timeout.
    pub idle_timeout: u16,
    /// Hard timeout.
    pub hard_timeout: u16,
    /// Age, seconds.
    pub duration_sec: u32,
    /// And nanoseconds.
    pub duration_nsec: u32,
    /// Seconds since a packet last hit it, if known.
    pub idle_age: Option<u32>,
    /// Seconds since it was last changed, if known.
    pub hard_age: Option<u32>,
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
    /// Flags.
    pub flags: FlowModFlags,
    /// Importance for eviction.
    pub importance: u16,
    /// Actions.
    pub actions: Vec<Action>,
}

/// Sums over flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AggregateStats {
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
    /// Flows.
    pub flow_count: u32,
}
