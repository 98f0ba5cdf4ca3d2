//! Ports as controllers see them.

use base::Time;
use openflow::Version;
use openflow::msg::{PhyPort, PortConfig, PortState};

/// A port of the switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// What controllers are told.
    pub desc: PhyPort,
    /// When it was added.
    pub created: Time,
}

/// What a version can say about a port: two descriptions that are equal in this form look the same to a controller.
pub fn as_seen_by(version: Version, desc: &PhyPort) -> PhyPort {
    let mut d = desc.clone();
    if version == Version::V10 {
        d.state.0 &= PortState::LINK_DOWN | PortState::STP_MASK;
        d.curr_speed = 0;
        d.max_speed = 0;
    } else {
        d.config.0 &=
            PortConfig::PORT_DOWN | PortConfig::NO_RECV | PortConfig::NO_FWD | PortConfig::NO_PACKET_IN;
        d.state.0 &= PortState::LINK_DOWN | PortState::BLOCKED | PortState::LIVE;
    }
    d
}
