//! `set_queue` and `pop_queue`: which queue later outputs use.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};

/// Use this queue for outputs from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetQueue {
    /// The queue.
    pub queue: u32,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetQueue(SetQueue { queue: d.r.u32()? }))
}

pub(super) fn decode_nicira(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    decode(d)
}

impl SetQueue {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.is_10() {
            e.nicira(4, |o| {
                o.zeros(2);
                o.u32(self.queue);
            });
        } else {
            e.standard(21, |o| o.u32(self.queue));
        }
    }
}
