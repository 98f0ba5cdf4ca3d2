//! What a match must say before a field means anything.

use flow::key::{eth_type, ip_proto};
use flow::{Field, Match, Prereq};

fn exact(m: &Match, field: Field) -> Option<u128> {
    let (value, mask) = m.get(field);
    (mask & field.info().ones() == field.info().ones()).then_some(value)
}

fn eth_is(m: &Match, types: &[u16]) -> bool {
    is_ethernet_or_l3(m) && exact_eth_type(m).is_some_and(|t| types.contains(&t))
}

/// The Ethernet type that the match demands; for bare layer-3 packets, the one of their packet type.
pub fn exact_eth_type(m: &Match) -> Option<u16> {
    let (value, mask) = m.get(Field::PACKET_TYPE);
    if mask as u32 == u32::MAX && value >> 16 == 1 {
        return Some(value as u16);
    }
    exact(m, Field::ETH_TYPE).map(|t| t as u16)
}

fn is_ethernet_or_l3(m: &Match) -> bool {
    let (value, mask) = m.get(Field::PACKET_TYPE);
    mask == 0 || value == 0 || value >> 16 == 1
}

fn is_ethernet(m: &Match) -> bool {
    let (value, mask) = m.get(Field::PACKET_TYPE);
    mask == 0 || value == 0
}

fn ip(m: &Match, proto: u8) -> bool {
    eth_is(m, &[eth_type::IPV4, eth_type::IPV6])
        && exact(m, Field::IP_PROTO) == Some(proto.into())
        && m.get(Field::IP_FRAG).0 & 2 == 0
}

fn icmpv6(m: &Match) -> bool {
    eth_is(m, &[eth_type::IPV6]) && ip(m, ip_proto::ICMPV6)
}

fn nd(m: &Match, types: &[u8]) -> bool {
    icmpv6(m)
        && exact(m, Field::ICMPV6_TYPE).is_some_and(|t| types.iter().any(|x| u128::from(*x) == t))
        && matches!(exact(m, Field::ICMPV6_CODE), Some(0))
}

fn ct(m: &Match) -> bool {
    let (state, mask) = m.get(Field::CT_STATE);
    let trk = u128::from(flow::key::ct_state::TRK);
    state & mask & trk != 0
}

/// Whether `m` says what `field` needs.
pub fn satisfied(field: Field, m: &Match) -> bool {
    satisfied_prereq(field.info().prereq, m)
        && match field {
            Field::CT_NW_SRC | Field::CT_NW_DST => ct(m) && exact_eth_type(m) == Some(eth_type::IPV4),
            Field::CT_IPV6_SRC | Field::CT_IPV6_DST => ct(m) && exact_eth_type(m) == Some(eth_type::IPV6),
            Field::CT_TP_SRC | Field::CT_TP_DST => {
                ct(m)
                    && matches!(exact(m, Field::CT_NW_PROTO), Some(p) if [6, 17, 132, 1, 58].contains(&(p as u8)))
            }
            _ => true,
        }
}

/// The same for a prerequisite by itself.
pub fn satisfied_prereq(prereq: Prereq, m: &Match) -> bool {
    match prereq {
        Prereq::None => true,
        Prereq::Ethernet => is_ethernet(m),
        Prereq::Arp => eth_is(m, &[eth_type::ARP, eth_type::RARP]),
        Prereq::VlanVid => {
            let (tci, mask) = m.get(Field::VLAN_TCI);
            is_ethernet(m) && tci & mask & 0x1000 != 0
        }
        Prereq::Ipv4 => eth_is(m, &[eth_type::IPV4]),
        Prereq::Ipv6 => eth_is(m, &[eth_type::IPV6]),
        Prereq::IpAny => eth_is(m, &[eth_type::IPV4, eth_type::IPV6]),
        Prereq::Mpls => eth_is(m, &[eth_type::MPLS, eth_type::MPLS_MULTICAST]),
        Prereq::Tcp => ip(m, ip_proto::TCP),
        Prereq::Udp => ip(m, ip_proto::UDP),
        Prereq::Sctp => ip(m, ip_proto::SCTP),
        Prereq::Icmpv4 => eth_is(m, &[eth_type::IPV4]) && ip(m, ip_proto::ICMP),
        Prereq::Icmpv6 => icmpv6(m),
        Prereq::Nd => nd(m, &[135, 136]),
        Prereq::NdSolicit => nd(m, &[135]),
        Prereq::NdAdvert => nd(m, &[136]),
        Prereq::Nsh => {
            let (value, mask) = m.get(Field::PACKET_TYPE);
            (mask != 0 && value == 0x1_894f) || exact_eth_type(m) == Some(eth_type::NSH)
        }
        Prereq::Ct => ct(m),
    }
}

/// Whether a field is metadata of the pipeline, which a packet-out may set.
pub fn is_pipeline(field: Field) -> bool {
    field.as_tun_metadata().is_some()
        || field.is_register()
        || matches!(
            field,
            Field::TUN_ID
                | Field::TUN_SRC
                | Field::TUN_DST
                | Field::TUN_IPV6_SRC
                | Field::TUN_IPV6_DST
                | Field::TUN_FLAGS
                | Field::TUN_GBP_ID
                | Field::TUN_GBP_FLAGS
                | Field::TUN_ERSPAN_IDX
                | Field::TUN_ERSPAN_VER
                | Field::TUN_ERSPAN_DIR
                | Field::TUN_ERSPAN_HWID
                | Field::TUN_GTPU_FLAGS
                | Field::TUN_GTPU_MSGTYPE
                | Field::METADATA
                | Field::IN_PORT
                | Field::IN_PORT_OXM
                | Field::ACTSET_OUTPUT
                | Field::PACKET_TYPE
        )
}
