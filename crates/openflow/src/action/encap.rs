//! `encap` and `decap`: push and pop whole headers.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::Reader;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use crate::version::ProtocolSet;
use std::fmt::Write;

/// A property of an [`Encap`], kept as it was on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EncapProperty {
    /// NSH metadata type, 1 or 2.
    NshMdType(u8),
    /// An NSH metadata TLV.
    NshTlv {
        /// TLV class.
        class: u16,
        /// TLV type.
        kind: u8,
        /// TLV value.
        value: Box<[u8]>,
    },
}

/// Push a header of the given packet type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encap {
    /// Packet type: name space in the high 16 bits, type in the low.
    pub packet_type: u32,
    /// Header size; zero means the default.
    pub hdr_size: u16,
    /// Properties.
    pub properties: Box<[EncapProperty]>,
}

/// Pop the outermost header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decap {
    /// What the packet is afterwards; `0xfffe` ([`Decap::NEXT`]) means as the header says.
    pub packet_type: u32,
}

impl Decap {
    /// "Take the next protocol from the header".
    pub const NEXT: u32 = 0xfffe;
}

/// Class of the NSH properties.
const CLASS_NSH: u16 = 4;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let hdr_size = d.r.u16()?;
    let packet_type = d.r.u32()?;
    if !Encap::TYPES.contains(&packet_type) {
        return Err(OfpErr::NXBAC_BAD_HEADER_TYPE.into());
    }
    let mut properties = Vec::new();
    while !d.r.is_empty() {
        let class = d.r.u16()?;
        let kind = d.r.u8()?;
        let len = usize::from(d.r.u8()?);
        let padded = len.next_multiple_of(8);
        if len < 4 || d.r.len() < padded - 4 {
            return Err(OfpErr::OFPBAC_BAD_LEN.into());
        }
        let mut p = Reader::with_error(&d.r.take(padded - 4)?[..len - 4], OfpErr::NXBAC_BAD_ED_PROP);
        properties.push(match (class, kind) {
            (CLASS_NSH, 1) => {
                let md = p.u8()?;
                if md != 1 && md != 2 {
                    return Err(OfpErr::NXBAC_BAD_ED_PROP.into());
                }
                EncapProperty::NshMdType(md)
            }
            (CLASS_NSH, 2) => {
                let class = p.u16()?;
                let kind = p.u8()?;
                let n = usize::from(p.u8()?);
                EncapProperty::NshTlv { class, kind, value: p.take(n)?.into() }
            }
            _ => return Err(OfpErr::NXBAC_UNKNOWN_ED_PROP.into()),
        });
    }
    Ok(Action::Encap(Box::new(Encap { packet_type, hdr_size, properties: properties.into() })))
}

pub(super) fn decode_decap(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    let packet_type = d.r.u32()?;
    // No property is known.
    if d.r.is_empty() {
        Ok(Action::Decap(Decap { packet_type }))
    } else {
        Err(OfpErr::NXBAC_UNKNOWN_ED_PROP.into())
    }
}

impl Encap {
    /// An Ethernet frame.
    pub const ETHERNET: u32 = 0;
    /// NSH.
    pub const NSH: u32 = 0x1_894f;
    /// MPLS.
    pub const MPLS: u32 = 0x1_8847;
    /// MPLS multicast.
    pub const MPLS_MC: u32 = 0x1_8848;
    /// What can be pushed.
    pub const TYPES: [u32; 4] = [Encap::ETHERNET, Encap::NSH, Encap::MPLS, Encap::MPLS_MC];

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(46, |o| {
            o.u16(self.hdr_size);
            o.u32(self.packet_type);
            for p in &self.properties {
                let start = o.len();
                o.u16(CLASS_NSH);
                match p {
                    EncapProperty::NshMdType(md) => {
                        o.u8(1);
                        o.u8(5);
                        o.u8(*md);
                    }
                    EncapProperty::NshTlv { class, kind, value } => {
                        o.u8(2);
                        o.u8((8 + value.len()) as u8);
                        o.u16(*class);
                        o.u8(*kind);
                        o.u8(value.len() as u8);
                        o.bytes(value);
                    }
                }
                o.align(start, 8);
            }
        });
    }
}

impl Decap {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(47, |o| {
            o.zeros(2);
            o.u32(self.packet_type);
        });
    }
}

impl Encap {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("encap(");
        match self.packet_type {
            Encap::NSH => {
                f.put("nsh");
                self.format_properties(f);
            }
            Encap::MPLS => f.put("mpls"),
            Encap::MPLS_MC => f.put("mpls_mc"),
            _ => f.put("ethernet"),
        }
        f.paren(")");
    }

    fn format_properties(&self, f: &mut Fmt<'_>) {
        if self.properties.is_empty() {
            return;
        }
        f.paren("(");
        for (i, p) in self.properties.iter().enumerate() {
            if i > 0 {
                f.put(",");
            }
            match p {
                EncapProperty::NshMdType(md) => {
                    let _ = write!(f, "md_type={md}");
                }
                EncapProperty::NshTlv { class, kind, value } => {
                    let _ = write!(f, "tlv(0x{class:04x},{kind},0x");
                    for b in value {
                        let _ = write!(f, "{b:02x}");
                    }
                    f.put(")");
                }
            }
        }
        f.paren(")");
    }
}

impl Decap {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("decap(");
        if self.packet_type != Decap::NEXT {
            let _ = write!(f, "packet_type(ns={},type=", self.packet_type >> 16);
            let t = self.packet_type & 0xffff;
            if t == 0 {
                f.put("0");
            } else {
                let _ = write!(f, "{t:#x}");
            }
            f.put(")");
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    cx.only(ProtocolSet::OF13_UP);
    let Some(p) = lex::pairs(s).next() else { return Err("Missing encap hdr: ".to_string()) };
    let packet_type = match p.key {
        "ethernet" => Encap::ETHERNET,
        "nsh" => Encap::NSH,
        "mpls" => Encap::MPLS,
        "mpls_mc" => Encap::MPLS_MC,
        _ => return Err(format!("Encap hdr not supported: {}", p.value)),
    };
    let mut properties = Vec::new();
    for q in lex::pairs(p.value) {
        if packet_type != Encap::NSH {
            return Err(format!("Invalid property: {}", q.key));
        }
        properties.push(parse_property(&q)?);
    }
    Ok(Action::Encap(Box::new(Encap { packet_type, hdr_size: 0, properties: properties.into() })))
}

fn parse_property(q: &lex::Pair<'_>) -> Result<EncapProperty, String> {
    match q.key {
        "md_type" => match lex::u8_named(q.value, "md_type")? {
            md @ (1 | 2) => Ok(EncapProperty::NshMdType(md)),
            _ => Err("invalid md_type".to_string()),
        },
        "tlv" => {
            let bad = || format!("Invalid NSH TLV header: {}", q.value);
            let mut parts = q.value.splitn(3, ',');
            // Of numbers that are too large, the low bits count; of digits, whole bytes.
            let class = parts.next().and_then(|c| c.strip_prefix("0x")).ok_or_else(bad)?;
            let class = u64::from_str_radix(class, 16).map_err(|_| bad())? as u16;
            let kind = parts.next().and_then(|k| k.parse::<u64>().ok()).ok_or_else(bad)? as u8;
            let hex = parts.next().and_then(|h| h.strip_prefix("0x")).ok_or_else(bad)?;
            let whole = hex.get(..hex.len() & !1).ok_or_else(bad)?;
            let value = lex::hex_bytes(whole).ok_or_else(bad)?;
            if value.len() > 124 {
                return Err(bad());
            }
            Ok(EncapProperty::NshTlv { class, kind, value: value.into() })
        }
        k => Err(format!("Invalid property: {k}")),
    }
}

pub(super) fn parse_decap(s: &str) -> Result<Action, String> {
    let mut packet_type = Decap::NEXT;
    for p in lex::pairs(s) {
        if p.key != "packet_type" {
            return Err(format!("Invalid decap argument: {}", p.key));
        }
        let (mut ns, mut kind) = (None, None);
        for q in lex::pairs(p.value) {
            match q.key {
                "ns" => ns = Some(lex::u16_named(q.value, "ns")?),
                "type" => kind = Some(lex::u16_named(q.value, "type")?),
                _ => {}
            }
        }
        let ns = ns.ok_or("Missing packet_type attribute ns")?;
        let kind = kind.ok_or("Missing packet_type attribute type")?;
        packet_type = u32::from(ns) << 16 | u32::from(kind);
    }
    Ok(Action::Decap(Decap { packet_type }))
}
