//! `set()`: one header's fields, by [`SetField`]. A frame without that header is left alone.

use crate::exec::Meta;
use crate::frame::{Headers, L3, Rewriter, is_tag};
use dpif::action::{Masked, SetArp, SetField, SetIcmp, SetIpv4, SetIpv6, SetNd, SetNdExt, SetPorts};
use flow::key::ip_proto;
use wire::Packet;

/// Applies `set` to the packet. `headers` is kept from one change to the next, for as long as the layout stands.
/// Returns false for a change that this datapath does not have.
pub(crate) fn apply(
    packet: &mut Packet,
    meta: &mut Meta,
    headers: &mut Option<Headers>,
    set: &SetField,
) -> bool {
    match set {
        SetField::Priority(m) => meta.priority = m.apply(meta.priority),
        SetField::Mark(m) => meta.mark = m.apply(meta.mark),
        SetField::Eth(e) => {
            let d = packet.buf.data_mut();
            if let Some(d) = d.get_mut(..12) {
                let old = |a: &[u8]| base::Mac(a.try_into().unwrap_or_default());
                let (dst, src) = (e.dst.apply(old(&d[..6])), e.src.apply(old(&d[6..])));
                d[..6].copy_from_slice(&dst.0);
                d[6..].copy_from_slice(&src.0);
            }
        }
        SetField::Vlan(m) => {
            let d = packet.buf.data_mut();
            if d.len() >= 18 && is_tag(u16::from_be_bytes([d[12], d[13]])) {
                let old = u16::from_be_bytes([d[14], d[15]]) | 0x1000;
                let tci = m.apply(old) & !0x1000;
                d[14..16].copy_from_slice(&tci.to_be_bytes());
            }
        }
        SetField::Mpls(m) => {
            let h = *headers.get_or_insert_with(|| Headers::find_typed(packet.buf.data(), meta.packet_type));
            let d = packet.buf.data_mut();
            if let Some(Ok(old)) = d.get(h.l2_end..h.l2_end + 4).filter(|_| h.mpls).map(<[u8; 4]>::try_from) {
                let lse = m.apply(u32::from_be_bytes(old));
                d[h.l2_end..h.l2_end + 4].copy_from_slice(&lse.to_be_bytes());
            }
        }
        SetField::Nsh(s) => {
            let h = *headers.get_or_insert_with(|| Headers::find_typed(packet.buf.data(), meta.packet_type));
            crate::encap::set_nsh(packet, &h, s);
        }
        SetField::Pbb(s) => {
            let h = *headers.get_or_insert_with(|| Headers::find_typed(packet.buf.data(), meta.packet_type));
            crate::encap::set_pbb(packet, &h, s);
        }
        SetField::Tunnel(_) | SetField::Other(..) => return false,
        _ => {
            let h = *headers.get_or_insert_with(|| Headers::find_typed(packet.buf.data(), meta.packet_type));
            apply_l3(&mut Rewriter { packet, headers: h }, set);
        }
    }
    true
}

/// Raises the drop precedence of an IP packet (see [`crate::meter::raised_precedence`]).
pub(crate) fn raise_precedence(
    packet: &mut Packet,
    meta: &Meta,
    headers: &mut Option<Headers>,
    levels: u8,
) {
    let headers = *headers.get_or_insert_with(|| Headers::find_typed(packet.buf.data(), meta.packet_type));
    let r = &mut Rewriter { packet, headers };
    let tos = match headers.l3 {
        L3::Ipv4 => bytes::<2>(r, headers.l3_at)[1],
        L3::Ipv6 => (u16::from_be_bytes(bytes(r, headers.l3_at)) >> 4) as u8,
        _ => return,
    };
    let raised = Masked { value: crate::meter::raised_precedence(tos >> 2, levels) << 2, mask: 0xfc };
    match headers.l3 {
        L3::Ipv4 => ipv4(r, &SetIpv4 { tos: raised, ..SetIpv4::default() }),
        _ => ipv6(r, &SetIpv6 { tclass: raised, ..SetIpv6::default() }),
    }
}

fn apply_l3(r: &mut Rewriter<'_>, set: &SetField) {
    let (l3, proto) = (r.headers.l3, r.headers.proto);
    let has_l4 = r.headers.l4_at.is_some();
    match set {
        SetField::Ipv4(s) if l3 == L3::Ipv4 => ipv4(r, s),
        SetField::Ipv6(s) if l3 == L3::Ipv6 => ipv6(r, s),
        SetField::Arp(s) if l3 == L3::Arp => arp(r, s),
        SetField::Tcp(p) if proto == ip_proto::TCP && has_l4 => ports(r, p),
        SetField::Udp(p) if proto == ip_proto::UDP && has_l4 => ports(r, p),
        SetField::Sctp(p) if proto == ip_proto::SCTP && has_l4 => {
            let (src, dst) = new_ports(r, p);
            r.sctp(src, dst);
        }
        SetField::Icmp(s) if proto == ip_proto::ICMP && l3 == L3::Ipv4 && has_l4 => icmp(r, s),
        SetField::Icmpv6(s) if proto == ip_proto::ICMPV6 && l3 == L3::Ipv6 && has_l4 => icmp(r, s),
        SetField::Nd(s) if proto == ip_proto::ICMPV6 && l3 == L3::Ipv6 && has_l4 => nd(r, s),
        SetField::NdExt(s) if proto == ip_proto::ICMPV6 && l3 == L3::Ipv6 && has_l4 => nd_ext(r, s),
        _ => {}
    }
}

fn bytes<const N: usize>(r: &Rewriter<'_>, at: usize) -> [u8; N] {
    let d = r.packet.buf.data();
    d.get(at..at + N).and_then(|s| s.try_into().ok()).unwrap_or([0; N])
}

fn ipv4(r: &mut Rewriter<'_>, s: &SetIpv4) {
    let l3 = r.headers.l3_at;
    for (m, offset) in [(s.src, 12), (s.dst, 16)] {
        let old = u32::from_be_bytes(bytes(r, l3 + offset));
        let new = m.apply(old);
        if new != old {
            r.ipv4_addr(offset, new);
        }
    }
    let [version, tos] = bytes(r, l3);
    if s.tos.apply(tos) != tos {
        r.ipv4_pair(0, [version, s.tos.apply(tos)]);
    }
    let [ttl, proto] = bytes(r, l3 + 8);
    if s.ttl.apply(ttl) != ttl {
        r.ipv4_pair(8, [s.ttl.apply(ttl), proto]);
    }
}

fn ipv6(r: &mut Rewriter<'_>, s: &SetIpv6) {
    let l3 = r.headers.l3_at;
    // With a routing header the checksum is made with the last destination, which is elsewhere.
    let routed = r.headers.routed;
    for (m, offset, counts) in [(s.src, 8, true), (s.dst, 24, !routed)] {
        let old = u128::from_be_bytes(bytes(r, l3 + offset));
        let new = m.apply(old);
        if new != old {
            r.ipv6_addr(offset, new, counts);
        }
    }
    let vtf = u32::from_be_bytes(bytes(r, l3));
    let label = s.label.apply(vtf) & 0xf_ffff;
    let tclass = u32::from(s.tclass.apply((vtf >> 20) as u8));
    let hlimit = s.hlimit.apply(bytes::<1>(r, l3 + 7)[0]);
    let d = r.packet.buf.data_mut();
    d[l3..l3 + 4].copy_from_slice(&(vtf & 0xf000_0000 | tclass << 20 | label).to_be_bytes());
    d[l3 + 7] = hlimit;
}

fn arp(r: &mut Rewriter<'_>, s: &SetArp) {
    let a = r.headers.l3_at;
    let mac = |b: [u8; 6]| base::Mac(b);
    let op = s.op.apply(u16::from_be_bytes(bytes(r, a + 6))).to_be_bytes();
    let sha = s.sha.apply(mac(bytes(r, a + 8))).0;
    let sip = s.sip.apply(u32::from_be_bytes(bytes(r, a + 14))).to_be_bytes();
    let tha = s.tha.apply(mac(bytes(r, a + 18))).0;
    let tip = s.tip.apply(u32::from_be_bytes(bytes(r, a + 24))).to_be_bytes();
    let d = &mut r.packet.buf.data_mut()[a..];
    d[6..8].copy_from_slice(&op);
    d[8..14].copy_from_slice(&sha);
    d[14..18].copy_from_slice(&sip);
    d[18..24].copy_from_slice(&tha);
    d[24..28].copy_from_slice(&tip);
}

fn new_ports(r: &Rewriter<'_>, p: &SetPorts) -> (u16, u16) {
    let l4 = r.headers.l4_at.unwrap_or(0);
    let src = p.src.apply(u16::from_be_bytes(bytes(r, l4)));
    (src, p.dst.apply(u16::from_be_bytes(bytes(r, l4 + 2))))
}

fn ports(r: &mut Rewriter<'_>, p: &SetPorts) {
    let (src, dst) = new_ports(r, p);
    let [a, b] = src.to_be_bytes();
    let [c, d] = dst.to_be_bytes();
    r.l4(0, &[a, b, c, d]);
}

fn icmp(r: &mut Rewriter<'_>, s: &SetIcmp) {
    let [ty, code] = bytes(r, r.headers.l4_at.unwrap_or(0));
    r.l4(0, &[s.ty.apply(ty), s.code.apply(code)]);
}

fn nd(r: &mut Rewriter<'_>, s: &SetNd) {
    let Some(l4) = r.headers.l4_at.filter(|l4| r.packet.buf.len() >= l4 + 24) else { return };
    let target = u128::from_be_bytes(bytes(r, l4 + 8));
    if s.target.apply(target) != target {
        r.l4(8, &s.target.apply(target).to_be_bytes());
    }
    let mut at = 24;
    loop {
        let [kind, len] = bytes(r, l4 + at);
        if len == 0 || r.packet.buf.len() < l4 + at + usize::from(len) * 8 {
            return;
        }
        let m = if kind == 1 { s.sll } else { s.tll };
        if matches!(kind, 1 | 2) && len == 1 && !m.is_wild() {
            let old = base::Mac(bytes(r, l4 + at + 2));
            r.l4(at + 2, &m.apply(old).0);
        }
        at += usize::from(len) * 8;
    }
}

fn nd_ext(r: &mut Rewriter<'_>, s: &SetNdExt) {
    let Some(l4) = r.headers.l4_at.filter(|l4| r.packet.buf.len() >= l4 + 24) else { return };
    let reserved = u32::from_be_bytes(bytes(r, l4 + 4));
    if s.reserved.apply(reserved) != reserved {
        r.l4(4, &s.reserved.apply(reserved).to_be_bytes());
    }
    let [kind, len] = bytes(r, l4 + 24);
    if len != 0 && s.options_type.apply(kind) != kind && r.packet.buf.len() >= l4 + 26 {
        r.l4(24, &[s.options_type.apply(kind), len]);
    }
}
