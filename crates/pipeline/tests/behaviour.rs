//! What no trace shows: effects, dependencies, recirculation, liveness, warnings.

mod common;

use base::{GroupId, Mac, OfPort, Time, VlanId};
use common::*;
use dpif::DpAction;
use flow::key::eth_type;
use flow::{Field, FlowKey, Match, Subfield};
use ofproto::Group;
use openflow::Action;
use openflow::action::{DecTtl, Learn, LearnDst, LearnSpec, LearnSrc, PopMpls};
use openflow::msg::{Bucket, GroupProps, GroupType};
use pipeline::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const A: &str = "50:54:00:00:00:05";
const B: &str = "50:54:00:00:00:07";

fn go(snap: &Snapshot, key: &FlowKey) -> Translation {
    translate(snap, &Request::received(key), None)
}

fn text(t: &Translation) -> String {
    dpif::text::format_actions(&t.actions, None)
}

fn group(br: &mut Br, id: u32, kind: GroupType, buckets: &[(u16, u32, u32)]) {
    let bucket = |(i, (weight, watch, out)): (usize, &(u16, u32, u32))| Bucket {
        bucket_id: i as u32,
        weight: *weight,
        watch_port: if *watch == 0 { OfPort::NONE } else { OfPort(*watch) },
        watch_group: GroupId::ANY,
        actions: vec![output(*out)],
    };
    let buckets = buckets.iter().enumerate().map(bucket).collect();
    br.tables.put_group(Arc::new(Group::new(GroupId(id), kind, buckets, GroupProps::default(), Time::ZERO)));
}

fn to_group(id: u32) -> Action {
    Action::Group(openflow::action::Group { group: GroupId(id) })
}

#[test]
fn a_select_group_hashes_in_the_datapath_and_spreads_by_weight() {
    let mut br = Br::new("br0", 4, 0);
    group(&mut br, 1, GroupType::Select, &[(10, 0, 2), (20, 0, 3)]);
    br.flow(0, 1, Match::any(), vec![set(Field::reg(3), 7), to_group(1), output(4)]);
    let snap = switch(&[&br]);
    let mut key = frame(1, A, B);
    let first = go(&snap, &key);
    let [DpAction::Hash { .. }, DpAction::Recirc(id)] = first.actions[..] else {
        panic!("{:?}", first.actions)
    };
    assert_eq!(go(&snap, &key).actions, first.actions, "the same state has the same number");
    key.set(Field::RECIRC_ID, id.into());
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    for h in 1..=3000u32 {
        key.set(Field::DP_HASH, h.wrapping_mul(0x9e37_79b1).into());
        let t = go(&snap, &key);
        assert_ne!(t.mask.get(Field::DP_HASH), 0);
        *count.entry(text(&t)).or_default() += 1;
    }
    assert_eq!(count.len(), 2, "{count:?}");
    let (two, three) = (count["2,4"], count["3,4"]);
    assert!((500..1700).contains(&two) && three > two, "{count:?}");
}

#[test]
fn an_unknown_recirculation_is_dropped_with_a_reason() {
    let snap = switch(&[&Br::new("br0", 1, 0)]);
    let mut key = frame(1, A, B);
    key.set(Field::RECIRC_ID, 99);
    let t = go(&snap, &key);
    assert_eq!((t.drop_reason, t.actions.len()), (Some(DropReason::NoRecirculationContext), 0));
    key.set(Field::RECIRC_ID, 0);
    key.set_dp_port(base::DpPort(77));
    assert_eq!(go(&snap, &key).drop_reason, Some(DropReason::UnknownInPort));
}

#[test]
fn what_lies_below_a_label_is_seen_after_recirculation() {
    let mut br = Br::new("br0", 2, 0);
    let pop = Action::PopMpls(PopMpls { ethertype: eth_type::IPV4 });
    let dec = Action::DecTtl(DecTtl { ids: None });
    let mpls = matching(&[(Field::ETH_TYPE, eth_type::MPLS.into())]);
    br.flow(0, 1, mpls, vec![set(Field::reg(0), 5), pop, dec, resubmit(1)]);
    br.flow(1, 1, matching(&[(Field::reg(0), 5)]), vec![output(2)]);
    let snap = switch(&[&br]);
    let mut key = frame(1, A, B);
    key.set_eth_type(eth_type::MPLS);
    key.set_mpls_lse(0, 5 << 12 | 0x100 | 64);
    let t = go(&snap, &key);
    let [DpAction::PopMpls(eth_type::IPV4), DpAction::Recirc(id)] = t.actions[..] else {
        panic!("{}", text(&t))
    };
    let mut below = frame(1, A, B);
    below.set_eth_type(eth_type::IPV4);
    below.set(Field::NW_TTL, 64);
    below.set(Field::RECIRC_ID, id.into());
    assert_eq!(
        text(&go(&snap, &below)),
        "set(ipv4(ttl=63)),2",
        "registers and the rest of the actions survive"
    );
    snap.recirc.retain(|_| false);
    assert_eq!(go(&snap, &below).drop_reason, Some(DropReason::NoRecirculationContext));
}

#[test]
fn fast_failover_takes_the_first_live_bucket() {
    let mut br = Br::new("br0", 4, 0);
    group(&mut br, 1, GroupType::FastFailover, &[(0, 2, 2), (0, 3, 3)]);
    br.flow(0, 1, Match::any(), vec![to_group(1)]);
    let key = frame(1, A, B);
    assert_eq!(text(&go(&switch(&[&br]), &key)), "2");
    br.edit(2, |p| p.live = false);
    assert_eq!(text(&go(&switch(&[&br]), &key)), "3");
    br.edit(3, |p| p.live = false);
    assert_eq!(go(&switch(&[&br]), &key).drop_reason, Some(DropReason::NoLiveBucket));
}

#[test]
fn bonds_send_and_accept_by_the_active_member() {
    let mut br = Br::new("br0", 3, 0);
    br.flow(0, 0, Match::any(), vec![to(OfPort::NORMAL)]);
    br.edit(3, |p| p.bundle = Some(BundleId(2)));
    br.bundles[3] = None;
    br.bundle(2, |b| {
        b.members = [OfPort(2), OfPort(3)].into_iter().collect();
        b.bond = Some(Bond {
            mode: BondMode::ActiveBackup,
            basis: 0,
            enabled: [OfPort(2), OfPort(3)].into_iter().collect(),
            active: Some(OfPort(3)),
            buckets: Box::default(),
            lacp: false,
            all_members_active: false,
        });
    });
    let snap = switch(&[&br]);
    assert_eq!(text(&go(&snap, &frame(1, A, B))), "100,3");
    assert_eq!(go(&snap, &frame(2, A, B)).drop_reason, Some(DropReason::BondRefused));
    assert_eq!(text(&go(&snap, &frame(3, A, B))), "100,1");
    br.bundle(2, |b| b.bond.as_mut().unwrap().mode = BondMode::BalanceSlb);
    br.bundle(2, |b| b.bond.as_mut().unwrap().buckets = vec![OfPort(2); 256].into());
    br.heard(0, A, 1);
    let snap = switch(&[&br]);
    assert_eq!(text(&go(&snap, &frame(1, A, B))), "100,2");
    assert_eq!(
        go(&snap, &frame(3, A, B)).drop_reason,
        Some(DropReason::BondLoop),
        "its source lives on port 1"
    );
}

#[test]
fn normal_learns_and_says_what_it_relied_on() {
    let mut br = Br::new("br0", 3, 0);
    br.flow(0, 0, Match::any(), vec![to(OfPort::NORMAL)]);
    br.flow(7, 0, Match::any(), vec![output(1)]);
    br.heard(0, B, 2);
    let snap = switch(&[&br]);
    let t = go(&snap, &frame(1, A, B));
    let heard = t.effects.iter().find_map(|e| match e {
        Effect::MacLearn { heard, .. } => Some(*heard),
        _ => None,
    });
    let heard = heard.expect("a station was heard");
    assert_eq!(
        (heard.key.vlan(), heard.key.mac(), heard.bundle),
        (VlanId(0), Mac::parse(A).unwrap(), BundleId(1))
    );
    let since = snap.generation;
    let after = |br: &Br| {
        let mut next = snap.clone();
        next.bridges[0] = Some(Arc::new(BridgeView {
            ports: snap.bridges[0].as_ref().unwrap().ports.clone(),
            bundles: snap.bridges[0].as_ref().unwrap().bundles.clone(),
            mirrors: snap.bridges[0].as_ref().unwrap().mirrors.clone(),
            config: snap.bridges[0].as_ref().unwrap().config.clone(),
            dp_meters: snap.bridges[0].as_ref().unwrap().dp_meters.clone(),
            ..br.view(0)
        }));
        next.stamp(&snap);
        next
    };
    assert!(t.deps.still_valid(&after(&br), since), "nothing changed");
    br.heard(0, A, 1);
    assert!(t.deps.still_valid(&after(&br), since), "another station");
    br.flow(7, 5, Match::any(), vec![output(2)]);
    assert!(t.deps.still_valid(&after(&br), since), "a table that was not looked up");
    br.heard(0, B, 3);
    assert!(!t.deps.still_valid(&after(&br), since), "the destination moved");
    br.heard(0, B, 2);
    assert!(t.deps.still_valid(&after(&br), since), "and came back");
    br.flow(0, 5, Match::any(), vec![output(2)]);
    assert!(!t.deps.still_valid(&after(&br), since), "the table changed");
    let mut gone = snap.clone();
    gone.bridges[0] = None;
    gone.stamp(&snap);
    assert!(!t.deps.still_valid(&gone, since));
}

#[test]
fn learn_makes_the_flow_it_describes() {
    let mut br = Br::new("br0", 2, 0);
    let spec = |src, dst, n_bits| LearnSpec { src, dst, n_bits };
    let eth_src = Subfield::whole(Field::ETH_SRC);
    let eth_dst = Subfield::whole(Field::ETH_DST);
    let in_port = Subfield::whole(Field::IN_PORT);
    let learn = Learn {
        idle_timeout: 5,
        hard_timeout: 0,
        priority: 9,
        table: 7,
        cookie: base::Cookie(3),
        flags: 0,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 2,
        result_dst: None,
        specs: [
            spec(LearnSrc::Field(eth_src), LearnDst::Match(eth_dst), 48),
            spec(LearnSrc::Field(in_port), LearnDst::Output, 16),
        ]
        .into(),
    };
    br.flow(0, 1, Match::any(), vec![Action::Learn(Box::new(learn)), output(2)]);
    let t = go(&switch(&[&br]), &frame(1, A, B));
    let learned =
        t.effects.iter().find_map(|e| if let Effect::Learn(l) = e { Some(l) } else { None }).unwrap();
    let m = &learned.flow_mod;
    assert_eq!((m.table, m.priority, m.idle_timeout, m.new_cookie.0, learned.limit), (7, 9, 5, 3, 2));
    let mut want = Match::any();
    want.set(Field::ETH_DST, Mac::parse(A).unwrap().to_u64().into());
    assert_eq!(m.matching.expand(), want);
    assert_eq!(m.actions, vec![output(1)]);
    assert_eq!(t.mask.get(Field::ETH_SRC), 0xffff_ffff_ffff);
    let key = frame(1, A, B);
    let dry = Request { dry_run: true, ..Request::received(&key) };
    let dry = translate(&switch(&[&br]), &dry, None);
    assert!(!dry.effects.iter().any(|e| matches!(e, Effect::Learn(_))));
}

#[test]
fn budgets_end_loops_and_warn() {
    let mut br = Br::new("br0", 3, 0);
    br.flow(0, 1, matching(&[(Field::IN_PORT_OXM, 1)]), vec![output(2), resubmit(0)]);
    for t in 0..14 {
        br.flow(t, 2, matching(&[(Field::IN_PORT_OXM, 2)]), vec![resubmit(t + 1), resubmit(t + 1)]);
    }
    let mut snap = switch(&[&br]);
    let t = go(&snap, &frame(1, A, B));
    assert_eq!((t.drop_reason, t.actions.len()), (Some(DropReason::RecursionTooDeep), 0));
    assert_eq!(
        t.warnings,
        ["over max translation depth 64 on bridge br0 while processing in_port=1,vlan_tci=0x0000,\
          dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07,dl_type=0x1234"]
    );
    let t = go(&snap, &frame(2, A, B));
    assert_eq!(t.drop_reason, Some(DropReason::TooManyResubmits));
    assert!(t.warnings[0].starts_with("over 4096 resubmit actions on bridge br0"));
    snap.limits.resubmits = 3;
    assert_eq!(go(&snap, &frame(2, A, B)).drop_reason, Some(DropReason::TooManyResubmits));
}

#[test]
fn patch_ports_credit_both_ends_and_a_loop_of_bridges_ends() {
    let (mut a, mut b) = (Br::new("br0", 1, 0), Br::new("br1", 1, 200));
    for (br, other) in [(&mut a, 1), (&mut b, 0)] {
        br.port(OfPort(10), base::DpPort::NONE, "patch");
        br.edit(10, |p| p.patch = Some(Patch { bridge: BridgeId(other), port: OfPort(10) }));
        br.flow(0, 1, Match::any(), vec![to(OfPort::IN_PORT)]);
        br.flow(0, 2, matching(&[(Field::IN_PORT_OXM, 1)]), vec![output(10), output(1), to(OfPort::IN_PORT)]);
    }
    let snap = switch(&[&a, &b]);
    let t = go(&snap, &frame(1, A, B));
    assert_eq!(text(&t), "1", "the loop ends and the first bridge goes on");
    assert!(t.warnings.iter().any(|w| w.starts_with("over max translation depth 64")));
    let tx = t.effects.iter().filter(|e| matches!(e, Effect::PatchTx { .. })).count();
    let rx = t.effects.iter().filter(|e| matches!(e, Effect::PatchRx { .. })).count();
    assert!(tx == rx && tx >= 60);
}

#[test]
fn unsupported_actions_name_themselves() {
    let resubmit =
        openflow::action::Resubmit { in_port: OfPort::IN_PORT, table: 1, with_ct_orig: true, short: false };
    let resubmit = Action::Resubmit(resubmit);
    let mut br = Br::new("br0", 2, 0);
    br.flow(0, 1, Match::any(), vec![output(2), resubmit, output(1)]);
    let key = frame(1, A, B);
    let snap = switch(&[&br]);
    let t = go(&snap, &key);
    assert_eq!(text(&t), "2");
    assert!(t.warnings[0].starts_with("resubmit with ct is not supported, dropping on bridge br0"));
}

/// In-band control: a DHCP server's answers come to the local port whatever the flows say, once, and what could be
/// taken for one is told apart in the mask. Actions as `ofproto/trace` of Open vSwitch 3.5.0 shows them.
#[test]
fn ib_60_65_answers_of_dhcp_servers_come_to_the_local_port() {
    let udp = |src: u128, dst: u128| {
        let mut key = frame(1, A, B);
        let fields =
            [(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 17), (Field::UDP_SRC, src), (Field::UDP_DST, dst)];
        fields.iter().for_each(|(f, v)| key.set(*f, *v));
        key
    };
    let local = output(OfPort::LOCAL.0);
    let cases: [(Vec<Action>, &str); 6] = [
        (vec![], "100"),
        (vec![output(2)], "2,100"),
        (vec![local.clone()], "100"),
        (vec![output(2), local], "2,100"),
        (vec![set(Field::ETH_DST, 1), output(2)], "set(eth(dst=00:00:00:00:00:01)),2,100"),
        (vec![set(Field::UDP_DST, 99), output(2)], "set(udp(dst=99)),2"),
    ];
    for (actions, want) in cases {
        let mut br = Br::new("br0", 2, 0);
        br.config.in_band = true;
        br.flow(0, 1, Match::any(), actions);
        let snap = switch(&[&br]);
        let t = go(&snap, &udp(67, 68));
        assert_eq!(text(&t), want);
    }
    let mut br = Br::new("br0", 2, 0);
    br.flow(0, 1, Match::any(), vec![output(2)]);
    assert_eq!(text(&go(&switch(&[&br]), &udp(67, 68))), "2", "without in-band control nothing is added");
    br.config.in_band = true;
    let t = go(&switch(&[&br]), &udp(67, 69));
    assert_eq!(text(&t), "2");
    for field in [Field::IP_PROTO, Field::UDP_SRC, Field::UDP_DST] {
        assert_ne!(t.mask.0.get(field), 0, "{field:?} was looked at");
    }
    let t = go(&switch(&[&br]), &udp(53, 68));
    assert_eq!(t.mask.0.get(Field::UDP_DST), 0, "no further than needed");
}

#[test]
fn ports_of_fragments() {
    let mut br = Br::new("br0", 2, 0);
    let udp = [(Field::ETH_TYPE, 0x0800u32.into()), (Field::IP_PROTO, 17u32.into())];
    let with = |port: u32| matching(&[udp[0], udp[1], (Field::UDP_DST, port.into())]);
    br.flow(0, 2, with(80), vec![output(2)]);
    let mut key = frame(1, A, B);
    key.set_eth_type(eth_type::IPV4);
    key.set(Field::IP_PROTO, 17u32.into());
    key.set(Field::UDP_DST, 80u32.into());
    key.put(flow::layout::NW_FRAG, &[flow::key::frag::ANY]);
    // A first fragment has ports only where fragments are to be matched on theirs.
    for (mode, actions) in
        [(FragMode::Normal, "drop"), (FragMode::Reassemble, "drop"), (FragMode::NxMatch, "2")]
    {
        br.config.frag_mode = mode;
        assert_eq!(text(&go(&switch(&[&br]), &key)), actions, "{mode:?}");
    }
}
