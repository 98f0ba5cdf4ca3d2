//! From bridges to the snapshot that engines read.

use super::Switch;
use super::bridge::{Bridge, Interface, Seen, Stale};
use crate::config::{self, PortConfig};
use base::{OfPort, VlanId};
use l2::BundleId;
use openflow::msg::{FragHandling, PortConfig as OfConfig};
use pipeline::{
    Bond, BondMode, BridgeView, Bundle, FragMode, Mirror, Patch, PortView, PriorityTags, VlanMode, VlanSet,
};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Switch {
    /// Publishes what has changed, if anything has.
    pub(crate) fn publish(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        if self.bridges.values().any(|b| !b.stale.ports.is_empty()) {
            self.link_patches();
        }
        for backer in self.backers.values_mut() {
            let mut views = Vec::with_capacity(backer.bridges.len());
            for name in &backer.bridges {
                let Some(b) = name.as_ref().and_then(|n| self.bridges.get_mut(n)) else {
                    views.push(None);
                    continue;
                };
                self.deadline = self.deadline.min(b.next_deadline());
                views.push(Some(refreshed(b, &self.patches)));
            }
            backer.publish(views);
            // The stamps of this publication are what the next one compares with.
            let published = backer.dp.snapshot();
            for view in published.snapshot.bridges.iter().flatten() {
                if let Some(b) = self.bridges.get_mut(&view.name) {
                    b.view = view.clone();
                }
            }
        }
    }

    /// Finds the other ends of patch ports. Ports on which they are others now have changed.
    fn link_patches(&mut self) {
        let patches = self.patches();
        for b in self.bridges.values_mut() {
            let moved = b.interfaces.values().filter(|i| i.patch.is_some());
            let moved = moved.filter(|i| patches.get(&i.name) != self.patches.get(&i.name));
            for name in moved.map(|i| i.name.clone()).collect::<Vec<_>>() {
                b.touch(&name);
            }
        }
        self.patches = patches;
    }

    /// Bridge and number of the other end of each patch port, by (bridge, interface).
    fn patches(&self) -> Patches {
        let mut by_name = BTreeMap::new();
        for b in self.bridges.values() {
            for i in b.interfaces.values().filter(|i| i.patch.is_some()) {
                by_name.insert(i.name.as_str(), (b, i));
            }
        }
        let mut patches = Patches::new();
        for (name, (b, i)) in &by_name {
            let Some(peer) = i.config.options.get("peer") else { continue };
            let Some((pb, pi)) = by_name.get(peer.as_str()) else { continue };
            let mutual = pi.config.options.get("peer").is_some_and(|p| p == name);
            if mutual && pb.kind == b.kind && peer != name {
                patches.insert((*name).to_string(), Patch { bridge: pb.id, port: pi.of_port });
            }
        }
        patches
    }

    /// Makes the counters of a bridge those of its present patch ports and mirrors.
    pub(super) fn refresh_counters(&mut self, name: &str) {
        let Some(b) = self.bridges.get(name) else { return };
        let Some(backer) = self.backers.get_mut(&b.kind) else { return };
        let patches = b.interfaces.values().filter(|i| i.patch.is_some()).map(|i| (b.id, i.of_port));
        let patches: BTreeSet<_> = patches.collect();
        let mirrors: BTreeSet<_> = (0..b.config.mirrors.len()).map(|n| (b.id, n)).collect();
        let c = &backer.counters;
        let (had_patches, had_mirrors) = (c.patches.keys(), c.mirrors.keys());
        if c.tables.contains_key(&b.id)
            && had_patches.filter(|(id, _)| *id == b.id).count() == patches.len()
            && patches.iter().all(|at| c.patches.contains_key(at))
            && had_mirrors.filter(|(id, _)| *id == b.id).count() == mirrors.len()
        {
            return;
        }
        let c = Arc::make_mut(&mut backer.counters);
        c.tables.insert(b.id, b.ofproto.tables().all_counters().clone());
        c.patches.retain(|at, _| at.0 != b.id || patches.contains(at));
        c.mirrors.retain(|at, _| at.0 != b.id || mirrors.contains(at));
        patches.into_iter().for_each(|at| {
            c.patches.entry(at).or_default();
        });
        mirrors.into_iter().for_each(|at| {
            c.mirrors.entry(at).or_default();
        });
    }
}

/// The other end of each patch port, by name.
pub(crate) type Patches = BTreeMap<String, Patch>;

/// A bridge's view brought up to date, sharing what has not changed. The bridge gets it when it has been published:
/// as long as nobody else holds it, stamping it needs no copy.
fn refreshed(b: &mut Bridge, patches: &Patches) -> Arc<BridgeView> {
    let stale = std::mem::take(&mut b.stale);
    if !stale.any() {
        return b.view.clone();
    }
    let mut view = BridgeView::clone(&b.view);
    if stale.tables {
        view.tables = b.ofproto.tables().clone();
    }
    if !stale.ports.is_empty() || !stale.gone.is_empty() {
        refresh_ports(b, &mut view, &stale, patches);
    }
    if stale.config || !stale.ports.is_empty() {
        configure(b, &mut view);
    }
    view.mac = b.mac.view();
    Arc::new(view)
}

/// Makes ports anew that have changed, with their bundles. A bundle keeps its number; a new one takes the lowest that
/// is free. One that goes away or treats VLANs in another way from now on has no stations.
fn refresh_ports(b: &mut Bridge, view: &mut BridgeView, stale: &Stale, patches: &Patches) {
    let (ports, bundles) = (Arc::make_mut(&mut view.ports), Arc::make_mut(&mut view.bundles));
    stale.gone.iter().for_each(|number| ports.remove(*number));
    for name in &stale.ports {
        let config = b.config.ports.get(name).cloned();
        let interfaces = config.iter().flat_map(|p| &p.interfaces);
        let open: Vec<&Interface> = interfaces.filter_map(|i| b.interfaces.get(&i.name)).collect();
        let members: SmallVec<[OfPort; 1]> = open.iter().map(|i| i.of_port).collect();
        let Some(config) = config.filter(|_| !members.is_empty()) else {
            if let Some(id) = b.bundles.remove(name) {
                bundles[id.0 as usize] = None;
                b.mac.flush_bundle(id);
            }
            continue;
        };
        let free = || bundles.iter().position(Option::is_none).unwrap_or(bundles.len());
        let id = b.bundles.get(name).copied().unwrap_or_else(|| BundleId(free() as u32));
        if bundles.len() <= id.0 as usize {
            bundles.push(None);
        }
        open.iter().for_each(|i| ports.insert(port_view(b, i, id, patches)));
        let new = bundle(b, &config, members);
        let old = bundles[id.0 as usize].replace(Arc::new(new));
        if old.zip(bundles[id.0 as usize].as_ref()).is_some_and(|(old, new)| !old.treats_vlans_as(new)) {
            b.mac.flush_bundle(id);
        }
        b.bundles.insert(name.clone(), id);
    }
}

fn configure(b: &mut Bridge, view: &mut BridgeView) {
    view.id = b.id;
    view.name = b.name.clone();
    view.dp_meters = b.meters.clone();
    view.mirrors = Arc::new(b.config.mirrors.iter().map(|m| mirror(b, m)).collect());
    let flood_vlans = vlan_set(&b.config.flood_vlans);
    if flood_vlans != view.config.flood_vlans {
        b.mac.flush();
    }
    view.config = Arc::new(pipeline::BridgeConfig {
        forward_bpdu: flag(&b.config.other_config, "forward-bpdu"),
        frag_mode: match b.ofproto.fragments() {
            FragHandling::Normal => FragMode::Normal,
            FragHandling::Drop => FragMode::Drop,
            FragHandling::Reassemble => FragMode::Reassemble,
            FragHandling::NxMatch => FragMode::NxMatch,
        },
        flood_vlans,
        invalid_ttl_to_controller: false,
        mac: b.ether,
        in_band: b.in_band.is_some(),
    });
}

fn flag(map: &config::Map, key: &str) -> bool {
    map.get(key).is_some_and(|v| v == "true")
}

fn vlan_set(vlans: &[u16]) -> VlanSet {
    vlans.iter().map(|v| VlanId(*v)).collect()
}

fn of_config(b: &Bridge, port: OfPort) -> OfConfig {
    b.ofproto.port(port).map_or(OfConfig(0), |p| p.desc.config)
}

fn port_view(b: &Bridge, i: &Interface, bundle: BundleId, patches: &Patches) -> PortView {
    let c = of_config(b, i.of_port).0;
    let mut view = PortView::new(i.of_port, i.dp_port, &i.name);
    view.config = pipeline::PortConfig {
        down: c & OfConfig::PORT_DOWN != 0,
        no_receive: c & OfConfig::NO_RECV != 0,
        no_forward: c & OfConfig::NO_FWD != 0,
        no_flood: c & OfConfig::NO_FLOOD != 0,
        no_packet_in: c & OfConfig::NO_PACKET_IN != 0,
    };
    view.live =
        b.ofproto.port(i.of_port).is_none_or(|p| p.desc.state.0 & openflow::msg::PortState::LINK_DOWN == 0);
    view.bundle = Some(bundle);
    view.patch = patches.get(&i.name).copied();
    view
}

fn bundle(b: &Bridge, port: &PortConfig, members: SmallVec<[OfPort; 1]>) -> Bundle {
    use config::VlanMode as V;
    let vlan_mode = match port.vlan_mode {
        V::Access => VlanMode::Access,
        V::Trunk => VlanMode::Trunk,
        V::NativeTagged => VlanMode::NativeTagged,
        V::NativeUntagged => VlanMode::NativeUntagged,
        V::Dot1qTunnel => VlanMode::Dot1qTunnel,
    };
    let vlan = VlanId(if vlan_mode == VlanMode::Trunk { 0 } else { port.tag.unwrap_or(0) });
    let trunk = !matches!(vlan_mode, VlanMode::Access | VlanMode::Dot1qTunnel);
    let trunks = (trunk && !port.trunks.is_empty()).then(|| vlan_set(&port.trunks));
    let cvlans = (!port.cvlans.is_empty()).then(|| vlan_set(&port.cvlans));
    Bundle {
        name: port.name.to_string(),
        vlan_mode,
        vlan,
        trunks,
        cvlans,
        qinq_ethertype: match port.other_config.get("qinq-ethtype").map(String::as_str) {
            Some("802.1q") => 0x8100,
            _ => 0x88a8,
        },
        priority_tags: match port.other_config.get("priority-tags").map(String::as_str) {
            Some("if-nonzero" | "true") => PriorityTags::IfNonzero,
            Some("always") => PriorityTags::Always,
            _ => PriorityTags::Never,
        },
        protected: port.protected,
        floodable: members.iter().all(|m| of_config(b, *m).0 & OfConfig::NO_FLOOD == 0),
        bond: (members.len() > 1).then(|| bond(b, port, &members)),
        members,
    }
}

/// Members that are up may be used; the first of them carries all that is not balanced.
fn bond(b: &Bridge, port: &PortConfig, members: &[OfPort]) -> Bond {
    let up = |p: &&OfPort| {
        b.ofproto.port(**p).is_none_or(|d| d.desc.state.0 & openflow::msg::PortState::LINK_DOWN == 0)
    };
    let enabled: SmallVec<[OfPort; 4]> = members.iter().filter(up).copied().collect();
    let mode = match port.bond_mode.as_deref() {
        Some("balance-slb") => BondMode::BalanceSlb,
        Some("balance-tcp") => BondMode::BalanceTcp,
        _ => BondMode::ActiveBackup,
    };
    let basis = port.other_config.get("bond-hash-basis").and_then(|v| v.parse().ok()).unwrap_or(0);
    let buckets = if enabled.is_empty() || mode == BondMode::ActiveBackup {
        Box::default()
    } else {
        (0..256).map(|n| enabled[n % enabled.len()]).collect()
    };
    Bond {
        active: enabled.first().copied(),
        mode,
        basis,
        enabled,
        buckets,
        lacp: false,
        all_members_active: flag(&port.other_config, "all-members-active"),
    }
}

fn mirror(b: &Bridge, m: &config::MirrorConfig) -> Mirror {
    let id = |name: &String| b.bundles.get(name.as_str()).copied();
    let ids = |names: &[String]| names.iter().filter_map(id).collect::<Vec<BundleId>>();
    Mirror {
        name: m.name.clone(),
        src: ids(&m.select_src),
        dst: ids(&m.select_dst),
        select_all: m.select_all,
        vlans: (!m.select_vlan.is_empty()).then(|| vlan_set(&m.select_vlan)),
        out: m.output_port.as_ref().and_then(id),
        out_vlan: if m.output_port.is_none() { m.output_vlan.map(VlanId) } else { None },
        snaplen: u32::from(m.snaplen.unwrap_or(0)),
    }
}

/// Link state and speeds of an interface as OpenFlow tells them.
pub(super) fn describe(b: &Bridge, i: &Interface) -> openflow::msg::PhyPort {
    let old = b.ofproto.port(i.of_port).map(|p| &p.desc);
    let mut config = old.map_or(0, |d| d.config.0);
    let Seen { link, features, mac, .. } = &i.seen;
    if link.admin_up {
        config &= !OfConfig::PORT_DOWN;
    } else {
        config |= OfConfig::PORT_DOWN;
    }
    let mut state = 0;
    if link.carrier {
        state |= openflow::msg::PortState::LIVE;
    } else {
        state |= openflow::msg::PortState::LINK_DOWN;
    }
    openflow::msg::PhyPort {
        port: i.of_port,
        hw_addr: mac.unwrap_or_default(),
        name: i.name.clone(),
        config: OfConfig(config),
        state: openflow::msg::PortState(state),
        curr: features.current,
        advertised: features.advertised,
        supported: features.supported,
        peer: features.peer,
        curr_speed: crate::codec::speed(features.current, link.speed),
        max_speed: crate::codec::speed(features.supported, None),
    }
}
