//! Printing datapath flows.

use super::tunnel::tunnel_text;
use super::{Attr, DpPortMap, GROUPS, Group, Item, Kind, SINGLES, attrs_of, load};
use crate::field::ones;
use crate::key::{FlowKey, Mask, VLAN_PRESENT, ct_state, eth_type};
use crate::layout as l;
use crate::text::flags;
use crate::text::value::{ipv6_text, put_mac};
use base::Mac;
use std::net::Ipv4Addr;

/// How to print a datapath flow.
#[derive(Clone, Copy, Default)]
pub struct OdpStyle<'a> {
    /// Prints fields that are all wild too.
    pub verbose: bool,
    /// Names of ports, where numbers are not wanted.
    pub ports: Option<&'a dyn DpPortMap>,
}

/// Text of a datapath flow. `key` is the whole key, bits outside the mask included: they are shown when verbose.
/// Without a mask everything counts.
pub fn odp_text(key: &FlowKey, mask: Option<&Mask>, style: OdpStyle<'_>) -> String {
    let attrs = attrs_of(key);
    let mut o = Out { text: String::new(), key, mask: mask.map(|m| &m.0), style };
    for g in &SINGLES[..3] {
        o.single(g);
    }
    if attrs.has(Attr::Tunnel)
        && let Some(t) = tunnel_text(key, mask, style.verbose)
    {
        o.attr("tunnel", &t);
    }
    o.in_port();
    o.single(&SINGLES[3]);
    o.ct_state();
    for g in &SINGLES[4..] {
        o.single(g);
    }
    for g in GROUPS[..3].iter().filter(|g| attrs.has(g.attr)) {
        o.group(g);
    }
    if attrs.has(Attr::Eth) {
        o.ethernet(&GROUPS[3]);
    }
    let mut nested = 0;
    for (n, attr) in [Attr::Vlan, Attr::Vlan2].into_iter().enumerate() {
        if attrs.has(attr) {
            o.vlan(n);
            o.sep();
            o.text.push_str("encap(");
            nested += 1;
        }
    }
    o.ether_type(attrs.has(Attr::EthType));
    if attrs.has(Attr::Mpls) {
        o.mpls();
    }
    for g in GROUPS[4..].iter().filter(|g| attrs.has(g.attr)) {
        o.group(g);
        if g.attr == Attr::Tcp {
            o.tcp_flags();
        }
    }
    for _ in 0..nested {
        o.text.push(')');
    }
    o.text
}

struct Out<'a> {
    text: String,
    key: &'a FlowKey,
    mask: Option<&'a FlowKey>,
    style: OdpStyle<'a>,
}

fn hex(v: u128) -> String {
    if v == 0 { "0".into() } else { format!("{v:#x}") }
}

impl Out<'_> {
    fn sep(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("encap(") {
            self.text.push(',');
        }
    }

    fn attr(&mut self, name: &str, inside: &str) {
        self.sep();
        self.text.push_str(name);
        self.text.push('(');
        self.text.push_str(inside);
        self.text.push(')');
    }

    /// The mask of some bits: all ones without a mask.
    fn mask_of(&self, i: &Item) -> u128 {
        let full = ones(i.len);
        match self.mask {
            None => full,
            // A fragment mask is of two bits in a key.
            Some(m) if i.kind == Kind::Frag => {
                let v = load(m, i);
                if v & 3 == 3 { full } else { v }
            }
            Some(m) => load(m, i),
        }
    }

    fn item_text(&self, i: &Item) -> Option<String> {
        let (v, m, full) = (load(self.key, i), self.mask_of(i), ones(i.len));
        if m == 0 && (!self.style.verbose || i.kind == Kind::Frag) {
            return None;
        }
        let text = match i.kind {
            Kind::Mac => {
                let mut text = String::new();
                put_mac(&mut text, v as u64, m as u64);
                text
            }
            Kind::V4 if m == full => Ipv4Addr::from(v as u32).to_string(),
            Kind::V4 => format!("{}/{}", Ipv4Addr::from(v as u32), Ipv4Addr::from(m as u32)),
            Kind::V6 if m == full => ipv6_text(v),
            Kind::V6 => format!("{}/{}", ipv6_text(v), ipv6_text(m)),
            Kind::Frag => {
                let name = match v & 3 {
                    0 => "no",
                    1 => "first",
                    3 => "later",
                    _ => "<error>",
                };
                if m == full { name.into() } else { format!("{name}/{m:#x}") }
            }
            Kind::Dec if m == full => v.to_string(),
            Kind::Dec => format!("{v}/{}", hex(m)),
            Kind::Hex if m == full => hex(v),
            Kind::Hex => format!("{}/{}", hex(v), hex(m)),
        };
        Some(if i.name.is_empty() { text } else { format!("{}={text}", i.name) })
    }

    fn single(&mut self, g: &Group) {
        // The recirculation id is part of every flow.
        if g.attr == Attr::RecircId {
            let v = load(self.key, &g.items[0]);
            self.attr(g.name, &hex(v));
        } else if let Some(t) = self.item_text(&g.items[0]) {
            self.attr(g.name, &t);
        }
    }

    fn items(&self, g: &Group) -> Vec<String> {
        // Names that only the parser knows stand last and repeat an earlier place.
        let mut seen = Vec::new();
        let mut out = Vec::new();
        for i in g.items {
            if !seen.contains(&i.start) {
                seen.push(i.start);
                out.extend(self.item_text(i));
            }
        }
        out
    }

    fn is_wild(&self, g: &Group) -> bool {
        g.items.iter().all(|i| self.mask_of(i) == 0)
    }

    fn group(&mut self, g: &Group) {
        if self.is_wild(g) && !self.style.verbose && g.attr != Attr::Nsh {
            return;
        }
        // Flows do not show what only actions change.
        if g.attr == Attr::NdExt && self.mask.is_some() {
            return;
        }
        let inside = if g.attr == Attr::Nsh { self.nsh() } else { self.items(g).join(",") };
        self.attr(g.name, &inside);
    }

    fn ethernet(&mut self, g: &Group) {
        let typed = self.mask.is_none_or(|m| m.packet_type() != 0);
        // What says that this is a frame is the packet type, or else the presence of this attribute.
        if !self.is_wild(g) || self.style.verbose {
            let inside = self.items(g).join(",");
            self.attr("eth", &inside);
        } else if !typed {
            self.attr("eth", "");
        }
    }

    /// Context headers belong to the first metadata type only; what is wild is left out even when verbose.
    fn nsh(&self) -> String {
        let context = load(self.key, &super::group(Attr::Nsh).items[2]) == 1;
        let wanted = |i: &&Item| self.mask_of(i) != 0 && (context || !i.name.starts_with('c'));
        let items: Vec<_> =
            super::group(Attr::Nsh).items.iter().filter(wanted).filter_map(|i| self.item_text(i)).collect();
        items.join(",")
    }

    fn in_port(&mut self) {
        let port = self.key.dp_port();
        let mask = self.mask.map_or(u32::MAX, |m| m.u32_at(l::IN_PORT));
        if (mask == 0 && !self.style.verbose) || port == base::DpPort::NONE {
            return;
        }
        let name = self.style.ports.and_then(|p| p.dp_port_name(port)).unwrap_or_else(|| port.0.to_string());
        let inside = if mask == u32::MAX { name } else { format!("{name}/{}", hex(mask as u128)) };
        self.attr("in_port", &inside);
    }

    fn ct_state(&mut self) {
        let v = self.key.ct_state();
        let all = flags::CT_STATE.all();
        let Some(m) = self.mask.map(|m| m.ct_state() & all) else {
            self.attr("ct_state", &hex(v as u128));
            return;
        };
        debug_assert_eq!(all, ct_state::DNAT * 2 - 1);
        if self.style.verbose {
            self.attr("ct_state", &format!("{}/{}", hex(v as u128), hex(m as u128)));
        } else if m != 0 {
            self.attr("ct_state", &flags::CT_STATE.signed(v, m));
        }
    }

    fn vlan(&mut self, n: usize) {
        let (tpid, tci) = self.key.vlan(n);
        self.attr("eth_type", &format!("{tpid:#06x}"));
        let m = self.mask.map_or(0xffff, |m| m.vlan(n).1);
        let part = |name: &str, v: u16, m: u16, full: u16| {
            if m == full { format!("{name}={v}") } else { format!("{name}={v}/{m:#x}") }
        };
        let mut inside = part("vid", tci & 0xfff, m & 0xfff, 0xfff);
        if tci >> 13 != 0 || m >> 13 != 0 || self.style.verbose {
            inside.push(',');
            inside.push_str(&part("pcp", tci >> 13, m >> 13, 7));
        }
        if tci & VLAN_PRESENT == 0 {
            inside.push_str(",cfi=0");
        }
        self.attr("vlan", &inside);
    }

    fn ether_type(&mut self, present: bool) {
        let v = self.key.eth_type();
        let m = self.mask.map_or(0xffff, |m| m.eth_type());
        if !present {
            if self.mask.is_some() && m != 0 {
                self.attr("eth_type", &format!("0/{m:#06x}"));
            }
            return;
        }
        if m == 0xffff {
            self.attr("eth_type", &format!("{v:#06x}"));
        } else if m != 0 || self.style.verbose {
            self.attr("eth_type", &format!("{v:#06x}/{m:#06x}"));
        }
    }

    fn tcp_flags(&mut self) {
        let v = self.key.tcp_flags() as u32 & 0xfff;
        let m = self.mask.map_or(0xfff, |m| m.tcp_flags() as u32 & 0xfff);
        if m != 0 {
            self.attr("tcp_flags", &flags::TCP.masked(v, m));
        } else if self.style.verbose && v != 0 {
            self.attr("tcp_flags", "0/0");
        }
    }

    fn mpls(&mut self) {
        let lse = |n: usize| self.key.mpls_lse(n);
        let count = (0..3).find(|n| lse(*n) & 0x100 != 0).map_or(3, |n| n + 1);
        let mask = |n: usize| self.mask.map_or(u32::MAX, |m| m.mpls_lse(n));
        if (0..count).all(|n| mask(n) == 0) && !self.style.verbose {
            return;
        }
        let exact = (0..count).all(|n| mask(n) == u32::MAX);
        let mut parts = Vec::new();
        for n in 0..count {
            let (v, m) = (lse(n), mask(n));
            for (name, shift, bits) in [("label", 12, 20), ("tc", 9, 3), ("ttl", 0, 8), ("bos", 8, 1)] {
                let field = |x: u32| x >> shift & ((1 << bits) - 1);
                parts.push(match (exact, bits >= 8) {
                    (true, _) => format!("{name}={}", field(v)),
                    (_, true) => format!("{name}={}/{:#x}", field(v), field(m)),
                    _ => format!("{name}={}/{:x}", field(v), field(m)),
                });
            }
        }
        let inside = parts.join(",");
        self.attr("mpls", &inside);
    }
}

// The text of a key of an unknown Ethertype carries only what is above.
const _: () = assert!(eth_type::NOT_A_TYPE == 0x5ff && Mac::ZERO.to_u64() == 0);
