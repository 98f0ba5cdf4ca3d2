//! Which asynchronous messages a controller gets.

/// A kind of asynchronous message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum AsyncKind {
    /// Packet-in.
    PacketIn = 0,
    /// Port-status.
    PortStatus = 1,
    /// Flow-removed.
    FlowRemoved = 2,
    /// Role-status (1.4).
    RoleStatus = 3,
    /// Table-status (1.4).
    TableStatus = 4,
    /// Request-forward (1.4).
    RequestForward = 5,
}

impl AsyncKind {
    /// Every kind.
    pub const ALL: [AsyncKind; 6] = [
        AsyncKind::PacketIn,
        AsyncKind::PortStatus,
        AsyncKind::FlowRemoved,
        AsyncKind::RoleStatus,
        AsyncKind::TableStatus,
        AsyncKind::RequestForward,
    ];
}

/// For each kind of message, the reasons (bit n: reason n) for which it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsyncConfig {
    /// To a primary or equal controller, by [`AsyncKind`].
    pub primary: [u32; 6],
    /// To a secondary one.
    pub secondary: [u32; 6],
}
