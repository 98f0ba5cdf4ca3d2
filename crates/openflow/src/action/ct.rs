//! `ct`, `ct_clear` and `nat`: connection tracking.

use super::Action;
use flow::Subfield;

/// Where the connection-tracking zone comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtZone {
    /// A number.
    Immediate(u16),
    /// A field of at most 16 bits.
    Field(Subfield),
}

/// Send the packet through the connection tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ct {
    /// Commit the connection.
    pub commit: bool,
    /// Make this direction the original one.
    pub force: bool,
    /// The zone.
    pub zone: CtZone,
    /// Table in which the tracked packet continues; absent: it does not.
    pub recirc_table: Option<u8>,
    /// Helper: the port number of its protocol (21 for FTP, 69 for TFTP), or 0.
    pub alg: u16,
    /// `nat` and actions that set the mark and label.
    pub actions: Vec<Action>,
}

impl Default for Ct {
    fn default() -> Self {
        Ct {
            commit: false,
            force: false,
            zone: CtZone::Immediate(0),
            recirc_table: None,
            alg: 0,
            actions: Vec::new(),
        }
    }
}

/// Addresses to translate to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NatRange {
    /// No addresses.
    None,
    /// IPv4 `min..=max`; `max` is 0 when one address was given.
    V4 {
        /// Lowest.
        min: u32,
        /// Highest, or 0.
        max: u32,
    },
    /// IPv6 `min..=max`; `max` is 0 when one address was given.
    V6 {
        /// Lowest.
        min: u128,
        /// Highest, or 0.
        max: u128,
    },
}

/// Translate addresses; inside [`Ct`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat {
    /// Bits `NAT_*`.
    pub flags: u16,
    /// Addresses.
    pub range: NatRange,
    /// Lowest port, or 0.
    pub port_min: u16,
    /// Highest port, or 0.
    pub port_max: u16,
}

impl Nat {
    /// Source NAT.
    pub const SRC: u16 = 1 << 0;
    /// Destination NAT.
    pub const DST: u16 = 1 << 1;
    /// Same mapping after a restart.
    pub const PERSISTENT: u16 = 1 << 2;
    /// Choose the port by hash.
    pub const PROTO_HASH: u16 = 1 << 3;
    /// Choose the port at random.
    pub const PROTO_RANDOM: u16 = 1 << 4;
}
