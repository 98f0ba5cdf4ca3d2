//! `push_pbb`, `pop_pbb`: provider backbone bridging (IEEE 802.1ah), which the reference lacks.

use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use super::Action;
use super::wire::{Dec, Enc};

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
