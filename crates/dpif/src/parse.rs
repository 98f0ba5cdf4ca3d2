//! Actions from text.
//!
//! Accepts what the reference prints, and the looser forms that it accepts: numbers in decimal, octal or hexadecimal,
//! several separators in a row, sets of fields in any order. Where the reference prints an action that it cannot read
//! (`push_mpls`, `pop_mpls`, `push_eth`, `pop_eth`, `hash`, `recirc(0x1)`), this reads it.

mod set;

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
}
