//! Protocols and features that a port or bridge has only when it is configured to: what is asked of one that has none.
//!
//! These commands answer as the reference does where the protocol is not configured; where it is, they say that it is
//! not supported yet. A command that would have to act finds nothing to act on.

use super::bridge;
use crate::switch::Switch;
use base::Mac;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("autoattach/show-isid", "[bridge]", 0, 1, nothing),
    Command::new("autoattach/statistics", "[bridge]", 0, 1, nothing),
    Command::new("autoattach/status", "[bridge]", 0, 1, nothing),
    Command::new("bfd/set-forwarding", "[interface] normal|false|true", 1, 2, |_, _, c| {
        set_fault(c, "no such BFD object")
    }),
    Command::new("bfd/show", "[interface]", 0, 1, |s, _, c| none_of(s, "bfd", c, "no such bfd object")),
    Command::new("cfm/set-fault", "[interface] normal|false|true", 1, 2, |_, _, c| {
        set_fault(c, "no such CFM object")
    }),
    Command::new("cfm/show", "[interface]", 0, 1, |s, _, c| none_of(s, "cfm_mpid", c, "no such CFM object")),
    Command::new("lacp/show", "[port]", 0, 1, |s, _, c| none_of(s, "lacp", c, "no such lacp object")),
    Command::new("lacp/show-stats", "[port]", 0, 1, |s, _, c| none_of(s, "lacp", c, "no such lacp object")),
    Command::new("stp/show", "[bridge]", 0, 1, |s, _, c| none_of(s, "stp_enable", c, "no such stp object")),
    Command::new("stp/tcn", "[bridge]", 0, 1, |s, _, c| done_of(s, "stp_enable", c, "no such stp object")),
    Command::new("rstp/show", "[bridge]", 0, 1, |s, _, c| {
        none_of(s, "rstp_enable", c, "No such RSTP object")
    }),
    Command::new("rstp/tcn", "[bridge]", 0, 1, |s, _, c| done_of(s, "rstp_enable", c, "No such RSTP object")),
    Command::new("mdb/flush", "[bridge]", 0, 1, |s, _, c| match c.arg(0) {
        None => Outcome::ok("table successfully flushed"),
        Some(_) => mdb(s, c),
    }),
    Command::new("mdb/show", "bridge", 1, 1, |s, _, c| mdb(s, c)),
    Command::new("qos/show", "interface", 1, 1, |s, _, c| {
        on_interface(s, c, |name| format!("QoS not configured on {name}\n"))
    }),
    Command::new("qos/show-types", "interface", 1, 1, |s, _, c| {
        on_interface(s, c, |name| format!("No QoS types supported for interface: {name}\n"))
    }),
    Command::new("ofproto/list-tunnels", "", 0, 0, nothing),
];

fn nothing(_: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    Outcome::ok("")
}

/// All of none, or the one that is not there.
fn none_of(s: &Switch, column: &str, call: &Call, missing: &str) -> Outcome {
    match call.arg(0) {
        None => Outcome::ok(""),
        Some(name) => lacking(s, column, name).unwrap_or_else(|| Outcome::error(missing)),
    }
}

fn done_of(s: &Switch, column: &str, call: &Call, missing: &str) -> Outcome {
    match call.arg(0) {
        None => Outcome::ok("OK"),
        Some(name) => lacking(s, column, name).unwrap_or_else(|| Outcome::error(missing)),
    }
}

/// The answer about what is configured and cannot be had.
fn lacking(s: &Switch, column: &str, name: &str) -> Option<Outcome> {
    s.config().lacks(column, name).map(|u| Outcome::error(u.to_string()))
}

fn set_fault(call: &Call, missing: &str) -> Outcome {
    let state = call.args().last().map(String::as_str).unwrap_or_default();
    if !["normal", "false", "true"].iter().any(|s| s.eq_ignore_ascii_case(state)) {
        return Outcome::error("unknown fault string");
    }
    if call.args().len() > 1 { Outcome::error(missing) } else { Outcome::ok("OK") }
}

fn mdb(s: &mut Switch, call: &Call) -> Outcome {
    match bridge(s, call.arg(0), "no such bridge") {
        Ok(b) => {
            let name = b.name.clone();
            lacking(s, "mcast_snooping_enable", &name)
                .unwrap_or_else(|| Outcome::error("multicast snooping is disabled"))
        }
        Err(e) => Outcome::error(e),
    }
}

fn on_interface(s: &Switch, call: &Call, text: fn(&str) -> String) -> Outcome {
    let name = call.arg(0).unwrap_or_default();
    let port = s.bridges.values().find_map(|b| b.interfaces.get(name)).map(|i| i.port.clone());
    match port {
        Some(port) => lacking(s, "qos", &port).unwrap_or_else(|| Outcome::ok(text(name))),
        None => Outcome::error("no such interface"),
    }
}

/// `bond/*` of a switch whose bonds have no machines of their own.
pub const BONDS: &[Command<Switch>] = &[
    Command::new("bond/list", "", 0, 0, |_, _, _| Outcome::ok("bond\ttype\trecircID\tmembers\n")),
    Command::new("bond/show", "[port]", 0, 1, |s, _, c| none_of(s, "", c, NO_BOND)),
    Command::new("bond/hash", "mac [vlan] [basis]", 1, 3, bond_hash),
    Command::new("bond/migrate", "port hash member", 3, 3, no_bond),
    Command::new("bond/set-active-member", "port member", 2, 2, no_bond),
    Command::new("bond/enable-member", "port member", 2, 2, no_bond),
    Command::new("bond/disable-member", "port member", 2, 2, no_bond),
];

const NO_BOND: &str = "no such bond";

fn no_bond(_: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    Outcome::error(NO_BOND)
}

fn bond_hash(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    if call.arg(0).and_then(Mac::parse).is_none() {
        return Outcome::error("invalid mac");
    }
    if call.arg(1).is_some_and(|v| v.parse::<u16>().is_err()) {
        return Outcome::error("invalid vlan");
    }
    if call.arg(2).is_some_and(|v| v.parse::<u32>().is_err()) {
        return Outcome::error("invalid basis");
    }
    Outcome::error("bond/hash is not supported: bonds are not balanced by this switch yet")
}
