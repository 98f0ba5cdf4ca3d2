//! Flow-mods: adding, modifying and deleting flows.

use crate::overflow::make_room;
use crate::rule::{Rule, RuleStats, groups_in, meters_in};
use crate::state::State;
use crate::tables::N_VISIBLE;
use base::{Cookie, GroupId, OfPort, TableId, Time};
use flow::MiniMatch;
use openflow::msg::{FlowMod, FlowModCommand, FlowModFlags, FlowRemovedReason, FlowStatsRequest};
use openflow::{Action, OfpErr, Version};
use std::mem::take;
use std::sync::Arc;

/// Which flows a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Table, or 255 for all that controllers see.
    pub table: u8,
    /// Flows at least as specific.
    pub matching: &'a MiniMatch,
    /// Only the flow with exactly this match and priority.
    pub strict: Option<u32>,
    /// Cookie that flows must have under the mask.
    pub cookie: Cookie,
    /// The mask.
    pub cookie_mask: Cookie,
    /// Port to which they must output.
    pub out_port: OfPort,
    /// Group that they must use.
    pub out_group: GroupId,
}

impl<'a> Filter<'a> {
    /// What a flow-mod is about.
    pub fn of_mod(fm: &'a FlowMod) -> Filter<'a> {
        use FlowModCommand::{Delete, DeleteStrict, ModifyStrict};
        let deletes = matches!(fm.command, Delete | DeleteStrict);
        let strict = matches!(fm.command, ModifyStrict | DeleteStrict);
        Filter {
            table: fm.table,
            matching: &fm.matching,
            strict: strict.then_some(u32::from(fm.priority)),
            cookie: fm.cookie,
            cookie_mask: fm.cookie_mask,
            out_port: if deletes { fm.out_port } else { OfPort::NONE },
            out_group: if deletes { fm.out_group } else { GroupId::ANY },
        }
    }

    /// What a statistics request is about.
    pub fn of_stats(r: &'a FlowStatsRequest) -> Filter<'a> {
        Filter {
            table: r.table,
            matching: &r.matching,
            strict: None,
            cookie: r.cookie,
            cookie_mask: r.cookie_mask,
            out_port: r.out_port,
            out_group: r.out_group,
        }
    }

    /// Whether a flow that its match covers is among those that it is about.
    pub fn admits(&self, rule: &Rule) -> bool {
        rule.priority <= 0xffff
            && rule.has_cookie(self.cookie, self.cookie_mask)
            && rule.outputs_to(self.out_port)
            && rule.uses_group(self.out_group)
    }

    /// Whether it is about every flow of its tables.
    fn is_everything(&self) -> bool {
        self.strict.is_none()
            && self.matching.map() == 0
            && self.cookie_mask == Cookie(0)
            && self.out_port == OfPort::NONE
            && self.out_group == GroupId::ANY
    }

    /// Calls `f` with each flow that the filter is about.
    pub fn each(&self, state: &State, mut f: impl FnMut(&Arc<Rule>)) {
        for id in State::table_ids(self.table) {
            let Some(table) = state.tables().table(TableId(id)) else { continue };
            if table.flows.is_empty() {
                continue;
            }
            if let Some(priority) = self.strict {
                if let Some(e) = table.flows.find_exact(self.matching, priority)
                    && self.admits(e)
                {
                    f(&e.0);
                }
                continue;
            }
            for e in table.flows.covered_by(self.matching) {
                if self.admits(e) {
                    f(&e.0);
                }
            }
        }
    }

    /// The flows that the filter is about.
    pub fn collect(&self, state: &mut State) -> Vec<Arc<Rule>> {
        let mut out = Vec::new();
        if self.strict.is_none() && self.cookie_mask == Cookie(u64::MAX) {
            let tables = State::table_ids(self.table);
            out = state.with_cookie(self.cookie);
            out.retain(|r| {
                tables.contains(&r.table.0) && self.admits(r) && r.matching.is_within(self.matching)
            });
        } else {
            self.each(state, |r| out.push(r.clone()));
        }
        out
    }
}

/// Carries out a flow-mod from a controller that speaks `version`, of which match and actions are taken. On error
/// nothing has changed, nor has the flow-mod.
pub fn flow_mod(state: &mut State, fm: &mut FlowMod, version: Version, now: Time) -> Result<(), OfpErr> {
    if fm.table != 0xff && fm.table >= N_VISIBLE {
        return internal(state, fm);
    }
    let mark = state.mark();
    let done = match fm.command {
        FlowModCommand::Add => add(state, fm, version, now),
        FlowModCommand::Modify | FlowModCommand::ModifyStrict => modify(state, fm, version, now),
        FlowModCommand::Delete | FlowModCommand::DeleteStrict => {
            delete(state, &Filter::of_mod(fm));
            Ok(())
        }
    };
    if done.is_err() {
        state.undo_to(mark);
    }
    done
}

/// The switch's own table: its flows may not be changed, but to delete none of them is no error.
fn internal(state: &mut State, fm: &FlowMod) -> Result<(), OfpErr> {
    let deletes = matches!(fm.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
    let harmless = deletes && Filter::of_mod(fm).collect(state).is_empty();
    if harmless { Ok(()) } else { Err(OfpErr::OFPBRC_EPERM) }
}

/// What adds and modifies check before they touch anything.
fn check(state: &State, fm: &FlowMod, version: Version) -> Result<(), OfpErr> {
    if fm.table == 0xff && version >= Version::V11 {
        return Err(OfpErr::OFPFMFC_BAD_TABLE_ID);
    }
    if version == Version::V10 && fm.flags.has(FlowModFlags::EMERG) {
        return Err(if fm.idle_timeout != 0 || fm.hard_timeout != 0 {
            OfpErr::OFPFMFC_BAD_EMERG_TIMEOUT
        } else {
            OfpErr::OFPFMFC_TABLE_FULL
        });
    }
    if fm.buffer_id.is_some() {
        return Err(OfpErr::OFPBRC_BUFFER_UNKNOWN);
    }
    check_references(state, &fm.actions)
}

/// Groups and meters that actions name must exist.
pub fn check_references(state: &State, actions: &[Action]) -> Result<(), OfpErr> {
    let mut result = Ok(());
    groups_in(actions, &mut |g| {
        if state.tables().group(g).is_none() {
            result = Err(OfpErr::OFPBAC_BAD_OUT_GROUP);
        }
    });
    meters_in(actions, &mut |m| {
        if state.tables().meter(m).is_none() {
            result = Err(OfpErr::OFPMMFC_INVALID_METER);
        }
    });
    result
}

/// The flags that a flow keeps and shows.
const KEPT: u16 = FlowModFlags::SEND_FLOW_REM
    | FlowModFlags::RESET_COUNTS
    | FlowModFlags::NO_PKT_COUNTS
    | FlowModFlags::NO_BYT_COUNTS
    | FlowModFlags::CHECK_OVERLAP
    | FlowModFlags::EMERG;

fn add(state: &mut State, fm: &mut FlowMod, version: Version, now: Time) -> Result<(), OfpErr> {
    check(state, fm, version)?;
    let table = TableId(if fm.table == 0xff { 0 } else { fm.table });
    let Some(t) = state.tables().table(table) else { return Err(OfpErr::OFPBRC_BAD_TABLE_ID) };
    let priority = u32::from(fm.priority);
    let mut flags = FlowModFlags(fm.flags.0 & KEPT);
    if version <= Version::V11 {
        flags.0 |= FlowModFlags::RESET_COUNTS;
    }
    let old = t.flows.find_exact(&fm.matching, priority).map(|e| e.0.clone());
    if old.is_none() {
        if flags.has(FlowModFlags::CHECK_OVERLAP) && t.flows.overlaps(&fm.matching, priority) {
            return Err(OfpErr::OFPFMFC_OVERLAP);
        }
        if let Some(limit) = t.config.flow_limit
            && t.flows.len() >= limit as usize
        {
            make_room(state, table)?;
        }
    }
    let stats = match &old {
        // From 1.2 on, a replaced flow's counts go on unless the controller says otherwise.
        Some(old) if !flags.has(FlowModFlags::RESET_COUNTS) => {
            let stats = RuleStats::new(now);
            stats.credit(old.stats.packets(), old.stats.bytes(), now);
            stats
        }
        _ => RuleStats::new(now),
    };
    let rule = Rule {
        stats: Arc::new(stats),
        cookie: fm.new_cookie,
        idle_timeout: fm.idle_timeout,
        hard_timeout: fm.hard_timeout,
        importance: fm.importance,
        flags,
        ..Rule::new(table, priority, take(&mut fm.matching), state.shared_actions(take(&mut fm.actions)), now)
    };
    state.add_over(rule, old);
    Ok(())
}

fn modify(state: &mut State, fm: &mut FlowMod, version: Version, now: Time) -> Result<(), OfpErr> {
    check(state, fm, version)?;
    let old = Filter::of_mod(fm).collect(state);
    if old.is_empty() {
        let adds = version <= Version::V11 && fm.cookie_mask == Cookie(0);
        return if adds { add(state, fm, version, now) } else { Ok(()) };
    }
    let actions = state.shared_actions(take(&mut fm.actions));
    for old in old {
        // Fresh counters rather than old ones cleared: should the request fail later, the old flow has its own.
        let stats = if fm.flags.has(FlowModFlags::RESET_COUNTS) {
            Arc::new(RuleStats::new(old.stats.used()))
        } else {
            old.stats.clone()
        };
        let cookie = if fm.modify_cookie { fm.new_cookie } else { old.cookie };
        let actions = if old.actions == actions { old.actions.clone() } else { actions.clone() };
        let new = Rule { actions, stats, cookie, modified: now, ..old.copy() };
        state.modify(old, new);
    }
    Ok(())
}

fn delete(state: &mut State, filter: &Filter<'_>) {
    if filter.is_everything() && !state.has_hidden() {
        for id in State::table_ids(filter.table) {
            state.clear_table(TableId(id), FlowRemovedReason::Delete);
        }
        return;
    }
    for rule in filter.collect(state) {
        state.remove(rule, FlowRemovedReason::Delete);
    }
}
