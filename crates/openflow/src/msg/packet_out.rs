//! Packet-out: the controller sends a packet.

use crate::Action;
use flow::MiniMatch;

/// The controller sends a packet.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketOut {
    /// The packet; empty when `buffer_id` names it.
    pub packet: Vec<u8>,
    /// Where the switch keeps it.
    pub buffer_id: Option<u32>,
    /// In-port and, from 1.5 on, other metadata.
    pub metadata: MiniMatch,
    /// What to do with it.
    pub actions: Vec<Action>,
}
