//! What commands need of the database.

use super::{DATABASE, RECORDS, SHOW, Vsctl};
use crate::ctl::columns::{RowName, find_table};
use crate::ctl::command::Invocation;
use crate::ctl::point::Plan;
use crate::ctl::session::Wanted;
use ovsdb::Schema;

type Call = Invocation<Vsctl>;
type Needs = &'static [(&'static str, &'static [&'static str])];

/// Bridges, ports and interfaces, and what the switch made of them.
const VIEW: Needs = &[
    ("Open_vSwitch", &["bridges", "cur_cfg", "next_cfg"]),
    ("Bridge", &["name", "ports"]),
    ("Port", &["name", "fake_bridge", "tag", "interfaces"]),
    ("Interface", &["name", "ofport", "error"]),
];

const CONTROLLERS: Needs =
    &[("Bridge", &["controller", "fail_mode"]), ("Controller", &["target", "inactivity_probe"])];
const MANAGERS: Needs =
    &[("Open_vSwitch", &["manager_options"]), ("Manager", &["target", "inactivity_probe"])];
const SSL: Needs =
    &[("Open_vSwitch", &["ssl"]), ("SSL", &["private_key", "certificate", "ca_cert", "bootstrap_ca_cert"])];
const AUTO_ATTACH: Needs = &[("Bridge", &["auto_attach"]), ("AutoAttach", &["mappings"])];
const ZONES: Needs = &[
    ("Open_vSwitch", &["datapaths"]),
    ("Datapath", &["ct_zones", "ct_zone_default_limit", "capabilities"]),
    ("CT_Zone", &["timeout_policy", "limit"]),
    ("CT_Timeout_Policy", &["timeouts"]),
];
const EXTERNAL_IDS: Needs = &[("Bridge", &["external_ids"]), ("Port", &["external_ids"])];
const RESET: Needs = &[
    ("Open_vSwitch", &["manager_options", "ssl"]),
    (
        "Bridge",
        &[
            "controller",
            "fail_mode",
            "mirrors",
            "netflow",
            "sflow",
            "ipfix",
            "flood_vlans",
            "other_config",
            "external_ids",
            "protocols",
        ],
    ),
    ("Port", &["other_config"]),
    ("Interface", &["ingress_policing_rate", "ingress_policing_burst"]),
    ("Mirror", &["name"]),
    ("Controller", &["target"]),
    ("Manager", &["target"]),
    ("NetFlow", &["targets"]),
    ("sFlow", &["targets"]),
    ("IPFIX", &["targets"]),
    ("SSL", &["private_key"]),
];

fn needs(command: &str) -> Needs {
    match command {
        "get-controller" | "del-controller" | "set-controller" | "get-fail-mode" | "del-fail-mode"
        | "set-fail-mode" => CONTROLLERS,
        "get-manager" | "del-manager" | "set-manager" => MANAGERS,
        "get-ssl" | "del-ssl" | "set-ssl" => SSL,
        "add-aa-mapping" | "del-aa-mapping" | "get-aa-mapping" => AUTO_ATTACH,
        "add-zone-tp" | "del-zone-tp" | "list-zone-tp" | "set-zone-limit" | "del-zone-limit"
        | "list-zone-limits" | "list-dp-cap" => ZONES,
        "br-set-external-id" | "br-get-external-id" => EXTERNAL_IDS,
        "emer-reset" => RESET,
        _ => &[],
    }
}

/// The tables and columns that `calls` need, of those that `schema` has.
pub fn wanted(calls: &[Call], schema: &Schema) -> Wanted {
    let mut wanted = Wanted::new();
    let mut column = |table: &str, column: Option<&str>| {
        let of = wanted.entry(table.to_string()).or_insert_with(|| Some(Vec::new()));
        match (of, column) {
            (Some(list), Some(c)) if list.iter().any(|l| l == c) => {}
            (Some(list), Some(c)) => list.push(c.to_string()),
            (of, None) => *of = None,
            (None, Some(_)) => {}
        }
    };
    for (table, columns) in VIEW {
        columns.iter().for_each(|c| column(table, Some(c)));
    }
    for call in calls {
        let name = call.syntax.name;
        for (table, columns) in needs(name) {
            columns.iter().for_each(|c| column(table, Some(c)));
        }
        if name == "show" {
            for t in SHOW {
                t.name.iter().chain(t.columns).for_each(|c| column(t.table, Some(c)));
            }
        }
        let Some(table) = call.arg(0).filter(|_| DATABASE.iter().any(|d| d.name == name)) else { continue };
        let Ok(t) = find_table(schema, table) else { continue };
        let table = &*schema.tables[t].name;
        column(table, None);
        for way in RECORDS.iter().filter(|r| r.table == table).flat_map(|r| r.ways) {
            if let RowName::Via(other, via) = way {
                column(other, Some("name"));
                column(other, Some(via));
            }
        }
    }
    wanted
}

/// The rows that `calls` concern, if all of them name theirs.
pub fn point(calls: &[Call]) -> Option<Plan> {
    let mut plan = Plan::new();
    for call in calls {
        let arg = |n: usize| call.arg(n).unwrap_or_default();
        match (call.syntax.name, call.args.len()) {
            ("add-port", _) => {
                plan.bridge(arg(0));
                if call.has("--may-exist") {
                    plan.port(arg(1));
                } else {
                    plan.name(arg(1));
                }
            }
            ("add-br", 1) => plan.name(arg(0)),
            ("del-port", 1) if !call.has("--with-iface") => plan.port(arg(0)),
            ("del-port", 2) if !call.has("--with-iface") => {
                plan.bridge(arg(0));
                plan.port(arg(1));
            }
            ("port-to-br", _) => plan.port(arg(0)),
            ("br-exists" | "br-to-vlan" | "br-to-parent", _) => plan.bridge(arg(0)),
            ("comment", _) => {}
            ("set" | "get" | "add" | "remove" | "clear", _) => {
                if !plan.row(arg(0), arg(1)) {
                    return None;
                }
            }
            ("list", 2..) => {
                if !call.args[1..].iter().all(|record| plan.row(arg(0), record)) {
                    return None;
                }
            }
            _ => return None,
        }
    }
    plan.is_small().then_some(plan)
}
