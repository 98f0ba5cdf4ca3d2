//! Settings of a bridge that exists: identity, tables, MAC table, ports' devices, controllers.

use super::Switch;
use super::bridge::{Interface, Seen};
use super::publish::describe;
use crate::config::{BridgeConfig, FailMode, InterfaceConfig, RowId};
use base::{Dpid, Mac, TableId, error, info, warn};
use dpif::Datapath as _;
use ofproto::TableConfig;
use reactor::Reactor;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

impl Switch {
    /// Settings of a bridge whose configuration was `before`, of whose ports these may not be as they should.
    pub(super) fn configure_bridge(
        &mut self,
        r: &mut Reactor,
        name: &str,
        before: &BridgeConfig,
        ports: &BTreeSet<Arc<str>>,
    ) {
        self.configure_interfaces(name, ports);
        self.follow_mtu(name);
        self.configure_identity(name);
        if self.bridges.get(name).is_some_and(|b| b.config.flow_tables != before.flow_tables) {
            self.configure_tables(name);
        }
        self.refresh_ports(name);
        self.configure_local_address(r, name);
        self.configure_connections(r, name);
        let now = self.now();
        let Some(b) = self.bridges.get_mut(name) else { return };
        let has = b.connections.has_primaries();
        let mode = match b.config.fail_mode {
            FailMode::Secure => ofproto::fail::Mode::Secure,
            FailMode::Standalone => ofproto::fail::Mode::Standalone,
        };
        b.ofproto.set_has_controllers(has, now);
        b.ofproto.set_fail_mode(mode, now);
        self.tell_fail_mode(name);
        let Some(b) = self.bridges.get_mut(name) else { return };
        let other = &b.config.other_config;
        let idle: u64 = other.get("mac-aging-time").and_then(|v| v.parse().ok()).unwrap_or(300);
        b.mac.set_idle(Duration::from_secs(idle.clamp(15, 3600)));
        let max: usize = other.get("mac-table-size").and_then(|v| v.parse().ok()).unwrap_or(8192);
        b.mac.set_max_entries(max.clamp(10, 1_000_000));
        self.configure_in_band(name);
    }

    /// Address, MTU and options of the devices of these ports, and of the local one, whose address depends on others.
    fn configure_interfaces(&mut self, name: &str, ports: &BTreeSet<Arc<str>>) {
        let address = self.bridge_address(name);
        let Some(b) = self.bridges.get_mut(name) else { return };
        b.stale.ports.extend(ports.iter().cloned());
        let names = ports.iter().map(|p| &**p).filter(|p| *p != name).chain([name]);
        let wanted: Vec<_> = names.filter_map(|p| b.config.ports.get(p).cloned()).collect();
        for port in wanted {
            for config in &port.interfaces {
                self.configure_interface(name, &port.name, config, address);
            }
        }
    }

    fn configure_interface(
        &mut self,
        name: &str,
        port: &Arc<str>,
        config: &InterfaceConfig,
        address: Option<Mac>,
    ) {
        let Some(b) = self.bridges.get_mut(name) else { return };
        let kind = b.kind.clone();
        let Some(i) = b.interfaces.get_mut(&config.name) else { return };
        let is_local = config.name == b.name;
        let internal = config.kind == "internal";
        let device = match &mut i.patch {
            Some(device) => Some(&mut **device),
            None => self.backers.get_mut(&kind).and_then(|k| k.dp.device_mut(i.dp_port)),
        };
        let Some(device) = device else { return };
        if config.options != i.config.options
            && let Err(text) = device.set_options(&config.options)
        {
            // It cannot stay as it was; opened anew it says once more why it cannot be as it should.
            self.bad_options(&config.name, &config.kind, &text);
            self.del_interface(name, &config.name);
            self.add_interface(name, port, config);
            return;
        }
        if is_local && config.mac.is_some() {
            error!(
                self.env.log,
                "bridge",
                "interface {}: ignoring mac in Interface record (use Bridge record to set local port's mac)",
                config.name
            );
        }
        let mac = if is_local { address } else { config.mac };
        if internal && mac.is_some_and(|m| m.is_multicast()) {
            error!(self.env.log, "bridge", "interface {}: cannot set MAC to multicast address", config.name);
        }
        let mac = mac.filter(|m| internal && !m.is_multicast());
        if let Some(mac) = mac.filter(|m| device.mac().is_ok_and(|is| is != *m))
            && let Err(e) = device.set_mac(mac)
        {
            warn!(self.env.log, "bridge", "interface {}: setting MAC failed ({})", config.name, e.what);
        }
        if let Some(mtu) = config.mtu_request.filter(|m| device.mtu().is_some_and(|is| is != *m))
            && let Err(e) = device.set_mtu(mtu)
        {
            let what = e.what;
            warn!(self.env.log, "dpif_netdev", "Interface {} MTU ({mtu}) setup error: {what}", config.name);
        }
        let seen = Seen::look(device);
        i.see(seen);
        if let Some(mac) = i.seen.mac.filter(|_| is_local) {
            b.ether = mac;
        }
        if i.config != *config || i.port != *port {
            i.config = config.clone();
            i.port = port.clone();
            i.untold = true;
        }
    }

    /// Internal ports take packets of the size that every other port can: they follow the smallest MTU among those,
    /// unless they are told theirs.
    fn follow_mtu(&mut self, name: &str) {
        let Some(b) = self.bridges.get_mut(name) else { return };
        let Some(backer) = self.backers.get_mut(&b.kind) else { return };
        // TAP devices that the switch makes are its internal ports under another name.
        let dummies = self.env.registry.dummy_mode() == netdev::registry::DummyMode::Override;
        let follows = |i: &Interface| {
            (i.kind == "internal" || (i.kind == "tap" && !dummies)) && i.config.mtu_request.is_none()
        };
        let others = b.interfaces.values().filter(|i| !follows(i) && i.patch.is_none());
        let least = others.filter_map(|i| i.seen.mtu).min().unwrap_or(1500);
        for i in b.interfaces.values_mut().filter(|i| follows(i) && i.seen.mtu.is_some_and(|is| is != least))
        {
            let Some(device) = backer.dp.device_mut(i.dp_port) else { continue };
            if let Err(e) = device.set_mtu(least) {
                warn!(self.env.log, "ofproto", "{}: setting MTU failed ({})", i.name, e.what);
            }
            let seen = Seen::look(device);
            i.see(seen);
        }
    }

    /// The address that a bridge should have: the one asked for, else the lowest that a port of its has by nature (not
    /// given out locally), else one of its own that comes from its row, so that it is the same after a restart.
    fn bridge_address(&self, name: &str) -> Option<Mac> {
        let b = self.bridges.get(name)?;
        if let Some(asked) = b.config.other_config.get("hwaddr").and_then(|m| Mac::parse(m)) {
            if !asked.is_multicast() && asked != Mac::ZERO {
                return Some(asked);
            }
            if asked == Mac::ZERO {
                error!(self.env.log, "bridge", "bridge {name}: cannot set MAC address to zero");
            } else {
                error!(
                    self.env.log,
                    "bridge", "bridge {name}: cannot set MAC address to multicast address {asked}"
                );
            }
        }
        let asked: BTreeMap<&str, Mac> =
            b.config.ports.values().filter_map(|p| Some((&*p.name, p.mac?))).collect();
        let others = b.interfaces.values().filter(|i| &*i.port != name);
        let candidates = others.filter_map(|i| asked.get(&*i.port).copied().or(i.seen.mac));
        let natural = |m: &Mac| !m.is_multicast() && !is_local_address(*m) && *m != Mac::ZERO;
        candidates.filter(natural).min_by_key(|m| m.to_u64()).or_else(|| Some(own_address(b.config.row)))
    }

    /// Datapath id and description.
    fn configure_identity(&mut self, name: &str) {
        let Some(b) = self.bridges.get_mut(name) else { return };
        let asked = b.config.other_config.get("datapath-id").and_then(|t| parse_dpid(t));
        let dpid = asked.unwrap_or(Dpid(b.ether.to_u64()));
        if b.dpid != Some(dpid) {
            b.dpid = Some(dpid);
            info!(self.env.log, "bridge", "bridge {name}: using datapath ID {:016x}", dpid.0);
        }
        let text = |key: &str| b.config.other_config.get(key).cloned().unwrap_or_else(|| "None".into());
        let (serial, desc) = (text("dp-sn"), text("dp-desc"));
        let c = b.ofproto.config_mut();
        c.datapath_id = dpid;
        c.serial = serial;
        c.dp_desc = desc;
    }

    fn configure_tables(&mut self, name: &str) {
        let time = self.now();
        let Some(b) = self.bridges.get_mut(name) else { return };
        for n in 0..ofproto::tables::N_VISIBLE {
            let id = TableId(n);
            let Some(now) = b.ofproto.tables().table(id).map(|t| (*t.config).clone()) else { continue };
            let wanted = b.config.flow_tables.get(&n);
            let config = TableConfig {
                name: wanted.and_then(|w| w.name.clone()).unwrap_or_default(),
                flow_limit: wanted.and_then(|w| w.flow_limit),
                evict: wanted.is_some_and(|w| w.evict),
                groups: wanted.map_or_else(Vec::new, |w| eviction_groups(&w.groups)),
                prefixes: wanted.filter(|w| !w.prefixes.is_empty()).map(|w| {
                    w.prefixes
                        .iter()
                        .filter(|p| *p != "none")
                        .filter_map(|p| flow::Field::from_name(p))
                        .collect()
                }),
                ..now
            };
            b.ofproto.configure_table(id, config, time);
        }
    }

    /// Tells OpenFlow of those of its ports whose devices are not as they were.
    pub(super) fn refresh_ports(&mut self, name: &str) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(name) else { return };
        let fresh: Vec<String> = b.interfaces.values().filter(|i| i.fresh).map(|i| i.name.clone()).collect();
        let mut descs = Vec::with_capacity(fresh.len());
        for name in &fresh {
            let Some(i) = b.interfaces.get_mut(name) else { continue };
            i.fresh = false;
            descs.extend(b.interfaces.get(name).map(|i| describe(b, i)));
            b.touch(name);
            self.dirty = true;
        }
        let is_new = |desc: &openflow::msg::PhyPort| b.ofproto.port(desc.port).is_none();
        if descs.iter().filter(|d| is_new(d)).count() > 1 {
            let order = crate::plan::listing(&b.config);
            let order: HashMap<&str, usize> = order.into_iter().zip(0..).collect();
            descs.sort_by_key(|d| order.get(d.name.as_str()).copied());
        }
        for desc in descs {
            if b.ofproto.port(desc.port).is_none_or(|p| p.desc != desc) {
                b.ofproto.put_port(desc, now);
            }
        }
    }

    /// Looks at devices that have changed: link, address, MTU. Says whether any has.
    pub fn refresh_devices(&mut self, r: &mut Reactor) -> bool {
        let mut any = false;
        for name in self.bridge_names() {
            let Some(b) = self.bridges.get_mut(&name) else { continue };
            let backer = self.backers.get(&b.kind);
            let mut changed = false;
            for i in b.interfaces.values_mut() {
                if let Some(device) = super::host::device(i, backer)
                    && device.change_seq() != i.seen.seq
                {
                    let seen = Seen::look(device);
                    i.see(seen);
                    changed = true;
                }
            }
            if changed {
                self.follow_mtu(&name);
                self.refresh_ports(&name);
                any = true;
            }
        }
        if any {
            self.handle_effects(r);
            self.publish();
        }
        any
    }
}

/// The fields by which flows are grouped for eviction: names, with a range of bits or with none.
fn eviction_groups(names: &[String]) -> Vec<flow::Subfield> {
    names
        .iter()
        .filter_map(|name| {
            let (sub, rest) = openflow::text::subfield_prefix(name).ok()?;
            rest.is_empty().then_some(sub)
        })
        .collect()
}

/// Whether the address is administered locally: the second bit of its first byte.
fn is_local_address(mac: Mac) -> bool {
    mac.to_u64() >> 41 & 1 != 0
}

/// The address of a bridge that no port lends one: the first bytes of its row's UUID, as a locally administered
/// address. They are taken in the order in which the reference keeps them, so that a bridge keeps its datapath id
/// when the programs are exchanged.
fn own_address(row: RowId) -> Mac {
    let [d, c, b, a, _, _, f, e, ..] = row.0.to_be_bytes();
    Mac([a & !1 | 2, b, c, d, e, f])
}

/// A datapath id: 16 hexadecimal digits, or fewer after `0x`; zero is none.
fn parse_dpid(text: &str) -> Option<Dpid> {
    let digits = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(d) if (1..=16).contains(&d.len()) => d,
        Some(_) => return None,
        None if text.len() == 16 => text,
        None => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().filter(|n| *n != 0).map(Dpid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_the_reference_ones() {
        // (row of table Bridge, its datapath_id) as the reference gave them.
        for (row, dpid) in [
            (0x1bd9d9d7_ed01_461b_bad8_7df1cb185c08, 0xd6d9d91b1b46),
            (0x35d5e52c_293b_4243_8b87_ec62cc22cc68, 0x2ee5d5354342),
            (0xe15d60c4_9f57_4e36_b25b_1ab5e61e06ba, 0xc6605de1364e),
        ] {
            assert_eq!(own_address(RowId(row)).to_u64(), dpid);
        }
    }
}
