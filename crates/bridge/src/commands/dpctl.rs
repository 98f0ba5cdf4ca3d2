//! `dpctl/*`: datapaths by themselves.

use crate::switch::Switch;
use crate::switch::backer::Backer;
use crate::switch::host_config_of;
use base::{DpPort, Time};
use dpif::flow_text::{DumpStyle, flow_line};
use dpif::netdev::NetdevStats;
use dpif::{Datapath as _, DpFlow};
use flow::odp::{DpPortMap, OdpStyle, odp_text};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/dump-dps", "", 0, 0, dump_dps),
    Command::new("dpctl/show", "[-s] [dp...]", 0, usize::MAX, show),
    Command::new("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6, dump_flows),
    Command::new("dpctl/del-flows", "[dp] [file]", 0, 2, del_flows),
];

/// How flows are dumped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dump {
    /// With ids and all masks.
    pub more: bool,
    /// Ports by name; what `more` says unless chosen.
    pub names: Option<bool>,
}

fn dump_dps(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = String::new();
    for backer in s.backers.values() {
        let _ = writeln!(out, "{}", backer.name());
    }
    Outcome::ok(out)
}

fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let counters = call.args().iter().any(|a| a == "-s");
    let wanted: Vec<&String> = call.args().iter().filter(|a| !a.starts_with('-')).collect();
    let mut out = String::new();
    let mut missing = String::new();
    for name in &wanted {
        if !s.backers.values().any(|b| b.name() == **name) {
            let _ = writeln!(missing, "ovs-vswitchd: opening datapath {name} failed (No such device)");
        }
    }
    for backer in s.backers.values() {
        if !wanted.is_empty() && !wanted.iter().any(|w| **w == backer.name()) {
            continue;
        }
        show_one(backer, counters, &mut out);
    }
    if missing.is_empty() { Outcome::ok(out) } else { Outcome::error(missing) }
}

fn show_one(backer: &Backer, counters: bool, out: &mut String) {
    let stats = backer.dp.stats();
    let _ = writeln!(out, "{}:", backer.name());
    let _ = writeln!(out, "  lookups: hit:{} missed:{} lost:{}", stats.hit, stats.missed, stats.lost);
    let _ = writeln!(out, "  flows: {}", stats.flows);
    let own = if backer.kind == "dummy" { "dummy-internal" } else { "tap" };
    let _ = writeln!(out, "  port 0: ovs-{} ({own})", backer.kind);
    if counters {
        port_counters(
            &NetdevStats {
                rx_packets: Some(0),
                tx_packets: Some(0),
                rx_bytes: Some(0),
                tx_bytes: Some(0),
                ..Default::default()
            },
            out,
        );
    }
    for (number, port) in &backer.ports {
        let _ = write!(out, "  port {number}: {}", port.name);
        let options = host_config_of(backer, DpPort(*number));
        if port.kind != "system" || !options.is_empty() {
            let _ = write!(out, " ({}", port.kind);
            for (n, (key, value)) in options.iter().enumerate() {
                let _ = write!(out, "{}{key}={value}", if n == 0 { ": " } else { ", " });
            }
            out.push(')');
        }
        out.push('\n');
        if counters {
            let stats = backer.dp.device(DpPort(*number)).map(|d| d.stats()).unwrap_or_default();
            port_counters(&stats, out);
        }
    }
}

fn port_counters(s: &NetdevStats, out: &mut String) {
    let n = |v: Option<u64>| v.map_or("?".to_string(), |v| v.to_string());
    let _ = writeln!(
        out,
        "    RX packets:{} errors:{} dropped:{} overruns:{} frame:{}",
        n(s.rx_packets),
        n(s.rx_errors),
        n(s.rx_dropped),
        n(s.rx_over_errors),
        n(s.rx_frame_errors)
    );
    let _ = writeln!(
        out,
        "    TX packets:{} errors:{} dropped:{} aborted:? carrier:?",
        n(s.tx_packets),
        n(s.tx_errors),
        n(s.tx_dropped)
    );
    let _ = writeln!(out, "    collisions:{}", n(s.collisions));
    let _ = write!(out, "    RX bytes:{}{}", n(s.rx_bytes), scale(s.rx_bytes));
    let _ = writeln!(out, "  TX bytes:{}{}", n(s.tx_bytes), scale(s.tx_bytes));
    let _ = writeln!(out, "    UPCALL packets:? errors:?");
}

/// A count in a larger unit, from 1 KiB on.
fn scale(bytes: Option<u64>) -> String {
    let Some(n) = bytes.filter(|n| *n >= 1024) else { return String::new() };
    let mut value = n as f64 / 1024.0;
    for unit in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!(" ({value:.1} {unit})");
        }
        value /= 1024.0;
    }
    format!(" ({value:.1} TiB)")
}

fn dump_flows(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut dump = Dump::default();
    let mut name = None;
    for arg in call.args() {
        match arg.as_str() {
            "-m" | "--more" => dump.more = true,
            "--names" => dump.names = Some(true),
            "--no-names" => dump.names = Some(false),
            a if a.contains('=') => {
                return Outcome::error(format!("ovs-vswitchd: {a}: flow filters are not supported yet"));
            }
            a => name = Some(a.to_string()),
        }
    }
    let now = s.now();
    let backer = match name {
        Some(name) => s.backers.values_mut().find(|b| b.name() == name),
        None if s.backers.len() == 1 => s.backers.values_mut().next(),
        None if s.backers.is_empty() => return Outcome::error("ovs-vswitchd: no datapaths exist"),
        None => {
            return Outcome::error("ovs-vswitchd: multiple datapaths, specify one");
        }
    };
    let Some(backer) = backer else {
        return Outcome::error("ovs-vswitchd: datapath not found (Invalid argument)");
    };
    let flows = backer.dp.dump_flows();
    Outcome::ok(dump_text(backer, flows, &dump, now, true))
}

/// Flows as text, under a heading for each thread.
pub fn dump_text(backer: &Backer, mut flows: Vec<DpFlow>, dump: &Dump, now: Time, headings: bool) -> String {
    let mut out = String::new();
    let by_name = dump.names.unwrap_or(dump.more);
    let names = |p: DpPort| backer.port_name(p).map(str::to_string);
    flows.sort_by_key(|f| f.thread);
    let mut thread = None;
    for f in &flows {
        if headings && thread != Some(f.thread) {
            thread = Some(f.thread);
            match f.thread {
                None => out.push_str("flow-dump from the main thread:\n"),
                Some(n) => {
                    let _ = writeln!(out, "flow-dump from pmd on cpu core: {n}");
                }
            }
        }
        let ports = PortNames(backer);
        let style = OdpStyle { verbose: dump.more, ports: if by_name { Some(&ports) } else { None } };
        let key = odp_text(&f.key, Some(&f.mask), style);
        let names: Option<dpif::text::PortName<'_>> = if by_name { Some(&names) } else { None };
        let form = match (dump.more, headings) {
            (false, _) => DumpStyle::Short,
            (true, true) => DumpStyle::Dpctl,
            (true, false) => DumpStyle::Dpif,
        };
        out.push_str(&flow_line(f, &key, form, now, names));
        out.push('\n');
    }
    out
}

struct PortNames<'a>(&'a Backer);

impl DpPortMap for PortNames<'_> {
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        self.0.port_number(name)
    }
    fn dp_port_name(&self, port: DpPort) -> Option<String> {
        self.0.port_name(port).map(str::to_string)
    }
}

fn del_flows(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    let name = call.arg(0);
    s.push_stats_now(r);
    for backer in s.backers.values_mut() {
        if name.is_none_or(|n| backer.name() == n) {
            backer.dp.flush_flows();
        }
    }
    Outcome::ok("")
}
