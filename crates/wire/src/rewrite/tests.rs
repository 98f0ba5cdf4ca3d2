//! Rewritten packets against freshly computed checksums.

use super::*;
use crate::checksum::Sum;
use crate::offload::complete_checksum;
use crate::{Packet, PacketBuf, mpls, vlan};

fn packet(frame: &[u8]) -> Packet {
    Packet { buf: PacketBuf::from_frame(frame), ..Packet::default() }
}

fn frames() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for proto in [tcp::PROTO, udp::PROTO, sctp::PROTO, icmp::PROTO] {
        let mut f = vec![0; 14];
        f[12] = 8;
        let mut l4 = vec![0; 20];
        l4[12] = 0x50;
        l4.extend(b"payload, odd!");
        if proto == udp::PROTO {
            put16(&mut l4, 4, 33);
        }
        let mut h = [0; 20];
        let ip = ipv4::Ipv4 {
            tos: 1,
            payload_len: l4.len() as u16,
            id: 7,
            frag: 0,
            ttl: 3,
            proto,
            src: [1, 2, 3, 4].into(),
            dst: [5, 6, 7, 8].into(),
        };
        ip.emit(&mut h);
        f.extend(h);
        f.extend(l4);
        out.push(f);
    }
    for proto in [tcp::PROTO, udp::PROTO, sctp::PROTO, icmpv6::PROTO] {
        let mut f = vec![0; 14];
        f[12..14].copy_from_slice(&[0x86, 0xdd]);
        let mut l4 = vec![0; 24];
        match proto {
            tcp::PROTO => l4[12] = 0x50,
            udp::PROTO => put16(&mut l4, 4, 40),
            icmpv6::PROTO => l4[0] = 135,
            _ => {}
        }
        l4.extend([1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 3, 3, 3, 3, 3, 3]);
        let mut h = [0; 40];
        ipv6::Ipv6 {
            tclass: 3,
            label: 0xabcde,
            payload_len: l4.len() as u16,
            next: proto,
            hop_limit: 2,
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        }
        .emit(&mut h);
        f.extend(h);
        f.extend(l4);
        out.push(f);
    }
    out.iter_mut().for_each(|f| fill_l4_checksum(f));
    out
}

fn fill_l4_checksum(f: &mut [u8]) {
    let h = Headers::find(f, 0);
    let l4 = h.l4_at.unwrap();
    if h.proto == sctp::PROTO {
        let csum = sctp::checksum(&f[l4..]);
        return put32(f, l4 + sctp::CHECKSUM, csum);
    }
    let at = l4 + checksum_offset(&h, false).unwrap();
    put16(f, at, 0);
    let sum = if checksum_offset(&h, true).is_some() { h.pseudo(f, f.len() - l4) } else { Sum::default() };
    let csum = sum.bytes(&f[l4..]).finish();
    put16(f, at, csum);
}

/// Every checksum of the frame is what it would be if computed anew.
fn assert_right(frame: &[u8]) {
    let mut again = frame.to_vec();
    if Headers::find(frame, 0).l3 == L3::Ipv4 {
        assert!(ipv4::checksum_ok(&frame[14..]));
    }
    fill_l4_checksum(&mut again);
    assert_eq!(again, frame);
}

fn change_all(p: &mut Packet) {
    let at = &Headers::find(p.buf.data(), 0);
    eth(p, |s, d| {
        *s = Mac([2; 6]);
        *d = Mac([4; 6]);
    });
    ipv6(p, at, |h| {
        h.src[15] ^= 0x5a;
        h.dst[0] = 0xff;
        h.tclass = 0x88;
        h.label = 1;
    });
    ipv4(p, at, |h| {
        h.src = [10, 0, 0, 9];
        h.dst[3] = 255;
        h.tos = 0xfc;
        h.ttl -= 1;
    });
    ports(p, at, |q| {
        q.src = 0xffff;
        q.dst ^= 80;
    });
    icmp(p, at, |_, c| *c = 3);
    nd(p, at, |n| {
        n.target[3] = 9;
        n.sll = Mac([7; 6]);
        n.tll = Mac([8; 6]);
        n.reserved = 0x2000_0000;
        n.option = 2;
    });
}

#[test]
fn checksums_follow_every_change() {
    for f in frames() {
        let mut p = packet(&f);
        change_all(&mut p);
        assert_ne!(p.buf.data(), f);
        assert_right(p.buf.data());
    }
}

#[test]
fn a_partial_checksum_stays_one() {
    for f in frames() {
        let h = Headers::find(&f, 0);
        let (l4, Some(at)) = (h.l4_at.unwrap(), checksum_offset(&h, true)) else { continue };
        let mut g = f.clone();
        let pseudo = h.pseudo(&g, g.len() - l4).fold();
        put16(&mut g, l4 + at, pseudo);
        let mut p = packet(&g);
        p.offload.csum = Some((l4 as u16, at as u16));
        change_all(&mut p);
        vlan::push(&mut p, vlan::TPID_C, 0x1005);
        assert!(vlan::pop(&mut p).is_some());
        complete_checksum(&mut p);
        assert_right(p.buf.data());
    }
}

#[test]
fn udp_without_a_checksum_keeps_none() {
    let mut f = frames().swap_remove(1);
    put16(&mut f, 14 + 20 + udp::CHECKSUM, 0);
    let mut p = packet(&f);
    change_all(&mut p);
    assert_eq!(u16_at(p.buf.data(), 40), 0);
}

#[test]
fn tags_and_labels_come_and_go() {
    let f = frames().swap_remove(0);
    let mut p = packet(&f);
    vlan::push(&mut p, vlan::TPID_C, 0x3005);
    assert_eq!(p.buf.data()[12..18], [0x81, 0, 0x20, 5, 8, 0]);
    vlan::push(&mut p, vlan::TPID_S, 7);
    assert!(vlan::set_tci(&mut p, |_| 0x1008));
    mpls::push(&mut p, 22, mpls::ETHERTYPE, 0x0001_01ff);
    assert!(mpls::set_lse(&mut p, 22, |_| 0x0002_01ff));
    assert_eq!(Headers::find(p.buf.data(), 2).l2_end, 22);
    assert!(Headers::find(p.buf.data(), 2).is_mpls());
    assert_eq!(
        (Headers::find(p.buf.data(), 1).l2_end, Headers::find(p.buf.data(), 1).ethertype),
        (18, 0x8100)
    );
    assert_eq!(mpls::pop(&mut p, 22, 0x0800).unwrap().label, 0x20);
    assert_eq!(mpls::pop(&mut p, 22, 0x0800), None);
    assert_eq!(vlan::pop(&mut p).map(|t| (t.tpid, t.vid())), Some((vlan::TPID_S, 8)));
    assert_eq!(vlan::pop(&mut p).map(|t| (t.pcp(), t.vid())), Some((1, 5)));
    assert_eq!(vlan::pop(&mut p), None);
    assert_eq!(p.buf.data(), f);
}

#[test]
fn headers_that_are_not_there_are_left_alone() {
    for f in frames() {
        for n in 0..f.len() {
            let mut p = packet(&f[..n]);
            // Where the headers of the whole frame are, and where those of the cut one are not.
            for at in [Headers::find(&f[..n], 0), Headers { l4_at: Some(n), ..Headers::find(&f[..n], 0) }] {
                ipv4(&mut p, &at, |h| h.src = [1; 4]);
                ipv6(&mut p, &at, |h| h.src = [1; 16]);
                ports(&mut p, &at, |q| q.src = 1);
                icmp(&mut p, &at, |k, _| *k = 1);
                nd(&mut p, &at, |n| n.sll = Mac([1; 6]));
                arp(&mut p, &at, |a| a.op = 2);
            }
            vlan::set_tci(&mut p, |_| 1);
            mpls::set_lse(&mut p, 14, |_| 1);
            vlan::push(&mut p, 0x8100, 1);
            vlan::pop(&mut p);
            mpls::push(&mut p, 14, 0x8847, 1);
            mpls::pop(&mut p, 14, 0x800);
        }
    }
}
