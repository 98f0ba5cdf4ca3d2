//! `conjunction`: one dimension of a conjunctive match.

use super::Action;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;

/// The flow is clause `clause` of `n_clauses` of conjunction `id`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conjunction {
    /// Conjunction id.
    pub id: u32,
    /// Clause, from 0.
    pub clause: u8,
    /// Number of clauses.
    pub n_clauses: u8,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let (clause, n_clauses, id) = (d.r.u8()?, d.r.u8()?, d.r.u32()?);
    if !(2..=64).contains(&n_clauses) || clause >= n_clauses {
        return Err(OfpErr::NXBAC_BAD_CONJUNCTION.into());
    }
    Ok(Action::Conjunction(Conjunction { id, clause, n_clauses }))
}

impl Conjunction {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(34, |o| {
            o.u8(self.clause);
            o.u8(self.n_clauses);
            o.u32(self.id);
        });
    }
}

pub(super) fn parse(s: &str) -> Result<Action, String> {
    let syntax = || "\"conjunction\" syntax is \"conjunction(id,i/n)\"".to_string();
    let (id, rest) = lex::scan_int(s).ok_or_else(syntax)?;
    let rest = rest.trim_start().strip_prefix(',').ok_or_else(syntax)?;
    let (clause, n) = rest.split_once('/').ok_or_else(syntax)?;
    let decimal = |s: &str| {
        let digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if digits {
            lex::scan_int(s.trim_start_matches('0')).map_or(Some(0), |n| Some(n.0 as u8))
        } else {
            None
        }
    };
    let id = id as u32;
    let clause = decimal(clause.trim()).ok_or_else(syntax)?;
    let n_clauses = decimal(n.trim()).ok_or_else(syntax)?;
    let error = if n_clauses < 2 {
        "conjunction must have at least 2 clauses"
    } else if n_clauses > 64 {
        "conjunction must have at most 64 clauses"
    } else if clause < 1 {
        "clause index must be positive"
    } else if clause > n_clauses {
        "clause index must be less than or equal to number of clauses"
    } else {
        return Ok(Action::Conjunction(Conjunction { id, clause: clause - 1, n_clauses }));
    };
    Err(error.to_string())
}
