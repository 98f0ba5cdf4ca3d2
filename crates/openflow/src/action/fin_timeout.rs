//! `fin_timeout`: shorten the flow's timeouts when a TCP connection ends.

use crate::buf::{Decode, Put};
use super::Action;
use super::wire::{Dec, Enc};

/// New timeouts after a FIN or RST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FinTimeout {
    /// Seconds; 0: unchanged.
    pub idle_timeout: u16,
    /// Seconds; 0: unchanged.
    pub hard_timeout: u16,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::FinTimeout(FinTimeout { idle_timeout: d.r.u16()?, hard_timeout: d.r.u16()? }))
}

impl FinTimeout {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(19, |o| {
            o.u16(self.idle_timeout);
            o.u16(self.hard_timeout);
        });
    }
}
