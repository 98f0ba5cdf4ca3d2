//! The mask of everything that a packet has: what megaflows match on when they are turned off.

use flow::key::{eth_type, ip_proto};
use flow::{FlowKey, Mask, layout as l};

/// Places of a key: first byte and bytes.
type Place = (usize, usize);

const META: &[Place] = &[
    (l::IN_PORT, 4),
    (l::RECIRC_ID, 4),
    (l::DP_HASH, 4),
    (l::SKB_PRIORITY, 4),
    (l::PKT_MARK, 4),
    (l::PACKET_TYPE, 4),
    (l::CT_STATE, 4),
    (l::CT_ZONE, 2),
    (l::CT_MARK, 4),
    (l::CT_LABEL, 16),
    (l::ETH_DST, 6),
    (l::ETH_SRC, 6),
    (l::VLAN, 8),
    (l::ETH_TYPE, 2),
];
const ARP: &[Place] = &[(l::NW_SRC, 8), (l::NW_PROTO, 1), (l::ARP_SHA, 6), (l::ARP_THA, 6)];
const MPLS: &[Place] = &[(l::MPLS, 12)];
const IPV4: &[Place] = &[(l::NW_SRC, 8), (l::CT_NW_SRC, 8), (l::CT_NW_PROTO, 1)];
const IPV6: &[Place] =
    &[(l::IPV6_SRC, 32), (l::IPV6_LABEL, 4), (l::CT_IPV6_SRC, 32), (l::CT_NW_PROTO, 1), (l::IPV6_EXTHDR, 2)];
const IP: &[Place] = &[(l::NW_FRAG, 4), (l::TP_SRC, 4), (l::CT_TP_SRC, 4)];
const TCP: &[Place] = &[(l::TCP_FLAGS, 2)];
const ND: &[Place] = &[(l::ND_TARGET, 16), (l::ARP_SHA, 6), (l::ARP_THA, 6)];

/// `mask` with every field that a packet with this key has.
pub(crate) fn every_field(key: &FlowKey, mut mask: Mask) -> Mask {
    let mut add = |places: &[Place]| places.iter().for_each(|(at, n)| mask.0.put(*at, &[0xff; 32][..*n]));
    add(META);
    match key.eth_type() {
        eth_type::ARP | eth_type::RARP => add(ARP),
        eth_type::MPLS | eth_type::MPLS_MULTICAST => add(MPLS),
        eth_type::IPV4 => add(IPV4),
        eth_type::IPV6 => add(IPV6),
        _ => {}
    }
    if key.is_ip_any() {
        add(IP);
        match key.ip_proto() {
            ip_proto::TCP => add(TCP),
            ip_proto::ICMPV6 => add(ND),
            _ => {}
        }
    }
    // What is in the packet beyond these (extension headers' fields, tunnels) counts as well.
    for (m, k) in mask.0.words.iter_mut().zip(&key.words).take(l::STAGE_PIPELINE) {
        if *k != 0 && *m == 0 {
            *m = u64::MAX;
        }
    }
    mask
}
