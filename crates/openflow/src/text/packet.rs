//! Packets: packet-ins, packet-outs, and the packets in them.

use super::{Fmt, TextCx, lex};
use crate::action::check::{self, CheckCx};
use crate::action::text::{Outer, format_list, parse_list};
use crate::buf::hex_dump;
use crate::msg::{PacketIn, PacketInReason, PacketOut};
use crate::version::ProtocolSet;
use base::OfPort;
use flow::extract::{Metadata, extract_key};
use flow::text::{MatchParser, Style, packet_text};
use flow::{Field, Match, MiniMatch};
use std::fmt::Write;

/// Prints a packet as the flow that it belongs to, with its checksums.
pub fn format_packet(packet: &[u8], f: &mut Fmt<'_>) {
    let (key, offsets) = extract_key(packet, &Metadata::received(0));
    let style = Style { ports: f.names.ports(), color: false, ..Style::default() };
    let text = packet_text(&key, style);
    f.put(&text);
    let l4 = flow::extract::Offsets::get(offsets.l4);
    // What the IP header does not count is padding.
    let end = flow::extract::Offsets::get(offsets.l3).and_then(|l3| {
        let (at, more) = if key.eth_type() == 0x0800 { (l3 + 2, l3) } else { (l3 + 4, l3 + 40) };
        let len = packet.get(at..at + 2)?;
        Some(packet.len().min(more + usize::from(u16::from_be_bytes([len[0], len[1]]))))
    });
    let header = l4.zip(end).and_then(|(from, to)| packet.get(from..to)).unwrap_or_default();
    let csum = |least: usize, at: usize| {
        let b = header.get(..least)?.get(at..at + 2)?;
        Some(u32::from(u16::from_be_bytes([b[0], b[1]])))
    };
    if matches!(key.eth_type(), 0x0800 | 0x86dd) {
        let named = match key.ip_proto() {
            6 => csum(20, 16).map(|c| ("tcp_csum", c)),
            17 => csum(8, 6).map(|c| ("udp_csum", c)),
            1 => csum(4, 2).map(|c| ("icmp_csum", c)),
            58 => csum(4, 2).map(|c| ("icmp6_csum", c)),
            132 => csum(12, 8).zip(csum(12, 10)).map(|(a, b)| ("sctp_csum", a << 16 | b)),
            _ => None,
        };
        if let Some((name, c)) = named {
            let _ = write!(f, " {name}:{c:x}");
        }
    }
}

fn packet_lines(packet: &[u8], verbosity: u8, f: &mut Fmt<'_>) {
    if verbosity > 0 {
        format_packet(packet, f);
        f.put("\n");
    }
    if verbosity > 2 {
        for line in hex_dump(packet, false).lines() {
            f.put(line.trim_end());
            f.put("\n");
        }
    }
}

/// Prints a packet-in, or with `continuation` a paused one.
pub fn format_packet_in(p: &PacketIn, verbosity: u8, f: &mut Fmt<'_>) {
    if p.table != 0 {
        f.put(" table_id=");
        f.table(p.table);
    }
    if let Some(c) = p.cookie.filter(|c| c.0 != u64::MAX) {
        let _ = write!(f, " cookie={:#x}", c.0);
    }
    let _ = write!(f, " total_len={} ", p.packet_len);
    let m = super::flow::match_string(&p.metadata.expand(), None, f);
    f.put(&m);
    match p.reason {
        PacketInReason::Unknown(n) => {
            let _ = write!(f, " (via {n})");
        }
        r => {
            let _ = write!(f, " (via {})", r.name());
        }
    }
    let _ = write!(f, " data_len={}", p.packet.len());
    match p.buffer_id {
        None => {
            f.put(" (unbuffered)");
            if p.packet_len as usize != p.packet.len() {
                f.put(" (***total_len != data_len***)");
            }
        }
        Some(b) => {
            let _ = write!(f, " buffer=0x{b:08x}");
            if (p.packet_len as usize) < p.packet.len() {
                f.put(" (***total_len < data_len***)");
            }
        }
    }
    f.put("\n");
    if !p.userdata.is_empty() {
        f.put(" userdata=");
        for (i, b) in p.userdata.iter().enumerate() {
            let _ = write!(f, "{}{b:02x}", if i == 0 { "" } else { "." });
        }
        f.put("\n");
    }
    if let Some(c) = &p.continuation {
        format_continuation(c, verbosity, f);
    }
    packet_lines(&p.packet, verbosity, f);
}

fn format_continuation(c: &crate::msg::packet_in::Continuation, verbosity: u8, f: &mut Fmt<'_>) {
    if let Some(b) = c.bridge.filter(|_| verbosity > 0) {
        f.put(" continuation.bridge=");
        for (i, byte) in b.iter().enumerate() {
            let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(f, "{dash}{byte:02x}");
        }
        f.put("\n");
    }
    if !c.stack.is_empty() {
        f.put(" continuation.stack=(top)");
        for s in &c.stack {
            f.put(" ");
            let text: String = s.iter().map(|b| format!("{b:02x}")).collect();
            let digits = text.trim_start_matches('0');
            f.put(&if digits.is_empty() { "0".to_string() } else { format!("0x{digits}") });
        }
        f.put(" (bottom)\n");
    }
    if c.mirrors != 0 {
        let _ = writeln!(f, " continuation.mirrors={:#x}", c.mirrors);
    }
    if c.conntracked {
        f.put(" continuation.conntracked=true\n");
    }
    if !c.frames.is_empty() {
        f.put(" continuation.actions=");
        for (i, frame) in c.frames.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(f, "{comma}unroll_xlate(table={}, cookie={})", frame.table, frame.cookie.0);
            if !frame.actions.is_empty() {
                f.put(",");
                format_list(&frame.actions, f);
            }
        }
        f.put("\n");
    }
    if !c.action_set.is_empty() {
        f.put(" continuation.action_set=");
        format_list(&c.action_set, f);
        f.put("\n");
    }
    if let Some(p) = c.odp_port.filter(|_| verbosity > 0) {
        let _ = writeln!(f, " continuation.odp_port={p}");
    }
}

/// Prints a packet-out.
pub fn format_packet_out(p: &PacketOut, verbosity: u8, f: &mut Fmt<'_>) {
    let m = super::flow::match_string(&p.metadata.expand(), None, f);
    f.put(" ");
    f.put(&m);
    f.put(" actions=");
    format_list(&p.actions, f);
    match p.buffer_id {
        Some(b) => {
            let _ = write!(f, " buffer=0x{b:08x}");
        }
        None => {
            let _ = write!(f, " data_len={}", p.packet.len());
        }
    }
    f.put("\n");
    if p.buffer_id.is_none() && verbosity > 0 && !p.packet.is_empty() {
        packet_lines(&p.packet, verbosity, f);
    }
}

/// Parses `in_port=1 packet=... actions=...`.
pub fn parse_packet_out(s: &str, cx: &mut TextCx<'_>) -> Result<PacketOut, String> {
    let (head, actions) = match s.find("action") {
        Some(at) => match s[at..].find('=') {
            Some(eq) => (&s[..at], &s[at + eq + 1..]),
            None => return Err("must specify an action".to_string()),
        },
        None => (s, ""),
    };
    let mut m = Match::any();
    m.set(Field::IN_PORT, OfPort::CONTROLLER.to_u16().unwrap_or(0xffff).into());
    let mut packet = None;
    for p in lex::pairs(head) {
        if p.value.is_empty() {
            return Err(format!("field {} missing value", p.key));
        }
        match p.key {
            "in_port" => {
                let port =
                    cx.port(p.value).ok_or_else(|| format!("{} is not a valid OpenFlow port", p.value))?;
                let special = [OfPort::LOCAL, OfPort::NONE, OfPort::CONTROLLER];
                if port.is_reserved() && !special.contains(&port) {
                    return Err(format!("{} is not a valid OpenFlow port for PACKET_OUT", p.value));
                }
                m.set(Field::IN_PORT, port.to_u16().unwrap_or(0xffff).into());
            }
            _ if p.key != "packet" => {
                let Some(field) = Field::from_name(p.key) else {
                    return Err(format!("unknown keyword {}", p.key));
                };
                if !crate::prereq::is_pipeline(field) {
                    return Err(format!("{}: unknown keyword", p.key));
                }
                let mut parser = MatchParser::new(cx.names.ports());
                parser.field(&mut m, field, p.value).map_err(|e| e.to_string())?;
            }
            _ => {
                let (bytes, rest) = hex_prefix(p.value);
                if !rest.is_empty() {
                    return Err("packet: Trailing garbage in packet data".to_string());
                }
                if bytes.len() < 14 {
                    return Err("packet: Packet data too short for Ethernet".to_string());
                }
                packet = Some(bytes);
            }
        }
    }
    let Some(packet) = packet else { return Err("must specify packet".to_string()) };
    let mut list = parse_list(actions, Outer::List, cx)?;
    let mut check = CheckCx::new(ProtocolSet::ANY);
    let _ = check::check(&mut list, &Match::any(), &mut check);
    Ok(PacketOut { packet, buffer_id: None, metadata: MiniMatch::new(&m), actions: list })
}

/// Hexadecimal bytes from the front of `s`, and the rest.
pub fn hex_prefix(s: &str) -> (Vec<u8>, &str) {
    let mut out = Vec::new();
    let mut rest = s.trim_start();
    while let Some(pair) = rest.get(..2) {
        let Ok(b) = u8::from_str_radix(pair, 16) else { break };
        if !pair.bytes().all(|c| c.is_ascii_hexdigit()) {
            break;
        }
        out.push(b);
        rest = rest[2..].trim_start();
    }
    (out, rest)
}
