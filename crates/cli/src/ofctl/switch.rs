//! Commands on the switch as a whole and on its ports and queues.

use super::context::{Connection, Context, broken, print};
use crate::fatal::Fatal;
use base::{OfPort, Xid};
use openflow::msg::{
    Features, FragHandling, Message, PhyPort, PortConfig, PortMod, QueueStatsRequest, StatsReply,
    StatsRequest, SwitchConfig,
};
use openflow::text::TextCx;
use openflow::version::Version;
use std::process::ExitCode;

const OK: Result<ExitCode, Fatal> = Ok(ExitCode::SUCCESS);

pub fn show(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    let request = c.encode(&conn, &Message::FeaturesRequest)?;
    let reply = transact(&mut conn, request, &args[0])?;
    c.print_message(&reply, &names);
    if conn.version() >= Version::V13 {
        c.dump_stats(&mut conn, StatsRequest::PortDesc(OfPort::NONE), &names)?;
    }
    drop(conn);
    let mut conn = c.open(&args[0])?;
    c.dump(&mut conn, &Message::GetConfigRequest, &names)?;
    OK
}

/// Sends a request and waits for its answer; that there is none is told of the switch as it was `named`.
fn transact(conn: &mut Connection, request: Vec<u8>, named: &str) -> Result<Vec<u8>, Fatal> {
    conn.client.transact(request, |_| ()).map_err(|e| broken(&format!("talking to {named}"), &e))
}

pub fn dump_desc(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::Desc)
}

pub fn dump_ipfix_bridge(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::IpfixBridge)
}

pub fn dump_ipfix_flow(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::IpfixFlow)
}

pub(super) fn simple(c: &Context, switch: &str, request: StatsRequest) -> Result<ExitCode, Fatal> {
    let names = c.names(switch);
    let mut conn = c.open(switch)?;
    c.dump_stats(&mut conn, request, &names)?;
    OK
}

/// The switch's ports.
pub fn ports_of(c: &Context, switch: &str) -> Result<Vec<PhyPort>, Fatal> {
    let mut conn = c.open(switch)?;
    if conn.version() < Version::V13 {
        let f = features(c, &mut conn)?;
        // A full list may have been cut off: the description has them all.
        const FULL: usize = 1024;
        if f.ports.len() < FULL {
            return Ok(f.ports);
        }
    }
    let parts = c.collect(&mut conn, StatsRequest::PortDesc(OfPort::NONE))?;
    Ok(parts
        .into_iter()
        .flat_map(|p| match p {
            StatsReply::PortDesc(ports) => ports,
            _ => Vec::new(),
        })
        .collect())
}

fn features(c: &Context, conn: &mut Connection) -> Result<Features, Fatal> {
    let reply = c.ask(conn, &Message::FeaturesRequest)?;
    match c.decode(conn, &reply) {
        Some(Message::FeaturesReply(f)) => Ok(*f),
        _ => Err(Fatal::new(format!("{}: received bad features reply", conn.client.name()))),
    }
}

/// A port by number, reserved name or name.
fn port(c: &Context, switch: &str, text: &str) -> Result<OfPort, Fatal> {
    let names = c.accept_names(switch)?;
    let mut cx = TextCx::new(&names);
    let port = cx.port(text);
    c.log_parse(&mut cx);
    port.ok_or_else(|| Fatal::new(format!("{switch}: unknown port `{text}'")))
}

/// A port that is optional: none or `ANY` is all.
fn optional_port(c: &Context, args: &[String]) -> Result<OfPort, Fatal> {
    match args.get(1) {
        Some(text) if !text.eq_ignore_ascii_case("ANY") => port(c, &args[0], text),
        _ => Ok(OfPort::NONE),
    }
}

pub fn dump_ports(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let port = optional_port(c, args)?;
    simple(c, &args[0], StatsRequest::Port(port))
}

pub fn dump_ports_desc(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let port = optional_port(c, args)?;
    simple(c, &args[0], StatsRequest::PortDesc(port))
}

fn queue_request(c: &Context, args: &[String]) -> Result<QueueStatsRequest, Fatal> {
    let port = match optional_port(c, args)? {
        OfPort::ALL => OfPort::NONE,
        port => port,
    };
    let queue = match args.get(2) {
        Some(q) if !q.eq_ignore_ascii_case("ALL") => leading_number(q),
        _ => u32::MAX,
    };
    Ok(QueueStatsRequest { port, queue })
}

/// A number as C's `atoi` reads it: what is no number counts as 0.
fn leading_number(s: &str) -> u32 {
    let s = s.trim_start();
    let end = s.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(s.len());
    s[..end].parse().unwrap_or(0)
}

pub fn queue_stats(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let request = queue_request(c, args)?;
    simple(c, &args[0], StatsRequest::Queue(request))
}

pub fn queue_get_config(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let request = queue_request(c, args)?;
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    if conn.version() >= Version::V14 {
        c.dump_stats(&mut conn, StatsRequest::QueueDesc(request), &names)?;
    } else if conn.version() == Version::V10 && request.port == OfPort::NONE {
        // OpenFlow 1.0 answers for one port at a time.
        for p in ports_of(c, &args[0])?.iter().filter(|p| p.port < OfPort::MAX) {
            let one = QueueStatsRequest { port: p.port, ..request };
            c.dump(&mut conn, &Message::QueueGetConfigRequest(one), &names)?;
        }
    } else {
        c.dump(&mut conn, &Message::QueueGetConfigRequest(request), &names)?;
    }
    OK
}

const PORT_ACTIONS: &[(&str, u32, bool)] = &[
    ("up", PortConfig::PORT_DOWN, false),
    ("down", PortConfig::PORT_DOWN, true),
    ("stp", PortConfig::NO_STP, false),
    ("no-stp", PortConfig::NO_STP, true),
    ("receive", PortConfig::NO_RECV, false),
    ("no-receive", PortConfig::NO_RECV, true),
    ("receive-stp", PortConfig::NO_RECV_STP, false),
    ("no-receive-stp", PortConfig::NO_RECV_STP, true),
    ("flood", PortConfig::NO_FLOOD, false),
    ("no-flood", PortConfig::NO_FLOOD, true),
    ("forward", PortConfig::NO_FWD, false),
    ("no-forward", PortConfig::NO_FWD, true),
    ("packet-in", PortConfig::NO_PACKET_IN, false),
    ("no-packet-in", PortConfig::NO_PACKET_IN, true),
];

pub fn mod_port(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (switch, wanted, action) = (&args[0], &args[1], &args[2]);
    let all = ports_of(c, switch)?;
    let number = wanted.parse::<u32>().ok().filter(|_| !wanted.starts_with('+'));
    let number = number.map(|n| u16::try_from(n).map_or(OfPort(n), OfPort::from_u16));
    let found = all.iter().find(|p| p.name == *wanted || Some(p.port) == number);
    let Some(p) = found else { return Err(Fatal::new(format!("{switch}: couldn't find port `{wanted}'"))) };
    let Some((_, bit, set)) = PORT_ACTIONS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(action)) else {
        return Err(Fatal::new(format!("unknown mod-port command '{action}'")));
    };
    let m = PortMod {
        port: p.port,
        hw_addr: p.hw_addr,
        config: PortConfig(if *set { *bit } else { 0 }),
        mask: PortConfig(*bit),
        advertise: 0,
    };
    let mut conn = c.open(switch)?;
    let request = c.encode(&conn, &Message::PortMod(m))?;
    c.perform(&mut conn, [request])?;
    OK
}

/// The switch's configuration.
pub(super) fn config(c: &Context, conn: &mut Connection) -> Result<SwitchConfig, Fatal> {
    let reply = c.ask(conn, &Message::GetConfigRequest)?;
    match c.decode(conn, &reply) {
        Some(Message::GetConfigReply(config)) => Ok(config),
        _ => Err(Fatal::new(format!("{}: bad reply to config request", conn.client.name()))),
    }
}

/// Sets the switch's configuration.
pub(super) fn set_config(c: &Context, conn: &mut Connection, config: SwitchConfig) -> Result<(), Fatal> {
    let request = c.encode(conn, &Message::SetConfig(config))?;
    c.perform(conn, [request])
}

pub fn get_frags(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut conn = c.open(&args[0])?;
    let config = config(c, &mut conn)?;
    print(&format!("{}\n", config.frag.name()));
    OK
}

pub fn set_frags(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let Some(mode) = FragHandling::from_name(&args[1]) else {
        return Err(Fatal::new(format!("{}: unknown fragment handling mode", args[1])));
    };
    let mut conn = c.open(&args[0])?;
    let mut now = config(c, &mut conn)?;
    if now.frag != mode {
        now.frag = mode;
        set_config(c, &mut conn, now)?;
        now = config(c, &mut conn)?;
        if now.frag != mode {
            return Err(Fatal::new(format!(
                "{}: setting fragment handling mode failed (this switch probably doesn't support mode \"{}\")",
                args[0],
                mode.name()
            )));
        }
    }
    OK
}

pub fn probe(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut conn = c.open(&args[0])?;
    let request = conn.codec.encode(Xid(0), &Message::EchoRequest(Vec::new()));
    let reply = transact(&mut conn, request.map_err(|e| Fatal::new(e.to_string()))?, &args[0])?;
    if reply.len() != 8 {
        return Err(Fatal::new("reply does not match request"));
    }
    OK
}

/// Bytes that nobody can guess from one request to the next.
fn payload(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 24) as u8
        })
        .collect()
}

pub fn ping(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    const MAX: u32 = 65535 - 8;
    let len = args.get(1).map_or(64, |s| leading_number(s));
    if len > MAX {
        return Err(Fatal::new(format!("payload must be between 0 and {MAX} bytes")));
    }
    let mut conn = c.open(&args[0])?;
    let clock = base::Clock::real();
    for _ in 0..10 {
        let body = payload(len as usize, clock.wall_millis() as u64);
        let request = c.encode(&conn, &Message::EchoRequest(body))?;
        let start = clock.real_now();
        let reply = conn.client.transact(request.clone(), |_| ()).map_err(|e| broken("transact", &e))?;
        let took = clock.real_now().since(start);
        if reply[1] != reactor::vconn::kind::ECHO_REPLY || reply[8..] != request[8..] {
            let mut text = "Reply does not match request.  Request:\n".to_string();
            text.push_str(&c.text_of(&request, &openflow::NoNames, c.settings.verbosity + 2));
            text.push_str("Reply:\n");
            text.push_str(&c.text_of(&reply, &openflow::NoNames, c.settings.verbosity + 2));
            print(&text);
        }
        let xid = u32::from_be_bytes([reply[4], reply[5], reply[6], reply[7]]);
        print(&format!(
            "{} bytes from {}: xid={xid:08x} time={:.1} ms\n",
            reply.len() - 8,
            args[0],
            took.as_secs_f64() * 1000.0
        ));
    }
    OK
}

pub fn benchmark(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let len = leading_number(&args[1]) as usize;
    if len > 65535 - 8 {
        return Err(Fatal::new("payload must be between 0 and 65527 bytes"));
    }
    let count = leading_number(&args[2]);
    let size = len + 8;
    print(&format!(
        "Sending {count} packets * {size} bytes (with header) = {} bytes total\n",
        u64::from(count) * size as u64
    ));
    let mut conn = c.open(&args[0])?;
    let clock = base::Clock::real();
    let start = clock.real_now();
    for _ in 0..count {
        let request = c.encode(&conn, &Message::EchoRequest(vec![0; len]))?;
        conn.client.transact(request, |_| ()).map_err(|e| broken("transact", &e))?;
    }
    let ms = clock.real_now().since(start).as_secs_f64() * 1000.0;
    let rate = |n: f64| if n == 0.0 { "-nan".to_string() } else { format!("{:.0}", n / (ms / 1000.0)) };
    print(&format!(
        "Finished in {ms:.1} ms ({} packets/s) ({} bytes/s)\n",
        rate(f64::from(count)),
        rate(f64::from(count) * size as f64)
    ));
    OK
}

fn tlv_mod(c: &Context, switch: &str, m: openflow::msg::TlvTableMod) -> Result<ExitCode, Fatal> {
    let mut conn = c.open(switch)?;
    if conn.version() == Version::V10 {
        c.set_protocol(&mut conn, openflow::version::Protocol::Nxm)?;
    }
    let request = c.encode(&conn, &Message::TlvTableMod(m))?;
    c.perform(&mut conn, [request])?;
    OK
}

pub fn add_tlv_map(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    use openflow::msg::{TlvTableMod, TlvTableModCommand};
    let mappings = parse_mappings(&args[1])?;
    tlv_mod(c, &args[0], TlvTableMod { command: TlvTableModCommand::Add, mappings })
}

pub fn del_tlv_map(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    use openflow::msg::{TlvTableMod, TlvTableModCommand};
    let m = match args.get(1) {
        Some(text) => TlvTableMod { command: TlvTableModCommand::Delete, mappings: parse_mappings(text)? },
        None => TlvTableMod { command: TlvTableModCommand::Clear, mappings: Vec::new() },
    };
    tlv_mod(c, &args[0], m)
}

/// `{class=0xffff,type=0,len=4}->tun_metadata0`, several separated by commas.
fn parse_mappings(text: &str) -> Result<Vec<openflow::msg::TlvMapping>, Fatal> {
    let bad = || Fatal::new("invalid tlv mapping");
    let mut rest = text;
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if rest.is_empty() {
            return Ok(out);
        }
        let mut numbers = [0; 3];
        for (number, (before, after)) in
            numbers.iter_mut().zip([("{class=", ","), ("type=", ","), ("len=", "}->tun_metadata")])
        {
            let (digits, next) =
                rest.strip_prefix(before).and_then(|r| r.split_once(after)).ok_or_else(bad)?;
            *number = openflow::text::lex::c_int(digits).ok_or_else(bad)?;
            rest = next;
        }
        let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let index = rest[..end].parse().map_err(|_| bad())?;
        rest = &rest[end..];
        if !(rest.is_empty() || rest.starts_with(',')) {
            return Err(bad());
        }
        let [class, kind, len] = numbers;
        // Numbers that are too large lose what does not fit.
        out.push(openflow::msg::TlvMapping {
            option_class: class as u16,
            option_type: kind as u8,
            option_len: len as u8,
            index,
        });
    }
}

pub fn dump_tlv_map(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut conn = c.open(&args[0])?;
    c.dump(&mut conn, &Message::TlvTableRequest, &openflow::NoNames)?;
    OK
}
