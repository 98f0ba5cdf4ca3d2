//! Headers in front of a packet of any type: network service headers, labels, backbone tags; and TTLs across the bottom
//! of a label stack.

use crate::exec::Meta;
use dpif::action::{Nsh, Pbb, PushMpls, SetNsh, SetPbb};
use flow::key::eth_type;
use wire::{Headers, L3, Packet, rewrite, vlan};

/// Packet type of an Ethernet type.
const fn ethertype(t: u16) -> u32 {
    1 << 16 | t as u32
}

/// Packet types by a network service header's next protocol (RFC 8300 2.2).
const NEXT_PROTOCOLS: [(u8, u32); 5] = [
    (1, ethertype(eth_type::IPV4)),
    (2, ethertype(eth_type::IPV6)),
    (3, 0),
    (4, ethertype(eth_type::NSH)),
    (5, ethertype(eth_type::MPLS)),
];

/// ```text
/// |Ver|O|U|    TTL    |  Length   |U|U|U|U|MD Type| Next Protocol |
/// |            Service Path Identifier            | Service Index |
/// |                         context headers                       |
/// ```
pub(crate) fn push_nsh(packet: &mut Packet, meta: &mut Meta, n: &Nsh) {
    let context = match n.mdtype {
        1 => n.context.iter().flat_map(|c| c.to_be_bytes()).collect(),
        _ => n.md2.clone(),
    };
    let len = 8 + context.len();
    let d = packet.buf.push_front(len);
    let first = u16::from(n.flags & 3) << 12 | u16::from(n.ttl & 0x3f) << 6 | (len / 4) as u16 & 0x3f;
    d[..2].copy_from_slice(&first.to_be_bytes());
    d[2] = n.mdtype & 0xf;
    d[3] = n.np;
    d[4..8].copy_from_slice(&(n.spi << 8 | u32::from(n.si)).to_be_bytes());
    d[8..len].copy_from_slice(&context);
    meta.packet_type = ethertype(eth_type::NSH);
    packet.offload.shift(len as i32);
}

/// The length of the header at the start of some bytes, if it is one.
fn nsh_len(d: &[u8]) -> Option<usize> {
    let len = usize::from(*d.get(1)? & 0x3f) * 4;
    (d[0] >> 6 == 0 && len >= 8 && len <= d.len()).then_some(len)
}

pub(crate) fn pop_nsh(packet: &mut Packet, meta: &mut Meta) -> bool {
    let d = packet.buf.data();
    let Some(len) = nsh_len(d).filter(|_| meta.packet_type == ethertype(eth_type::NSH)) else { return false };
    let Some((_, next)) = NEXT_PROTOCOLS.iter().find(|(n, _)| *n == d[3]) else { return false };
    packet.buf.pull_front(len);
    meta.packet_type = *next;
    packet.offload.shift(-(len as i32));
    true
}

pub(crate) fn set_nsh(packet: &mut Packet, h: &Headers, s: &SetNsh) {
    if h.ethertype != eth_type::NSH {
        return;
    }
    let d = &mut packet.buf.data_mut()[h.l3_at..];
    let Some(len) = nsh_len(d) else { return };
    let first = u16::from_be_bytes([d[0], d[1]]);
    let flags = s.flags.apply((first >> 12) as u8 & 3) & 3;
    let ttl = s.ttl.apply((first >> 6) as u8 & 0x3f) & 0x3f;
    let first = first & !0x3fc0 | u16::from(flags) << 12 | u16::from(ttl) << 6;
    d[..2].copy_from_slice(&first.to_be_bytes());
    let path = u32::from_be_bytes([d[4], d[5], d[6], d[7]]);
    let spi = s.spi.apply(path >> 8) & 0xff_ffff;
    let si = s.si.apply(path as u8);
    d[4..8].copy_from_slice(&(spi << 8 | u32::from(si)).to_be_bytes());
    if d[2] & 0xf == 1 && len == 24 {
        for (c, at) in s.context.iter().zip((8..24).step_by(4)) {
            let old = u32::from_be_bytes([d[at], d[at + 1], d[at + 2], d[at + 3]]);
            d[at..at + 4].copy_from_slice(&c.apply(old).to_be_bytes());
        }
    }
}

/// A label in front of everything.
pub(crate) fn add_mpls(packet: &mut Packet, meta: &mut Meta, m: &PushMpls) {
    packet.buf.push_front(4)[..4].copy_from_slice(&m.lse.to_be_bytes());
    meta.packet_type = ethertype(m.eth_type);
    packet.offload.shift(4);
}

/// Takes the first label of a packet without an Ethernet header.
pub(crate) fn pop_front_mpls(packet: &mut Packet, meta: &mut Meta, next: u16) {
    if packet.buf.len() >= 4 {
        packet.buf.pull_front(4);
        meta.packet_type = if next == eth_type::BRIDGED { 0 } else { ethertype(next) };
        packet.offload.shift(-4);
    }
}

/// ```text
/// | B-DA | B-SA | 0x88e7 | PCP DEI UCA res | I-SID | C-DA | C-SA | type ...
/// ```
/// The backbone addresses start as the customer's.
pub(crate) fn push_pbb(packet: &mut Packet, p: &Pbb) {
    let d = packet.buf.data();
    if d.len() < 14 {
        return;
    }
    // The customer's priority goes along.
    let pcp = vlan::Vlan::parse(&d[12..]).map_or(0, |(tag, _)| tag.pcp() << 5);
    let mut addresses = [0; 12];
    addresses.copy_from_slice(&d[..12]);
    let tag = u32::from(pcp) << 24 | u32::from(p.uca & 1) << 27 | p.isid & 0xff_ffff;
    let h = packet.buf.push_front(18);
    h[..12].copy_from_slice(&addresses);
    h[12..14].copy_from_slice(&eth_type::PBB.to_be_bytes());
    h[14..18].copy_from_slice(&tag.to_be_bytes());
    packet.offload.shift(18);
}

pub(crate) fn pop_pbb(packet: &mut Packet) -> bool {
    let d = packet.buf.data();
    if d.len() < 18 + 14 || d[12..14] != eth_type::PBB.to_be_bytes() {
        return false;
    }
    packet.buf.pull_front(18);
    packet.offload.shift(-18);
    true
}

pub(crate) fn set_pbb(packet: &mut Packet, h: &Headers, s: &SetPbb) {
    let d = packet.buf.data_mut();
    let Some(tag) = d.get_mut(h.l2_end..h.l2_end + 4).filter(|_| h.ethertype == eth_type::PBB) else {
        return;
    };
    let old = u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]);
    let isid = s.isid.apply(old & 0xff_ffff) & 0xff_ffff;
    let uca = u32::from(s.uca.apply((old >> 27) as u8 & 1) & 1);
    let new = old & !0x08ff_ffff | uca << 27 | isid;
    tag.copy_from_slice(&new.to_be_bytes());
}

/// Copies a TTL across the bottom of the label stack: between its last label, which is its first too, and the IP header.
pub(crate) fn copy_ttl(packet: &mut Packet, h: &Headers, out: bool) {
    let d = packet.buf.data();
    if !h.is_mpls() || d.len() < h.l2_end + 5 || d[h.l2_end + 2] & 1 == 0 {
        return;
    }
    let label_at = h.l2_end + 3;
    let below = match d[h.l2_end + 4] >> 4 {
        4 => eth_type::IPV4,
        6 => eth_type::IPV6,
        _ => return,
    };
    let at = Headers::find_at(d, h.l2_end + 4, below);
    let mut label = d[label_at];
    let mut copy = |ttl: &mut u8| if out { label = *ttl } else { *ttl = label };
    match at.l3 {
        L3::Ipv4 => rewrite::ipv4(packet, &at, |h| copy(&mut h.ttl)),
        L3::Ipv6 => rewrite::ipv6(packet, &at, |h| copy(&mut h.hop_limit)),
        _ => return,
    }
    packet.buf.data_mut()[label_at] = label;
}
