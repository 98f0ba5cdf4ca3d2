//! Doing in software what a device was asked to do: completing checksums, cutting large packets into segments.

use crate::buf::{GsoKind, Packet};
use crate::checksum::Sum;
use crate::error::{WireError, put16, put32, u16_at, u32_at};
use crate::headers::{Headers, L3};
use crate::{ipv6, sctp, tcp, udp};

/// Completes a checksum that the sender left to the device.
pub fn complete_checksum(p: &mut Packet) {
    let Some((start, offset)) = p.offload.csum.take() else { return };
    let (start, at) = (start as usize, start as usize + offset as usize);
    let frame = p.buf.data_mut();
    if frame.len() < at + 2 {
        return;
    }
    p.offload.csum_valid = true;
    // No other protocol has its checksum there.
    if offset as usize == sctp::CHECKSUM {
        if frame.len() >= start + sctp::LEN {
            let csum = sctp::checksum(&frame[start..]);
            put32(frame, at, csum);
        }
        return;
    }
    let mut csum = Sum::default().bytes(&frame[start..]).finish();
    // The sum is never 0 in UDP, where 0 says that there is none; for TCP the two zeros mean the same.
    if csum == 0 && offset as usize == udp::CHECKSUM {
        csum = 0xffff;
    }
    put16(frame, at, csum);
}

/// Most segments that one packet is cut into.
const MAX_SEGMENTS: usize = 65536 / 8;

/// Cuts a packet with [`crate::Gso`] into segments, made one after the other in `segment` and handed to `out`. Their
/// checksums are left to the device. Every segment has the packet's headers with length, identification, sequence
/// number and flags made right, as devices do it. A packet whose headers do not agree with its segmentation state is
/// an error; nothing is handed out then.
pub fn segment(p: &Packet, segment: &mut Packet, mut out: impl FnMut(&mut Packet)) -> Result<(), WireError> {
    let invalid = |field, value: usize| WireError::Invalid { header: "GSO", field, value: value as u32 };
    let gso = p.offload.gso.ok_or(invalid("kind", 0))?;
    let frame = p.buf.data();
    let h = Headers::find_below_labels(frame);
    let l4 = h.l4_at.ok_or(invalid("layer 4", 0))?;
    let header = match (gso.kind, h.l3, h.proto) {
        (GsoKind::Tcp4, L3::Ipv4, tcp::PROTO) | (GsoKind::Tcp6, L3::Ipv6, tcp::PROTO) => {
            tcp::LEN.max((frame[l4 + 12] >> 4) as usize * 4)
        }
        (GsoKind::UdpL4, L3::Ipv4 | L3::Ipv6, udp::PROTO) => udp::LEN,
        _ => return Err(invalid("protocol", h.proto as usize)),
    };
    let payload = frame.get(l4 + header..h.ip_end(frame)).ok_or(invalid("header", header))?;
    let size = gso.size as usize;
    if size == 0 || payload.len() / size > MAX_SEGMENTS {
        return Err(invalid("size", size));
    }
    let n = payload.len().div_ceil(size).max(1);
    for i in 0..n {
        segment.buf.fill(&frame[..l4 + header]);
        segment.buf.extend(&payload[i * size..payload.len().min((i + 1) * size)]);
        segment.offload = Default::default();
        fix_segment(segment, &h, l4, &Cut { index: i, last: i + 1 == n, offset: i * size });
        out(segment);
    }
    Ok(())
}

struct Cut {
    index: usize,
    last: bool,
    offset: usize,
}

/// Makes a segment's copied headers its own, and leaves its checksum partial.
fn fix_segment(s: &mut Packet, h: &Headers, l4: usize, cut: &Cut) {
    let l3 = h.l3_at;
    let len = s.buf.len();
    let f = s.buf.data_mut();
    if h.l3 == L3::Ipv6 {
        put16(f, l3 + 4, (len - l3 - ipv6::LEN) as u16);
    } else {
        let id = u16_at(f, l3 + 4).wrapping_add(cut.index as u16);
        put16(f, l3 + 2, (len - l3) as u16);
        put16(f, l3 + 4, id);
        put16(f, l3 + 10, 0);
        let csum = crate::checksum::checksum(&f[l3..l4]);
        put16(f, l3 + 10, csum);
    }
    let at = if h.proto == tcp::PROTO {
        let seq = u32_at(f, l4 + 4).wrapping_add(cut.offset as u32);
        put32(f, l4 + 4, seq);
        let mut flags = u16_at(f, l4 + 12);
        if !cut.last {
            flags &= !(tcp::flags::FIN | tcp::flags::PSH);
        }
        if cut.index > 0 {
            flags &= !tcp::flags::CWR;
        }
        put16(f, l4 + 12, flags);
        tcp::CHECKSUM
    } else {
        put16(f, l4 + 4, (len - l4) as u16);
        udp::CHECKSUM
    };
    let pseudo = h.pseudo(f, len - l4).fold();
    put16(f, l4 + at, pseudo);
    s.offload.csum = Some((l4 as u16, at as u16));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::checksum;
    use crate::{Gso, PacketBuf, ethernet, ipv4, mpls, vlan};

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

    fn packet(f: &[u8]) -> Packet {
        Packet { buf: PacketBuf::from_frame(f), ..Packet::default() }
    }

    fn l4_ok(frame: &[u8]) -> bool {
        let h = Headers::find_below_labels(frame);
        let (l4, end) = (h.l4_at.unwrap(), h.ip_end(frame));
        h.pseudo(frame, end - l4).bytes(&frame[l4..end]).finish() == 0
    }

    #[test]
    fn segments_are_whole_packets() {
        for (v6, labelled) in [(false, false), (true, false), (false, true), (true, true)] {
            let f = tcp_frame(v6, 3000);
            let mut p = packet(&f);
            let kind = if v6 { GsoKind::Tcp6 } else { GsoKind::Tcp4 };
            p.offload.gso = Some(Gso { kind, size: 1400, hdr_len: 54, ecn: true });
            vlan::push(&mut p, vlan::TPID_C, 5);
            if labelled {
                mpls::push(&mut p, 18, mpls::ETHERTYPE, 0x1140);
                mpls::push(&mut p, 18, mpls::ETHERTYPE, 0x2040);
            }
            let mut out = Vec::new();
            segment(&p, &mut Packet::default(), |s| {
                complete_checksum(s);
                out.push(s.clone());
            })
            .unwrap();
            assert_eq!(out.len(), 3);
            let mut payload = Vec::new();
            for (i, s) in out.iter().enumerate() {
                let d = s.buf.data();
                assert!(l4_ok(d) && s.offload.csum.is_none() && s.offload.gso.is_none());
                let h = Headers::find_below_labels(d);
                assert_eq!(h.ip_end(d), d.len());
                let (t, _, data) = tcp::Tcp::parse(&d[h.l4_at.unwrap()..]).unwrap();
                assert_eq!(t.seq, 0xffff_fff0u32.wrapping_add(1400 * i as u32));
                assert_eq!(t.flags & tcp::flags::FIN != 0, i == 2);
                assert_eq!(t.flags & tcp::flags::CWR != 0, i == 0);
                if !v6 {
                    assert_eq!(checksum(&d[h.l3_at..h.l3_at + 20]), 0);
                }
                payload.extend_from_slice(data);
            }
            assert!(payload.iter().enumerate().all(|(i, b)| *b == i as u8) && payload.len() == 3000);
        }
    }

    #[test]
    fn partial_checksums_are_completed() {
        let mut f = tcp_frame(false, 33);
        let h = Headers::find(&f, 0);
        let l4 = h.l4_at.unwrap();
        let pseudo = h.pseudo(&f, f.len() - l4).fold();
        put16(&mut f, l4 + tcp::CHECKSUM, pseudo);
        let mut p = packet(&f);
        p.offload.csum = Some((l4 as u16, tcp::CHECKSUM as u16));
        complete_checksum(&mut p);
        assert!(l4_ok(p.buf.data()));
        let mut s = packet(&[7; 30]);
        s.offload.csum = Some((10, sctp::CHECKSUM as u16));
        complete_checksum(&mut s);
        assert_eq!(u32_at(s.buf.data(), 18), sctp::checksum(&s.buf.data()[10..]));
    }

    #[test]
    fn hostile_frames_are_errors() {
        for v6 in [false, true] {
            let f = tcp_frame(v6, 40);
            for n in 0..f.len() {
                for bit in 0..8 {
                    let mut g = f.clone();
                    g[n] ^= 1 << bit;
                    let mut p = packet(&g[..g.len() - n % 7]);
                    p.offload.gso = Some(Gso { kind: GsoKind::Tcp4, size: 7, hdr_len: 0, ecn: false });
                    p.offload.csum = Some((n as u16, 600 * (bit & 1)));
                    let _ = segment(&p, &mut Packet::default(), |_| ());
                    complete_checksum(&mut p);
                    let cut = packet(&f[..n]);
                    let h = Headers::find_below_labels(cut.buf.data());
                    assert!(h.l4_at.is_none_or(|at| at <= n) && h.ip_end(cut.buf.data()) <= n);
                }
            }
        }
    }
}
