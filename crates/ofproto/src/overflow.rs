//! Full tables: which flow makes room, and who is told that a table fills up or empties.

use crate::connection::ASYNC_XID;
use crate::effect::Effect;
use crate::ofproto::Ofproto;
use crate::rule::Rule;
use crate::state::State;
use crate::stats::vacancy;

use base::{TableId, Time};
use flow::Subfield;
use openflow::msg::{AsyncKind, FlowRemovedReason, TableReason, TableStatus, TableVacancy};
use openflow::{Message, OfpErr};
use std::collections::HashMap;
use std::sync::Arc;

/// Evicts a flow from a full table, if it is set up so: of the largest group of flows, one of the least important that
/// has a timeout, and of those the one that would go first.
pub(crate) fn make_room(state: &mut State, table: TableId) -> Result<(), OfpErr> {
    let full = OfpErr::OFPFMFC_TABLE_FULL;
    let config = state.tables().table(table).ok_or(full)?.config.clone();
    if !config.evict && !config.evict_asked {
        return Err(full);
    }
    let victim = victim(state, table, &config.groups).ok_or(full)?;
    state.remove(victim, FlowRemovedReason::Eviction);
    Ok(())
}

fn victim(state: &State, table: TableId, fields: &[Subfield]) -> Option<Arc<Rule>> {
    let flows = &state.tables().table(table)?.flows;
    let evictable = || {
        let goes = |r: &&Arc<Rule>| !r.is_hidden() && (r.idle_timeout != 0 || r.hard_timeout != 0);
        flows.iter().map(|e| &e.0).filter(goes)
    };
    let first = |r: &&Arc<Rule>| (r.importance, r.deadline());
    if fields.is_empty() {
        return evictable().min_by_key(first).cloned();
    }
    let group = |r: &Rule| -> Vec<u128> {
        let m = r.matching.expand();
        fields.iter().map(|f| m.key.get_sub(*f)).collect()
    };
    let mut sizes: HashMap<Vec<u128>, usize> = HashMap::new();
    evictable().for_each(|r| *sizes.entry(group(r)).or_default() += 1);
    let largest = sizes.values().copied().max()?;
    evictable().filter(|r| sizes.get(&group(r)) == Some(&largest)).min_by_key(first).cloned()
}

impl Ofproto {
    /// Makes a table obey a limit that it did not have when its flows came.
    pub(crate) fn enforce_limit(&mut self, table: TableId, now: Time) {
        loop {
            let Some(t) = self.state.tables().table(table) else { return };
            let over = t.config.flow_limit.is_some_and(|limit| t.flows.len() > limit as usize);
            if !over || make_room(&mut self.state, table).is_err() {
                break;
            }
        }
        self.commit(None, now);
    }

    /// Starts or ends telling of a table's vacancy. What is waited for first depends on how full it is.
    pub(crate) fn watch_vacancy(&mut self, table: TableId) {
        let Some(t) = self.state.tables().table(table) else { return };
        match t.config.vacancy {
            TableVacancy::On { up, .. } => {
                let emptying = vacancy(t.flows.len(), t.config.flow_limit) < up;
                self.vacancies.insert(table, emptying);
            }
            _ => drop(self.vacancies.remove(&table)),
        }
    }

    /// Tells of tables that have become full or empty enough.
    pub(crate) fn tell_vacancies(&mut self) {
        let mut told = Vec::new();
        for (table, emptying) in &mut self.vacancies {
            let Some(t) = self.state.tables().table(*table) else { continue };
            let TableVacancy::On { down, up, .. } = t.config.vacancy else { continue };
            if t.config.flow_limit.is_none() {
                continue;
            }
            let now = vacancy(t.flows.len(), t.config.flow_limit);
            if if *emptying { now > up } else { now < down } {
                told.push((
                    *table,
                    if *emptying { TableReason::VacancyUp } else { TableReason::VacancyDown },
                ));
                *emptying = !*emptying;
            }
        }
        for (table, reason) in told {
            let Some(desc) = self.table_desc(table.0) else { continue };
            for conn in self.connections.values() {
                if conn.wants(AsyncKind::TableStatus, reason as u32) {
                    let status = Message::TableStatus(Box::new(TableStatus { reason, desc }));
                    self.effects.push(Effect::Send(conn.id, ASYNC_XID, status));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_evicted_unasked() {
        let mut state = State::new(0);
        assert_eq!(make_room(&mut state, TableId(0)), Err(OfpErr::OFPFMFC_TABLE_FULL));
    }
}
