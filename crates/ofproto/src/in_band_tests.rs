//! Names begin with the items of the project's checklist that they hold up.

use super::*;
use crate::{Ofproto, OfprotoConfig};
use base::{Dpid, TableId};
use flow::text::{Style, match_text};
use std::collections::BTreeMap;

/// A system that knows what it is told.
#[derive(Default)]
struct Fake {
    local: Option<Mac>,
    /// The gateway by destination, all out of `br0`; none: reached directly.
    routes: BTreeMap<IpAddr, Option<IpAddr>>,
    neighbours: BTreeMap<IpAddr, Mac>,
    lookups: usize,
}

impl Network for Fake {
    fn local_mac(&self) -> Option<Mac> {
        self.local
    }
    fn next_hop(&mut self, to: IpAddr) -> Result<Hop, String> {
        self.lookups += 1;
        let gateway = self.routes.get(&to).ok_or("No such device or address")?;
        Ok(Hop { device: "br0".into(), gateway: *gateway })
    }
    fn neighbour(&mut self, device: &str, address: IpAddr) -> Result<Option<Mac>, String> {
        assert_eq!(device, "br0");
        Ok(self.neighbours.get(&address).copied())
    }
}

const LOCAL: Mac = Mac([0xa6, 0xc4, 0x27, 0xcf, 0xf6, 0x45]);
const HOP: Mac = Mac([0, 0x11, 0x22, 0x33, 0x44, 0x55]);

fn at(ms: u64) -> Time {
    Time::from_millis(1_000_000 + ms)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn machine(remotes: &[&str]) -> InBand {
    let mut m = InBand::new("br0");
    m.set_remotes(&remotes.iter().map(|r| r.parse().unwrap()).collect());
    m
}

fn network() -> Fake {
    Fake {
        local: Some(LOCAL),
        routes: [(ip("10.5.0.2"), None), (ip("10.9.0.1"), Some(ip("10.5.0.2"))), (ip("fd00::2"), None)]
            .into(),
        neighbours: [(ip("10.5.0.2"), HOP)].into(),
        lookups: 0,
    }
}

fn text(rules: &[Rule]) -> Vec<String> {
    let one = |(p, m): &Rule| format!("priority={p},{}", match_text(&m.expand(), None, Style::default()));
    let mut all: Vec<String> = rules.iter().map(one).collect();
    all.sort();
    all
}

/// As `ovs-appctl bridge/dump-flows br0` of Open vSwitch 3.5.0 shows them for one controller tcp:10.5.0.2:6653 that
/// its neighbour table knows.
#[test]
fn ib_10_to_18_the_nine_rules() {
    let mut m = machine(&["10.5.0.2:6653"]);
    m.run(at(0), &mut network());
    assert_eq!(
        text(&m.rules()),
        [
            "priority=180000,udp,in_port=LOCAL,dl_src=a6:c4:27:cf:f6:45,tp_src=68,tp_dst=67",
            "priority=180001,arp,dl_dst=a6:c4:27:cf:f6:45,arp_op=2",
            "priority=180002,arp,dl_src=a6:c4:27:cf:f6:45,arp_op=1",
            "priority=180003,arp,dl_dst=00:11:22:33:44:55,arp_op=2",
            "priority=180004,arp,dl_src=00:11:22:33:44:55,arp_op=1",
            "priority=180005,arp,arp_tpa=10.5.0.2,arp_op=2",
            "priority=180006,arp,arp_spa=10.5.0.2,arp_op=1",
            "priority=180007,tcp,nw_dst=10.5.0.2,tp_dst=6653",
            "priority=180008,tcp,nw_src=10.5.0.2,tp_src=6653",
        ]
    );
}

#[test]
fn ib_21_shared_addresses_and_gateways_give_one_rule() {
    let mut m = machine(&["10.5.0.2:6653", "10.5.0.2:9999", "10.9.0.1:6653"]);
    m.run(at(0), &mut network());
    let count = |letter: u32| m.rules().iter().filter(|r| r.0 == PRIORITY + letter).count();
    assert_eq!((0..9).map(count).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn ib_10_12_without_a_local_address_its_rules_are_absent() {
    for local in [None, Some(Mac::ZERO)] {
        let mut m = machine(&["10.5.0.2:6653"]);
        m.run(at(0), &mut Fake { local, ..network() });
        let priorities: Vec<u32> = m.rules().iter().map(|r| r.0 - PRIORITY).collect();
        assert_eq!(priorities, [3, 4, 5, 6, 7, 8]);
    }
    let mut none = machine(&[]);
    none.run(at(0), &mut network());
    assert!(none.rules().is_empty());
}

#[test]
fn ib_19_20_54_actions() {
    let mut m = machine(&["10.5.0.2:6653"]);
    let normal = Action::Output(Output { port: OfPort::NORMAL, max_len: 0 });
    assert_eq!(m.actions(), std::slice::from_ref(&normal));
    m.set_queue(Some(3));
    assert_eq!(m.actions(), [Action::SetQueue(SetQueue { queue: 3 }), normal]);
}

#[test]
fn ib_30_the_local_address_is_read_every_second() {
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    m.run(at(0), &mut net);
    net.local = Some(HOP);
    m.run(at(999), &mut net);
    assert_eq!(m.local_mac(), Some(LOCAL));
    m.run(at(1000), &mut net);
    assert_eq!(m.local_mac(), Some(HOP));
    assert!(text(&m.rules()).contains(&"priority=180002,arp,dl_src=00:11:22:33:44:55,arp_op=1".to_string()));
}

#[test]
fn ib_31_32_33_how_often_next_hops_are_looked_up() {
    // Known: every ten seconds.
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    m.run(at(0), &mut net);
    assert_eq!(m.next_refreshes(), (at(1000), at(10_000)));
    for ms in (1000..10_000).step_by(1000) {
        m.run(at(ms), &mut net);
    }
    assert_eq!(net.lookups, 1);
    m.run(at(10_000), &mut net);
    assert_eq!(net.lookups, 2);
    // One of several is not: every second, for all.
    let (mut m, mut net) = (machine(&["10.5.0.2:6653", "11.0.0.1:6653"]), network());
    let notes = m.run(at(0), &mut net);
    let warning = "br0: cannot find route for controller (11.0.0.1): No such device or address";
    assert_eq!(notes, [Note::Warning(warning.into())]);
    assert_eq!(m.next_refreshes().1, at(1000));
    m.run(at(1000), &mut net);
    assert_eq!(net.lookups, 4);
    // A route, but no neighbour.
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    net.neighbours.clear();
    assert_eq!(m.run(at(0), &mut net), []);
    assert_eq!(m.next_refreshes().1, at(1000));
}

#[test]
fn ib_34_a_neighbour_that_vanishes_takes_its_rules_along() {
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    m.run(at(0), &mut net);
    assert_eq!(m.rules().len(), 9);
    net.neighbours.clear();
    m.run(at(10_000), &mut net);
    let priorities: Vec<u32> = m.rules().iter().map(|r| r.0 - PRIORITY).collect();
    assert_eq!(priorities, [0, 1, 2, 5, 6, 7, 8]);
    // It comes back with another address.
    net.neighbours.insert(ip("10.5.0.2"), LOCAL);
    let text = "br0: remote MAC address changed from 00:11:22:33:44:55 to a6:c4:27:cf:f6:45";
    assert_eq!(m.run(at(11_000), &mut net), [Note::Debug(text.into())]);
}

#[test]
fn ib_35_behind_a_gateway_the_gateway_is_the_next_hop() {
    let mut m = machine(&["10.9.0.1:6653"]);
    m.run(at(0), &mut network());
    assert_eq!(m.remotes()[0].mac, Some(HOP));
    assert_eq!(m.remotes()[0].hop, Ok(Hop { device: "br0".into(), gateway: Some(ip("10.5.0.2")) }));
}

#[test]
fn ib_37_another_set_of_remotes_is_looked_up_at_once_and_the_same_is_not() {
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    m.run(at(0), &mut net);
    m.set_remotes(&["10.5.0.2:6653".parse().unwrap()].into());
    assert_eq!(m.next_refreshes().1, at(10_000));
    m.set_remotes(&["10.5.0.2:6654".parse().unwrap()].into());
    assert!(m.next_deadline() <= at(1));
    m.run(at(1), &mut net);
    assert_eq!(net.lookups, 2);
}

#[test]
fn ib_38_the_deadline_is_the_earlier_of_the_two() {
    let (mut m, mut net) = (machine(&["10.5.0.2:6653"]), network());
    m.run(at(0), &mut net);
    assert_eq!(m.next_deadline(), at(1000));
}

#[test]
fn ib_74_ipv6_remotes_have_neighbour_discovery_in_place_of_arp() {
    let (mut m, mut net) = (machine(&["[fd00::2]:6653"]), network());
    net.neighbours.insert(ip("fd00::2"), HOP);
    m.run(at(0), &mut net);
    assert_eq!(
        text(&m.rules()),
        [
            "priority=180000,udp6,in_port=LOCAL,dl_src=a6:c4:27:cf:f6:45,tp_src=546,tp_dst=547",
            "priority=180001,icmp6,dl_dst=a6:c4:27:cf:f6:45,icmp_type=136",
            "priority=180002,icmp6,dl_src=a6:c4:27:cf:f6:45,icmp_type=135",
            "priority=180003,icmp6,dl_dst=00:11:22:33:44:55,icmp_type=136",
            "priority=180004,icmp6,dl_src=00:11:22:33:44:55,icmp_type=135",
            "priority=180005,icmp6,ipv6_dst=fd00::2,icmp_type=136",
            "priority=180006,icmp6,ipv6_src=fd00::2,icmp_type=135",
            "priority=180007,tcp6,ipv6_dst=fd00::2,tp_dst=6653",
            "priority=180008,tcp6,ipv6_src=fd00::2,tp_src=6653",
        ]
    );
}

fn switch() -> Ofproto {
    let mut o = Ofproto::new(OfprotoConfig::new("br0", Dpid(1)), at(0));
    o.set_has_controllers(true, at(0));
    o
}

fn put(o: &mut Ofproto, m: &InBand, now: Time) {
    o.set_in_band(m.rules(), m.actions(), now);
}

fn table_0(o: &Ofproto) -> usize {
    o.tables().table(TableId(0)).unwrap().flows.len()
}

#[test]
fn ib_50_51_what_stays_wanted_keeps_its_counters() {
    let (mut m, mut net, mut o) = (machine(&["10.5.0.2:6653"]), network(), switch());
    m.run(at(0), &mut net);
    put(&mut o, &m, at(0));
    assert_eq!((table_0(&o), o.in_band_flows()), (9, 9));
    let (priority, matching) = m.rules()[8].clone();
    let rule = |o: &Ofproto| o.tables().find_exact(TableId(0), &matching, priority).cloned().unwrap();
    rule(&o).stats.credit(7, 700, at(5));
    net.neighbours.clear();
    m.run(at(10_000), &mut net);
    put(&mut o, &m, at(10_000));
    assert_eq!(table_0(&o), 7);
    let kept = rule(&o);
    assert_eq!((kept.stats.packets(), kept.created), (7, at(0)));
    // IB-54: another queue rewrites the actions, and the counters stay.
    m.set_queue(Some(9));
    put(&mut o, &m, at(11_000));
    assert_eq!((rule(&o).stats.packets(), rule(&o).actions.len()), (7, 2));
}

#[test]
fn ib_52_53_they_survive_a_flush_and_go_with_the_last_remote() {
    let (mut m, mut net, mut o) = (machine(&["10.5.0.2:6653"]), network(), switch());
    m.run(at(0), &mut net);
    put(&mut o, &m, at(0));
    o.flush_flows(at(1));
    assert_eq!(table_0(&o), 9);
    o.set_in_band(Vec::new(), Vec::new(), at(2));
    assert_eq!((table_0(&o), o.in_band_flows()), (0, 0));
}

#[test]
fn ib_02_03_05_hidden_and_out_of_reach() {
    let (mut m, mut net, mut o) = (machine(&["10.5.0.2:6653"]), network(), switch());
    m.run(at(0), &mut net);
    put(&mut o, &m, at(0));
    let delete = openflow::msg::FlowMod::new(openflow::msg::FlowModCommand::Delete, MiniMatch::default());
    o.flow_mod(delete, openflow::Version::V10, at(1)).unwrap();
    assert_eq!(table_0(&o), 9);
    let (priority, matching) = m.rules()[0].clone();
    let rule = o.tables().find_exact(TableId(0), &matching, priority).unwrap();
    assert!(rule.is_hidden());
    assert_eq!((rule.cookie.0, rule.idle_timeout, rule.hard_timeout), (0, 0, 0));
    assert!(!rule.flags.has(openflow::msg::FlowModFlags::SEND_FLOW_REM));
}
