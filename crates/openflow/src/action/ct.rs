//! `ct`, `ct_clear` and `nat`: connection tracking.

use super::Action;
use super::text::{Outer, parse_list};
use super::wire::{Dec, Enc};
use super::wire::{MODULE, ofs_nbits, pull_header32, put_header32, split_ofs_nbits};
use crate::buf::DecodeError;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use flow::Subfield;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where the connection-tracking zone comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtZone {
    /// A number.
    Immediate(u16),
    /// A field of at most 16 bits.
    Field(Subfield),
}

/// Send the packet through the connection tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ct {
    /// Commit the connection.
    pub commit: bool,
    /// Make this direction the original one.
    pub force: bool,
    /// The zone.
    pub zone: CtZone,
    /// Table in which the tracked packet continues; absent: it does not.
    pub recirc_table: Option<u8>,
    /// Helper: the port number of its protocol (21 for FTP, 69 for TFTP), or 0.
    pub alg: u16,
    /// `nat` and actions that set the mark and label.
    pub actions: Vec<Action>,
}

impl Default for Ct {
    fn default() -> Self {
        Ct {
            commit: false,
            force: false,
            zone: CtZone::Immediate(0),
            recirc_table: None,
            alg: 0,
            actions: Vec::new(),
        }
    }
}

/// Addresses to translate to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NatRange {
    /// No addresses.
    None,
    /// IPv4 `min..=max`; `max` is 0 when one address was given.
    V4 {
        /// Lowest.
        min: u32,
        /// Highest, or 0.
        max: u32,
    },
    /// IPv6 `min..=max`; `max` is 0 when one address was given.
    V6 {
        /// Lowest.
        min: u128,
        /// Highest, or 0.
        max: u128,
    },
}

/// Translate addresses; inside [`Ct`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat {
    /// Bits `NAT_*`.
    pub flags: u16,
    /// Addresses.
    pub range: NatRange,
    /// Lowest port, or 0.
    pub port_min: u16,
    /// Highest port, or 0.
    pub port_max: u16,
}

impl Nat {
    /// Source NAT.
    pub const SRC: u16 = 1 << 0;
    /// Destination NAT.
    pub const DST: u16 = 1 << 1;
    /// Same mapping after a restart.
    pub const PERSISTENT: u16 = 1 << 2;
    /// Choose the port by hash.
    pub const PROTO_HASH: u16 = 1 << 3;
    /// Choose the port at random.
    pub const PROTO_RANDOM: u16 = 1 << 4;
}

const COMMIT: u16 = 1 << 0;
const FORCE: u16 = 1 << 1;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let flags = d.r.u16()?;
    let mut zone_src = d.r;
    let has_field = d.r.u32()? != 0;
    let zone = d.r.u16()?;
    let recirc_table = d.r.u8()?;
    d.r.skip(3)?;
    let alg = d.r.u16()?;
    if flags & !(COMMIT | FORCE) != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let zone = if has_field {
        let s = split_ofs_nbits(pull_header32(&mut zone_src)?, zone);
        super::check::subfield(s, "source")?;
        if s.n_bits != 16 {
            return Err(DecodeError::logged(
                OfpErr::OFPBAC_BAD_SET_LEN,
                MODULE,
                format!("zone n_bits {} not within valid range [16..16]", s.n_bits),
            ));
        }
        CtZone::Field(s)
    } else {
        CtZone::Immediate(zone)
    };
    let actions = super::wire::decode_list(d.r.take_all(), d.version, d.depth + 1)?;
    check_nested(&actions, flags & COMMIT != 0)?;
    if flags & FORCE != 0 && flags & COMMIT == 0 {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_ARGUMENT,
            MODULE,
            "CT action requires commit flag if force flag is specified.".to_string(),
        ));
    }
    Ok(Action::Ct(Box::new(Ct {
        commit: flags & COMMIT != 0,
        force: flags & FORCE != 0,
        zone,
        recirc_table: (recirc_table != 0xff).then_some(recirc_table),
        alg,
        actions,
    })))
}

/// Only `nat`, and setting the mark and the label, may stand inside; and what has an effect only with `commit`.
fn check_nested(actions: &[Action], commit: bool) -> Decode<()> {
    super::wire::together(actions, Outer::Ct)?;
    let plain = |a: &Action| matches!(a, Action::Nat(n) if n.range == NatRange::None && n.flags == 0);
    if !commit && !actions.iter().all(plain) {
        let text =
            "CT action requires commit flag if actions other than NAT without arguments are specified.";
        return Err(DecodeError::logged(OfpErr::OFPBAC_BAD_ARGUMENT, MODULE, text));
    }
    Ok(())
}

const V4_MIN: u16 = 1 << 0;
const V4_MAX: u16 = 1 << 1;
const V6_MIN: u16 = 1 << 2;
const V6_MAX: u16 = 1 << 3;
const PORT_MIN: u16 = 1 << 4;
const PORT_MAX: u16 = 1 << 5;

pub(super) fn decode_nat(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    let flags = d.r.u16()?;
    let present = d.r.u16()?;
    let known = Nat::SRC | Nat::DST | Nat::PERSISTENT | Nat::PROTO_HASH | Nat::PROTO_RANDOM;
    let both = |bits: u16| flags & bits == bits;
    if flags & !known != 0
        || both(Nat::SRC | Nat::DST)
        || both(Nat::PROTO_HASH | Nat::PROTO_RANDOM)
        || (present != 0 && flags & (Nat::SRC | Nat::DST) == 0)
        || present & (V4_MIN | V4_MAX) == V4_MAX
        || present & (V6_MIN | V6_MAX) == V6_MAX
        || present & (PORT_MIN | PORT_MAX) == PORT_MAX
        || (present & V4_MIN != 0 && present & V6_MIN != 0)
    {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let opt32 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u32() } else { Ok(0) };
    let (min4, max4) = (opt32(V4_MIN, &mut d.r)?, opt32(V4_MAX, &mut d.r)?);
    let opt128 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u128() } else { Ok(0) };
    let (min6, max6) = (opt128(V6_MIN, &mut d.r)?, opt128(V6_MAX, &mut d.r)?);
    let opt16 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u16() } else { Ok(0) };
    let (port_min, port_max) = (opt16(PORT_MIN, &mut d.r)?, opt16(PORT_MAX, &mut d.r)?);
    let orderly = |bit: u16, fits: bool| present & bit == 0 || fits;
    if !orderly(V4_MAX, min4 <= max4)
        || !orderly(V6_MAX, min6 <= max6)
        || !orderly(PORT_MAX, port_min <= port_max)
    {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let range = if present & V4_MIN != 0 {
        NatRange::V4 { min: min4, max: max4 }
    } else if present & V6_MIN != 0 {
        NatRange::V6 { min: min6, max: max6 }
    } else {
        NatRange::None
    };
    Ok(Action::Nat(Box::new(Nat { flags, range, port_min, port_max })))
}

impl Nat {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let mut present = match self.range {
            NatRange::None => 0,
            NatRange::V4 { max, .. } => V4_MIN | if max != 0 { V4_MAX } else { 0 },
            NatRange::V6 { max, .. } => V6_MIN | if max != 0 { V6_MAX } else { 0 },
        };
        if self.port_min != 0 {
            present |= PORT_MIN | if self.port_max != 0 { PORT_MAX } else { 0 };
        }
        e.nicira(36, |o| {
            o.zeros(2);
            o.u16(self.flags);
            o.u16(present);
            match self.range {
                NatRange::None => {}
                NatRange::V4 { min, max } => {
                    o.u32(min);
                    if max != 0 {
                        o.u32(max);
                    }
                }
                NatRange::V6 { min, max } => {
                    o.u128(min);
                    if max != 0 {
                        o.u128(max);
                    }
                }
            }
            if self.port_min != 0 {
                o.u16(self.port_min);
                if self.port_max != 0 {
                    o.u16(self.port_max);
                }
            }
        });
    }
}

impl Ct {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = e.version;
        e.nicira(35, |o| {
            o.u16(if self.commit { COMMIT } else { 0 } | if self.force { FORCE } else { 0 });
            match self.zone {
                CtZone::Immediate(z) => {
                    o.u32(0);
                    o.u16(z);
                }
                CtZone::Field(s) => {
                    put_header32(o, s.field);
                    o.u16(ofs_nbits(s));
                }
            }
            o.u8(self.recirc_table.unwrap_or(0xff));
            o.zeros(3);
            o.u16(self.alg);
            super::wire::encode(&self.actions, version, o);
        });
    }
}

impl Ct {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("ct(");
        let start = f.out.len();
        if self.commit {
            f.value("commit");
            f.put(",");
        }
        if self.force {
            f.value("force");
            f.put(",");
        }
        if let Some(t) = self.recirc_table {
            f.param("table=");
            f.table(t);
            f.put(",");
        }
        match self.zone {
            CtZone::Immediate(0) => {}
            CtZone::Immediate(z) => {
                f.param("zone=");
                let _ = write!(f, "{z},");
            }
            CtZone::Field(s) => {
                f.param("zone=");
                f.subfield(s);
                f.put(",");
            }
        }
        // NAT prints by itself if it stands first, everything else under `exec`.
        let first = self.actions.iter().take_while(|a| matches!(a, Action::Nat(_))).count();
        let (nat, exec) = self.actions.split_at(first);
        for a in nat {
            a.format(f);
            f.put(",");
        }
        if !exec.is_empty() {
            f.paren("exec(");
            for (i, a) in exec.iter().enumerate() {
                if i > 0 {
                    f.put(",");
                }
                a.format(f);
            }
            f.paren("),");
        }
        match self.alg {
            0 => {}
            21 => {
                f.param("alg=");
                f.put("ftp,");
            }
            69 => {
                f.param("alg=");
                f.put("tftp,");
            }
            n => {
                f.param("alg=");
                let _ = write!(f, "{n},");
            }
        }
        if f.out.len() > start && f.out.ends_with(',') {
            f.out.pop();
        }
        f.paren(")");
    }
}

impl Nat {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("nat");
        if self.flags & (Nat::SRC | Nat::DST) == 0 {
            return;
        }
        f.paren("(");
        f.param(if self.flags & Nat::SRC != 0 { "src" } else { "dst" });
        let mut brackets = false;
        match self.range {
            NatRange::None => {}
            NatRange::V4 { min, max } => {
                f.param("=");
                let _ = write!(f, "{}", Ipv4Addr::from(min));
                if max != 0 && max != min {
                    let _ = write!(f, "-{}", Ipv4Addr::from(max));
                }
            }
            NatRange::V6 { min, max } => {
                f.param("=");
                brackets = self.port_min != 0;
                if brackets {
                    f.put("[");
                }
                let _ = write!(f, "{}", Ipv6Addr::from(min));
                if max != 0 && max != min {
                    let dash = if brackets { "]-[" } else { "-" };
                    let _ = write!(f, "{dash}{}", Ipv6Addr::from(max));
                }
            }
        }
        if brackets {
            f.put("]");
        }
        if self.port_min != 0 {
            if self.range == NatRange::None {
                f.param("=");
            }
            let _ = write!(f, ":{}", self.port_min);
            if self.port_max != 0 && self.port_max != self.port_min {
                let _ = write!(f, "-{}", self.port_max);
            }
        }
        if self.range == NatRange::None && self.port_min == 0 {
            f.paren(")");
            return;
        }
        for (bit, word) in
            [(Nat::PERSISTENT, "persistent"), (Nat::PROTO_HASH, "hash"), (Nat::PROTO_RANDOM, "random")]
        {
            if self.flags & bit != 0 {
                f.put(",");
                f.value(word);
            }
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut c = Ct::default();
    for p in lex::pairs(s) {
        match p.key {
            "commit" => c.commit = true,
            "force" => c.force = true,
            "table" => {
                let t = cx.table(p.value).ok_or_else(|| format!("unknown table {}", p.value))?;
                if t == 0xff {
                    return Err(format!("invalid table {t:#x}"));
                }
                c.recirc_table = Some(t);
            }
            "zone" => {
                c.zone = match lex::u16_named(p.value, "zone") {
                    Ok(z) => CtZone::Immediate(z),
                    Err(_) => CtZone::Field(cx.subfield(p.value)?),
                };
            }
            "alg" => {
                c.alg = match p.value {
                    "ftp" => 21,
                    "tftp" => 69,
                    v => return Err(format!("invalid conntrack helper \"{v}\"")),
                };
            }
            "nat" => c.actions.push(parse_nat(p.value)?),
            "exec" => c.actions.append(&mut parse_list(p.value, Outer::Ct, cx)?),
            k => return Err(format!("invalid argument to \"ct\" action: `{k}'")),
        }
    }
    if c.force && !c.commit {
        return Err("\"force\" flag requires \"commit\" flag.".to_string());
    }
    Ok(Action::Ct(Box::new(c)))
}

pub(super) fn parse_nat(s: &str) -> Result<Action, String> {
    let mut n = Nat { flags: 0, range: NatRange::None, port_min: 0, port_max: 0 };
    for p in lex::pairs(s) {
        match p.key {
            "src" => {
                n.flags |= Nat::SRC;
                parse_nat_range(p.value, &mut n)?;
            }
            "dst" => {
                n.flags |= Nat::DST;
                parse_nat_range(p.value, &mut n)?;
            }
            "persistent" => n.flags |= Nat::PERSISTENT,
            "hash" => n.flags |= Nat::PROTO_HASH,
            "random" => n.flags |= Nat::PROTO_RANDOM,
            k => return Err(format!("invalid key \"{k}\" in \"nat\" argument")),
        }
    }
    let kind = n.flags & (Nat::SRC | Nat::DST);
    if kind == Nat::SRC | Nat::DST {
        return Err("May only specify one of \"src\" or \"dst\".".to_string());
    }
    if kind == 0 && n.flags != 0 {
        return Err("Flags allowed only with \"src\" or \"dst\".".to_string());
    }
    let how = Nat::PROTO_HASH | Nat::PROTO_RANDOM;
    if n.flags & how == how {
        return Err("Both \"hash\" and \"random\" are not allowed.".to_string());
    }
    Ok(Action::Nat(Box::new(n)))
}

/// Takes four numbers with periods between from the front of `s`.
fn v4_prefix(s: &str) -> Option<(Ipv4Addr, &str)> {
    let mut rest = s;
    let mut bytes = [0; 4];
    for (i, b) in bytes.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let (n, r) = number(rest);
        *b = n? as u8;
        rest = r;
    }
    Some((bytes.into(), rest))
}

/// Takes what looks like an IPv6 address from the front of `s`, in brackets or not: its text and the rest.
fn v6_text(s: &str) -> Option<(&str, &str)> {
    let body = s.strip_prefix('[').unwrap_or(s);
    let end = body.find(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.').unwrap_or(body.len());
    let rest = &body[end..];
    let rest = if body.len() == s.len() { rest } else { rest.strip_prefix(']')? };
    (end > 0).then_some((&body[..end], rest))
}

/// Takes an IPv6 address from the front of `s`.
fn v6_prefix(s: &str) -> Option<(Ipv6Addr, &str)> {
    let (text, rest) = v6_text(s)?;
    Some((text.parse().ok()?, rest))
}

fn parse_nat_range(s: &str, n: &mut Nat) -> Result<(), String> {
    if s.is_empty() {
        return Ok(());
    }
    let invalid = || format!("invalid nat range \"{s}\"");
    let mut rest = s;
    if let Some((min, r)) = v4_prefix(rest) {
        rest = r;
        let mut max = 0;
        if let Some(upper) = rest.strip_prefix('-') {
            let (m, r) = v4_prefix(upper).filter(|(m, _)| *m >= min).ok_or_else(invalid)?;
            (max, rest) = (m.into(), r);
        }
        n.range = NatRange::V4 { min: min.into(), max };
    } else if let Some((text, r)) = v6_text(rest) {
        // What only looks like an address is passed over, and there is no range.
        rest = r;
        if let Ok(min) = text.parse::<Ipv6Addr>() {
            let mut max = 0;
            if let Some(upper) = rest.strip_prefix('-') {
                let (m, r) = v6_prefix(upper).filter(|(m, _)| *m >= min).ok_or_else(invalid)?;
                (max, rest) = (m.into(), r);
            }
            n.range = NatRange::V6 { min: min.into(), max };
        }
    }
    if let Some(ports) = rest.strip_prefix(':').filter(|_| n.range != NatRange::None) {
        let port = |n: Option<u32>| n.map(|n| n as u16).ok_or_else(invalid);
        let (min, r) = number(ports);
        n.port_min = port(min)?;
        rest = r;
        if let Some((max, r)) = rest.strip_prefix('-').map(number) {
            n.port_max = port(max)?;
            rest = r;
            if n.port_max < n.port_min {
                return Err(invalid());
            }
        }
    }
    if !rest.is_empty() {
        let pos = s.len() - rest.len();
        return Err(format!("garbage ({rest}) after nat range \"{s}\" (pos: {pos})"));
    }
    Ok(())
}

fn number(s: &str) -> (Option<u32>, &str) {
    let end = s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
    (s[..end].parse().ok(), &s[end..])
}
