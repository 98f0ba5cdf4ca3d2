//! Commands that need no switch: parsing and printing of flows, groups and messages.

use super::context::{Context, Pages, dump, print};
use crate::fatal::Fatal;
use base::{Level, OfPort, Xid};
use openflow::NoNames;
use openflow::codec::Codec;
use openflow::msg::{ErrorMsg, FlowMod, Message};
use openflow::ofperr::OfpErr;
use openflow::text::TextCx;
use openflow::text::flow::parse_flow_mod;
use openflow::text::group::parse_group_mod;
use openflow::text::packet::hex_prefix;
use openflow::version::{ProtocolSet, Version};
use std::io::Read;
use std::process::ExitCode;

const OK: Result<ExitCode, Fatal> = Ok(ExitCode::SUCCESS);

pub fn parse_flow(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut cx = TextCx::new(&NoNames);
    let parsed = parse_flow_mod(&args[0], Some(openflow::msg::FlowModCommand::Add), &mut cx);
    c.log_parse(&mut cx);
    show_flows(c, &[parsed.map_err(Fatal::new)?], &cx)
}

pub fn parse_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut cx = TextCx::new(&NoNames);
    let mut all = Vec::new();
    super::flows::read(
        c,
        &mut cx,
        &args[0],
        "open failed",
        Some(openflow::msg::FlowModCommand::Add),
        |fm| all.push(fm),
    )?;
    show_flows(c, &all, &cx)
}

/// Without `-O`, only OpenFlow 1.0.
fn allowed(c: &Context) -> ProtocolSet {
    c.settings.flow_formats.intersection(ProtocolSet::of_versions(c.versions()))
}

fn show_flows(c: &Context, all: &[FlowMod], cx: &TextCx<'_>) -> Result<ExitCode, Fatal> {
    let protocol = cx.usable.intersection(allowed(c)).first();
    print(&format!("usable protocols: {}\n", cx.usable));
    let Some(protocol) = protocol else {
        return Err(Fatal::new("no usable protocol"));
    };
    print(&format!("chosen protocol: {}\n", protocol.name()));
    let codec = Codec::for_protocol(protocol);
    let mut bytes = Vec::new();
    let mut text = Pages::default();
    for (i, fm) in all.iter().enumerate() {
        bytes.clear();
        codec
            .encode_flow_mod_into(Xid(i as u32 + 1), fm, &mut bytes)
            .map_err(|e| Fatal::new(e.to_string()))?;
        c.put_text_of(&bytes, &NoNames, c.settings.verbosity, text.page());
    }
    OK
}

pub fn parse_group(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut cx = TextCx::new(&NoNames);
    let parsed = parse_group_mod(&args[0], Some(openflow::msg::GroupModCommand::Add), &mut cx);
    c.log_parse(&mut cx);
    let group = parsed.map_err(Fatal::new)?;
    print(&format!("usable protocols: {}\n", cx.usable));
    let Some(protocol) = cx.usable.intersection(allowed(c)).first() else {
        return Err(Fatal::new("no usable protocol"));
    };
    print(&format!("chosen version: {}\n", protocol.version()));
    let bytes = Codec::for_protocol(protocol)
        .encode(Xid(1), &Message::GroupMod(Box::new(group)))
        .map_err(|e| Fatal::new(e.to_string()))?;
    c.print_message(&bytes, &NoNames);
    OK
}

pub fn ofp_print(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (bytes, rest) = hex_prefix(&args[0]);
    if !rest.trim().is_empty() {
        return Err(Fatal::new("trailing garbage following hex bytes"));
    }
    let verbosity = args.get(1).map_or(2, |s| s.trim().parse().unwrap_or(0));
    print(&c.text_of(&bytes, &NoNames, verbosity));
    OK
}

pub fn ofp_parse(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let name = &args[0];
    let mut bytes = Vec::new();
    let result = if name == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(name)
            .map_err(|e| Fatal::new(format!("{name}: open ({})", reactor::errno::text(&e))))?
            .read_to_end(&mut bytes)
    };
    result.map_err(|e| Fatal::new(format!("{name}: read ({})", reactor::errno::text(&e))))?;
    let name = if name == "-" { "/dev/stdin" } else { name };
    let mut rest = bytes.as_slice();
    let mut text = Pages::default();
    while !rest.is_empty() {
        let Some(header) = rest.first_chunk::<8>() else {
            return Err(Fatal::new(format!("{name}: unexpected end of file mid-message")));
        };
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if len < 8 {
            return Err(Fatal::new(format!("{name}: message is impossibly short")));
        }
        if len > rest.len() {
            return Err(Fatal::new(format!("{name}: unexpected end of file mid-message")));
        }
        let (message, after) = rest.split_at(len);
        c.put_text_of(message, &NoNames, c.settings.verbosity + 2, text.page());
        rest = after;
    }
    OK
}

/// A packet of a capture: time in microseconds and bytes.
type Captured = (u64, Vec<u8>);

fn read_pcap(c: &Context, name: &str) -> Result<Vec<Captured>, Fatal> {
    let bytes = std::fs::read(name).map_err(|e| {
        let text = reactor::errno::text(&e);
        base::warn!(c.logger(), "pcap", "{name}: failed to open pcap file for reading ({text})");
        Fatal::new(format!("{name}: open failed ({text})")).with_status(2)
    })?;
    let bad = || Fatal::new(format!("{name}: bad pcap file"));
    let magic = bytes.first_chunk::<4>().ok_or_else(bad)?;
    let swapped = match u32::from_le_bytes(*magic) {
        0xa1b2_c3d4 => false,
        0xd4c3_b2a1 => true,
        _ => return Err(bad()),
    };
    let word = |at: usize| -> Option<u32> {
        let b: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if swapped { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    };
    let mut out = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let (Some(sec), Some(us), Some(len)) = (word(at), word(at + 4), word(at + 8)) else {
            return Err(bad());
        };
        let data = bytes.get(at + 16..at + 16 + len as usize).ok_or_else(bad)?;
        out.push((u64::from(sec) * 1_000_000 + u64::from(us), data.to_vec()));
        at += 16 + len as usize;
    }
    Ok(out)
}

pub fn parse_pcap(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    for name in args {
        for (_, packet) in read_pcap(c, name)? {
            let (mut key, _) = flow::extract_key(&packet, &flow::Metadata::default());
            key.set_in_port(OfPort::NONE);
            print(&format!("{}\n", flow::text::flow_text(&key, flow::text::Style::default())));
        }
    }
    OK
}

/// Prints the OpenFlow messages in a capture of TCP connections, each stream put together in order.
pub fn ofp_parse_pcap(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    use std::collections::HashMap;
    /// Addresses and ports of one direction of a connection.
    type Direction = (u128, u128, u16, u16);
    let mut streams: HashMap<Direction, (u32, Vec<u8>)> = HashMap::new();
    for (_, packet) in read_pcap(c, &args[0]).map_err(|e| e.with_status(1))? {
        let (key, offsets) = flow::extract_key(&packet, &flow::Metadata::default());
        let Some(payload) = tcp_payload(&packet, &key, usize::from(offsets.l4)) else { continue };
        let addresses = if key.eth_type() == 0x0800 {
            (u128::from(u32::from(key.nw_src())), u128::from(u32::from(key.nw_dst())))
        } else {
            (u128::from(key.ipv6_src()), u128::from(key.ipv6_dst()))
        };
        let id = (addresses.0, addresses.1, key.tp_src(), key.tp_dst());
        let (seq, data) = payload;
        let stream = streams.entry(id).or_insert((seq, Vec::new()));
        // What was seen before is not taken again.
        let seen = stream.0.wrapping_sub(seq) as usize;
        let fresh = if seen <= data.len() { &data[seen..] } else { continue };
        stream.1.extend_from_slice(fresh);
        stream.0 = stream.0.wrapping_add(fresh.len() as u32);
        while let Some(h) = stream.1.first_chunk::<8>() {
            let len = usize::from(u16::from_be_bytes([h[2], h[3]])).max(8);
            if stream.1.len() < len {
                break;
            }
            let message: Vec<u8> = stream.1.drain(..len).collect();
            print(&c.text_of(&message, &NoNames, c.settings.verbosity + 1));
        }
    }
    OK
}

fn tcp_payload<'a>(packet: &'a [u8], key: &flow::FlowKey, l4: usize) -> Option<(u32, &'a [u8])> {
    if !key.is_ip_any() || key.ip_proto() != 6 {
        return None;
    }
    let tcp = packet.get(l4..)?;
    let seq = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    let syn = u32::from(tcp.get(13)? & 2 != 0);
    Some((seq.wrapping_add(syn), tcp.get(header..)?))
}

pub fn print_error(_: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let error = error_named(&args[0])?;
    for v in Version::ALL {
        let Some(code) = error.code(v) else { continue };
        let (vendor, kind, code) = (hex(code.vendor), code.kind, code.code);
        print(&format!("OpenFlow 1.{}: vendor {vendor}, type {kind}, code {code}\n", v.wire() - 1));
    }
    OK
}

/// As C's `%#x`: no prefix for 0.
fn hex(n: u32) -> String {
    if n == 0 { "0".to_string() } else { format!("{n:#x}") }
}

fn error_named(name: &str) -> Result<OfpErr, Fatal> {
    OfpErr::from_name(name)
        .filter(|e| e.name() == name)
        .ok_or_else(|| Fatal::new(format!("unknown error \"{name}\"")))
}

pub fn encode_error_reply(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let error = error_named(&args[0])?;
    let (bytes, rest) = hex_prefix(&args[1]);
    if !rest.trim().is_empty() {
        return Err(Fatal::new("Trailing garbage in hex data"));
    }
    let Some(header) = bytes.first_chunk::<8>() else {
        return Err(Fatal::new("Request too short"));
    };
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if len != bytes.len() {
        return Err(Fatal::new("Request size inconsistent"));
    }
    let logger = c.logger();
    let version = Version::from_wire(header[0]).unwrap_or_else(|| {
        let wire = header[0];
        base::record!(
            logger,
            Level::Err,
            "ofp_errors",
            "cannot encode error for unknown OpenFlow version 0x{wire:02x}"
        );
        Version::V10
    });
    if error.code(version).is_none() {
        base::record!(
            logger,
            Level::Err,
            "ofp_errors",
            "cannot encode {error} for OpenFlow 1.{}",
            version.wire() - 1
        );
    }
    let xid = Xid(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
    let data = bytes.clone();
    let reply = Codec::new(version)
        .encode(xid, &Message::Error(ErrorMsg { error, data }))
        .map_err(|e| Fatal::new(e.to_string()))?;
    print(&dump(&reply));
    OK
}

/// A hello of the versions whose bits are set: of the latest, and with the bitmap when one before that is missing.
pub fn encode_hello(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let bits = openflow::text::lex::c_int(&args[0]).unwrap_or(0) as u32 & !1;
    let latest = bits.checked_ilog2().ok_or_else(|| Fatal::new("no OpenFlow version"))?;
    let mut bytes = vec![latest as u8, 0, 0, 8, 0, 0, 0, 1];
    if bits.count_ones() != latest {
        bytes.extend([0, 1, 0, 8]);
        bytes.extend(bits.to_be_bytes());
        bytes[3] = bytes.len() as u8;
    }
    print(&dump(&bytes));
    print(&c.text_of(&bytes, &NoNames, 0));
    OK
}

pub fn parse_key_value(_: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    for text in args {
        let words: Vec<String> = openflow::text::lex::pairs(text)
            .map(|p| if p.value.is_empty() { p.key.to_string() } else { format!("{}={}", p.key, p.value) })
            .collect();
        print(&format!("{}\n", words.join(", ")));
    }
    OK
}
