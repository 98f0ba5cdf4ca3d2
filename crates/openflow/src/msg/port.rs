//! Ports: description, status, mod, statistics.

use base::{Mac, OfPort};

/// Administrative settings of a port: bits as in OpenFlow 1.0, which has them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortConfig(pub u32);

impl PortConfig {
    /// Administratively down.
    pub const PORT_DOWN: u32 = 1 << 0;
    /// No 802.1D (1.0).
    pub const NO_STP: u32 = 1 << 1;
    /// Drop what comes in, but 802.1D.
    pub const NO_RECV: u32 = 1 << 2;
    /// Drop 802.1D that comes in (1.0).
    pub const NO_RECV_STP: u32 = 1 << 3;
    /// Not part of a flood (1.0).
    pub const NO_FLOOD: u32 = 1 << 4;
    /// Drop what goes out.
    pub const NO_FWD: u32 = 1 << 5;
    /// No packet-ins for misses.
    pub const NO_PACKET_IN: u32 = 1 << 6;
}

/// State of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortState(pub u32);

impl PortState {
    /// No link.
    pub const LINK_DOWN: u32 = 1 << 0;
    /// Blocked (from 1.1 on).
    pub const BLOCKED: u32 = 1 << 1;
    /// Live for fast failover (from 1.1 on).
    pub const LIVE: u32 = 1 << 2;
    /// Spanning tree: listening (1.0: zero under the mask).
    pub const STP_LISTEN: u32 = 0 << 8;
    /// Spanning tree: learning (1.0).
    pub const STP_LEARN: u32 = 1 << 8;
    /// Spanning tree: forwarding (1.0).
    pub const STP_FORWARD: u32 = 2 << 8;
    /// Spanning tree: blocking (1.0).
    pub const STP_BLOCK: u32 = 3 << 8;
    /// Mask of the spanning-tree states.
    pub const STP_MASK: u32 = 3 << 8;
}

/// A port.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PhyPort {
    /// Number.
    pub port: OfPort,
    /// Ethernet address.
    pub hw_addr: Mac,
    /// Name, at most 15 bytes (63 from 1.4 on).
    pub name: String,
    /// Settings.
    pub config: PortConfig,
    /// State.
    pub state: PortState,
    /// Features now: bits `FEATURE_*`.
    pub curr: u32,
    /// Features advertised.
    pub advertised: u32,
    /// Features supported.
    pub supported: u32,
    /// Features that the peer advertises.
    pub peer: u32,
    /// Speed now, kb/s.
    pub curr_speed: u32,
    /// Highest speed, kb/s.
    pub max_speed: u32,
}

/// Why a port-status message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PortReason {
    /// The port is new.
    Add = 0,
    /// The port has gone.
    Delete = 1,
    /// The port has changed.
    Modify = 2,
}

/// A port has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStatus {
    /// How.
    pub reason: PortReason,
    /// The port.
    pub desc: PhyPort,
}

/// Change a port's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortMod {
    /// The port.
    pub port: OfPort,
    /// Its address, as a check.
    pub hw_addr: Mac,
    /// New settings.
    pub config: PortConfig,
    /// Which settings.
    pub mask: PortConfig,
    /// Features to advertise; 0: leave.
    pub advertise: u32,
}

/// Counters of a port; `u64::MAX`: unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStats {
    /// The port.
    pub port: OfPort,
    /// Age, seconds and nanoseconds (from 1.3 on).
    pub duration: Option<(u32, u32)>,
    /// Received packets.
    pub rx_packets: u64,
    /// Sent packets.
    pub tx_packets: u64,
    /// Received bytes.
    pub rx_bytes: u64,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Dropped on receipt.
    pub rx_dropped: u64,
    /// Dropped on sending.
    pub tx_dropped: u64,
    /// Errors on receipt.
    pub rx_errors: u64,
    /// Errors on sending.
    pub tx_errors: u64,
    /// Framing errors.
    pub rx_frame_err: u64,
    /// Overruns.
    pub rx_over_err: u64,
    /// Checksum errors.
    pub rx_crc_err: u64,
    /// Collisions.
    pub collisions: u64,
    /// Counters by size (an extension from 1.4 on), in the order of [`PortStats::RFC2819`].
    pub rfc2819: Option<Box<[u64; 19]>>,
    /// Named counters (an extension from 1.4 on).
    pub custom: Vec<(String, u64)>,
}

impl PortStats {
    /// Names of the counters by size.
    pub const RFC2819: [&'static str; 19] = [
        "1_to_64_packets",
        "65_to_127_packets",
        "128_to_255_packets",
        "256_to_511_packets",
        "512_to_1023_packets",
        "1024_to_1522_packets",
        "1523_to_max_packets",
        "tx_1_to_64_packets",
        "tx_65_to_127_packets",
        "tx_128_to_255_packets",
        "tx_256_to_511_packets",
        "tx_512_to_1023_packets",
        "tx_1024_to_1522_packets",
        "tx_1523_to_max_packets",
        "tx_multicast_packets",
        "rx_broadcast_packets",
        "tx_broadcast_packets",
        "rx_undersized_errors",
        "rx_oversize_errors",
    ];
}
