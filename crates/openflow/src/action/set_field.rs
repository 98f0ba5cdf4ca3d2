//! `set_field` and `load`: put a literal into a field or a part of one.
//!
//! One representation serves both texts: a field, a value and a mask of the bits that are set.

use super::Action;
use super::wire::MODULE;
use super::wire::{Dec, Enc};
use super::wire::{ofs_nbits, pull_header32, split_ofs_nbits};
use super::{SetEth, SetIpByte, SetIpv4, SetL4Port, set};
use crate::Version;
use crate::buf::DecodeError;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::oxm::to_value;
use crate::text::{Fmt, TextCx};
use crate::version::{Protocol, ProtocolSet};
use base::Mac;
use flow::Maskable;
use flow::field::Fixed;
use flow::key::ip_proto;
use flow::text::format::hex_bytes;
use flow::text::number;
use flow::text::parse::{parse_option, right_aligned};
use flow::text::value::{full_mask, parse_value, put_value};
use flow::{Field, Value};

/// A value and mask, kept small for the fields of up to 64 bits, which nearly all are.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Literal {
    Narrow { value: u64, mask: u64 },
    Wide(Box<(Value, Value)>),
    Option(Box<OptionLiteral>),
}

/// The value of a tunnel option, of any length up to 124 bytes: the low end of the field. The mask, if there is one, is
/// as long.
#[derive(Clone, PartialEq, Eq, Debug)]
struct OptionLiteral {
    value: Vec<u8>,
    mask: Option<Vec<u8>>,
}

/// Load a literal into a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetField {
    literal: Literal,
    /// The field.
    pub field: Field,
    /// The flow matches only packets that have a VLAN tag at this point (found by [`super::check`]).
    pub flow_has_vlan: bool,
    /// Written as `load:` (or received as the Nicira action): printed so again.
    pub is_load: bool,
}

impl SetField {
    /// Sets the bits of `field` that are 1 in `mask` to those of `value`.
    pub fn new(field: Field, value: Value, mask: Value) -> SetField {
        let literal = match (u64::try_from(value), u64::try_from(mask)) {
            (Ok(value), Ok(mask)) => Literal::Narrow { value, mask },
            _ => Literal::Wide(Box::new((value, mask))),
        };
        SetField { literal, field, flow_has_vlan: false, is_load: false }
    }

    /// Sets a tunnel option to a value, or the bits of it that the mask has.
    fn option(field: Field, value: &[u8], mask: Option<&[u8]>) -> SetField {
        let len = value.len().max(mask.map_or(0, <[u8]>::len));
        let mask = mask.map(|m| right_aligned(m, len));
        let mut value = right_aligned(value, len);
        for (v, m) in value.iter_mut().zip(mask.iter().flatten()) {
            *v &= m;
        }
        let literal = Literal::Option(Box::new(OptionLiteral { value, mask }));
        SetField { literal, field, flow_has_vlan: false, is_load: false }
    }

    /// Value and mask of a tunnel option: the low end of the field; without a mask, the rest becomes zero.
    pub fn option_bytes(&self) -> Option<(&[u8], Option<&[u8]>)> {
        match &self.literal {
            Literal::Option(o) => Some((&o.value, o.mask.as_deref())),
            _ => None,
        }
    }

    /// The bits to set.
    pub fn value(&self) -> Value {
        self.written() & self.mask()
    }

    /// The value as it was written, which may have bits outside the mask: OpenFlow 1.0 sends them.
    fn written(&self) -> Value {
        match &self.literal {
            Literal::Narrow { value, .. } => Value::from(*value),
            Literal::Wide(w) => w.0,
            Literal::Option(o) => to_value(&o.value),
        }
    }

    /// Which bits are set.
    pub fn mask(&self) -> Value {
        match &self.literal {
            Literal::Narrow { mask, .. } => Value::from(*mask),
            Literal::Wide(w) => w.1,
            Literal::Option(o) => o.mask.as_deref().map_or(Value::MAX, to_value),
        }
    }
}

/// Checks that a field can be set to a value.
fn checked(field: Field, value: Value, mask: Option<Value>, version: Version) -> Decode<SetField> {
    let info = field.info();
    if !info.writable {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_SET_ARGUMENT,
            MODULE,
            format!("destination field {field} is not writable"),
        ));
    }
    let full = info.valid;
    if value & !full != 0 {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_SET_ARGUMENT,
            MODULE,
            format!("{value:#x} is not a valid value for field {field}"),
        ));
    }
    // A tag that is set is there.
    if field == Field::VLAN_VID && version >= Version::V12 && mask.is_none() && value & 0x1000 == 0 {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_SET_ARGUMENT,
            MODULE,
            format!("Invalid value for set field {field}: {value}"),
        ));
    }
    let kept = if field == Field::TUN_FLAGS { 0xffff } else { full };
    let mut a = SetField::new(field, value, mask.unwrap_or(Value::MAX) & kept);
    a.flow_has_vlan = false;
    Ok(a)
}

/// An entry of a match, as an action carries it.
struct Entry<'a> {
    header: crate::oxm::EntryHeader,
    field: Field,
    bytes: &'a [u8],
    mask: Option<&'a [u8]>,
}

fn pull_entry<'a>(d: &mut Dec<'a>) -> Decode<Entry<'a>> {
    let header = crate::oxm::pull_header(&mut d.r)?;
    if header.len == 0 {
        return Err(OfpErr::OFPBAC_BAD_SET_TYPE.into());
    }
    let field = header.field().ok_or(OfpErr::OFPBAC_BAD_SET_LEN)?;
    let width = if header.has_mask { header.len / 2 } else { header.len };
    let fits = if field.as_tun_metadata().is_some() {
        header.len <= 124
    } else {
        width == usize::from(field.info().bytes)
    };
    if !fits {
        return Err(OfpErr::OFPBAC_BAD_SET_LEN.into());
    }
    let bytes = d.r.take(width)?;
    let mask = if header.has_mask { Some(d.r.take(width)?) } else { None };
    Ok(Entry { header, field, bytes, mask })
}

impl Entry<'_> {
    fn action(&self, version: Version) -> Decode<Action> {
        if self.mask.is_some_and(|m| self.bytes.iter().zip(m).any(|(v, m)| v & !m != 0)) {
            return Err(DecodeError::logged(
                OfpErr::OFPBMC_BAD_WILDCARDS,
                "nx_match",
                format!(
                    "Rejecting NXM/OXM entry {} with 1-bits in value for bits wildcarded by the mask.",
                    self.header.text()
                ),
            ));
        }
        if self.field.as_tun_metadata().is_some() {
            return Ok(Action::SetField(SetField::option(self.field, self.bytes, self.mask)));
        }
        Ok(Action::SetField(checked(self.field, to_value(self.bytes), self.mask.map(to_value), version)?))
    }
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let entry = pull_entry(d)?;
    d.zeros_to_end(OfpErr::OFPBAC_BAD_SET_ARGUMENT)?;
    // The port as OpenFlow 1.1 and later number it is to be matched only.
    if entry.field == Field::IN_PORT_OXM {
        return Err(OfpErr::OFPBAC_BAD_SET_ARGUMENT.into());
    }
    let info = entry.field.info();
    if let Some(mask) = entry.mask.map(to_value)
        && (d.version < Version::V15
            || matches!(info.maskable, Maskable::No) && mask & info.valid != info.valid)
    {
        return Err(OfpErr::OFPBAC_BAD_SET_MASK.into());
    }
    entry.action(d.version)
}

pub(super) fn decode_load(d: &mut Dec<'_>) -> Decode<Action> {
    let place = d.r.u16()?;
    let field = pull_header32(&mut d.r)?;
    let value = d.r.u64()?;
    let s = split_ofs_nbits(field, place);
    super::check::subfield(s, "destination")?;
    if s.n_bits < 64 && value >> s.n_bits != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let mask = flow::field::ones(s.n_bits) << s.ofs;
    let mut a = SetField::new(field, Value::from(value) << s.ofs, mask);
    a.is_load = true;
    Ok(Action::SetField(a))
}

pub(super) fn decode_load2(d: &mut Dec<'_>) -> Decode<Action> {
    let entry = pull_entry(d)?;
    d.zeros_to_end(OfpErr::OFPBAC_BAD_SET_ARGUMENT)?;
    entry.action(d.version)
}

impl SetField {
    /// Whether every bit of the field is set.
    pub fn is_whole(&self) -> bool {
        if let Literal::Option(o) = &self.literal {
            return o.mask.is_none();
        }
        // Flags that were given one by one leave room for others.
        let full = if self.field == Field::TUN_FLAGS { 0xffff } else { self.field.info().valid };
        self.mask() & full == full
    }

    /// The runs of bits that are set, lowest first, each as a place and its value; none longer than `max` bits.
    pub(super) fn runs(&self, max: u16) -> impl Iterator<Item = (flow::Subfield, Value)> {
        let full = self.field.info().valid;
        let (field, mut mask, value) = (self.field, self.mask() & full, self.value());
        // All of a field is all of its width, also where some bits cannot be set.
        if mask == full {
            mask = field.info().ones();
        }
        std::iter::from_fn(move || {
            if mask == 0 {
                return None;
            }
            let ofs = mask.trailing_zeros() as u16;
            let n_bits = ((!(mask >> ofs)).trailing_zeros() as u16).min(max).min(128 - ofs);
            let ones = flow::field::ones(n_bits);
            mask &= !(ones << ofs);
            Some((flow::Subfield { field, ofs, n_bits }, value >> ofs & ones))
        })
    }

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.version >= Version::V15 {
            self.encode_oxm(e);
        } else if self.is_load || e.version < Version::V12 || !self.is_whole() {
            if self.is_load || !self.encode_legacy(e) {
                self.encode_load(e);
            }
        } else {
            self.encode_oxm(e);
        }
    }

    fn put_entry(&self, o: &mut Vec<u8>, version: Version) {
        if let Literal::Option(lit) = &self.literal {
            crate::oxm::put_header_len(o, self.field, version, lit.mask.is_some(), lit.value.len());
            o.bytes(&lit.value);
            o.bytes(lit.mask.as_deref().unwrap_or_default());
            return;
        }
        let mask = (!self.is_whole()).then(|| self.mask());
        crate::oxm::put_entry_of(o, self.field, version, self.written(), mask);
    }

    fn encode_oxm(&self, e: &mut Enc<'_>) {
        let version = e.version;
        e.standard(25, |o| self.put_entry(o, version));
    }

    fn encode_load(&self, e: &mut Enc<'_>) {
        let version = e.version;
        if crate::oxm::header_for(self.field, version).experimenter != 0
            || self.field.as_tun_metadata().is_some()
        {
            e.nicira(33, |o| self.put_entry(o, version));
            return;
        }
        for (s, value) in self.runs(64) {
            e.nicira(7, |o| {
                o.u16(ofs_nbits(s));
                super::wire::put_header32(o, s.field);
                o.u64(value as u64);
            });
        }
    }

    /// Writes the fixed action of OpenFlow 1.0 or 1.1 that does the same, if there is one.
    fn encode_legacy(&self, e: &mut Enc<'_>) -> bool {
        if e.version >= Version::V12 {
            return false;
        }
        let v = self.written();
        let ten = e.is_10();
        match self.field {
            Field::VLAN_TCI if self.is_whole() => self.legacy_tci(e, v as u16),
            Field::VLAN_VID => e.standard(1, |o| o.u16(v as u16 & 0xfff)),
            Field::VLAN_PCP => e.standard(2, |o| o.u8(v as u8)),
            Field::ETH_SRC | Field::ETH_DST => {
                let a = SetEth { mac: Mac::from_u64(v as u64) };
                set::encode_eth(e, &a, self.field == Field::ETH_SRC);
            }
            Field::IP_SRC | Field::IP_DST => {
                set::encode_ipv4(e, &SetIpv4 { addr: v as u32 }, self.field == Field::IP_SRC)
            }
            Field::IP_DSCP => set::encode_dscp(e, &SetIpByte { value: (v as u8) << 2 }),
            Field::NW_TOS => set::encode_dscp(e, &SetIpByte { value: v as u8 & 0xfc }),
            Field::IP_ECN if !ten => set::encode_ecn(e, &SetIpByte { value: v as u8 }),
            Field::NW_TTL if !ten => set::encode_ttl(e, &SetIpByte { value: v as u8 }),
            Field::TCP_SRC | Field::UDP_SRC => {
                set::encode_l4(e, &SetL4Port { port: v as u16, flow_ip_proto: ip_proto::TCP }, true)
            }
            Field::TCP_DST | Field::UDP_DST => {
                set::encode_l4(e, &SetL4Port { port: v as u16, flow_ip_proto: ip_proto::TCP }, false)
            }
            _ => return false,
        }
        true
    }

    fn legacy_tci(&self, e: &mut Enc<'_>, tci: u16) {
        if tci & 0x1000 == 0 {
            Action::StripVlan(super::StripVlan { pop: false }).encode(e);
        } else {
            if !self.flow_has_vlan {
                super::PushVlan { ethertype: 0x8100 }.encode(e);
            }
            e.standard(1, |o| o.u16(tci & 0xfff));
            e.standard(2, |o| o.u8((tci >> 13) as u8));
        }
    }
}

impl SetField {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        if let Literal::Option(o) = &self.literal {
            f.special("set_field:");
            match &o.mask {
                Some(m) if m.iter().all(|b| *b == 0) => f.put("ANY"),
                Some(m) => {
                    f.put(&hex_bytes(&o.value));
                    f.put("/");
                    f.put(&hex_bytes(m));
                }
                None => f.put(&hex_bytes(&o.value)),
            }
            f.special("->");
            f.put(self.field.name());
            return;
        }
        if self.is_load {
            for (i, (s, value)) in self.runs(128).enumerate() {
                if i > 0 {
                    f.put(",");
                }
                f.special("load:");
                number::hex(&mut f.out, value);
                f.special("->");
                f.subfield(s);
            }
            return;
        }
        f.special("set_field:");
        let mask = if self.is_whole() { Value::MAX } else { self.mask() };
        put_value(&mut f.out, self.field, self.value(), mask, f.names.ports());
        f.special("->");
        f.put(self.field.name());
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let (value, name) = s.split_once("->").ok_or_else(|| format!("{s}: missing `->'"))?;
    if name.is_empty() {
        return Err(format!("{s}: missing field name following `->'"));
    }
    let field = Field::from_name(name).ok_or_else(|| format!("{name} is not a valid OXM field name"))?;
    let info = field.info();
    if !info.writable {
        return Err(format!("{field} is read-only"));
    }
    if field.as_tun_metadata().is_some() {
        let (v, m) = parse_option(value, name).map_err(|e| e.0)?;
        cx.only(ProtocolSet::NXM_OXM);
        return Ok(Action::SetField(SetField::option(field, &v, m.as_deref())));
    }
    let log = &mut cx.log;
    let (v, m) = parse_value(field, value, cx.names.ports(), &mut |w| {
        log.push(("ofp_port", crate::text::Severity::Warn, w))
    })?;
    let full = full_mask(info);
    if v & !info.valid != 0 {
        return Err(format!("{value} is not a valid value for field {field}"));
    }
    let mask = if m == full { Value::MAX } else { m };
    if mask == Value::MAX || matches!(field, Field::ETH_SRC | Field::ETH_DST | Field::IP_SRC | Field::IP_DST)
    {
        usable_whole(field, cx);
    } else if field == Field::METADATA {
        cx.only(ProtocolSet::NXM_OXM.union(ProtocolSet::OF11_UP));
    } else {
        cx.only(ProtocolSet::NXM_OXM);
    }
    Ok(Action::SetField(SetField::new(
        field,
        v,
        if field == Field::TUN_FLAGS { mask } else { mask & info.valid },
    )))
}

/// Which protocols can set all of a field.
fn usable_whole(field: Field, cx: &mut TextCx<'_>) {
    let info = field.info();
    let mut set = ProtocolSet::NXM_OXM;
    if info.of10 != Fixed::No {
        set = set.union(ProtocolSet::OF10_STD);
    }
    if info.of11 != Fixed::No {
        set = set.union(ProtocolSet::only(Protocol::Of11));
    }
    cx.only(set);
}

pub(super) fn parse_load(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let (value, name) = s.split_once("->").ok_or_else(|| format!("{s}: missing `->'"))?;
    let dst = cx.subfield(name)?;
    let Some(v) = leading_number(value) else {
        return Err(format!("{s}: cannot parse integer value"));
    };
    if dst.n_bits < 128 && v >> dst.n_bits != 0 {
        return Err(format!("{s}: value {value} does not fit into {} bits", dst.n_bits)
            .replace(&format!("value {value} "), &format!("value {v:#x} ")));
    }
    if dst.field.as_tun_metadata().is_some() {
        return Ok(Action::SetField(load_option(dst, v)));
    }
    let mask = flow::field::ones(dst.n_bits) << dst.ofs;
    let mut a = SetField::new(dst.field, v << dst.ofs, mask);
    a.is_load = true;
    Ok(Action::SetField(a))
}

/// Sets bits of a tunnel option.
fn load_option(dst: flow::Subfield, value: Value) -> SetField {
    if dst == flow::Subfield::whole(dst.field) {
        let bytes = value.to_be_bytes();
        let zeros = (value.leading_zeros() / 8) as usize;
        return SetField::option(dst.field, &bytes[zeros..], None);
    }
    let len = usize::from(dst.ofs + dst.n_bits).div_ceil(8);
    let (mut v, mut m) = (vec![0; len], vec![0; len]);
    for i in 0..dst.n_bits {
        let bit = usize::from(dst.ofs + i);
        let (byte, bit) = (len - 1 - bit / 8, 1 << (bit % 8));
        m[byte] |= bit;
        if i < 128 && value >> i & 1 != 0 {
            v[byte] |= bit;
        }
    }
    SetField::option(dst.field, &v, Some(&m))
}

/// The number that a text begins with.
fn leading_number(s: &str) -> Option<Value> {
    let hex = s.starts_with("0x") || s.starts_with("0X");
    let (start, ok): (usize, fn(char) -> bool) = if hex {
        (2, |c| c.is_ascii_hexdigit())
    } else {
        (usize::from(s.starts_with('+')), |c| c.is_ascii_digit())
    };
    let digits = &s[start..];
    let end = start + digits.find(|c| !ok(c)).unwrap_or(digits.len());
    if end == start && !hex {
        return None;
    }
    flow::text::value::parse_int(&s[..end], 16).flatten()
}
