//! Software segmentation, for frames larger than the wire's that reach a device which cannot cut them.
//!
//! Every segment gets the frame's headers with length, identification, sequence number, flags and checksums made
//! right, as TCP segmentation offload does (and its UDP sister, which repeats the UDP header).

use crate::frame::{Headers, L3, sum};
use flow::key::ip_proto;
use wire::{Gso, GsoKind, Packet};

/// Cuts `packet` and hands each segment to `out`; `scratch` is used again and again. Returns how many there were, or
/// `None` if the frame is not what its offload state says.
pub(crate) fn segment(packet: &Packet, scratch: &mut Vec<u8>, mut out: impl FnMut(&[u8])) -> Option<usize> {
    let gso = packet.offload.gso?;
    let d = packet.buf.data();
    let h = Headers::find(d);
    let l4 = h.l4_at?;
    let hdr_len = header_len(d, &h, &gso)?;
    let size = usize::from(gso.size);
    if size == 0 || hdr_len > d.len() {
        return None;
    }
    // The frame may be padded behind the IP packet.
    let payload = &d[hdr_len..ip_end(d, &h)?.clamp(hdr_len, d.len())];
    let n = payload.len().div_ceil(size).max(1);
    for (i, part) in payload.chunks(size).enumerate() {
        scratch.clear();
        scratch.extend_from_slice(&d[..hdr_len]);
        scratch.extend_from_slice(part);
        fix_l3(scratch, &h, i);
        if gso.kind == GsoKind::UdpL4 {
            let len = (scratch.len() - l4) as u16;
            scratch[l4 + 4..l4 + 6].copy_from_slice(&len.to_be_bytes());
        } else {
            fix_tcp(scratch, l4, i, size, i + 1 == n);
        }
        fix_l4_checksum(scratch, &h, l4);
        out(scratch);
    }
    if payload.is_empty() {
        out(d);
    }
    Some(n)
}

fn header_len(d: &[u8], h: &Headers, gso: &Gso) -> Option<usize> {
    let l4 = h.l4_at?;
    match (gso.kind, h.l3, h.proto) {
        (GsoKind::Tcp4, L3::Ipv4, ip_proto::TCP) | (GsoKind::Tcp6, L3::Ipv6, ip_proto::TCP) => {
            let n = usize::from(d[l4 + 12] >> 4) * 4;
            (n >= 20 && l4 + n <= d.len()).then_some(l4 + n)
        }
        (GsoKind::UdpL4, L3::Ipv4 | L3::Ipv6, ip_proto::UDP) => Some(l4 + 8),
        _ => None,
    }
}

fn ip_end(d: &[u8], h: &Headers) -> Option<usize> {
    let len = |at: usize| crate::frame::be16(d, at).map(usize::from);
    let n = match h.l3 {
        L3::Ipv4 => len(h.l3_at + 2)?,
        L3::Ipv6 => len(h.l3_at + 4)? + 40,
        _ => return None,
    };
    // Frames of 64 KB and more have a length of 0.
    Some(if n <= 40 { d.len() } else { h.l3_at + n })
}

fn fix_l3(s: &mut [u8], h: &Headers, i: usize) {
    let l3 = h.l3_at;
    let len = s.len() - l3;
    if h.l3 == L3::Ipv4 {
        s[l3 + 2..l3 + 4].copy_from_slice(&(len as u16).to_be_bytes());
        let id = u16::from_be_bytes([s[l3 + 4], s[l3 + 5]]).wrapping_add(i as u16);
        s[l3 + 4..l3 + 6].copy_from_slice(&id.to_be_bytes());
        s[l3 + 10..l3 + 12].fill(0);
        let ihl = usize::from(s[l3] & 15) * 4;
        let c = !sum(&s[l3..l3 + ihl]);
        s[l3 + 10..l3 + 12].copy_from_slice(&c.to_be_bytes());
    } else {
        s[l3 + 4..l3 + 6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
    }
}

fn fix_tcp(s: &mut [u8], l4: usize, i: usize, size: usize, last: bool) {
    const FIN_PSH: u8 = 0x09;
    const CWR: u8 = 0x80;
    let seq = u32::from_be_bytes([s[l4 + 4], s[l4 + 5], s[l4 + 6], s[l4 + 7]]);
    let seq = seq.wrapping_add((i * size) as u32);
    s[l4 + 4..l4 + 8].copy_from_slice(&seq.to_be_bytes());
    if !last {
        s[l4 + 13] &= !FIN_PSH;
    }
    if i > 0 {
        s[l4 + 13] &= !CWR;
    }
}

fn fix_l4_checksum(s: &mut [u8], h: &Headers, l4: usize) {
    let at = l4 + if h.proto == ip_proto::TCP { 16 } else { 6 };
    let addrs = if h.l3 == L3::Ipv4 { h.l3_at + 12..h.l3_at + 20 } else { h.l3_at + 8..h.l3_at + 40 };
    s[at..at + 2].fill(0);
    let mut acc = u32::from(sum(&s[addrs])) + u32::from(h.proto) + (s.len() - l4) as u32;
    acc += u32::from(sum(&s[l4..]));
    while acc >> 16 != 0 {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    let mut c = !(acc as u16);
    if c == 0 && h.proto == ip_proto::UDP {
        c = 0xffff;
    }
    s[at..at + 2].copy_from_slice(&c.to_be_bytes());
}
