//! Statistics of flows and tables.

use crate::flow_mod::Filter;
use crate::rule::Rule;
use crate::state::State;
use crate::tables::N_VISIBLE;
use base::{TableId, Time};
use openflow::msg::{AggregateStats, FlowModFlags, FlowStats, FlowStatsRequest, TableStats};

/// The statistics of one flow.
pub fn stats_of(rule: &Rule, now: Time) -> FlowStats {
    let (duration_sec, duration_nsec) = crate::age::on_the_wire(rule.created, now);
    FlowStats {
        matching: rule.matching.clone(),
        cookie: rule.cookie,
        table: rule.table.0,
        priority: rule.priority.min(0xffff) as u16,
        idle_timeout: rule.idle_timeout,
        hard_timeout: rule.hard_timeout,
        duration_sec,
        duration_nsec,
        idle_age: Some(now.since(rule.stats.used()).as_secs() as u32),
        hard_age: Some(now.since(rule.modified).as_secs() as u32),
        packet_count: rule.stats.packets(),
        byte_count: rule.stats.bytes(),
        flags: FlowModFlags(
            rule.flags.0
                & (FlowModFlags::SEND_FLOW_REM
                    | FlowModFlags::RESET_COUNTS
                    | FlowModFlags::NO_PKT_COUNTS
                    | FlowModFlags::NO_BYT_COUNTS
                    | FlowModFlags::CHECK_OVERLAP),
        ),
        importance: rule.importance,
        actions: rule.actions.clone(),
    }
}

/// The statistics of the flows that a request is about.
pub fn flow_stats(state: &mut State, request: &FlowStatsRequest, now: Time) -> Vec<FlowStats> {
    let mut out = Vec::new();
    for rule in Filter::of_stats(request).collect(state) {
        out.push(stats_of(&rule, now));
    }
    out
}

/// Sums over the flows that a request is about. A count that is unknown for one is unknown for the sum.
pub fn aggregate(state: &mut State, request: &FlowStatsRequest) -> AggregateStats {
    let mut sum = AggregateStats::default();
    let add = |a: u64, b: u64| if a == u64::MAX || b == u64::MAX { u64::MAX } else { a.saturating_add(b) };
    for rule in Filter::of_stats(request).collect(state) {
        sum.packet_count = add(sum.packet_count, rule.stats.packets());
        sum.byte_count = add(sum.byte_count, rule.stats.bytes());
        sum.flow_count += 1;
    }
    sum
}

/// Counters of every table that controllers see; what the tables can do is added by the caller.
pub fn table_stats(state: &State) -> Vec<TableStats> {
    (0..N_VISIBLE)
        .filter_map(|id| {
            let id = TableId(id);
            let table = state.tables().table(id)?;
            let hidden =
                if state.has_hidden() { table.flows.iter().filter(|r| r.is_hidden()).count() } else { 0 };
            let (lookup_count, matched_count) = state.tables().counters(id)?.get();
            Some(TableStats {
                table: id.0,
                active_count: (table.flows.len() - hidden) as u32,
                lookup_count,
                matched_count,
                features: None,
            })
        })
        .collect()
}
