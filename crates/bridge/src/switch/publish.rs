//! From bridges to the snapshot that engines read.

use super::Switch;
use super::bridge::Bridge;
use super::host::device;
use crate::config::{self, PortConfig};
use crate::view::Counters;
use base::{OfPort, VlanId};
use l2::BundleId;
use openflow::msg::{FragHandling, PortConfig as OfConfig};
use pipeline::{
    Bond, BondMode, BridgeView, Bundle, FragMode, Mirror, Patch, PortView, PriorityTags, VlanMode, VlanSet,
};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Switch {
    /// Publishes what has changed, if anything has.
    pub(crate) fn publish(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let patches =
            if self.bridges.values().any(|b| b.stale.config) { self.patches() } else { Patches::new() };
        for backer in self.backers.values_mut() {
            let mut views = Vec::with_capacity(backer.bridges.len());
            for name in &backer.bridges {
                let Some(b) = name.as_ref().and_then(|n| self.bridges.get_mut(n)) else {
                    views.push(None);
                    continue;
                };
                self.deadline = self.deadline.min(b.next_deadline());
                views.push(Some(refreshed(b, &patches)));
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

    /// Bridge and number of the other end of each patch port, by (bridge, interface).
    fn patches(&self) -> Patches {
        let mut by_name = BTreeMap::new();
        for b in self.bridges.values() {
            for i in b.interfaces.values().filter(|i| i.kind == "patch") {
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

    /// Makes the counters of a datapath's bridges those of its present ports and mirrors.
    pub(super) fn refresh_counters(&mut self) {
        for backer in self.backers.values_mut() {
            let mut counters = Counters::default();
            for name in backer.bridges.iter().flatten() {
                let Some(b) = self.bridges.get(name) else { continue };
                counters.tables.insert(b.id, b.ofproto.tables().all_counters().clone());
                for i in b.interfaces.values().filter(|i| i.patch.is_some()) {
                    let at = (b.id, i.of_port);
                    counters
                        .patches
                        .insert(at, backer.counters.patches.get(&at).cloned().unwrap_or_default());
                }
                for n in 0..b.config.mirrors.len() {
                    let at = (b.id, n);
                    counters
                        .mirrors
                        .insert(at, backer.counters.mirrors.get(&at).cloned().unwrap_or_default());
                }
            }
            backer.counters = Arc::new(counters);
        }
    }
}

type Patches = BTreeMap<String, Patch>;

/// A bridge's view brought up to date, sharing what has not changed. The bridge gets it when it has been published:
/// as long as nobody else holds it, stamping it needs no copy.
fn refreshed(b: &mut Bridge, patches: &Patches) -> Arc<BridgeView> {
    let stale = std::mem::take(&mut b.stale);
    if !(stale.tables || stale.mac || stale.config) {
        return b.view.clone();
    }
    let mut view = BridgeView::clone(&b.view);
    if stale.tables {
        view.tables = b.ofproto.tables().clone();
    }
    if stale.mac {
        view.mac = b.mac.view();
    }
    if stale.config {
        configure(b, &mut view, patches);
    }
    Arc::new(view)
}

fn configure(b: &mut Bridge, view: &mut BridgeView, patches: &Patches) {
    let configs: Vec<PortConfig> = b.config.ports.values().cloned().collect();
    b.bundles.retain(|name, _| configs.iter().any(|p| p.name == *name));
    let mut bundles: Vec<Option<Bundle>> = Vec::new();
    for port in &configs {
        let members: SmallVec<[OfPort; 1]> =
            port.interfaces.iter().filter_map(|i| b.interfaces.get(&i.name)).map(|i| i.of_port).collect();
        if members.is_empty() {
            continue;
        }
        let id = b.bundle_id(&port.name).0 as usize;
        if bundles.len() <= id {
            bundles.resize(id + 1, None);
        }
        bundles[id] = Some(bundle(b, port, members));
    }
    view.id = b.id;
    view.name = b.name.clone();
    view.ports = Arc::new(b.interfaces.values().map(|i| port_view(b, i, patches)).collect());
    view.bundles = Arc::new(bundles);
    view.dp_meters = b.meters.clone();
    view.mirrors = Arc::new(b.config.mirrors.iter().map(|m| mirror(b, m)).collect());
    view.config = Arc::new(pipeline::BridgeConfig {
        forward_bpdu: flag(&b.config.other_config, "forward-bpdu"),
        frag_mode: match b.ofproto.fragments() {
            FragHandling::Normal => FragMode::Normal,
            FragHandling::Drop => FragMode::Drop,
            FragHandling::Reassemble => FragMode::Reassemble,
            FragHandling::NxMatch => FragMode::NxMatch,
        },
        flood_vlans: vlan_set(&b.config.flood_vlans),
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

fn port_view(b: &Bridge, i: &super::bridge::Interface, patches: &Patches) -> PortView {
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
    view.bundle = b.bundles.get(&i.port).copied();
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
    let trunks = (!port.trunks.is_empty()).then(|| vlan_set(&port.trunks));
    let cvlans = (!port.cvlans.is_empty()).then(|| vlan_set(&port.cvlans));
    Bundle {
        name: port.name.clone(),
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
    let id = |name: &String| b.bundles.get(name).copied();
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
pub(super) fn describe(
    b: &Bridge,
    i: &super::bridge::Interface,
    backer: Option<&super::backer::Backer>,
) -> openflow::msg::PhyPort {
    let old = b.ofproto.port(i.of_port).map(|p| &p.desc);
    let mut config = old.map_or(0, |d| d.config.0);
    let dev = device(i, backer);
    let link = dev.map(|d| d.link()).unwrap_or_default();
    let features = dev.map(|d| d.features()).unwrap_or_default();
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
        hw_addr: dev.and_then(|d| d.mac().ok()).unwrap_or_default(),
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
