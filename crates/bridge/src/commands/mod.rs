//! Run-time commands that look into the switch and push it: what `ovs-appctl` calls.

mod dpctl;
mod dummy;
mod fdb;
mod ofproto;
mod trace;

use crate::switch::Switch;
use crate::switch::bridge::Bridge;
use reactor::unixctl::CommandTable;

/// Adds all of the switch's commands to a daemon's, which finds the switch in its state by `part`.
pub fn register<S: 'static>(table: &mut CommandTable<S>, dummies: bool, part: fn(&mut S) -> &mut Switch) {
    table.add_part(ofproto::COMMANDS, part);
    table.add_part(fdb::COMMANDS, part);
    table.add_part(dpctl::COMMANDS, part);
    table.add_part(trace::COMMANDS, part);
    if dummies {
        table.add_part(dummy::COMMANDS, part);
    }
}

/// A bridge by the name that a command gives.
fn bridge<'a>(switch: &'a mut Switch, name: Option<&str>, missing: &str) -> Result<&'a mut Bridge, String> {
    name.and_then(|n| switch.bridges.get_mut(n)).ok_or_else(|| missing.to_string())
}
