//! A controller's connection, apart from its bytes.

use crate::bundle::Bundles;
use crate::flow_stats::FlowDump;
use crate::monitor::Monitors;
use crate::pace::{Pace, PaceCounts};
use crate::tally::Tally;
use base::{OfPort, Xid};
use openflow::msg::{AsyncConfig, AsyncKind, PacketInFormat, PacketInReason, Role};
use openflow::{Message, Protocol, Version};

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
    /// Whether asynchronous messages may be sent on it before it asks for them.
    pub enable_async: bool,
}

/// Bytes of a packet that misses to send, if nothing is said.
const DEFAULT_MISS_SEND_LEN: u16 = 128;

/// State of a connection.
#[derive(Debug)]
pub struct Connection {
    /// Its name.
    pub id: ConnId,
    /// What it is for.
    pub kind: ConnKind,
    /// Version and flow format: what the codec of this connection is to use.
    pub protocol: Protocol,
    /// Its role.
    pub role: Role,
    /// Form of packet-ins.
    pub packet_in_format: PacketInFormat,
    /// Bytes of a packet that misses to send.
    pub miss_send_len: u16,
    /// Id that `controller(id=..)` names.
    pub controller_id: u16,
    /// Which asynchronous messages it gets.
    pub async_config: AsyncConfig,
    /// Where the switch keeps tunnel options, as the codec is to read and write them.
    pub tun: std::sync::Arc<flow::TunLayout>,
    /// Pacing of packet-ins, of misses and of others; none unless a limit is set.
    pub(crate) paces: Option<Box<[Pace; 2]>>,
    /// Statistics requests of which there is more to come.
    pub(crate) parts: openflow::multipart::Parts,
    /// Bundles that it is filling.
    pub(crate) bundles: Bundles,
    /// What it watches.
    pub(crate) monitors: Monitors,
    /// Its flow-mods, for the log.
    pub(crate) tally: Tally,
    /// The reply that it is being sent in parts.
    pub(crate) answering: Option<(Xid, Box<FlowDump>)>,
}

impl Connection {
    /// A fresh connection.
    pub fn new(id: ConnId, config: &ConnConfig) -> Connection {
        Connection {
            id,
            kind: config.kind,
            protocol: Protocol::initial(config.version),
            role: Role::Equal,
            packet_in_format: PacketInFormat::Standard,
            miss_send_len: match config.kind {
                ConnKind::Primary => DEFAULT_MISS_SEND_LEN,
                ConnKind::Service => 0,
            },
            controller_id: 0,
            async_config: if config.enable_async {
                default_async(config.version)
            } else {
                AsyncConfig::default()
            },
            tun: std::sync::Arc::default(),
            paces: None,
            parts: Default::default(),
            bundles: Bundles::default(),
            monitors: Monitors::default(),
            tally: Tally::default(),
            answering: None,
        }
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.protocol.version()
    }

    /// What pacing did to packet-ins of misses and to others, if it is on.
    pub fn pace_counts(&self) -> Option<[PaceCounts; 2]> {
        self.paces.as_ref().map(|p| [p[0].counts(), p[1].counts()])
    }

    /// Whether its flow monitors wait for its reader to catch up.
    pub fn monitoring_paused(&self) -> bool {
        self.monitors.is_paused()
    }

    /// Whether it may only look.
    pub fn is_secondary(&self) -> bool {
        self.role == Role::Secondary
    }

    /// Takes a new choice of asynchronous messages. A tool that makes one wants them.
    pub fn set_async(&mut self, config: AsyncConfig) {
        self.async_config.update(&config);
        if self.kind == ConnKind::Service && self.miss_send_len == 0 {
            self.miss_send_len = DEFAULT_MISS_SEND_LEN;
        }
    }

    /// Whether packets whose TTL runs out are sent (set-config of versions up to 1.2).
    pub fn invalid_ttl(&self) -> bool {
        self.async_config.primary[AsyncKind::PacketIn as usize] & INVALID_TTL != 0
    }

    /// Says whether they are.
    pub fn set_invalid_ttl(&mut self, on: bool) {
        let mask = &mut self.async_config.primary[AsyncKind::PacketIn as usize];
        *mask = if on { *mask | INVALID_TTL } else { *mask & !INVALID_TTL };
    }

    /// Whether it gets asynchronous messages of this kind and reason.
    pub fn wants(&self, kind: AsyncKind, reason: u32) -> bool {
        if self.kind == ConnKind::Service && self.miss_send_len == 0 {
            return false;
        }
        let masks =
            if self.is_secondary() { &self.async_config.secondary } else { &self.async_config.primary };
        reason < 32 && masks[kind as usize] >> reason & 1 != 0
    }

    /// Whether it gets a packet-in for this reason.
    pub fn wants_packet_in(&self, reason: PacketInReason) -> bool {
        // Before 1.3 a miss is the controller's business unless said otherwise; after, only if a flow says so.
        if reason == PacketInReason::ImplicitMiss && self.version() >= Version::V13 {
            return false;
        }
        self.wants(AsyncKind::PacketIn, wire_reason(reason, self.version()).number().into())
    }
}

const INVALID_TTL: u32 = 1 << PacketInReason::InvalidTtl.number();

/// The reason that a version gives for a packet-in.
pub fn wire_reason(reason: PacketInReason, version: Version) -> PacketInReason {
    use PacketInReason as R;
    match reason {
        R::ImplicitMiss => R::NoMatch,
        R::ExplicitMiss if version < Version::V13 => R::Action,
        R::ExplicitMiss => R::NoMatch,
        R::ActionSet | R::Group | R::PacketOut if version < Version::V14 => R::Action,
        r => r,
    }
}

/// What a connection gets if it does not choose.
pub fn default_async(version: Version) -> AsyncConfig {
    let mut config = AsyncConfig::default();
    let old = version < Version::V14;
    config.primary[AsyncKind::PacketIn as usize] = if old { 0b11 } else { 0b11_1011 };
    config.primary[AsyncKind::PortStatus as usize] = 0b111;
    config.primary[AsyncKind::FlowRemoved as usize] = if old { 0b1111 } else { 0b11_1111 };
    config.secondary[AsyncKind::PortStatus as usize] = 0b111;
    config
}

/// Whether a packet-out may name this port as where the packet came in.
pub fn is_packet_out_port(port: OfPort) -> bool {
    port < OfPort::MAX_ORDINARY || matches!(port, OfPort::LOCAL | OfPort::NONE | OfPort::CONTROLLER)
}

/// An asynchronous message's xid.
pub const ASYNC_XID: Xid = Xid(0);

/// Where messages for one connection go.
pub type Outgoing = (ConnId, Xid, Message);
