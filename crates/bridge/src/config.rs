//! What the database asks for, as one typed and validated value.
//!
//! ```text
//! Open_vSwitch ─► Bridge ─► Port ─► Interface
//!                   ├─► Controller, Mirror, Flow_Table
//! ```
//!
//! Here is what rows become: nothing is left in text form that has a type; what makes no sense becomes a
//! [`Complaint`] for the log and the value's default. [`crate::reader`] decides which rows to read; nothing else in
//! the switch reads the database. Bridges and ports are shared: a configuration has those that have not changed in
//! common with the one before, so that to compare the two costs a look at each.

use base::{Level, Mac, OfPort};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub bridges: BTreeMap<String, Arc<BridgeConfig>>,
    /// Targets of the managers that are not out-of-band.
    pub managers: BTreeSet<String>,
    /// What makes no sense about it as a whole.
    pub complaints: Vec<Complaint>,
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
        let bridges = self.bridges.values().flat_map(|b| &b.unsupported);
        let ports = self.bridges.values().flat_map(|b| b.ports.values()).flat_map(|p| &p.unsupported);
        bridges.chain(ports).find(|u| u.column == column && u.name == name)
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unsupported { kind, name, feature, column } = self;
        write!(f, "{kind} {name}: {feature} ({column}) is configured but not supported by this switch yet")
    }
}

/// The `SSL` row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub ports: BTreeMap<Arc<str>, Arc<PortConfig>>,
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
    /// What is asked of the bridge itself that it cannot do.
    pub unsupported: Vec<Unsupported>,
    /// What makes no sense about it, its ports apart.
    pub complaints: Vec<Complaint>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortConfig {
    /// The row.
    pub row: RowId,
    /// `name`.
    pub name: Arc<str>,
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
    /// What is asked of the port and its interfaces that they cannot do.
    pub unsupported: Vec<Unsupported>,
    /// What makes no sense about them.
    pub complaints: Vec<Complaint>,
}

/// One `Interface` row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub ofport_before: Earlier,
    /// `other_config`.
    pub other_config: Map,
}

/// The number that a port had. The switch itself writes it, so it is no part of what is asked for: configurations
/// that differ in nothing else are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Earlier(pub Option<OfPort>);

impl PartialEq for Earlier {
    fn eq(&self, _: &Earlier) -> bool {
        true
    }
}

impl Eq for Earlier {}

/// One `Controller` row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalAddress {
    /// `local_ip`.
    pub ip: Option<String>,
    /// `local_netmask`.
    pub netmask: Option<String>,
    /// `local_gateway`.
    pub gateway: Option<String>,
}

/// One `Mirror` row, with ports by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// `other_config` key as a boolean, false unless it is `true`.
    pub fn flag(&self, key: &str) -> bool {
        self.other_config.get(key).is_some_and(|v| v == "true")
    }
}
