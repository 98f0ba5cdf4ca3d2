//! Doing in software what a device was asked to do: completing checksums, cutting large packets into segments.

use crate::buf::{GsoKind, Packet, PacketPool};
use crate::checksum::{Sum, pseudo_ipv4, pseudo_ipv6};
use crate::error::{WireError, array, need, put16, put32, u16_at, u32_at};
use crate::{ethernet, icmp, icmpv6, ipv4, ipv6, mpls, sctp, tcp, udp};

/// Where the IP datagram of a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpLayout {
    /// Whether it is IPv6.
    pub v6: bool,
    /// Start of the IP header.
    pub l3: usize,
    /// Start of the upper protocol.
    pub l4: usize,
    /// End of the datagram.
    pub end: usize,
    /// Upper protocol.
    pub proto: u8,
    /// Whether this is a fragment without the upper protocol's header.
    pub later_fragment: bool,
    /// Whether an IPv6 routing header hides the final destination.
    pub routed: bool,
}

/// Finds the IP datagram of an Ethernet frame, behind any tags.
pub fn locate(frame: &[u8]) -> Result<IpLayout, WireError> {
    need("Ethernet", frame, ethernet::LEN)?;
    let at = mpls::type_offset(frame).ok_or(WireError::Truncated {
        header: "Ethernet",
        need: frame.len() + 1,
        have: frame.len(),
    })?;
    match u16_at(frame, at) {
        ipv4::ETHERTYPE | ipv6::ETHERTYPE => locate_at(frame, at + 2),
        t => Err(WireError::Invalid { header: "Ethernet", field: "type", value: t as u32 }),
    }
}

/// Describes the IP datagram at `l3`.
pub fn locate_at(frame: &[u8], l3: usize) -> Result<IpLayout, WireError> {
    let h = frame.get(l3..).unwrap_or(&[]);
    if need("IP", h, 1)?[0] >> 4 == 4 {
        let (ip, payload) = ipv4::Ipv4::parse(h)?;
        let l4 = l3 + (h[0] & 15) as usize * 4;
        let later_fragment = ip.frag & ipv4::OFFSET != 0;
        let end = l4 + payload.len();
        return Ok(IpLayout { v6: false, l3, l4, end, proto: ip.proto, later_fragment, routed: false });
    }
    let (_, payload) = ipv6::Ipv6::parse(h)?;
    let end = l3 + ipv6::LEN + payload.len();
    let u = ipv6::upper(&frame[l3..end])?;
    Ok(IpLayout {
        v6: true,
        l3,
        l4: l3 + u.offset,
        end,
        proto: u.proto,
        later_fragment: u.later_fragment,
        routed: u.routed,
    })
}

impl IpLayout {
    /// The sum of the pseudo header for `len` bytes of upper protocol.
    pub fn pseudo(&self, frame: &[u8], len: usize) -> Sum {
        let h = &frame[self.l3..];
        if self.v6 {
            pseudo_ipv6(array(h, 8), array(h, 24), self.proto, len as u32)
        } else {
            pseudo_ipv4(array(h, 12), array(h, 16), self.proto, len as u16)
        }
    }
}

/// Completes a checksum that the sender left to the device.
pub fn complete_checksum(p: &mut Packet) {
    let Some((start, offset)) = p.offload.csum.take() else { return };
    let (start, at) = (start as usize, start as usize + offset as usize);
    let frame = p.buf.data_mut();
    if frame.len() < at + 2 || start > at {
        return;
    }
    let mut csum = Sum::default().bytes(&frame[start..]).finish();
    // The sum is never 0 in UDP, where 0 says that there is none; for TCP the two zeros mean the same.
    if csum == 0 && offset as usize == udp::CHECKSUM {
        csum = 0xffff;
    }
    put16(frame, at, csum);
    p.offload.csum_valid = true;
}

/// Computes and stores the checksum of the datagram's upper protocol, if it has one that we know.
pub fn fill_l4_checksum(frame: &mut [u8], ip: &IpLayout) {
    if ip.later_fragment || ip.routed || frame.len() < ip.end {
        return;
    }
    let len = ip.end.saturating_sub(ip.l4);
    let (at, pseudo, min) = match ip.proto {
        tcp::PROTO => (tcp::CHECKSUM, true, tcp::LEN),
        udp::PROTO => (udp::CHECKSUM, true, udp::LEN),
        icmpv6::PROTO if ip.v6 => (icmpv6::CHECKSUM, true, icmpv6::LEN),
        icmp::PROTO | 2 if !ip.v6 => (icmp::CHECKSUM, false, icmp::LEN),
        sctp::PROTO if len >= sctp::LEN => {
            let csum = sctp::checksum(&frame[ip.l4..ip.end]);
            put32(frame, ip.l4 + sctp::CHECKSUM, csum);
            return;
        }
        _ => return,
    };
    if len < min {
        return;
    }
    put16(frame, ip.l4 + at, 0);
    let sum = if pseudo { ip.pseudo(frame, len) } else { Sum::default() };
    let mut csum = sum.bytes(&frame[ip.l4..ip.end]).finish();
    if ip.proto == udp::PROTO && csum == 0 {
        csum = 0xffff;
    }
    put16(frame, ip.l4 + at, csum);
}

/// Most segments that one packet is cut into.
const MAX_SEGMENTS: usize = 65536 / 8;

/// Cuts a packet with [`crate::Gso`] into segments, appended to `out`. With `partial` their checksums are left to
/// the device, else they are complete. A packet without segmentation state is an error, as is one whose headers do
/// not agree with it; nothing is appended then.
pub fn segment(
    p: &Packet,
    partial: bool,
    pool: &mut PacketPool,
    out: &mut Vec<Packet>,
) -> Result<(), WireError> {
    let invalid = |field, value: usize| WireError::Invalid { header: "GSO", field, value: value as u32 };
    let gso = p.offload.gso.ok_or(invalid("kind", 0))?;
    let frame = p.buf.data();
    let ip = locate_gso(frame)?;
    let (proto, v6) = match gso.kind {
        GsoKind::Tcp4 => (tcp::PROTO, Some(false)),
        GsoKind::Tcp6 => (tcp::PROTO, Some(true)),
        GsoKind::UdpL4 => (udp::PROTO, None),
    };
    if ip.proto != proto || v6.is_some_and(|v| v != ip.v6) || ip.later_fragment {
        return Err(invalid("protocol", ip.proto as usize));
    }
    let l4 = &frame[ip.l4..ip.end];
    let header = if proto == tcp::PROTO {
        tcp::LEN.max((need("TCP", l4, tcp::LEN)?[12] >> 4) as usize * 4)
    } else {
        udp::LEN
    };
    let payload = need("GSO", l4, header)?.len() - header;
    let size = gso.size as usize;
    if size == 0 || payload / size.max(1) > MAX_SEGMENTS {
        return Err(invalid("size", size));
    }
    let n = payload.div_ceil(size).max(1);
    for i in 0..n {
        let from = ip.l4 + header + i * size;
        let to = (from + size).min(ip.end);
        let mut s = pool.take();
        s.buf.fill(&frame[..ip.l4 + header]);
        s.buf.extend(&frame[from..to]);
        let cut = Cut { index: i, last: i + 1 == n, header, offset: i * size, ecn: gso.ecn };
        fix_segment(&mut s, &ip, &cut);
        if !partial {
            complete_checksum(&mut s);
        }
        out.push(s);
    }
    Ok(())
}

/// Like [`locate`], but believes the frame's length where a large packet's own length fields do not fit it.
fn locate_gso(frame: &[u8]) -> Result<IpLayout, WireError> {
    match locate(frame) {
        Ok(ip) => Ok(IpLayout { end: frame.len(), ..ip }),
        Err(e) => {
            // Lengths of 0 stand for more than 64 KiB (RFC 2675); patch a copy of the headers.
            let mut head = frame[..frame.len().min(512)].to_vec();
            let at = mpls::type_offset(&head).ok_or(e)? + 2;
            let room = head.len().saturating_sub(at);
            match u16_at(&head, at - 2) {
                ipv4::ETHERTYPE if room >= ipv4::LEN => put16(&mut head, at + 2, room as u16),
                ipv6::ETHERTYPE if room >= ipv6::LEN => put16(&mut head, at + 4, (room - ipv6::LEN) as u16),
                _ => return Err(e),
            }
            Ok(IpLayout { end: frame.len(), ..locate(&head)? })
        }
    }
}

struct Cut {
    index: usize,
    last: bool,
    header: usize,
    offset: usize,
    ecn: bool,
}

/// Makes a segment's copied headers its own, and leaves its checksum partial.
fn fix_segment(s: &mut Packet, ip: &IpLayout, cut: &Cut) {
    let len = s.buf.len();
    let f = s.buf.data_mut();
    if ip.v6 {
        put16(f, ip.l3 + 4, (len - ip.l3 - ipv6::LEN) as u16);
    } else {
        let id = u16_at(f, ip.l3 + 4).wrapping_add(cut.index as u16);
        put16(f, ip.l3 + 2, (len - ip.l3) as u16);
        put16(f, ip.l3 + 4, id);
        put16(f, ip.l3 + 10, 0);
        let csum = crate::checksum::checksum(&f[ip.l3..ip.l4]);
        put16(f, ip.l3 + 10, csum);
    }
    let at = if ip.proto == tcp::PROTO {
        let seq = u32_at(f, ip.l4 + 4).wrapping_add(cut.offset as u32);
        put32(f, ip.l4 + 4, seq);
        let mut flags = u16_at(f, ip.l4 + 12);
        if !cut.last {
            flags &= !(tcp::flags::FIN | tcp::flags::PSH);
        }
        if cut.index > 0 && cut.ecn {
            flags &= !tcp::flags::CWR;
        }
        put16(f, ip.l4 + 12, flags);
        tcp::CHECKSUM
    } else {
        put16(f, ip.l4 + 4, (len - ip.l4) as u16);
        udp::CHECKSUM
    };
    debug_assert!(cut.header <= len - ip.l4);
    let pseudo = ip.pseudo(f, len - ip.l4).fold();
    put16(f, ip.l4 + at, pseudo);
    s.offload.csum = Some((ip.l4 as u16, at as u16));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gso;
    use crate::checksum::checksum;

    fn tcp_frame(v6: bool, payload: usize) -> Vec<u8> {
        let mut f = vec![0; ethernet::LEN];
        f[12..14].copy_from_slice(&(if v6 { ipv6::ETHERTYPE } else { ipv4::ETHERTYPE }).to_be_bytes());
        let l4 = tcp::LEN + payload;
        if v6 {
            let mut h = [0; ipv6::LEN];
            ipv6::Ipv6 {
                tclass: 0,
                label: 3,
                payload_len: l4 as u16,
                next: tcp::PROTO,
                hop_limit: 64,
                src: "fe80::1".parse().unwrap(),
                dst: "fe80::2".parse().unwrap(),
            }
            .emit(&mut h);
            f.extend(h);
        } else {
            let mut h = [0; ipv4::LEN];
            ipv4::Ipv4 {
                tos: 0,
                payload_len: l4 as u16,
                id: 0xffff,
                frag: 0,
                ttl: 64,
                proto: tcp::PROTO,
                src: [10, 0, 0, 1].into(),
                dst: [10, 0, 0, 2].into(),
            }
            .emit(&mut h);
            f.extend(h);
        }
        let mut h = [0; tcp::LEN];
        let flags = tcp::flags::FIN | tcp::flags::PSH | tcp::flags::ACK | tcp::flags::CWR;
        tcp::Tcp { src: 1, dst: 2, seq: 0xffff_fff0, flags, ..tcp::Tcp::default() }.emit(&mut h);
        f.extend(h);
        f.extend((0..payload).map(|i| i as u8));
        f
    }

    fn l4_ok(frame: &[u8]) -> bool {
        let ip = locate(frame).unwrap();
        ip.pseudo(frame, ip.end - ip.l4).bytes(&frame[ip.l4..ip.end]).finish() == 0
    }

    #[test]
    fn segments_are_whole_packets() {
        for v6 in [false, true] {
            let f = tcp_frame(v6, 3000);
            let mut p = Packet { buf: crate::PacketBuf::from_frame(&f), ..Packet::default() };
            let kind = if v6 { GsoKind::Tcp6 } else { GsoKind::Tcp4 };
            p.offload.gso = Some(Gso { kind, size: 1400, hdr_len: 54, ecn: true });
            let mut out = Vec::new();
            segment(&p, false, &mut PacketPool::default(), &mut out).unwrap();
            assert_eq!(out.len(), 3);
            let mut payload = Vec::new();
            for (i, s) in out.iter().enumerate() {
                let d = s.buf.data();
                assert!(l4_ok(d) && s.offload.csum.is_none() && s.offload.gso.is_none());
                let ip = locate(d).unwrap();
                assert_eq!(ip.end, d.len());
                let (t, _, data) = tcp::Tcp::parse(&d[ip.l4..]).unwrap();
                assert_eq!(t.seq, 0xffff_fff0u32.wrapping_add(1400 * i as u32));
                assert_eq!(t.flags & tcp::flags::FIN != 0, i == 2);
                assert_eq!(t.flags & tcp::flags::CWR != 0, i == 0);
                if !v6 {
                    assert_eq!(checksum(&d[14..34]), 0);
                }
                payload.extend_from_slice(data);
            }
            assert!(payload.iter().enumerate().all(|(i, b)| *b == i as u8) && payload.len() == 3000);
        }
    }

    #[test]
    fn partial_checksums_are_completed() {
        let mut f = tcp_frame(false, 33);
        let ip = locate(&f).unwrap();
        let pseudo = ip.pseudo(&f, ip.end - ip.l4).fold();
        put16(&mut f, ip.l4 + tcp::CHECKSUM, pseudo);
        let mut p = Packet { buf: crate::PacketBuf::from_frame(&f), ..Packet::default() };
        p.offload.csum = Some((ip.l4 as u16, tcp::CHECKSUM as u16));
        complete_checksum(&mut p);
        assert!(l4_ok(p.buf.data()));
        let mut g = f.clone();
        fill_l4_checksum(&mut g, &ip);
        assert_eq!(p.buf.data(), g);
    }

    #[test]
    fn hostile_frames_are_errors() {
        for v6 in [false, true] {
            let f = tcp_frame(v6, 40);
            for n in 0..f.len() {
                let _ = locate(&f[..n]);
                for bit in 0..8 {
                    let mut g = f.clone();
                    g[n] ^= 1 << bit;
                    let mut p = Packet {
                        buf: crate::PacketBuf::from_frame(&g[..g.len() - n % 7]),
                        ..Packet::default()
                    };
                    p.offload.gso = Some(Gso { kind: GsoKind::Tcp4, size: 7, hdr_len: 0, ecn: false });
                    p.offload.csum = Some((n as u16, 600 * (bit & 1)));
                    let _ = segment(&p, false, &mut PacketPool::default(), &mut Vec::new());
                    complete_checksum(&mut p);
                    if let Ok(ip) = locate(&g) {
                        fill_l4_checksum(&mut g, &ip);
                    }
                }
            }
        }
    }
}
