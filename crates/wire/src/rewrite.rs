//! Changing header fields in place, with every checksum that covers them.
//!
//! Each function hands the header's fields to a closure, and writes back what it changed. An upper protocol's
//! checksum is updated incrementally; one that the device is still to complete holds only the sum of the pseudo
//! header and is treated as such. [`Headers`] says where the layers are; what is not there is left alone.

use crate::arp::{self, Arp};
use crate::buf::Packet;
use crate::checksum::{update, update_sum};
use crate::error::{array, put16, put32, u16_at, u32_at};
use crate::headers::{Headers, L3};
use crate::{ethernet, icmp, icmpv6, ipv4, ipv6, sctp, tcp, udp};
use base::Mac;

/// The fields of an IPv4 header that can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Fields {
    /// Source.
    pub src: [u8; 4],
    /// Destination.
    pub dst: [u8; 4],
    /// Type of service.
    pub tos: u8,
    /// Time to live.
    pub ttl: u8,
}

/// The fields of an IPv6 header that can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Fields {
    /// Source.
    pub src: [u8; 16],
    /// Destination.
    pub dst: [u8; 16],
    /// Traffic class.
    pub tclass: u8,
    /// Flow label, 20 bits.
    pub label: u32,
    /// Hop limit.
    pub hop_limit: u8,
}

/// Source and destination port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    /// Source.
    pub src: u16,
    /// Destination.
    pub dst: u16,
}

/// The fields of a neighbor solicitation or advertisement that can be changed; an address whose option is not
/// there reads as zeros and is not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NdFields {
    /// Flags and reserved bits.
    pub reserved: u32,
    /// Target.
    pub target: [u8; 16],
    /// Source link-layer address.
    pub sll: Mac,
    /// Target link-layer address.
    pub tll: Mac,
    /// Type of the first option.
    pub option: u8,
}

/// Changes the Ethernet addresses.
pub fn eth(p: &mut Packet, f: impl FnOnce(&mut Mac, &mut Mac)) {
    let d = p.buf.data_mut();
    if d.len() < ethernet::LEN {
        return;
    }
    let (mut dst, mut src) = (Mac(array(d, 0)), Mac(array(d, 6)));
    f(&mut src, &mut dst);
    d[..6].copy_from_slice(&dst.0);
    d[6..12].copy_from_slice(&src.0);
}

/// Changes the IPv4 header.
pub fn ipv4(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut Ipv4Fields)) {
    let Some(h) = header(p, at, L3::Ipv4, ipv4::LEN) else { return };
    let old = Ipv4Fields { src: array(h, 12), dst: array(h, 16), tos: h[1], ttl: h[8] };
    let mut new = old;
    f(&mut new);
    if new == old {
        return;
    }
    fix_pseudo(p, at, &old.src, &new.src);
    fix_pseudo(p, at, &old.dst, &new.dst);
    let h = &mut p.buf.data_mut()[at.l3_at..at.l3_at + ipv4::LEN];
    let before: [u8; ipv4::LEN] = array(h, 0);
    let csum = u16_at(h, 10);
    h[1] = new.tos;
    h[8] = new.ttl;
    h[12..16].copy_from_slice(&new.src);
    h[16..20].copy_from_slice(&new.dst);
    let csum = update(csum, &before, h);
    put16(h, 10, csum);
}

/// Changes the IPv6 header.
pub fn ipv6(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut Ipv6Fields)) {
    let Some(h) = header(p, at, L3::Ipv6, ipv6::LEN) else { return };
    let first = u32_at(h, 0);
    let old = Ipv6Fields {
        src: array(h, 8),
        dst: array(h, 24),
        tclass: (first >> 20) as u8,
        label: first & 0xf_ffff,
        hop_limit: h[7],
    };
    let mut new = old;
    f(&mut new);
    fix_pseudo(p, at, &old.src, &new.src);
    // With a routing header on the way, the checksum covers the final destination, not this one.
    if !at.routed {
        fix_pseudo(p, at, &old.dst, &new.dst);
    }
    let h = &mut p.buf.data_mut()[at.l3_at..at.l3_at + ipv6::LEN];
    put32(h, 0, (first & 0xf000_0000) | (new.tclass as u32) << 20 | (new.label & 0xf_ffff));
    h[7] = new.hop_limit;
    h[8..24].copy_from_slice(&new.src);
    h[24..40].copy_from_slice(&new.dst);
}

/// Changes the ports of a TCP, UDP or SCTP header.
pub fn ports(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut Ports)) {
    let (Some(l4), tcp::PROTO | udp::PROTO | sctp::PROTO) = (at.l4_at, at.proto) else { return };
    let Some(h) = p.buf.data().get(l4..l4 + 4) else { return };
    let old: [u8; 4] = array(h, 0);
    let mut ports = Ports { src: u16_at(h, 0), dst: u16_at(h, 2) };
    f(&mut ports);
    let mut new = [0; 4];
    put16(&mut new, 0, ports.src);
    put16(&mut new, 2, ports.dst);
    if new == old {
        return;
    }
    if at.proto == sctp::PROTO {
        sctp_ports(p, l4, &new);
        return;
    }
    write_l4(p, at, 0, &new);
}

/// A wrong CRC stays wrong by the same bits, so that a change does not hide a damaged packet. One that is left to the
/// device is not there yet.
fn sctp_ports(p: &mut Packet, l4: usize, new: &[u8; 4]) {
    let partial = is_partial(p, l4);
    let Some(h) = p.buf.data_mut().get_mut(l4..).filter(|h| h.len() >= sctp::LEN) else { return };
    let error = if partial { 0 } else { u32_at(h, sctp::CHECKSUM) ^ sctp::checksum(h) };
    h[..4].copy_from_slice(new);
    if !partial {
        let csum = sctp::checksum(h) ^ error;
        put32(h, sctp::CHECKSUM, csum);
    }
}

/// Changes type and code of an ICMP or ICMPv6 header.
pub fn icmp(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut u8, &mut u8)) {
    let ((L3::Ipv4, icmp::PROTO) | (L3::Ipv6, icmpv6::PROTO)) = (at.l3, at.proto) else { return };
    let Some(h) = at.l4_at.and_then(|l4| p.buf.data().get(l4..l4 + 2)) else { return };
    let (mut kind, mut code) = (h[0], h[1]);
    f(&mut kind, &mut code);
    write_l4(p, at, 0, &[kind, code]);
}

/// Changes an ARP packet, of whatever protocol it says it is.
pub fn arp(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut Arp)) {
    if header(p, at, L3::Arp, arp::LEN).is_none() {
        return;
    }
    let h = &mut p.buf.data_mut()[at.l3_at..];
    let mut a = Arp::fields(h);
    f(&mut a);
    a.emit_fields(h);
}

/// Changes a neighbor solicitation or advertisement.
pub fn nd(p: &mut Packet, at: &Headers, f: impl FnOnce(&mut NdFields)) {
    let (Some(l4), L3::Ipv6, icmpv6::PROTO) = (at.l4_at, at.l3, at.proto) else { return };
    let Some(h) = p.buf.data().get(l4..).filter(|h| h.len() >= icmpv6::ND_LEN) else { return };
    let (mut sll_at, mut tll_at) = (None, None);
    let mut offset = icmpv6::ND_LEN;
    for option in icmpv6::options(&h[icmpv6::ND_LEN..]) {
        let Ok(o) = option else { break };
        match o[0] {
            icmpv6::OPT_SOURCE if o.len() == 8 && sll_at.is_none() => sll_at = Some(offset + 2),
            icmpv6::OPT_TARGET if o.len() == 8 && tll_at.is_none() => tll_at = Some(offset + 2),
            _ => {}
        }
        offset += o.len();
    }
    let mac = |at: Option<usize>| at.map_or(Mac::ZERO, |at| Mac(array(h, at)));
    let options = offset > icmpv6::ND_LEN;
    let mut fields = NdFields {
        reserved: u32_at(h, 4),
        target: array(h, 8),
        sll: mac(sll_at),
        tll: mac(tll_at),
        option: if options { h[icmpv6::ND_LEN] } else { 0 },
    };
    let units = if options { h[icmpv6::ND_LEN + 1] } else { 0 };
    f(&mut fields);
    write_l4(p, at, 4, &fields.reserved.to_be_bytes());
    write_l4(p, at, 8, &fields.target);
    if let Some(offset) = sll_at {
        write_l4(p, at, offset, &fields.sll.0);
    }
    if let Some(offset) = tll_at {
        write_l4(p, at, offset, &fields.tll.0);
    }
    if options {
        write_l4(p, at, icmpv6::ND_LEN, &[fields.option, units]);
    }
}

/// The bytes from layer 3 on, if it is of this kind and has `len` bytes.
fn header<'a>(p: &'a Packet, at: &Headers, kind: L3, len: usize) -> Option<&'a [u8]> {
    p.buf.data().get(at.l3_at..).filter(|h| at.l3 == kind && h.len() >= len)
}

/// Whether the checksum of the header at `l4` is left to the device.
fn is_partial(p: &Packet, l4: usize) -> bool {
    p.offload.csum.is_some_and(|(start, _)| start as usize == l4)
}

/// Where the checksum of layer 4 is in its header, if it covers the addresses (`pseudo`) or at all.
fn checksum_offset(at: &Headers, pseudo: bool) -> Option<usize> {
    match (at.l3, at.proto) {
        (_, tcp::PROTO) => Some(tcp::CHECKSUM),
        (_, udp::PROTO) => Some(udp::CHECKSUM),
        (L3::Ipv6, icmpv6::PROTO) => Some(icmpv6::CHECKSUM),
        (L3::Ipv4, icmp::PROTO) if !pseudo => Some(icmp::CHECKSUM),
        _ => None,
    }
}

/// Writes bytes of layer 4, an even number of them at an even offset.
fn write_l4(p: &mut Packet, at: &Headers, offset: usize, new: &[u8]) {
    let Some(l4) = at.l4_at else { return };
    let place = l4 + offset..l4 + offset + new.len();
    let mut old = [0; 16];
    let old = &mut old[..new.len()];
    old.copy_from_slice(&p.buf.data()[place.clone()]);
    // A partial checksum does not cover the header yet.
    if !is_partial(p, l4)
        && let Some(offset) = checksum_offset(at, false)
    {
        move_checksum(p, l4 + offset, at.proto, old, new);
    }
    p.buf.data_mut()[place].copy_from_slice(new);
}

/// Brings the checksum of layer 4 up to date with a change of an address.
fn fix_pseudo(p: &mut Packet, at: &Headers, old: &[u8], new: &[u8]) {
    let (Some(l4), Some(offset)) = (at.l4_at, checksum_offset(at, true)) else { return };
    if old == new {
        return;
    }
    if is_partial(p, l4) {
        let d = p.buf.data_mut();
        let sum = update_sum(u16_at(d, l4 + offset), old, new);
        put16(d, l4 + offset, sum);
    } else {
        move_checksum(p, l4 + offset, at.proto, old, new);
    }
}

fn move_checksum(p: &mut Packet, at: usize, proto: u8, old: &[u8], new: &[u8]) {
    let d = p.buf.data_mut();
    let csum = u16_at(d, at);
    // UDP's 0 says that there is none.
    if proto == udp::PROTO && csum == 0 {
        return;
    }
    let mut csum = update(csum, old, new);
    if proto == udp::PROTO && csum == 0 {
        csum = 0xffff;
    }
    put16(d, at, csum);
}

#[cfg(test)]
mod tests;
