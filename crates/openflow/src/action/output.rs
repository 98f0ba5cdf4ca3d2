//! `output`, `output:field` and `output(port=..,max_len=..)`: send the packet to a port.

use base::OfPort;
use flow::Subfield;

/// Send the packet to a port known when the flow was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// The port, reserved ones included.
    pub port: OfPort,
    /// When the port is the controller: how many bytes of the packet to send; 65,535 means all.
    pub max_len: u16,
}

/// Send the packet to the port whose number is in a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputReg {
    /// Where the port number is.
    pub src: Subfield,
    /// As in [`Output`].
    pub max_len: u16,
}

/// Send at most `max_len` bytes of the packet to a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputTrunc {
    /// The port.
    pub port: OfPort,
    /// Bytes to keep.
    pub max_len: u32,
}
