//! `dec_ttl`, `dec_mpls_ttl`, `dec_nsh_ttl`, `copy_ttl_in`, `copy_ttl_out`.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use crate::version::ProtocolSet;
use std::fmt::Write;

/// Decrement the IP TTL or hop limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecTtl {
    /// Connection ids of the controllers told when the TTL runs out. None is the plain OpenFlow action, which tells
    /// the controllers with id 0.
    pub ids: Option<Box<[u16]>>,
}

pub(super) fn decode_ids(d: &mut Dec<'_>) -> Decode<Action> {
    let n = usize::from(d.r.u16()?);
    d.zeros(4, OfpErr::NXBRC_MUST_BE_ZERO)?;
    if d.r.len() < n * 2 {
        return Err(OfpErr::OFPBAC_BAD_LEN.into());
    }
    let mut ids = Vec::with_capacity(n);
    for _ in 0..n {
        ids.push(d.r.u16()?);
    }
    Ok(Action::DecTtl(DecTtl { ids: Some(ids.into()) }))
}

impl DecTtl {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if let Some(ids) = &self.ids {
            e.nicira(21, |o| {
                o.u16(ids.len() as u16);
                o.zeros(4);
                for id in ids {
                    o.u16(*id);
                }
            });
        } else if e.is_10() {
            e.nicira(18, |o| o.zeros(6));
        } else {
            e.standard(24, |o| o.zeros(4));
        }
    }
}

impl DecTtl {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("dec_ttl");
        let Some(ids) = &self.ids else { return };
        f.paren("(");
        for (i, id) in ids.iter().enumerate() {
            let _ = write!(f, "{}{id}", if i == 0 { "" } else { "," });
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str) -> Action {
    let mut rest = s;
    let mut ids = Vec::new();
    while let Some(t) = lex::token(&mut rest, &[',', ' ']) {
        ids.push(super::multipath::atoi(t) as u16);
    }
    Action::DecTtl(DecTtl { ids: (!ids.is_empty()).then(|| ids.into()) })
}

/// A TTL-copying action, which OpenFlow has had since 1.1.
pub(super) fn copy(a: Action, cx: &mut TextCx<'_>) -> Action {
    cx.only(ProtocolSet::OF11_UP);
    a
}
