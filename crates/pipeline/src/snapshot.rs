//! What translation reads: an immutable picture of the whole switch.
//!
//! The owner of the switch builds a new [`Snapshot`] after each change and publishes it; everything that did not
//! change is shared with the one before, so that publishing costs what changed. Each part carries the generation in
//! which it last changed: that is how [`crate::Deps`] tells whether a cached translation still stands.

use crate::bundle::{Bundle, Mirror};
use crate::port::PortView;
use crate::recirc::RecircTable;
use base::{DpPort, Mac, MeterId, OfPort, TableId, VlanId};
use l2::{BundleId, MacView};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of a published snapshot; grows by one with each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(pub u64);

/// Index of a bridge in [`Snapshot::bridges`]; stable for as long as the bridge lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BridgeId(pub u32);

/// The switch at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Which snapshot this is.
    pub generation: Generation,
    /// The bridges; a hole where one was deleted.
    pub bridges: Vec<Option<Arc<BridgeView>>>,
    /// Where each datapath port belongs.
    pub dp_ports: Arc<DpPortMap>,
    /// When [`Snapshot::dp_ports`] last changed.
    pub dp_ports_changed: Generation,
    /// What the datapath can do, and the limits of a translation.
    pub limits: Limits,
    /// Continuations of recirculated packets.
    pub recirc: Arc<RecircTable>,
}

impl Snapshot {
    /// A bridge by number.
    pub fn bridge(&self, id: BridgeId) -> Option<&BridgeView> {
        self.bridges.get(id.0 as usize)?.as_deref()
    }

    /// Makes this the snapshot after `previous`: gives it its generation and notes what changed. To be called once,
    /// when all parts are in place; parts that did not change must be shared with `previous`.
    pub fn stamp(&mut self, previous: &Snapshot) {
        let now = Generation(previous.generation.0 + 1);
        self.generation = now;
        let same_ports = Arc::ptr_eq(&self.dp_ports, &previous.dp_ports) && self.limits == previous.limits;
        self.dp_ports_changed = if same_ports { previous.dp_ports_changed } else { now };
        for bridge in self.bridges.iter_mut().flatten() {
            let old = previous.bridges.get(bridge.id.0 as usize).and_then(|b| b.as_ref());
            let Some(old) = old else {
                Arc::make_mut(bridge).changes = Changes::all(now);
                continue;
            };
            if !Arc::ptr_eq(old, bridge) {
                let mut changes = Changes::default();
                changes.update(old, bridge, now);
                Arc::make_mut(bridge).changes = changes;
            }
        }
    }

    /// A bridge by name.
    pub fn bridge_by_name(&self, name: &str) -> Option<&BridgeView> {
        self.bridges.iter().flatten().map(|b| &**b).find(|b| b.name == name)
    }
}

/// Datapath port numbers to (bridge, OpenFlow port).
#[derive(Clone, Debug, Default)]
pub struct DpPortMap(Vec<Option<(BridgeId, OfPort)>>);

impl DpPortMap {
    /// Where `port` belongs.
    #[inline]
    pub fn get(&self, port: DpPort) -> Option<(BridgeId, OfPort)> {
        *self.0.get(port.0 as usize)?
    }

    /// Adds a port. Numbers of 65,536 and above are not datapath ports and are refused.
    pub fn insert(&mut self, port: DpPort, bridge: BridgeId, of_port: OfPort) -> bool {
        let i = port.0 as usize;
        if i > 0xffff {
            return false;
        }
        if i >= self.0.len() {
            self.0.resize(i + 1, None);
        }
        self.0[i] = Some((bridge, of_port));
        true
    }

    /// Removes a port.
    pub fn remove(&mut self, port: DpPort) {
        if let Some(slot) = self.0.get_mut(port.0 as usize) {
            *slot = None;
        }
    }
}

impl FromIterator<(DpPort, BridgeId, OfPort)> for DpPortMap {
    fn from_iter<I: IntoIterator<Item = (DpPort, BridgeId, OfPort)>>(iter: I) -> Self {
        let mut map = DpPortMap::default();
        for (port, bridge, of_port) in iter {
            map.insert(port, bridge, of_port);
        }
        map
    }
}

/// What translation may spend and what the datapath has room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Nested lookups (`resubmit`, `goto_table`, patch ports, groups).
    pub depth: u16,
    /// Lookups altogether.
    pub resubmits: u16,
    /// Bytes on the stack once many lookups were made.
    pub stack_bytes: u32,
    /// Actions of one translation.
    pub actions: u32,
    /// MPLS labels that can be looked into.
    pub mpls_labels: u8,
    /// VLAN tags that can be pushed.
    pub vlans: u8,
    /// VLAN tags that are looked at (`vlan-limit`).
    pub vlan_limit: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 64,
            resubmits: 4096,
            stack_bytes: 65_536,
            actions: 65_536,
            mpls_labels: 3,
            vlans: 2,
            vlan_limit: 1,
        }
    }
}

/// What becomes of IP fragments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FragMode {
    /// L4 ports of fragments look like 0.
    #[default]
    Normal,
    /// Fragments are dropped.
    Drop,
    /// As `Normal`: no fragments are reassembled here.
    Reassemble,
    /// First fragments match on their L4 ports.
    NxMatch,
}

/// When parts of a bridge last changed; kept by [`Snapshot::stamp`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Ports, bundles, mirrors and settings.
    pub config: Generation,
    /// The MAC table's view.
    pub mac: Generation,
    /// Groups and meters.
    pub groups: Generation,
    /// Any table.
    pub any_table: Generation,
    tables: Option<Arc<[Generation; 256]>>,
}

impl Changes {
    /// When a table last changed.
    pub fn table(&self, id: TableId) -> Generation {
        self.tables.as_ref().map_or(self.any_table, |t| t[id.0 as usize])
    }

    /// All parts changed now.
    fn all(now: Generation) -> Changes {
        Changes { config: now, mac: now, groups: now, any_table: now, tables: None }
    }

    fn update(&mut self, old: &BridgeView, new: &BridgeView, now: Generation) {
        *self = old.changes.clone();
        let same_config = Arc::ptr_eq(&old.ports, &new.ports)
            && Arc::ptr_eq(&old.bundles, &new.bundles)
            && Arc::ptr_eq(&old.mirrors, &new.mirrors)
            && Arc::ptr_eq(&old.config, &new.config)
            && Arc::ptr_eq(&old.dp_meters, &new.dp_meters);
        if !same_config {
            self.config = now;
        }
        if !old.mac.is_same(&new.mac) {
            self.mac = now;
        }
        if old.tables.generation() == new.tables.generation() {
            return;
        }
        let before = self.any_table;
        let mut any = false;
        for t in old.tables.changed(&new.tables) {
            let tables = self.tables.get_or_insert_with(|| Arc::new([before; 256]));
            Arc::make_mut(tables)[usize::from(t.0)] = now;
            any = true;
        }
        if any {
            self.any_table = now;
        }
        // Groups and meters do not say when they changed: any change of the tables' generation may be theirs.
        self.groups = now;
    }
}

/// A set of VLANs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanSet(Box<[u64; 64]>);

impl Default for VlanSet {
    fn default() -> Self {
        VlanSet(Box::new([0; 64]))
    }
}

impl VlanSet {
    /// Every VLAN.
    pub fn all() -> VlanSet {
        VlanSet(Box::new([u64::MAX; 64]))
    }

    /// Whether `vlan` is in the set.
    #[inline]
    pub fn contains(&self, vlan: VlanId) -> bool {
        self.0[(vlan.0 as usize & 0xfff) / 64] >> (vlan.0 % 64) & 1 != 0
    }

    /// Adds a VLAN.
    pub fn insert(&mut self, vlan: VlanId) {
        self.0[(vlan.0 as usize & 0xfff) / 64] |= 1 << (vlan.0 % 64);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|w| *w == 0)
    }
}

impl FromIterator<VlanId> for VlanSet {
    fn from_iter<I: IntoIterator<Item = VlanId>>(iter: I) -> Self {
        let mut set = VlanSet::default();
        iter.into_iter().for_each(|v| set.insert(v));
        set
    }
}

/// A bridge as translation sees it.
#[derive(Clone, Debug, Default)]
pub struct BridgeView {
    /// Its number.
    pub id: BridgeId,
    /// Its name.
    pub name: String,
    /// Flow tables, groups, meters.
    pub tables: ofproto::Tables,
    /// Its ports.
    pub ports: Arc<Ports>,
    /// Its bundles, by [`BundleId`]; a hole where one was deleted. The order is the order of flooding.
    pub bundles: Arc<Vec<Option<Arc<Bundle>>>>,
    /// Its mirrors, in the order in which they are served; at most 32 count.
    pub mirrors: Arc<Vec<Mirror>>,
    /// Its MAC table.
    pub mac: MacView,
    /// Settings.
    pub config: Arc<BridgeConfig>,
    /// The datapath's number of each meter.
    pub dp_meters: Arc<BTreeMap<MeterId, u32>>,
    /// When parts last changed.
    pub changes: Changes,
}

/// Settings of a bridge.
#[derive(Clone, Debug, Default)]
pub struct BridgeConfig {
    /// NORMAL forwards frames to reserved multicast addresses like others.
    pub forward_bpdu: bool,
    /// Fragments.
    pub frag_mode: FragMode,
    /// VLANs in which nothing is learned.
    pub flood_vlans: VlanSet,
    /// Controllers are told of packets whose TTL ran out.
    pub invalid_ttl_to_controller: bool,
    /// The bridge's own address.
    pub mac: Mac,
    /// Control traffic passes through the bridge: replies of DHCP servers come to the local port whatever flows say.
    pub in_band: bool,
}

impl BridgeView {
    /// A port by its OpenFlow number.
    #[inline]
    pub fn port(&self, port: OfPort) -> Option<&PortView> {
        self.ports.get(port)
    }

    /// A bundle by number.
    #[inline]
    pub fn bundle(&self, id: BundleId) -> Option<&Bundle> {
        self.bundles.get(id.0 as usize)?.as_deref()
    }

    /// All bundles.
    pub fn each_bundle(&self) -> impl Iterator<Item = (BundleId, &Bundle)> {
        self.bundles.iter().enumerate().filter_map(|(i, b)| Some((BundleId(i as u32), b.as_deref()?)))
    }
}

/// The ports of a bridge, by number.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<PortView>);

impl Ports {
    /// A port by number.
    #[inline]
    pub fn get(&self, port: OfPort) -> Option<&PortView> {
        let i = self.0.binary_search_by_key(&order(port), |p| order(p.of_port)).ok()?;
        Some(&self.0[i])
    }

    /// Adds or replaces a port.
    pub fn insert(&mut self, port: PortView) {
        match self.0.binary_search_by_key(&order(port.of_port), |p| order(p.of_port)) {
            Ok(i) => self.0[i] = port,
            Err(i) => self.0.insert(i, port),
        }
    }

    /// Removes a port.
    pub fn remove(&mut self, port: OfPort) {
        if let Ok(i) = self.0.binary_search_by_key(&order(port), |p| order(p.of_port)) {
            self.0.remove(i);
        }
    }

    /// All ports, the local one first, then by number.
    pub fn iter(&self) -> std::slice::Iter<'_, PortView> {
        self.0.iter()
    }
}

impl FromIterator<PortView> for Ports {
    fn from_iter<I: IntoIterator<Item = PortView>>(iter: I) -> Self {
        let mut ports = Ports::default();
        iter.into_iter().for_each(|p| ports.insert(p));
        ports
    }
}

/// The local port comes first when flooding.
const fn order(port: OfPort) -> u32 {
    if port.0 == OfPort::LOCAL.0 { 0 } else { port.0.wrapping_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlan_set() {
        let set: VlanSet = [VlanId(0), VlanId(10), VlanId(4095)].into_iter().collect();
        assert!(set.contains(VlanId(0)) && set.contains(VlanId(10)) && set.contains(VlanId(4095)));
        assert!(!set.contains(VlanId(11)) && !set.is_empty() && VlanSet::default().is_empty());
    }

    #[test]
    fn dp_port_map_refuses_impossible_numbers() {
        let mut map = DpPortMap::default();
        assert!(!map.insert(DpPort::NONE, BridgeId(0), OfPort(1)));
        assert!(map.insert(DpPort(5), BridgeId(1), OfPort(7)));
        assert_eq!(map.get(DpPort(5)), Some((BridgeId(1), OfPort(7))));
        map.remove(DpPort(5));
        assert_eq!((map.get(DpPort(5)), map.get(DpPort(99))), (None, None));
    }

    #[test]
    fn local_port_floods_first() {
        let ports: Ports = [OfPort(3), OfPort::LOCAL, OfPort(1)]
            .map(|p| PortView::new(p, DpPort(p.0), "x"))
            .into_iter()
            .collect();
        assert_eq!(
            ports.iter().map(|p| p.of_port).collect::<Vec<_>>(),
            [OfPort::LOCAL, OfPort(1), OfPort(3)]
        );
        assert!(ports.get(OfPort(2)).is_none() && ports.get(OfPort::LOCAL).is_some());
    }
}
