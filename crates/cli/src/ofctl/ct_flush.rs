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
    let mut rest = &args[1..];
    let mut take = |name: &str| {
        let (first, others) = rest.split_first()?;
        let value = first.strip_prefix(name)?;
        rest = others;
        Some(value)
    };
    if let Some(v) = take("zone=") {
        m.zone = Some(zone(v).map_err(|_| failed("failed to parse zone".to_string()))?);
    }
    if let Some(v) = take("mark=") {
        let number = |s| lex::u32(s).map_err(|_| failed("failed to parse mark".to_string()));
        m.mark = Some(match v.split_once('/') {
            Some((value, mask)) => (number(value)?, number(mask)?),
            None => (number(v)?, u32::MAX),
        });
    }
    if let Some(v) = take("labels=") {
        let number = |s| {
            flow::text::value::parse_int(s, 16)
                .flatten()
                .ok_or_else(|| failed("failed to parse labels".to_string()))
        };
        m.labels = Some(match v.split_once('/') {
            Some((value, mask)) => (number(value)?, number(mask)?),
            None => (number(v)?, u128::MAX),
        });
    }
    for (text, reply) in rest.iter().zip([false, true]) {
        tuple(text, reply, &mut m).map_err(failed)?;
    }
    if rest.len() > 2 {
        return Err(Fatal::new("too many arguments"));
    }
    check(&mut m).map_err(failed)?;
    send(c, &args[0], Message::CtFlush(Box::new(m)))
}

/// What the two directions must have in common; with ICMP, both have all that identifies it.
fn check(m: &mut CtFlush) -> Result<(), String> {
    const ICMP: [u8; 2] = [1, 58];
    for t in [&mut m.orig, &mut m.reply] {
        if ICMP.contains(&m.ip_proto) {
            t.icmp_id.get_or_insert(0);
            t.icmp_type.get_or_insert(0);
            t.icmp_code.get_or_insert(0);
        } else if m.ip_proto == 0 && (t.src_port.is_some() || t.dst_port.is_some()) {
            return Err("port is set without protocol".to_string());
        }
    }
    Ok(())
}

/// `ct_nw_src=...,ct_nw_proto=...`
fn tuple(text: &str, reply: bool, m: &mut CtFlush) -> Result<(), String> {
    let mut t = CtTuple::default();
    for p in lex::pairs(text) {
        if p.value.is_empty() {
            return Err(format!("field {} missing value", p.key));
        }
        let failed = || format!("failed to parse field {}", p.key);
        let number = |max: i128| lex::c_int(p.value).filter(|n| (0..=max).contains(n)).ok_or_else(failed);
        let family = match p.key {
            "ct_nw_src" | "ct_nw_dst" => {
                let a: std::net::Ipv4Addr = p.value.parse().map_err(|_| failed())?;
                *side(&mut t, p.key.ends_with("src")) = Some(u128::from(a.to_ipv6_mapped()));
                AF_INET
            }
            "ct_ipv6_src" | "ct_ipv6_dst" => {
                let a: std::net::Ipv6Addr = p.value.parse().map_err(|_| failed())?;
                *side(&mut t, p.key.ends_with("src")) = Some(u128::from(a));
                AF_INET6
            }
            key => {
                match key {
                    "ct_nw_proto" => m.ip_proto = number(255)? as u8,
                    "ct_tp_src" => t.src_port = Some(number(0xffff)? as u16),
                    "ct_tp_dst" => t.dst_port = Some(number(0xffff)? as u16),
                    "icmp_id" => t.icmp_id = Some(number(0xffff)? as u16),
                    "icmp_type" => t.icmp_type = Some(number(255)? as u8),
                    "icmp_code" => t.icmp_code = Some(number(255)? as u8),
                    key => return Err(format!("invalid conntrack tuple field: {key}")),
                }
                continue;
            }
        };
        if m.family != 0 && m.family != family {
            return Err(format!("the L3 protocol does not match {}", p.value));
        }
        m.family = family;
    }
    *(if reply { &mut m.reply } else { &mut m.orig }) = t;
    Ok(())
}

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

fn side(t: &mut CtTuple, src: bool) -> &mut Option<u128> {
    if src { &mut t.src } else { &mut t.dst }
}
