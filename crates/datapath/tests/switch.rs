//! The datapath with the real pipeline: packets in, packets out, tables between.

use base::{Clock, DpPort, Mac, OfPort, TableId, Time};
use datapath::{Datapath, Event};
use dpif::Datapath as _;
use dpif::mem::{MemDev, MemHandle};
use dpif::netdev::TxCaps;
use flow::{Field, Match, MiniMatch};
use l2::{BundleId, MacTable};
use ofproto::{Rule, Tables};
use openflow::Action;
use openflow::action::{Output, Resubmit, SetField};
use pipeline::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One bridge with ports 1 to n, which the owner of a switch would keep.
struct Switch {
    dp: Datapath<Snapshot>,
    wires: Vec<MemHandle>,
    tables: Tables,
    mac: MacTable,
    clock: Clock,
    ports: Arc<Ports>,
    bundles: Arc<Vec<Option<Arc<Bundle>>>>,
    config: Arc<BridgeConfig>,
    dp_ports: Arc<DpPortMap>,
    last: Snapshot,
    first: bool,
}

impl Switch {
    fn new(n: u32) -> Switch {
        let clock = Clock::simulated();
        let mut ports = Ports::default();
        let mut bundles = Vec::new();
        let mut map = DpPortMap::default();
        for i in 1..=n {
            let id = BundleId(bundles.len() as u32);
            let name = format!("p{i}");
            bundles.push(Some(Arc::new(Bundle::new(&name, OfPort(i)))));
            ports.insert(PortView { bundle: Some(id), ..PortView::new(OfPort(i), DpPort(i), &name) });
            map.insert(DpPort(i), BridgeId(0), OfPort(i));
        }
        let last = Snapshot::default();
        let mut dp = Datapath::new(Arc::new(last.clone()), clock.clone(), None);
        dp.tunables().check_every.store(1, Relaxed);
        let wires = (1..=n)
            .map(|i| {
                let (dev, wire) = MemDev::new(&format!("p{i}"), TxCaps::default());
                dp.add_port(DpPort(i), Box::new(dev)).unwrap();
                wire
            })
            .collect();
        Switch {
            dp,
            wires,
            tables: Tables::new(1),
            mac: MacTable::new(),
            clock,
            ports: Arc::new(ports),
            bundles: Arc::new(bundles),
            config: Arc::default(),
            dp_ports: Arc::new(map),
            last,
            first: true,
        }
    }

    fn flow(
        &mut self,
        table: u8,
        priority: u32,
        fields: &[(Field, u128)],
        actions: Vec<Action>,
    ) -> Arc<Rule> {
        let mut m = Match::any();
        for (f, v) in fields {
            m.set(*f, *v);
        }
        let rule = Arc::new(Rule::new(TableId(table), priority, MiniMatch::new(&m), actions, Time::ZERO));
        self.tables.insert(rule.clone());
        rule
    }

    fn publish(&mut self) {
        let view = BridgeView {
            id: BridgeId(0),
            name: "br0".into(),
            tables: self.tables.clone(),
            ports: self.ports.clone(),
            bundles: self.bundles.clone(),
            mac: self.mac.view(),
            config: self.config.clone(),
            ..BridgeView::default()
        };
        let mut snap = Snapshot {
            bridges: vec![Some(Arc::new(view))],
            dp_ports: self.dp_ports.clone(),
            ..self.last.clone()
        };
        snap.stamp(&self.last);
        self.last = snap.clone();
        self.first = false;
        self.dp.publish(Arc::new(snap));
    }

    /// What the control thread does with events; says whether stations were learned.
    fn control(&mut self) -> bool {
        let mut learned = false;
        while let Some(e) = self.dp.next_event() {
            if let Event::Effects { body, time, .. } = e {
                for e in &body.effects.as_ref().unwrap().list {
                    if let Effect::MacLearn { heard, .. } = e {
                        self.mac.heard(*heard, time);
                        learned = true;
                    }
                }
            }
        }
        if learned {
            self.publish();
        }
        learned
    }

    /// One frame into port `port`; the ports that something came out of, and the last of it.
    fn pass(&mut self, port: usize, frame: &[u8]) -> (Vec<usize>, Vec<u8>) {
        self.wires[port - 1].inject(frame);
        while self.dp.poll() {}
        let mut last = Vec::new();
        let mut out = Vec::new();
        for (i, w) in self.wires.iter().enumerate() {
            for f in w.sent() {
                out.push(i + 1);
                last = f;
            }
        }
        (out, last)
    }

    fn mismatches(&self) -> u64 {
        self.dp.counters().map(|c| c.mismatches.load(Relaxed)).sum()
    }
}

fn eth(src: u64, dst: u64, ty: u16, body: &[u8]) -> Vec<u8> {
    let mut f = Mac::from_u64(dst).0.to_vec();
    f.extend_from_slice(&Mac::from_u64(src).0);
    f.extend_from_slice(&ty.to_be_bytes());
    f.extend_from_slice(body);
    f.resize(f.len().max(60), 0);
    f
}

fn tcp(src: u64, dst: u64, sip: u32, dip: u32, dport: u16) -> Vec<u8> {
    let mut b = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    b.extend_from_slice(&sip.to_be_bytes());
    b.extend_from_slice(&dip.to_be_bytes());
    b.extend_from_slice(&40000u16.to_be_bytes());
    b.extend_from_slice(&dport.to_be_bytes());
    b.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0]);
    eth(src, dst, 0x0800, &b)
}

fn out(port: OfPort) -> Action {
    Action::Output(Output { port, max_len: 0 })
}

fn set(field: Field, value: u128) -> Action {
    Action::SetField(SetField::new(field, value, field.info().ones()))
}

#[test]
fn a_learning_switch() {
    let mut s = Switch::new(4);
    let rule = s.flow(0, 0, &[], vec![out(OfPort::NORMAL)]);
    s.publish();
    let (a, b) = (0x0200_0000_0001, 0x0200_0000_0002);
    assert_eq!(s.pass(1, &eth(a, b, 0x1234, &[])).0, [2, 3, 4], "flooded");
    assert!(s.control());
    assert_eq!(s.pass(2, &eth(b, a, 0x1234, &[])).0, [1], "known");
    assert!(s.control());
    // The flooding megaflow depended on where `b` was.
    assert_eq!(s.pass(1, &eth(a, b, 0x1234, &[])).0, [2]);
    for _ in 0..10 {
        assert_eq!(s.pass(1, &eth(a, b, 0x1234, &[])).0, [2]);
    }
    s.control();
    // A station that moves takes its traffic along.
    s.pass(3, &eth(b, a, 0x1234, &[]));
    assert!(s.control());
    assert_eq!(s.pass(1, &eth(a, b, 0x1234, &[])).0, [3]);
    s.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(rule.stats.packets(), 15);
    assert_eq!(rule.stats.bytes(), 15 * 60);
    assert_eq!(s.tables.counters(TableId(0)).unwrap().get(), (15, 15));
    assert_eq!(s.mismatches(), 0);
}

#[test]
fn a_redirected_service_and_its_replies() {
    let mut s = Switch::new(2);
    let (vm, host) = (0x0200_0000_0001u64, 0x0200_0000_0099u64);
    let (vm_ip, meta, host_ip) = (0x0a00_0005u32, 0xa9fe_a9feu32, 0xac10_0001u32);
    let there = s.flow(
        0,
        100,
        &[
            (Field::ETH_TYPE, 0x0800),
            (Field::IP_PROTO, 6),
            (Field::IP_DST, meta.into()),
            (Field::TCP_DST, 80),
        ],
        vec![
            set(Field::ETH_DST, host.into()),
            set(Field::IP_DST, host_ip.into()),
            set(Field::TCP_DST, 9002),
            out(OfPort(2)),
        ],
    );
    s.flow(
        0,
        0,
        &[],
        vec![Action::Resubmit(Resubmit {
            in_port: OfPort::IN_PORT,
            table: 1,
            with_ct_orig: false,
            short: false,
        })],
    );
    s.flow(
        1,
        5,
        &[(Field::ETH_TYPE, 0x0800), (Field::IP_SRC, host_ip.into())],
        vec![set(Field::IP_SRC, meta.into()), out(OfPort(1))],
    );
    s.publish();
    let (ports, f) = s.pass(1, &tcp(vm, 0xfe, vm_ip, meta, 80));
    assert_eq!(ports, [2]);
    assert_eq!((&f[..6], &f[30..34]), (&Mac::from_u64(host).0[..], &host_ip.to_be_bytes()[..]));
    assert_eq!(f[36..38], 9002u16.to_be_bytes());
    let (ports, f) = s.pass(2, &tcp(host, vm, host_ip, vm_ip, 40000));
    assert_eq!((ports, &f[26..30]), (vec![1], &meta.to_be_bytes()[..]));
    // Another port of the same address is not redirected.
    assert!(s.pass(1, &tcp(vm, 0xfe, vm_ip, meta, 81)).0.is_empty());
    s.pass(1, &tcp(vm, 0xfe, vm_ip, meta, 80));
    s.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(there.stats.packets(), 2);
    let text: Vec<String> =
        s.dp.dump_flows().iter().map(|f| dpif::format_actions(&f.actions, None)).collect();
    assert!(
        text.iter()
            .any(|t| t == "set(eth(dst=02:00:00:00:00:99)),set(ipv4(dst=172.16.0.1)),set(tcp(dst=9002)),2"),
        "{text:?}"
    );
    assert_eq!(s.mismatches(), 0);
}

#[test]
fn changing_tables_under_traffic_never_disagrees_with_them() {
    let mut s = Switch::new(4);
    let mut seed = 3u64;
    let mut random = move |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % n
    };
    for round in 0..40u32 {
        let ip = [(Field::ETH_TYPE, 0x0800u128), (Field::IP_DST, 0x0a00_0000 + u128::from(random(4)))];
        let tp =
            [(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 6), (Field::TCP_DST, 80 + u128::from(random(2)))];
        let fields: &[(Field, u128)] = if random(2) == 0 { &ip } else { &tp };
        let actions = match random(4) {
            0 => vec![],
            1 => vec![set(Field::ETH_SRC, 7), out(OfPort(2)), out(OfPort(3))],
            2 => vec![out(OfPort::NORMAL)],
            _ => vec![out(OfPort(1 + random(4) as u32))],
        };
        s.flow(0, round % 7, fields, actions);
        s.publish();
        for _ in 0..20 {
            let f = tcp(
                2 + 2 * random(3),
                2 + 2 * random(3),
                0x0a00_0001,
                0x0a00_0000 + random(4) as u32,
                80 + random(2) as u16,
            );
            let port = 1 + random(4) as usize;
            s.pass(port, &f);
            s.control();
        }
    }
    let c = s.dp.counters().next().unwrap();
    assert!(c.checked.load(Relaxed) > 100, "{}", c.checked.load(Relaxed));
    assert_eq!(s.mismatches(), 0);
    s.clock.warp(std::time::Duration::from_secs(11));
    assert_eq!(s.dp.expire(std::time::Duration::from_secs(10)), 0);
}
