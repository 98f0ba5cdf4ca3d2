//! Looking a packet up in a table and running what was found, within the budget.

use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::recorder::NodeKind;
use crate::snapshot::FragMode;
use base::{Cookie, OfPort, TableId};
use flow::Field;
use flow::key::frag;
use flow::layout as l;
use ofproto::Rule;
use openflow::Action;
use openflow::msg::{PacketInReason, TableMiss};
use smallvec::SmallVec;
use std::sync::Arc;

/// What a lookup led to.
pub(crate) enum Found<'a> {
    /// A flow, and the flows that made up its conjunction.
    Rule(&'a Arc<Rule>, SmallVec<[&'a Arc<Rule>; 2]>),
    /// Nothing.
    Miss,
    /// Nothing, and a packet-in is called for.
    MissToController,
    /// The packet is a fragment and those are dropped.
    Fragment,
}

/// How to look up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lookup {
    /// Packets that miss are treated as the table is set up (`goto_table` and the first table), not dropped.
    pub honor_miss: bool,
}

/// Whether there is still budget for a lookup in `table` (`None`: a group, a patch port).
pub(crate) fn within_budget(ctx: &mut Ctx<'_, '_>) -> bool {
    let limits = &ctx.snap.limits;
    let (depth, resubmits) = (limits.depth, limits.resubmits);
    if ctx.depth >= depth {
        ctx.fail(DropReason::RecursionTooDeep, || format!("over max translation depth {depth}"));
    } else if ctx.resubmits >= resubmits {
        ctx.fail(DropReason::TooManyResubmits, || format!("over {resubmits} resubmit actions"));
    } else if ctx.out.len() > limits.actions as usize {
        ctx.fail(DropReason::TooManyActions, || "resubmits yielded over 64 kB of actions".into());
    } else if ctx.stack_bytes >= limits.stack_bytes {
        ctx.fail(DropReason::StackTooDeep, || "resubmits yielded over 64 kB of stack".into());
    } else {
        return true;
    }
    false
}

/// One table's flow for the packet. A fragment's ports are 0 to it, unless first fragments are to match on theirs.
fn in_table<'a>(ctx: &mut Ctx<'a, '_>, table: TableId) -> Option<crate::conjunction::Hit<'a>> {
    let ports = [ctx.key.tp_src(), ctx.key.tp_dst()];
    let hide = ports != [0; 2]
        && ctx.key.is_ip_any()
        && ctx.key.nw_frag() & frag::ANY != 0
        && ctx.bridge.config.frag_mode != FragMode::NxMatch;
    if !hide {
        return crate::conjunction::lookup(ctx, table);
    }
    ctx.key.put(l::TP_SRC, &[0; 4]);
    let hit = crate::conjunction::lookup(ctx, table);
    ctx.key.put(l::TP_SRC, &ports[0].to_be_bytes());
    ctx.key.put(l::TP_DST, &ports[1].to_be_bytes());
    hit
}

/// Finds the flow for the packet; `table` becomes the table in which it was found (misses may go on).
pub(crate) fn find<'a>(ctx: &mut Ctx<'a, '_>, table: &mut TableId, lookup: Lookup) -> Found<'a> {
    let bridge = ctx.bridge;
    if bridge.config.frag_mode == FragMode::Drop && ctx.key.is_ip_any() && ctx.key.nw_frag() & frag::ANY != 0
    {
        return Found::Fragment;
    }
    loop {
        ctx.bridge_deps().tables.insert(*table);
        let hit = in_table(ctx, *table);
        if let Some((rule, clauses)) = hit {
            ctx.effects.push(Effect::Credit { bridge: bridge.id, table: *table, rule: rule.clone() });
            return Found::Rule(rule, clauses);
        }
        ctx.effects.push(Effect::Miss { bridge: bridge.id, table: *table });
        if !lookup.honor_miss {
            return Found::Miss;
        }
        match bridge.tables.miss(*table) {
            TableMiss::Continue if table.0 < ofproto::tables::N_VISIBLE - 1 => table.0 += 1,
            TableMiss::Controller => {
                let silent = bridge.port(ctx.key.in_port()).is_some_and(|p| p.config.no_packet_in);
                return if silent { Found::Miss } else { Found::MissToController };
            }
            _ => return Found::Miss,
        }
    }
}

/// Opens the record's node of a lookup.
pub(crate) fn record(ctx: &mut Ctx<'_, '_>, table: TableId, found: &Found<'_>) {
    if ctx.rec.is_none() {
        return;
    }
    let miss = |text: &str| format!("{:2}. {text}", table.0);
    match found {
        Found::Rule(rule, clauses) => {
            ctx.open(NodeKind::Table, |n| format!("{} {}", n.table(table), n.rule(rule)));
            // Clauses have the priority of the flow that they lead to.
            let priority = match rule.priority {
                0x8000 => String::new(),
                p => format!("priority={p},"),
            };
            for clause in clauses {
                ctx.record(NodeKind::Detail, |n| format!("conj. {priority}{}", n.matching(clause)));
            }
        }
        Found::Miss => ctx.open(NodeKind::Table, |_| miss("No match.")),
        Found::MissToController => {
            ctx.open(NodeKind::Table, |_| miss("No match, and a \"packet-in\" is called for."));
        }
        Found::Fragment => ctx.open(NodeKind::Table, |_| {
            miss("Packets are IP fragments and the fragment handling mode is \"drop\".")
        }),
    }
}

/// Runs what was found. `last`: nothing happens to the packet afterwards.
pub(crate) fn run<'a>(ctx: &mut Ctx<'a, '_>, table: TableId, found: Found<'a>, last: bool) {
    let old = (ctx.rule, ctx.table, ctx.cookie);
    ctx.table = table;
    match found {
        Found::Rule(rule, _) => {
            ctx.rule = Some(rule);
            ctx.cookie = rule.cookie;
            if rule.actions.is_empty() {
                ctx.drop(DropReason::NoOutput, NodeKind::Action, || "drop".into());
            } else {
                crate::action::run_list(ctx, &rule.actions, last);
            }
        }
        Found::Miss => ctx.drop(DropReason::TableMiss, NodeKind::Action, || "drop".into()),
        Found::Fragment => ctx.drop(DropReason::Fragment, NodeKind::Action, || "drop".into()),
        Found::MissToController => {
            ctx.rule = None;
            ctx.cookie = Cookie(u64::MAX);
            ctx.record(NodeKind::Action, |_| "controller(reason=)".into());
            let to = crate::action::controller::To {
                reason: PacketInReason::ImplicitMiss,
                ..crate::action::controller::To::default()
            };
            crate::action::controller::send(ctx, to);
            ctx.drop_reason = Some(DropReason::TableMiss);
        }
    }
    (ctx.rule, ctx.table, ctx.cookie) = old;
}

/// Looks the packet up in a table, as if it came by `in_port`, and runs what is found.
pub(crate) fn resubmit<'a>(
    ctx: &mut Ctx<'a, '_>,
    in_port: Option<OfPort>,
    mut table: TableId,
    lookup: Lookup,
    last: bool,
) {
    if !within_budget(ctx) {
        return;
    }
    ctx.resubmits += 1;
    let real = ctx.key.in_port();
    if let Some(port) = in_port {
        ctx.key.set_in_port(port);
    }
    let from = ctx.table;
    let found = find(ctx, &mut table, lookup);
    ctx.key.set_in_port(real);
    // Only going back, or staying, can go on for ever.
    let deeper = (table <= from) as u16;
    ctx.depth += deeper;
    record(ctx, table, &found);
    run(ctx, table, found, last);
    ctx.close();
    ctx.depth -= deeper;
}

/// Runs the action set, if there is one.
pub(crate) fn run_action_set(ctx: &mut Ctx<'_, '_>) {
    if ctx.action_set.is_empty() || ctx.freeze.is_some() || ctx.error.is_some() {
        return;
    }
    let set = std::mem::take(&mut ctx.action_set);
    let ordered = crate::action_set::ordered(&set);
    ctx.exit = false;
    ctx.in_action_set = true;
    ctx.open(NodeKind::Table, |_| "--. Executing action set:".into());
    crate::action::run_refs(ctx, &ordered, true);
    ctx.close();
    ctx.in_action_set = false;
}

/// Whether a flow is a table's explicit miss flow: it matches everything, with the lowest priority.
pub(crate) fn is_table_miss(rule: &Rule) -> bool {
    rule.priority == 0 && rule.matching.map() == 0
}

/// The output port that the action set has, for the field of that name.
pub(crate) fn actset_output(set: &[&Action]) -> OfPort {
    let mut port = OfPort::UNSET;
    for a in set {
        match a {
            Action::Group(_) => return OfPort::UNSET,
            Action::Output(o) => port = o.port,
            _ => {}
        }
    }
    port
}

/// Writes the field that shows the action set's output.
pub(crate) fn show_actset_output(ctx: &mut Ctx<'_, '_>) {
    let port = actset_output(&ctx.action_set);
    ctx.key.set(Field::ACTSET_OUTPUT, port.0.into());
}
