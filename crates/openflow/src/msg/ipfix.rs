//! Nicira: IPFIX statistics.

use crate::buf::{Decode, Put, Reader};

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

pub(crate) fn put(o: &mut Vec<u8>, s: &IpfixStats) {
    let n = [
        s.total_flows,
        s.current_flows,
        s.pkts,
        s.ipv4_pkts,
        s.ipv6_pkts,
        s.error_pkts,
        s.ipv4_error_pkts,
        s.ipv6_error_pkts,
        s.tx_pkts,
        s.tx_errors,
    ];
    n.into_iter().for_each(|n| o.u64(n));
    o.u32(s.collector_set_id);
    o.zeros(4);
}

pub(crate) fn decode(r: &mut Reader<'_>) -> Decode<IpfixStats> {
    let mut s = IpfixStats {
        total_flows: r.u64()?,
        current_flows: r.u64()?,
        pkts: r.u64()?,
        ipv4_pkts: r.u64()?,
        ipv6_pkts: r.u64()?,
        error_pkts: r.u64()?,
        ipv4_error_pkts: r.u64()?,
        ipv6_error_pkts: r.u64()?,
        tx_pkts: r.u64()?,
        tx_errors: r.u64()?,
        collector_set_id: 0,
    };
    s.collector_set_id = r.u32()?;
    r.skip(4)?;
    Ok(s)
}
