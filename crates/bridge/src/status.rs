//! Status: what of the running switch the database shows.
//!
//! [`Switch::status`] says what every status column should hold; [`write`] puts into a transaction those that hold
//! something else.

use crate::config::PortConfig;
use crate::replica::uuid;
use crate::rows::RowId;
use crate::switch::Switch;
use crate::switch::backer::Backer;
use crate::switch::bridge::{Bridge, Failure, Interface, Seen};
use base::OfPort;
use dpif::netdev::NetdevStats;
use ovsdb::db::Database;
use ovsdb::replica::Txn;
use ovsdb::{Atom, Datum};
use std::collections::BTreeMap;

/// A column's value to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Table.
    pub table: &'static str,
    /// Row.
    pub row: RowId,
    /// Column.
    pub column: &'static str,
    /// Value.
    pub value: Datum,
}

/// Which status to write, beside what may have changed since it was last written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Counters of all, which change all the time.
    pub statistics: bool,
    /// Everything: nobody knows what the database holds.
    pub all: bool,
}

impl Switch {
    /// What status columns should hold.
    pub fn status(&mut self, extent: Extent) -> Vec<Wanted> {
        let mut all = Vec::new();
        for bridge in self.bridges().values() {
            let backer = self.backers().get(&bridge.kind);
            if bridge.untold || extent.all {
                bridge_status(bridge, &mut all);
            }
            for i in bridge.interfaces.values() {
                let mut put = Put { table: "Interface", row: i.config.row, all: &mut all };
                let whole = i.untold || extent.all;
                if whole {
                    self.interface_status(bridge, i, backer, &mut put);
                }
                if whole || extent.statistics {
                    let stats = crate::switch::device_stats(i, backer, bridge.id);
                    put.value("statistics", statistics(&stats));
                }
            }
            for port in bridge.config.ports.values().filter(|p| p.interfaces.len() > 1 || extent.all) {
                bond_status(bridge, port, &mut all);
            }
            for (name, failure) in bridge.failed.iter().filter(|(_, f)| f.untold || extent.all) {
                let port = bridge.config.ports.get(&failure.port);
                let Some(config) = port.and_then(|p| p.interfaces.iter().find(|i| i.name == *name)) else {
                    continue;
                };
                failed_status(failure, &mut Put { table: "Interface", row: config.row, all: &mut all });
            }
            if extent.statistics {
                mirror_status(bridge, backer, &mut all);
            }
            let controllers = self.controller_status(&bridge.name);
            for (target, config) in &bridge.config.controllers {
                let status = controllers.get(target).cloned().unwrap_or_default();
                let mut put = Put { table: "Controller", row: config.row, all: &mut all };
                put.one("is_connected", status.connected);
                put.optional("role", status.role);
                put.map("status", status.status);
            }
        }
        for bridge in self.bridges.values_mut() {
            bridge.untold = false;
            bridge.interfaces.values_mut().for_each(|i| i.untold = false);
            bridge.failed.values_mut().for_each(|f| f.untold = false);
        }
        all
    }

    fn interface_status(&self, bridge: &Bridge, i: &Interface, backer: Option<&Backer>, put: &mut Put<'_>) {
        let device = crate::switch::device(i, backer);
        let Seen { link, mac, mtu, .. } = &i.seen;
        let updown = |up| if up { "up" } else { "down" };
        put.one("ofport", of_number(i.of_port));
        put.optional("mac_in_use", mac.map(|m| m.to_string()));
        put.optional("error", self.interface_error(bridge, i));
        put.one("admin_state", updown(link.admin_up));
        put.one("link_state", updown(link.carrier));
        put.one("link_resets", link.resets as i64);
        put.optional("link_speed", link.speed.map(|s| s as i64));
        put.optional("duplex", link.full_duplex.map(|f| if f { "full" } else { "half" }));
        put.optional("mtu", mtu.map(i64::from));
        put.one("ifindex", i64::from(device.and_then(|d| d.ifindex()).unwrap_or(0)));
        put.map("status", device.map(|d| d.status()).unwrap_or_default());
    }

    /// What the `error` column says of an interface that is open.
    fn interface_error(&self, bridge: &Bridge, i: &Interface) -> Option<String> {
        if i.kind != "patch" {
            return i.error.clone();
        }
        let Some(peer) = i.config.options.get("peer") else {
            return Some(format!("{}: patch type requires valid 'peer' argument", i.name));
        };
        let linked = bridge.view.port(i.of_port).is_some_and(|p| p.patch.is_some());
        let kind = &bridge.kind;
        (!linked).then(|| format!("No usable peer '{peer}' exists in '{kind}' datapath."))
    }
}

fn of_number(port: OfPort) -> i64 {
    port.to_u16().map_or(-1, i64::from)
}

struct Put<'a> {
    table: &'static str,
    row: RowId,
    all: &'a mut Vec<Wanted>,
}

impl Put<'_> {
    fn value(&mut self, column: &'static str, value: Datum) {
        if self.row != RowId::default() {
            self.all.push(Wanted { table: self.table, row: self.row, column, value });
        }
    }

    fn one(&mut self, column: &'static str, value: impl Into<Atom>) {
        self.value(column, Datum::one(value));
    }

    fn optional(&mut self, column: &'static str, value: Option<impl Into<Atom>>) {
        self.value(column, value.map_or(Datum::EMPTY, Datum::one));
    }

    fn map(&mut self, column: &'static str, pairs: impl IntoIterator<Item = (String, String)>) {
        self.value(column, Datum::string_map(pairs));
    }
}

fn bridge_status(bridge: &Bridge, all: &mut Vec<Wanted>) {
    let mut put = Put { table: "Bridge", row: bridge.config.row, all };
    put.optional("datapath_id", bridge.dpid.map(|d| format!("{:016x}", d.0)));
    put.one("datapath_version", "<built-in>");
}

/// The address of the member that carries what is not balanced.
fn bond_status(bridge: &Bridge, port: &PortConfig, all: &mut Vec<Wanted>) {
    let view = bridge.bundles.get(&port.name).and_then(|id| bridge.view.bundle(*id));
    let active = view.and_then(|v| v.bond.as_ref()?.active).and_then(|p| bridge.interface(p));
    let mac = active.and_then(|i| i.seen.mac).map(|m| m.to_string());
    Put { table: "Port", row: port.row, all }.optional("bond_active_slave", mac);
}

/// An interface that could not be opened shows that, and nothing from before.
fn failed_status(failure: &Failure, put: &mut Put<'_>) {
    put.one("ofport", -1);
    put.optional("error", Some(failure.error.as_str()).filter(|e| !e.is_empty()));
    for column in ["mac_in_use", "admin_state", "link_state", "link_speed", "duplex", "mtu", "ifindex"] {
        put.value(column, Datum::EMPTY);
    }
    put.value("status", Datum::EMPTY);
    put.value("statistics", Datum::EMPTY);
}

fn mirror_status(bridge: &Bridge, backer: Option<&Backer>, all: &mut Vec<Wanted>) {
    for (n, m) in bridge.config.mirrors.iter().enumerate() {
        let pair = backer.and_then(|b| b.counters.mirrors.get(&(bridge.id, n)));
        let (packets, bytes) = pair.map_or((0, 0), |p| p.get());
        let pairs = [("tx_bytes", bytes), ("tx_packets", packets)];
        let value = Datum::map(pairs.map(|(k, v)| (k.into(), (v as i64).into())));
        all.push(Wanted { table: "Mirror", row: m.row, column: "statistics", value });
    }
}

fn statistics(s: &NetdevStats) -> Datum {
    let known = [
        ("rx_packets", s.rx_packets),
        ("tx_packets", s.tx_packets),
        ("rx_bytes", s.rx_bytes),
        ("tx_bytes", s.tx_bytes),
        ("rx_errors", s.rx_errors),
        ("tx_errors", s.tx_errors),
        ("rx_dropped", s.rx_dropped),
        ("tx_dropped", s.tx_dropped),
        ("rx_multicast_packets", s.multicast),
        ("collisions", s.collisions),
        ("rx_over_err", s.rx_over_errors),
        ("rx_crc_err", s.rx_crc_errors),
        ("rx_frame_err", s.rx_frame_errors),
        ("rx_missed_errors", s.rx_missed_errors),
    ];
    let pairs: BTreeMap<&str, u64> = known
        .into_iter()
        .filter_map(|(k, v)| Some((k, v?)))
        .chain(s.custom.iter().map(|(k, v)| (k.as_str(), *v)))
        .collect();
    Datum::map(pairs.into_iter().map(|(k, v)| (k.into(), (v.min(i64::MAX as u64) as i64).into())))
}

/// Puts into a transaction the columns that hold something else; says whether there were any.
pub fn write(txn: &mut Txn, db: &Database, wanted: Vec<Wanted>) -> bool {
    let mut any = false;
    for w in wanted {
        let Some(t) = db.schema().table(w.table) else { continue };
        let Some(c) = db.schema().tables[t].column(w.column) else { continue };
        let Some(row) = db.table(t).get(uuid(w.row)) else { continue };
        let kind = &db.schema().tables[t].columns[c].kind;
        // A column that cannot be empty keeps what it has.
        if row.columns()[c] == w.value || (w.value == Datum::EMPTY && kind.min > 0) {
            continue;
        }
        txn.set(db, t, uuid(w.row), c, w.value);
        any = true;
    }
    any
}
