//! `enqueue`: output to a queue of a port (OpenFlow 1.0).

use base::OfPort;

/// Output to `queue` of `port`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enqueue {
    /// The port.
    pub port: OfPort,
    /// The queue.
    pub queue: u32,
}
