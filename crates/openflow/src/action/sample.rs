//! `sample`: report a share of the packets to collectors.

use base::OfPort;
use flow::Subfield;

/// A number given literally or by a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleId {
    /// A number.
    Immediate(u32),
    /// A field.
    Field(Subfield),
}

/// In which direction the packet is sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleDirection {
    /// Not said.
    Default,
    /// On its way in.
    Ingress,
    /// On its way out.
    Egress,
}

/// Report a share of the packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Of 65,535 packets.
    pub probability: u16,
    /// Collector set.
    pub collector_set_id: u32,
    /// IPFIX observation domain.
    pub obs_domain_id: SampleId,
    /// IPFIX observation point.
    pub obs_point_id: SampleId,
    /// Port that is sampled, or [`OfPort::NONE`].
    pub sampling_port: OfPort,
    /// Direction.
    pub direction: SampleDirection,
    /// Which of the three wire forms it came in (1, 2, 3, 4).
    pub version: u8,
}
