//! What an [`crate::Ofproto`] wants done elsewhere.

use crate::connection::ConnId;
use base::{MeterId, OfPort, Xid};
use flow::MiniMatch;
use openflow::msg::{CtFlush, FragHandling, MeterConfig, PacketIn, PortConfig};
use openflow::{Action, Message, OfpErr, Version};

/// A packet that a controller sends.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketOutRequest {
    /// The packet.
    pub packet: Vec<u8>,
    /// Its in-port and other metadata.
    pub metadata: MiniMatch,
    /// What to do with it.
    pub actions: Vec<Action>,
    /// Version of the controller that sent it: some actions mean different things.
    pub version: Version,
}

/// Something to be done by the owner, in the order given.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send a message; replies carry the request's xid, others 0.
    Send(ConnId, Xid, Message),
    /// Answer the request `xid` with an error; the owner adds the first bytes of the request.
    Error(ConnId, Xid, OfpErr),
    /// Answer with an error about a message inside a bundle, whose first bytes the owner adds.
    ErrorAbout(ConnId, Xid, OfpErr, Box<Message>),
    /// Run a packet through actions.
    PacketOut(Box<PacketOutRequest>),
    /// Go on with a paused packet, or say that its bridge is no more.
    Resume(ConnId, Xid, Box<PacketIn>),
    /// A port's administrative settings changed: carry out what they say.
    PortConfig(OfPort, PortConfig),
    /// Advertise these features on a port.
    PortAdvertise(OfPort, u32),
    /// How fragments are treated changed.
    Fragments(FragHandling),
    /// Tables, groups or meters changed: publish [`crate::Ofproto::tables`].
    TablesChanged,
    /// A meter was added or changed (`Ok`) or removed (`Err`): tell the datapath.
    Meter(Result<MeterConfig, MeterId>),
    /// Flush tracked connections.
    CtFlush(Box<CtFlush>),
    /// Flush the tracked connections of a zone.
    CtFlushZone(u16),
}
