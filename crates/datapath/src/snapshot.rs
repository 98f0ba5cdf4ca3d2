//! The pipeline's snapshot as what engines translate against.

use crate::seam::{Pipeline, Translated};
use base::Time;
use flow::FlowKey;
use ofproto::tables::TableCounters;
use pipeline::{BridgeId, Deps, Effect, Generation, Request, Snapshot};
use smallvec::SmallVec;
use std::sync::Arc;

/// What a translation counts in and wants done.
pub struct Effects {
    /// The effects, in order.
    pub list: SmallVec<[Effect; 4]>,
    /// The lookup counters of the tables' bridges.
    counters: SmallVec<[(BridgeId, Arc<[TableCounters]>); 1]>,
}

impl Effects {
    fn new(snapshot: &Snapshot, list: SmallVec<[Effect; 4]>) -> Effects {
        let mut counters = SmallVec::<[(BridgeId, Arc<[TableCounters]>); 1]>::new();
        for e in &list {
            if let Effect::Credit { bridge, .. } | Effect::Miss { bridge, .. } = e
                && !counters.iter().any(|(b, _)| b == bridge)
            {
                counters.extend(snapshot.bridge(*bridge).map(|b| (*bridge, b.tables.all_counters().clone())));
            }
        }
        Effects { list, counters }
    }

    fn table(&self, bridge: BridgeId, table: base::TableId) -> Option<&TableCounters> {
        let (_, c) = self.counters.iter().find(|(b, _)| *b == bridge)?;
        c.get(usize::from(table.0))
    }
}

impl Pipeline for Snapshot {
    type Effects = Effects;
    type Deps = Deps;

    fn generation(&self) -> u64 {
        self.generation.0
    }

    fn translate(&self, key: &FlowKey, _len: usize, _now: Time) -> Translated<Effects, Deps> {
        let t = pipeline::translate(self, &Request::received(key), None);
        Translated {
            cacheable: true,
            drop: t.drop_reason.map_or(0, |r| r as u32),
            effects: Effects::new(self, t.effects),
            actions: t.actions,
            mask: t.mask,
            deps: t.deps,
        }
    }

    fn unchanged(&self, deps: &Deps, since: u64) -> bool {
        deps.still_valid(self, Generation(since))
    }

    fn credit(effects: &Effects, packets: u64, bytes: u64, _tcp_flags: u16, now: Time) {
        for e in &effects.list {
            match e {
                Effect::Credit { bridge, table, rule } => {
                    rule.stats.credit(packets, bytes, now);
                    if let Some(c) = effects.table(*bridge, *table) {
                        c.matched(packets);
                    }
                }
                Effect::Miss { bridge, table } => {
                    if let Some(c) = effects.table(*bridge, *table) {
                        c.missed(packets);
                    }
                }
                Effect::CreditGroup(group) => group.counters.total.credit(packets, bytes),
                Effect::CreditBucket { group, bucket } => {
                    if let Some(c) = group.counters.buckets.get(*bucket) {
                        c.credit(packets, bytes);
                    }
                }
                _ => {}
            }
        }
    }

    fn needs_control(effects: &Effects) -> bool {
        effects.list.iter().any(|e| {
            !matches!(
                e,
                Effect::Credit { .. }
                    | Effect::Miss { .. }
                    | Effect::CreditGroup(_)
                    | Effect::CreditBucket { .. }
            )
        })
    }
}
