//! Applying a configuration: the plan's steps, then the settings of what is there.

use super::Switch;
use super::backer::Backer;
use super::bridge::{Bridge, Stale};
use super::connections::Connections;
use crate::config::Config;
use crate::plan::{Actual, ActualBridge, ActualInterface, Change, plan};
use base::{Dpid, Mac, error, info, warn};
use l2::mac_learning::MacTable;
use netdev::registry::DummyMode;
use ofproto::{Ofproto, OfprotoConfig};
use pipeline::BridgeView;
use reactor::Reactor;
use reactor::tls::Settings;
use std::collections::BTreeMap;
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
        for step in plan(&self.actual(), &config) {
            self.step(r, &config, step);
        }
        for (name, wanted) in &config.bridges {
            if let Some(b) = self.bridges.get_mut(name) {
                b.config = wanted.clone();
                b.stale.config = true;
                self.dirty = true;
            }
        }
        for new in config.unsupported.difference(&self.config.unsupported) {
            warn!(self.env.log, "bridge", "{new}");
        }
        self.config = config;
        self.configure_polling();
        self.update_port_maps();
        self.refresh_counters();
        for name in self.bridge_names() {
            self.configure_bridge(r, &name);
        }
        self.handle_effects(r);
        self.publish();
    }

    fn actual(&self) -> Actual {
        let interfaces = |b: &Bridge| -> BTreeMap<String, ActualInterface> {
            b.interfaces
                .values()
                .map(|i| {
                    let actual = ActualInterface {
                        kind: i.kind.clone(),
                        ofport: i.of_port,
                        port: i.port.clone(),
                        stale: i.gone,
                    };
                    (i.name.clone(), actual)
                })
                .collect()
        };
        Actual {
            bridges: self
                .bridges
                .values()
                .map(|b| {
                    (
                        b.name.clone(),
                        ActualBridge { datapath_type: b.kind.clone(), interfaces: interfaces(b) },
                    )
                })
                .collect(),
        }
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
                let wanted = config
                    .bridges
                    .get(&bridge)
                    .and_then(|b| b.ports.get(&port))
                    .and_then(|p| p.interfaces.iter().find(|i| i.name == interface));
                if let (Some(wanted), true) = (wanted, self.bridges.contains_key(&bridge)) {
                    self.add_interface(&bridge, &port, wanted);
                }
            }
        }
    }

    fn add_bridge(&mut self, name: &str, wanted: &crate::config::BridgeConfig) {
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
            config: wanted.clone(),
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
            stale: Stale { tables: true, mac: true, config: true },
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

    /// Tells each datapath where its ports belong.
    fn update_port_maps(&mut self) {
        for backer in self.backers.values_mut() {
            let bridges = backer.bridges.iter().flatten().filter_map(|n| self.bridges.get(n));
            let map = bridges
                .flat_map(|b| b.interfaces.values().map(move |i| (i.dp_port, b.id, i.of_port)))
                .filter(|(p, _, _)| *p != base::DpPort::NONE)
                .collect();
            backer.map = Arc::new(map);
            self.dirty = true;
        }
    }
}
