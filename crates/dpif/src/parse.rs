//! Actions from text.
//!
//! Accepts what the reference prints, and the looser forms that it accepts: numbers in decimal, octal or hexadecimal,
//! several separators in a row, sets of fields in any order. Where the reference prints an action that it cannot read
//! (`push_mpls`, `pop_mpls`, `push_eth`, `pop_eth`, `hash`, `recirc(0x1)`), this reads it.

use crate::action::*;
use base::{Cookie, DpPort, Mac};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// Looks up a port by its name.
pub type PortNumber<'a> = &'a dyn Fn(&str) -> Option<DpPort>;

/// Text that is not a list of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset of the trouble.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: expected {}", self.at, self.expected)
    }
}

impl std::error::Error for ParseError {}

type Res<T> = Result<T, ParseError>;

/// Nested lists at most: what stands deeper is an error, so that text cannot exhaust the stack.
const MAX_DEPTH: usize = 32;

/// A list of actions. The empty text and `drop` are the empty list.
pub fn parse_actions(s: &str, ports: Option<PortNumber<'_>>) -> Res<Vec<DpAction>> {
    if s == "drop" {
        return Ok(Vec::new());
    }
    let mut c = Cursor { s, at: 0, ports, depth: 0 };
    let list = c.list("")?;
    if c.at < s.len() { Err(c.err("an action")) } else { Ok(list) }
}

struct Cursor<'a> {
    s: &'a str,
    at: usize,
    ports: Option<PortNumber<'a>>,
    depth: usize,
}

fn is_delimiter(b: u8) -> bool {
    matches!(b, b',' | b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Cursor<'a> {
    fn err(&self, expected: &'static str) -> ParseError {
        ParseError { at: self.at, expected }
    }

    fn rest(&self) -> &'a str {
        &self.s[self.at..]
    }

    fn peek(&self) -> u8 {
        self.s.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, token: &str) -> bool {
        let ok = self.rest().starts_with(token);
        if ok {
            self.at += token.len();
        }
        ok
    }

    fn want(&mut self, token: &'static str) -> Res<()> {
        if self.eat(token) { Ok(()) } else { Err(self.err(token)) }
    }

    fn run(&mut self, ok: impl Fn(u8) -> bool) -> &'a str {
        let n = self.rest().bytes().take_while(|b| ok(*b)).count();
        let s = &self.rest()[..n];
        self.at += n;
        s
    }

    /// A number as `strtoull` with base 0 reads it.
    fn num(&mut self) -> Res<u128> {
        let (radix, skip) = match self.rest().as_bytes() {
            [b'0', b'x' | b'X', d, ..] if d.is_ascii_hexdigit() => (16, 2),
            [b'0', b'0'..=b'7', ..] => (8, 1),
            _ => (10, 0),
        };
        let start = self.at;
        self.at += skip;
        let digits = self.run(|b| (b as char).is_digit(radix));
        u128::from_str_radix(digits, radix).map_err(|_| {
            self.at = start;
            self.err("a number")
        })
    }

    fn num32(&mut self) -> Res<u32> {
        Ok(self.num()? as u32)
    }

    fn num16(&mut self) -> Res<u16> {
        Ok(self.num()? as u16)
    }

    fn text<T: FromStr>(&mut self, chars: impl Fn(u8) -> bool, what: &'static str) -> Res<T> {
        let start = self.at;
        let s = self.run(chars);
        s.parse().map_err(|_| {
            self.at = start;
            self.err(what)
        })
    }

    fn mac(&mut self) -> Res<Mac> {
        let start = self.at;
        let s = self.run(|b| b.is_ascii_hexdigit() || b == b':');
        Mac::parse(s).ok_or_else(|| {
            self.at = start;
            self.err("an Ethernet address")
        })
    }

    fn ip4(&mut self) -> Res<u32> {
        self.text::<Ipv4Addr>(|b| b.is_ascii_digit() || b == b'.', "an IPv4 address").map(u32::from)
    }

    fn ip6(&mut self) -> Res<u128> {
        let ok = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
        self.text::<Ipv6Addr>(ok, "an IPv6 address").map(u128::from)
    }

    fn masked<T: Bits>(&mut self, full: T, one: impl Fn(&mut Self) -> Res<T>) -> Res<Masked<T>> {
        let value = one(self)?;
        let mask = if self.eat("/") { one(self)?.and(full) } else { full };
        Ok(Masked::new(value, mask))
    }

    fn m8(&mut self) -> Res<Masked<u8>> {
        self.masked(u8::MAX, |c| Ok(c.num()? as u8))
    }

    fn m16(&mut self) -> Res<Masked<u16>> {
        self.masked(u16::MAX, |c| c.num16())
    }

    fn m32(&mut self) -> Res<Masked<u32>> {
        self.masked(u32::MAX, |c| c.num32())
    }

    fn port(&mut self) -> Res<DpPort> {
        let start = self.at;
        let word = self.run(|b| !is_delimiter(b) && b != b')' && b != b'(');
        let named = self.ports.and_then(|f| f(word));
        let number = || {
            let mut c = Cursor { s: word, at: 0, ports: None, depth: 0 };
            let n = c.num32().ok()?;
            (c.at == word.len() && !word.is_empty()).then_some(DpPort(n))
        };
        number().or(named).ok_or_else(|| {
            self.at = start;
            self.err("a port")
        })
    }

    /// Actions up to `close` (or the end of the text), which is consumed.
    fn list(&mut self, close: &'static str) -> Res<Vec<DpAction>> {
        if self.depth >= MAX_DEPTH {
            return Err(self.err("fewer nested lists"));
        }
        self.depth += 1;
        let mut out = Vec::new();
        loop {
            self.run(is_delimiter);
            if self.at == self.s.len() && close.is_empty() || !close.is_empty() && self.eat(close) {
                break;
            }
            out.push(self.action()?);
            if self.at < self.s.len() && !is_delimiter(self.peek()) && self.peek() != b')' {
                return Err(self.err("a comma"));
            }
        }
        self.depth -= 1;
        Ok(out)
    }

    fn list_or_drop(&mut self) -> Res<Vec<DpAction>> {
        if self.eat("drop)") { Ok(Vec::new()) } else { self.list(")") }
    }

    fn action(&mut self) -> Res<DpAction> {
        let word = {
            let mut probe = Cursor { s: self.s, at: self.at, ports: None, depth: 0 };
            probe.run(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        match word {
            "userspace" => self.userspace(),
            "set" => self.set(),
            "push_vlan" => self.push_vlan(),
            "pop_vlan" => self.bare("pop_vlan", DpAction::PopVlan),
            "push_mpls" => self.push_mpls("push_mpls(").map(DpAction::PushMpls),
            "add_mpls" => self.push_mpls("add_mpls(").map(DpAction::AddMpls),
            "pop_mpls" => {
                self.want("pop_mpls(eth_type=")?;
                let t = self.num16()?;
                self.want(")").map(|()| DpAction::PopMpls(t))
            }
            "push_eth" => {
                self.want("push_eth(src=")?;
                let src = self.mac()?;
                self.want(",dst=")?;
                let dst = self.mac()?;
                self.want(")").map(|()| DpAction::PushEth { src, dst })
            }
            "pop_eth" => self.bare("pop_eth", DpAction::PopEth),
            "push_nsh" => self.push_nsh(),
            "pop_nsh" => self.bare("pop_nsh()", DpAction::PopNsh),
            "push_pbb" => self.push_pbb(),
            "pop_pbb" => self.bare("pop_pbb", DpAction::PopPbb),
            "copy_ttl_out" => self.bare("copy_ttl_out", DpAction::CopyTtl { out: true }),
            "copy_ttl_in" => self.bare("copy_ttl_in", DpAction::CopyTtl { out: false }),
            "sample" => self.sample(),
            "clone" => {
                self.want("clone(")?;
                Ok(DpAction::Clone(self.list_or_drop()?))
            }
            "ct" => self.ct(),
            "ct_clear" => self.bare("ct_clear", DpAction::CtClear),
            "hash" => self.hash(),
            "check_pkt_len" => self.check_pkt_len(),
            "tnl_push" => crate::tnl_parse::tnl_push(self.s, &mut self.at, self.ports).map(DpAction::TnlPush),
            "tnl_pop" => {
                self.want("tnl_pop(")?;
                let p = self.port()?;
                self.want(")").map(|()| DpAction::TnlPop(p))
            }
            "psample" => self.psample(),
            "lb_output" => self.number("lb_output(", DpAction::LbOutput),
            "recirc" => self.number("recirc(", DpAction::Recirc),
            "trunc" => self.number("trunc(", DpAction::Trunc),
            "meter" => self.number("meter(", DpAction::Meter),
            _ => self.port().map(DpAction::Output),
        }
    }

    fn bare(&mut self, word: &'static str, a: DpAction) -> Res<DpAction> {
        self.want(word).map(|()| a)
    }

    fn number(&mut self, open: &'static str, make: impl Fn(u32) -> DpAction) -> Res<DpAction> {
        self.want(open)?;
        let n = self.num32()?;
        self.want(")").map(|()| make(n))
    }

    fn tpid_tci(&mut self) -> Res<u16> {
        self.want("vid=")?;
        let vid = self.num()?;
        self.want(",pcp=")?;
        let pcp = self.num()?;
        let cfi = if self.eat(",cfi=") { self.num()? != 0 } else { true };
        if vid > 0xfff || pcp > 7 {
            return Err(self.err("a VLAN tag"));
        }
        Ok(vid as u16 | (pcp as u16) << 13 | (cfi as u16) << 12)
    }

    fn push_vlan(&mut self) -> Res<DpAction> {
        self.want("push_vlan(")?;
        let mut tpid = 0x8100;
        if self.eat("tpid=") {
            tpid = self.num16()?;
            self.want(",")?;
        }
        let tci = self.tpid_tci()?;
        self.want(")").map(|()| DpAction::PushVlan(PushVlan { tpid, tci }))
    }

    fn push_mpls(&mut self, open: &'static str) -> Res<PushMpls> {
        self.want(open)?;
        let mut part = |name| -> Res<u32> {
            self.want(name)?;
            self.num32()
        };
        let (label, tc) = (part("label=")?, part(",tc=")?);
        let (ttl, bos) = (part(",ttl=")?, part(",bos=")?);
        let eth_type = part(",eth_type=")? as u16;
        let lse = (label & 0xf_ffff) << 12 | (tc & 7) << 9 | (bos & 1) << 8 | (ttl & 0xff);
        self.want(")").map(|()| PushMpls { lse, eth_type })
    }

    fn push_pbb(&mut self) -> Res<DpAction> {
        self.want("push_pbb(isid=")?;
        let isid = self.num32()? & 0xff_ffff;
        self.want(",uca=")?;
        let uca = self.num16()? as u8 & 1;
        self.want(")").map(|()| DpAction::PushPbb(Pbb { isid, uca }))
    }

    fn push_nsh(&mut self) -> Res<DpAction> {
        self.want("push_nsh(")?;
        let mut n = Nsh { ttl: 63, si: 255, mdtype: 1, ..Nsh::default() };
        while !self.eat(")") {
            let name = self.run(|b| b.is_ascii_alphanumeric());
            self.want("=")?;
            if name == "md2" {
                n.md2 = self.hex_bytes()?;
            } else {
                let v = self.num32()?;
                match name {
                    "flags" => n.flags = v as u8,
                    "ttl" => n.ttl = v as u8,
                    "mdtype" => n.mdtype = v as u8,
                    "np" => n.np = v as u8,
                    "spi" => n.spi = v & 0xff_ffff,
                    "si" => n.si = v as u8,
                    "c1" => n.context[0] = v,
                    "c2" => n.context[1] = v,
                    "c3" => n.context[2] = v,
                    "c4" => n.context[3] = v,
                    _ => return Err(self.err("a field of push_nsh")),
                }
            }
            self.eat(",");
        }
        Ok(DpAction::PushNsh(Box::new(n)))
    }

    /// Bytes as one hexadecimal number.
    fn hex_bytes(&mut self) -> Res<Vec<u8>> {
        self.eat("0x");
        let digits = self.run(|b| b.is_ascii_hexdigit());
        if digits.is_empty() {
            return Err(self.err("hexadecimal digits"));
        }
        let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_string() };
        Ok(padded
            .as_bytes()
            .chunks(2)
            .map(|p| (p[0] as char).to_digit(16).unwrap_or(0) * 16 + (p[1] as char).to_digit(16).unwrap_or(0))
            .map(|v| v as u8)
            .collect())
    }

    fn sample(&mut self) -> Res<DpAction> {
        self.want("sample(sample=")?;
        let percent: f64 = self.text(|b| b.is_ascii_digit() || b == b'.', "a percentage")?;
        self.want("%,actions(")?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(self.err("a percentage up to 100"));
        }
        let probability = (f64::from(u32::MAX) * (percent / 100.0) + 0.5).floor() as u32;
        let actions = self.list_or_drop()?;
        self.want(")").map(|()| DpAction::Sample { probability, actions })
    }

    fn hash(&mut self) -> Res<DpAction> {
        self.want("hash(")?;
        let alg = if self.eat("sym_l4(") { HashAlg::SymL4 } else { HashAlg::L4 };
        if alg == HashAlg::L4 {
            self.want("l4(")?;
        }
        let basis = self.num32()?;
        self.want("))").map(|()| DpAction::Hash { alg, basis })
    }

    fn check_pkt_len(&mut self) -> Res<DpAction> {
        self.want("check_pkt_len(size=")?;
        let size = self.num16()?;
        self.want(",gt(")?;
        let greater = self.list_or_drop()?;
        self.want(",le(")?;
        let less_equal = self.list_or_drop()?;
        self.want(")").map(|()| DpAction::CheckPktLen(Box::new(CheckPktLen { size, greater, less_equal })))
    }

    fn psample(&mut self) -> Res<DpAction> {
        self.want("psample(group=")?;
        let group = self.num32()?;
        let cookie = if self.eat(",cookie=") { self.hex_bytes()? } else { Vec::new() };
        self.want(")").map(|()| DpAction::Psample { group, cookie })
    }

    fn userspace(&mut self) -> Res<DpAction> {
        self.want("userspace(pid=")?;
        let mut u = Userspace { pid: self.num32()?, ..Userspace::default() };
        loop {
            if self.eat(")") {
                return Ok(DpAction::Userspace(Arc::new(u)));
            }
            self.want(",")?;
            if self.eat("userdata(") {
                let digits = self.run(|b| b.is_ascii_hexdigit());
                let mut c = Cursor { s: digits, at: 0, ports: None, depth: 0 };
                u.cookie = UserCookie::Raw(if digits.is_empty() { Vec::new() } else { c.hex_bytes()? });
                self.want(")")?;
            } else if self.eat("sFlow(vid=") {
                let vid = self.num16()?;
                self.want(",pcp=")?;
                let pcp = self.num16()?;
                self.want(",output=")?;
                let output = self.num32()?;
                self.want(")")?;
                u.cookie = UserCookie::SFlow { vlan_tci: (vid & 0xfff) | (pcp & 7) << 13, output };
            } else if self.eat("slow_path(") {
                u.cookie = UserCookie::SlowPath(self.slow_path()?);
            } else if self.eat("flow_sample(") {
                u.cookie = UserCookie::FlowSample(self.flow_sample()?);
            } else if self.eat("ipfix(output_port=") {
                u.cookie = UserCookie::Ipfix { output_port: self.port()? };
                self.want(")")?;
            } else if self.eat("controller(") {
                u.cookie = UserCookie::Controller(Box::new(self.controller()?));
            } else if self.eat("actions") {
                u.actions = true;
            } else if self.eat("tunnel_out_port=") {
                u.tunnel_out_port = Some(self.port()?);
            } else {
                return Err(self.err("a part of userspace()"));
            }
        }
    }

    fn slow_path(&mut self) -> Res<SlowPath> {
        let mut bits = 0;
        while !self.eat(")") {
            if self.peek().is_ascii_digit() {
                bits |= self.num32()?;
            } else {
                let name = self.run(|b| b.is_ascii_alphabetic());
                match SlowPath::NAMES.iter().find(|(_, n)| *n == name) {
                    Some((b, _)) => bits |= b,
                    None => return Err(self.err("a slow path reason")),
                }
            }
            if bits > 127 {
                return Err(self.err("a slow path reason"));
            }
            if !self.eat("|") {
                self.eat(",");
            }
        }
        Ok(SlowPath(bits))
    }

    fn flow_sample(&mut self) -> Res<FlowSample> {
        self.want("probability=")?;
        let mut s = FlowSample { probability: self.num16()?, ..FlowSample::default() };
        self.want(",collector_set_id=")?;
        s.collector_set_id = self.num32()?;
        self.want(",obs_domain_id=")?;
        s.obs_domain_id = self.num32()?;
        self.want(",obs_point_id=")?;
        s.obs_point_id = self.num32()?;
        self.want(",output_port=")?;
        s.output_port = self.port()?;
        if self.eat(",ingress") {
            s.egress = Some(false);
        } else if self.eat(",egress") {
            s.egress = Some(true);
        }
        self.want(")").map(|()| s)
    }

    fn controller(&mut self) -> Res<ControllerCookie> {
        let mut part = |name| -> Res<u128> {
            self.want(name)?;
            self.num()
        };
        let c = ControllerCookie {
            reason: part("reason=")? as u8,
            dont_send: part(",dont_send=")? != 0,
            continuation: part(",continuation=")? != 0,
            recirc_id: part(",recirc_id=")? as u32,
            rule_cookie: Cookie(part(",rule_cookie=")? as u64),
            controller_id: part(",controller_id=")? as u16,
            max_len: part(",max_len=")? as u16,
            ..ControllerCookie::default()
        };
        self.want(")").map(|()| c)
    }

    fn ct(&mut self) -> Res<DpAction> {
        self.want("ct")?;
        let mut ct = Ct::default();
        if !self.eat("(") {
            return Ok(DpAction::Ct(Box::new(ct)));
        }
        loop {
            self.run(is_delimiter);
            if self.eat(")") {
                break;
            }
            if self.eat("force_commit") {
                ct.force = true;
                ct.commit = true;
            } else if self.eat("commit") {
                ct.commit = true;
            } else if self.eat("zone=") {
                ct.zone = self.num16()?;
            } else if self.eat("mark=") {
                ct.mark = Some(self.m32()?).filter(|m| m.mask != 0);
            } else if self.eat("label=") {
                ct.label = Some(self.masked(u128::MAX, |c| c.num())?).filter(|m| m.mask != 0);
            } else if self.eat("helper=") {
                ct.helper = Some(self.run(|b| b != b',' && b != b')').to_string());
            } else if self.eat("timeout=") {
                ct.timeout = Some(self.run(|b| b != b',' && b != b')').to_string());
            } else if self.eat("nat") {
                ct.nat = Some(self.nat()?);
            } else {
                return Err(self.err("a part of ct()"));
            }
        }
        Ok(DpAction::Ct(Box::new(ct)))
    }

    fn nat_addr(&mut self) -> Res<IpAddr> {
        if self.eat("[") {
            let a = self.ip6()?;
            self.want("]")?;
            return Ok(Ipv6Addr::from(a).into());
        }
        let start = self.at;
        match self.ip4() {
            Ok(a) if self.peek() != b':' || !self.rest()[1..].contains("::") => Ok(Ipv4Addr::from(a).into()),
            _ => {
                self.at = start;
                Ok(Ipv6Addr::from(self.ip6()?).into())
            }
        }
    }

    fn nat(&mut self) -> Res<CtNat> {
        let mut n = CtNat::default();
        if !self.eat("(") {
            return Ok(n);
        }
        loop {
            self.run(is_delimiter);
            if self.eat(")") {
                break;
            }
            if self.eat("src") || self.rest().starts_with("dst") {
                let dst = self.eat("dst");
                n.kind = Some(if dst { NatKind::Dst } else { NatKind::Src });
                if self.eat("=") {
                    self.nat_range(&mut n)?;
                }
            } else if self.eat("persistent") {
                n.persistent = true;
            } else if self.eat("hash") {
                n.hash = true;
            } else if self.eat("random") {
                n.random = true;
            } else {
                return Err(self.err("a part of nat()"));
            }
        }
        if n.hash && n.random {
            return Err(self.err("either hash or random"));
        }
        if n.addrs.is_none() {
            n = CtNat { kind: n.kind, ..CtNat::default() };
        }
        Ok(n)
    }

    fn nat_range(&mut self, n: &mut CtNat) -> Res<()> {
        let min = self.nat_addr()?;
        let max = if self.eat("-") { self.nat_addr()? } else { min };
        if max < min || min.is_ipv4() != max.is_ipv4() {
            return Err(self.err("a range of addresses"));
        }
        n.addrs = Some((min, max));
        if self.eat(":") {
            let lo = self.num16()?;
            let hi = if self.eat("-") { self.num16()? } else { lo };
            if hi < lo {
                return Err(self.err("a range of ports"));
            }
            n.ports = Some((lo, hi)).filter(|p| *p != (0, 0));
        }
        Ok(())
    }

    fn set(&mut self) -> Res<DpAction> {
        self.want("set(")?;
        let s = self.set_field()?;
        self.want(")").map(|()| DpAction::Set(s))
    }

    fn set_field(&mut self) -> Res<SetField> {
        let name = self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
        self.want("(")?;
        let single = match name {
            "skb_priority" => Some(SetField::Priority(self.m32()?)),
            "skb_mark" => Some(SetField::Mark(self.m32()?)),
            "tunnel" => return self.tunnel(),
            _ => match OtherField::ALL.into_iter().find(|o| o.info().0 == name) {
                Some(o) => Some(SetField::Other(o, self.other(o)?)),
                None => None,
            },
        };
        if let Some(s) = single {
            return self.want(")").map(|()| s);
        }
        let mut h = Header::new(name).ok_or_else(|| self.err("a header"))?;
        while !self.eat(")") {
            let field = self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
            self.want("=")?;
            h.field(self, field)?;
            if !self.eat(",") && self.peek() != b')' {
                return Err(self.err("a comma"));
            }
        }
        Ok(h.0)
    }

    fn other(&mut self, o: OtherField) -> Res<Masked<u128>> {
        let full = o.info().1;
        match o {
            OtherField::PacketType => {
                self.want("ns=")?;
                let ns = self.num()?;
                self.want(",id=")?;
                let id = self.num()?;
                Ok(Masked::new(ns << 16 | (id & 0xffff), full))
            }
            OtherField::TcpFlags => self.tcp_flags(),
            OtherField::InPort => {
                let value = self.run(|b| b != b')' && b != b'/');
                let mut c = Cursor { s: value, at: 0, ports: self.ports, depth: 0 };
                let value = u128::from(c.port()?.0);
                let mask = if self.eat("/") { self.num()? } else { full };
                Ok(Masked::new(value, mask))
            }
            _ => self.masked(full, |c| c.num()),
        }
    }

    fn tcp_flags(&mut self) -> Res<Masked<u128>> {
        let table = crate::text::TCP_FLAGS;
        let (mut value, mut mask) = (0, 0);
        let signed = matches!(self.peek(), b'+' | b'-');
        if self.peek().is_ascii_digit() {
            return self.masked(0xfff, |c| c.num());
        }
        while self.peek() != b')' {
            let on = !self.eat("-");
            if on {
                self.eat("+");
            }
            let name = self.run(|b| b.is_ascii_alphabetic());
            let bit = table.iter().find(|(_, n)| *n == name).ok_or_else(|| self.err("a TCP flag"))?.0;
            mask |= bit;
            value |= if on { bit } else { 0 };
            self.eat("|");
        }
        Ok(Masked::new(value, if signed { mask } else { 0xfff }))
    }

    fn tunnel(&mut self) -> Res<SetField> {
        let mut t = SetTunnel::default();
        while !self.eat(")") {
            let name = self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
            match name {
                "tun_id" => {
                    self.want("=")?;
                    t.tun_id = self.masked(u64::MAX, |c| Ok(c.num()? as u64))?.value;
                    t.key = true;
                }
                "src" | "dst" => {
                    self.want("=")?;
                    let a = Some(IpAddr::from(Ipv4Addr::from(self.ip4()?)));
                    *(if name == "src" { &mut t.src } else { &mut t.dst }) = a;
                }
                "ipv6_src" | "ipv6_dst" => {
                    self.want("=")?;
                    let a = Some(IpAddr::from(Ipv6Addr::from(self.ip6()?)));
                    *(if name == "ipv6_src" { &mut t.src } else { &mut t.dst }) = a;
                }
                "tos" | "ttl" | "tp_src" | "tp_dst" => {
                    self.want("=")?;
                    let v = self.num16()?;
                    match name {
                        "tos" => t.tos = v as u8,
                        "ttl" => t.ttl = v as u8,
                        "tp_src" => t.tp_src = v,
                        _ => t.tp_dst = v,
                    }
                }
                "vxlan" => {
                    self.want("(gbp(id=")?;
                    let id = self.num16()?;
                    self.want(",flags=")?;
                    let flags = self.num()? as u8;
                    self.want("))")?;
                    t.gbp = Some((id, flags));
                }
                "geneve" => t.geneve = Some(self.geneve()?),
                "erspan" => t.erspan = Some(self.erspan()?),
                "gtpu" => {
                    self.want("(flags=")?;
                    let flags = self.num()? as u8;
                    self.want(",msgtype=")?;
                    t.gtpu = Some((flags, self.num()? as u8));
                    self.want(")")?;
                }
                "flags" => self.tunnel_flags(&mut t)?,
                _ => return Err(self.err("a field of tunnel()")),
            }
            self.eat(",");
        }
        Ok(SetField::Tunnel(Arc::new(t)))
    }

    fn tunnel_flags(&mut self, t: &mut SetTunnel) -> Res<()> {
        self.want("(")?;
        while !self.eat(")") {
            if self.eat("0") {
                continue;
            }
            let on = !self.eat("-");
            if on {
                self.eat("+");
            }
            match self.run(|b| b.is_ascii_alphabetic()) {
                "df" => t.df = on,
                "csum" => t.csum = on,
                "oam" => t.oam = on,
                "key" => t.key = on,
                _ => return Err(self.err("a tunnel flag")),
            }
            self.eat("|");
        }
        Ok(())
    }

    fn geneve(&mut self) -> Res<Vec<GeneveOpt>> {
        self.want("(")?;
        let mut out = Vec::new();
        while self.eat("{") {
            self.want("class=")?;
            let class = self.num16()?;
            self.want(",type=")?;
            let ty = self.num()? as u8;
            self.want(",len=")?;
            let len = self.num()? as usize;
            if len > 124 || !len.is_multiple_of(4) {
                return Err(self.err("an option length"));
            }
            let mut data = if self.eat(",") { self.hex_bytes()? } else { Vec::new() };
            if data.len() > len {
                return Err(self.err("an option that fits"));
            }
            data.splice(0..0, std::iter::repeat_n(0, len - data.len()));
            out.push(GeneveOpt { class, ty, data });
            self.want("}")?;
        }
        self.want(")").map(|()| out)
    }

    fn erspan(&mut self) -> Res<(u8, u32, u8, u8)> {
        self.want("(ver=")?;
        let ver = self.num()? as u8;
        let mut e = (ver, 0, 0, 0);
        if self.eat(",idx=") {
            e.1 = self.num32()?;
        } else {
            self.want(",dir=")?;
            e.2 = self.num()? as u8;
            self.want(",hwid=")?;
            e.3 = self.num()? as u8;
        }
        self.want(")").map(|()| e)
    }
}

/// A header of `set()` while its fields are read.
struct Header(SetField);

impl Header {
    fn new(name: &str) -> Option<Header> {
        Some(Header(match name {
            "eth" => SetField::Eth(SetEth::default()),
            "vlan" => SetField::Vlan(Masked::new(0x1000, 0x1000)),
            "mpls" => SetField::Mpls(Masked::default()),
            "ipv4" => SetField::Ipv4(SetIpv4::default()),
            "ipv6" => SetField::Ipv6(Box::default()),
            "tcp" => SetField::Tcp(SetPorts::default()),
            "udp" => SetField::Udp(SetPorts::default()),
            "sctp" => SetField::Sctp(SetPorts::default()),
            "icmp" => SetField::Icmp(SetIcmp::default()),
            "icmpv6" => SetField::Icmpv6(SetIcmp::default()),
            "arp" => SetField::Arp(Box::default()),
            "nd" => SetField::Nd(Box::default()),
            "nd_ext" => SetField::NdExt(SetNdExt::default()),
            "nsh" => SetField::Nsh(Box::default()),
            "pbb" => SetField::Pbb(SetPbb::default()),
            _ => return None,
        }))
    }

    fn field(&mut self, c: &mut Cursor<'_>, name: &str) -> Res<()> {
        match (&mut self.0, name) {
            (SetField::Eth(e), "src") => e.src = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::Eth(e), "dst") => e.dst = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::Vlan(m), "vid") => {
                let v = c.masked(0xfff, |c| c.num16())?;
                *m = Masked { value: m.value | (v.value & 0xfff), mask: m.mask | v.mask };
            }
            (SetField::Vlan(m), "pcp") => {
                let v = c.masked(7, |c| c.num16())?;
                if v.value > 7 {
                    return Err(c.err("a priority"));
                }
                *m = Masked { value: m.value | v.value << 13, mask: m.mask | v.mask << 13 };
            }
            (SetField::Vlan(m), "cfi") => {
                let v = c.masked(1, |c| c.num16())?;
                m.value = (m.value & !0x1000) | (v.value & 1) << 12;
            }
            (SetField::Mpls(m), "label" | "tc" | "ttl" | "bos") => {
                let (shift, full) = match name {
                    "label" => (12, 0xf_ffff),
                    "tc" => (9, 7),
                    "ttl" => (0, 0xff),
                    _ => (8, 1),
                };
                let v = c.masked(full, |c| c.num32())?;
                *m = Masked { value: m.value | (v.value & full) << shift, mask: m.mask | v.mask << shift };
            }
            (SetField::Ipv4(i), "src") => i.src = c.masked(u32::MAX, |c| c.ip4())?,
            (SetField::Ipv4(i), "dst") => i.dst = c.masked(u32::MAX, |c| c.ip4())?,
            (SetField::Ipv4(i), "proto") => i.proto = c.m8()?,
            (SetField::Ipv4(i), "tos") => i.tos = c.m8()?,
            (SetField::Ipv4(i), "ttl") => i.ttl = c.m8()?,
            (SetField::Ipv4(i), "frag") => i.frag = frag(c)?,
            (SetField::Ipv6(i), "src") => i.src = c.masked(u128::MAX, |c| c.ip6())?,
            (SetField::Ipv6(i), "dst") => i.dst = c.masked(u128::MAX, |c| c.ip6())?,
            (SetField::Ipv6(i), "label") => i.label = c.masked(0xf_ffff, |c| c.num32())?,
            (SetField::Ipv6(i), "proto") => i.proto = c.m8()?,
            (SetField::Ipv6(i), "tclass") => i.tclass = c.m8()?,
            (SetField::Ipv6(i), "hlimit") => i.hlimit = c.m8()?,
            (SetField::Ipv6(i), "frag") => i.frag = frag(c)?,
            (SetField::Tcp(p) | SetField::Udp(p) | SetField::Sctp(p), "src") => p.src = c.m16()?,
            (SetField::Tcp(p) | SetField::Udp(p) | SetField::Sctp(p), "dst") => p.dst = c.m16()?,
            (SetField::Icmp(i) | SetField::Icmpv6(i), "type") => i.ty = c.m8()?,
            (SetField::Icmp(i) | SetField::Icmpv6(i), "code") => i.code = c.m8()?,
            (SetField::Arp(a), "sip") => a.sip = c.masked(u32::MAX, |c| c.ip4())?,
            (SetField::Arp(a), "tip") => a.tip = c.masked(u32::MAX, |c| c.ip4())?,
            (SetField::Arp(a), "op") => a.op = c.m16()?,
            (SetField::Arp(a), "sha") => a.sha = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::Arp(a), "tha") => a.tha = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::Nd(n), "target") => n.target = c.masked(u128::MAX, |c| c.ip6())?,
            (SetField::Nd(n), "sll") => n.sll = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::Nd(n), "tll") => n.tll = c.masked(Mac::BROADCAST, |c| c.mac())?,
            (SetField::NdExt(n), "nd_reserved") => n.reserved = c.m32()?,
            (SetField::NdExt(n), "nd_options_type") => n.options_type = c.m8()?,
            (SetField::Pbb(p), "isid") => p.isid = c.masked(0xff_ffff, |c| c.num32())?,
            (SetField::Pbb(p), "uca") => p.uca = c.m8()?,
            (SetField::Nsh(n), _) => return nsh_field(n, c, name),
            _ => return Err(c.err("a field of this header")),
        }
        Ok(())
    }
}

fn frag(c: &mut Cursor<'_>) -> Res<Masked<u8>> {
    match c.run(|b| b.is_ascii_alphabetic()) {
        "no" => Ok(Masked::exact(0)),
        "first" => Ok(Masked::exact(1)),
        "later" => Ok(Masked::exact(3)),
        _ => Err(c.err("no, first or later")),
    }
}

fn nsh_field(n: &mut SetNsh, c: &mut Cursor<'_>, name: &str) -> Res<()> {
    match name {
        "flags" => n.flags = c.m8()?,
        "ttl" => n.ttl = c.m8()?,
        "mdtype" => n.mdtype = c.m8()?,
        "np" => n.np = c.m8()?,
        "spi" => n.spi = c.masked(0xff_ffff, |c| c.num32())?,
        "si" => n.si = c.m8()?,
        "c1" => n.context[0] = c.m32()?,
        "c2" => n.context[1] = c.m32()?,
        "c3" => n.context[2] = c.m32()?,
        "c4" => n.context[3] = c.m32()?,
        _ => return Err(c.err("a field of nsh()")),
    }
    Ok(())
}
