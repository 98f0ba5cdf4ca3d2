//! `learn`: add or change a flow made from the packet.

use base::Cookie;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use flow::field::ones;
use flow::{Subfield, Value};
use super::Action;
use super::wire::{Dec, Enc};
use super::wire::{pull_header32, put_header32};

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
        let (field, _) = crate::oxm::pull_field(&mut d.r)?;
        let dst = Subfield { field, ofs, n_bits: 1 };
        super::check::subfield(dst, "destination", OfpErr::OFPBAC_BAD_SET_ARGUMENT)?;
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
        super::check::subfield(s, "source", OfpErr::OFPBAC_BAD_ARGUMENT)?;
        LearnSrc::Field(s)
    };
    let dst = match header & DST_MASK {
        0 => LearnDst::Match(checked_match(place(d, n_bits)?)?),
        DST_LOAD => {
            let s = place(d, n_bits)?;
            super::check::subfield(s, "destination", OfpErr::OFPBAC_BAD_SET_ARGUMENT)?;
            LearnDst::Load(s)
        }
        DST_OUTPUT if !immediate => LearnDst::Output,
        _ => return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into()),
    };
    Ok(LearnSpec { src, dst, n_bits })
}

fn checked_match(s: Subfield) -> Decode<Subfield> {
    super::check::subfield(s, "source", OfpErr::OFPBAC_BAD_ARGUMENT)?;
    Ok(s)
}

impl Learn {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = e.version;
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
                    crate::oxm::put_header(o, s.field, version, false);
                }
            }
            for s in &self.specs {
                put_spec(o, s, version);
            }
        });
    }
}

fn put_spec(o: &mut Vec<u8>, s: &LearnSpec, version: crate::Version) {
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
            put_header32(o, f.field, version);
            o.u16(f.ofs);
        }
    }
    if let LearnDst::Match(f) | LearnDst::Load(f) = &s.dst {
        put_header32(o, f.field, version);
        o.u16(f.ofs);
    }
}
