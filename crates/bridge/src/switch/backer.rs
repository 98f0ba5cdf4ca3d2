//! A datapath with the bridges on it: one for each datapath type in use.

use crate::view::{Counters, View};
use base::log::RateLimit;
use base::{Clock, DpPort, Logger};
use datapath::{Datapath, Wake};
use pipeline::{BridgeId, BridgeView, DpPortMap, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Warnings of translation that are logged.
const WARNINGS_PER_MINUTE: u32 = 5;

/// One datapath and its bridges.
pub struct Backer {
    /// Type: `netdev`, `system`, `dummy`.
    pub kind: String,
    /// Its name where the database did not ask for it.
    pub own_name: Option<String>,
    /// Type of its own port.
    pub own_kind: &'static str,
    /// The cores that it polls on, and whether threads stay there.
    pub polling: Option<(Vec<u32>, bool)>,
    /// The datapath.
    pub dp: Datapath<View>,
    /// Name and type of each datapath port, beside its own port 0.
    pub ports: BTreeMap<u32, DpPortInfo>,
    /// Bridges' names by number; a hole where one was removed.
    pub bridges: Vec<Option<String>>,
    /// Where each port belongs.
    pub map: Arc<DpPortMap>,
    /// Counters that snapshots credit.
    pub counters: Arc<Counters>,
    log: Logger,
    warnings: Arc<RateLimit>,
}

/// A datapath port, for listings.
#[derive(Clone, Debug)]
pub struct DpPortInfo {
    /// Name.
    pub name: String,
    /// Type that the datapath opened it as.
    pub kind: &'static str,
    /// Options that it was added with by hand.
    pub options: BTreeMap<String, String>,
}

impl Backer {
    /// A datapath without bridges.
    pub fn new(kind: &str, own_kind: &'static str, clock: Clock, wake: Arc<dyn Wake>, log: Logger) -> Backer {
        Backer {
            kind: kind.to_string(),
            own_name: None,
            own_kind,
            polling: None,
            dp: Datapath::new(Arc::new(View::default()), clock, Some(wake)),
            ports: BTreeMap::new(),
            bridges: Vec::new(),
            map: Arc::default(),
            counters: Arc::default(),
            log,
            warnings: Arc::new(RateLimit::new(WARNINGS_PER_MINUTE, WARNINGS_PER_MINUTE)),
        }
    }

    /// `netdev@ovs-netdev`
    pub fn name(&self) -> String {
        format!("{}@{}", self.kind, self.own_port())
    }

    /// Name of its own port: `ovs-netdev`.
    pub fn own_port(&self) -> String {
        self.own_name.clone().unwrap_or_else(|| format!("ovs-{}", self.kind))
    }

    /// Takes in a bridge.
    pub fn add_bridge(&mut self, name: &str) -> BridgeId {
        let at = self.bridges.iter().position(Option::is_none).unwrap_or(self.bridges.len());
        if at == self.bridges.len() {
            self.bridges.push(None);
        }
        self.bridges[at] = Some(name.to_string());
        BridgeId(at as u32)
    }

    /// Forgets a bridge.
    pub fn remove_bridge(&mut self, id: BridgeId) {
        if let Some(slot) = self.bridges.get_mut(id.0 as usize) {
            *slot = None;
        }
        let counters = Arc::make_mut(&mut self.counters);
        counters.tables.remove(&id);
        counters.patches.retain(|(b, _), _| *b != id);
        counters.mirrors.retain(|(b, _), _| *b != id);
    }

    /// Publishes these bridges, by number.
    pub fn publish(&mut self, bridges: Vec<Option<Arc<BridgeView>>>) {
        let previous = self.dp.snapshot();
        let mut snapshot = Snapshot {
            bridges,
            dp_ports: self.map.clone(),
            limits: previous.snapshot.limits,
            recirc: previous.snapshot.recirc.clone(),
            ..Snapshot::default()
        };
        snapshot.stamp(&previous.snapshot);
        self.dp.publish(Arc::new(View {
            snapshot,
            counters: self.counters.clone(),
            log: self.log.clone(),
            warnings: Some(self.warnings.clone()),
        }));
    }

    /// Number of a datapath port.
    pub fn port_number(&self, name: &str) -> Option<DpPort> {
        if name == self.own_port() {
            return Some(DpPort(0));
        }
        self.ports.iter().find(|(_, p)| p.name == name).map(|(n, _)| DpPort(*n))
    }

    /// Name of a datapath port.
    pub fn port_name(&self, port: DpPort) -> Option<String> {
        match port.0 {
            0 => Some(self.own_port()),
            n => self.ports.get(&n).map(|p| p.name.clone()),
        }
    }
}
