//! Ports as controllers see them.

use base::Time;
use openflow::msg::PhyPort;

/// A port of the switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// What controllers are told.
    pub desc: PhyPort,
    /// When it was added.
    pub created: Time,
}
