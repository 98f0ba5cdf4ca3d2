//! `ofproto/*`, `bridge/*`, `dpif/*`, `revalidator/*`, `upcall/*`: bridges and their datapaths.

use super::bridge;
use super::dpctl::{Dump, dump_text};
use crate::switch::backer::Backer;
use crate::switch::bridge::{Bridge, Interface};
use crate::switch::{Switch, host_config};
use base::DpPort;
use dpif::Datapath as _;
use dpif::flow_text::DumpStyle;
use ovsdb::json::{Object, Value};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Format, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("ofproto/list", "", 0, 0, list),
    Command::new("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, dump_flows),
    Command::new("bridge/reconnect", "[bridge]", 0, 1, reconnect),
    Command::new("dpif/dump-dps", "", 0, 0, dump_dps),
    Command::new("dpif/show", "", 0, 0, show),
    Command::new("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, usize::MAX, dpif_dump_flows),
    Command::new("revalidator/wait", "", 0, 0, revalidator_wait),
    Command::new("revalidator/purge", "", 0, 0, revalidator_purge),
    Command::new("upcall/show", "", 0, 0, upcall_show),
    Command::new("upcall/enable-megaflows", "", 0, 0, |s, _, _| megaflows(s, true)),
    Command::new("upcall/disable-megaflows", "", 0, 0, |s, _, _| megaflows(s, false)),
    Command::new("upcall/enable-ufid", "", 0, 0, |s, _, _| {
        s.desk.without_ufid = false;
        Outcome::ok("Datapath dumping tersely using UFID enabled for supported datapaths")
    }),
    Command::new("upcall/disable-ufid", "", 0, 0, |s, _, _| {
        s.desk.without_ufid = true;
        Outcome::ok("Datapath dumping tersely using UFID disabled")
    }),
    Command::new("revalidator/pause", "", 0, 0, |s, _, _| {
        s.desk.paused = true;
        Outcome::ok("")
    }),
    Command::new("revalidator/resume", "", 0, 0, |s, _, _| {
        s.desk.paused = false;
        Outcome::ok("")
    }),
    Command::new("ofproto/detrace", "UFID [pmd=PMD-ID]", 1, 2, detrace),
    Command::new("dpif-dummy/change-port-number", "dp port new-number", 3, 3, change_port_number),
    Command::new("upcall/set-flow-limit", "flow-limit-number", 1, 1, set_flow_limit),
];

fn list(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = String::new();
    for name in s.bridges.keys() {
        let _ = writeln!(out, "{name}");
    }
    Outcome::ok(out)
}

fn dump_flows(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    let offload = call.arg(0) == Some("--offload-stats");
    let name = call.args().last().map(String::as_str);
    s.push_stats_now(r);
    let now = s.now();
    match bridge(s, name, "Unknown bridge") {
        Ok(b) => Outcome::ok(b.ofproto.dump_flows(now, offload, &crate::codec::actions_text)),
        Err(e) => Outcome::error(e),
    }
}

fn reconnect(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        Some(name) if !s.bridges.contains_key(name) => Outcome::error("Unknown bridge"),
        Some(name) => {
            s.reconnect(r, name);
            Outcome::ok("")
        }
        None => {
            for name in s.bridge_names() {
                s.reconnect(r, &name);
            }
            Outcome::ok("")
        }
    }
}

fn dump_dps(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = String::new();
    for b in s.bridges.values() {
        let _ = writeln!(out, "{}@{}", b.kind, b.name);
    }
    Outcome::ok(out)
}

/// What `dpif/show` says of an interface.
struct Shown {
    of_port: u16,
    dp_port: String,
    kind: String,
    options: BTreeMap<String, String>,
}

fn shown(i: &Interface, backer: &Backer) -> Shown {
    Shown {
        of_port: i.of_port.to_u16().unwrap_or(0),
        dp_port: if i.dp_port == DpPort::NONE { "none".into() } else { i.dp_port.0.to_string() },
        kind: backer.ports.get(&i.dp_port.0).map_or(i.kind.as_str(), |p| p.kind).to_string(),
        options: host_config(i, Some(backer)).into_iter().collect(),
    }
}

/// The datapaths that bridges are on.
fn show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let backers = s.backers.values().filter(|b| b.own_name.is_none());
    let bridges = |backer: &Backer| {
        let kind = backer.kind.clone();
        s.bridges.values().filter(move |b| b.kind == kind)
    };
    match call.format() {
        Format::Text => {
            let mut out = String::new();
            for backer in backers {
                let stats = backer.dp.stats();
                let _ = writeln!(out, "{}: hit:{} missed:{}", backer.name(), stats.hit, stats.missed);
                for b in bridges(backer) {
                    let _ = writeln!(out, "  {}:", b.name);
                    b.interfaces.values().for_each(|i| show_text(i, &shown(i, backer), &mut out));
                }
            }
            Outcome::ok(out)
        }
        Format::Json => {
            let of = |backer: &Backer| {
                let (stats, interfaces) = (backer.dp.stats(), |b: &Bridge| {
                    object(b.interfaces.values().map(|i| (i.name.clone(), show_json(shown(i, backer)))))
                });
                let bridges = object(bridges(backer).map(|b| (b.name.clone(), interfaces(b))));
                let stats = [("hit", stats.hit), ("missed", stats.missed)];
                let stats = object(stats.map(|(name, n)| (name.to_string(), n.to_string().into())));
                object([("bridges".to_string(), bridges), ("stats".to_string(), stats)])
            };
            Outcome::ok(object(backers.map(|b| (b.name(), of(b)))))
        }
    }
}

fn show_text(i: &Interface, shown: &Shown, out: &mut String) {
    let _ = write!(out, "    {} {}/{}: ({}", i.name, shown.of_port, shown.dp_port, shown.kind);
    for (n, (key, value)) in shown.options.iter().enumerate() {
        let _ = write!(out, "{}{key}={value}", if n == 0 { ": " } else { ", " });
    }
    out.push_str(")\n");
}

fn show_json(shown: Shown) -> Value {
    let config = object(shown.options.iter().map(|(k, v)| (k.clone(), v.clone().into())));
    let config = (!shown.options.is_empty()).then(|| ("config".to_string(), config));
    object(config.into_iter().chain([
        ("ofport".to_string(), shown.of_port.to_string().into()),
        ("port_no".to_string(), shown.dp_port.into()),
        ("type".to_string(), shown.kind.into()),
    ]))
}

fn object(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::from(members.into_iter().collect::<Object>())
}

fn dpif_dump_flows(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut dump = Dump::default();
    for option in &call.args()[..call.args().len() - 1] {
        match option.as_str() {
            "-m" => {
                dump.more = true;
                dump.names.get_or_insert(true);
            }
            "--names" => dump.names = Some(true),
            "--no-names" => dump.names = Some(false),
            _ => {}
        }
    }
    let name = call.args().last().map(String::as_str);
    let Some((kind, id)) = name.and_then(|n| s.bridges.get(n)).map(|b| (b.kind.clone(), b.id)) else {
        return Outcome::error("no such bridge");
    };
    let now = s.now();
    let Some(backer) = s.backers.get_mut(&kind) else { return Outcome::error("no such bridge") };
    let map = backer.map.clone();
    let flows = backer.dp.dump_flows();
    let ours = flows.into_iter().filter(|f| map.get(f.key.dp_port()).is_some_and(|(b, _)| b == id));
    let style = if dump.more { DumpStyle::Dpif } else { DumpStyle::Short };
    Outcome::ok(dump_text(backer, ours.collect(), &dump, now, style, false))
}

fn revalidator_wait(s: &mut Switch, r: &mut Reactor, _: &Call) -> Outcome {
    for backer in s.backers.values_mut() {
        backer.dp.settle(Duration::from_secs(1));
    }
    s.run_packets(r);
    s.push_stats_now(r);
    Outcome::ok("")
}

fn revalidator_purge(s: &mut Switch, r: &mut Reactor, _: &Call) -> Outcome {
    s.push_stats_now(r);
    for backer in s.backers.values_mut() {
        backer.dp.flush_flows();
    }
    s.push_stats_now(r);
    Outcome::ok("")
}

fn upcall_show(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = String::new();
    let ufid = !s.desk.without_ufid;
    for backer in s.backers.values_mut() {
        let flows = backer.dp.dump_flows().len();
        let limit = s.desk.flow_limit.unwrap_or(FLOW_LIMIT);
        let _ = writeln!(out, "{}:", backer.name());
        let _ =
            writeln!(out, "  flows         : (current {flows}) (avg {flows}) (max {flows}) (limit {limit})");
        let _ = writeln!(out, "  dump duration : 1ms");
        let _ = writeln!(out, "  ufid enabled : {ufid}");
        // One thread revalidates; threads are numbered from the main one on.
        let _ = writeln!(out, "\n  4: (keys {flows})");
    }
    Outcome::ok(out)
}

/// The limit that `upcall/show` begins with: it grows with what the machine turns out to manage.
const FLOW_LIMIT: u32 = 10_000;

fn detrace(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some(ufid) = call.arg(0).and_then(|t| t.strip_prefix("ufid:")).and_then(dpif::flow_text::parse_ufid)
    else {
        return Outcome::error("failed to parse ufid");
    };
    let mut out = String::new();
    for backer in s.backers.values_mut() {
        if backer.dp.flow(ufid).is_some() {
            return Outcome::error(
                "ofproto/detrace is not supported: flows do not keep the rules they came from",
            );
        }
        let _ = writeln!(out, "UFID was not found for {}", backer.name());
    }
    Outcome::ok(out)
}

fn change_port_number(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let [dp, port, number] = [0, 1, 2].map(|n| call.arg(n).unwrap_or_default());
    let Some(backer) = s.backers.values().find(|b| format!("ovs-{}", b.kind) == dp) else {
        return Outcome::error("unknown datapath or not a dummy");
    };
    if backer.port_number(port).is_none() {
        return Outcome::error("unknown port");
    }
    if !number.parse::<u32>().is_ok_and(|n| n > 0) {
        return Outcome::error("bad port number");
    }
    Outcome::error("dpif-dummy/change-port-number is not supported")
}

fn megaflows(s: &mut Switch, on: bool) -> Outcome {
    for backer in s.backers.values_mut() {
        backer.dp.tunables().megaflows.store(on.into(), Relaxed);
        backer.dp.flush_flows();
    }
    Outcome::ok(if on { "megaflows enabled" } else { "megaflows disabled" })
}

fn set_flow_limit(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let limit: u32 = call.arg(0).and_then(|t| t.parse().ok()).unwrap_or(0);
    s.desk.flow_limit = Some(limit);
    for backer in s.backers.values() {
        backer.dp.tunables().flow_limit.store(limit, Relaxed);
    }
    Outcome::ok(format!("set flow_limit to {limit}"))
}
