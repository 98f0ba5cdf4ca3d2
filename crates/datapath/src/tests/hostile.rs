//! Packets that nobody should send.

use super::mini::{Bench, Rule, ipv4};
use crate::DropCause;
use base::Mac;
use dpif::Datapath as _;
use dpif::netdev::TxCaps;
use flow::Field;
use std::sync::atomic::Ordering::Relaxed;
use wire::{Gso, GsoKind, Offload};

const EVERYTHING: &str = "set(eth(dst=00:00:00:00:00:09)),set(ipv4(src=1.2.3.4,ttl=3)),set(ipv6(src=::1,hlimit=3)),set(tcp(dst=5)),set(udp(dst=5)),set(sctp(dst=5)),set(icmp(code=2)),set(icmpv6(code=3)),set(nd(target=::5,sll=00:00:00:00:00:01,tll=00:00:00:00:00:02)),set(nd_ext(nd_reserved=1,nd_options_type=2)),set(arp(op=2,sip=1.1.1.1)),set(mpls(label=3)),push_vlan(vid=1,pcp=1),set(vlan(vid=2)),pop_vlan,push_mpls(label=1,tc=1,ttl=1,bos=1,eth_type=0x8847),pop_mpls(eth_type=0x800),trunc(20),2,clone(pop_eth,1),1";

#[test]
fn truncated_and_mangled_frames() {
    let mut b = Bench::new(3, TxCaps::default(), vec![Rule::new(&[(Field::IN_PORT, 0)], EVERYTHING)]);
    b.dp.tunables().flow_limit.store(1000, Relaxed);
    let mut seeds = vec![ipv4(6, [1; 4], [2; 4], (1, 2), b"payload"), ipv4(17, [1; 4], [2; 4], (1, 2), b"")];
    let mut v6 = vec![0; 14];
    v6[12..14].copy_from_slice(&[0x86, 0xdd]);
    v6.extend_from_slice(&[0x60, 0, 0, 0, 0, 60, 0, 64]);
    v6.extend_from_slice(&[0xfe; 32]);
    // Hop-by-hop, routing, fragment, then ICMPv6 ND with options.
    v6.extend_from_slice(&[43, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 1, 0, 0, 0, 0, 58, 0, 0, 0, 0, 0, 0, 1]);
    v6.extend_from_slice(&[135, 0, 1, 2, 0, 0, 0, 0]);
    v6.extend_from_slice(&[9; 16]);
    v6.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 2]);
    seeds.push(v6);
    let mut arp = vec![0xff; 12];
    arp.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend_from_slice(&[1; 20]);
    seeds.push(arp);
    let mut mpls = vec![0; 12];
    mpls.extend_from_slice(&[0x81, 0, 0, 5, 0x88, 0x47, 0, 0, 0x10, 3]);
    seeds.push(mpls);
    let mut state = 99u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    let mut n = 0;
    for s in &seeds {
        for cut in 0..=s.len() {
            b.wires[0].inject(&s[..cut]);
            n += 1;
        }
        for _ in 0..2000 {
            let mut f = s.clone();
            for _ in 0..1 + random() % 4 {
                let i = random() % f.len();
                f[i] = random() as u8;
            }
            f.truncate(1 + random() % f.len());
            let offload = Offload {
                csum: (random() % 2 == 0).then(|| (random() as u16 % 200, random() as u16 % 40)),
                csum_valid: false,
                gso: (random() % 4 == 0).then(|| Gso {
                    kind: [GsoKind::Tcp4, GsoKind::Tcp6, GsoKind::UdpL4][random() % 3],
                    size: random() as u16 % 50,
                    hdr_len: random() as u16 % 100,
                    ecn: false,
                }),
            };
            b.wires[0].inject_with(&f, offload);
            n += 1;
        }
        b.run();
        b.wires.iter().for_each(|w| drop(w.sent()));
    }
    let c = b.dp.counters().next().unwrap();
    assert_eq!(c.panics.load(Relaxed), 0);
    assert_eq!(c.received.load(Relaxed), n);
    let s = b.dp.stats();
    assert_eq!(s.hit + s.missed + b.dp.drops(DropCause::NotEthernet), n);
}

#[test]
fn a_fault_costs_the_batch_and_no_more() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut b = Bench::new(2, TxCaps::default(), vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    let good = ipv4(17, [1; 4], [2; 4], (1, 2), b"x");
    b.pass(0, &good);
    b.change(|m| m.trap = Some(Mac([9; 6])));
    let mut bad = good.clone();
    bad[..6].fill(9);
    bad[12] = 0x12;
    b.pass(0, &bad);
    std::panic::set_hook(hook);
    assert_eq!(b.dp.drops(DropCause::Panicked), 1);
    assert_eq!(b.pass(0, &good)[1].len(), 1);
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(b.mini.rules[0].count.get().0, 2, "nothing counted was lost");
}
