//! What a datapath holds: `dpctl/show` and `dpctl/dump-flows`.

use super::{Options, PortNames, error, lookup, optional, sorted};
use crate::switch::Switch;
use crate::switch::backer::Backer;
use crate::switch::host_config_of;
use base::{DpPort, Time};
use dpif::flow_text::{DumpStyle, flow_line};
use dpif::netdev::NetdevStats;
use dpif::{Datapath as _, DpFlow};
use flow::odp::{OdpStyle, odp_text};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The commands.
pub(super) const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/show", "[-s] [dp...]", 0, usize::MAX, show),
    Command::new("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6, dump_flows),
];

/// How flows are dumped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dump {
    /// With ids and all masks.
    pub more: bool,
    /// Ports by name; what `more` says unless chosen.
    pub names: Option<bool>,
}

fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let (options, wanted) = match Options::parse(call.args()) {
        Ok(o) => o,
        Err(e) => return Outcome::error(e),
    };
    let mut out = String::new();
    if wanted.is_empty() {
        sorted(s).iter().for_each(|b| show_one(b, options.statistics, &mut out));
        return Outcome::ok(out);
    }
    let mut all = true;
    for name in wanted {
        match lookup(s, name) {
            Ok(backer) => show_one(backer, options.statistics, &mut out),
            Err(e) => {
                all = false;
                out.push_str(&error(format!("opening datapath {name} failed ({e})")));
            }
        }
    }
    if all { Outcome::ok(out) } else { Outcome::error(out) }
}

fn show_one(backer: &Backer, counters: bool, out: &mut String) {
    let stats = backer.dp.stats();
    let _ = writeln!(out, "{}:", backer.name());
    let _ = writeln!(out, "  lookups: hit:{} missed:{} lost:{}", stats.hit, stats.missed, stats.lost);
    let _ = writeln!(out, "  flows: {}", stats.flows);
    let _ = writeln!(out, "  port 0: {} ({})", backer.own_port(), backer.own_kind);
    if counters {
        let stats = backer.dp.device(DpPort(0)).map_or_else(|| untouched(backer.own_kind), |d| d.stats());
        port_counters(&stats, out);
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

/// Counters of the datapath's own port, which has no device: what one of its kind would count.
fn untouched(kind: &str) -> NetdevStats {
    let errors = (kind == "tap").then_some(0);
    NetdevStats {
        rx_packets: Some(0),
        tx_packets: Some(0),
        rx_bytes: Some(0),
        tx_bytes: Some(0),
        rx_errors: errors,
        tx_errors: errors,
        rx_dropped: errors,
        tx_dropped: errors,
        collisions: errors,
        rx_over_errors: errors,
        rx_frame_errors: errors,
        tx_aborted_errors: errors,
        tx_carrier_errors: errors,
        ..Default::default()
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
        "    TX packets:{} errors:{} dropped:{} aborted:{} carrier:{}",
        n(s.tx_packets),
        n(s.tx_errors),
        n(s.tx_dropped),
        n(s.tx_aborted_errors),
        n(s.tx_carrier_errors)
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

/// What `dpctl/dump-flows` is asked for.
#[derive(Default)]
struct Wanted<'a> {
    datapath: Option<&'a str>,
    filter: Option<&'a str>,
    thread: Option<i64>,
    types: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn parse(args: &'a [String]) -> Result<Wanted<'a>, String> {
        let mut w = Wanted::default();
        for arg in args {
            match arg.split_once('=') {
                Some(("filter", f)) if w.filter.is_none() => w.filter = Some(f),
                Some(("pmd", n)) if w.thread.is_none() => {
                    w.thread = Some(n.parse().map_err(|_| String::new())?);
                }
                Some(("type", t)) if w.types.is_none() => w.types = Some(t),
                _ if w.datapath.is_none() => w.datapath = Some(arg),
                _ => {}
            }
        }
        Ok(w)
    }
}

fn dump_flows(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    Outcome::Done(dump_wanted(s, call.args()).map(Into::into))
}

fn dump_wanted(s: &mut Switch, args: &[String]) -> Result<String, String> {
    let (options, args) = Options::parse(args)?;
    let wanted = Wanted::parse(args)?;
    let now = s.now();
    let backer = optional(s, wanted.datapath)?;
    let filter = match wanted.filter.map(|f| parse_filter(backer, f)) {
        None => None,
        Some(Ok(f)) => Some(f),
        Some(Err(e)) => return Err(error(format!("Failed to parse filter ({e})"))),
    };
    if !shows_datapath_flows(wanted.types)? {
        return Ok(String::new());
    }
    let mut flows = backer.dp.dump_flows();
    flows.retain(|f| {
        let on_thread = wanted.thread.is_none_or(|n| f.thread.map_or(-1, i64::from) == n);
        on_thread && filter.as_ref().is_none_or(|w| covers(w, f))
    });
    let dump = Dump { more: options.more, names: options.names };
    let style = if options.more { DumpStyle::Dpctl } else { DumpStyle::Short };
    Ok(dump_text(backer, flows, &dump, now, style, wanted.thread.is_none()))
}

/// Whether a flow is what a filter asks for, in the bits that the flow looks at.
fn covers(wanted: &flow::Match, f: &DpFlow) -> bool {
    let mut seen = wanted.mask.0.clone();
    seen.apply_mask(&f.mask);
    flow::Match::masked(&wanted.key, &flow::Mask(seen)).matches(&f.key)
}

/// Whether flows of the userspace datapath are among the types asked for.
fn shows_datapath_flows(types: Option<&str>) -> Result<bool, String> {
    let Some(types) = types else { return Ok(true) };
    let mut shown = false;
    for t in types.split(',').filter(|t| !t.is_empty()) {
        match t {
            "ovs" | "non-offloaded" | "all" => shown = true,
            "tc" | "dpdk" | "offloaded" | "partially-offloaded" => {}
            t => return Err(error(format!("Failed to parse type ({t}) (Invalid argument)"))),
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

/// Flows as text, under a heading for each thread where that is asked for.
pub fn dump_text(
    backer: &Backer,
    mut flows: Vec<DpFlow>,
    dump: &Dump,
    now: Time,
    form: DumpStyle,
    headings: bool,
) -> String {
    let mut out = String::new();
    let by_name = dump.names.unwrap_or(dump.more);
    let names = |p: DpPort| backer.port_name(p);
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
        out.push_str(&flow_line(f, &key, form, now, names));
        out.push('\n');
    }
    out
}
