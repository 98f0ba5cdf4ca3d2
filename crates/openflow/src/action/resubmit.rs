//! `resubmit`: look the packet up again.

use super::Action;
use super::output::port16;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::{Fmt, TextCx};
use base::OfPort;

/// Look the packet up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resubmit {
    /// In-port for the lookup; [`OfPort::IN_PORT`] means as it is.
    pub in_port: OfPort,
    /// Table; 255 means the current one.
    pub table: u8,
    /// Swap in the original direction's tuple.
    pub with_ct_orig: bool,
    /// It came in the form without a table, and goes back in it.
    pub short: bool,
}

pub(super) fn decode_port(d: &mut Dec<'_>) -> Decode<Action> {
    let in_port = OfPort::from_u16(d.r.u16()?);
    Ok(Action::Resubmit(Resubmit { in_port, table: 0xff, with_ct_orig: false, short: true }))
}

fn with_table(d: &mut Dec<'_>, with_ct_orig: bool) -> Decode<Action> {
    let in_port = OfPort::from_u16(d.r.u16()?);
    let table = d.r.u8()?;
    d.zeros(3, OfpErr::OFPBAC_BAD_ARGUMENT)?;
    Ok(Action::Resubmit(Resubmit { in_port, table, with_ct_orig, short: false }))
}

pub(super) fn decode_table(d: &mut Dec<'_>) -> Decode<Action> {
    with_table(d, false)
}

pub(super) fn decode_table_ct(d: &mut Dec<'_>) -> Decode<Action> {
    with_table(d, true)
}

impl Resubmit {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let subtype = match (self.short, self.with_ct_orig) {
            (true, _) => 1,
            (false, false) => 14,
            (false, true) => 44,
        };
        e.nicira(subtype, |o| {
            o.u16(port16(self.in_port));
            if !self.short {
                o.u8(self.table);
            }
        });
    }
}

impl Resubmit {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        if self.in_port != OfPort::IN_PORT && self.table == 0xff && !self.with_ct_orig {
            f.special("resubmit:");
            f.port(self.in_port);
            return;
        }
        f.paren("resubmit(");
        if self.in_port != OfPort::IN_PORT {
            f.port(self.in_port);
        }
        f.put(",");
        if self.table != 0xff {
            f.table(self.table);
        }
        if self.with_ct_orig {
            f.put(",ct");
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut r = Resubmit { in_port: OfPort::IN_PORT, table: 0xff, with_ct_orig: false, short: false };
    let mut parts = s.split(',').map(str::trim);
    let port = parts.next().unwrap_or("");
    if !port.is_empty() {
        r.in_port = cx.port(port).ok_or_else(|| format!("{port}: resubmit to unknown port"))?;
    }
    let table = parts.next().unwrap_or("");
    if !table.is_empty() {
        r.table = cx.table(table).ok_or_else(|| format!("{table}: resubmit to unknown table"))?;
    }
    if let Some(ct) = parts.next().filter(|p| !p.is_empty()) {
        if ct != "ct" {
            return Err(format!("{ct}: unknown parameter"));
        }
        r.with_ct_orig = true;
    }
    if r.in_port == OfPort::IN_PORT && r.table == 0xff {
        return Err("at least one \"in_port\" or \"table\" must be specified on resubmit".to_string());
    }
    Ok(Action::Resubmit(r))
}
