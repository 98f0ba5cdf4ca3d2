//! Packets for controllers: which of them get one, and in what form.

use crate::connection::{ASYNC_XID, Connection, wire_reason};
use crate::effect::Effect;
use base::Cookie;
use flow::MiniMatch;
use openflow::Message;
use openflow::msg::packet_in::Continuation;
use openflow::msg::{PacketIn, PacketInReason};

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

/// The message for one connection, if it gets one.
pub fn for_connection(conn: &Connection, event: &PacketInEvent) -> Option<Effect> {
    if conn.controller_id != event.controller_id || !conn.wants_packet_in(event.reason) {
        return None;
    }
    // Nothing is buffered, so whoever gets a packet gets all of it, whatever length was asked for.
    let pin = PacketIn {
        packet: event.packet.clone(),
        packet_len: event.packet.len() as u32,
        buffer_id: None,
        reason: wire_reason(event.reason, conn.version()),
        table: event.table,
        cookie: Some(event.cookie),
        metadata: event.metadata.clone(),
        userdata: event.userdata.clone(),
        continuation: event.continuation.clone(),
    };
    Some(Effect::Send(conn.id, ASYNC_XID, Message::PacketIn(Box::new(pin))))
}

/// Whether a packet is sent because it matched nothing.
pub(crate) fn is_miss(reason: PacketInReason) -> bool {
    matches!(reason, PacketInReason::NoMatch | PacketInReason::ImplicitMiss | PacketInReason::ExplicitMiss)
}

/// Where the packet came in.
pub(crate) fn in_port(event: &PacketInEvent) -> base::OfPort {
    base::OfPort(event.metadata.expand().key.u32_at(flow::layout::IN_PORT))
}
