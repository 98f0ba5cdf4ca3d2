//! `group`: hand the packet to a group.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use base::GroupId;

/// Hand the packet to a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The group.
    pub group: GroupId,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Group(Group { group: GroupId(d.r.u32()?) }))
}

pub(super) fn decode_nicira(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    decode(d)
}

impl Group {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.is_10() {
            e.nicira(40, |o| {
                o.zeros(2);
                o.u32(self.group.0);
            });
        } else {
            e.standard(22, |o| o.u32(self.group.0));
        }
    }
}
