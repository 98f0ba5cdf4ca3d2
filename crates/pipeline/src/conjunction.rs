//! Lookup with conjunctive matches (ovs-fields(7), "Conjunctive Match Fields").
//!
//! A flow whose actions are `conjunction()` is no result by itself: it is one clause of a conjunction. When all clauses of
//! one have been matched at the same priority, the table is looked up again with `conj_id` set.

use crate::ctx::Ctx;
use base::TableId;
use flow::Field;
use ofproto::Rule;
use openflow::Action;
use smallvec::SmallVec;
use std::sync::Arc;

/// A flow, with the clauses that led to it.
type Hit<'a> = (&'a Arc<Rule>, SmallVec<[&'a Arc<Rule>; 2]>);

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

/// The same, knowing that clauses match: all matching flows are considered in falling priority.
fn with_clauses<'a>(ctx: &mut Ctx<'a, '_>, table: TableId) -> Option<Hit<'a>> {
    let bridge = ctx.bridge;
    let flows = &bridge.tables.table(table)?.flows;
    let mut matching: Vec<&'a Arc<Rule>> = Vec::new();
    for entry in flows.iter() {
        let rule = &entry.0;
        if rule.matching.matches(&ctx.key) {
            matching.push(rule);
        }
        // The answer rests on which of the flows match, wherever they differ from the packet.
        rule.matching.mask().or_into(&mut ctx.mask);
    }
    matching.sort_by_key(|r| std::cmp::Reverse(r.priority));
    let mut at = 0;
    while at < matching.len() {
        let priority = matching[at].priority;
        let end = at + matching[at..].iter().take_while(|r| r.priority == priority).count();
        let level = &matching[at..end];
        if let Some(rule) = level.iter().find(|r| !is_clause(r)) {
            return Some((rule, SmallVec::new()));
        }
        if let Some(hit) = complete(ctx, table, level) {
            return Some(hit);
        }
        at = end;
    }
    None
}

/// A conjunction of which every clause is among `level`, and the flow for its id.
fn complete<'a>(ctx: &mut Ctx<'a, '_>, table: TableId, level: &[&'a Arc<Rule>]) -> Option<Hit<'a>> {
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
        let rule = bridge.tables.table(table).and_then(|t| {
            let fits = |r: &&Arc<Rule>| {
                r.priority == level[0].priority && !is_clause(r) && r.matching.matches(&ctx.key)
            };
            t.flows.iter().map(|e| &e.0).find(fits)
        });
        ctx.key.set(Field::CONJ_ID, old);
        if let Some(rule) = rule {
            let uses =
                |r: &&&Arc<Rule>| r.actions.iter().any(|a| matches!(a, Action::Conjunction(c) if c.id == id));
            return Some((rule, level.iter().filter(uses).copied().collect()));
        }
    }
    None
}
