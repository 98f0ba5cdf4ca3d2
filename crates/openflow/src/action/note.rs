//! `note`: bytes without effect.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};

/// Bytes without effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The bytes.
    pub data: Box<[u8]>,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Note(Note { data: d.r.take_all().into() }))
}

impl Note {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(8, |o| o.bytes(&self.data));
    }
}
