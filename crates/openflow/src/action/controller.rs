//! `controller`: send the packet to controllers as a packet-in.

use crate::msg::PacketInReason;

/// Send the packet to the controllers whose connection id is `controller_id`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// How many bytes to send; 65,535 means all.
    pub max_len: u16,
    /// Which controllers.
    pub controller_id: u16,
    /// Reason given in the packet-in.
    pub reason: PacketInReason,
    /// Data to copy into the packet-in.
    pub userdata: Box<[u8]>,
    /// Stop the packet here until the controller resumes it.
    pub pause: bool,
    /// Meter that limits the packet-ins.
    pub meter_id: Option<u32>,
}

impl Default for Controller {
    fn default() -> Self {
        Controller {
            max_len: u16::MAX,
            controller_id: 0,
            reason: PacketInReason::Action,
            userdata: Box::default(),
            pause: false,
            meter_id: None,
        }
    }
}
