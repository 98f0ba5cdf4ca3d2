//! Ports as translation sees them.

use crate::snapshot::BridgeId;
use base::{DpPort, OfPort};
use l2::BundleId;
use std::sync::Arc;

/// An OpenFlow port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortView {
    /// OpenFlow number.
    pub of_port: OfPort,
    /// Datapath number; [`DpPort::NONE`] for a patch port.
    pub dp_port: DpPort,
    /// Name.
    pub name: Arc<str>,
    /// What `mod-port` set.
    pub config: PortConfig,
    /// The link is up, as far as anything that watches it knows (carrier, BFD, CFM, LACP): fast fail-over groups and
    /// bonds go by it.
    pub live: bool,
    /// The bundle that it belongs to.
    pub bundle: Option<BundleId>,
    /// The other end, of a patch port.
    pub patch: Option<Patch>,
    /// What a spanning tree lets the port do; `None` when no protocol runs on it.
    pub stp: Option<StpState>,
}

impl PortView {
    /// An ordinary port that is up, in no bundle.
    pub fn new(of_port: OfPort, dp_port: DpPort, name: &str) -> PortView {
        PortView {
            of_port,
            dp_port,
            name: name.into(),
            config: PortConfig::default(),
            live: true,
            bundle: None,
            patch: None,
            stp: None,
        }
    }
}

/// The other end of a patch port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patch {
    /// Its bridge.
    pub bridge: BridgeId,
    /// Its number there.
    pub port: OfPort,
}

/// What a spanning tree lets a port do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StpState {
    /// Stations may be learned.
    pub learn: bool,
    /// Frames may pass.
    pub forward: bool,
}

/// OpenFlow port configuration, as far as packets go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortConfig {
    /// Administratively down.
    pub down: bool,
    /// Drop everything received.
    pub no_receive: bool,
    /// Drop everything sent.
    pub no_forward: bool,
    /// Leave out when flooding.
    pub no_flood: bool,
    /// No packet-ins for misses.
    pub no_packet_in: bool,
}
