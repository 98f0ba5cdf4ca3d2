//! Ports and queues: what is printed.

use super::Fmt;
use crate::msg::{PhyPort, PortConfig, PortMod, PortReason, PortState, PortStats, PortStatus, QueueStats};
use std::fmt::Write;

const FEATURES: [&str; 16] = [
    "10MB-HD",
    "10MB-FD",
    "100MB-HD",
    "100MB-FD",
    "1GB-HD",
    "1GB-FD",
    "10GB-FD",
    "40GB-FD",
    "100GB-FD",
    "1TB-FD",
    "OTHER",
    "COPPER",
    "FIBER",
    "AUTO_NEG",
    "AUTO_PAUSE",
    "AUTO_PAUSE_ASYM",
];

const CONFIG: [(u32, &str); 7] = [
    (PortConfig::PORT_DOWN, "PORT_DOWN"),
    (PortConfig::NO_STP, "NO_STP"),
    (PortConfig::NO_RECV, "NO_RECV"),
    (PortConfig::NO_RECV_STP, "NO_RECV_STP"),
    (PortConfig::NO_FLOOD, "NO_FLOOD"),
    (PortConfig::NO_FWD, "NO_FWD"),
    (PortConfig::NO_PACKET_IN, "NO_PACKET_IN"),
];

/// Names of bits, separated by spaces; what has no name in hexadecimal; `0` for none.
pub(super) fn bits(bits: u32, names: &[(u32, &str)]) -> String {
    if bits == 0 {
        return "0".to_string();
    }
    let mut rest = bits;
    let mut out = String::new();
    for (bit, name) in names {
        if rest & bit != 0 {
            rest &= !bit;
            let _ = write!(out, "{}{name}", if out.is_empty() { "" } else { " " });
        }
    }
    if rest != 0 {
        let _ = write!(out, "{}{rest:#x}", if out.is_empty() { "" } else { " " });
    }
    out
}

fn features(f: u32) -> String {
    let names: Vec<(u32, &str)> = FEATURES.iter().enumerate().map(|(i, n)| (1 << i, *n)).collect();
    bits(f, &names)
}

fn state(s: PortState) -> String {
    let mut out = String::new();
    let stp = match s.0 & PortState::STP_MASK {
        PortState::STP_LEARN => "STP_LEARN",
        PortState::STP_FORWARD => "STP_FORWARD",
        PortState::STP_BLOCK => "STP_BLOCK",
        _ => "",
    };
    out.push_str(stp);
    let rest = s.0 & !PortState::STP_MASK;
    if rest != 0 {
        const NAMES: [(u32, &str); 3] =
            [(PortState::LINK_DOWN, "LINK_DOWN"), (PortState::BLOCKED, "BLOCKED"), (PortState::LIVE, "LIVE")];
        out.push_str(&bits(rest, &NAMES));
    }
    if out.is_empty() { "0".to_string() } else { out }
}

/// The name as it is shown: up to what is not printable.
fn printable(name: &str) -> &str {
    let end = name.bytes().position(|c| !(0x20..=0x7e).contains(&c)).unwrap_or(name.len());
    &name[..end]
}

/// Prints a port.
pub fn format_port(p: &PhyPort, f: &mut Fmt<'_>) {
    f.put(" ");
    let number = flow::text::port::port_text(p.port, &flow::text::NoPorts);
    let _ = writeln!(f, "{number}({}): addr:{}", printable(&p.name), p.hw_addr);
    let _ = writeln!(f, "     config:     {}", bits(p.config.0, &CONFIG));
    let _ = writeln!(f, "     state:      {}", state(p.state));
    for (name, value) in [
        ("current:    ", p.curr),
        ("advertised: ", p.advertised),
        ("supported:  ", p.supported),
        ("peer:       ", p.peer),
    ] {
        if value != 0 {
            let _ = writeln!(f, "     {name}{}", features(value));
        }
    }
    let _ = writeln!(f, "     speed: {} Mbps now, {} Mbps max", p.curr_speed / 1000, p.max_speed / 1000);
}

/// Prints a port-status.
pub fn format_status(s: &PortStatus, f: &mut Fmt<'_>) {
    f.put(match s.reason {
        PortReason::Add => " ADD:",
        PortReason::Delete => " DEL:",
        PortReason::Modify => " MOD:",
    });
    format_port(&s.desc, f);
}

/// Prints a port-mod.
pub fn format_mod(p: &PortMod, f: &mut Fmt<'_>) {
    f.put(" port: ");
    f.port(p.port);
    let _ = write!(f, ": addr:{}\n     config: ", p.hw_addr);
    f.put(&bits(p.config.0, &CONFIG));
    f.put("\n     mask:   ");
    f.put(&bits(p.mask.0, &CONFIG));
    f.put("\n     advertise: ");
    if p.advertise == 0 {
        f.put("UNCHANGED");
    } else {
        f.put(&features(p.advertise));
    }
    f.put("\n");
}

fn counter(f: &mut Fmt<'_>, lead: &str, value: u64, more: bool) {
    f.put(lead);
    super::message::counter(f, value);
    f.put(if more { ", " } else { "\n" });
}

/// Prints a port's counters.
pub fn format_stats(s: &PortStats, f: &mut Fmt<'_>) {
    f.put("  port ");
    if s.port.to_u16().is_some_and(|p| p < 10) {
        f.put(" ");
    }
    f.port(s.port);
    f.put(": rx ");
    counter(f, "pkts=", s.rx_packets, true);
    counter(f, "bytes=", s.rx_bytes, true);
    counter(f, "drop=", s.rx_dropped, true);
    counter(f, "errs=", s.rx_errors, true);
    counter(f, "frame=", s.rx_frame_err, true);
    counter(f, "over=", s.rx_over_err, true);
    counter(f, "crc=", s.rx_crc_err, false);
    f.put("           tx ");
    counter(f, "pkts=", s.tx_packets, true);
    counter(f, "bytes=", s.tx_bytes, true);
    counter(f, "drop=", s.tx_dropped, true);
    counter(f, "errs=", s.tx_errors, true);
    counter(f, "coll=", s.collisions, false);
    if let Some((sec, nsec)) = s.duration {
        f.put("           duration=");
        super::flow::duration(f, sec, nsec);
        f.put("\n");
    }
    if let Some(rfc) = &s.rfc2819 {
        format_rfc2819(rfc, f);
    }
    format_custom(&s.custom, f);
}

fn format_rfc2819(rfc: &[u64; 21], f: &mut Fmt<'_>) {
    for direction in ["rx", "tx"] {
        let mut words = String::new();
        for (name, n) in PortStats::RFC2819.iter().zip(rfc).filter(|(_, n)| **n != u64::MAX) {
            match name.strip_prefix(direction) {
                // Errors of fragments and jabber keep the prefix.
                Some(_) if name.contains("fragmented") || name.contains("jabber") => {
                    let _ = write!(words, "{name}={n}, ");
                }
                Some(name) => {
                    let _ = write!(words, "{}={n}, ", &name[1..]);
                }
                None => {}
            }
        }
        if !words.is_empty() {
            let _ = writeln!(f, "           {direction} rfc2819 {words}");
        }
    }
}

fn format_custom(custom: &[(String, u64)], f: &mut Fmt<'_>) {
    if custom.is_empty() {
        return;
    }
    f.put("           CUSTOM Statistics");
    for line in custom.chunks(3) {
        let words: Vec<String> = line.iter().map(|(name, n)| format!("{name}={n},")).collect();
        let _ = write!(f, "\n                      {}", words.join(" "));
    }
    f.put("\n");
}

/// Prints a queue's counters.
pub fn format_queue_stats(s: &QueueStats, f: &mut Fmt<'_>) {
    f.put("  port ");
    f.port(s.port);
    f.put(" queue ");
    if s.queue == u32::MAX {
        f.put("ALL: ");
    } else {
        let _ = write!(f, "{}: ", s.queue);
    }
    counter(f, "bytes=", s.tx_bytes, true);
    counter(f, "pkts=", s.tx_packets, true);
    counter(f, "errors=", s.tx_errors, true);
    f.put("duration=");
    match s.duration {
        Some((sec, nsec)) => super::flow::duration(f, sec, nsec),
        None => f.put("?"),
    }
    f.put("\n");
}
