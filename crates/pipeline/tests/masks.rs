//! The property that matters most: two packets that agree on the bits of a translation's mask are translated alike.
//! Random tables, random packets, and for each packet others that differ from it only outside the mask.

mod common;

use base::{DpPort, OfPort};
use common::*;
use dpif::DpAction;
use dpif::action::UserCookie;
use flow::key::{VLAN_PRESENT, eth_type, ip_proto};
use flow::layout as l;
use flow::{Field, FlowKey, Match, Subfield};
use openflow::Action;
use openflow::action::{
    CloneActions, DecTtl, HashFields, Move, Multipath, MultipathAlgorithm, OutputReg, PopMpls, PushMpls,
    PushVlan, SetField, SetIpByte, SetL4Port, SetQueue, SetVlanPcp, SetVlanVid, Stack, WriteActions,
};
use pipeline::*;
use std::sync::Arc;

const MACS: [u64; 5] =
    [0x5054_0000_0005, 0x5054_0000_0007, 0x5054_0000_0009, 0xffff_ffff_ffff, 0x0180_c200_0000];
const ADDRS: [u32; 5] = [0x0a00_0001, 0x0a00_0002, 0x0a00_0102, 0xa9fe_a9fe, 0xc0a8_0101];
const PORTS: [u16; 5] = [80, 81, 1000, 9002, 53];

fn random_key(r: &mut Rng, ty: u16, proto: Option<u8>, tagged: u64) -> FlowKey {
    let mut k = FlowKey::default();
    k.set_dp_port(DpPort(r.pick(&[1, 2, 3, 4, 100])));
    k.put(l::ETH_SRC, &r.pick(&MACS).to_be_bytes()[2..]);
    k.put(l::ETH_DST, &r.pick(&MACS).to_be_bytes()[2..]);
    for n in 0..tagged as usize {
        let tpid = r.pick(&[eth_type::VLAN, eth_type::QINQ]);
        k.set_vlan(n, tpid, VLAN_PRESENT | r.pick(&[0, 10, 20, 30]) | r.pick(&[0u16, 3]) << 13);
    }
    k.set_eth_type(ty);
    if r.one_in(4) {
        k.set(Field::PKT_MARK, r.below(3).into());
    }
    match ty {
        eth_type::IPV4 | eth_type::ARP => {
            k.set(if ty == eth_type::ARP { Field::ARP_SPA } else { Field::IP_SRC }, r.pick(&ADDRS).into());
            k.set(if ty == eth_type::ARP { Field::ARP_TPA } else { Field::IP_DST }, r.pick(&ADDRS).into());
        }
        eth_type::IPV6 => {
            for f in [Field::IPV6_SRC, Field::IPV6_DST] {
                k.set(f, 0xfe80 << 112 | u128::from(r.below(4)));
            }
            k.set(Field::IPV6_LABEL, r.below(2).into());
        }
        eth_type::MPLS => {
            let n = r.below(3) as usize;
            for i in 0..=n {
                k.set_mpls_lse(
                    i,
                    (r.below(4) as u32 + 16) << 12 | r.pick(&[1, 2, 64]) | ((i == n) as u32) << 8,
                );
            }
        }
        _ => {}
    }
    if ty == eth_type::ARP {
        k.put(l::NW_PROTO, &[r.pick(&[1, 2])]);
        k.put(l::ARP_SHA, &r.pick(&MACS).to_be_bytes()[2..]);
    }
    if k.is_ip_any() {
        k.put(l::NW_TTL, &[r.pick(&[1, 2, 64])]);
        k.put(l::NW_TOS, &[r.pick(&[0, 0x10, 0x13])]);
        let icmp = if ty == eth_type::IPV4 { ip_proto::ICMP } else { ip_proto::ICMPV6 };
        let p = proto.unwrap_or(r.pick(&[ip_proto::TCP, ip_proto::UDP, icmp, 99]));
        k.put(l::NW_PROTO, &[p]);
        k.put(l::NW_FRAG, &[r.pick(&[0, 0, 0, 1, 3])]);
        if k.nw_frag() & 2 == 0 && p != 99 {
            if p == icmp {
                k.set(Field::ICMP_TYPE, r.pick(&[0u8, 8, 135, 136]).into());
            } else {
                k.set(Field::TCP_SRC, r.pick(&PORTS).into());
                k.set(Field::TCP_DST, r.pick(&PORTS).into());
                if p == ip_proto::TCP {
                    k.set(Field::TCP_FLAGS, r.pick(&[2u32, 16, 17]).into());
                }
            }
        }
    }
    k
}

fn random_match(r: &mut Rng, table: u8) -> Match {
    let mut m = Match::any();
    if r.one_in(3) {
        m.set(Field::IN_PORT_OXM, r.pick(&[1u8, 2, 3]).into());
    }
    if r.one_in(4) {
        m.set(Field::ETH_DST, r.pick(&MACS).into());
    }
    if r.one_in(8) {
        m.set_masked(Field::ETH_SRC, r.pick(&MACS).into(), 0xffff_0000_00ff);
    }
    match r.below(8) {
        0 => m.set(Field::VLAN_TCI, 0),
        1 => m.set_masked(Field::VLAN_TCI, 0x1000 | r.pick(&[0u128, 10, 20]), 0x1fff),
        2 => m.set_masked(Field::VLAN_TCI, 0x1000, 0x1000),
        _ => {}
    }
    if table > 0 && r.one_in(2) {
        m.set_masked(Field::reg(0), r.below(4).into(), 0xff);
    }
    if table > 0 && r.one_in(4) {
        m.set_masked(Field::METADATA, r.below(4).into(), 0x3);
    }
    match r.below(5) {
        0 | 1 => {
            m.set(Field::ETH_TYPE, eth_type::IPV4.into());
            if r.one_in(2) {
                m.set_masked(
                    Field::IP_DST,
                    r.pick(&ADDRS).into(),
                    r.pick(&[u128::MAX, 0xffff_ff00, 0xff00_0000, 0xff]),
                );
            }
            if r.one_in(3) {
                m.set_masked(Field::IP_SRC, r.pick(&ADDRS).into(), r.pick(&[u128::MAX, 0xffff_ff00]));
            }
            if r.one_in(2) {
                m.set(Field::IP_PROTO, r.pick(&[6, 17]));
                if r.one_in(2) {
                    m.set_masked(Field::TCP_DST, r.pick(&PORTS).into(), r.pick(&[0xffffu128, 0xfff0]));
                }
            }
            if r.one_in(5) {
                m.set_masked(Field::IP_FRAG, r.pick(&[0, 1, 3]), 3);
            }
        }
        2 => m.set(Field::ETH_TYPE, r.pick(&[eth_type::ARP, eth_type::IPV6, eth_type::MPLS, 0x1234]).into()),
        _ => {}
    }
    m
}

fn sub(field: Field, ofs: u16, n_bits: u16) -> Subfield {
    Subfield { field, ofs, n_bits }
}

fn random_action(r: &mut Rng, table: u8, depth: u32) -> Action {
    let port = OfPort(r.pick(&[1, 2, 3, 4]));
    match r.below(34) {
        0..=4 => to(port),
        5 => to(r.pick(&[
            OfPort::IN_PORT,
            OfPort::FLOOD,
            OfPort::ALL,
            OfPort::NORMAL,
            OfPort::LOCAL,
            OfPort::CONTROLLER,
        ])),
        6 => to(OfPort(10)),
        7..=9 if table < 3 => resubmit(table + 1 + r.below(2) as u8),
        10 => set(Field::IP_DST, r.pick(&ADDRS).into()),
        11 => Action::SetField(SetField::new(Field::IP_SRC, r.below(256).into(), 0xff)),
        12 => set(Field::ETH_SRC, r.pick(&MACS).into()),
        13 => set(Field::reg(0), r.below(4).into()),
        14 => set(Field::TCP_DST, r.pick(&PORTS).into()),
        15 => Action::DecTtl(DecTtl { ids: None }),
        16 => Action::PushVlan(PushVlan { ethertype: r.pick(&[0x8100, 0x88a8]) }),
        17 => Action::StripVlan(openflow::action::StripVlan { pop: false }),
        18 => Action::SetVlanVid(SetVlanVid {
            vid: r.pick(&[10, 20]),
            push_vlan_if_needed: r.one_in(2),
            flow_has_vlan: false,
        }),
        19 => Action::SetVlanPcp(SetVlanPcp { pcp: 5, push_vlan_if_needed: true, flow_has_vlan: false }),
        20 => Action::Move(Move { src: sub(Field::IP_SRC, 0, 8), dst: sub(Field::reg(0), 0, 8) }),
        21 => Action::Move(Move { src: sub(Field::ETH_SRC, 0, 48), dst: sub(Field::ETH_DST, 0, 48) }),
        22 => Action::Push(Stack { subfield: sub(Field::VLAN_TCI, 0, 12) }),
        23 => Action::Pop(Stack { subfield: sub(Field::reg(0), 0, 12) }),
        24 => Action::SetQueue(SetQueue { queue: r.below(3) as u32 }),
        25 => Action::PopQueue,
        26 if depth > 0 => Action::Clone(CloneActions {
            actions: (0..2).map(|_| random_action(r, table, depth - 1)).collect(),
        }),
        27 => Action::PushMpls(PushMpls { ethertype: eth_type::MPLS }),
        28 => Action::PopMpls(PopMpls { ethertype: r.pick(&[eth_type::IPV4, eth_type::MPLS]) }),
        29 => Action::SetIpDscp(SetIpByte { value: 0x20 }),
        30 => Action::SetL4SrcPort(SetL4Port { port: 9, flow_ip_proto: 0 }),
        31 => Action::OutputReg(OutputReg { src: sub(Field::reg(0), 0, 16), max_len: 0 }),
        32 => Action::Multipath(Box::new(Multipath {
            fields: r.pick(&[HashFields::SymmetricL4, HashFields::NwSrc, HashFields::SymmetricL3L4Udp]),
            basis: 0,
            algorithm: MultipathAlgorithm::ModuloN,
            max_link: 3,
            arg: 0,
            dst: sub(Field::reg(0), 0, 16),
        })),
        33 if depth > 0 => Action::WriteActions(WriteActions {
            actions: vec![set(Field::ETH_DST, r.pick(&MACS).into()), to(port)],
        }),
        _ => to(port),
    }
}

fn random_switch(r: &mut Rng) -> Snapshot {
    let mut a = Br::new("br0", 4, 0);
    let mut b = Br::new("br1", 2, 200);
    for (br, other, n) in [(&mut a, 1, 10), (&mut b, 0, 20)] {
        br.port(OfPort(n), DpPort::NONE, "patch");
        br.edit(n, |p| p.patch = Some(Patch { bridge: BridgeId(other), port: OfPort(30 - n) }));
        for _ in 0..r.below(12) {
            let table = r.below(4) as u8;
            let n = r.below(5);
            let actions = (0..n).map(|_| random_action(r, table, 1)).collect();
            let m = random_match(r, table);
            br.flow(table, r.below(6) as u32, m, actions);
        }
        br.flow(0, 0, Match::any(), vec![to(OfPort::NORMAL)]);
    }
    let modes = [
        VlanMode::Access,
        VlanMode::Trunk,
        VlanMode::NativeTagged,
        VlanMode::NativeUntagged,
        VlanMode::Dot1qTunnel,
    ];
    for n in 1..=4 {
        let (mode, vlan) = (r.pick(&modes), r.pick(&[10, 20]));
        let tags = r.pick(&[PriorityTags::Never, PriorityTags::IfNonzero, PriorityTags::Always]);
        let some = r.one_in(3);
        a.bundle(n, |b| {
            b.vlan_mode = mode;
            b.vlan = base::VlanId(if mode == VlanMode::Trunk { 0 } else { vlan });
            b.priority_tags = tags;
            if some {
                b.trunks = Some([base::VlanId(10), base::VlanId(30)].into_iter().collect());
            }
        });
    }
    if r.one_in(3) {
        a.bundle(1, |b| b.protected = true).bundle(2, |b| b.protected = true);
    }
    for mac in ["50:54:00:00:00:05", "50:54:00:00:00:07"] {
        if r.one_in(2) {
            let vlan = r.pick(&[0u16, 10, 20]);
            a.heard(vlan, mac, 1 + r.below(4) as u32);
        }
    }
    if r.one_in(3) {
        let vlan = r.one_in(2);
        a.mirrors.push(Mirror {
            name: "m".into(),
            select_all: r.one_in(2),
            dst: vec![BundleId(2)],
            vlans: vlan.then(|| [base::VlanId(10)].into_iter().collect()),
            out: (!r.one_in(2)).then_some(BundleId(4)),
            out_vlan: Some(base::VlanId(30)),
            ..Mirror::default()
        });
    }
    a.config.forward_bpdu = r.one_in(3);
    switch(&[&a, &b])
}

/// Actions without the numbers of frozen states, which tell states apart and nothing else.
fn comparable(actions: &[DpAction]) -> Vec<DpAction> {
    let one = |a: &DpAction| match a {
        DpAction::Userspace(u) => {
            let mut u = (**u).clone();
            if let UserCookie::Controller(c) = &mut u.cookie {
                c.recirc_id = 0;
            }
            DpAction::Userspace(Arc::new(u))
        }
        DpAction::Clone(list) => DpAction::Clone(comparable(list)),
        other => other.clone(),
    };
    actions.iter().map(one).collect()
}

fn effects(t: &Translation) -> Vec<String> {
    let one = |e: &Effect| match e {
        Effect::Credit { bridge, table, rule } => {
            format!("credit {bridge:?} {table:?} {:p}", Arc::as_ptr(rule))
        }
        Effect::Miss { bridge, table } => format!("miss {bridge:?} {table:?}"),
        Effect::MacLearn { bridge, heard } => format!("learn {bridge:?} {heard:?}"),
        Effect::CreditMirror { bridge, mirror } => format!("mirror {bridge:?} {mirror}"),
        Effect::PatchTx { bridge, port } => format!("tx {bridge:?} {port:?}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    };
    t.effects.iter().map(one).collect()
}

#[test]
fn packets_equal_under_the_mask_are_translated_alike() {
    let types = [eth_type::IPV4, eth_type::IPV4, eth_type::IPV6, eth_type::ARP, eth_type::MPLS, 0x1234];
    let (mut sent, mut varied) = (0, 0);
    for seed in 1..=400u64 {
        let mut r = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let snap = random_switch(&mut r);
        for _ in 0..12 {
            let (ty, tags) = (r.pick(&types), r.pick(&[0, 0, 1, 2]));
            let key = random_key(&mut r, ty, None, tags);
            let t = translate(&snap, &Request::received(&key), None);
            sent += t.drop_reason.is_none() as u32;
            for _ in 0..12 {
                let proto = (t.mask.get(Field::IP_PROTO) != 0).then(|| key.ip_proto());
                let mut other = random_key(&mut r, ty, proto, tags);
                for i in 0..flow::WORDS {
                    let m = t.mask.words()[i];
                    other.words[i] = (other.words[i] & !m) | (key.words[i] & m);
                }
                if consistent(&other) && other != key {
                    varied += 1;
                    let u = translate(&snap, &Request::received(&other), None);
                    let context = || format!("seed {seed}\n{key:?}\n{other:?}\nmask {:?}", t.mask);
                    assert_eq!(comparable(&t.actions), comparable(&u.actions), "{}", context());
                    assert_eq!(effects(&t), effects(&u), "{}", context());
                }
            }
        }
    }
    assert!(sent > 1000 && varied > 20_000, "{sent} {varied}");
}

/// Whether a packet could give this key: headers that it does not have are zero.
fn consistent(k: &FlowKey) -> bool {
    let later = k.nw_frag() & 2 != 0;
    let ports = k.tp_src() != 0 || k.tp_dst() != 0 || k.tcp_flags() != 0;
    let has_ports = k.is_ip_any() && !later && matches!(k.ip_proto(), 6 | 17 | 1 | 58);
    let labels =
        (1..3).all(|n| k.mpls_lse(n) == 0 || k.mpls_lse(n - 1) & 0x100 == 0 && k.mpls_lse(n - 1) != 0);
    let icmp = k.ip_proto() == 1 || k.ip_proto() == 58;
    (!ports || has_ports)
        && labels
        && (k.tcp_flags() == 0 || k.ip_proto() == 6)
        && !(icmp && k.is_ip_any() && (k.tp_src() > 255 || k.tp_dst() > 255))
}
