//! One bridge: its OpenFlow switch, its MAC table, its interfaces, and the view of it that was last published.

use super::connections::Connections;
use super::numbers::OfNumbers;
use crate::config::{BridgeConfig, InterfaceConfig};
use base::{DpPort, Dpid, Mac, MeterId, OfPort, Time};
use dpif::netdev::{Features, Link, Netdev};
use l2::BundleId;
use l2::mac_learning::MacTable;
use ofproto::Ofproto;
use pipeline::{BridgeId, BridgeView};
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
    pub config: Arc<BridgeConfig>,
    /// OpenFlow state.
    pub ofproto: Ofproto,
    /// Stations.
    pub mac: MacTable,
    /// Open interfaces by name.
    pub interfaces: BTreeMap<String, Interface>,
    /// Interfaces that could not be opened.
    pub failed: BTreeMap<String, Failure>,
    /// Numbers of its bundles, by the port's name.
    pub bundles: BTreeMap<Arc<str>, BundleId>,
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
    /// The database has not been told of the bridge as it is.
    pub untold: bool,
}

/// Parts of a view that must be made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Tables, groups, meters.
    pub tables: bool,
    /// Stations.
    pub mac: bool,
    /// Mirrors, settings.
    pub config: bool,
    /// These ports, by name: they or their interfaces have changed, come or gone.
    pub ports: BTreeSet<Arc<str>>,
    /// OpenFlow ports that are no more.
    pub gone: Vec<OfPort>,
}

impl Stale {
    /// All of a bridge that has not been published yet.
    pub fn all() -> Stale {
        Stale { tables: true, mac: true, config: true, ..Stale::default() }
    }

    /// Whether there is anything.
    pub fn any(&self) -> bool {
        *self != Stale::default()
    }
}

/// An interface that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the database's port.
    pub port: Arc<str>,
    /// What the database's `error` says.
    pub error: String,
    /// The database has not been told.
    pub untold: bool,
}

/// What a device was like when it was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its change number.
    pub seq: u64,
    /// Its address.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Its link.
    pub link: Link,
    /// Its speeds.
    pub features: Features,
}

impl Seen {
    /// Looks at a device.
    pub fn look(device: &dyn Netdev) -> Seen {
        Seen {
            seq: device.change_seq(),
            mac: device.mac().ok(),
            mtu: device.mtu(),
            link: device.link(),
            features: device.features(),
        }
    }
}

/// An open interface.
pub struct Interface {
    /// Name.
    pub name: String,
    /// Name of the database's port.
    pub port: Arc<str>,
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
    /// The device as it was last looked at.
    pub seen: Seen,
    /// The device is gone.
    pub gone: bool,
    /// OpenFlow has not been told of the device as it was seen.
    pub fresh: bool,
    /// The database has not been told.
    pub untold: bool,
}

impl Interface {
    /// Takes note of what its device is like now.
    pub fn see(&mut self, seen: Seen) {
        let changed = self.seen != Seen { seq: self.seen.seq, ..seen.clone() };
        self.fresh |= changed;
        self.untold |= changed;
        self.seen = seen;
    }
}

impl Bridge {
    /// An interface by OpenFlow number.
    pub fn interface(&self, port: OfPort) -> Option<&Interface> {
        self.interfaces.values().find(|i| i.of_port == port)
    }

    /// Name of the interfaces of a bundle's port.
    pub fn bundle_name(&self, id: BundleId) -> Option<&str> {
        self.bundles.iter().find(|(_, b)| **b == id).map(|(n, _)| &**n)
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

    /// An interface's port is to be published anew, and the database told of the interface.
    pub fn touch(&mut self, interface: &str) {
        if let Some(i) = self.interfaces.get_mut(interface) {
            i.untold = true;
            self.stale.ports.insert(i.port.clone());
        }
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
