//! Packet-in, in its many forms, and resume.

use crate::Action;
use base::Cookie;
use flow::MiniMatch;

/// Why a packet goes to the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PacketInReason {
    /// No flow matched.
    NoMatch = 0,
    /// An action said so (in 1.4 and later: apply-actions).
    Action = 1,
    /// Its TTL ran out.
    InvalidTtl = 2,
    /// The action set said so (from 1.4 on).
    ActionSet = 3,
    /// A group's bucket said so (from 1.4 on).
    Group = 4,
    /// A packet-out's actions said so (from 1.4 on).
    PacketOut = 5,
    /// An explicit table-miss flow's action said so; a plain [`PacketInReason::NoMatch`] or
    /// [`PacketInReason::Action`] on the wire.
    ExplicitMiss = 6,
    /// A table that was configured to send misses; [`PacketInReason::NoMatch`] on the wire.
    ImplicitMiss = 7,
}

/// The form of packet-in that a controller wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum PacketInFormat {
    /// The version's own.
    #[default]
    Standard = 0,
    /// Nicira's first.
    NxtPacketIn = 1,
    /// Nicira's second, with properties.
    NxtPacketIn2 = 2,
}

/// A packet that goes to the controller; also the body of a resume message.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketIn {
    /// The packet, perhaps only its first bytes.
    pub packet: Vec<u8>,
    /// Length of the whole packet.
    pub packet_len: u32,
    /// Buffer where the switch keeps it.
    pub buffer_id: Option<u32>,
    /// Why.
    pub reason: PacketInReason,
    /// Table whose flow did it; 0xff when unknown.
    pub table: u8,
    /// Cookie of the flow, if the version can say.
    pub cookie: Option<Cookie>,
    /// In-port and other metadata of the packet.
    pub metadata: MiniMatch,
    /// The action's userdata.
    pub userdata: Vec<u8>,
    /// State of a paused packet.
    pub continuation: Option<Box<Continuation>>,
}

/// State of a paused packet: what the switch needs to go on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Continuation {
    /// Id of the bridge (a UUID).
    pub bridge: Option<[u8; 16]>,
    /// The stack, bottom first; each entry is big-endian bytes.
    pub stack: Vec<Vec<u8>>,
    /// Mirrors that the packet has met.
    pub mirrors: u32,
    /// Whether the packet has been through the connection tracker.
    pub conntracked: bool,
    /// Table of the actions.
    pub table: u8,
    /// Cookie of the actions.
    pub cookie: Option<Cookie>,
    /// Datapath's in-port, for patch ports.
    pub odp_port: Option<u32>,
    /// What remains to be done.
    pub actions: Vec<Action>,
    /// The action set.
    pub action_set: Vec<Action>,
}
