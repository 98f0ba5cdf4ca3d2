//! Reading datapath flows.

use super::tunnel::parse_tunnel;
use super::{Attr, Attrs, DpPortMap, GROUPS, Group, Item, Kind, SINGLES, attrs_of, load, store};
use crate::field::ones;
use crate::key::{FlowKey, Mask, VLAN_PRESENT, eth_type};
use crate::layout as l;
use crate::text::flags;
use crate::text::value::parse_int;
use base::{DpPort, Mac};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a flow could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OdpError {
    /// The rest of the text, from the attribute that is not understood.
    Syntax(String),
}

impl fmt::Display for OdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OdpError::Syntax(rest) => write!(f, "syntax error at {rest}"),
        }
    }
}

impl std::error::Error for OdpError {}

/// A datapath flow as read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OdpFlow {
    /// Values; bits outside the mask are kept.
    pub key: FlowKey,
    /// What was given, under the masks that were given.
    pub mask: Mask,
    /// The attributes that were given.
    pub attrs: Attrs,
    /// An attribute was given twice, or one that does not belong to the flow, or not what it needs.
    pub inconsistent: bool,
    /// Unique flow id, if one was given.
    pub ufid: Option<u128>,
}

impl OdpFlow {
    /// The attributes that the flow should have and has not.
    pub fn missing(&self) -> Attrs {
        let mut want = attrs_of(&self.key);
        for optional in [
            Attr::RecircId,
            Attr::DpHash,
            Attr::SkbPriority,
            Attr::SkbMark,
            Attr::CtState,
            Attr::CtZone,
            Attr::CtMark,
            Attr::CtLabel,
            Attr::CtTuple4,
            Attr::CtTuple6,
            Attr::PacketType,
            Attr::TcpFlags,
            Attr::NdExt,
        ] {
            want.0 &= !(1 << optional as u32);
        }
        Attrs(want.0 & !self.attrs.0)
    }

    /// Whether the flow can be put into a datapath: all that it needs is there and nothing else is.
    pub fn is_complete(&self) -> bool {
        if self.attrs.0 == 0 {
            return true;
        }
        !self.inconsistent && self.missing().0 == 0 && self.attrs.has(Attr::EthType)
    }
}

/// Reads a datapath flow. Names of ports are looked up in `ports`.
pub fn parse_odp(text: &str, ports: &dyn DpPortMap) -> Result<OdpFlow, OdpError> {
    let mut flow = OdpFlow::default();
    let mut s = Scanner { rest: text };
    let mut depth = 0;
    let mut tags: Vec<u16> = Vec::new();
    loop {
        s.skip(", \t\r\n");
        if depth > 0 && s.take(")") {
            depth -= 1;
            continue;
        }
        if s.rest.is_empty() {
            break;
        }
        let here = s.rest;
        let syntax = || OdpError::Syntax(here.into());
        if s.take("encap(") {
            tags.push(flow.key.eth_type());
            flow.key.set_eth_type(0);
            flow.mask.0.set_eth_type(0);
            flow.attrs.0 &= !(1 << Attr::EthType as u32);
            depth += 1;
            if depth > 2 {
                return Err(syntax());
            }
            continue;
        }
        if s.take("ufid:") {
            let end = s.rest.find([',', ' ']).unwrap_or(s.rest.len());
            flow.ufid = Some(parse_ufid(&s.rest[..end]).ok_or_else(syntax)?);
            s.rest = &s.rest[end..];
            continue;
        }
        attribute(&mut s, &mut flow, ports, depth).ok_or_else(syntax)?;
    }
    if depth > 0 {
        return Err(OdpError::Syntax(String::new()));
    }
    finish(&mut flow, &tags);
    Ok(flow)
}

fn parse_ufid(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok())?
}

/// Reads one attribute.
fn attribute(s: &mut Scanner<'_>, flow: &mut OdpFlow, ports: &dyn DpPortMap, depth: usize) -> Option<()> {
    let open = s.rest.find('(')?;
    let name = &s.rest[..open];
    s.rest = &s.rest[open + 1..];
    let (key, mask) = (&mut flow.key, &mut flow.mask.0);
    let attr = if let Some(g) = SINGLES.iter().find(|g| g.name == name) {
        item_value(s, &g.items[0], key, mask)?;
        // The recirculation id is part of every flow as a whole.
        if g.attr == Attr::RecircId && load(mask, &g.items[0]) != ones(32) {
            return None;
        }
        s.take(")").then_some(g.attr)?
    } else if let Some(g) = GROUPS.iter().find(|g| g.name == name) {
        group(s, g, key, mask)?;
        g.attr
    } else {
        match name {
            "in_port" => {
                in_port(s.until(')')?, ports, key, mask)?;
                Attr::InPort
            }
            "ct_state" => {
                let (v, m) = flags::CT_STATE.parse(s.until(')')?).ok()?;
                key.put(l::CT_STATE, &v.to_be_bytes());
                mask.put(l::CT_STATE, &m.to_be_bytes());
                Attr::CtState
            }
            "tcp_flags" => {
                let (v, m) = flags::TCP.parse(s.until(')')?).ok()?;
                key.put(l::TCP_FLAGS, &(v as u16).to_be_bytes());
                mask.put(l::TCP_FLAGS, &(m as u16).to_be_bytes());
                Attr::TcpFlags
            }
            "eth_type" => {
                let (v, m) = wrapping_number(s, 16)?;
                key.set_eth_type(v as u16);
                mask.set_eth_type(m as u16);
                s.take(")").then_some(Attr::EthType)?
            }
            "vlan" => {
                vlan(s, depth, key, mask)?;
                if depth == 0 { Attr::Vlan } else { Attr::Vlan2 }
            }
            "mpls" => {
                mpls(s, key, mask)?;
                Attr::Mpls
            }
            "tunnel" => {
                parse_tunnel(s, key, mask)?;
                Attr::Tunnel
            }
            _ => return None,
        }
    };
    if flow.attrs.insert(attr) {
        flow.inconsistent = true;
    }
    Some(())
}

/// What can only be said once everything has been read.
fn finish(flow: &mut OdpFlow, tags: &[u16]) {
    for (n, tpid) in tags.iter().enumerate() {
        let (_, tci) = flow.key.vlan(n);
        flow.key.set_vlan(n, *tpid, tci);
        let (_, mask) = flow.mask.0.vlan(n);
        flow.mask.0.set_vlan(n, 0xffff, mask);
        if !flow.attrs.has([Attr::Vlan, Attr::Vlan2][n.min(1)]) || tci & VLAN_PRESENT == 0 {
            flow.inconsistent = true;
        }
    }
    if tags.is_empty() && matches!(flow.key.eth_type(), eth_type::VLAN | eth_type::QINQ) {
        flow.inconsistent = true;
    }
    if !flow.attrs.has(Attr::InPort) {
        flow.key.set_dp_port(DpPort::NONE);
    }
    if !flow.attrs.has(Attr::PacketType) && !flow.attrs.has(Attr::Eth) && flow.attrs.has(Attr::EthType) {
        let packet_type = 1 << 16 | flow.key.eth_type() as u32;
        flow.key.put(l::PACKET_TYPE, &packet_type.to_be_bytes());
    }
    if flow.key.packet_type() == 0 && !flow.attrs.has(Attr::EthType) && flow.attrs.has(Attr::Eth) {
        flow.key.set_eth_type(eth_type::NOT_A_TYPE);
    }
    if flow.attrs.has(Attr::EthType) && flow.key.eth_type() == eth_type::NOT_A_TYPE {
        flow.inconsistent = true;
    }
    // A tunnel has a TTL, if a wild one.
    if flow.attrs.has(Attr::Tunnel) && flow.key.u8_at(l::TUN_TTL) == 0 && flow.mask.0.u8_at(l::TUN_TTL) == 0 {
        flow.inconsistent = true;
    }
    if flow.attrs.0 == 0 {
        flow.mask = Mask::exact();
        return;
    }
    flow.mask.0.put(l::RECIRC_ID, &[0xff; 4]);
    // Whatever does not belong to the flow is not part of it.
    let belongs = attrs_of(&flow.key);
    for g in GROUPS.iter().filter(|g| !belongs.has(g.attr)) {
        let optional = matches!(g.attr, Attr::CtTuple4 | Attr::CtTuple6);
        if flow.attrs.has(g.attr) && !optional {
            flow.inconsistent = true;
            for i in g.items {
                if !shared(i, belongs) {
                    store(&mut flow.key, i, 0);
                    store(&mut flow.mask.0, i, 0);
                }
            }
        }
    }
    if flow.attrs.has(Attr::TcpFlags) && !belongs.has(Attr::TcpFlags) {
        flow.inconsistent = true;
        flow.key.put(l::TCP_FLAGS, &[0; 2]);
        flow.mask.0.put(l::TCP_FLAGS, &[0; 2]);
    }
}

/// Whether some attribute that does belong has the same place in the key.
fn shared(i: &Item, belongs: Attrs) -> bool {
    GROUPS.iter().filter(|g| belongs.has(g.attr)).any(|g| g.items.iter().any(|other| other.start == i.start))
}

fn group(s: &mut Scanner<'_>, g: &Group, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    loop {
        s.skip(",");
        if s.take(")") {
            return Some(());
        }
        let i = g.items.iter().find(|i| s.take_key(i.name))?;
        item_value(s, i, key, mask)?;
    }
}

/// Reads `value[/mask]` of an item.
pub(super) fn item_value(s: &mut Scanner<'_>, i: &Item, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let full = ones(i.len);
    let (v, m) = match i.kind {
        Kind::Dec | Kind::Hex => {
            let (v, m) = s.number_and_mask(128)?;
            if v > full {
                return None;
            }
            (v, m.map_or(full, |m| m & full))
        }
        Kind::Frag => {
            let end = s.rest.find([',', ')'])?;
            let v = match &s.rest[..end] {
                "no" => 0,
                "first" => 1,
                "later" => 3,
                _ => return None,
            };
            s.rest = &s.rest[end..];
            (v, 3)
        }
        _ => {
            let one = |text: &str| -> Option<u128> {
                Some(match i.kind {
                    Kind::Mac => Mac::parse(text)?.to_u64() as u128,
                    Kind::V4 => u32::from(text.parse::<Ipv4Addr>().ok()?) as u128,
                    _ => text.parse::<Ipv6Addr>().ok()?.into(),
                })
            };
            let end = s.rest.find([',', ')'])?;
            let text = &s.rest[..end];
            s.rest = &s.rest[end..];
            match text.split_once('/') {
                Some((v, m)) => (one(v)?, one(m)?),
                None => (one(text)?, full),
            }
        }
    };
    store(key, i, v);
    store(mask, i, m);
    debug_assert_eq!(load(mask, i), m);
    Some(())
}

/// Reads `value[/mask]` that fits `bytes`; ((value, mask), ...) for callers that want the pair as one.
pub(super) fn masked_number(s: &mut Scanner<'_>, bytes: u16) -> Option<MaskedPair> {
    let full = ones(bytes * 8);
    let (v, m) = s.number_and_mask(128)?;
    (v <= full).then_some(MaskedPair(v, m.unwrap_or(full)))
}

pub(super) struct MaskedPair(pub u128, pub u128);

fn wrapping_number(s: &mut Scanner<'_>, bits: u16) -> Option<(u128, u128)> {
    let (v, m) = s.number_and_mask(128)?;
    Some((v & ones(bits), m.map_or(ones(bits), |m| m & ones(bits))))
}

fn in_port(text: &str, ports: &dyn DpPortMap, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let (name, m) = match text.split_once('/') {
        Some((name, m)) => (name, parse_int(m, 4)?? as u32),
        None => (text, u32::MAX),
    };
    let port = match parse_int(name, 4) {
        Some(n) => DpPort(n? as u32),
        None => ports.dp_port_number(name)?,
    };
    key.set_dp_port(port);
    mask.put(l::IN_PORT, &m.to_be_bytes());
    Some(())
}

fn vlan(s: &mut Scanner<'_>, n: usize, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let (mut tci, mut m) = (VLAN_PRESENT, VLAN_PRESENT);
    loop {
        s.skip(",");
        if s.take(")") {
            break;
        }
        let (shift, bits) = if s.take_key("vid") {
            (0, 0xfff)
        } else if s.take_key("pcp") {
            (13, 7)
        } else if s.take_key("cfi") {
            (12, 1)
        } else {
            return None;
        };
        let (v, vm) = s.number_and_mask(128)?;
        if v > bits as u128 {
            return None;
        }
        tci = tci & !(bits << shift) | (v as u16) << shift;
        m = m & !(bits << shift) | (vm.unwrap_or(bits as u128) as u16 & bits) << shift;
    }
    key.set_vlan(n.min(1), key.vlan(n.min(1)).0, tci);
    mask.set_vlan(n.min(1), mask.vlan(n.min(1)).0, m);
    Some(())
}

fn mpls(s: &mut Scanner<'_>, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let mut n = 0;
    loop {
        if n == 3 {
            return None;
        }
        let (mut lse, mut m) = (0, 0);
        for (name, shift, bits) in [("label", 12, 20), ("tc", 9, 3), ("ttl", 0, 8), ("bos", 8, 1)] {
            s.skip(",");
            if !s.take_key(name) {
                return None;
            }
            let full = (1u32 << bits) - 1;
            let (v, vm) = s.number_and_mask(128)?;
            if v > full as u128 {
                return None;
            }
            lse |= (v as u32) << shift;
            m |= (vm.unwrap_or(full as u128) as u32 & full) << shift;
        }
        key.set_mpls_lse(n, lse);
        mask.set_mpls_lse(n, m);
        n += 1;
        if s.take(")") {
            return Some(());
        }
    }
}

/// The text that is left.
pub(super) struct Scanner<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn skip(&mut self, any_of: &str) {
        self.rest = self.rest.trim_start_matches(|c| any_of.contains(c));
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes `name=`.
    pub(super) fn take_key(&mut self, name: &str) -> bool {
        match self.rest.strip_prefix(name).and_then(|r| r.strip_prefix('=')) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes up to and including `end`.
    pub(super) fn until(&mut self, end: char) -> Option<&'a str> {
        let (inside, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inside)
    }

    fn number(&mut self) -> Option<u128> {
        let hex = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let start = if hex { 2 } else { 0 };
        let ok = |b: u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
        let tail = &self.rest.as_bytes()[start..];
        let end = start + tail.iter().position(|b| !ok(*b)).unwrap_or(tail.len());
        let v = parse_int(&self.rest[..end], 16)??;
        self.rest = &self.rest[end..];
        Some(v)
    }

    fn number_and_mask(&mut self, _bits: u16) -> Option<(u128, Option<u128>)> {
        let v = self.number()?;
        let m = if self.take("/") { Some(self.number()?) } else { None };
        Some((v, m))
    }

    /// Takes a hexadecimal number of at most `len` bytes.
    pub(super) fn long_hex(&mut self, len: usize) -> Option<Vec<u8>> {
        if !self.take("0x") && !self.take("0X") {
            let v = self.number()?;
            let be = v.to_be_bytes();
            let mut out = vec![0; len];
            for (i, b) in out.iter_mut().rev().enumerate().take(16) {
                *b = be[15 - i];
            }
            return Some(out);
        }
        let end = self.rest.bytes().position(|b| !b.is_ascii_hexdigit()).unwrap_or(self.rest.len());
        let digits = self.rest[..end].trim_start_matches('0');
        self.rest = &self.rest[end..];
        if digits.len() > len * 2 {
            return None;
        }
        let padded = format!("{digits:0>width$}", width = len * 2);
        (0..len).map(|i| u8::from_str_radix(&padded[2 * i..2 * i + 2], 16).ok()).collect()
    }
}
