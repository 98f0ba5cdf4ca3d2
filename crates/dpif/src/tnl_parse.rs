//! `tnl_push` from text: the header's bytes, put together from the layers spelled out.

use crate::action::{TnlKind, TnlPush};
use crate::parse::{ParseError, PortNumber};
use base::{DpPort, Mac};
use std::net::{Ipv4Addr, Ipv6Addr};

struct Scan<'a> {
    s: &'a str,
    at: usize,
}

type Res<T> = Result<T, ParseError>;

impl<'a> Scan<'a> {
    fn err(&self, expected: &'static str) -> ParseError {
        ParseError { at: self.at, expected }
    }

    fn eat(&mut self, t: &str) -> bool {
        let ok = self.s[self.at..].starts_with(t);
        if ok {
            self.at += t.len();
        }
        ok
    }

    fn want(&mut self, t: &'static str) -> Res<()> {
        if self.eat(t) { Ok(()) } else { Err(self.err(t)) }
    }

    fn word(&mut self) -> &'a str {
        let rest = &self.s[self.at..];
        let n = rest.bytes().take_while(|b| !matches!(b, b',' | b')' | b'(' | b'}' | b'{')).count();
        self.at += n;
        &rest[..n]
    }

    fn after<T>(&mut self, name: &'static str, what: &'static str, f: impl Fn(&str) -> Option<T>) -> Res<T> {
        self.want(name)?;
        let at = self.at;
        let w = self.word();
        f(w).ok_or(ParseError { at, expected: what })
    }

    fn num(&mut self, name: &'static str) -> Res<u32> {
        self.after(name, "a number", |w| match w.strip_prefix("0x") {
            Some(h) => u32::from_str_radix(h, 16).ok(),
            None => w.parse().ok(),
        })
    }
}

/// Reads the action at `*at`, which moves past it.
pub(crate) fn tnl_push(s: &str, at: &mut usize, ports: Option<PortNumber<'_>>) -> Res<Box<TnlPush>> {
    let port = |w: &str| w.parse().ok().map(DpPort).or_else(|| ports.and_then(|p| p(w)));
    let mut c = Scan { s, at: *at };
    let tnl_port = c.after("tnl_push(tnl_port(", "a port", port)?;
    let size = c.num("),header(size=")?;
    let kind = TnlKind::from_number(c.num(",type=")?);
    let mut h = Vec::with_capacity(128);
    let dst = c.after(",eth(dst=", "an Ethernet address", Mac::parse)?;
    let src = c.after(",src=", "an Ethernet address", Mac::parse)?;
    let eth_type = c.num(",dl_type=")? as u16;
    c.want("),")?;
    h.extend_from_slice(&dst.0);
    h.extend_from_slice(&src.0);
    h.extend_from_slice(&eth_type.to_be_bytes());
    match eth_type {
        0x0800 => ipv4(&mut c, &mut h)?,
        _ => ipv6(&mut c, &mut h)?,
    }
    match kind {
        TnlKind::Gre => gre(&mut c, &mut h)?,
        _ => udp(&mut c, &mut h)?,
    }
    if h.len() != size as usize {
        return Err(c.err("the right size"));
    }
    let out_port = c.after("),out_port(", "a port", port)?;
    c.want("))")?;
    *at = c.at;
    Ok(Box::new(TnlPush { tnl_port, out_port, kind, header: h }))
}

fn ipv4(c: &mut Scan<'_>, h: &mut Vec<u8>) -> Res<()> {
    let ip = |w: &str| w.parse::<Ipv4Addr>().ok();
    let src = c.after("ipv4(src=", "an IPv4 address", ip)?;
    let dst = c.after(",dst=", "an IPv4 address", ip)?;
    let (proto, tos) = (c.num(",proto=")?, c.num(",tos=")?);
    let (ttl, frag) = (c.num(",ttl=")?, c.num(",frag=")?);
    c.want("),")?;
    h.extend_from_slice(&[0x45, tos as u8, 0, 0, 0, 0]);
    h.extend_from_slice(&(frag as u16).to_be_bytes());
    h.extend_from_slice(&[ttl as u8, proto as u8, 0, 0]);
    h.extend_from_slice(&src.octets());
    h.extend_from_slice(&dst.octets());
    Ok(())
}

fn ipv6(c: &mut Scan<'_>, h: &mut Vec<u8>) -> Res<()> {
    let ip = |w: &str| w.parse::<Ipv6Addr>().ok();
    let src = c.after("ipv6(src=", "an IPv6 address", ip)?;
    let dst = c.after(",dst=", "an IPv6 address", ip)?;
    let (label, proto) = (c.num(",label=")?, c.num(",proto=")?);
    let (tclass, hlimit) = (c.num(",tclass=")?, c.num(",hlimit=")?);
    c.want("),")?;
    h.extend_from_slice(&(6 << 28 | (tclass & 0xff) << 20 | (label & 0xf_ffff)).to_be_bytes());
    h.extend_from_slice(&[0, 0, proto as u8, hlimit as u8]);
    h.extend_from_slice(&src.octets());
    h.extend_from_slice(&dst.octets());
    Ok(())
}

fn gre(c: &mut Scan<'_>, h: &mut Vec<u8>) -> Res<()> {
    let flags = c.num("gre((flags=")? as u16;
    let proto = c.num(",proto=")? as u16;
    c.want(")")?;
    h.extend_from_slice(&flags.to_be_bytes());
    h.extend_from_slice(&proto.to_be_bytes());
    if flags & 0x8000 != 0 {
        let csum = c.num(",csum=")?;
        h.extend_from_slice(&(csum << 16).to_be_bytes());
    }
    if flags & 0x2000 != 0 {
        h.extend_from_slice(&c.num(",key=")?.to_be_bytes());
    }
    if flags & 0x1000 != 0 {
        h.extend_from_slice(&c.num(",seq=")?.to_be_bytes());
    }
    c.want(")")
}

fn udp(c: &mut Scan<'_>, h: &mut Vec<u8>) -> Res<()> {
    let (src, dst) = (c.num("udp(src=")?, c.num(",dst=")?);
    let csum = c.num(",csum=")?;
    c.want("),")?;
    for v in [src, dst, 0, csum] {
        h.extend_from_slice(&(v as u16).to_be_bytes());
    }
    if c.eat("vxlan(") {
        let (flags, vni) = (c.num("flags=")?, c.num(",vni=")?);
        h.extend_from_slice(&flags.to_be_bytes());
        h.extend_from_slice(&(vni << 8).to_be_bytes());
        return c.want(")");
    }
    c.want("geneve(")?;
    let oam = c.eat("oam,");
    let crit = c.eat("crit,");
    let vni = c.num("vni=")?;
    let mut options = Vec::new();
    if c.eat(",options(") {
        while c.eat("{") {
            let (class, ty, len) = (c.num("class=")?, c.num(",type=")?, c.num(",len=")? as usize);
            if len > 124 || len % 4 != 0 {
                return Err(c.err("an option length"));
            }
            options.extend_from_slice(&(class as u16).to_be_bytes());
            options.extend_from_slice(&[ty as u8, (len / 4) as u8]);
            let mut data = vec![0; len];
            if c.eat(",") {
                let at = c.at;
                let digits = c.word().trim_start_matches("0x");
                if !digits.is_ascii() || digits.len() > 2 * len {
                    return Err(ParseError { at, expected: "an option that fits" });
                }
                for (i, d) in digits.bytes().rev().enumerate() {
                    let v =
                        (d as char).to_digit(16).ok_or(ParseError { at, expected: "hexadecimal digits" })?;
                    data[len - 1 - i / 2] |= (v as u8) << (4 * (i % 2));
                }
            }
            options.extend_from_slice(&data);
            c.want("}")?;
        }
        c.want(")")?;
    }
    if options.len() > 252 {
        return Err(c.err("fewer options"));
    }
    h.extend_from_slice(&[(options.len() / 4) as u8, (oam as u8) << 7 | (crit as u8) << 6, 0x65, 0x58]);
    h.extend_from_slice(&(vni << 8).to_be_bytes());
    h.extend_from_slice(&options);
    c.want(")")
}
