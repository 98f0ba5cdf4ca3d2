//! What the database asks for, as one typed and validated value.
//!
//! ```text
//! Open_vSwitch ─► Bridge ─► Port ─► Interface
//!                   ├─► Controller, Mirror, Flow_Table
//! ```
//!
//! [`Config::read`] walks the rows once and leaves nothing in text form that has a type; what makes no sense
//! becomes a [`Complaint`] for the log and the value's default. Nothing else in the switch reads the database.

use base::{Level, Mac, OfPort};
use std::collections::{BTreeMap, BTreeSet};

pub use crate::rows::{Map, Row, RowId, Rows};

/// Something in the database that cannot be honoured: what the log says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Severity, as the reference reports it.
    pub level: Level,
    /// The sentence.
    pub text: String,
}

/// The whole of the wanted configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The `Open_vSwitch` row.
    pub root: RowId,
    /// Sequence number that clients wait for (`next_cfg`).
    pub next_cfg: i64,
    /// `Open_vSwitch.other_config`.
    pub other_config: Map,
    /// The `SSL` row.
    pub tls: Option<TlsConfig>,
    /// Bridges by name.
    pub bridges: BTreeMap<String, BridgeConfig>,
    /// Targets of the managers that are not out-of-band.
    pub managers: BTreeSet<String>,
    /// What is asked for and cannot be had.
    pub unsupported: BTreeSet<Unsupported>,
}

/// Something that the database asks for and that this switch cannot do yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// `bridge`, `port` or `interface`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The feature, in words.
    pub feature: &'static str,
    /// The column that asks for it.
    pub column: &'static str,
}

impl Config {
    /// Whether a feature (by its column) is asked for on something of that name, and cannot be had.
    pub fn lacks(&self, column: &str, name: &str) -> Option<&Unsupported> {
        self.unsupported.iter().find(|u| u.column == column && u.name == name)
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unsupported { kind, name, feature, column } = self;
        write!(f, "{kind} {name}: {feature} ({column}) is configured but not supported by this switch yet")
    }
}

/// The `SSL` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsConfig {
    /// `private_key`: a file.
    pub private_key: String,
    /// `certificate`: a file.
    pub certificate: String,
    /// `ca_cert`: a file.
    pub ca_cert: String,
    /// `bootstrap_ca_cert`: whether `ca_cert` is obtained from the first controller if it does not exist.
    pub bootstrap: bool,
}

/// What happens without a controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailMode {
    /// Act as a learning switch.
    #[default]
    Standalone,
    /// Do only what flows say.
    Secure,
}

/// One `Bridge` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BridgeConfig {
    /// The row.
    pub row: RowId,
    /// `name`: also the name of the local port.
    pub name: String,
    /// `datapath_type`, with the empty string read as `system`.
    pub datapath_type: String,
    /// `fail_mode`.
    pub fail_mode: FailMode,
    /// `protocols`, as written; empty means the defaults.
    pub protocols: Vec<String>,
    /// `flood_vlans`.
    pub flood_vlans: Vec<u16>,
    /// `other_config`.
    pub other_config: Map,
    /// `controller`, by target.
    pub controllers: BTreeMap<String, ControllerConfig>,
    /// `ports`, by name; the one named like the bridge has its local interface.
    pub ports: BTreeMap<String, PortConfig>,
    /// `mirrors`, by name.
    pub mirrors: Vec<MirrorConfig>,
    /// `flow_tables`, by number.
    pub flow_tables: BTreeMap<u8, FlowTableConfig>,
    /// `stp_enable`.
    pub stp: bool,
    /// `rstp_enable`.
    pub rstp: bool,
    /// `mcast_snooping_enable`.
    pub mcast_snooping: bool,
}

/// VLAN mode of a port (`Port.vlan_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the modes of ovs-vswitchd.conf.db(5)")]
pub enum VlanMode {
    Access,
    #[default]
    Trunk,
    NativeTagged,
    NativeUntagged,
    Dot1qTunnel,
}

/// One `Port` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortConfig {
    /// The row.
    pub row: RowId,
    /// `name`.
    pub name: String,
    /// `interfaces`: more than one makes a bond.
    pub interfaces: Vec<InterfaceConfig>,
    /// `tag`.
    pub tag: Option<u16>,
    /// `trunks`.
    pub trunks: Vec<u16>,
    /// `cvlans`.
    pub cvlans: Vec<u16>,
    /// `vlan_mode`, or what `tag` and `trunks` imply.
    pub vlan_mode: VlanMode,
    /// `protected`.
    pub protected: bool,
    /// `bond_mode`, as written.
    pub bond_mode: Option<String>,
    /// `lacp`, as written.
    pub lacp: Option<String>,
    /// `mac`: the address to use for a bond.
    pub mac: Option<Mac>,
    /// `other_config`.
    pub other_config: Map,
}

/// One `Interface` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterfaceConfig {
    /// The row.
    pub row: RowId,
    /// `name`.
    pub name: String,
    /// `type`, with the empty string read as `system` and the bridge's own as `internal`.
    pub kind: String,
    /// `options`.
    pub options: Map,
    /// `mac`.
    pub mac: Option<Mac>,
    /// `mtu_request`.
    pub mtu_request: Option<u32>,
    /// `ofport_request`.
    pub ofport_request: Option<OfPort>,
    /// `ofport`: the number of an earlier run, kept when it can be.
    pub ofport_before: Option<OfPort>,
    /// `other_config`.
    pub other_config: Map,
}

/// One `Controller` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerConfig {
    /// The row.
    pub row: RowId,
    /// `target`.
    pub target: String,
    /// `type` is `service`: a controller that does not count for fail-mode.
    pub service: bool,
    /// `connection_mode` is `out-of-band`.
    pub out_of_band: bool,
    /// `max_backoff` in milliseconds.
    pub max_backoff: u64,
    /// `inactivity_probe` in milliseconds; 0 is off.
    pub inactivity_probe: u64,
    /// `enable_async_messages`.
    pub async_messages: bool,
    /// `controller_rate_limit`, packets per second.
    pub rate_limit: Option<u32>,
    /// `controller_burst_limit`.
    pub burst_limit: Option<u32>,
    /// `controller_queue_size`.
    pub queue_size: Option<u32>,
    /// `local_ip`, `local_netmask` and `local_gateway`, as written.
    pub local: LocalAddress,
    /// `other_config:dscp`.
    pub dscp: Option<u8>,
}

/// How a controller wants the local port to be set up for reaching it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalAddress {
    /// `local_ip`.
    pub ip: Option<String>,
    /// `local_netmask`.
    pub netmask: Option<String>,
    /// `local_gateway`.
    pub gateway: Option<String>,
}

/// One `Mirror` row, with ports by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MirrorConfig {
    /// The row.
    pub row: RowId,
    /// `name`.
    pub name: String,
    /// `select_all`.
    pub select_all: bool,
    /// `select_src_port`.
    pub select_src: Vec<String>,
    /// `select_dst_port`.
    pub select_dst: Vec<String>,
    /// `select_vlan`.
    pub select_vlan: Vec<u16>,
    /// `output_port`.
    pub output_port: Option<String>,
    /// `output_vlan`.
    pub output_vlan: Option<u16>,
    /// `snaplen`.
    pub snaplen: Option<u16>,
}

/// One `Flow_Table` row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowTableConfig {
    /// `name`.
    pub name: Option<String>,
    /// `flow_limit`.
    pub flow_limit: Option<u32>,
    /// `overflow_policy` is `evict`.
    pub evict: bool,
    /// `groups`.
    pub groups: Vec<String>,
    /// `prefixes`.
    pub prefixes: Vec<String>,
}

impl Config {
    /// Reads everything wanted from the database, and says what in it makes no sense.
    pub fn read(rows: &dyn Rows) -> Option<(Config, Vec<Complaint>)> {
        let root = rows.table("Open_vSwitch").into_iter().next()?;
        let mut complaints = Vec::new();
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
            unsupported: BTreeSet::new(),
        };
        for id in root.refs("bridges") {
            let Some(row) = rows.row("Bridge", id) else { continue };
            let bridge = read_bridge(rows, row.as_ref(), &mut complaints);
            config.unsupported.extend(unsupported(rows, row.as_ref()));
            if bridge.name.contains('/') || bridge.name.is_empty() {
                complaints.push(warning(format!("ignoring bridge with invalid name \"{}\"", bridge.name)));
            } else if config.bridges.contains_key(&bridge.name) {
                complaints.push(warning(format!("bridge {} specified twice", bridge.name)));
            } else {
                config.bridges.insert(bridge.name.clone(), bridge);
            }
        }
        Some((config, complaints))
    }

    /// Whether both ask for the same; numbers that ports once had do not count, as the switch itself writes them.
    pub fn asks_like(&self, other: &Config) -> bool {
        let plain = |c: &Config| {
            let mut c = c.clone();
            let ports = c.bridges.values_mut().flat_map(|b| b.ports.values_mut());
            ports.flat_map(|p| &mut p.interfaces).for_each(|i| i.ofport_before = None);
            c
        };
        plain(self) == plain(other)
    }

    /// `other_config` key as a boolean, false unless it is `true`.
    pub fn flag(&self, key: &str) -> bool {
        self.other_config.get(key).is_some_and(|v| v == "true")
    }
}

/// What of a bridge, its ports and their interfaces cannot be had.
fn unsupported(rows: &dyn Rows, bridge: &dyn Row) -> Vec<Unsupported> {
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
    let of = |kind, row: &dyn Row, checks: &[Check]| {
        let name = row.string("name").unwrap_or_default();
        let found = checks.iter().filter(|(_, column, is_on)| is_on(row, column));
        found
            .map(|(feature, column, _)| Unsupported { kind, name: name.clone(), feature, column })
            .collect::<Vec<_>>()
    };
    let mut all = of("bridge", bridge, BRIDGE);
    for port in bridge.refs("ports").into_iter().filter_map(|id| rows.row("Port", id)) {
        all.extend(of("port", port.as_ref(), PORT));
        for interface in port.refs("interfaces").into_iter().filter_map(|id| rows.row("Interface", id)) {
            all.extend(of("interface", interface.as_ref(), INTERFACE));
        }
    }
    all
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

fn read_bridge(rows: &dyn Rows, row: &dyn Row, complaints: &mut Vec<Complaint>) -> BridgeConfig {
    let name = row.string("name").unwrap_or_default();
    let mut bridge = BridgeConfig {
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
        name,
        ..BridgeConfig::default()
    };
    for id in row.refs("controller") {
        if let Some(c) = rows.row("Controller", id) {
            let c = read_controller(c.as_ref());
            bridge.controllers.insert(c.target.clone(), c);
        }
    }
    for id in row.refs("ports") {
        let Some(port) = rows.row("Port", id) else { continue };
        let port = read_port(rows, port.as_ref(), &bridge.name, complaints);
        bridge.ports.insert(port.name.clone(), port);
    }
    if !bridge.ports.contains_key(&bridge.name) {
        complaints.push(warning(format!("bridge {}: no local port in the database: adding it", bridge.name)));
        let local = InterfaceConfig {
            name: bridge.name.clone(),
            kind: "internal".into(),
            ..InterfaceConfig::default()
        };
        let port = PortConfig { name: bridge.name.clone(), interfaces: vec![local], ..PortConfig::default() };
        bridge.ports.insert(bridge.name.clone(), port);
    }
    for (table, id) in row.int_refs("flow_tables") {
        let (Ok(table), Some(t)) = (u8::try_from(table), rows.row("Flow_Table", id)) else { continue };
        bridge.flow_tables.insert(table, read_flow_table(t.as_ref()));
    }
    for id in row.refs("mirrors") {
        if let Some(m) = rows.row("Mirror", id) {
            let m = read_mirror(rows, m.as_ref());
            if m.output_port.is_none() && m.output_vlan.is_none() {
                complaints.push(Complaint {
                    level: Level::Err,
                    text: format!(
                        "bridge {}: mirror {} does not specify output; ignoring",
                        bridge.name, m.name
                    ),
                });
                continue;
            }
            if m.output_port.is_some() && m.output_vlan.is_some() {
                complaints.push(Complaint {
                    level: Level::Err,
                    text: format!(
                        "bridge {}: mirror {} specifies both output port and output vlan; ignoring output vlan",
                        bridge.name, m.name
                    ),
                });
            }
            bridge.mirrors.push(m);
        }
    }
    bridge.mirrors.sort_by(|a, b| a.name.cmp(&b.name));
    bridge
}

fn kind_or(kind: Option<String>, default: &str) -> String {
    kind.filter(|k| !k.is_empty()).unwrap_or_else(|| default.to_string())
}

fn read_port(rows: &dyn Rows, row: &dyn Row, bridge: &str, complaints: &mut Vec<Complaint>) -> PortConfig {
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
        .map(|i| read_interface(i.as_ref(), bridge))
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
        name,
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
        ofport_before: port("ofport"),
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
