//! `fin_timeout`: shorten the flow's timeouts when a TCP connection ends.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::text::Fmt;
use crate::text::lex;
use std::fmt::Write;

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

impl FinTimeout {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("fin_timeout(");
        if self.idle_timeout != 0 {
            f.param("idle_timeout=");
            let _ = write!(f, "{}", self.idle_timeout);
        }
        if self.hard_timeout != 0 {
            if self.idle_timeout != 0 {
                f.put(",");
            }
            f.param("hard_timeout=");
            let _ = write!(f, "{}", self.hard_timeout);
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str) -> Result<Action, String> {
    let mut t = FinTimeout { idle_timeout: 0, hard_timeout: 0 };
    for p in lex::pairs(s) {
        match p.key {
            "idle_timeout" => t.idle_timeout = lex::u16_named(p.value, p.key)?,
            "hard_timeout" => t.hard_timeout = lex::u16_named(p.value, p.key)?,
            k => return Err(format!("invalid key '{k}' in 'fin_timeout' argument")),
        }
    }
    Ok(Action::FinTimeout(t))
}
