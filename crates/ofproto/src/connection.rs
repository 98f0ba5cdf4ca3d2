//! A controller's connection, apart from its bytes.

use openflow::msg::{AsyncConfig, PacketInFormat, Role};
use openflow::{Protocol, Version};

/// Names a connection within one switch; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u32);

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConnKind {
    /// A controller that is in charge of the switch.
    #[default]
    Primary,
    /// A tool that asks and commands, and gets asynchronous messages only if it says so.
    Service,
}

/// How a connection begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnConfig {
    /// What it is for.
    pub kind: ConnKind,
    /// Negotiated version.
    pub version: Version,
    /// Whether asynchronous messages may be sent on it at all.
    pub enable_async: bool,
}

/// State of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name.
    pub id: ConnId,
    /// What it is for.
    pub kind: ConnKind,
    /// Version and flow format.
    pub protocol: Protocol,
    /// Its role.
    pub role: Role,
    /// Form of packet-ins.
    pub packet_in_format: PacketInFormat,
    /// Bytes of a packet that misses to send.
    pub miss_send_len: u16,
    /// Id that `controller(id=..)` names.
    pub controller_id: u16,
    /// Whether packets whose TTL runs out are sent (set-config of versions up to 1.2).
    pub invalid_ttl: bool,
    /// Which asynchronous messages it gets; `None`: the version's default.
    pub async_config: Option<AsyncConfig>,
    /// Whether asynchronous messages may be sent on it at all.
    pub enable_async: bool,
}

impl Connection {
    /// Its version.
    pub fn version(&self) -> Version {
        self.protocol.version()
    }
}
