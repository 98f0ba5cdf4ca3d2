//! Actions over packets.

use super::mini::{Bench, Rule, assert_checksums, csum, ipv4};
use crate::{Band, DropCause, Event, Excess, MeterUnit};
use base::DpPort;
use dpif::Datapath as _;
use dpif::netdev::TxCaps;
use flow::Field;
use std::sync::Arc;
use std::time::Duration;
use wire::{Gso, GsoKind, Offload, Packet};

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];

fn with(actions: &str) -> Bench {
    with_caps(actions, TxCaps::default())
}

fn with_caps(actions: &str, caps: TxCaps) -> Bench {
    Bench::new(4, caps, vec![Rule::new(&[(Field::IN_PORT, 0)], actions)])
}

/// What `actions` make of a frame, at port 1.
fn one(actions: &str, frame: &[u8]) -> Vec<u8> {
    let mut out = with(actions).pass(0, frame);
    assert_eq!(out[1].len(), 1, "{actions}");
    out[1].remove(0)
}

#[test]
fn vlan_push_and_pop() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    let tagged = one("push_vlan(vid=5,pcp=3),1", &f);
    assert_eq!(tagged[12..18], [0x81, 0, 0x60, 5, 8, 0]);
    assert_eq!(one("pop_vlan,1", &tagged), f);
    let twice = one("push_vlan(tpid=0x88a8,vid=9,pcp=0),1", &tagged);
    assert_eq!(twice[12..20], [0x88, 0xa8, 0, 9, 0x81, 0, 0x60, 5]);
    assert_eq!(one("set(vlan(vid=7,pcp=1)),1", &tagged)[12..16], [0x81, 0, 0x20, 7]);
    assert_eq!(one("pop_vlan,1", &f), f, "nothing to pop");
}

#[test]
fn set_fields_keep_checksums_right() {
    for proto in [6, 17] {
        let f = ipv4(proto, A, B, (1000, 2000), b"some payload");
        let l4 = if proto == 6 { "tcp" } else { "udp" };
        for set in [
            "set(eth(src=02:00:00:00:00:09,dst=02:00:00:00:00:08))".to_string(),
            "set(ipv4(src=1.2.3.4,dst=200.100.50.25))".to_string(),
            "set(ipv4(tos=0x10,ttl=63))".to_string(),
            "set(ipv4(dst=99.0.0.0/255.0.0.0))".to_string(),
            format!("set({l4}(src=5,dst=60000))"),
            format!("set({l4}(dst=80))"),
        ] {
            let out = one(&format!("{set},1"), &f);
            assert_ne!(out, f, "{set}");
            assert_checksums(&out);
        }
        let out = one(&format!("set(ipv4(dst=9.9.9.9)),set({l4}(dst=9002)),1"), &f);
        assert_eq!((&out[30..34], &out[36..38]), (&[9u8, 9, 9, 9][..], &9002u16.to_be_bytes()[..]));
    }
    let mut none = ipv4(17, A, B, (1, 2), b"x");
    none[40..42].fill(0);
    assert_eq!(one("set(ipv4(dst=9.9.9.9)),1", &none)[40..42], [0, 0], "no checksum stays none");
    // Fields of a header that is not there change nothing.
    assert_eq!(one("set(tcp(dst=80)),set(ipv6(hlimit=3)),set(arp(op=2)),1", &none), none);
}

fn ipv6_nd() -> Vec<u8> {
    let mut icmp = vec![136, 0, 0, 0, 0x40, 0, 0, 0];
    icmp.extend_from_slice(&[0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    icmp.extend_from_slice(&[2, 1, 2, 0, 0, 0, 0, 7]);
    let (src, dst) = ([0xfe; 16], [0xfd; 16]);
    let pseudo = [&src[..], &dst[..], &(icmp.len() as u32).to_be_bytes(), &[0, 0, 0, 58]].concat();
    let c = csum(&[&pseudo, &icmp]);
    icmp[2..4].copy_from_slice(&c.to_be_bytes());
    let mut f = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0];
    f.extend_from_slice(&(icmp.len() as u16).to_be_bytes());
    f.extend_from_slice(&[58, 255]);
    f.extend_from_slice(&src);
    f.extend_from_slice(&dst);
    f.extend_from_slice(&icmp);
    f
}

#[test]
fn ipv6_and_neighbour_discovery() {
    let f = ipv6_nd();
    assert_checksums(&f);
    for set in [
        "set(ipv6(src=::1,dst=2001:db8::5))",
        "set(ipv6(label=0x12345,tclass=0x20,hlimit=63))",
        "set(nd(target=2001:db8::9,tll=02:00:00:00:00:33))",
        "set(nd_ext(nd_reserved=0x20000000))",
        "set(icmpv6(type=135))",
    ] {
        let out = one(&format!("{set},1"), &f);
        assert_ne!(out, f, "{set}");
        assert_checksums(&out);
    }
    let out = one("set(nd(tll=02:00:00:00:00:33)),1", &f);
    assert_eq!(out[f.len() - 6..], [2, 0, 0, 0, 0, 0x33]);
}

#[test]
fn arp_reply_from_a_request() {
    let mut f = vec![0xff; 6];
    f.extend_from_slice(&[0, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    f.extend_from_slice(&[0, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    let set = "set(arp(sip=10.0.0.2,tip=10.0.0.1,op=2,sha=00:00:00:00:00:02,tha=00:00:00:00:00:01)),1";
    let out = one(set, &f);
    assert_eq!(out[20..22], [0, 2]);
    assert_eq!(out[22..42], [0, 0, 0, 0, 0, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
}

#[test]
fn mpls_push_set_pop() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    let m = one("push_mpls(label=10,tc=3,ttl=64,bos=1,eth_type=0x8847),1", &f);
    assert_eq!(m[12..18], [0x88, 0x47, 0, 0, 0xa7, 64]);
    let s = one("set(mpls(label=11,tc=0,ttl=9,bos=1)),1", &m);
    assert_eq!(s[14..18], [0, 0, 0xb1, 9]);
    assert_eq!(one("pop_mpls(eth_type=0x800),1", &m), f);
    assert_eq!(one("pop_eth,push_eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),1", &f), f);
}

#[test]
fn outputs_in_order_with_changes_between() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    let mut b = with("1,set(eth(dst=00:00:00:00:00:99)),2,set(eth(dst=00:00:00:00:00:02)),3");
    let out = b.pass(0, &f);
    assert_eq!((&out[1][0], &out[3][0]), (&f, &f));
    assert_eq!(out[2][0][..6], [0, 0, 0, 0, 0, 0x99]);
    // A clone's changes are its own.
    let out = with("clone(set(eth(dst=00:00:00:00:00:99)),1),2").pass(0, &f);
    assert_eq!((out[1][0][5], &out[2][0]), (0x99, &f));
    let out = with("sample(sample=100.0%,actions(pop_vlan,1)),2").pass(0, &f);
    assert_eq!((out[1].len(), out[2].len()), (1, 1));
    let out = with("sample(sample=0.0%,actions(1)),2").pass(0, &f);
    assert_eq!((out[1].len(), out[2].len()), (0, 1));
}

#[test]
fn truncation_is_for_the_next_output() {
    let f = ipv4(17, A, B, (1, 2), &[7; 100]);
    let out = with("trunc(40),1,2").pass(0, &f);
    assert_eq!((out[1][0].len(), &out[2][0]), (40, &f));
}

#[test]
fn length_check_goes_one_way() {
    let f = ipv4(17, A, B, (1, 2), &[7; 100]);
    let list = "check_pkt_len(size=100,gt(set(ipv4(ttl=1)),1),le(2)),3";
    let out = with(list).pass(0, &f);
    assert_eq!((out[1][0][22], out[2].len(), out[3][0][22]), (1, 0, 64));
    let out = with(list).pass(0, &f[..90]);
    assert_eq!((out[1].len(), out[2].len(), out[3].len()), (0, 1, 1));
}

#[test]
fn recirculation_looks_up_again() {
    let mut b = with("pop_vlan,recirc(3)");
    b.change(|m| {
        m.rules[0].matching.mask.set_exact(Field::RECIRC_ID);
        m.rules.push(Rule::new(&[(Field::IN_PORT, 0), (Field::RECIRC_ID, 3)], "set(ipv4(ttl=5)),2"));
    });
    let tagged = one("push_vlan(vid=5,pcp=3),1", &ipv4(17, A, B, (1, 2), b"x"));
    let out = b.pass(0, &tagged);
    assert_eq!(out[2][0][22], 5);
    assert_eq!(b.dp.dump_flows().len(), 2);
    // A loop ends.
    let mut b = with("1,recirc(4)");
    b.change(|m| m.rules.push(Rule::new(&[(Field::IN_PORT, 0), (Field::RECIRC_ID, 4)], "1,recirc(4)")));
    let out = b.pass(0, &tagged);
    assert!(out[1].len() > 1 && out[1].len() < 20);
    assert_eq!(b.dp.drops(DropCause::RecircDepth), 1);
}

#[test]
fn hash_spreads_and_is_symmetric_when_asked() {
    let mut b = with("hash(l4(0)),recirc(9)");
    b.change(|m| {
        m.rules[0].matching.mask.set_exact(Field::RECIRC_ID);
        m.rules.push(Rule::new(&[(Field::IN_PORT, 0), (Field::RECIRC_ID, 9)], "lb_output(1)"));
    });
    b.dp.set_bond(1, Some((0..256).map(|i| DpPort(1 + i % 2)).collect()));
    for n in 0..200 {
        b.wires[0].inject(&ipv4(17, A, B, (n, 53), b"x"));
    }
    b.run();
    let (one, two) = (b.wires[1].sent().len(), b.wires[2].sent().len());
    assert_eq!(one + two, 200);
    assert!(one > 60 && two > 60, "{one} {two}");
}

#[test]
fn packets_for_controllers_and_bounded_queues() {
    let list = "userspace(pid=0,controller(reason=1,dont_send=0,continuation=0,recirc_id=1,rule_cookie=0x1234,controller_id=0,max_len=65535)),set(eth(dst=00:00:00:00:00:99)),userspace(pid=0,slow_path(lacp)),1";
    let f = ipv4(17, A, B, (1, 2), b"x");
    let mut b = with(list);
    b.pass(0, &f);
    let Some(Event::Upcall(first)) = b.dp.next_event() else { panic!("no packet") };
    assert_eq!((&first.packet, first.port), (&f, DpPort(0)));
    let Some(Event::Upcall(second)) = b.dp.next_event() else { panic!("no packet") };
    assert_eq!(second.packet[5], 0x99);
    assert!(b.dp.next_event().is_none());
    // Nothing grows without bound, one port does not take all, and forwarding goes on.
    for _ in 0..10_000 {
        b.wires[0].inject(&f);
    }
    b.run();
    assert_eq!(b.wires[1].sent().len(), 10_000);
    assert!(b.dp.drops(DropCause::UpcallQueueFull) > 15_000 && b.dp.stats().lost > 15_000);
    let mut waiting = 0;
    while b.dp.next_event().is_some() {
        waiting += 1;
    }
    assert!(waiting > 0 && waiting <= 4096 / 4, "{waiting}");
}

#[test]
fn meters_drop() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    let mut b = with("meter(7),1");
    b.dp.set_meter(7, MeterUnit::Pktps, &[Band { rate: 10, burst: 5, excess: Excess::Drop }]);
    for _ in 0..20 {
        b.wires[0].inject(&f);
    }
    b.run();
    assert_eq!(b.wires[1].sent().len(), 5);
    b.clock.warp(Duration::from_secs(1));
    b.pass(0, &f);
    assert_eq!(b.dp.meter(7).unwrap().0.bands[0].0, 15);
    assert_eq!(b.dp.drops(DropCause::Meter), 15);
    assert_eq!(b.dp.del_meter(7).unwrap().packets, 21);
    assert!(b.dp.del_meter(7).is_err());
    assert_eq!(b.pass(0, &f)[1].len(), 1, "a meter that is gone lets pass");
}

#[test]
fn meters_remark() {
    let mut af11 = ipv4(17, A, B, (1, 2), b"x");
    af11[15] = 10 << 2 | 1;
    af11[24..26].fill(0);
    let sum = csum(&[&af11[14..34]]).to_be_bytes();
    af11[24..26].copy_from_slice(&sum);
    let mut b = with("meter(7),1");
    let remark = Band { rate: 1, burst: 1, excess: Excess::Remark(2) };
    b.dp.set_meter(7, MeterUnit::Pktps, &[remark]);
    assert_eq!(b.pass(0, &af11)[1], [af11.clone()], "what is within the rate stays as it is");
    let sent = b.pass(0, &af11)[1].pop().unwrap();
    assert_eq!(sent[15], 14 << 2 | 1, "AF13, and the ECN bits stay");
    assert_checksums(&sent);
    assert_eq!(b.dp.meter(7).unwrap().0.bands, [(1, af11.len() as u64)]);
}

#[test]
fn packets_from_the_control_side() {
    let mut b = with("2");
    let mut p = Packet::default();
    p.buf.fill(&ipv4(17, A, B, (1, 2), b"x"));
    b.dp.execute(p, DpPort(0), &dpif::parse_actions("1,recirc(5)", None).unwrap());
    assert_eq!((b.wires[1].sent().len(), b.wires[2].sent().len()), (1, 1));
}

/// A frame whose checksum is left to the device: the field holds the sum of the pseudo header.
fn partial(mut f: Vec<u8>, proto: u8) -> (Vec<u8>, Offload) {
    let at = 34 + if proto == 6 { 16 } else { 6 };
    let len = (f.len() - 34) as u16;
    let sum = !csum(&[&f[26..34], &[0, proto], &len.to_be_bytes()]);
    f[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    (f, Offload { csum: Some((34, at as u16 - 34)), csum_valid: false, gso: None })
}

#[test]
fn partial_checksums_survive_every_change() {
    for proto in [6, 17] {
        let l4 = if proto == 6 { "tcp" } else { "udp" };
        for list in [
            "1".to_string(),
            format!("set(ipv4(src=1.2.3.4,dst=200.100.50.25,ttl=3)),set({l4}(src=5,dst=60000)),1"),
            "push_vlan(vid=5,pcp=3),1".to_string(),
            format!("set(ipv4(dst=9.9.9.9)),push_vlan(vid=5,pcp=3),set({l4}(dst=7)),1"),
            "push_vlan(vid=5,pcp=3),pop_vlan,1".to_string(),
        ] {
            for caps in [TxCaps::default(), TxCaps { csum: true, gso: true }] {
                let (f, offload) = partial(ipv4(proto, A, B, (1000, 2000), b"a payload"), proto);
                let mut b = with_caps(&list, caps);
                b.wires[0].inject_with(&f, offload);
                b.run();
                let (mut out, offload) = b.wires[1].sent_with().remove(0);
                if caps.csum {
                    // What the device will do.
                    let (start, offset) = offload.csum.expect("still left to the device");
                    let c = csum(&[&out[usize::from(start)..]]);
                    let at = usize::from(start + offset);
                    out[at..at + 2].copy_from_slice(&c.to_be_bytes());
                } else {
                    assert_eq!(offload.csum, None);
                }
                assert_checksums(&out);
            }
        }
    }
}

#[test]
fn large_frames_pass_whole_or_are_cut() {
    let payload: Vec<u8> = (0..5000u32).map(|i| i as u8).collect();
    let (f, mut offload) = partial(ipv4(6, A, B, (1000, 2000), &payload), 6);
    offload.gso = Some(Gso { kind: GsoKind::Tcp4, size: 1448, hdr_len: 54, ecn: false });
    let mut b = with_caps("push_vlan(vid=5,pcp=0),1", TxCaps { csum: true, gso: true });
    b.wires[0].inject_with(&f, offload);
    b.run();
    let out = b.wires[1].sent_with();
    assert_eq!((out.len(), out[0].0.len()), (1, f.len() + 4));
    assert_eq!(out[0].1.csum, Some((38, 16)));
    assert!(out[0].1.gso.is_some());

    let mut b = with("push_vlan(vid=5,pcp=0),set(ipv4(dst=9.9.9.9)),1");
    b.wires[0].inject_with(&f, offload);
    b.run();
    let out = b.wires[1].sent_with();
    assert_eq!(out.len(), 4);
    let mut joined = Vec::new();
    for (i, (s, o)) in out.iter().enumerate() {
        assert_eq!(*o, Offload { csum_valid: true, ..Offload::default() });
        assert_checksums(s);
        let ip = 18;
        assert_eq!(u16::from_be_bytes([s[ip + 4], s[ip + 5]]), 0x1234 + i as u16);
        let seq = u32::from_be_bytes(s[ip + 24..ip + 28].try_into().unwrap());
        assert_eq!(seq, 1 + 1448 * i as u32);
        assert_eq!(s[ip + 33] & 0x08 != 0, i == 3, "PSH only in the last");
        joined.extend_from_slice(&s[58..]);
    }
    assert_eq!(joined, payload);
}

#[test]
fn udp_segmentation() {
    let (f, mut offload) = partial(ipv4(17, A, B, (1000, 2000), &[3; 2500]), 17);
    offload.gso = Some(Gso { kind: GsoKind::UdpL4, size: 1000, hdr_len: 42, ecn: false });
    let mut b = with("1");
    b.wires[0].inject_with(&f, offload);
    b.run();
    let out = b.wires[1].sent();
    assert_eq!(out.iter().map(Vec::len).collect::<Vec<_>>(), [1042, 1042, 542]);
    out.iter().for_each(|s| assert_checksums(s));
}

#[test]
fn full_devices_are_counted() {
    let mut b = with("1");
    b.wires[1].set_room(3);
    for _ in 0..5 {
        b.wires[0].inject(&ipv4(17, A, B, (1, 2), b"x"));
    }
    b.run();
    assert_eq!(b.dp.drops(DropCause::TxFull), 2);
    let c = b.dp.port_counters(DpPort(1)).unwrap();
    assert_eq!(c.tx_packets.load(std::sync::atomic::Ordering::Relaxed), 3);
    assert_eq!(c.tx_dropped.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn what_it_cannot_do_is_counted() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    for list in ["ct(commit),1", "tnl_pop(4),1", "set(in_port(2)),1", "pop_nsh(),1"] {
        let mut b = with(list);
        assert!(b.pass(0, &f)[1].is_empty(), "{list}");
        assert_eq!(b.dp.drops(DropCause::UnsupportedAction), 1, "{list}");
    }
    let mut b = with("drop");
    b.pass(0, &f);
    b.pass(0, &f);
    let c = b.dp.counters().next().unwrap();
    assert_eq!((c.translated(32), c.translated(0)), (1, 1));
    drop(Arc::new(()));
}

#[test]
fn sctp_checksum_follows() {
    let mut f = ipv4(132, A, B, (1, 2), &[0; 20]);
    f[42..46].fill(0);
    let c = wire::sctp::checksum(&f[34..]);
    f[42..46].copy_from_slice(&c.to_be_bytes());
    let mut out = one("set(sctp(src=7,dst=8)),1", &f);
    let stored = out[42..46].to_vec();
    out[42..46].fill(0);
    assert_eq!(wire::sctp::checksum(&out[34..]).to_be_bytes()[..], stored[..]);
}

#[test]
fn backbone_tags_go_around_a_frame() {
    let f = one("push_vlan(vid=5,pcp=3),1", &ipv4(17, A, B, (1, 2), b"x"));
    let p = one("push_pbb(isid=0x123456,uca=1),set(eth(dst=02:00:00:00:00:77)),1", &f);
    assert_eq!(p.len(), f.len() + 18);
    assert_eq!(p[..6], [2, 0, 0, 0, 0, 0x77], "the backbone's destination");
    assert_eq!(p[6..12], f[6..12], "a copy of the customer's source");
    assert_eq!(p[12..18], [0x88, 0xe7, 0x68, 0x12, 0x34, 0x56], "priority 3, UCA, service");
    assert_eq!(p[18..], f[..], "the customer's frame is as it was");
    let set = one("set(pbb(isid=0x42,uca=0)),1", &p);
    assert_eq!(set[12..18], [0x88, 0xe7, 0x60, 0, 0, 0x42]);
    assert_eq!(one("pop_pbb,1", &p), f);
    assert!(with("pop_pbb,1").pass(0, &f)[1].is_empty(), "no such header");
}

#[test]
fn network_service_headers() {
    let f = ipv4(6, A, B, (1, 2), b"payload");
    let push = "push_nsh(flags=1,ttl=62,mdtype=1,np=3,spi=0x123456,si=250,c1=0x1,c2=0x2,c3=0x3,c4=0x4)";
    let eth = "push_eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)";
    let n = one(&format!("{push},{eth},1"), &f);
    assert_eq!(n[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x89, 0x4f]);
    // Flags 1, TTL 62, length 6 words; metadata of type 1, an Ethernet frame next; path and index.
    assert_eq!(n[14..22], [0x1f, 0x86, 1, 3, 0x12, 0x34, 0x56, 250]);
    assert_eq!(n[22..38], [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    assert_eq!(n[38..], f[..]);
    let s = one("set(nsh(flags=2,ttl=5,spi=0x7,si=9,c2=0xff/0xf0)),1", &n);
    assert_eq!(s[14..22], [0x21, 0x46, 1, 3, 0, 0, 7, 9]);
    assert_eq!(s[26..30], [0, 0, 0, 0xf2]);
    assert_eq!(one("pop_eth,pop_nsh(),1", &n), f);
    let md2 = "push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x1,si=255,md2=0x10000a0412345678)";
    let m = one(&format!("{md2},{eth},1"), &f);
    assert_eq!(m[14..30], [0x0f, 0xc4, 2, 3, 0, 0, 1, 255, 0x10, 0, 0x0a, 4, 0x12, 0x34, 0x56, 0x78]);
    assert_eq!(one("pop_eth,pop_nsh(),1", &m), f);
    assert!(with("pop_nsh(),1").pass(0, &f)[1].is_empty(), "no such header");
}

#[test]
fn labels_in_front_of_any_packet() {
    let f = ipv4(17, A, B, (1, 2), b"x");
    let eth = "push_eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)";
    let m = one(&format!("add_mpls(label=5,tc=0,ttl=64,bos=1,eth_type=0x8847),{eth},1"), &f);
    assert_eq!(m[12..18], [0x88, 0x47, 0, 0, 0x51, 64]);
    assert_eq!(m[18..], f[..], "the whole frame is the payload");
    let l3 = one(&format!("pop_eth,add_mpls(label=5,tc=0,ttl=64,bos=1,eth_type=0x8847),{eth},1"), &f);
    assert_eq!(l3[12..18], [0x88, 0x47, 0, 0, 0x51, 64]);
    assert_eq!(l3[18..], f[14..], "the IP packet is the payload");
    assert_eq!(one(&format!("pop_eth,pop_mpls(eth_type=0x800),{eth},1"), &l3)[12..], f[12..]);
}

#[test]
fn times_to_live_are_copied_across_the_bottom_of_the_stack() {
    let f = one("set(ipv4(ttl=33)),1", &ipv4(17, A, B, (1, 2), b"x"));
    let m = one("push_mpls(label=5,tc=0,ttl=7,bos=1,eth_type=0x8847),1", &f);
    let out = one("copy_ttl_out,1", &m);
    assert_eq!((out[17], out[18 + 8]), (33, 33));
    let inward = one("copy_ttl_in,pop_mpls(eth_type=0x800),1", &m);
    assert_eq!(inward[14 + 8], 7);
    assert_checksums(&inward);
    let deep = one("push_mpls(label=6,tc=0,ttl=9,bos=0,eth_type=0x8847),1", &m);
    assert_eq!(one("copy_ttl_out,1", &deep), deep, "not at the bottom");
    assert_eq!(one("copy_ttl_in,1", &f), f, "no label");
}
