//! One bridge: its OpenFlow switch, its MAC table, its interfaces, and the view of it that was last published.

use super::connections::Connections;
use super::numbers::OfNumbers;
use crate::config::{BridgeConfig, InterfaceConfig};
use base::{DpPort, Dpid, Mac, MeterId, OfPort, Time};
use dpif::netdev::Netdev;
use l2::BundleId;
use l2::mac_learning::MacTable;
use ofproto::Ofproto;
use pipeline::{BridgeId, BridgeView, Bundle, Mirror, PortView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One bridge.
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Type of its datapath.
    pub kind: String,
    /// Its number there.
    pub id: BridgeId,
    /// Configuration last applied.
    pub config: BridgeConfig,
    /// OpenFlow state.
    pub ofproto: Ofproto,
    /// Stations.
    pub mac: MacTable,
    /// Open interfaces by name.
    pub interfaces: BTreeMap<String, Interface>,
    /// Interfaces that could not be opened, with the reason.
    pub failed: BTreeMap<String, String>,
    /// Numbers of its bundles, by the port's name.
    pub bundles: BTreeMap<String, BundleId>,
    /// Controllers and listeners.
    pub connections: Connections,
    /// In-band control, if there is anything to control by.
    pub in_band: Option<super::in_band::Control>,
    /// OpenFlow port numbers.
    pub numbers: OfNumbers,
    /// Its address: that of the local port.
    pub ether: Mac,
    /// The address that the local port came with.
    pub default_ether: Mac,
    /// The log has been told that the fail mode took over.
    pub said_open: bool,
    /// When it is to be reminded.
    pub remind_open: Time,
    /// Datapath id, once chosen.
    pub dpid: Option<Dpid>,
    /// Number of each meter in the datapath.
    pub meters: Arc<BTreeMap<MeterId, u32>>,
    /// The view last published.
    pub view: Arc<BridgeView>,
    /// What of the view is out of date.
    pub stale: Stale,
}

/// Parts of a view that must be made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Tables, groups, meters.
    pub tables: bool,
    /// Stations.
    pub mac: bool,
    /// Ports, bundles, mirrors, settings.
    pub config: bool,
}

/// An open interface.
pub struct Interface {
    /// Name.
    pub name: String,
    /// Name of the database's port.
    pub port: String,
    /// Type in the database.
    pub kind: String,
    /// OpenFlow number.
    pub of_port: OfPort,
    /// Datapath number; none for a patch port.
    pub dp_port: DpPort,
    /// The device of a patch port; others' are with the datapath.
    pub patch: Option<Box<dyn Netdev>>,
    /// Configuration last applied.
    pub config: InterfaceConfig,
    /// What the database's `error` says although the interface is open.
    pub error: Option<String>,
    /// The device's change number when it was last looked at.
    pub seq: u64,
    /// The device is gone.
    pub gone: bool,
}

impl Bridge {
    /// An interface by OpenFlow number.
    pub fn interface(&self, port: OfPort) -> Option<&Interface> {
        self.interfaces.values().find(|i| i.of_port == port)
    }

    /// OpenFlow numbers in use.
    pub fn used_numbers(&self) -> BTreeSet<OfPort> {
        self.interfaces.values().map(|i| i.of_port).collect()
    }

    /// Name of the interfaces of a bundle's port.
    pub fn bundle_name(&self, id: BundleId) -> Option<&str> {
        self.bundles.iter().find(|(_, b)| **b == id).map(|(n, _)| n.as_str())
    }

    /// First OpenFlow port of a bundle.
    pub fn bundle_port(&self, id: BundleId) -> Option<OfPort> {
        self.view.bundle(id).and_then(|b| b.members.first().copied())
    }

    /// When its flows, stations and connections have something to do next.
    pub fn next_deadline(&self) -> Time {
        self.ofproto.next_deadline().min(self.mac.next_deadline())
    }

    /// Marks the MAC table's view as old.
    pub fn mac_changed(&mut self) {
        self.stale.mac = true;
    }

    /// A bundle number for a port: the one it had, or the lowest free one.
    pub fn bundle_id(&mut self, port: &str) -> BundleId {
        if let Some(id) = self.bundles.get(port) {
            return *id;
        }
        let used: BTreeSet<u32> = self.bundles.values().map(|b| b.0).collect();
        let id = BundleId((0..).find(|n| !used.contains(n)).unwrap_or(0));
        self.bundles.insert(port.to_string(), id);
        id
    }

    /// Name of an OpenFlow port.
    pub fn port_name(&self, port: OfPort) -> Option<&str> {
        self.interface(port).map(|i| i.name.as_str())
    }

    /// The parts of a view that depend on configuration.
    pub fn empty_view(&self) -> BridgeView {
        BridgeView { id: self.id, name: self.name.clone(), ..BridgeView::default() }
    }
}

/// Ports, bundles and mirrors of a view under construction.
#[derive(Default)]
pub struct Parts {
    /// Ports.
    pub ports: Vec<PortView>,
    /// Bundles by number.
    pub bundles: Vec<Option<Bundle>>,
    /// Mirrors.
    pub mirrors: Vec<Mirror>,
}
