//! Traces equal the reference's, line by line: switches, flows and texts are in `data/trace.txt`.

mod common;

use base::{Cookie, DpPort, OfPort, TableId, Time, VlanId};
use common::{Br, switch};
use flow::text::lex::{Pair, pairs};
use flow::text::{MatchParser, NoPorts};
use flow::{Match, MiniMatch};
use ofproto::Rule;
use openflow::action::text::{Outer, parse_list};
use openflow::text::TextCx;
use openflow::{Action, NoNames};
use pipeline::{BundleId, FragMode, Mirror, Patch, PriorityTags, VlanMode};
use pipeline::{Effect, Origin, Snapshot, Trace, trace};
use std::sync::Arc;

const DATA: &str = include_str!("data/trace.txt");

fn number(s: &str) -> u32 {
    match s.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).unwrap(),
        None => s.parse().unwrap(),
    }
}

fn vlans(s: &str) -> pipeline::VlanSet {
    s.split(',').map(|v| VlanId(number(v) as u16)).collect()
}

/// `table=1,priority=5,tcp,tp_dst=80 actions=output:2`
fn rule(text: &str) -> Rule {
    let (fields, actions) = text.split_once("actions=").unwrap();
    let (mut table, mut priority, mut cookie) = (0, 32768, 0);
    let mut m = Match::any();
    let mut parser = MatchParser::new(&NoPorts);
    for Pair { key: name, value, .. } in pairs(fields) {
        match name {
            "table" => table = number(value) as u8,
            "priority" => priority = number(value),
            "cookie" => cookie = number(value).into(),
            _ => assert!(parser.pair(&mut m, name, value).unwrap(), "{name}"),
        }
    }
    let mut rule =
        Rule::new(TableId(table), priority, MiniMatch::new(&m), parse_actions(actions), Time::ZERO);
    rule.cookie = Cookie(cookie);
    rule
}

fn parse_actions(text: &str) -> Vec<Action> {
    let mut cx = TextCx::new(&NoNames);
    parse_list(text, Outer::Flow, &mut cx).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn settings(br: &mut Br, port: u32, words: &[&str]) {
    for word in words {
        let (key, value) = word.split_once('=').unwrap();
        br.bundle(port, |b| match key {
            "tag" => {
                b.vlan = VlanId(number(value) as u16);
                if b.vlan_mode == VlanMode::Trunk {
                    b.vlan_mode = VlanMode::Access;
                }
            }
            "trunks" => b.trunks = Some(vlans(value)),
            "cvlans" => b.cvlans = Some(vlans(value)),
            "qinq-ethtype" => b.qinq_ethertype = 0x8100,
            "protected" => b.protected = value == "true",
            "priority-tags" => {
                b.priority_tags =
                    if value == "always" { PriorityTags::Always } else { PriorityTags::IfNonzero };
            }
            "vlan_mode" => {
                b.vlan_mode = match value {
                    "native-tagged" => VlanMode::NativeTagged,
                    "native-untagged" => VlanMode::NativeUntagged,
                    "dot1q-tunnel" => VlanMode::Dot1qTunnel,
                    other => panic!("{other}"),
                }
            }
            other => panic!("{other}"),
        });
    }
}

fn mirror(words: &[&str]) -> Mirror {
    let mut m = Mirror::default();
    let bundle = |s: &str| BundleId(number(s));
    for word in words {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "src" => m.src.push(bundle(value)),
            "dst" => m.dst.push(bundle(value)),
            "out" => m.out = Some(bundle(value)),
            "out_vlan" => m.out_vlan = Some(VlanId(number(value) as u16)),
            "all" => m.select_all = true,
            "vlan" => m.vlans = Some(vlans(value)),
            "snaplen" => m.snaplen = number(value),
            other => panic!("{other}"),
        }
    }
    m
}

/// The switch that the lines so far describe.
struct Lab {
    br0: Br,
    br1: Option<Br>,
}

impl Lab {
    fn new(ports: u32) -> Lab {
        let mut lab = Lab { br0: Br::new("br0", 0, 0), br1: None };
        lab.br0.config.forward_bpdu = false;
        for n in 1..=ports {
            lab.br0.port(OfPort(n), DpPort(n), &format!("p{n}"));
        }
        lab
    }

    fn patch(&mut self, ports: u32) {
        let mut br1 = Br::new("br1", 0, 0);
        br1.port(OfPort(1), DpPort(ports + 1), "q1");
        br1.edit_local(101);
        br1.port(OfPort(20), DpPort::NONE, "pb");
        br1.edit(20, |p| p.patch = Some(Patch { bridge: pipeline::BridgeId(0), port: OfPort(10) }));
        self.br0.port(OfPort(10), DpPort::NONE, "pa");
        self.br0.edit(10, |p| p.patch = Some(Patch { bridge: pipeline::BridgeId(1), port: OfPort(20) }));
        self.br1 = Some(br1);
    }

    fn snapshot(&self) -> Snapshot {
        match &self.br1 {
            Some(br1) => switch(&[&self.br0, br1]),
            None => switch(&[&self.br0]),
        }
    }

    fn bridge(&mut self, name: &str) -> &mut Br {
        if name == "br0" { &mut self.br0 } else { self.br1.as_mut().unwrap() }
    }
}

/// A few things in the texts are numbers that mean nothing: which frozen state it was.
fn normal(text: &str) -> String {
    // Which clause of a conjunction comes first is not said anywhere; a tag is stripped or popped, by version.
    let text = text.replace("    pop_vlan\n", "    strip_vlan\n");
    let mut lines: Vec<&str> = text.lines().collect();
    for i in 1..lines.len() {
        if lines[i].contains("-> conj.") && lines[i - 1].contains("-> conj.") && lines[i] < lines[i - 1] {
            lines.swap(i, i - 1);
        }
    }
    let text: &str = &(lines.join("\n") + "\n");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("recirc_id=") {
        let end = at + "recirc_id=".len();
        out.push_str(&rest[..end]);
        rest = &rest[end..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let hex = rest.starts_with("0x");
        out.push_str(if &rest[..digits] == "0" && !hex { "0" } else { "N" });
        rest =
            if hex { rest[2..].trim_start_matches(|c: char| c.is_ascii_hexdigit()) } else { &rest[digits..] };
    }
    numberless(&(out + rest), "recirc(0x")
}

/// Replaces the hexadecimal number after each `mark`.
fn numberless(text: &str, mark: &str) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_string();
    for p in parts {
        out.push_str(mark);
        out.push('N');
        out.push_str(p.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

/// Outputs of a flood have no fixed order.
fn sorted_if_flooding(text: &str) -> String {
    if !text.contains("flooding") {
        return text.to_string();
    }
    let line = |l: &str| match l.strip_prefix("Datapath actions: ") {
        Some(actions) => {
            let mut list: Vec<&str> = actions.split(',').collect();
            list.sort_unstable();
            format!("Datapath actions: {}", list.join(","))
        }
        None => l.to_string(),
    };
    text.lines().map(|l| line(l) + "\n").collect()
}

#[test]
fn traces_equal_the_reference() {
    assert!(compare(DATA) > 400);
}

#[test]
fn traces_of_encapsulation_and_tracking_equal_the_reference() {
    assert!(compare(include_str!("data/trace-encap.txt")) > 60);
}

/// Runs a recorded session; gives the number of traces.
fn compare(data: &str) -> usize {
    let mut lab = Lab::new(0);
    let mut ports = 0;
    let (mut good, mut bad) = (0, Vec::new());
    let mut flows: Vec<String> = Vec::new();
    let mut raw = data.lines().skip_while(|l| l.starts_with('#') || l.is_empty());
    while let Some(line) = raw.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["switch", n] => {
                ports = number(n);
                lab = Lab::new(ports);
                flows.clear();
            }
            ["port", n, ref rest @ ..] => settings(&mut lab.br0, number(n), rest),
            ["bridge", "other_config:forward-bpdu=true"] => lab.br0.config.forward_bpdu = true,
            ["bridge", "flood_vlans=10"] => lab.br0.config.flood_vlans = vlans("10"),
            ["mod-port", n, flag] => {
                let n = number(n);
                lab.br0.edit(n, |p| match flag {
                    "no-flood" => p.config.no_flood = true,
                    "no-forward" => p.config.no_forward = true,
                    "no-receive" => p.config.no_receive = true,
                    other => panic!("{other}"),
                });
                lab.br0.bundle(n, |b| b.floodable = flag != "no-flood");
            }
            ["frag", mode] => {
                lab.br0.config.frag_mode = if mode == "drop" { FragMode::Drop } else { FragMode::NxMatch };
            }
            ["heard", port, vid, mac] => {
                lab.br0.heard(number(vid) as u16, mac, number(port));
            }
            ["mirror", ref rest @ ..] => lab.br0.mirrors = vec![mirror(rest)],
            ["patch"] => lab.patch(ports),
            ["clear", bridge] => {
                lab.bridge(bridge).tables = ofproto::Tables::new(1);
                flows.clear();
            }
            ["flow", bridge, ..] => {
                let text = line.splitn(3, ' ').nth(2).unwrap();
                flows.push(text.to_string());
                lab.bridge(bridge).tables.insert(Arc::new(rule(text)));
            }
            ["trace", bridge, flow] => {
                let mut want = String::new();
                for l in raw.by_ref().take_while(|l| *l != ".") {
                    want.push_str(l);
                    want.push('\n');
                }
                let snap = lab.snapshot();
                let id = snap.bridge_by_name(bridge).unwrap().id;
                let key =
                    pipeline::trace::exact_flow(flow, &NoPorts).unwrap_or_else(|e| panic!("{flow}: {e}"));
                let origin = Origin::Port(id, key.in_port());
                let got =
                    trace(&snap, &Trace { key: &key, origin, names: None, dp_names: None, ct_next: &[] });
                let (got, want) = (sorted_if_flooding(&normal(&got)), sorted_if_flooding(&normal(&want)));
                if got == want {
                    good += 1;
                } else {
                    bad.push(format!("{}\n{flow}\n{}", flows.join("\n"), diff(&want, &got)));
                }
            }
            [""] => {}
            _ => panic!("not understood: {line}"),
        }
    }
    assert!(bad.is_empty(), "{good} equal, {} differ:\n{}", bad.len(), bad.join("\n----\n"));
    good
}

fn diff(want: &str, got: &str) -> String {
    let mut out = String::new();
    for i in 0..want.lines().count().max(got.lines().count()) {
        let (w, g) = (want.lines().nth(i), got.lines().nth(i));
        if w != g {
            out.push_str(&format!("-{}\n+{}\n", w.unwrap_or(""), g.unwrap_or("")));
        }
    }
    out
}

/// Two bridges as in the recorded session: br0 with ports p1 and p2.
fn small() -> Snapshot {
    let mut br0 = Br::new("br0", 2, 0);
    br0.tables.insert(Arc::new(rule("in_port=1,ip actions=2")));
    switch(&[&br0])
}

/// Only a packet makes things happen, and then they are said.
#[test]
fn a_packet_has_effects() {
    let mut br0 = Br::new("br0", 2, 0);
    br0.tables.insert(Arc::new(rule(
        "udp actions=learn(table=1,priority=5,idle_timeout=10,cookie=0x5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],\
         output:NXM_OF_IN_PORT[]),controller,NORMAL",
    )));
    let snap = switch(&[&br0]);
    let flow = "in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,udp";
    let run = |args: &[&str]| pipeline::trace::command(&snap, args, &[]).unwrap();
    let dry = run(&["br0", flow]);
    assert!(dry.live.is_none() && dry.text.contains(">> suppressing side effects, so learn action ignored"));
    assert!(!dry.text.contains("learned that") && dry.text.contains("dont_send=1"));
    for (args, len) in [
        (&["-generate"][..], 14 + 20 + 8 + 64),
        (&["--generate", "--l7", "0a0b0c"], 14 + 20 + 8 + 3),
        (&["--generate", "--l7-len", "10"], 14 + 20 + 8 + 10),
        (&["--generate", "--l7-len", "x"], 14 + 20 + 8),
    ] {
        let wet = run(&[&["br0", flow], args].concat());
        let live = wet.live.unwrap();
        assert_eq!(live.packet.len(), len, "{args:?}");
        assert_eq!(live.translation.effects.iter().filter(|e| matches!(e, Effect::Learn(_))).count(), 1);
        assert_eq!(
            live.translation.effects.iter().filter(|e| matches!(e, Effect::MacLearn { .. })).count(),
            1
        );
        for text in [
            "-> table=1 dl_dst=00:00:00:00:00:01 priority=5 cookie=0x5 idle=10 actions=output:1\n",
            "-> learned that 00:00:00:00:00:01 is on port p1 in VLAN 0\n",
            "dont_send=0",
        ] {
            assert!(wet.text.contains(text), "{text}: {}", wet.text);
        }
    }
}

#[test]
fn command_lines() {
    let snap = small();
    let odp = "in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800),\
               ipv4(src=1.1.1.1,dst=2.2.2.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2)";
    let run = |args: &[&str]| pipeline::trace::command(&snap, args, &["ovs-dummy", "dummy"]).map(|t| t.text);
    let ok = "Flow: tcp,in_port=1,vlan_tci=0x0000,dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07,\
              nw_src=1.1.1.1,nw_dst=2.2.2.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=1,tp_dst=2,tcp_flags=0\n\
              \nbridge(\"br0\")\n-------------\n 0. ip,in_port=1, priority 32768\n    output:2\n\n\
              Final flow: unchanged\nMegaflow: recirc_id=0,eth,ip,in_port=1,nw_frag=no\nDatapath actions: 2\n";
    assert_eq!(run(&[odp]).as_deref(), Ok(ok));
    assert_eq!(run(&["ovs-dummy", odp]).as_deref(), Ok(ok));
    let packet = "50540000000a50540000000908004500001c00000000001100000a0000010a0000020000000100080000";
    let text = run(&["br0", "in_port=1", packet]).unwrap();
    let flow = "Flow: udp,in_port=1,vlan_tci=0x0000,dl_src=50:54:00:00:00:09,dl_dst=50:54:00:00:00:0a,\
                nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=1\n";
    assert!(text.starts_with(flow), "{text}");
    let named = run(&["br0", "in_port=p1,ip", "--names"]).unwrap();
    assert!(
        named.contains("ip,in_port=p1, priority") && named.ends_with("Datapath actions: p2\n"),
        "{named}"
    );
    for (args, error) in [
        (&[][..], "\"ofproto/trace\" command requires at least 1 arguments"),
        (&["br0"], "syntax error at br0 (or the bridge name was omitted)"),
        (&["br0", "nosuch"], "Bad openflow flow syntax: nosuch: unknown field nosuch"),
        (
            &["br0", "in_port=nosuch"],
            "Bad openflow flow syntax: in_port=nosuch: bad value for in_port (nosuch: invalid or unknown port for in_port)",
        ),
        (&["br0", "in_port=1", "zz"], "Trailing garbage in packet data"),
        (&["br0", "in_port=1", "5054"], "Packet data too short for Ethernet"),
        (&["nosuch", "in_port(1)"], "Cannot find the datapath"),
        (&["nosuch", "in_port=1"], "nosuch: unknown bridge"),
        (&["br0", ""], "Cannot find the datapath"),
        (&["in_port(77),eth_type(0x1234)"], "no OpenFlow port for datapath port 77"),
        (&["eth_type(0x1234)"], "no OpenFlow port for datapath port 4294967295"),
        (&["br0", "in_port=1", "a", "b", "c"], "too many arguments"),
        (&["br0", "in_port=1", "--bogus"], "--bogus: unknown option"),
        (&["br0", "in_port=1", "-consistent"], "-consistent: unknown option"),
        (&["br0", "in_port=1", "-generate", "50"], "Syntax error"),
        (&["in_port(1)", "x"], "in_port(1): unknown bridge"),
        (&["br0", "in_port=1", "--ct-next", "foo"], "foo: unknown connection tracking state flag"),
        (&["br0", "in_port=1", "--ct-next"], "Missing argument for option --ct-next"),
        (
            &["br0", "in_port=1,nw_src=1.1.1.1"],
            "Bad openflow flow syntax: in_port=1,nw_src=1.1.1.1: prerequisites not met for setting nw_src",
        ),
        (
            &["br0", "ip,nw_dst=1.1.1.0/24,in_port=1"],
            "Bad openflow flow syntax: ip,nw_dst=1.1.1.0/24,in_port=1: bad value for nw_dst (1.1.1.0/24: wildcards not allowed here)",
        ),
        (&["br0", "tcp,udp"], "Bad openflow flow syntax: tcp,udp: Ethernet type set multiple times"),
        (
            &["br0", "in_port=1,in_port=2"],
            "Bad openflow flow syntax: in_port=1,in_port=2: field in_port set multiple times",
        ),
    ] {
        assert_eq!(run(args), Err(error.to_string()), "{args:?}");
    }
    let packet_out = |args: &[&str]| pipeline::trace::packet_out_command(&snap, args, &[]).map(|t| t.text);
    for (args, error) in [
        (&["br0", "in_port=1,dl_src=00:00:00:00:00:01"][..], "unknown action dl_src"),
        (&["br0", "in_port=1", "--consistent", "strip_vlan"], "Bad actions: OFPBAC_MATCH_INCONSISTENT"),
    ] {
        assert_eq!(packet_out(args), Err(error.to_string()), "{args:?}");
    }
    assert!(packet_out(&["br0", "in_port=1,dl_vlan=5", "--consistent", "strip_vlan"]).is_ok());
    let out = pipeline::trace::packet_out_command(&snap, &["br0", "in_port=1", "2,1"], &[]).unwrap().text;
    assert!(
        out.contains("-------------\n    output:2\n    output:1\n     >> skipping output to input port\n"),
        "{out}"
    );
}

#[test]
fn hostile_command_lines_are_errors() {
    let snap = small();
    let mut r = common::Rng(7);
    let pieces = [
        "br0",
        "in_port(1)",
        "eth(",
        "in_port=1,",
        "tcp",
        "/",
        "=",
        ")",
        "vlan_tci=",
        "0x",
        "\u{1F600}",
        "-",
        "--names",
    ];
    for _ in 0..5000 {
        let args: Vec<String> =
            (0..r.below(4)).map(|_| (0..r.below(4)).map(|_| r.pick(&pieces)).collect::<String>()).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let _ = pipeline::trace::command(&snap, &args, &["ovs-dummy"]);
        let _ = pipeline::trace::packet_out_command(&snap, &args, &["ovs-dummy"]);
    }
}
