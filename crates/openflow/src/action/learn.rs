//! `learn`: add or change a flow made from the packet.

use super::Action;
use super::multipath::atoi;
use super::wire::{Dec, Enc};
use super::wire::{pull_header32, put_header32};
use crate::buf::{Decode, Put};
use crate::msg::FlowMod;
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::subfield_text;
use crate::text::{Fmt, TextCx};
use base::Cookie;
use flow::Field;
use flow::field::ones;
use flow::text::value::{full_mask, parse_value, value_text};
use flow::{Subfield, Value};
use std::fmt::Write;

/// Where a [`LearnSpec`] takes its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnSrc {
    /// A field of the packet.
    Field(Subfield),
    /// A literal.
    Immediate(Value),
}

/// What a [`LearnSpec`] does with its value in the new flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnDst {
    /// The new flow matches it in this field.
    Match(Subfield),
    /// The new flow loads it into this field.
    Load(Subfield),
    /// The new flow outputs to it.
    Output,
}

/// One element of the new flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LearnSpec {
    /// Where the value comes from.
    pub src: LearnSrc,
    /// What becomes of it.
    pub dst: LearnDst,
    /// Its width in bits.
    pub n_bits: u16,
}

/// Add or change a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Learn {
    /// Idle timeout of the new flow, in seconds.
    pub idle_timeout: u16,
    /// Hard timeout of the new flow, in seconds.
    pub hard_timeout: u16,
    /// Priority of the new flow.
    pub priority: u16,
    /// Table of the new flow.
    pub table: u8,
    /// Cookie of the new flow.
    pub cookie: Cookie,
    /// Bits `LEARN_*`.
    pub flags: u16,
    /// `fin_timeout(idle_timeout=..)` of the new flow.
    pub fin_idle_timeout: u16,
    /// `fin_timeout(hard_timeout=..)` of the new flow.
    pub fin_hard_timeout: u16,
    /// Most flows of this cookie in the table; 0 means no limit.
    pub limit: u32,
    /// Bit that tells whether a flow was learned.
    pub result_dst: Option<Subfield>,
    /// Matches and actions of the new flow.
    pub specs: Box<[LearnSpec]>,
}

impl Learn {
    /// The new flow sends flow-removed messages.
    pub const SEND_FLOW_REM: u16 = 1 << 0;
    /// Deleting the flow that learns deletes what it learned.
    pub const DELETE_LEARNED: u16 = 1 << 1;
    /// [`Learn::result_dst`] is given.
    pub const WRITE_RESULT: u16 = 1 << 2;
}

const IMMEDIATE: u16 = 1 << 13;
const DST_LOAD: u16 = 1 << 11;
const DST_OUTPUT: u16 = 2 << 11;
const DST_MASK: u16 = 3 << 11;
const N_BITS: u16 = 0x7ff;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let mut l = common(d)?;
    if l.flags & !(Learn::SEND_FLOW_REM | Learn::DELETE_LEARNED) != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    l.specs = specs(d)?;
    Ok(Action::Learn(Box::new(l)))
}

pub(super) fn decode_2(d: &mut Dec<'_>) -> Decode<Action> {
    let mut l = common(d)?;
    l.limit = d.r.u32()?;
    let ofs = d.r.u16()?;
    d.r.skip(2)?;
    let known = Learn::SEND_FLOW_REM | Learn::DELETE_LEARNED | Learn::WRITE_RESULT;
    if l.flags & !known != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    if l.flags & Learn::WRITE_RESULT != 0 {
        let field = crate::oxm::pull_field(&mut d.r)?;
        let dst = Subfield { field, ofs, n_bits: 1 };
        super::check::subfield(dst, "destination")?;
        l.result_dst = Some(dst);
    }
    l.specs = specs(d)?;
    Ok(Action::Learn(Box::new(l)))
}

fn common(d: &mut Dec<'_>) -> Decode<Learn> {
    let idle_timeout = d.r.u16()?;
    let hard_timeout = d.r.u16()?;
    let priority = d.r.u16()?;
    let cookie = Cookie(d.r.u64()?);
    let flags = d.r.u16()?;
    let table = d.r.u8()?;
    let pad = d.r.u8()?;
    let fin_idle_timeout = d.r.u16()?;
    let fin_hard_timeout = d.r.u16()?;
    if table == 0xff || pad != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Learn {
        idle_timeout,
        hard_timeout,
        priority,
        table,
        cookie,
        flags,
        fin_idle_timeout,
        fin_hard_timeout,
        limit: 0,
        result_dst: None,
        specs: Box::default(),
    })
}

fn specs(d: &mut Dec<'_>) -> Decode<Box<[LearnSpec]>> {
    let mut out = Vec::new();
    while d.r.len() >= 2 {
        let header = d.r.u16()?;
        if header == 0 {
            break;
        }
        out.push(spec(d, header)?);
    }
    d.zeros_to_end(OfpErr::OFPBAC_BAD_ARGUMENT)?;
    Ok(out.into())
}

fn place(d: &mut Dec<'_>, n_bits: u16) -> Decode<Subfield> {
    let field = pull_header32(&mut d.r)?;
    Ok(Subfield { field, ofs: d.r.u16()?, n_bits })
}

fn spec(d: &mut Dec<'_>, header: u16) -> Decode<LearnSpec> {
    let n_bits = header & N_BITS;
    let immediate = header & IMMEDIATE != 0;
    if header & !(IMMEDIATE | DST_MASK | N_BITS) != 0 || n_bits == 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let src = if immediate {
        let n = 2 * usize::from(n_bits.div_ceil(16));
        let v = crate::oxm::pull_value(&mut d.r, n)?;
        if n_bits < 128 && v & !ones(n_bits) != 0 {
            return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
        }
        LearnSrc::Immediate(v)
    } else {
        let s = place(d, n_bits)?;
        super::check::subfield(s, "source")?;
        LearnSrc::Field(s)
    };
    let dst = match header & DST_MASK {
        0 => LearnDst::Match(checked_match(place(d, n_bits)?)?),
        DST_LOAD => {
            let s = place(d, n_bits)?;
            super::check::subfield(s, "destination")?;
            LearnDst::Load(s)
        }
        DST_OUTPUT if !immediate => LearnDst::Output,
        _ => return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into()),
    };
    Ok(LearnSpec { src, dst, n_bits })
}

fn checked_match(s: Subfield) -> Decode<Subfield> {
    super::check::subfield(s, "source")?;
    Ok(s)
}

impl Learn {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let second = self.limit != 0 || self.flags & Learn::WRITE_RESULT != 0;
        e.nicira(if second { 45 } else { 16 }, |o| {
            o.u16(self.idle_timeout);
            o.u16(self.hard_timeout);
            o.u16(self.priority);
            o.u64(self.cookie.0);
            o.u16(self.flags);
            o.u8(self.table);
            o.u8(0);
            o.u16(self.fin_idle_timeout);
            o.u16(self.fin_hard_timeout);
            if second {
                o.u32(self.limit);
                o.u16(self.result_dst.map_or(0, |s| s.ofs));
                o.zeros(2);
                if let Some(s) = self.result_dst {
                    crate::oxm::put_header(o, s.field, crate::Version::V10, false);
                }
            }
            for s in &self.specs {
                put_spec(o, s);
            }
        });
    }
}

/// Fields go by their oldest headers here, whatever the version.
fn put_spec(o: &mut Vec<u8>, s: &LearnSpec) {
    let src = if matches!(s.src, LearnSrc::Immediate(_)) { IMMEDIATE } else { 0 };
    let dst = match s.dst {
        LearnDst::Match(_) => 0,
        LearnDst::Load(_) => DST_LOAD,
        LearnDst::Output => DST_OUTPUT,
    };
    o.u16(src | dst | s.n_bits);
    match &s.src {
        LearnSrc::Immediate(v) => crate::oxm::put_value(o, *v, 2 * usize::from(s.n_bits.div_ceil(16))),
        LearnSrc::Field(f) => {
            put_header32(o, f.field);
            o.u16(f.ofs);
        }
    }
    if let LearnDst::Match(f) | LearnDst::Load(f) = &s.dst {
        put_header32(o, f.field);
        o.u16(f.ofs);
    }
}

impl Learn {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.learn("learn(");
        f.special("table=");
        f.table(self.table);
        let number = |f: &mut Fmt<'_>, name: &str, n: u64| {
            if n != 0 {
                f.put(",");
                f.param(name);
                let _ = write!(f, "{n}");
            }
        };
        number(f, "idle_timeout=", self.idle_timeout.into());
        number(f, "hard_timeout=", self.hard_timeout.into());
        number(f, "fin_idle_timeout=", self.fin_idle_timeout.into());
        number(f, "fin_hard_timeout=", self.fin_hard_timeout.into());
        if self.priority != FlowMod::DEFAULT_PRIORITY {
            f.special(",priority=");
            let _ = write!(f, "{}", self.priority);
        }
        if self.flags & Learn::SEND_FLOW_REM != 0 {
            f.put(",");
            f.value("send_flow_rem");
        }
        if self.flags & Learn::DELETE_LEARNED != 0 {
            f.put(",");
            f.value("delete_learned");
        }
        if self.cookie.0 != 0 {
            f.put(",");
            f.param("cookie=");
            let _ = write!(f, "{:#x}", self.cookie.0);
        }
        number(f, "limit=", self.limit.into());
        if let Some(s) = self.result_dst {
            f.put(",");
            f.param("result_dst=");
            f.subfield(s);
        }
        for s in &self.specs {
            f.put(",");
            format_spec(s, f);
        }
        f.learn(")");
    }
}

fn hex(v: Value) -> String {
    if v == 0 { "0".to_string() } else { format!("{v:#x}") }
}

fn format_spec(s: &LearnSpec, f: &mut Fmt<'_>) {
    match (&s.dst, &s.src) {
        (LearnDst::Match(d), LearnSrc::Immediate(v)) => {
            if d.ofs == 0 && d.n_bits == d.field.info().bits {
                f.param(&format!("{}=", d.field.name()));
                let text = value_text(d.field, *v, Value::MAX, f.names.ports());
                f.put(&text);
            } else {
                f.param(&format!("{}=", subfield_text(*d)));
                f.put(&hex(*v));
            }
        }
        (LearnDst::Match(d), LearnSrc::Field(src)) => {
            f.param(&subfield_text(*d));
            if src != d {
                f.param("=");
                f.subfield(*src);
            }
        }
        (LearnDst::Load(d), LearnSrc::Immediate(v)) => {
            f.special("load:");
            f.put(&hex(*v));
            f.special("->");
            f.subfield(*d);
        }
        (LearnDst::Load(d), LearnSrc::Field(src)) => {
            f.special("load:");
            f.subfield(*src);
            f.special("->");
            f.subfield(*d);
        }
        (LearnDst::Output, LearnSrc::Field(src)) => {
            f.special("output:");
            f.subfield(*src);
        }
        (LearnDst::Output, LearnSrc::Immediate(v)) => {
            f.special("output:");
            f.put(&hex(*v));
        }
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut l = Learn {
        idle_timeout: 0,
        hard_timeout: 0,
        priority: FlowMod::DEFAULT_PRIORITY,
        table: 1,
        cookie: Cookie(0),
        flags: 0,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 0,
        result_dst: None,
        specs: Box::default(),
    };
    let mut specs = Vec::new();
    for p in lex::pairs(s) {
        match p.key {
            "table" => {
                l.table = cx.table(p.value).ok_or_else(|| format!("unknown table \"{}\"", p.value))?;
                if l.table == 0xff {
                    return Err(format!("{s}: table id 255 not valid for `learn' action"));
                }
            }
            "priority" => l.priority = atoi(p.value) as u16,
            "idle_timeout" => l.idle_timeout = atoi(p.value) as u16,
            "hard_timeout" => l.hard_timeout = atoi(p.value) as u16,
            "fin_idle_timeout" => l.fin_idle_timeout = atoi(p.value) as u16,
            "fin_hard_timeout" => l.fin_hard_timeout = atoi(p.value) as u16,
            "cookie" => l.cookie = Cookie(lex::scan_int(p.value).map_or(0, |n| n.0)),
            "send_flow_rem" => l.flags |= Learn::SEND_FLOW_REM,
            "delete_learned" => l.flags |= Learn::DELETE_LEARNED,
            "limit" => l.limit = atoi(p.value) as u32,
            "result_dst" => {
                let dst = cx.subfield(p.value)?;
                if dst.n_bits != 1 {
                    return Err("result_dst in 'learn' action must be a single bit".to_string());
                }
                l.result_dst = Some(dst);
                l.flags |= Learn::WRITE_RESULT;
            }
            _ => specs.push(parse_spec(s, &p, cx)?),
        }
    }
    l.specs = specs.into();
    Ok(Action::Learn(Box::new(l)))
}

fn parse_spec(s: &str, p: &lex::Pair<'_>, cx: &mut TextCx<'_>) -> Result<LearnSpec, String> {
    match p.key {
        "load" => parse_load(p.value),
        "output" => {
            let src = cx.subfield(p.value)?;
            Ok(LearnSpec { n_bits: src.n_bits, src: LearnSrc::Field(src), dst: LearnDst::Output })
        }
        _ => {
            // A bare name is a whole field; with brackets, a subfield.
            let (field, dst) = match crate::text::find_field(p.key) {
                Some(f) => (Some(f), Subfield::whole(f)),
                None => match crate::text::subfield_prefix(p.key) {
                    Ok((d, "")) => (None, d),
                    _ => return Err(format!("{s}: unknown keyword {}", p.key)),
                },
            };
            parse_match(s, p, field, dst, cx)
        }
    }
}

fn parse_match(
    s: &str,
    p: &lex::Pair<'_>,
    field: Option<Field>,
    dst: Subfield,
    cx: &mut TextCx<'_>,
) -> Result<LearnSpec, String> {
    let n_bits = dst.n_bits;
    let spec = |src| LearnSpec { src, dst: LearnDst::Match(dst), n_bits };
    if p.value.is_empty() {
        return Ok(spec(LearnSrc::Field(dst)));
    }
    if let Some(field) = field {
        let known = cx.log.len();
        let log = &mut cx.log;
        let parsed = parse_value(field, p.value, cx.names.ports(), &mut |w| {
            log.push(("ofp_port", crate::text::Severity::Warn, w))
        });
        match parsed {
            Ok((v, m)) if m == full_mask(field.info()) => return Ok(spec(LearnSrc::Immediate(v))),
            Ok(_) => return Err(format!("{s}: {}: masks are not allowed in `learn' actions", p.value)),
            Err(_) => cx.log.truncate(known),
        }
    } else if let Some(v) = flow::text::value::parse_int(p.value, 16).flatten() {
        if n_bits < 128 && v >> n_bits != 0 {
            let value = p.value;
            return Err(format!(
                "{s}: {} value {value} cannot be parsed as a subfield ({value}: unknown field `{value}') or an immediate value ({s}: value {value} does not fit into {n_bits} bits)",
                p.key
            ));
        }
        return Ok(spec(LearnSrc::Immediate(v)));
    }
    let src = cx.subfield(p.value)?;
    if src.n_bits != n_bits {
        return Err(format!(
            "{s}: bit widths of {} ({}) and {} ({n_bits}) differ",
            p.key, src.n_bits, p.value
        ));
    }
    Ok(spec(LearnSrc::Field(src)))
}

fn parse_load(s: &str) -> Result<LearnSpec, String> {
    let (value, name) = s.split_once("->").ok_or_else(|| format!("load: missing `->' in `{s}'"))?;
    let (dst, rest) = crate::text::subfield_prefix(name)?;
    if !rest.is_empty() {
        return Err(format!("{s}: trailing garbage following destination"));
    }
    if let Some(v) = flow::text::value::parse_int(value, 16).flatten() {
        if dst.n_bits < 128 && v >> dst.n_bits != 0 {
            return Err(format!("{s}: value does not fit into {} bits", dst.n_bits));
        }
        return Ok(LearnSpec { src: LearnSrc::Immediate(v), n_bits: dst.n_bits, dst: LearnDst::Load(dst) });
    }
    let (src, rest) = crate::text::subfield_prefix(value)?;
    if !rest.is_empty() || src.n_bits != dst.n_bits {
        return Err(format!(
            "{s}: source field is {} bits wide but destination is {} bits wide",
            src.n_bits, dst.n_bits
        ));
    }
    Ok(LearnSpec { src: LearnSrc::Field(src), n_bits: dst.n_bits, dst: LearnDst::Load(dst) })
}
