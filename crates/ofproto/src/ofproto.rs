//! One bridge's OpenFlow switch.

use crate::connection::{ConnId, Connection};
use crate::effect::Effect;
use crate::port::Port;
use crate::tables::Tables;
use base::{Dpid, OfPort, Time};
use openflow::msg::{PortStats, QueueStats};
use std::collections::BTreeMap;

/// What a switch needs to ask others while it answers a request.
pub trait Host {
    /// Counters of a port.
    fn port_stats(&self, port: OfPort) -> Option<PortStats>;
    /// Counters of a port's queues.
    fn queue_stats(&self, port: OfPort) -> Vec<QueueStats>;
}

/// How a switch is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfprotoConfig {
    /// The bridge's name.
    pub name: String,
    /// Its datapath id.
    pub datapath_id: Dpid,
    /// Seed for hashes.
    pub seed: u64,
}

/// One bridge's OpenFlow switch.
#[derive(Debug)]
pub struct Ofproto {
    config: OfprotoConfig,
    tables: Tables,
    ports: BTreeMap<OfPort, Port>,
    connections: BTreeMap<ConnId, Connection>,
    effects: Vec<Effect>,
}

impl Ofproto {
    /// A switch without flows.
    pub fn new(config: OfprotoConfig, _now: Time) -> Ofproto {
        let tables = Tables::new(config.seed);
        Ofproto { config, tables, ports: BTreeMap::new(), connections: BTreeMap::new(), effects: Vec::new() }
    }

    /// Its set-up.
    pub fn config(&self) -> &OfprotoConfig {
        &self.config
    }

    /// Tables, groups and meters; clone them for a snapshot.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Its ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.values()
    }

    /// A connection's state.
    pub fn connection(&self, id: ConnId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
