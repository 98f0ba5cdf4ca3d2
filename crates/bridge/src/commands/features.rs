//! `dpif/show-dp-features` and `dpif/set-dp-features`: what the datapath can do. It tracks no connections and makes no
//! tunnels yet.

use super::bridge;
use crate::switch::Switch;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpif/show-dp-features", "bridge", 1, 1, show),
    Command::new("dpif/set-dp-features", "[--force] bridge [feature [value]]", 1, 4, set),
];

/// Key, title and value of each feature, in the order in which they are shown.
const FEATURES: &[(&str, &str, Value)] = &[
    ("masked_set_action", "Masked set action", Value::Has(true)),
    ("tnl_push_pop", "Tunnel push pop", Value::Has(false)),
    ("ufid", "Ufid", Value::Has(true)),
    ("trunc", "Truncate action", Value::Has(true)),
    ("clone", "Clone action", Value::Has(true)),
    ("sample_nesting", "Sample nesting", Value::Count(10)),
    ("ct_eventmask", "Conntrack eventmask", Value::Has(false)),
    ("ct_clear", "Conntrack clear", Value::Has(false)),
    ("max_hash_alg", "Max dp_hash algorithm", Value::Count(1)),
    ("check_pkt_len", "Check pkt length action", Value::Has(true)),
    ("ct_timeout", "Conntrack timeout policy", Value::Has(false)),
    ("explicit_drop_action", "Explicit Drop action", Value::Has(true)),
    ("lb_output_action", "Optimized Balance TCP mode", Value::Has(true)),
    ("ct_zero_snat", "Conntrack all-zero IP SNAT", Value::Has(false)),
    ("add_mpls", "MPLS Label add", Value::Has(true)),
    ("psample", "psample action", Value::Has(false)),
    ("max_vlan_headers", "Max VLAN headers", Value::Count(1)),
    ("max_mpls_depth", "Max MPLS depth", Value::Count(3)),
    ("recirc", "Recirc", Value::Has(true)),
    ("ct_state", "CT state", Value::Has(false)),
    ("ct_zone", "CT zone", Value::Has(false)),
    ("ct_mark", "CT mark", Value::Has(false)),
    ("ct_label", "CT label", Value::Has(false)),
    ("ct_state_nat", "CT state NAT", Value::Has(false)),
    ("ct_orig_tuple", "CT orig tuple", Value::Has(false)),
    ("ct_orig_tuple6", "CT orig tuple for IPv6", Value::Has(false)),
    ("nd_ext", "IPv6 ND Extension", Value::Has(true)),
];

/// The order in which `dpif/set-dp-features` lists all of them.
const LISTED: &[&str] = &[
    "sample_nesting",
    "clone",
    "ufid",
    "lb_output_action",
    "nd_ext",
    "ct_orig_tuple",
    "tnl_push_pop",
    "ct_eventmask",
    "psample",
    "ct_state",
    "ct_zero_snat",
    "max_vlan_headers",
    "ct_clear",
    "recirc",
    "ct_label",
    "max_hash_alg",
    "add_mpls",
    "ct_state_nat",
    "ct_timeout",
    "explicit_drop_action",
    "ct_mark",
    "ct_orig_tuple6",
    "max_mpls_depth",
    "masked_set_action",
    "check_pkt_len",
    "ct_zone",
    "trunc",
];

#[derive(Clone, Copy)]
enum Value {
    Has(bool),
    Count(u32),
}

impl Value {
    fn text(self) -> String {
        match self {
            Value::Has(b) => b.to_string(),
            Value::Count(n) => n.to_string(),
        }
    }
}

fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    if let Err(e) = bridge(s, call.arg(0), "no such bridge") {
        return Outcome::error(e);
    }
    let mut out = String::new();
    for (_, title, value) in FEATURES {
        let _ = match value {
            Value::Has(true) => writeln!(out, "{title}: Yes"),
            Value::Has(false) => writeln!(out, "{title}: No"),
            Value::Count(n) => writeln!(out, "{title}: {n}"),
        };
    }
    Outcome::ok(out)
}

fn line(key: &str) -> Option<String> {
    let (key, title, value) = FEATURES.iter().find(|(k, _, _)| *k == key)?;
    let value = value.text();
    Some(format!("{key} ({title}) : [run time]:{value}, [boot time]:{value}\n"))
}

fn set(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let args: Vec<&str> = call.args().iter().map(String::as_str).filter(|a| *a != "--force").collect();
    if let Err(e) = bridge(s, args.first().copied(), "no such bridge") {
        return Outcome::error(e);
    }
    let Some(key) = args.get(1) else {
        return Outcome::ok(LISTED.iter().filter_map(|k| line(k)).collect::<String>());
    };
    let Some((_, _, value)) = FEATURES.iter().find(|(k, _, _)| k == key) else {
        return Outcome::ok("Unexpected support field\n");
    };
    match (args.get(2), value) {
        (None, _) => Outcome::ok(line(key).unwrap_or_default()),
        (Some(v), Value::Has(_)) if !["true", "false"].contains(v) => Outcome::ok("Boolean value expected\n"),
        (Some(v), value) if *v == value.text() => Outcome::ok(""),
        _ => Outcome::error(format!("{key}: features of this datapath cannot be changed at run time")),
    }
}
