//! Connection tracking.

use super::context::Context;
use crate::fatal::Fatal;
use openflow::msg::{CtFlush, CtTuple, Message};
use openflow::text::lex;
use std::process::ExitCode;

fn zone(s: &str) -> Result<u16, Fatal> {
    lex::c_int(s)
        .and_then(|n| u16::try_from(n).ok())
        .ok_or_else(|| Fatal::new(format!("invalid zone_id \"{s}\"")))
}

pub fn ct_flush_zone(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let zone = zone(&args[1])?;
    send(c, &args[0], Message::CtFlushZone(zone))
}

fn send(c: &Context, switch: &str, m: Message) -> Result<ExitCode, Fatal> {
    let mut conn = c.open(switch)?;
    let request = c.encode(&conn, &m)?;
    c.perform(&mut conn, [request])?;
    Ok(ExitCode::SUCCESS)
}

pub fn ct_flush(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let failed = |e: String| Fatal::new(format!("Failed to parse CT match: {e}"));
    let mut m = CtFlush::default();
    let mut tuples = 0;
    for arg in &args[1..] {
        if let Some(v) = arg.strip_prefix("zone=") {
            m.zone = Some(zone(v)?);
        } else if let Some(v) = arg.strip_prefix("mark=") {
            let (value, mask) = v.split_once('/').unwrap_or((v, "0xffffffff"));
            m.mark = Some((lex::u32(value).map_err(failed)?, lex::u32(mask).map_err(failed)?));
        } else if let Some(v) = arg.strip_prefix("labels=") {
            let number = |s: &str| {
                flow::text::value::parse_int(s, 16)
                    .flatten()
                    .ok_or_else(|| failed(format!("invalid labels {v}")))
            };
            m.labels = Some(match v.split_once('/') {
                Some((a, b)) => (number(a)?, number(b)?),
                None => (number(v)?, u128::MAX),
            });
        } else {
            let reply = tuples == 1;
            tuples += 1;
            tuple(arg, reply, &mut m).map_err(failed)?;
        }
    }
    if tuples > 2 {
        return Err(Fatal::new("too many arguments"));
    }
    send(c, &args[0], Message::CtFlush(Box::new(m)))
}

/// `ct_nw_src=...,ct_nw_proto=...`
fn tuple(text: &str, reply: bool, m: &mut CtFlush) -> Result<(), String> {
    let mut t = CtTuple::default();
    for p in lex::pairs(text) {
        if p.value.is_empty() {
            return Err(format!("field {} missing value", p.key));
        }
        let number = |max: i128| {
            lex::c_int(p.value)
                .filter(|n| (0..=max).contains(n))
                .ok_or_else(|| format!("{} is not valid for {}", p.value, p.key))
        };
        match p.key {
            "ct_nw_src" | "ct_nw_dst" => {
                let a: std::net::Ipv4Addr =
                    p.value.parse().map_err(|_| format!("{}: invalid IP address", p.value))?;
                *side(&mut t, p.key.ends_with("src")) = Some(u128::from(a.to_ipv6_mapped()));
                m.family = 2;
            }
            "ct_ipv6_src" | "ct_ipv6_dst" => {
                let a: std::net::Ipv6Addr =
                    p.value.parse().map_err(|_| format!("{}: invalid IPv6 address", p.value))?;
                *side(&mut t, p.key.ends_with("src")) = Some(u128::from(a));
                m.family = 10;
            }
            "ct_nw_proto" => m.ip_proto = number(255)? as u8,
            "ct_tp_src" => t.src_port = Some(number(0xffff)? as u16),
            "ct_tp_dst" => t.dst_port = Some(number(0xffff)? as u16),
            "icmp_id" => t.icmp_id = Some(number(0xffff)? as u16),
            "icmp_type" => t.icmp_type = Some(number(255)? as u8),
            "icmp_code" => t.icmp_code = Some(number(255)? as u8),
            key => return Err(format!("invalid conntrack tuple field: {key}")),
        }
    }
    if reply {
        m.reply = t;
    } else {
        m.orig = t;
    }
    Ok(())
}

fn side(t: &mut CtTuple, src: bool) -> &mut Option<u128> {
    if src { &mut t.src } else { &mut t.dst }
}
