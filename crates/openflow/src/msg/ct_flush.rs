//! Nicira: flush connections.

/// One direction of a connection; addresses are IPv6 (IPv4 mapped), zero means any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtTuple {
    /// Source address.
    pub src: Option<u128>,
    /// Destination address.
    pub dst: Option<u128>,
    /// Source port, or ICMP id.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// ICMP id.
    pub icmp_id: Option<u16>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
    /// ICMP code.
    pub icmp_code: Option<u8>,
}

/// Flush the connections that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtFlush {
    /// IP protocol, or 0.
    pub ip_proto: u8,
    /// Address family: 0 any, else as in `AF_INET`/`AF_INET6`.
    pub family: u8,
    /// Zone.
    pub zone: Option<u16>,
    /// Mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// Label and its mask.
    pub labels: Option<(u128, u128)>,
    /// Original direction.
    pub orig: CtTuple,
    /// Reply direction.
    pub reply: CtTuple,
}
