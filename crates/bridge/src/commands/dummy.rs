//! `netdev-dummy/*`: devices of the test mode.

use crate::switch::Switch;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use wire::Offload;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new(
        "netdev-dummy/receive",
        "name [--qid queue_id] packet|flow [--len packet_len]",
        2,
        usize::MAX,
        receive,
    ),
    Command::new("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, set_admin_state),
    Command::new("netdev-dummy/conn-state", "[netdev]", 0, 1, conn_state),
    Command::new("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, ip4addr),
    Command::new("netdev-dummy/ip6addr", "[netdev] ip6addr", 2, 2, ip6addr),
];

fn receive(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    let name = call.arg(0).unwrap_or_default();
    let Some(device) = s.registry().dummies().get(name) else {
        return Outcome::error("no such dummy netdev");
    };
    let mut queue = 0;
    let mut frames = Vec::new();
    let mut args = call.args()[1..].iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--qid" {
            let Some(n) = args.next().and_then(|a| a.parse().ok()) else {
                return Outcome::error("invalid queue id");
            };
            queue = n;
            continue;
        }
        let length = if args.peek().is_some_and(|a| *a == "--len") {
            args.next();
            args.next().and_then(|a| a.parse().ok())
        } else {
            None
        };
        match frame(s, arg, length) {
            Ok(f) => frames.push(f),
            Err(e) => return Outcome::error(e),
        }
    }
    for f in frames {
        if device.inject(queue, &f, Offload::default()).is_err() {
            return Outcome::error("packet rx queue is full");
        }
        // What the packet causes has happened by the time that the command answers.
        s.run_packets(r);
    }
    Outcome::ok("")
}

/// A frame from hexadecimal digits or from the text of a flow.
fn frame(s: &Switch, text: &str, length: Option<usize>) -> Result<Vec<u8>, String> {
    if let Some(bytes) = hex(text) {
        return Ok(bytes);
    }
    let port = |name: &str| s.backers.values().find_map(|b| b.port_number(name));
    let key = crate::codec::datapath_flow(text, &port).map_err(|_| format!("syntax error at {text}"))?;
    crate::codec::compose(&key, length)
}

/// A whole frame in hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(|p| Some(value(p[0])? << 4 | value(p[1])?)).collect();
    bytes.filter(|b| b.len() >= wire::ethernet::LEN)
}

fn set_admin_state(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    let up = match call.args().last().map(String::as_str) {
        Some("up") => true,
        Some("down") => false,
        _ => return Outcome::error("Invalid Admin State"),
    };
    if call.args().len() > 1 {
        let Some(device) = s.registry().dummies().get(call.arg(0).unwrap_or_default()) else {
            return Outcome::error("Unknown Dummy Interface");
        };
        device.set_admin_up(up);
    } else {
        s.registry().dummies().all().iter().for_each(|d| d.set_admin_up(up));
    }
    s.refresh_devices(r);
    Outcome::ok("OK")
}

fn conn_state(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    use netdev::dummy::ConnState;
    let devices = match call.arg(0) {
        Some(name) => match s.registry().dummies().get(name) {
            Some(d) => vec![d],
            None => return Outcome::ok(format!("{name}: unknown\n")),
        },
        None => s.registry().dummies().all(),
    };
    let mut out = String::new();
    for d in devices {
        let state = match d.conn_state() {
            ConnState::Unknown if call.arg(0).is_none() => continue,
            ConnState::Unknown => "unknown",
            ConnState::Connected => "connected",
            ConnState::Disconnected => "disconnected",
        };
        let _ = writeln!(out, "{}: {state}", d.name());
    }
    Outcome::ok(out)
}

fn ip4addr(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some(device) = s.registry().dummies().get(call.arg(0).unwrap_or_default()) else {
        return Outcome::error("Unknown Dummy Interface");
    };
    let text = call.arg(1).unwrap_or_default();
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    match (address.parse::<Ipv4Addr>(), prefix.parse::<u8>()) {
        (Ok(a), Ok(p)) if p <= 32 => {
            device.set_ipv4(a, p);
            Outcome::ok("OK")
        }
        _ => Outcome::error(format!("{text}: invalid IP address")),
    }
}

fn ip6addr(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some(device) = s.registry().dummies().get(call.arg(0).unwrap_or_default()) else {
        return Outcome::error("Unknown Dummy Interface");
    };
    let text = call.arg(1).unwrap_or_default();
    let (address, prefix) = text.split_once('/').unwrap_or((text, "128"));
    match (address.parse::<Ipv6Addr>(), prefix.parse::<u8>()) {
        (Ok(a), Ok(p)) if p <= 128 => {
            device.set_ipv6(a, p);
            Outcome::ok("OK")
        }
        _ => Outcome::error(format!("{text}: invalid IPv6 address")),
    }
}
