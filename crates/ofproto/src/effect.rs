//! What an [`crate::Ofproto`] wants done elsewhere.

use crate::connection::ConnId;
use base::{OfPort, Xid};
use flow::MiniMatch;
use openflow::msg::{FragHandling, MeterConfig, PortConfig};
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
    /// Answer with an error about a message inside a bundle.
    ErrorAbout(ConnId, Xid, OfpErr, Box<Message>),
    /// Run a packet through actions.
    PacketOut(Box<PacketOutRequest>),
    /// Go on with a paused packet.
    Resume(Box<openflow::msg::PacketIn>),
    /// A port's administrative settings changed: carry out what they say.
    PortConfig(OfPort, PortConfig),
    /// How fragments are treated changed.
    Fragments(FragHandling),
    /// Tables, groups or meters changed: publish [`crate::Ofproto::tables`].
    TablesChanged,
    /// A meter was added or changed (`Ok`) or removed (`Err`): tell the datapath.
    Meter(Result<MeterConfig, base::MeterId>),
    /// Flush tracked connections.
    CtFlush(Box<openflow::msg::CtFlush>),
    /// The connection's flow of requests: stop reading (true) while its updates are behind.
    Close(ConnId),
}
