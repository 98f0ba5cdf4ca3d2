//! `clone`: run actions and restore the packet afterwards.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};

/// Run actions and restore the packet afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloneActions {
    /// The actions.
    pub actions: Vec<Action>,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(6)?;
    let actions = super::wire::decode_list(d.r.take_all(), d.version, d.depth + 1)?;
    super::wire::together(&actions, super::text::Outer::Bucket)?;
    Ok(Action::Clone(CloneActions { actions }))
}

impl CloneActions {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = e.version;
        e.nicira(42, |o| {
            o.zeros(6);
            super::wire::encode(&self.actions, version, o);
        });
    }
}
