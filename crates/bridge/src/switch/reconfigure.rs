//! Applying a configuration: the plan's steps, then the settings of what is there.

use super::Switch;
use super::backer::Backer;
use super::bridge::{Bridge, Interface, Stale};
use super::connections::Connections;
use crate::config::{BridgeConfig, Complaint, Config, PortConfig, Unsupported};
use crate::plan::{BridgePair, Change, InterfacePair, OpenInterface, plan};
use base::{Dpid, Level, Mac, error, info, warn};
use l2::mac_learning::MacTable;
use netdev::registry::DummyMode;
use ofproto::{Ofproto, OfprotoConfig};
use pipeline::BridgeView;
use reactor::Reactor;
use reactor::tls::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Switch {
    /// Makes the switch what `config` asks for.
    pub fn reconfigure(&mut self, r: &mut Reactor, config: Config) {
        self.done.reconfigured += 1;
        if let Some(tls) = &config.tls {
            let (private_key, certificate) = (tls.private_key.clone(), tls.certificate.clone());
            let (ca_cert, bootstrap) = (tls.ca_cert.clone(), tls.bootstrap);
            let rest = r.tls_settings().clone();
            r.configure_tls(&Settings { private_key, certificate, ca_cert, bootstrap, ..rest });
        }
        let wide = config.other_config != self.config.other_config || config.managers != self.config.managers;
        self.complain(&config);
        let pairs = self.pairs(&config, wide);
        let touched: Vec<(String, BTreeSet<Arc<str>>)> =
            pairs.iter().map(|pair| (pair.name.to_string(), ports_of(pair))).collect();
        for step in plan(&pairs) {
            self.step(r, &config, step);
        }
        let before: Vec<Arc<BridgeConfig>> = touched.iter().map(|(name, _)| self.applied(name)).collect();
        self.note_config(config);
        self.configure_polling();
        for ((name, ports), before) in touched.iter().zip(before) {
            let Some(b) = self.bridges.get_mut(name) else { continue };
            b.stale.config = true;
            b.untold = true;
            self.dirty = true;
            self.configure_bridge(r, name, &before, ports);
            self.refresh_counters(name);
        }
        self.handle_effects(r);
        self.publish();
    }

    /// A bridge's configuration last applied: nothing if it is new.
    fn applied(&self, name: &str) -> Arc<BridgeConfig> {
        self.bridges.get(name).map(|b| b.config.clone()).unwrap_or_default()
    }

    /// Takes note of a configuration. What is asked for has been done; it may tell other numbers that ports had.
    pub fn note_config(&mut self, config: Config) {
        for (name, wanted) in &config.bridges {
            if let Some(b) = self.bridges.get_mut(name) {
                b.config = wanted.clone();
            }
        }
        self.config = config;
    }

    /// Says what is new of what makes no sense or cannot be had.
    fn complain(&self, config: &Config) {
        let mut said = Vec::new();
        let new = config.complaints.iter().filter(|c| !self.config.complaints.contains(c));
        said.extend(new.map(|c| (c.level, c.text.clone())));
        for (name, bridge) in &config.bridges {
            let before = self.config.bridges.get(name).cloned().unwrap_or_default();
            if Arc::ptr_eq(&before, bridge) {
                continue;
            }
            let ports = differing(Some(&before), Some(bridge)).filter_map(|(old, new)| Some((old, new?)));
            for (old, new) in ports {
                let (complaints, lacks) =
                    old.map(|p| (&p.complaints[..], &p.unsupported[..])).unwrap_or_default();
                faults(&new.complaints, complaints, &new.unsupported, lacks, &mut said);
            }
            faults(
                &bridge.complaints,
                &before.complaints,
                &bridge.unsupported,
                &before.unsupported,
                &mut said,
            );
        }
        for (level, text) in said {
            base::record!(self.env.log, level, "bridge", "{text}");
        }
    }

    /// Bridges that there may be something to do about, as they are and as they are wanted: all of them if what
    /// concerns all has changed.
    fn pairs<'a>(&'a self, config: &'a Config, wide: bool) -> Vec<BridgePair<'a>> {
        let names: BTreeSet<&String> = self.bridges.keys().chain(config.bridges.keys()).collect();
        let pair = |name: &'a String| {
            let (is, want) = (self.bridges.get(name), config.bridges.get(name));
            let interfaces = interface_pairs(is, want);
            let same = match (is, want) {
                (Some(b), Some(w)) => Arc::ptr_eq(&b.config, w) || *b.config == **w,
                _ => false,
            };
            let is = is.map(|b| b.kind.as_str());
            let pair = BridgePair { name, is, want: want.map(|w| &**w), interfaces };
            (wide || !same || !pair.interfaces.is_empty()).then_some(pair)
        };
        names.into_iter().filter_map(pair).collect()
    }

    fn step(&mut self, r: &mut Reactor, config: &Config, step: Change) {
        match step {
            Change::DelInterface { bridge, interface } => self.del_interface(&bridge, &interface),
            Change::DelBridge(name) => self.del_bridge(r, &name),
            Change::AddBridge(name) => {
                if let Some(wanted) = config.bridges.get(&name) {
                    self.add_bridge(&name, wanted);
                }
            }
            Change::AddInterface { bridge, port, interface } => {
                let port = config.bridges.get(&bridge).and_then(|b| b.ports.get(port.as_str()));
                let wanted = port.and_then(|p| Some((p, p.interfaces.iter().find(|i| i.name == interface)?)));
                if let (Some((port, wanted)), true) = (wanted, self.bridges.contains_key(&bridge)) {
                    self.add_interface(&bridge, &port.name, wanted);
                }
            }
        }
    }

    fn add_bridge(&mut self, name: &str, wanted: &BridgeConfig) {
        let kind = wanted.datapath_type.clone();
        let known = match kind.as_str() {
            "netdev" | "system" => true,
            "dummy" => self.env.registry.dummy_mode() != DummyMode::Off,
            _ => false,
        };
        if !known {
            warn!(self.env.log, "ofproto", "unknown datapath type {kind}");
            warn!(self.env.log, "ofproto", "could not create datapath {name} of unknown type {kind}");
            error!(
                self.env.log,
                "bridge", "failed to create bridge {name}: Address family not supported by protocol"
            );
            return;
        }
        let replaced = self.env.registry.dummy_mode() == DummyMode::Override;
        if kind == "system" && !replaced && !std::mem::replace(&mut self.said_system, true) {
            info!(
                self.env.log,
                "dpif",
                "system@ovs-system: the kernel's datapath is not used; bridges of type \"system\" are served by the userspace datapath"
            );
        }
        if !self.backers.contains_key(&kind) {
            let backer = self.new_backer(&kind);
            self.backers.insert(kind.clone(), backer);
        }
        let now = self.now();
        let Some(backer) = self.backers.get_mut(&kind) else { return };
        let id = backer.add_bridge(name);
        let ofproto = Ofproto::new(OfprotoConfig::new(name, Dpid(0)), now);
        let view = Arc::new(BridgeView { id, name: name.to_string(), ..BridgeView::default() });
        let bridge = Bridge {
            name: name.to_string(),
            kind,
            id,
            config: Arc::default(),
            ofproto,
            mac: MacTable::new(),
            interfaces: BTreeMap::new(),
            failed: BTreeMap::new(),
            bundles: BTreeMap::new(),
            connections: Connections::default(),
            in_band: None,
            numbers: Default::default(),
            ether: Mac::ZERO,
            default_ether: Mac::ZERO,
            said_open: false,
            remind_open: base::Time::NEVER,
            dpid: None,
            meters: Arc::default(),
            view,
            stale: Stale::all(),
            untold: true,
        };
        self.bridges.insert(name.to_string(), bridge);
        self.dirty = true;
    }

    pub(crate) fn new_backer(&self, kind: &str) -> Backer {
        let own = self.env.registry.port_type(kind, "internal").unwrap_or("internal");
        let mut backer =
            Backer::new(kind, own, self.env.clock.clone(), self.env.wake.clone(), self.env.log.clone());
        if !self.inline() {
            self.start_polling(&mut backer);
        }
        backer
    }

    fn del_bridge(&mut self, r: &mut Reactor, name: &str) {
        self.close_connections(r, name);
        let left: Vec<String> =
            self.bridges.get(name).map(|b| b.interfaces.keys().cloned().collect()).unwrap_or_default();
        for interface in left {
            self.del_interface(name, &interface);
        }
        let Some(b) = self.bridges.remove(name) else { return };
        self.dirty = true;
        if let Some(backer) = self.backers.get_mut(&b.kind) {
            backer.remove_bridge(b.id);
            for number in b.meters.values() {
                let _ = backer.dp.del_meter(*number);
            }
            if backer.bridges.iter().all(Option::is_none) {
                self.backers.remove(&b.kind);
            }
        }
    }

    /// Takes everything down (`exit --cleanup`, end of the program).
    pub fn close(&mut self, r: &mut Reactor, cleanup: bool) {
        for name in self.bridge_names() {
            if cleanup {
                self.del_bridge(r, &name);
            } else {
                self.close_connections(r, &name);
            }
        }
        self.backers.clear();
    }
}

/// Ports that one of two bridges has and the other has not, or has otherwise.
pub(super) fn differing<'a>(
    old: Option<&'a BridgeConfig>,
    new: Option<&'a BridgeConfig>,
) -> impl Iterator<Item = (Option<&'a Arc<PortConfig>>, Option<&'a Arc<PortConfig>>)> {
    let ports = |b: Option<&'a BridgeConfig>| b.into_iter().flat_map(|b| b.ports.values()).peekable();
    let (mut old, mut new) = (ports(old), ports(new));
    let pairs = std::iter::from_fn(move || match (old.peek(), new.peek()) {
        (None, None) => None,
        (Some(o), Some(n)) if o.name == n.name => Some((old.next(), new.next())),
        (Some(o), n) if n.is_none_or(|n| o.name < n.name) => Some((old.next(), None)),
        _ => Some((None, new.next())),
    });
    pairs.filter(|(o, n)| o != n)
}

fn faults(
    complaints: &[Complaint],
    before: &[Complaint],
    lacks: &[Unsupported],
    lacked: &[Unsupported],
    said: &mut Vec<(Level, String)>,
) {
    said.extend(complaints.iter().filter(|c| !before.contains(c)).map(|c| (c.level, c.text.clone())));
    said.extend(lacks.iter().filter(|u| !lacked.contains(u)).map(|u| (Level::Warn, u.to_string())));
}

/// Interfaces that there may be something to do about: those of ports that differ, those that could not be opened or
/// whose device is gone, those that have another number than they ask for; all if the bridge does not stay.
fn interface_pairs<'a>(
    is: Option<&'a Bridge>,
    want: Option<&'a Arc<BridgeConfig>>,
) -> BTreeMap<&'a str, InterfacePair<'a>> {
    let mut pairs: BTreeMap<&str, InterfacePair<'_>> = BTreeMap::new();
    let find = |port: &str, name: &str| {
        let port = want?.ports.get(port)?;
        Some((&*port.name, port.interfaces.iter().find(|i| i.name == name)?))
    };
    let stays = is.is_some_and(|b| want.is_some_and(|w| b.kind == w.datapath_type));
    if let Some(b) = is {
        let unsettled = |i: &Interface| i.gone || i.config.ofport_request.is_some_and(|r| r != i.of_port);
        let those = b.interfaces.values().filter(|i| !stays || unsettled(i));
        let names = those.map(|i| (&i.name, &i.port)).chain(b.failed.iter().map(|(name, f)| (name, &f.port)));
        for (name, port) in names {
            pairs.entry(name).or_default().want = find(port, name);
        }
    }
    let old = is.filter(|_| stays).map(|b| &*b.config);
    for (old, new) in differing(old, want.map(|w| &**w)) {
        for i in old.iter().flat_map(|p| &p.interfaces) {
            pairs.entry(&i.name).or_default();
        }
        for (p, i) in new.iter().flat_map(|p| p.interfaces.iter().map(move |i| (p, i))) {
            pairs.entry(&i.name).or_default().want = Some((&p.name, i));
        }
    }
    let Some(b) = is else { return pairs };
    let mut victims = Vec::new();
    for (name, pair) in &mut pairs {
        let i = b.interfaces.get(*name);
        let asked = pair.want.and_then(|(_, want)| want.ofport_request);
        let holder = asked.and_then(|r| b.interface(r)).filter(|h| h.name != **name);
        let claim = holder.and_then(|h| Some((h, find(&h.port, &h.name)?.1)));
        let rival = claim.is_some_and(|(h, c)| c.ofport_request == asked && c.kind == h.kind);
        victims.extend(holder.filter(|_| i.is_some() && !rival));
        pair.is = i.map(|i| OpenInterface { rival, ..open(i) });
    }
    // Who has a number that another asks for, and does not ask for it too, makes room.
    for i in victims {
        let pair = pairs.entry(&i.name).or_default();
        pair.want = find(&i.port, &i.name).or(pair.want);
        pair.is = Some(OpenInterface { stale: true, ..open(i) });
    }
    pairs
}

fn open(i: &Interface) -> OpenInterface<'_> {
    OpenInterface { port: &i.port, kind: &i.kind, ofport: i.of_port, stale: i.gone, rival: false }
}

/// The ports that a bridge's interfaces belonged or will belong to.
fn ports_of(pair: &BridgePair<'_>) -> BTreeSet<Arc<str>> {
    let is = pair.interfaces.values().filter_map(|i| Some(i.is.as_ref()?.port));
    let want = pair.interfaces.values().filter_map(|i| Some(i.want?.0));
    is.chain(want).map(Arc::from).collect()
}
