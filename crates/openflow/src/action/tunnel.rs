//! `set_tunnel`, `set_tunnel64`: set the tunnel id.

use super::Action;
use super::SetField;
use super::wire::{Dec, Enc};
use crate::Version;
use crate::buf::{Decode, Put};
use crate::text::lex;
use flow::Field;

/// Set the tunnel id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetTunnel {
    /// The id.
    pub id: u64,
    /// Written as `set_tunnel64`.
    pub wide: bool,
}

pub(super) fn decode_narrow(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    Ok(Action::SetTunnel(SetTunnel { id: d.r.u32()?.into(), wide: false }))
}

pub(super) fn decode_wide(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(6)?;
    Ok(Action::SetTunnel(SetTunnel { id: d.r.u64()?, wide: true }))
}

impl SetTunnel {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.version >= Version::V12 {
            SetField::new(Field::TUN_ID, self.id.into(), u128::MAX).encode(e);
        } else if self.wide || self.id > u32::MAX.into() {
            e.nicira(9, |o| {
                o.zeros(6);
                o.u64(self.id);
            });
        } else {
            e.nicira(2, |o| {
                o.zeros(2);
                o.u32(self.id as u32);
            });
        }
    }
}

pub(super) fn parse(s: &str, wide: bool) -> Result<SetTunnel, String> {
    Ok(SetTunnel { id: lex::u64(s)?, wide })
}
