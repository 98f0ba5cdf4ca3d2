//! Run-time commands that look into the switch and push it: what `ovs-appctl` calls.

mod dpctl;
mod dummy;
mod fdb;
mod features;
mod in_band;
mod links;
mod ofproto;
mod routes;
mod threads;
mod trace;

use crate::switch::Switch;
use crate::switch::bridge::Bridge;
use reactor::unixctl::CommandTable;

/// What only commands set and ask.
#[derive(Default)]
pub(crate) struct Desk {
    /// Routes and neighbours.
    pub(crate) routing: routes::Routing,
    /// Settings of connection tracking.
    pub(crate) tracking: std::collections::BTreeMap<String, dpctl::Tracking>,
    /// Counters when they were last cleared.
    pub(crate) cleared: threads::Cleared,
    /// `dpif-netdev/subtable-lookup-prio-set`
    pub(crate) lookup_priority: Option<u8>,
    /// `upcall/disable-ufid`
    pub(crate) without_ufid: bool,
    /// `upcall/set-flow-limit`
    pub(crate) flow_limit: Option<u32>,
    /// `revalidator/pause`
    pub(crate) paused: bool,
}

/// Adds all of the switch's commands to a daemon's, which finds the switch in its state by `part`.
pub fn register<S: 'static>(table: &mut CommandTable<S>, dummies: bool, part: fn(&mut S) -> &mut Switch) {
    table.add_part(ofproto::COMMANDS, part);
    table.add_part(fdb::COMMANDS, part);
    dpctl::register(table, part);
    table.add_part(trace::COMMANDS, part);
    table.add_part(links::COMMANDS, part);
    table.add_part(links::BONDS, part);
    table.add_part(threads::COMMANDS, part);
    table.add_part(features::COMMANDS, part);
    table.add_part(in_band::COMMANDS, part);
    table.add_part(routes::COMMANDS, part);
    if dummies {
        table.add_part(dummy::COMMANDS, part);
    }
}

/// A bridge by the name that a command gives.
fn bridge<'a>(switch: &'a mut Switch, name: Option<&str>, missing: &str) -> Result<&'a mut Bridge, String> {
    name.and_then(|n| switch.bridges.get_mut(n)).ok_or_else(|| missing.to_string())
}
