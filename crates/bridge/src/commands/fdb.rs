//! `fdb/*`: the MAC table.

use super::bridge;
use crate::switch::Switch;
use crate::switch::bridge::Bridge;
use base::{Mac, VlanId};
use l2::{BundleId, MacKey};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("fdb/show", "bridge", 1, 1, show),
    Command::new("fdb/flush", "[bridge]", 0, 1, flush),
    Command::new("fdb/stats-show", "bridge", 1, 1, stats_show),
    Command::new("fdb/stats-clear", "[bridge]", 0, 1, stats_clear),
    Command::new("fdb/add", "bridge port vlan mac", 4, 4, add),
    Command::new("fdb/del", "bridge vlan mac", 3, 3, del),
];

const NO_BRIDGE: &str = "no such bridge";

fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let now = s.now();
    match bridge(s, call.arg(0), NO_BRIDGE) {
        Ok(b) => Outcome::ok(b.mac.show_text(now, |id| port_text(b, id))),
        Err(e) => Outcome::error(e),
    }
}

fn port_text(b: &Bridge, id: BundleId) -> String {
    match b.bundle_port(id) {
        Some(base::OfPort::LOCAL) => "LOCAL".to_string(),
        Some(p) => p.0.to_string(),
        None => "?".to_string(),
    }
}

fn each(s: &mut Switch, name: Option<&str>, mut f: impl FnMut(&mut Bridge)) -> Result<(), String> {
    match name {
        Some(_) => f(bridge(s, name, NO_BRIDGE)?),
        None => s.bridges.values_mut().for_each(f),
    }
    Ok(())
}

fn flush(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let done = each(s, call.arg(0), |b| {
        b.mac.flush();
        b.mac_changed();
    });
    s.dirty = true;
    Outcome::Done(done.map(|()| "table successfully flushed".into()))
}

fn stats_show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let name = call.arg(0).unwrap_or_default();
    match bridge(s, call.arg(0), NO_BRIDGE) {
        Ok(b) => Outcome::ok(b.mac.stats_text(name)),
        Err(e) => Outcome::error(e),
    }
}

fn stats_clear(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let done = each(s, call.arg(0), |b| b.mac.clear_stats());
    Outcome::Done(done.map(|()| "statistics successfully cleared".into()))
}

fn number(text: &str) -> u16 {
    text.trim().parse::<u32>().map_or(0, |n| n as u16)
}

fn add(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let [_, port, vlan, mac] = [0, 1, 2, 3].map(|n| call.arg(n).unwrap_or_default());
    let b = match bridge(s, call.arg(0), NO_BRIDGE) {
        Ok(b) => b,
        Err(e) => return Outcome::error(e),
    };
    let Some(mac) = Mac::parse(mac) else { return Outcome::error("bad MAC address") };
    let bundle = b.interfaces.get(port).and_then(|i| b.bundles.get(&i.port)).copied();
    let Some(bundle) = bundle else {
        return Outcome::error("software error, odp port is present but no ofp port");
    };
    let key = MacKey::new(VlanId(number(vlan)), mac);
    let (view, was) = (b.mac.view(), b.mac.lookup(key));
    if was == Some(bundle) && view.is_static(key) {
        return Outcome::ok("");
    }
    let kind = if view.is_static(key) { "static" } else { "dynamic" };
    let told = was.map(|at| format!("Overriding already existing {kind} entry on {}\n", port_text(b, at)));
    b.mac.add_static(key, bundle);
    b.mac_changed();
    s.dirty = true;
    Outcome::ok(told.unwrap_or_default())
}

fn del(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let b = match bridge(s, call.arg(0), NO_BRIDGE) {
        Ok(b) => b,
        Err(e) => return Outcome::error(e),
    };
    let Some(mac) = call.arg(2).and_then(Mac::parse) else { return Outcome::error("bad MAC address") };
    let vlan = VlanId(number(call.arg(1).unwrap_or_default()));
    if !b.mac.del_static(MacKey::new(vlan, mac)) {
        return Outcome::error("could not find static mac entry");
    }
    b.mac_changed();
    s.dirty = true;
    Outcome::ok("")
}
