//! Statistics of flows and tables.

use crate::flow_mod::Filter;
use crate::rule::Rule;
use crate::state::State;
use crate::tables::{N_VISIBLE, Tables};
use base::{Cookie, TableId, Time};
use classifier::Cursor;
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

/// The statistics of the flows that a request is about, as a reply in parts. The tables may hold any number of flows, so
/// that the parts are made one by one, when the one before has been sent: from the tables as they were when the request
/// came.
#[derive(Debug)]
pub struct FlowDump {
    request: FlowStatsRequest,
    tables: Tables,
    /// Table and place in it where it goes on; no table at the end.
    table: Option<u8>,
    at: Cursor,
    /// What was found and not yet told.
    found: Vec<FlowStats>,
}

impl FlowDump {
    /// The beginning.
    pub fn new(state: &mut State, request: FlowStatsRequest, now: Time) -> FlowDump {
        let filter = Filter::of_stats(&request);
        // What the index of cookies knows is found at once.
        let found = if request.cookie_mask == Cookie(u64::MAX) {
            Some(filter.collect(state).iter().map(|r| stats_of(r, now)).collect())
        } else {
            None
        };
        FlowDump {
            table: if found.is_some() { None } else { Some(State::table_ids(request.table).start) },
            found: found.unwrap_or_default(),
            at: Cursor::default(),
            tables: state.tables().clone(),
            request,
        }
    }

    /// The next `n` flows, the last of them if there are no more than that, and whether there are more.
    pub fn next(&mut self, n: usize, now: Time) -> (Vec<FlowStats>, bool) {
        while self.found.len() <= n && self.find_more(now) {}
        let rest = self.found.split_off(n.min(self.found.len()));
        let part = std::mem::replace(&mut self.found, rest);
        (part, !self.found.is_empty())
    }

    /// Looks at some more flows; false at the end.
    fn find_more(&mut self, now: Time) -> bool {
        let Some(id) = self.table else { return false };
        let filter = Filter::of_stats(&self.request);
        let found = &mut self.found;
        let flows = self.tables.table(TableId(id)).map(|t| &t.flows);
        let in_table = flows.is_some_and(|flows| {
            flows.walk_covered(filter.matching, &mut self.at, |rule| {
                if filter.admits(rule) {
                    found.push(stats_of(rule, now));
                }
            })
        });
        if !in_table {
            self.at = Cursor::default();
            let last = State::table_ids(self.request.table).end;
            self.table = id.checked_add(1).filter(|next| *next < last);
        }
        true
    }
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
