//! `set(...)`: the fields of one header, in any order, each with a mask or without.

use super::{Cursor, Res};
use crate::action::*;
use base::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

impl Cursor<'_> {
    pub(super) fn set(&mut self) -> Res<DpAction> {
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
