//! A small builder of switches for tests.
#![allow(dead_code, missing_docs)]

use base::{Cookie, DpPort, Mac, OfPort, TableId, Time, VlanId};
use flow::{Field, FlowKey, Match, MiniMatch, Value};
use l2::mac_learning::Heard;
use l2::{BundleId, MacKey, MacTable};
use ofproto::{Rule, Tables};
use openflow::Action;
use openflow::action::{Output, Resubmit, SetField};
use pipeline::*;
use std::sync::Arc;

/// A bridge being built: port `n` has datapath number `n` (plus an offset per bridge), a trunk bundle, the name `pN`.
pub struct Br {
    pub name: String,
    pub tables: Tables,
    pub ports: Ports,
    pub bundles: Vec<Option<Arc<Bundle>>>,
    pub mirrors: Vec<Mirror>,
    pub mac: MacTable,
    pub config: BridgeConfig,
}

impl Br {
    /// A bridge with its local port (100) and ports 1 to `n`.
    pub fn new(name: &str, n: u32, base: u32) -> Br {
        let mut br = Br {
            name: name.into(),
            tables: Tables::new(1),
            ports: Ports::default(),
            bundles: Vec::new(),
            mirrors: Vec::new(),
            mac: MacTable::new(),
            config: BridgeConfig::default(),
        };
        br.port(OfPort::LOCAL, DpPort(base + 100), name);
        for i in 1..=n {
            br.port(OfPort(i), DpPort(base + i), &format!("p{i}"));
        }
        br
    }

    pub fn port(&mut self, of: OfPort, dp: DpPort, name: &str) {
        let id = BundleId(self.bundles.len() as u32);
        self.bundles.push(Some(Arc::new(Bundle::new(name, of))));
        self.ports.insert(PortView { bundle: Some(id), ..PortView::new(of, dp, name) });
    }

    /// Changes the bundle of port `n`.
    pub fn bundle(&mut self, n: u32, f: impl FnOnce(&mut Bundle)) -> &mut Br {
        f(Arc::make_mut(self.bundles[n as usize].as_mut().unwrap()));
        self
    }

    /// Changes port `n`.
    pub fn edit(&mut self, n: u32, f: impl FnOnce(&mut PortView)) -> &mut Br {
        let mut p = self.ports.get(OfPort(n)).unwrap().clone();
        f(&mut p);
        self.ports.insert(p);
        self
    }

    /// Gives the local port a datapath number.
    pub fn edit_local(&mut self, dp: u32) {
        let mut p = self.ports.get(OfPort::LOCAL).unwrap().clone();
        p.dp_port = DpPort(dp);
        self.ports.insert(p);
    }

    /// Adds a flow.
    pub fn flow(&mut self, table: u8, priority: u32, m: Match, actions: Vec<Action>) -> &mut Br {
        let rule = Rule::new(TableId(table), priority, MiniMatch::new(&m), actions, Time::ZERO);
        self.tables.insert(Arc::new(rule));
        self
    }

    pub fn flow_with_cookie(
        &mut self,
        table: u8,
        priority: u32,
        cookie: u64,
        m: Match,
        actions: Vec<Action>,
    ) {
        let mut rule = Rule::new(TableId(table), priority, MiniMatch::new(&m), actions, Time::ZERO);
        rule.cookie = Cookie(cookie);
        self.tables.insert(Arc::new(rule));
    }

    /// A station heard on port `n`.
    pub fn heard(&mut self, vlan: u16, mac: &str, n: u32) -> &mut Br {
        let key = MacKey::new(VlanId(vlan), Mac::parse(mac).unwrap());
        let h = Heard { key, bundle: BundleId(n), gratuitous_arp: false, bond: false };
        self.mac.heard(h, Time::ZERO);
        self
    }

    pub fn view(&self, id: u32) -> BridgeView {
        BridgeView {
            id: BridgeId(id),
            name: self.name.clone(),
            tables: self.tables.clone(),
            ports: Arc::new(self.ports.clone()),
            bundles: Arc::new(self.bundles.clone()),
            mirrors: Arc::new(self.mirrors.clone()),
            mac: self.mac.view(),
            config: Arc::new(self.config.clone()),
            ..BridgeView::default()
        }
    }
}

/// A switch of these bridges.
pub fn switch(bridges: &[&Br]) -> Snapshot {
    let mut map = DpPortMap::default();
    let mut views = Vec::new();
    for (i, b) in bridges.iter().enumerate() {
        let view = b.view(i as u32);
        for p in view.ports.iter() {
            map.insert(p.dp_port, view.id, p.of_port);
        }
        views.push(Some(Arc::new(view)));
    }
    let mut snap = Snapshot { bridges: views, dp_ports: Arc::new(map), ..Snapshot::default() };
    snap.stamp(&Snapshot::default());
    snap
}

pub fn matching(fields: &[(Field, Value)]) -> Match {
    let mut m = Match::any();
    for (f, v) in fields {
        m.set(*f, *v);
    }
    m
}

pub fn output(port: u32) -> Action {
    Action::Output(Output { port: OfPort(port), max_len: 0 })
}

pub fn to(port: OfPort) -> Action {
    Action::Output(Output { port, max_len: 0 })
}

pub fn resubmit(table: u8) -> Action {
    Action::Resubmit(Resubmit { in_port: OfPort::IN_PORT, table, with_ct_orig: false, short: false })
}

pub fn set(field: Field, value: Value) -> Action {
    Action::SetField(SetField::new(field, value, field.info().ones()))
}

/// An untagged frame of Ethernet type 0x1234 on datapath port `port`.
pub fn frame(port: u32, src: &str, dst: &str) -> FlowKey {
    let mut k = FlowKey::default();
    k.set_dp_port(DpPort(port));
    k.set_eth_src(Mac::parse(src).unwrap());
    k.set_eth_dst(Mac::parse(dst).unwrap());
    k.set_eth_type(0x1234);
    k
}

/// Xorshift.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
