//! `push` and `pop`: the stack.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use flow::Subfield;

/// Push or pop a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// What is pushed, or where the popped value goes.
    pub subfield: Subfield,
}

fn decode(d: &mut Dec<'_>) -> Decode<Stack> {
    let ofs = d.r.u16()?;
    let field = crate::oxm::pull_field(&mut d.r)?;
    let n_bits = d.r.u16()?;
    d.zeros_to_end(OfpErr::NXBRC_MUST_BE_ZERO)?;
    Ok(Stack { subfield: Subfield { field, ofs, n_bits } })
}

pub(super) fn decode_push(d: &mut Dec<'_>) -> Decode<Action> {
    let s = decode(d)?;
    super::check::subfield(s.subfield, "source")?;
    Ok(Action::Push(s))
}

pub(super) fn decode_pop(d: &mut Dec<'_>) -> Decode<Action> {
    let s = decode(d)?;
    super::check::subfield(s.subfield, "destination")?;
    Ok(Action::Pop(s))
}

pub(super) fn encode(e: &mut Enc<'_>, s: &Stack, subtype: u16) {
    e.nicira(subtype, |o| {
        o.u16(s.subfield.ofs);
        crate::oxm::put_header(o, s.subfield.field, crate::Version::V10, false);
        o.u16(s.subfield.n_bits);
    });
}
