//! `in-band/show`: what is known of each remote, which flows let its traffic through, and when that is looked at again.

use crate::codec;
use crate::switch::Switch;
use base::Time;
use flow::text::{Style, match_text};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The command.
pub const COMMANDS: &[Command<Switch>] = &[Command::new("in-band/show", "bridge", 1, 1, show)];

fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let now = s.now();
    let b = match super::bridge(s, call.arg(0), "no such bridge") {
        Ok(b) => b,
        Err(e) => return Outcome::error(e),
    };
    let Some(control) = &b.in_band else {
        return Outcome::ok(format!(
            "{}: in-band control is off: no remote is to be reached in-band\n",
            b.name
        ));
    };
    let m = &control.machine;
    let (local, remotes) = m.next_refreshes();
    let mut out = format!("{}:\n", b.name);
    let unknown = || "unknown".to_string();
    let mac = m.local_mac().map_or_else(unknown, |m| m.to_string());
    let _ = writeln!(out, "  local port: {mac} (next refresh in {})", until(now, local));
    let _ = writeln!(out, "  queue: {}", m.queue().map_or("none".to_string(), |q| q.to_string()));
    for (name, address) in &control.names {
        let address = address.map_or("not resolved yet".to_string(), |a| a.to_string());
        let _ = writeln!(out, "  name {name}: {address}");
    }
    for r in m.remotes() {
        let way = match &r.hop {
            Ok(hop) => {
                let gateway = hop.gateway.map_or("directly".to_string(), |g| format!("via {g}"));
                let mac = r.mac.map_or_else(unknown, |m| m.to_string());
                format!("{gateway} dev {}, next hop {mac}", hop.device)
            }
            Err(why) => format!("no route ({why})"),
        };
        let _ = writeln!(out, "  remote {}: {way} (next refresh in {})", r.address, until(now, remotes));
    }
    let actions = codec::actions_text(&m.actions());
    let _ = writeln!(out, "  flows:");
    for (priority, matching) in m.rules() {
        let matching = match_text(&matching.expand(), None, Style::default());
        let _ = writeln!(out, "    priority={priority},{matching},actions={actions}");
    }
    Outcome::ok(out)
}

fn until(now: Time, at: Time) -> String {
    format!("{:.1} s", at.since(now).as_secs_f64())
}
