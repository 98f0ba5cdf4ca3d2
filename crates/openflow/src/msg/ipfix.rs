//! Nicira: IPFIX statistics.

/// Counters of an exporter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IpfixStats {
    /// Collector set (flow-based only).
    pub collector_set_id: u32,
    /// Flows exported.
    pub total_flows: u64,
    /// Flows in the cache.
    pub current_flows: u64,
    /// Packets sampled.
    pub pkts: u64,
    /// IPv4 packets sampled.
    pub ipv4_pkts: u64,
    /// IPv6 packets sampled.
    pub ipv6_pkts: u64,
    /// Packets that could not be sampled.
    pub error_pkts: u64,
    /// IPv4 errors.
    pub ipv4_error_pkts: u64,
    /// IPv6 errors.
    pub ipv6_error_pkts: u64,
    /// Messages sent.
    pub tx_pkts: u64,
    /// Messages that could not be sent.
    pub tx_errors: u64,
}
