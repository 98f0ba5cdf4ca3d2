//! `resubmit`: look the packet up again.

use base::OfPort;

/// Look the packet up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resubmit {
    /// In-port for the lookup; [`OfPort::IN_PORT`] means as it is.
    pub in_port: OfPort,
    /// Table; 255 means the current one.
    pub table: u8,
    /// Swap in the original direction's tuple.
    pub with_ct_orig: bool,
}
