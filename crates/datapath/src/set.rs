//! `set()`: one header's fields, by [`SetField`]. A frame without that header is left alone.

use crate::exec::Meta;
use dpif::action::{Masked, SetField, SetIcmp, SetPorts};
use flow::key::ip_proto;
use wire::{Headers, L3, Packet, mpls, rewrite, vlan};

/// Applies `set` to the packet. `headers` is kept from one change to the next, for as long as the layout stands;
/// `tags` is how many VLAN tags they are behind at most.
/// Returns false for a change that this datapath does not have.
pub(crate) fn apply(
    packet: &mut Packet,
    meta: &mut Meta,
    headers: &mut Option<Headers>,
    tags: usize,
    set: &SetField,
) -> bool {
    match set {
        SetField::Priority(m) => meta.priority = m.apply(meta.priority),
        SetField::Mark(m) => meta.mark = m.apply(meta.mark),
        SetField::Eth(e) => rewrite::eth(packet, |src, dst| {
            *src = e.src.apply(*src);
            *dst = e.dst.apply(*dst);
        }),
        SetField::Vlan(m) => {
            vlan::set_tci(packet, |tci| m.apply(tci));
        }
        SetField::Tunnel(_) | SetField::Other(..) => return false,
        _ => {
            let at = headers.get_or_insert_with(|| meta.headers(packet, tags));
            behind_ethernet(packet, at, set);
        }
    }
    true
}

/// Raises the drop precedence of an IP packet (see [`crate::meter::raised_precedence`]).
pub(crate) fn raise_precedence(packet: &mut Packet, at: &Headers, levels: u8) {
    let raised = |tos: u8| crate::meter::raised_precedence(tos >> 2, levels) << 2 | tos & 3;
    match at.l3 {
        L3::Ipv4 => rewrite::ipv4(packet, at, |h| h.tos = raised(h.tos)),
        L3::Ipv6 => rewrite::ipv6(packet, at, |h| h.tclass = raised(h.tclass)),
        _ => {}
    }
}

fn behind_ethernet(packet: &mut Packet, at: &Headers, set: &SetField) {
    match set {
        SetField::Mpls(m) if at.is_mpls() => {
            mpls::set_lse(packet, at.l2_end, |lse| m.apply(lse));
        }
        SetField::Nsh(s) => crate::encap::set_nsh(packet, at, s),
        SetField::Pbb(s) => crate::encap::set_pbb(packet, at, s),
        SetField::Ipv4(s) => rewrite::ipv4(packet, at, |h| {
            h.src = s.src.apply(u32::from_be_bytes(h.src)).to_be_bytes();
            h.dst = s.dst.apply(u32::from_be_bytes(h.dst)).to_be_bytes();
            h.tos = s.tos.apply(h.tos);
            h.ttl = s.ttl.apply(h.ttl);
        }),
        SetField::Ipv6(s) => rewrite::ipv6(packet, at, |h| {
            h.src = ipv6(s.src, h.src);
            h.dst = ipv6(s.dst, h.dst);
            h.tclass = s.tclass.apply(h.tclass);
            h.label = s.label.apply(h.label);
            h.hop_limit = s.hlimit.apply(h.hop_limit);
        }),
        SetField::Arp(s) => rewrite::arp(packet, at, |h| {
            h.op = s.op.apply(h.op);
            h.sha = s.sha.apply(h.sha);
            h.spa = s.sip.apply(h.spa.into()).into();
            h.tha = s.tha.apply(h.tha);
            h.tpa = s.tip.apply(h.tpa.into()).into();
        }),
        SetField::Tcp(s) if at.proto == ip_proto::TCP => ports(packet, at, s),
        SetField::Udp(s) if at.proto == ip_proto::UDP => ports(packet, at, s),
        SetField::Sctp(s) if at.proto == ip_proto::SCTP => ports(packet, at, s),
        SetField::Icmp(s) if at.l3 == L3::Ipv4 => icmp(packet, at, s),
        SetField::Icmpv6(s) if at.l3 == L3::Ipv6 => icmp(packet, at, s),
        SetField::Nd(s) => rewrite::nd(packet, at, |h| {
            h.target = ipv6(s.target, h.target);
            h.sll = s.sll.apply(h.sll);
            h.tll = s.tll.apply(h.tll);
        }),
        SetField::NdExt(s) => rewrite::nd(packet, at, |h| {
            h.reserved = s.reserved.apply(h.reserved);
            h.option = s.options_type.apply(h.option);
        }),
        _ => {}
    }
}

fn ipv6(set: Masked<u128>, old: [u8; 16]) -> [u8; 16] {
    set.apply(u128::from_be_bytes(old)).to_be_bytes()
}

fn ports(packet: &mut Packet, at: &Headers, s: &SetPorts) {
    rewrite::ports(packet, at, |h| {
        h.src = s.src.apply(h.src);
        h.dst = s.dst.apply(h.dst);
    });
}

fn icmp(packet: &mut Packet, at: &Headers, s: &SetIcmp) {
    rewrite::icmp(packet, at, |ty, code| {
        *ty = s.ty.apply(*ty);
        *code = s.code.apply(*code);
    });
}
