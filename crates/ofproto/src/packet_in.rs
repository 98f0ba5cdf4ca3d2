//! Packets for controllers: which of them get one, and in what form.

use crate::connection::{Connection, wire_reason};
use base::Cookie;
use flow::MiniMatch;
use openflow::msg::packet_in::Continuation;
use openflow::msg::{PacketIn, PacketInReason};
use openflow::{Message, Version};

/// A packet that an action or a miss sends to controllers.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketInEvent {
    /// The packet.
    pub packet: Vec<u8>,
    /// Why.
    pub reason: PacketInReason,
    /// Table of the flow that did it.
    pub table: u8,
    /// Cookie of that flow; all ones when there is none.
    pub cookie: Cookie,
    /// In-port and other metadata.
    pub metadata: MiniMatch,
    /// Which controllers: those with this id.
    pub controller_id: u16,
    /// The action's userdata.
    pub userdata: Vec<u8>,
    /// State of the packet, if it is paused.
    pub continuation: Option<Box<Continuation>>,
}

/// Whether a connection gets it.
pub(crate) fn is_for(conn: &Connection, event: &PacketInEvent) -> bool {
    conn.controller_id == event.controller_id && conn.wants_packet_in(event.reason)
}

/// The message for a connection of some version. Nothing is buffered, so whoever gets a packet gets all of it, whatever
/// length was asked for.
pub(crate) fn message(version: Version, event: PacketInEvent) -> Message {
    Message::PacketIn(Box::new(PacketIn {
        packet_len: event.packet.len() as u32,
        packet: event.packet,
        buffer_id: None,
        reason: wire_reason(event.reason, version),
        table: event.table,
        cookie: Some(event.cookie),
        metadata: event.metadata,
        userdata: event.userdata,
        continuation: event.continuation,
    }))
}

/// Whether a packet is sent because it matched nothing.
pub(crate) fn is_miss(reason: PacketInReason) -> bool {
    matches!(reason, PacketInReason::NoMatch | PacketInReason::ImplicitMiss | PacketInReason::ExplicitMiss)
}

/// Where the packet came in.
pub(crate) fn in_port(event: &PacketInEvent) -> base::OfPort {
    base::OfPort(event.metadata.expand().key.u32_at(flow::layout::IN_PORT))
}
