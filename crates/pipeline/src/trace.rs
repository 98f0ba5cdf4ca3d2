//! `ofproto/trace` and `ofproto/trace-packet-out`: a translation with a record, as text.

use crate::ctx::Fork;
use crate::recorder::Recorder;
use crate::snapshot::{BridgeId, BridgeView, Snapshot};
use crate::text::{self, Namer};
use crate::translate::{self, Outcome};
use crate::translation::{Origin, Request, Translation};
use base::{DpPort, OfPort};
use dpif::action::SlowPath;
use flow::compose::{Payload, compose};
use flow::key::{VLAN_PRESENT, eth_type};
use flow::odp::{Attr, DpPortMap, parse_odp};
use flow::prereq::key_meets;
use flow::text::MatchParser;
use flow::text::lex::{Pair, pairs};
use flow::text::port::PortMap;
use flow::text::value::full_mask;
use flow::{Field, FlowKey, Match};
use openflow::action::text::{Outer, parse_list};
use openflow::text::TextCx;
use openflow::{Action, NameMap, Names, NoNames};
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

/// What a trace is about, and how it prints.
#[derive(Clone, Copy)]
pub struct Trace<'a> {
    /// The packet's flow. With [`Origin::Port`] and [`Origin::PacketOut`] its in_port is an OpenFlow number.
    pub key: &'a FlowKey,
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// Names of ports and tables to print instead of numbers.
    pub names: Option<&'a dyn Names>,
    /// Names of datapath ports to print instead of numbers.
    pub dp_names: Option<dpif::text::PortName<'a>>,
    /// Connection states that the connection tracker answers with, in turn.
    pub ct_next: &'a [u32],
}

/// The text of a trace, from `Flow:` to the last note.
pub fn trace(snap: &Snapshot, t: &Trace<'_>) -> String {
    record(snap, t, true).0
}

fn record(snap: &Snapshot, t: &Trace<'_>, dry_run: bool) -> (String, Translation) {
    let mut rec = Recorder::new();
    let namer = Namer(t.names.unwrap_or(&NoNames));
    let req = Request { key: t.key, origin: t.origin, dry_run };
    let in_port = match t.origin {
        Origin::Datapath => snap.dp_ports.get(t.key.dp_port()).map_or(OfPort::NONE, |(_, p)| p),
        Origin::Port(_, port) | Origin::PacketOut { in_port: port, .. } => port,
    };
    let mut key = t.key.clone();
    key.set_in_port(in_port);
    let mut out = format!("Flow: {}\n", text::flow(&key, &namer));
    let outcome = translate::run(snap, &req, Some(&mut rec), namer);
    out.push_str(&rec.text());
    finish(&mut out, &key, &outcome, &namer, t.dp_names);
    let mut forks = VecDeque::new();
    let mut next = t.ct_next.iter();
    let mut pending = outcome.shown.map(|s| s.forks).unwrap_or_default();
    loop {
        forks.extend(pending.drain(..));
        if out.len() > MAX_TEXT {
            break;
        }
        let Some(fork) = forks.pop_front() else { break };
        pending = resumed(snap, t, fork, next.next().copied(), &mut out);
    }
    (out, outcome.translation)
}

/// A trace that says more than this does not follow further recirculations.
const MAX_TEXT: usize = 1 << 20;

/// Traces a packet that comes back from the connection tracker; gives those that go there from it.
fn resumed(snap: &Snapshot, t: &Trace<'_>, fork: Fork, state: Option<u32>, out: &mut String) -> Vec<Fork> {
    let rule = "=".repeat(79);
    let flags = &flow::text::flags::CT_STATE;
    let default = flow::key::ct_state::TRK | flow::key::ct_state::NEW;
    let _ = writeln!(out, "\n{rule}");
    let _ = match state {
        None => writeln!(
            out,
            "recirc({:#x}) - resume conntrack with default ct_state=trk|new (use --ct-next to customize)",
            fork.id
        ),
        Some(s) => {
            writeln!(out, "recirc({:#x}) - resume conntrack with ct_state={}", fork.id, flags.list(s, "|"))
        }
    };
    if fork.nat {
        out.push_str("Replacing src/dst IP/ports to simulate NAT:\n Initial flow: \n Modified flow: \n");
    }
    let _ = writeln!(out, "{rule}\n");
    let mut key = fork.key;
    key.set(Field::CT_STATE, state.unwrap_or(default).into());
    key.set(Field::ACTSET_OUTPUT, 0);
    let bridge = match snap.recirc.get(fork.id) {
        Some(frozen) => frozen.bridge,
        None => return Vec::new(),
    };
    let namer = Namer(t.names.unwrap_or(&NoNames));
    let _ = writeln!(out, "Flow: {}", text::flow(&key, &namer));
    let mut rec = Recorder::new();
    let req = Request { key: &key, origin: Origin::Port(bridge, key.in_port()), dry_run: true };
    let outcome = translate::run(snap, &req, Some(&mut rec), namer);
    out.push_str(&rec.text());
    finish(out, &key, &outcome, &namer, t.dp_names);
    outcome.shown.map(|s| s.forks).unwrap_or_default()
}

fn finish(
    out: &mut String,
    key: &FlowKey,
    outcome: &Outcome,
    names: &Namer<'_>,
    dp_names: Option<dpif::text::PortName<'_>>,
) {
    let t = &outcome.translation;
    let mut original = key.clone();
    original.set(Field::ACTSET_OUTPUT, OfPort::UNSET.0.into());
    let Some(shown) = &outcome.shown else { return };
    let mut last = shown.flow.clone();
    if last == original {
        out.push_str("\nFinal flow: unchanged\n");
    } else {
        last.set(Field::ACTSET_OUTPUT, 0);
        let _ = writeln!(out, "\nFinal flow: {}", text::flow(&last, names));
    }
    let mask = translate::for_display(&shown.looked_at, key);
    let _ = writeln!(out, "Megaflow: {}", text::megaflow(key, &mask, names));
    let _ = writeln!(out, "Datapath actions: {}", dpif::text::format_actions(&t.actions, dp_names));
    if let Some(reason) = t.drop_reason.filter(|r| r.is_failure()) {
        let _ = writeln!(out, "Translation failed ({reason}), packet is dropped.");
    }
    if !t.slow.is_empty() && !t.failed() {
        out.push_str("This flow is handled by the userspace slow path because it:\n");
        for (bit, words) in SLOW_WORDS {
            if t.slow.intersects(bit) {
                let _ = writeln!(out, "  - {words}");
            }
        }
    }
}

const SLOW_WORDS: [(SlowPath, &str); 7] = [
    (SlowPath::CFM, "Consists of CFM packets."),
    (SlowPath::BFD, "Consists of BFD packets."),
    (SlowPath::LACP, "Consists of LACP packets."),
    (SlowPath::STP, "Consists of STP packets."),
    (SlowPath::LLDP, "Consists of LLDP packets."),
    (SlowPath::ACTION, "Uses action(s) not supported by datapath."),
    (SlowPath::MATCH, "Needs more specific match than supported by datapath."),
];

/// What a command line of `ofproto/trace` is about.
struct Parsed {
    key: FlowKey,
    bridge: BridgeId,
    in_port: OfPort,
    names: bool,
    ct_next: Vec<u32>,
    consistent: bool,
    /// The packet, if it is known: what the trace causes then happens.
    packet: Option<Vec<u8>>,
}

/// The answer to a command line.
#[derive(Debug)]
pub struct Traced {
    /// What to print.
    pub text: String,
    /// The packet, if one was given or made, and what it causes, which is to happen.
    pub live: Option<Live>,
}

/// A traced packet.
#[derive(Debug)]
pub struct Live {
    /// Its bytes.
    pub packet: Vec<u8>,
    /// Its flow; in_port is an OpenFlow number.
    pub key: FlowKey,
    /// Where it came in.
    pub port: DpPort,
    /// The translation. Of its actions, those that send to ports are not to be executed.
    pub translation: Translation,
}

/// `ofproto/trace ARGS`, the command's name left out. `datapaths` are the names of the datapaths there are.
pub fn command(snap: &Snapshot, args: &[&str], datapaths: &[&str]) -> Result<Traced, String> {
    let p = parse(snap, args, datapaths, false)?;
    Ok(run(snap, p, None))
}

/// `ofproto/trace-packet-out ARGS`.
pub fn packet_out_command(snap: &Snapshot, args: &[&str], datapaths: &[&str]) -> Result<Traced, String> {
    let Some((actions, args)) = split_actions(args) else {
        return Err("\"ofproto/trace-packet-out\" command requires at least 2 arguments".into());
    };
    // Ports of the bridge that is named first have names in the actions.
    let bridge = args.iter().find(|a| !a.starts_with('-')).and_then(|name| snap.bridge_by_name(name));
    let map = bridge.map(port_names).unwrap_or_default();
    let actions = parse_list(actions, Outer::List, &mut TextCx::new(&map)).map_err(|e| e.to_string())?;
    let p = parse(snap, &args, datapaths, true)?;
    check(&p, &actions)?;
    Ok(run(snap, p, Some(&actions)))
}

/// Actions that make no sense for the packet are refused if so asked, or if one of them is of an OpenFlow version that
/// does so.
fn check(p: &Parsed, actions: &[Action]) -> Result<(), String> {
    let modern = actions.iter().any(|a| matches!(a, Action::PushVlan(_)));
    if !p.consistent && !modern {
        return Ok(());
    }
    let strip = |a: &Action| matches!(a, Action::StripVlan(_));
    let mut tagged = p.key.vlan(0).1 & VLAN_PRESENT != 0;
    for a in actions {
        if strip(a) && !std::mem::replace(&mut tagged, false) {
            return Err("Bad actions: OFPBAC_MATCH_INCONSISTENT".into());
        }
        tagged |= matches!(a, Action::PushVlan(_));
    }
    Ok(())
}

/// The last argument that is not an option, and the others.
fn split_actions<'a>(args: &[&'a str]) -> Option<(&'a str, Vec<&'a str>)> {
    let at = args.iter().rposition(|a| !a.starts_with('-'))?;
    let mut rest = args.to_vec();
    let actions = rest.remove(at);
    Some((actions, rest))
}

fn run(snap: &Snapshot, p: Parsed, actions: Option<&[Action]>) -> Traced {
    let origin = match actions {
        Some(actions) => Origin::PacketOut { bridge: p.bridge, in_port: p.in_port, actions },
        None => Origin::Port(p.bridge, p.in_port),
    };
    let map = snap.bridge(p.bridge).map(port_names).unwrap_or_default();
    let dp = |port: DpPort| DpNames(snap).dp_port_name(port);
    let dp_names: Option<dpif::text::PortName<'_>> = if p.names { Some(&dp) } else { None };
    let names = p.names.then_some(&map as &dyn Names);
    let dry_run = p.packet.is_none();
    let t = Trace { key: &p.key, origin, names, dp_names, ct_next: &p.ct_next };
    let recirc = if dry_run { Arc::new(snap.recirc.branch()) } else { snap.recirc.clone() };
    let (text, translation) = record(&Snapshot { recirc, ..snap.clone() }, &t, dry_run);
    let port = snap.bridge(p.bridge).and_then(|b| b.port(p.in_port)).map_or(DpPort::NONE, |p| p.dp_port);
    let live = p.packet.map(|packet| Live { packet, key: p.key, port, translation });
    Traced { text, live }
}

fn port_names(bridge: &BridgeView) -> NameMap {
    let mut map = NameMap::default();
    for p in bridge.ports.iter() {
        map.add_port(p.of_port, &p.name);
    }
    map
}

/// Options, then `[DATAPATH] ODP_FLOW [PACKET]` or `BRIDGE FLOW [PACKET]`.
fn parse(snap: &Snapshot, args: &[&str], datapaths: &[&str], packet_out: bool) -> Result<Parsed, String> {
    let mut words: Vec<&str> = Vec::new();
    let (mut names, mut generate, mut consistent) = (false, false, false);
    let mut payload: Option<Vec<u8>> = None;
    let mut ct_next = Vec::new();
    let mut iter = args.iter();
    while let Some(a) = iter.next() {
        let mut value = || iter.next().copied().ok_or_else(|| format!("Missing argument for option {a}"));
        match *a {
            "--names" => names = true,
            "-generate" | "--generate" => generate = true,
            "--l7" => payload = Some(hex_bytes(value()?)?),
            // As many bytes as the digits at the beginning say.
            "--l7-len" => {
                let text = value()?;
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                let len = text[..digits].parse().unwrap_or(0usize).min(MAX_PAYLOAD);
                payload = Some((0..len).map(|i| i as u8).collect());
            }
            "--ct-next" => ct_next.push(parse_ct_state(value()?)?),
            "-consistent" | "--consistent" if packet_out => consistent = true,
            option if option.starts_with('-') && option.len() > 1 => {
                return Err(format!("{option}: unknown option"));
            }
            word => words.push(word),
        }
    }
    if words.len() > 3 {
        return Err("too many arguments".into());
    }
    if words.is_empty() {
        let name = if packet_out { "trace-packet-out" } else { "trace" };
        return Err(format!("\"ofproto/{name}\" command requires at least 1 arguments"));
    }
    if generate && words.len() == 3 {
        return Err("Syntax error".into());
    }
    let (mut p, packet) = match words[..] {
        [flow] => {
            let key =
                datapath_flow(snap, flow).map_err(|e| format!("{e} (or the bridge name was omitted)"))?;
            (odp(snap, &key)?, None)
        }
        [flow, packet] if packet_bytes(packet).is_ok() && datapath_flow(snap, flow).is_ok() => {
            (odp(snap, &datapath_flow(snap, flow)?)?, Some(packet))
        }
        [first, flow, ref rest @ ..] => {
            let p = match datapath_flow(snap, flow) {
                Ok(_) if !datapaths.contains(&first) => return Err("Cannot find the datapath".into()),
                Ok(key) => odp(snap, &key)?,
                Err(_) => on_bridge(snap, first, flow)?,
            };
            (p, rest.first().copied())
        }
        [] => return Err("Syntax error".into()),
    };
    if let Some(packet) = packet {
        let packet = packet_bytes(packet)?;
        p.key = with_packet(&p.key, &packet, snap.limits.vlan_limit);
        p.packet = Some(packet);
    } else if generate {
        let payload = payload.as_deref().map_or(Payload::Counting, Payload::Bytes);
        p.packet = Some(compose(&p.key, payload, false).map_err(|e| e.to_string())?);
    }
    (p.names, p.consistent, p.ct_next) = (names, consistent, ct_next);
    Ok(p)
}

/// Names of datapath ports, for reading flows.
struct DpNames<'a>(&'a Snapshot);

impl DpPortMap for DpNames<'_> {
    fn dp_port_name(&self, port: DpPort) -> Option<String> {
        let (bridge, of) = self.0.dp_ports.get(port)?;
        Some(self.0.bridge(bridge)?.port(of)?.name.to_string())
    }
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        let mut ports = self.0.bridges.iter().flatten().flat_map(|b| b.ports.iter());
        ports.find(|p| *p.name == *name).map(|p| p.dp_port)
    }
}

fn datapath_flow(snap: &Snapshot, text: &str) -> Result<FlowKey, String> {
    let flow = parse_odp(text, &DpNames(snap)).map_err(|e| e.to_string())?;
    let mut key = flow.key;
    if !flow.attrs.has(Attr::InPort) {
        key.set_dp_port(DpPort::NONE);
    }
    Ok(key)
}

fn on_bridge(snap: &Snapshot, bridge: &str, flow: &str) -> Result<Parsed, String> {
    let Some(bridge) = snap.bridge_by_name(bridge) else {
        return Err(format!("{bridge}: unknown bridge"));
    };
    let map = port_names(bridge);
    let key = exact_flow(flow, &Namer(&map)).map_err(|e| format!("Bad openflow flow syntax: {flow}: {e}"))?;
    let in_port = key.in_port();
    Ok(parsed(key, bridge.id, in_port))
}

/// A datapath flow belongs to the bridge of its port.
fn odp(snap: &Snapshot, key: &FlowKey) -> Result<Parsed, String> {
    let port = key.dp_port();
    let Some((bridge, in_port)) = snap.dp_ports.get(port) else {
        return Err(format!("no OpenFlow port for datapath port {}", port.0));
    };
    let mut key = key.clone();
    key.set_in_port(in_port);
    limit_tags(&mut key, snap.limits.vlan_limit);
    Ok(parsed(key, bridge, in_port))
}

fn parsed(key: FlowKey, bridge: BridgeId, in_port: OfPort) -> Parsed {
    Parsed { key, bridge, in_port, names: false, consistent: false, ct_next: Vec::new(), packet: None }
}

/// Tags beyond the limit are payload: the frame's type is the type of the first of them.
fn limit_tags(key: &mut FlowKey, limit: u8) {
    let n = usize::from(limit);
    if n < 2 && key.vlan(n).1 & VLAN_PRESENT != 0 {
        let (tpid, _) = key.vlan(n);
        for n in n..2 {
            key.set_vlan(n, 0, 0);
        }
        key.set_eth_type(tpid);
        let (l3, pipeline) = (flow::layout::STAGE_L3, flow::layout::STAGE_PIPELINE);
        key.words[l3..pipeline].fill(0);
        key.bytes_mut()[flow::layout::MPLS..flow::layout::MPLS + 12].fill(0);
    }
}

/// More would not fit into an IP packet.
const MAX_PAYLOAD: usize = 0xffff;

fn hex_bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err("Trailing garbage in packet data".into());
    }
    let nibble = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    Ok(digits.chunks(2).map(|c| nibble(c[0]) << 4 | nibble(c[1])).collect())
}

fn packet_bytes(hex: &str) -> Result<Vec<u8>, String> {
    let packet = hex_bytes(hex)?;
    if packet.len() < 14 {
        return Err("Packet data too short for Ethernet".into());
    }
    Ok(packet)
}

fn with_packet(key: &FlowKey, packet: &[u8], vlan_limit: u8) -> FlowKey {
    let meta = flow::extract::Metadata { vlan_limit, ..flow::extract::Metadata::of(key) };
    let (mut new, _) = flow::extract::extract_key(packet, &meta);
    let at = flow::layout::STAGE_PIPELINE;
    new.words[at..].copy_from_slice(&key.words[at..]);
    new
}

fn parse_ct_state(flags: &str) -> Result<u32, String> {
    let known = flow::text::flags::CT_STATE.names;
    let mut state = 0;
    for f in flags.split([',', ' ', '|']).filter(|f| !f.is_empty()) {
        match known.iter().find(|(name, _)| *name == f) {
            Some((_, bit)) => state |= bit,
            None => return Err(format!("{f}: unknown connection tracking state flag")),
        }
    }
    if state != 0 && state & flow::key::ct_state::TRK == 0 {
        let why = "If \"trk\" is unset, no other flags are set";
        return Err(format!("{flags}: invalid connection state: {why}"));
    }
    Ok(state)
}

/// Reads a flow as `ovs-ofctl` would a match, but one that has no wildcards: what is not said is zero.
pub fn exact_flow(text: &str, ports: &dyn PortMap) -> Result<FlowKey, String> {
    let mut m = Match::any();
    let mut parser = MatchParser::new(ports);
    for Pair { key: name, value, .. } in pairs(text) {
        if value.is_empty() {
            let mut probe = Match::any();
            if parser.keyword(&mut probe, name) {
                if probe.mask.get(Field::ETH_TYPE) != 0 && m.mask.get(Field::ETH_TYPE) != 0 {
                    return Err("Ethernet type set multiple times".into());
                }
                if probe.mask.get(Field::IP_PROTO) != 0 && m.mask.get(Field::IP_PROTO) != 0 {
                    return Err("network protocol set multiple times".into());
                }
                parser.keyword(&mut m, name);
                continue;
            }
        }
        let Some(field) = Field::from_name(name) else { return Err(format!("unknown field {name}")) };
        if m.mask.get(field) != 0
            && !matches!(field, Field::PACKET_TYPE | Field::DL_VLAN | Field::DL_VLAN_PCP)
        {
            return Err(format!("field {name} set multiple times"));
        }
        if !key_meets(&m.key, field.info().prereq) && field.info().prereq != flow::Prereq::Ethernet {
            return Err(format!("prerequisites not met for setting {name}"));
        }
        let bad = |e: &str| format!("bad value for {name} ({e})");
        let (v, mask) =
            flow::text::value::parse_value(field, value, ports, &mut |_| {}).map_err(|e| bad(&e))?;
        if mask != full_mask(field.info()) {
            return Err(bad(&format!("{value}: wildcards not allowed here")));
        }
        m.set(field, v);
    }
    let mut key = m.key;
    if m.mask.get(Field::IN_PORT) == 0 {
        key.set_in_port(OfPort::NONE);
    }
    for n in 0..2 {
        let (tpid, tci) = key.vlan(n);
        if tci & VLAN_PRESENT != 0 && tpid == 0 {
            key.set_vlan(n, eth_type::VLAN, tci);
        }
    }
    Ok(key)
}
