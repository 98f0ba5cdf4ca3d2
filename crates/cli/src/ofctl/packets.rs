//! Packets: sending them through a switch, and making them from a description.

use super::context::{Context, dump, print};
use crate::fatal::Fatal;
use base::OfPort;
use flow::text::{MatchParser, Style, flow_text};
use flow::{Field, Match, Metadata, MiniMatch, extract_key};
use openflow::NoNames;
use openflow::action::text::{Outer, parse_list};
use openflow::msg::{Message, PacketOut};
use openflow::text::TextCx;
use openflow::text::packet::{format_packet, hex_prefix, parse_packet_out};
use std::io::{Read, Write};
use std::process::ExitCode;

const OK: Result<ExitCode, Fatal> = Ok(ExitCode::SUCCESS);

pub fn packet_out(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    if args.len() == 3 {
        return Err(Fatal::new("Too many arguments (4)"));
    }
    if args.len() > 2 {
        return packet_out_of_old(c, args);
    }
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let parsed = parse_packet_out(&args[1], &mut cx);
    c.log_parse(&mut cx);
    let m = parsed.map_err(Fatal::new)?;
    let mut conn = c.open_for_changes(&args[0], cx.usable)?;
    let request = c.encode(&conn, &Message::PacketOut(Box::new(m)))?;
    c.perform(&mut conn, [request])?;
    OK
}

/// `packet-out SWITCH IN_PORT ACTIONS PACKET...`
fn packet_out_of_old(c: &Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut cx = TextCx::new(&names);
    let actions = parse_list(&args[2], Outer::List, &mut cx);
    c.log_parse(&mut cx);
    let actions = actions.map_err(Fatal::new)?;
    let in_port = match args[1].as_str() {
        s if s.eq_ignore_ascii_case("none") || s.eq_ignore_ascii_case("any") => OfPort::NONE,
        s => cx.port(s).ok_or_else(|| Fatal::new(format!("{}: unknown port `{s}'", args[0])))?,
    };
    let mut metadata = Match::any();
    metadata.set(Field::IN_PORT_OXM, u128::from(in_port.0));
    let metadata = MiniMatch::new(&metadata);
    let mut conn = c.open_for_changes(&args[0], cx.usable)?;
    for text in args.iter().skip(3) {
        let (packet, rest) = hex_prefix(text);
        if !rest.is_empty() || packet.len() < 14 {
            return Err(Fatal::new(if rest.is_empty() {
                "Packet data too short for Ethernet".to_string()
            } else {
                "Trailing garbage in packet data".to_string()
            }));
        }
        let m = PacketOut { packet, buffer_id: None, metadata: metadata.clone(), actions: actions.clone() };
        let request = c.encode(&conn, &Message::PacketOut(Box::new(m)))?;
        c.perform(&mut conn, [request])?;
    }
    OK
}

pub fn parse_packet(c: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    let mut packet = Vec::new();
    std::io::stdin().lock().read_to_end(&mut packet).map_err(|e| Fatal::new(reactor::errno::text(&e)))?;
    let mut f = c.fmt(&NoNames);
    format_packet(&packet, &mut f);
    print(&format!("{}\n", f.out));
    OK
}

pub fn compose_packet(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let specified = MatchParser::new(&flow::text::NoPorts)
        .parse_exact(&args[0])
        .map_err(|e| Fatal::new(e.to_string()))?;
    let payload = match args.get(1) {
        None => None,
        Some(text) => {
            let (bytes, rest) = hex_prefix(text);
            if !rest.is_empty() {
                return Err(Fatal::new(format!("{text}: trailing garbage in packet data")));
            }
            Some(bytes)
        }
    };
    let content = match &payload {
        Some(bytes) => flow::compose::Payload::Bytes(bytes),
        None => flow::compose::Payload::Counting,
    };
    let packet = flow::compose::compose(&specified, content, c.settings.bad_checksum)
        .map_err(|e| Fatal::new(e.to_string()))?;
    let (extracted, _) = extract_key(&packet, &Metadata { in_port: OfPort::NONE.0, ..Metadata::default() });
    let (a, b) = (flow_text(&specified, Style::default()), flow_text(&extracted, Style::default()));
    let differ = a != b;
    if differ {
        eprint!("specified and extracted flows differ:\nspecified: {a}\nextracted: {b}");
    }
    if c.settings.pcap {
        print_pcap(&packet)?;
    } else if c.settings.bare {
        print(&packet.iter().map(|b| format!("{b:02x}")).collect::<String>());
    } else {
        print(&dump(&packet));
    }
    Ok(ExitCode::from(u8::from(differ)))
}

/// A capture that holds one packet, to standard output.
fn print_pcap(packet: &[u8]) -> Result<(), Fatal> {
    let millis = base::Clock::real().wall_millis().max(0) as u64;
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 1518, 1] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
    let len = packet.len() as u32;
    for word in [(millis / 1000) as u32, (millis % 1000) as u32 * 1000, len, len] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(packet);
    std::io::stdout().write_all(&out).map_err(|e| Fatal::new(reactor::errno::text(&e)))
}
