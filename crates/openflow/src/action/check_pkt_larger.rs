//! `check_pkt_larger`: store in a bit whether the packet is longer than a limit.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::TextCx;
use crate::text::lex;
use flow::Subfield;

/// Store in `dst` whether the packet is longer than `pkt_len`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckPktLarger {
    /// Bytes.
    pub pkt_len: u16,
    /// A single bit.
    pub dst: Subfield,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let pkt_len = d.r.u16()?;
    let ofs = d.r.u16()?;
    let field = crate::oxm::pull_field(&mut d.r)?;
    d.zeros_to_end(OfpErr::NXBRC_MUST_BE_ZERO)?;
    let dst = Subfield { field, ofs, n_bits: 1 };
    super::check::subfield(dst, "destination")?;
    Ok(Action::CheckPktLarger(CheckPktLarger { pkt_len, dst }))
}

impl CheckPktLarger {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(49, |o| {
            o.u16(self.pkt_len);
            o.u16(self.dst.ofs);
            crate::oxm::put_header(o, self.dst.field, crate::Version::V10, false);
            o.zeros(6);
        });
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let (len, dst) = s.split_once("->").ok_or_else(|| format!("{s}: missing `->'"))?;
    let pkt_len = lex::u16_named(len.trim_end_matches(')'), "(null)")?;
    let dst = cx.subfield(dst)?;
    if dst.n_bits != 1 {
        return Err("Only 1-bit destination field is allowed".to_string());
    }
    Ok(Action::CheckPktLarger(CheckPktLarger { pkt_len, dst }))
}
