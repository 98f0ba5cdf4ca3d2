//! Lookup with conjunctive matches (ovs-fields(7), "Conjunctive Match Fields").
//!
//! A flow whose actions are `conjunction()` is no result by itself: it is one clause of a conjunction. When all clauses of
//! one have been matched at the same priority, the table is looked up again with `conj_id` set.

use crate::ctx::Ctx;
use base::TableId;
use flow::Field;
use ofproto::{Rule, RuleEntry};
use openflow::Action;
use smallvec::SmallVec;
use std::sync::Arc;

/// A flow, with the clauses that led to it.
pub(crate) type Hit<'a> = (&'a Arc<Rule>, SmallVec<[&'a Arc<Rule>; 2]>);

fn is_clause(rule: &Rule) -> bool {
    matches!(rule.actions.first(), Some(Action::Conjunction(_)))
}

/// The flow for the packet in a table; every bit that decides is recorded.
pub(crate) fn lookup<'a>(ctx: &mut Ctx<'a, '_>, table: TableId) -> Option<Hit<'a>> {
    let tables = &ctx.bridge.tables;
    let rule = tables.lookup(table, &ctx.key, Some(&mut ctx.mask))?;
    if !is_clause(rule) {
        return Some((rule, SmallVec::new()));
    }
    with_clauses(ctx, table)
}

/// The same, knowing that clauses match: level by level of priority.
fn with_clauses<'a>(ctx: &mut Ctx<'a, '_>, table: TableId) -> Option<Hit<'a>> {
    let bridge = ctx.bridge;
    let flows = &bridge.tables.table(table)?.flows;
    let mut level = Vec::new();
    let mut limit = u32::MAX;
    loop {
        let priority = flows.lookup_level(&ctx.key, limit, Some(&mut ctx.mask), &mut level)?;
        if let Some(rule) = level.iter().find(|r| !is_clause(r)) {
            return Some((&rule.0, SmallVec::new()));
        }
        if let Some(hit) = complete(ctx, table, &level) {
            return Some(hit);
        }
        limit = priority.checked_sub(1)?;
    }
}

/// A conjunction of which every clause is among `level`, and the flow for its id.
fn complete<'a>(ctx: &mut Ctx<'a, '_>, table: TableId, level: &[&'a RuleEntry]) -> Option<Hit<'a>> {
    let mut ids: SmallVec<[(u32, u8, u64); 4]> = SmallVec::new();
    for rule in level {
        for a in rule.actions.iter() {
            let Action::Conjunction(c) = a else { continue };
            let bit = 1u64 << (c.clause & 63);
            match ids.iter_mut().find(|(id, n, _)| *id == c.id && *n == c.n_clauses) {
                Some((_, _, bits)) => *bits |= bit,
                None => ids.push((c.id, c.n_clauses, bit)),
            }
        }
    }
    for (id, n, bits) in ids {
        let all = if n >= 64 { u64::MAX } else { (1u64 << n) - 1 };
        if bits & all != all {
            continue;
        }
        let old = ctx.key.get(Field::CONJ_ID);
        ctx.key.set(Field::CONJ_ID, id.into());
        let bridge = ctx.bridge;
        let priority = level[0].priority;
        let rule = bridge.tables.table(table).and_then(|t| {
            let mut found = Vec::new();
            let at = t.flows.lookup_level(&ctx.key, priority, Some(&mut ctx.mask), &mut found)?;
            found.into_iter().find(|r| at == priority && !is_clause(r)).map(|e| &e.0)
        });
        ctx.key.set(Field::CONJ_ID, old);
        if let Some(rule) = rule {
            let uses = |r: &&'a Arc<Rule>| {
                r.actions.iter().any(|a| matches!(a, Action::Conjunction(c) if c.id == id))
            };
            return Some((rule, level.iter().map(|e| &e.0).filter(uses).collect()));
        }
    }
    None
}
