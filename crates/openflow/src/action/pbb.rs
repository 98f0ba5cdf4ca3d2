//! `push_pbb`, `pop_pbb`: provider backbone bridging (IEEE 802.1ah), which the reference lacks.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::TextCx;
use crate::text::lex;
use crate::version::ProtocolSet;

/// Push a backbone header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushPbb {
    /// 0x88e7.
    pub ethertype: u16,
}

pub(super) fn decode_push(d: &mut Dec<'_>) -> Decode<Action> {
    let ethertype = d.r.u16()?;
    if ethertype != 0x88e7 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::PushPbb(PushPbb { ethertype }))
}

impl PushPbb {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.standard(26, |o| o.u16(self.ethertype));
    }
}

pub(super) fn parse_push(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    cx.only(ProtocolSet::OF13_UP);
    let ethertype = lex::u16_named(s, "ethertype")?;
    if ethertype != 0x88e7 {
        return Err(format!("{s}: not a valid PBB ethertype"));
    }
    Ok(Action::PushPbb(PushPbb { ethertype }))
}
