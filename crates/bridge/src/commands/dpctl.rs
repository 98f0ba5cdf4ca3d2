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
    Command::new("dpctl/list-commands", "", 0, 0, list_commands),
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

/// A datapath by name, or the only one; else why there is none.
pub(super) fn find<'a>(s: &'a mut Switch, name: Option<&str>) -> Result<&'a mut Backer, String> {
    match name {
        // Without a type, a datapath is of type `system`.
        Some(name) => {
            let full = if name.contains('@') { name.to_string() } else { format!("system@{name}") };
            s.backers.values_mut().find(|b| b.name() == full).ok_or_else(|| "No such device".into())
        }
        None if s.backers.is_empty() => Err("no datapaths exist".into()),
        None if s.backers.len() > 1 => Err("multiple datapaths, specify one".into()),
        None => s.backers.values_mut().next().ok_or_else(|| "no datapaths exist".into()),
    }
}

fn list_commands(_: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = "The available commands are:\n".to_string();
    for (name, usage) in LISTED {
        let _ = writeln!(out, "{}", format!("  dpctl/{name:<23} {usage}").trim_end());
    }
    Outcome::ok(out)
}

/// In the order of `dpctl/list-commands`.
const LISTED: &[(&str, &str)] = &[
    ("add-dp", "dp [iface...]"),
    ("del-dp", "dp"),
    ("add-if", "dp iface..."),
    ("del-if", "dp iface..."),
    ("set-if", "dp iface..."),
    ("dump-dps", ""),
    ("show", "[-s] [dp...]"),
    ("dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]"),
    ("add-flow", "[dp] flow actions"),
    ("mod-flow", "[dp] flow actions"),
    ("get-flow", "[dp] ufid"),
    ("del-flow", "[dp] flow"),
    ("add-flows", "[dp] file"),
    ("mod-flows", "[dp] file"),
    ("del-flows", "[dp] [file]"),
    ("offload-stats-show", "[dp]"),
    ("dump-conntrack", "[-m] [-s] [dp] [zone=N]"),
    ("dump-conntrack-exp", "[dp] [zone=N]"),
    ("flush-conntrack", "[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]"),
    ("cache-get-size", "[dp]"),
    ("cache-set-size", "dp cache <size>"),
    ("ct-stats-show", "[dp] [zone=N]"),
    ("ct-bkts", "[dp] [gt=N]"),
    ("ct-set-maxconns", "[dp] maxconns"),
    ("ct-get-maxconns", "[dp]"),
    ("ct-get-nconns", "[dp]"),
    ("ct-enable-tcp-seq-chk", "[dp]"),
    ("ct-disable-tcp-seq-chk", "[dp]"),
    ("ct-get-tcp-seq-chk", "[dp]"),
    ("ct-set-limits", "[dp] [default=L] [zone=N,limit=L]..."),
    ("ct-del-limits", "[dp] [default] [zone=N1[,N2]...]"),
    ("ct-get-limits", "[dp] [zone=N1[,N2]...]"),
    ("ct-get-sweep-interval", "[dp]"),
    ("ct-set-sweep-interval", "[dp] ms"),
    ("ipf-set-enabled", "[dp] v4|v6"),
    ("ipf-set-disabled", "[dp] v4|v6"),
    ("ipf-set-min-frag", "[dp] v4|v6 minfragment"),
    ("ipf-set-max-nfrags", "[dp] maxfrags"),
    ("ipf-get-status", "[dp]"),
    ("list-commands", ""),
    ("parse-actions", "actions"),
    ("normalize-actions", "actions"),
];

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
    let overridden = s.registry().dummy_mode() == netdev::registry::DummyMode::Override;
    let mut out = String::new();
    let mut missing = String::new();
    for name in &wanted {
        if find(s, Some(name)).is_err() {
            let _ = writeln!(missing, "ovs-vswitchd: opening datapath {name} failed (No such device)");
        }
    }
    for backer in s.backers.values() {
        let full = backer.name();
        if !wanted.is_empty() && !wanted.iter().any(|w| **w == full || format!("system@{w}") == full) {
            continue;
        }
        show_one(backer, counters, overridden, &mut out);
    }
    if missing.is_empty() { Outcome::ok(out) } else { Outcome::error(missing) }
}

fn show_one(backer: &Backer, counters: bool, overridden: bool, out: &mut String) {
    let stats = backer.dp.stats();
    let _ = writeln!(out, "{}:", backer.name());
    let _ = writeln!(out, "  lookups: hit:{} missed:{} lost:{}", stats.hit, stats.missed, stats.lost);
    let _ = writeln!(out, "  flows: {}", stats.flows);
    let own = if overridden || backer.kind == "dummy" { "dummy-internal" } else { "tap" };
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
    let (mut name, mut wanted, mut thread, mut none) = (None, None, None, false);
    for arg in call.args() {
        match arg.as_str() {
            "-m" | "--more" => dump.more = true,
            "--names" => dump.names = Some(true),
            "--no-names" => dump.names = Some(false),
            a => match a.split_once('=') {
                Some(("filter", f)) => wanted = Some(f.to_string()),
                Some(("pmd", n)) => match n.parse::<i64>() {
                    Ok(n) => thread = Some(n),
                    Err(_) => {
                        return Outcome::error("ovs-vswitchd: Invalid pmd argument (Invalid argument)");
                    }
                },
                Some(("type", types)) => match shows_datapath_flows(types) {
                    Ok(shown) => none = !shown,
                    Err(t) => {
                        return Outcome::error(format!(
                            "ovs-vswitchd: Failed to parse type ({t}) (Invalid argument)"
                        ));
                    }
                },
                _ => name = Some(a.to_string()),
            },
        }
    }
    let now = s.now();
    let backer = match find(s, name.as_deref()) {
        Ok(b) => b,
        Err(_) if name.is_some() => {
            return Outcome::error("ovs-vswitchd: datapath not found (Invalid argument)");
        }
        Err(e) => return Outcome::error(format!("ovs-vswitchd: {e}")),
    };
    let filter = match wanted.map(|f| parse_filter(backer, &f)) {
        None => None,
        Some(Ok(f)) => Some(f),
        Some(Err(e)) => {
            return Outcome::error(format!("ovs-vswitchd: Failed to parse filter ({e})"));
        }
    };
    let mut flows = backer.dp.dump_flows();
    flows.retain(|f| {
        let on_thread = thread.is_none_or(|n| f.thread.map_or(-1, i64::from) == n);
        !none && on_thread && filter.as_ref().is_none_or(|w| covers(w, f))
    });
    Outcome::ok(dump_text(backer, flows, &dump, now, true))
}

/// Whether a flow is what a filter asks for, in the bits that the flow looks at.
fn covers(wanted: &flow::Match, f: &DpFlow) -> bool {
    let mut seen = wanted.mask.0.clone();
    seen.apply_mask(&f.mask);
    flow::Match::masked(&wanted.key, &flow::Mask(seen)).matches(&f.key)
}

/// Whether flows of the userspace datapath are among the types asked for.
fn shows_datapath_flows(types: &str) -> Result<bool, &str> {
    let mut shown = false;
    for t in types.split(',') {
        match t {
            "ovs" | "non-offloaded" | "all" => shown = true,
            "tc" | "dpdk" | "offloaded" | "partially-offloaded" => {}
            _ => return Err(types),
        }
    }
    Ok(shown)
}

/// A filter in OpenFlow's words, with datapath ports for ports.
fn parse_filter(backer: &Backer, text: &str) -> Result<flow::Match, String> {
    struct Ports<'a>(&'a Backer);
    impl flow::text::port::PortMap for Ports<'_> {
        fn port_number(&self, name: &str) -> Option<base::OfPort> {
            self.0.port_number(name).map(|p| base::OfPort(p.0))
        }
        fn port_name(&self, _: base::OfPort) -> Option<String> {
            None
        }
    }
    let ports = Ports(backer);
    let mut parser = flow::text::parse::MatchParser::new(&ports);
    // What it says of a bad value is what traces say.
    parser.parse_exact(text).map_err(|e| e.to_string())?;
    parser.parse(text).map_err(|e| e.to_string())
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

/// Ports of a datapath by name.
pub(super) struct PortNames<'a>(pub(super) &'a Backer);

impl DpPortMap for PortNames<'_> {
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        self.0.port_number(name)
    }
    fn dp_port_name(&self, port: DpPort) -> Option<String> {
        self.0.port_name(port).map(str::to_string)
    }
}

fn del_flows(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    s.push_stats_now(r);
    // One argument is a datapath if there is one of that name, else a file of flows to delete.
    let name = call.arg(0);
    if let Some(name) = name
        && (call.args().len() > 1 || find(s, Some(name)).is_err())
    {
        return super::dpctl_flows::file(s, call, None);
    }
    match find(s, name) {
        Ok(backer) => {
            backer.dp.flush_flows();
            Outcome::ok("")
        }
        Err(e) => Outcome::error(format!("ovs-vswitchd: {e}")),
    }
}
