//! `learn`: add or refresh a flow made from the packet.

use crate::ctx::Ctx;
use crate::effect::{Effect, LearnFlow};
use crate::recorder::NodeKind;
use crate::text::{self, Namer};
use base::{Cookie, OfPort, TableId};
use flow::field::ones;
use flow::{Match, MiniMatch, Value};
use openflow::Action;
use openflow::action::{FinTimeout, Learn, LearnDst, LearnSrc, Output, SetField};
use openflow::msg::{FlowMod, FlowModCommand, FlowModFlags};

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, learn: &Learn) {
    let flow_mod = flow_mod(ctx, learn);
    if ctx.dry_run {
        let text = || "suppressing side effects, so learn action ignored".into();
        return ctx.record(NodeKind::Warning, |_| text());
    }
    let learned = learn.limit == 0 || is_room(ctx, learn, &flow_mod);
    if learned {
        ctx.record(NodeKind::Detail, |names| describe(&flow_mod, names));
    }
    ctx.effects.push(Effect::Learn(Box::new(LearnFlow {
        bridge: ctx.bridge.id,
        rule: ctx.rule.cloned(),
        flow_mod,
        limit: learn.limit,
        delete_learned: learn.flags & Learn::DELETE_LEARNED != 0,
    })));
    if let Some(dst) = learn.result_dst {
        let result = Value::from(learned);
        ctx.write_sub(dst, result);
        ctx.detail(|| format!("{} is now {}", text::subfield(dst), text::value(dst, result)));
    }
}

/// Whether a flow may be learned: it is there already, or there are not too many of its cookie.
fn is_room(ctx: &mut Ctx<'_, '_>, learn: &Learn, flow: &FlowMod) -> bool {
    let table = TableId(learn.table);
    ctx.bridge_deps().tables.insert(table);
    let tables = &ctx.bridge.tables;
    if tables.find_exact(table, &flow.matching, u32::from(flow.priority)).is_some() {
        return true;
    }
    let Some(t) = tables.table(table) else { return false };
    let of_cookie = t.flows.iter().filter(|r| r.cookie == learn.cookie && !r.is_hidden());
    of_cookie.take(learn.limit as usize).count() < learn.limit as usize
}

/// The flow, for a trace.
fn describe(m: &FlowMod, names: &Namer<'_>) -> String {
    let mut out = format!("table={}", m.table);
    let matching = names.match_of(&m.matching);
    if !matching.is_empty() {
        out.push_str(&format!(" {matching}"));
    }
    out.push_str(&format!(" priority={}", m.priority));
    if m.new_cookie != Cookie(0) {
        out.push_str(&format!(" cookie={:#x}", m.new_cookie.0));
    }
    for (name, timeout) in [("idle", m.idle_timeout), ("hard", m.hard_timeout)] {
        if timeout != 0 {
            out.push_str(&format!(" {name}={timeout}"));
        }
    }
    let actions: Vec<String> = m.actions.iter().map(|a| names.action(a)).collect();
    out + " actions=" + if actions.is_empty() { "drop".into() } else { actions.join(",") }.as_str()
}

/// The flow that the action describes, for this packet. All fields that it copies are looked at.
fn flow_mod(ctx: &mut Ctx<'_, '_>, learn: &Learn) -> FlowMod {
    let mut m = Match::any();
    let mut actions = Vec::new();
    if learn.fin_idle_timeout != 0 || learn.fin_hard_timeout != 0 {
        actions.push(Action::FinTimeout(FinTimeout {
            idle_timeout: learn.fin_idle_timeout,
            hard_timeout: learn.fin_hard_timeout,
        }));
    }
    for spec in &learn.specs {
        let value: Value = match &spec.src {
            LearnSrc::Field(sub) => ctx.read_sub(*sub),
            LearnSrc::Immediate(v) => *v & ones(spec.n_bits),
        };
        match spec.dst {
            LearnDst::Match(sub) => m.set_sub(sub, value),
            LearnDst::Load(sub) => {
                let mask = ones(sub.n_bits).checked_shl(sub.ofs.into()).unwrap_or(0);
                let value = value.checked_shl(sub.ofs.into()).unwrap_or(0);
                let mut set = SetField::new(sub.field, value, mask);
                set.is_load = true;
                actions.push(Action::SetField(set));
            }
            LearnDst::Output => {
                let port = u16::try_from(value).map_or(OfPort(value as u32), OfPort::from_u16);
                actions.push(Action::Output(Output { port, max_len: 0 }));
            }
        }
    }
    let mut flags = 0;
    if learn.flags & Learn::SEND_FLOW_REM != 0 {
        flags |= FlowModFlags::SEND_FLOW_REM;
    }
    FlowMod {
        priority: learn.priority,
        new_cookie: learn.cookie,
        modify_cookie: learn.cookie != Cookie(u64::MAX),
        table: learn.table,
        idle_timeout: learn.idle_timeout,
        hard_timeout: learn.hard_timeout,
        flags: FlowModFlags(flags),
        actions,
        ..FlowMod::new(FlowModCommand::ModifyStrict, MiniMatch::new(&m))
    }
}
