//! One field's value as text, both ways.

use super::lex::cut;
use super::port::{PortMap, parse_port, put_port};
use super::{flags, number};
use crate::field::{Field, FieldInfo, Format, Maskable, ones};
use crate::key::Value;
use base::OfPort;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A value with its mask, as read for a field: bits beyond the field's are not there.
pub type Masked = (Value, Value);

/// The mask that means "all of the field" for a value read from text.
pub fn full_mask(info: &FieldInfo) -> Value {
    ones(info.bytes.min(16) as u16 * 8)
}

/// Text of a value under a mask, as actions such as `set_field` print it. (Matches print some fields in other ways:
/// see [`super::format`].)
pub fn value_text(field: Field, value: Value, mask: Value, ports: &dyn PortMap) -> String {
    let mut out = String::new();
    put_value(&mut out, field, value, mask, ports);
    out
}

/// The same, appended.
pub fn put_value(out: &mut String, field: Field, value: Value, mask: Value, ports: &dyn PortMap) {
    let info = field.info();
    let full = mask & info.valid == info.valid;
    if mask & info.valid == 0 {
        return out.push_str("ANY");
    }
    match info.format {
        Format::OfPort if full => put_port(out, OfPort::from_u16(value as u16), ports),
        Format::OfPortOxm if full => put_port(out, OfPort(value as u32), ports),
        Format::OfPort | Format::OfPortOxm | Format::Decimal | Format::Hexadecimal => {
            match u64::try_from(value) {
                Ok(n) if info.format == Format::Decimal => number::dec(out, n),
                _ => number::hex(out, value),
            }
            if !full {
                out.push('/');
                number::hex(out, mask & full_mask(info));
            }
        }
        Format::CtState => flags::CT_STATE.put_masked(out, value as u32, mask as u32),
        Format::TcpFlags => flags::TCP.put_masked(out, value as u32, mask as u32),
        Format::TunFlags => flags::TUNNEL.put_masked(out, value as u32, mask as u32),
        Format::Ethernet => put_mac(out, value as u64, if full { u64::MAX } else { mask as u64 }),
        Format::Ipv4 => put_ipv4(out, value as u32, mask as u32),
        Format::Ipv6 => put_ipv6(out, value, mask),
        Format::Frag => out.push_str(frag_text(value as u8, mask as u8)),
        Format::PacketType => out.push_str(&packet_type_text(value as u32)),
    }
}

/// `(namespace,type)`.
pub fn packet_type_text(value: u32) -> String {
    match (value >> 16, value & 0xffff) {
        (1, 0) => "(1,0)".into(),
        (1, t) => format!("(1,{t:#x})"),
        (ns, t) => format!("({ns},{t})"),
    }
}

/// Appends an Ethernet address with a mask unless it is all ones.
pub fn put_mac(out: &mut String, value: u64, mask: u64) {
    const ALL: u64 = 0xffff_ffff_ffff;
    number::mac(out, value);
    if mask & ALL != ALL {
        out.push('/');
        number::mac(out, mask);
    }
}

/// Appends an IPv4 address with a prefix length or a mask unless it is all ones.
pub fn put_ipv4(out: &mut String, value: u32, mask: u32) {
    number::ipv4(out, value);
    if mask == u32::MAX {
        return;
    }
    out.push('/');
    if mask.leading_ones() + mask.trailing_zeros() >= 32 {
        number::dec(out, mask.leading_ones().into());
    } else {
        number::ipv4(out, mask);
    }
}

/// Appends an IPv6 address with a prefix length or a mask unless it is all ones.
pub fn put_ipv6(out: &mut String, value: u128, mask: u128) {
    out.push_str(&ipv6_text(value));
    if mask == u128::MAX {
        return;
    }
    out.push('/');
    if mask.leading_ones() + mask.trailing_zeros() >= 128 {
        number::dec(out, mask.leading_ones().into());
    } else {
        out.push_str(&ipv6_text(mask));
    }
}

/// An IPv6 address as `inet_ntop` writes it: with a dotted tail for IPv4-compatible addresses too.
pub fn ipv6_text(value: u128) -> String {
    if value >> 32 == 0 && value >> 16 != 0 {
        return format!("::{}", Ipv4Addr::from(value as u32));
    }
    Ipv6Addr::from(value).to_string()
}

const FRAGS: [(&str, u8, u8); 5] =
    [("no", 0, 3), ("yes", 1, 1), ("first", 1, 3), ("later", 3, 3), ("not_later", 0, 2)];

/// Fragment keyword for a value and mask.
pub fn frag_text(value: u8, mask: u8) -> &'static str {
    match FRAGS.iter().find(|(_, v, m)| mask & 3 == *m && value & *m == *v) {
        Some((name, ..)) => name,
        // 2/2 says "later" too, and 0/1 "no", though nobody writes them so.
        None if mask & 3 == 2 => "later",
        None if mask & 3 == 1 => "no",
        None => "<error>",
    }
}

/// Reads the text of a value with an optional mask. `*` is "any", mask 0. The error is the message to show.
pub fn parse_value(
    field: Field,
    text: &str,
    ports: &dyn PortMap,
    warn: &mut dyn FnMut(String),
) -> Result<Masked, String> {
    let info = field.info();
    if text == "*" {
        return Ok((0, 0));
    }
    let (value, mask) = match info.format {
        Format::Decimal | Format::Hexadecimal => parse_number(info, text)?,
        Format::CtState => flag_value(&flags::CT_STATE, info, text)?,
        Format::TcpFlags => flag_value(&flags::TCP, info, text)?,
        Format::TunFlags => flag_value(&flags::TUNNEL, info, text)?,
        Format::Ethernet => parse_mac(text)?,
        Format::Ipv4 => parse_ipv4(text).map(|(v, m)| (v as Value, m as Value))?,
        Format::Ipv6 => parse_ipv6(text)?,
        Format::OfPort => {
            let port = parse_port(text, ports, warn).and_then(OfPort::to_u16);
            let port = port.ok_or_else(|| format!("{text}: invalid or unknown port for {}", info.name))?;
            (port as Value, 0xffff)
        }
        Format::OfPortOxm => {
            let port = parse_port(text, ports, warn);
            let port = port.ok_or_else(|| format!("{text}: port value out of range for {}", info.name))?;
            (port.0 as Value, 0xffff_ffff)
        }
        Format::Frag => parse_frag(text)?,
        Format::PacketType => (parse_packet_type(text)?, 0xffff_ffff),
    };
    let all = full_mask(info);
    if mask != 0 && mask & all != all && info.maskable == Maskable::No {
        return Err(format!("{text}: invalid mask for field {}", info.name));
    }
    Ok((value, mask))
}

fn flag_value(set: &flags::FlagSet, info: &FieldInfo, text: &str) -> Result<Masked, String> {
    let (v, m) = set.parse(text)?;
    let all = set.all();
    let signed = text.starts_with(['+', '-']) && info.format == Format::TunFlags;
    Ok((v as Value, if m == all && !signed { full_mask(info) } else { m as Value }))
}

/// Reads a number in C's notation up to `bytes` wide; `None` for bad syntax, `Some(None)` when it does not fit.
pub fn parse_int(text: &str, bytes: usize) -> Option<Option<u128>> {
    let limit = ones(bytes as u16 * 8);
    let value = if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let significant = hex.trim_start_matches('0');
        if significant.len() > 32 {
            return Some(None);
        }
        u128::from_str_radix(if significant.is_empty() { "0" } else { significant }, 16).ok()?
    } else {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(d) => (true, d),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, radix) = match digits.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => (rest, 8),
            _ => (digits, 10),
        };
        let end = digits.bytes().position(|b| !(b as char).is_digit(radix)).unwrap_or(digits.len());
        if digits.is_empty() || end == 0 {
            return None;
        }
        let Ok(v) = u64::from_str_radix(&digits[..end], radix) else { return Some(None) };
        // Too large is told before what follows the digits.
        if end < digits.len() {
            return if u128::from(v) > limit && !negative { Some(None) } else { None };
        }
        (if negative { v.wrapping_neg() } else { v }) as u128
    };
    Some((value <= limit).then_some(value))
}

fn parse_number(info: &FieldInfo, text: &str) -> Result<Masked, String> {
    let bytes = info.bytes.min(16) as usize;
    let (value, mask) = match cut(text, b'/') {
        Some((v, m)) => (v, Some(m)),
        None => (text, None),
    };
    let (name, width) = (info.name, info.bytes);
    let v = parse_int(value, bytes)
        .ok_or_else(|| format!("{text}: bad syntax for {name} value"))?
        .ok_or_else(|| format!("{text}: value too large for {width}-byte field {name}"))?;
    let m = match mask {
        None => full_mask(info),
        Some(m) => parse_int(m, bytes)
            .ok_or_else(|| format!("{text}: bad syntax for {name} mask"))?
            .ok_or_else(|| format!("{text}: mask too large for {width}-byte field {name}"))?,
    };
    Ok((v, m))
}

/// Reads an Ethernet address as `scanf` would: parts of any number of hexadecimal digits, of which the low byte counts.
fn scan_mac(text: &str) -> Option<u64> {
    let mut out = 0;
    let mut n = 0;
    for part in text.split(':') {
        let digits = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part);
        if n == 6 || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let tail = &digits[digits.len().saturating_sub(2)..];
        out = out << 8 | u64::from_str_radix(tail, 16).ok()?;
        n += 1;
    }
    (n == 6).then_some(out)
}

/// Reads an Ethernet address with an optional mask.
pub fn parse_mac(text: &str) -> Result<Masked, String> {
    let error = || format!("{text}: invalid Ethernet address");
    let (v, m) = match cut(text, b'/') {
        Some((v, m)) => (scan_mac(v), scan_mac(m)),
        None => (scan_mac(text), Some(0xffff_ffff_ffff)),
    };
    Ok((v.ok_or_else(error)? as Value, m.ok_or_else(error)? as Value))
}

/// Reads a dotted quad as `scanf` would: each part's low byte counts.
fn scan_ipv4(text: &str) -> Option<u32> {
    let (mut out, mut bytes) = (0, text.bytes().peekable());
    for part in 0..4 {
        if part > 0 && bytes.next() != Some(b'.') {
            return None;
        }
        let sign = bytes.next_if(|b| matches!(b, b'-' | b'+'));
        let (mut v, mut digits) = (0u8, 0);
        while let Some(b) = bytes.next_if(u8::is_ascii_digit) {
            v = v.wrapping_mul(10).wrapping_add(b - b'0');
            digits += 1;
        }
        if digits == 0 {
            return None;
        }
        out = out << 8 | u32::from(if sign == Some(b'-') { v.wrapping_neg() } else { v });
    }
    bytes.next().is_none().then_some(out)
}

/// Reads an IPv4 address with an optional prefix length or mask.
pub fn parse_ipv4(text: &str) -> Result<(u32, u32), String> {
    let invalid = || format!("{text}: invalid IP address");
    let (addr, mask) = match cut(text, b'/') {
        Some((a, m)) => (a, Some(m)),
        None => (text, None),
    };
    let addr = scan_ipv4(addr).ok_or_else(invalid)?;
    let Some(mask) = mask else { return Ok((addr, u32::MAX)) };
    if let Some(m) = scan_ipv4(mask) {
        return Ok((addr, m));
    }
    let end = mask.bytes().skip(1).position(|b| !b.is_ascii_digit()).map_or(mask.len(), |p| p + 1);
    let prefix: i64 = mask.get(..end).and_then(|p| p.parse().ok()).ok_or_else(invalid)?;
    if !(0..=32).contains(&prefix) {
        return Err(format!("{text}: IPv4 network prefix bits not between 0 and 32, inclusive"));
    }
    if end != mask.len() {
        return Err(invalid());
    }
    Ok((addr, if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }))
}

/// Reads an IPv6 address with an optional prefix length or mask.
pub fn parse_ipv6(text: &str) -> Result<Masked, String> {
    let invalid = || format!("{text}: invalid IPv6 address");
    let (addr, mask) = match cut(text, b'/') {
        Some((a, m)) => (a, Some(m)),
        None => (text, None),
    };
    let addr: u128 = addr.parse::<Ipv6Addr>().map_err(|_| invalid())?.into();
    let Some(mask) = mask else { return Ok((addr, u128::MAX)) };
    if mask.is_empty() {
        return Err(invalid());
    }
    let signed = mask.strip_prefix(['-', '+']).unwrap_or(mask);
    if !signed.is_empty() && signed.bytes().all(|b| b.is_ascii_digit()) {
        return match mask.parse::<i64>() {
            Ok(n @ 0..=128) => Ok((addr, if n == 0 { 0 } else { u128::MAX << (128 - n) })),
            _ => Err(format!("{text}: IPv6 network prefix bits not between 0 and 128, inclusive")),
        };
    }
    let mask = mask.parse::<Ipv6Addr>().map_err(|_| format!("{text}: Invalid IPv6 mask"))?;
    Ok((addr, mask.into()))
}

fn parse_frag(text: &str) -> Result<Masked, String> {
    match FRAGS.iter().find(|(name, ..)| *name == text) {
        Some((_, v, 3)) => Ok((*v as Value, 0xff)),
        Some((_, v, m)) => Ok((*v as Value, *m as Value)),
        None => Err(format!(
            "{text}: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_later\""
        )),
    }
}

fn parse_packet_type(text: &str) -> Result<Value, String> {
    let rest =
        text.strip_prefix('(').ok_or_else(|| format!("{text}: bad syntax for packet type missing '('"))?;
    let (ns, _) = leading_u16(rest).ok_or_else(|| format!("{rest}: bad syntax for packet type ns"))?;
    let after = rest
        .find(',')
        .map(|i| rest[i + 1..].trim_start())
        .ok_or_else(|| format!("{rest}: bad syntax for packet type missing ','"))?;
    let (pt, tail) =
        leading_u16(after).ok_or_else(|| format!("{after}: bad syntax for packet type ns_type"))?;
    if !tail.starts_with(')') {
        return Err(format!("{after}: bad syntax for packet type missing ')'"));
    }
    Ok((ns as Value) << 16 | pt as Value)
}

fn leading_u16(text: &str) -> Option<(u16, &str)> {
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let start = if hex { 2 } else { 0 };
    let ok = |b: u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let end = text[start..].bytes().position(|b| !ok(b)).map_or(text.len(), |p| p + start);
    let v = u16::from_str_radix(&text[start..end], if hex { 16 } else { 10 }).ok()?;
    Some((v, &text[end..]))
}
