//! A packet's key.

use crate::exec::Meta;
use crate::frame::{Headers, L3, be16, is_tag};
use flow::FlowKey;
use flow::key::{VLAN_PRESENT, eth_type, frag, ip_proto};
use flow::layout as l;
use wire::Packet;

/// Fills `key` (which only ever held packets' keys) from a packet; false if the frame has no Ethernet header.
pub(crate) fn extract(packet: &Packet, meta: &Meta, key: &mut FlowKey) -> bool {
    key.words[..l::STAGE_PIPELINE].fill(0);
    key.set_dp_port(meta.in_port);
    key.put(l::RECIRC_ID, &meta.recirc_id.to_be_bytes());
    key.put(l::DP_HASH, &meta.dp_hash.to_be_bytes());
    key.put(l::SKB_PRIORITY, &meta.priority.to_be_bytes());
    key.put(l::PKT_MARK, &meta.mark.to_be_bytes());
    key.put(l::PACKET_TYPE, &meta.packet_type.to_be_bytes());
    let d = packet.buf.data();
    if d.len() < 14 {
        return false;
    }
    key.put(l::ETH_DST, &d[..12]);
    let mut at = 12;
    let mut n = 0;
    let ty = loop {
        let Some(t) = be16(d, at) else { break eth_type::NOT_A_TYPE };
        at += 2;
        if !is_tag(t) || n == 2 {
            break if t < 0x600 { eth_type::NOT_A_TYPE } else { t };
        }
        let Some(tci) = be16(d, at) else { break t };
        key.set_vlan(n, t, tci | VLAN_PRESENT);
        n += 1;
        at += 2;
    };
    key.set_eth_type(ty);
    let h = Headers::find(d);
    match h.l3 {
        L3::Ipv4 => {
            let ip = &d[h.l3_at..];
            key.put(l::NW_SRC, &ip[12..20]);
            let f = u16::from_be_bytes([ip[6], ip[7]]);
            let nw_frag =
                if f & 0x3fff == 0 { 0 } else { frag::ANY | if f & 0x1fff != 0 { frag::LATER } else { 0 } };
            key.put(l::NW_FRAG, &[nw_frag, ip[1], ip[8], ip[9]]);
        }
        L3::Ipv6 => {
            let ip = &d[h.l3_at..];
            key.put(l::IPV6_SRC, &ip[8..40]);
            let vtf = u32::from_be_bytes([ip[0], ip[1], ip[2], ip[3]]);
            key.put(l::IPV6_LABEL, &(vtf & 0xf_ffff).to_be_bytes());
            key.put(l::NW_FRAG, &[0, (vtf >> 20) as u8, ip[7], h.proto]);
        }
        L3::Arp => {
            let a = &d[h.l3_at..];
            key.put(l::NW_SRC, &a[14..18]);
            key.put(l::NW_DST, &a[24..28]);
            key.put(l::NW_PROTO, &a[7..8]);
            key.put(l::ARP_SHA, &a[8..14]);
            key.put(l::ARP_THA, &a[18..24]);
        }
        L3::None => {}
    }
    if h.mpls {
        for i in 0..3 {
            let p = h.l2_end + 4 * i;
            let Some(e) = d.get(p..p + 4) else { break };
            key.put(l::MPLS + 4 * i, e);
            if e[2] & 1 != 0 {
                break;
            }
        }
    }
    if let Some(l4) = h.l4_at {
        let b = &d[l4..];
        match h.proto {
            ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP => key.put(l::TP_SRC, &b[..4]),
            ip_proto::ICMP | ip_proto::ICMPV6 => {
                key.put(l::TP_SRC, &[0, b[0], 0, b[1]]);
                if h.proto == ip_proto::ICMPV6 && matches!(b[0], 135 | 136) && b.len() >= 24 {
                    key.put(l::ND_TARGET, &b[8..24]);
                }
            }
            _ => {}
        }
        if h.proto == ip_proto::TCP {
            key.put(l::TCP_FLAGS, &[b[12] & 0x0f, b[13]]);
        }
    }
    true
}
