//! Frames that mean harm, on real cables: whatever comes in, the switch goes on and counts it.

use std::time::Duration;
use sys::vnet::{self, VnetHdr};
use testkit::fuzz::{Rng, unhex};
use testkit::lan::RawPort;
use testkit::{Options, Programs, Switch, can_make_hosts, wait_for};

/// Packets of every kind that keys are made of, whole and broken.
const PACKETS: &str = include_str!("../../flow/tests/data/packets.txt");

/// What happens to the packets of each port.
const FLOWS: &[&str] = &[
    "table=0,in_port=1,actions=NORMAL",
    "table=0,in_port=2,actions=resubmit(,1),resubmit(,2),resubmit(,3)",
    "table=1,priority=9,tcp,actions=set_field:1.2.3.4->ip_src,mod_nw_tos:252,set_field:9->nw_ttl,set_field:80->tcp_dst,output:3",
    "table=1,priority=9,udp,actions=set_field:255.255.255.255->ip_dst,set_field:0->udp_src,output:3",
    "table=1,priority=9,sctp,actions=set_field:4000->sctp_src,output:3",
    "table=1,priority=9,icmp,actions=set_field:8->icmp_type,output:3",
    "table=1,priority=9,tcp6,actions=set_field:1::2->ipv6_src,set_field:4000->tcp_src,output:3",
    "table=1,priority=9,udp6,actions=set_field:::->ipv6_dst,dec_ttl,set_field:4000->udp_src,output:3",
    "table=1,priority=9,icmp6,icmp_type=135,icmp_code=0,actions=set_field:fe80::1->nd_target,set_field:00:01:02:03:04:05->nd_sll,output:3",
    "table=1,priority=8,ipv6,actions=set_field:1::2->ipv6_src,set_field:7->nw_ttl,output:3",
    "table=1,priority=9,arp,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:2->arp_op,set_field:1.1.1.1->arp_spa,IN_PORT",
    "table=1,priority=9,mpls,actions=set_field:77->mpls_label,set_field:44->mpls_ttl,output:3",
    "table=1,priority=1,actions=set_field:00:11:22:33:44:55->eth_dst,output:3",
    "table=2,priority=2,vlan_tci=0x1000/0x1000,actions=strip_vlan,mod_vlan_vid:7,output:3",
    "table=2,priority=1,actions=mod_vlan_pcp:5,output(port=3,max_len=40),CONTROLLER:64",
    "table=3,priority=2,mpls,actions=pop_mpls:0x0800,dec_ttl,output:3",
    "table=3,priority=1,actions=push_mpls:0x8847,push_mpls:0x8848,dec_mpls_ttl,output:3",
];

fn mutate(random: &mut Rng, frame: &mut Vec<u8>) {
    match random.below(8) {
        0 => frame.truncate(14 + random.below(frame.len())),
        1..=3 => {
            for _ in 0..=random.below(3) {
                let at = random.below(frame.len());
                frame[at] = random.word() as u8;
            }
        }
        4 if random.below(8) == 0 => {
            frame.extend((0..random.below(1300)).map(|i| (i * 7) as u8));
        }
        _ => {}
    }
    // The kernel counts a frame that ends soon after its tag, and drops it.
    if matches!(frame[12..14], [0x81, 0] | [0x88, 0xa8]) && frame.len() < 20 {
        frame.resize(20, 0);
    }
}

/// What a sender may say that is left to the device, true or not.
fn offload(random: &mut Rng, len: usize) -> VnetHdr {
    if random.below(4) != 0 {
        return VnetHdr::default();
    }
    let start = [14, 34, 54, random.below(len)][random.below(4)].min(len.saturating_sub(20));
    let mut v = VnetHdr {
        flags: vnet::F_NEEDS_CSUM,
        csum_start: start as u16,
        csum_offset: [16, 6, 2, 8][random.below(4)],
        ..VnetHdr::default()
    };
    if random.below(2) == 0 {
        v.gso_type = [vnet::GSO_TCPV4, vnet::GSO_TCPV6, vnet::GSO_UDP_L4][random.below(3)];
        v.gso_size = [1, 100, 1448][random.below(3)];
        v.hdr_len = start as u16 + 20;
    }
    v
}

fn number(text: &str, before: &str) -> u64 {
    let digits = text.split_once(before).and_then(|(_, rest)| rest.split(',').next());
    digits.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no {before} in {text}"))
}

#[test]
fn frames_of_every_kind_do_no_harm() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure"]);
    let hosts = ["a", "b", "c"].map(|n| s.numbered("br0", n, n.as_bytes()[0] - 96, &[]));
    for flow in FLOWS {
        s.flow("br0", flow);
    }
    let corpus: Vec<Vec<u8>> =
        PACKETS.lines().filter_map(|l| unhex(l.split(' ').next()?)).filter(|f| f.len() > 14).collect();
    assert!(corpus.len() > 500);
    let mut random = Rng::new(1);
    let mut ports: Vec<RawPort> = hosts.iter().map(|h| h.raw().unwrap()).collect();
    for _ in 0..6 {
        for i in 0..1000 {
            let mut frame = corpus[random.below(corpus.len())].clone();
            mutate(&mut random, &mut frame);
            let vnet = offload(&mut random, frame.len());
            ports[i % 2].send_with(&frame, &vnet);
        }
        // A ring holds no more than this: what the kernel has received by now, the flows are to see.
        for port in ["1", "2"] {
            let received = number(&s.ofctl(&["dump-ports", "br0", port]), "rx pkts=");
            let flow = format!("table=0,in_port={port}");
            wait_for("all packets to be counted", || {
                let seen = number(&s.ofctl(&["dump-flows", "br0", &flow]), "n_packets=");
                (seen == received).then_some(())
            });
        }
    }
    drop(ports);
    assert!(number(&s.ofctl(&["dump-ports", "br0", "2"]), "rx pkts=") > 2000);
    // Clean hosts are served as before.
    s.ofctl(&["del-flows", "br0"]);
    s.flow("br0", "actions=NORMAL");
    assert!(hosts[0].pings(&hosts[1]));
    s.assert_clean(&["ofproto_dpif_xlate"]);
}

#[test]
fn what_does_not_fit_the_mtu_is_not_sent() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure"]);
    let a = s.numbered("br0", "a", 1, &[]);
    let b = s.numbered("br0", "b", 2, &["--", "set", "Interface", "b", "mtu_request=1000"]);
    s.flow("br0", "in_port=1,actions=output:2");
    let (mut a, mut b) = (a.raw().unwrap(), b.raw().unwrap());
    let frame = |len: usize, mark: u8| {
        let mut f = vec![mark; len];
        f[12..14].copy_from_slice(&[0x12, 0x34]);
        f
    };
    a.send(&frame(14 + 1001, 2));
    a.send(&frame(14 + 1000, 4));
    let got = b.receive(Duration::from_secs(5), |f| f.len() > 1000).expect("the frame that fits");
    assert_eq!((got.len(), got[20]), (1014, 4));
    s.assert_clean(&[]);
}
