//! `move`: copy one field, or part of one, to another.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use flow::Subfield;

/// Copy `src` to `dst`; both have the same width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// From.
    pub src: Subfield,
    /// To.
    pub dst: Subfield,
}

fn pair(d: &mut Dec<'_>, padding: usize) -> Decode<Action> {
    let n_bits = d.r.u16()?;
    let src_ofs = d.r.u16()?;
    let dst_ofs = d.r.u16()?;
    d.r.skip(padding)?;
    let src = crate::oxm::pull_field(&mut d.r)?;
    let dst = crate::oxm::pull_field(&mut d.r)?;
    d.zeros_to_end(OfpErr::OFPBAC_BAD_ARGUMENT)?;
    let m = Move {
        src: Subfield { field: src, ofs: src_ofs, n_bits },
        dst: Subfield { field: dst, ofs: dst_ofs, n_bits },
    };
    super::check::subfield(m.src, "source")?;
    super::check::subfield(m.dst, "destination")?;
    Ok(Action::Move(m))
}

pub(super) fn decode_nicira(d: &mut Dec<'_>) -> Decode<Action> {
    pair(d, 0)
}

pub(super) fn decode_copy_field(d: &mut Dec<'_>) -> Decode<Action> {
    pair(d, 2)
}

pub(super) fn decode_onf(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    pair(d, 2)
}

impl Move {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let standard = e.version >= crate::Version::V15;
        let version = if standard { e.version } else { crate::Version::V10 };
        let fields = |o: &mut Vec<u8>, padding| {
            o.u16(self.dst.n_bits);
            o.u16(self.src.ofs);
            o.u16(self.dst.ofs);
            o.zeros(padding);
            crate::oxm::put_header(o, self.src.field, version, false);
            crate::oxm::put_header(o, self.dst.field, version, false);
        };
        if standard {
            e.standard(28, |o| fields(o, 2));
        } else {
            e.nicira(6, |o| fields(o, 0));
        }
    }
}

pub(super) fn parse(s: &str) -> Result<Action, String> {
    let (src, rest) = crate::text::subfield_prefix(s)?;
    let rest = rest.strip_prefix("->").ok_or_else(|| format!("{s}: missing `->' following source"))?;
    let (dst, rest) = crate::text::subfield_prefix(rest)?;
    if !rest.is_empty() {
        return Err(format!("{s}: trailing garbage following destination"));
    }
    if src.n_bits != dst.n_bits {
        return Err(format!(
            "{s}: source field is {} bits wide but destination is {} bits wide",
            src.n_bits, dst.n_bits
        ));
    }
    Ok(Action::Move(Move { src, dst }))
}
