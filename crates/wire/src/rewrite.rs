//! Changing header fields in place, with every checksum that covers them.
//!
//! Each function hands the header's fields to a closure, and writes back what it changed. An upper protocol's
//! checksum is updated incrementally; one that the device is still to complete holds only the sum of the pseudo
//! header and is treated as such. Offsets are those of the layers in the frame; a header that is not there, or cut
//! short, is left alone.

use crate::arp::{self, Arp};
use crate::buf::Packet;
use crate::checksum::{update, update_sum};
use crate::error::{array, put16, put32, u16_at, u32_at};
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

/// Changes the IPv4 header at `l3`; `l4` is the upper protocol's header, if this packet has it.
pub fn ipv4(p: &mut Packet, l3: usize, l4: Option<usize>, f: impl FnOnce(&mut Ipv4Fields)) {
    let Some(h) = p.buf.data().get(l3..).filter(|h| h.len() >= ipv4::LEN) else { return };
    let proto = h[9];
    let old = Ipv4Fields { src: array(h, 12), dst: array(h, 16), tos: h[1], ttl: h[8] };
    let mut new = old;
    f(&mut new);
    if new == old {
        return;
    }
    if (new.src, new.dst) != (old.src, old.dst)
        && let Some(at) = l4.filter(|_| matches!(proto, tcp::PROTO | udp::PROTO))
    {
        fix_l4(p, at, proto, &old.src, &new.src);
        fix_l4(p, at, proto, &old.dst, &new.dst);
    }
    let h = &mut p.buf.data_mut()[l3..l3 + ipv4::LEN];
    let before: [u8; ipv4::LEN] = array(h, 0);
    let csum = u16_at(h, 10);
    h[1] = new.tos;
    h[8] = new.ttl;
    h[12..16].copy_from_slice(&new.src);
    h[16..20].copy_from_slice(&new.dst);
    let csum = update(csum, &before, h);
    put16(h, 10, csum);
}

/// Changes the IPv6 header at `l3`; `l4` is the upper protocol's header, if this packet has it.
pub fn ipv6(p: &mut Packet, l3: usize, l4: Option<usize>, f: impl FnOnce(&mut Ipv6Fields)) {
    let Some(h) = p.buf.data().get(l3..).filter(|h| h.len() >= ipv6::LEN) else { return };
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
    if (new.src, new.dst) != (old.src, old.dst)
        && let (Some(at), Ok(upper)) = (l4, ipv6::upper(h))
        && matches!(upper.proto, tcp::PROTO | udp::PROTO | icmpv6::PROTO)
    {
        fix_l4(p, at, upper.proto, &old.src, &new.src);
        // With a routing header on the way, the checksum covers the final destination, not this one.
        if !upper.routed {
            fix_l4(p, at, upper.proto, &old.dst, &new.dst);
        }
    }
    let h = &mut p.buf.data_mut()[l3..l3 + ipv6::LEN];
    put32(h, 0, (first & 0xf000_0000) | (new.tclass as u32) << 20 | (new.label & 0xf_ffff));
    h[7] = new.hop_limit;
    h[8..24].copy_from_slice(&new.src);
    h[24..40].copy_from_slice(&new.dst);
}

/// Changes the ports of the TCP, UDP or SCTP header at `l4`.
pub fn ports(p: &mut Packet, l4: usize, proto: u8, f: impl FnOnce(&mut Ports)) {
    let min = match proto {
        tcp::PROTO => tcp::LEN,
        udp::PROTO => udp::LEN,
        sctp::PROTO => sctp::LEN,
        _ => return,
    };
    let Some(h) = p.buf.data().get(l4..).filter(|h| h.len() >= min) else { return };
    let old: [u8; 4] = array(h, 0);
    let mut ports = Ports { src: u16_at(h, 0), dst: u16_at(h, 2) };
    f(&mut ports);
    let mut new = [0; 4];
    put16(&mut new, 0, ports.src);
    put16(&mut new, 2, ports.dst);
    if new == old {
        return;
    }
    if proto == sctp::PROTO {
        sctp_ports(&mut p.buf.data_mut()[l4..], &new);
        return;
    }
    // A partial checksum does not cover the header yet.
    if !is_partial(p, l4) {
        fix_l4(p, l4, proto, &old, &new);
    }
    p.buf.data_mut()[l4..l4 + 4].copy_from_slice(&new);
}

/// A wrong CRC stays wrong by the same bits, so that a change does not hide a damaged packet.
fn sctp_ports(h: &mut [u8], new: &[u8; 4]) {
    let error = u32_at(h, sctp::CHECKSUM) ^ sctp::checksum(h);
    h[..4].copy_from_slice(new);
    let csum = sctp::checksum(h) ^ error;
    put32(h, sctp::CHECKSUM, csum);
}

/// Changes type and code of the ICMP or ICMPv6 header at `l4`.
pub fn icmp(p: &mut Packet, l4: usize, f: impl FnOnce(&mut u8, &mut u8)) {
    let partial = is_partial(p, l4);
    let Some(h) = p.buf.data_mut().get_mut(l4..).filter(|h| h.len() >= icmpv6::LEN) else { return };
    let old = [h[0], h[1]];
    let (mut kind, mut code) = (h[0], h[1]);
    f(&mut kind, &mut code);
    if !partial {
        let csum = update(u16_at(h, icmp::CHECKSUM), &old, &[kind, code]);
        put16(h, icmp::CHECKSUM, csum);
    }
    (h[0], h[1]) = (kind, code);
}

/// Changes the ARP packet at `l3`.
pub fn arp(p: &mut Packet, l3: usize, f: impl FnOnce(&mut Arp)) {
    let Some(h) = p.buf.data_mut().get_mut(l3..).filter(|h| h.len() >= arp::LEN) else { return };
    if let Ok(mut a) = Arp::parse(h) {
        f(&mut a);
        a.emit(h);
    }
}

/// Changes the neighbor solicitation or advertisement at `l4`.
pub fn nd(p: &mut Packet, l4: usize, f: impl FnOnce(&mut NdFields)) {
    let partial = is_partial(p, l4);
    let Some(h) = p.buf.data_mut().get_mut(l4..).filter(|h| h.len() >= icmpv6::ND_LEN) else { return };
    let (mut sll_at, mut tll_at) = (None, None);
    let mut at = icmpv6::ND_LEN;
    for option in icmpv6::options(&h[icmpv6::ND_LEN..]) {
        let Ok(o) = option else { break };
        match o[0] {
            icmpv6::OPT_SOURCE if o.len() == 8 && sll_at.is_none() => sll_at = Some(at + 2),
            icmpv6::OPT_TARGET if o.len() == 8 && tll_at.is_none() => tll_at = Some(at + 2),
            _ => {}
        }
        at += o.len();
    }
    let mac = |h: &[u8], at: Option<usize>| at.map_or(Mac::ZERO, |at| Mac(array(h, at)));
    let mut fields =
        NdFields { reserved: u32_at(h, 4), target: array(h, 8), sll: mac(h, sll_at), tll: mac(h, tll_at) };
    f(&mut fields);
    let mut csum = u16_at(h, icmpv6::CHECKSUM);
    let mut write = |at: usize, new: &[u8]| {
        if !partial {
            csum = update(csum, &h[at..at + new.len()], new);
        }
        h[at..at + new.len()].copy_from_slice(new);
    };
    write(4, &fields.reserved.to_be_bytes());
    write(8, &fields.target);
    if let Some(at) = sll_at {
        write(at, &fields.sll.0);
    }
    if let Some(at) = tll_at {
        write(at, &fields.tll.0);
    }
    put16(h, icmpv6::CHECKSUM, csum);
}

/// Takes one off the TTL or hop limit of the IP header at `l3`. Returns false, and changes nothing, if it is 0 or 1
/// or there is no IP header.
pub fn dec_ttl(p: &mut Packet, l3: usize) -> bool {
    let Some(h) = p.buf.data().get(l3..) else { return false };
    match h.first().map(|b| b >> 4) {
        Some(4) if h.len() >= ipv4::LEN && h[8] > 1 => ipv4(p, l3, None, |h| h.ttl -= 1),
        Some(6) if h.len() >= ipv6::LEN && h[7] > 1 => ipv6(p, l3, None, |h| h.hop_limit -= 1),
        _ => return false,
    }
    true
}

/// Whether the checksum of the header at `l4` is left to the device.
fn is_partial(p: &Packet, l4: usize) -> bool {
    p.offload.csum.is_some_and(|(start, _)| start as usize == l4)
}

/// Brings the checksum of the header at `l4` up to date with a change of bytes that it covers.
fn fix_l4(p: &mut Packet, l4: usize, proto: u8, old: &[u8], new: &[u8]) {
    let at = l4
        + match proto {
            tcp::PROTO => tcp::CHECKSUM,
            udp::PROTO => udp::CHECKSUM,
            icmpv6::PROTO => icmpv6::CHECKSUM,
            _ => return,
        };
    let partial = is_partial(p, l4);
    let d = p.buf.data_mut();
    if d.len() < at + 2 {
        return;
    }
    let csum = u16_at(d, at);
    if partial {
        put16(d, at, update_sum(csum, old, new));
        return;
    }
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
