//! `delete_field`: remove a tunnel option.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use flow::Field;

/// Remove `field` from the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteField {
    /// A tunnel metadata field.
    pub field: Field,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let field = crate::oxm::pull_field(&mut d.r)?;
    Ok(Action::DeleteField(DeleteField { field }))
}

impl DeleteField {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = e.version;
        e.nicira(50, |o| {
            crate::oxm::put_header(o, self.field, version, false);
            o.zeros(10);
        });
    }
}

pub(super) fn parse(s: &str) -> Result<Action, String> {
    let field = crate::text::find_field(s).ok_or_else(|| format!("unknown field `{s}'"))?;
    Ok(Action::DeleteField(DeleteField { field }))
}
