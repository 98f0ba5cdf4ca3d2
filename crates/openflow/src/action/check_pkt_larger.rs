//! `check_pkt_larger`: store in a bit whether the packet is longer than a limit.

use flow::Subfield;

/// Store in `dst` whether the packet is longer than `pkt_len`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckPktLarger {
    /// Bytes.
    pub pkt_len: u16,
    /// A single bit.
    pub dst: Subfield,
}
