//! From rows to a [`Config`]: at first all of them, then those that have changed.
//!
//! ```text
//! changed row ─► uses ─► bridge, port ─► read anew; everything else is shared with the configuration before
//! ```
//!
//! For each bridge the reader remembers its ports as it has read them and which rows it has read for what. A change
//! of a row so leads to the port or the bridge to be read again, and the cost of a change does not grow with what
//! there is besides.

use crate::config::{
    BridgeConfig, Complaint, Config, ControllerConfig, Earlier, FailMode, FlowTableConfig, InterfaceConfig,
    LocalAddress, MirrorConfig, PortConfig, Row, RowId, Rows, TlsConfig, Unsupported, VlanMode,
};
use base::{Level, Mac, OfPort};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Reads configurations, of each only what is not as in the one before.
#[derive(Debug, Default)]
pub struct Reader {
    bridges: BTreeMap<RowId, Known>,
}

/// A bridge as it was last read.
#[derive(Debug, Default)]
struct Known {
    config: Arc<BridgeConfig>,
    /// Its ports by row.
    ports: BTreeMap<RowId, Arc<PortConfig>>,
    /// Rows that were read, each with what it was read for: the row of a port or the bridge's own.
    uses: BTreeSet<(RowId, RowId)>,
    /// Rows that were read for the bridge itself.
    own: Vec<RowId>,
}

impl Reader {
    /// The configuration that the rows ask for, if there is a root row. `changed` are the rows that are not as they
    /// were when this was last asked.
    pub fn read(&mut self, rows: &dyn Rows, changed: &BTreeSet<RowId>) -> Option<Config> {
        let root = rows.table("Open_vSwitch").into_iter().next()?;
        let mut config = Config {
            root: root.id(),
            next_cfg: root.int("next_cfg").unwrap_or(0),
            other_config: root.map("other_config"),
            tls: root
                .refs("ssl")
                .first()
                .and_then(|id| rows.row("SSL", *id))
                .map(|row| read_tls(row.as_ref())),
            bridges: BTreeMap::new(),
            managers: root
                .refs("manager_options")
                .into_iter()
                .filter_map(|id| rows.row("Manager", id))
                .filter(|m| m.string("connection_mode").as_deref() != Some("out-of-band"))
                .filter_map(|m| m.string("target"))
                .collect(),
            complaints: Vec::new(),
        };
        let mut before = std::mem::take(&mut self.bridges);
        for id in root.refs("bridges") {
            let Some(row) = rows.row("Bridge", id) else { continue };
            let mut known = before.remove(&id).unwrap_or_default();
            known.read(rows, row.as_ref(), changed);
            let (name, bridge) = (known.config.name.clone(), known.config.clone());
            self.bridges.insert(id, known);
            if name.contains('/') || name.is_empty() {
                config.complaints.push(warning(format!("ignoring bridge with invalid name \"{name}\"")));
            } else if let Some(first) = config.bridges.insert(name.clone(), bridge) {
                config.complaints.push(warning(format!("bridge {name} specified twice")));
                config.bridges.insert(name, first);
            }
        }
        Some(config)
    }
}

impl Known {
    /// Brings it up to date.
    fn read(&mut self, rows: &dyn Rows, row: &dyn Row, changed: &BTreeSet<RowId>) {
        let uses = |id: &RowId| self.uses.range((*id, RowId::default())..=(*id, RowId(u128::MAX)));
        let stale: BTreeSet<RowId> = changed.iter().flat_map(uses).map(|(_, reader)| *reader).collect();
        if stale.is_empty() && !self.uses.is_empty() {
            return;
        }
        let mut ports = self.config.ports.clone();
        let mut bridge = read_bridge(row);
        let mut wanted = row.refs("ports");
        wanted.sort_unstable();
        let had: Vec<RowId> = self.ports.keys().copied().collect();
        for id in only_in(&had, &wanted).chain(stale.iter().copied()) {
            let Some(port) = self.ports.remove(&id) else { continue };
            ports.remove(&port.name);
            self.uses.remove(&(id, id));
            port.interfaces.iter().for_each(|i| {
                self.uses.remove(&(i.row, id));
            });
        }
        let again: Vec<RowId> = had.into_iter().filter(|id| !stale.contains(id)).collect();
        for id in only_in(&wanted, &again) {
            let Some(port) = rows.row("Port", id) else { continue };
            let port = Arc::new(read_port(rows, port.as_ref(), &bridge.name));
            self.uses.insert((id, id));
            self.uses.extend(port.interfaces.iter().map(|i| (i.row, id)));
            ports.insert(port.name.clone(), port.clone());
            self.ports.insert(id, port);
        }
        bridge.ports = ports;
        add_local_port(&mut bridge);
        let own = bridge.row;
        for id in self.own.drain(..) {
            self.uses.remove(&(id, own));
        }
        self.own.push(own);
        let mut used = |id| self.own.push(id);
        for id in row.refs("controller") {
            if let Some(c) = rows.row("Controller", id) {
                used(id);
                let c = read_controller(c.as_ref());
                bridge.controllers.insert(c.target.clone(), c);
            }
        }
        for (table, id) in row.int_refs("flow_tables") {
            let (Ok(table), Some(t)) = (u8::try_from(table), rows.row("Flow_Table", id)) else { continue };
            used(id);
            bridge.flow_tables.insert(table, read_flow_table(t.as_ref()));
        }
        for id in row.refs("mirrors") {
            if let Some(m) = rows.row("Mirror", id) {
                used(id);
                add_mirror(&mut bridge, read_mirror(rows, m.as_ref()));
            }
        }
        bridge.mirrors.sort_by(|a, b| a.name.cmp(&b.name));
        self.uses.extend(self.own.iter().map(|id| (*id, own)));
        self.config = Arc::new(bridge);
    }
}

/// What is in `a` and not in `b`, both in order.
fn only_in<'a>(a: &'a [RowId], b: &'a [RowId]) -> impl Iterator<Item = RowId> {
    let mut b = b.iter().peekable();
    a.iter().copied().filter(move |id| {
        while b.next_if(|other| *other < id).is_some() {}
        b.peek() != Some(&id)
    })
}

/// The bridge's own columns.
fn read_bridge(row: &dyn Row) -> BridgeConfig {
    BridgeConfig {
        row: row.id(),
        datapath_type: kind_or(row.string("datapath_type"), "system"),
        fail_mode: match row.string("fail_mode").as_deref() {
            Some("secure") => FailMode::Secure,
            _ => FailMode::Standalone,
        },
        protocols: row.strings("protocols"),
        flood_vlans: vlans(row, "flood_vlans"),
        other_config: row.map("other_config"),
        stp: row.bool("stp_enable").unwrap_or(false),
        rstp: row.bool("rstp_enable").unwrap_or(false),
        mcast_snooping: row.bool("mcast_snooping_enable").unwrap_or(false),
        name: row.string("name").unwrap_or_default(),
        unsupported: unsupported("bridge", row, BRIDGE),
        ..BridgeConfig::default()
    }
}

/// A bridge has a local port, whether the database says so or not.
fn add_local_port(bridge: &mut BridgeConfig) {
    let own: Arc<str> = bridge.name.as_str().into();
    let local = || {
        let local =
            InterfaceConfig { name: own.to_string(), kind: "internal".into(), ..InterfaceConfig::default() };
        Arc::new(PortConfig { name: own.clone(), interfaces: vec![local], ..PortConfig::default() })
    };
    if bridge.ports.entry(own.clone()).or_insert_with(local).row == RowId::default() {
        let text = format!("bridge {own}: no local port in the database: adding it");
        bridge.complaints.push(warning(text));
    }
}

/// A mirror needs an output, and has one.
fn add_mirror(bridge: &mut BridgeConfig, m: MirrorConfig) {
    let fault = match (&m.output_port, &m.output_vlan) {
        (None, None) => "does not specify output; ignoring",
        (Some(_), Some(_)) => "specifies both output port and output vlan; ignoring output vlan",
        _ => "",
    };
    if !fault.is_empty() {
        let text = format!("bridge {}: mirror {} {fault}", bridge.name, m.name);
        bridge.complaints.push(Complaint { level: Level::Err, text });
    }
    if m.output_port.is_some() || m.output_vlan.is_some() {
        bridge.mirrors.push(m);
    }
}

type Check = (&'static str, &'static str, fn(&dyn Row, &str) -> bool);

const ON: fn(&dyn Row, &str) -> bool = |row, column| row.bool(column).unwrap_or(false);
const SET: fn(&dyn Row, &str) -> bool = |row, column| !row.refs(column).is_empty();
const POSITIVE: fn(&dyn Row, &str) -> bool = |row, column| row.int(column).is_some_and(|n| n > 0);
const ENABLED: fn(&dyn Row, &str) -> bool =
    |row, column| row.map(column).get("enable").is_some_and(|v| v == "true");
const BRIDGE: &[Check] = &[
    ("the Spanning Tree Protocol", "stp_enable", ON),
    ("the Rapid Spanning Tree Protocol", "rstp_enable", ON),
    ("multicast snooping", "mcast_snooping_enable", ON),
    ("NetFlow", "netflow", SET),
    ("sFlow", "sflow", SET),
    ("IPFIX", "ipfix", SET),
    ("auto-attach", "auto_attach", SET),
];
const PORT: &[Check] = &[
    ("LACP", "lacp", |row, column| row.string(column).is_some_and(|m| m == "active" || m == "passive")),
    ("quality of service", "qos", SET),
];
const INTERFACE: &[Check] = &[
    ("BFD", "bfd", ENABLED),
    ("CFM", "cfm_mpid", POSITIVE),
    ("LLDP", "lldp", ENABLED),
    ("ingress policing", "ingress_policing_rate", POSITIVE),
    ("ingress policing of packets", "ingress_policing_kpkts_rate", POSITIVE),
];

/// What of a row cannot be had.
fn unsupported(kind: &'static str, row: &dyn Row, checks: &[Check]) -> Vec<Unsupported> {
    let name = row.string("name").unwrap_or_default();
    let found = checks.iter().filter(|(_, column, is_on)| is_on(row, column));
    found.map(|(feature, column, _)| Unsupported { kind, name: name.clone(), feature, column }).collect()
}

fn warning(text: String) -> Complaint {
    Complaint { level: Level::Warn, text }
}

fn vlans(row: &dyn Row, column: &str) -> Vec<u16> {
    row.ints(column).into_iter().filter_map(|v| u16::try_from(v).ok().filter(|v| *v < 4096)).collect()
}

fn small<T: TryFrom<i64>>(v: Option<i64>) -> Option<T> {
    v.and_then(|v| T::try_from(v).ok())
}

fn read_tls(row: &dyn Row) -> TlsConfig {
    let file = |column| row.string(column).unwrap_or_default();
    TlsConfig {
        private_key: file("private_key"),
        certificate: file("certificate"),
        ca_cert: file("ca_cert"),
        bootstrap: row.bool("bootstrap_ca_cert").unwrap_or(false),
    }
}

fn kind_or(kind: Option<String>, default: &str) -> String {
    kind.filter(|k| !k.is_empty()).unwrap_or_else(|| default.to_string())
}

fn read_port(rows: &dyn Rows, row: &dyn Row, bridge: &str) -> PortConfig {
    let (mut complaints, mut lacks) = (Vec::new(), unsupported("port", row, PORT));
    let name = row.string("name").unwrap_or_default();
    let tag: Option<u16> = small(row.int("tag"));
    let trunks = vlans(row, "trunks");
    let vlan_mode = match row.string("vlan_mode").as_deref() {
        Some("access") => VlanMode::Access,
        Some("trunk") => VlanMode::Trunk,
        Some("native-tagged") => VlanMode::NativeTagged,
        Some("native-untagged") => VlanMode::NativeUntagged,
        Some("dot1q-tunnel") => VlanMode::Dot1qTunnel,
        Some(other) => {
            complaints.push(Complaint {
                level: Level::Err,
                text: format!("port {name}: unknown VLAN mode `{other}'"),
            });
            VlanMode::Trunk
        }
        None if tag.is_some() => {
            if !trunks.is_empty() {
                complaints.push(warning(format!("port {name}: ignoring trunks in favor of implicit vlan")));
            }
            VlanMode::Access
        }
        None => VlanMode::Trunk,
    };
    let interfaces: Vec<InterfaceConfig> = row
        .refs("interfaces")
        .into_iter()
        .filter_map(|id| rows.row("Interface", id))
        .map(|i| {
            lacks.extend(unsupported("interface", i.as_ref(), INTERFACE));
            read_interface(i.as_ref(), bridge)
        })
        .collect();
    let bond_mode = row.string("bond_mode");
    if interfaces.len() > 1 && bond_mode.is_none() {
        complaints.push(warning(format!(
            "port {name}: Using the default bond_mode active-backup. Note that in previous versions, the default bond_mode was balance-slb"
        )));
    }
    PortConfig {
        row: row.id(),
        interfaces,
        tag,
        trunks,
        cvlans: vlans(row, "cvlans"),
        vlan_mode,
        protected: row.bool("protected").unwrap_or(false),
        bond_mode,
        lacp: row.string("lacp"),
        mac: row.string("mac").and_then(|m| Mac::parse(&m)),
        other_config: row.map("other_config"),
        name: name.into(),
        unsupported: lacks,
        complaints,
    }
}

fn read_interface(row: &dyn Row, bridge: &str) -> InterfaceConfig {
    let name = row.string("name").unwrap_or_default();
    let kind = if name == bridge { "internal".to_string() } else { kind_or(row.string("type"), "system") };
    let port = |column| {
        small::<u32>(row.int(column))
            .filter(|p| (1..0xff00).contains(p) || *p == 0xfffe)
            .map(|p| OfPort::from_u16(p as u16))
    };
    InterfaceConfig {
        row: row.id(),
        kind,
        options: row.map("options"),
        mac: row.string("mac").and_then(|m| Mac::parse(&m)),
        mtu_request: small(row.int("mtu_request")),
        ofport_request: port("ofport_request"),
        ofport_before: Earlier(port("ofport")),
        other_config: row.map("other_config"),
        name,
    }
}

fn read_controller(row: &dyn Row) -> ControllerConfig {
    let target = row.string("target").unwrap_or_default();
    let passive = target.starts_with("ptcp:") || target.starts_with("punix:") || target.starts_with("pssl:");
    // Both count in whole seconds.
    let millis = |column, default: u64, least: u64| match row.int(column) {
        Some(v) if v > 0 => (v as u64 / 1000 * 1000).max(least),
        Some(0) => 0,
        _ => default,
    };
    ControllerConfig {
        row: row.id(),
        service: row.string("type").map_or(passive, |t| t == "service"),
        out_of_band: row.string("connection_mode").as_deref() == Some("out-of-band"),
        max_backoff: millis("max_backoff", 8000, 1000).max(1000),
        inactivity_probe: millis("inactivity_probe", 5000, 5000),
        async_messages: row.bool("enable_async_messages").unwrap_or(true),
        rate_limit: small(row.int("controller_rate_limit")),
        burst_limit: small(row.int("controller_burst_limit")),
        queue_size: small(row.int("controller_queue_size")),
        local: LocalAddress {
            ip: row.string("local_ip"),
            netmask: row.string("local_netmask"),
            gateway: row.string("local_gateway"),
        },
        dscp: row.map("other_config").get("dscp").and_then(|v| v.parse().ok()).filter(|d| *d <= 63),
        target,
    }
}

fn read_flow_table(row: &dyn Row) -> FlowTableConfig {
    FlowTableConfig {
        name: row.string("name"),
        flow_limit: small(row.int("flow_limit")),
        evict: row.string("overflow_policy").as_deref() == Some("evict"),
        groups: row.strings("groups"),
        prefixes: row.strings("prefixes"),
    }
}

fn read_mirror(rows: &dyn Rows, row: &dyn Row) -> MirrorConfig {
    let names = |column| {
        row.refs(column)
            .into_iter()
            .filter_map(|id| rows.row("Port", id))
            .filter_map(|p| p.string("name"))
            .collect::<Vec<_>>()
    };
    MirrorConfig {
        row: row.id(),
        name: row.string("name").unwrap_or_default(),
        select_all: row.bool("select_all").unwrap_or(false),
        select_src: names("select_src_port"),
        select_dst: names("select_dst_port"),
        select_vlan: vlans(row, "select_vlan"),
        output_port: names("output_port").into_iter().next(),
        output_vlan: small(row.int("output_vlan")),
        snaplen: small(row.int("snaplen")),
    }
}

#[cfg(test)]
mod tests;
