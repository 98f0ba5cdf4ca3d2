//! The snapshot as the datapath takes it: the join of `pipeline` and `datapath`.

use base::log::RateLimit;
use base::{Level, Logger, OfPort, Time};
use datapath::{Pipeline, Translated};
use flow::FlowKey;
use ofproto::group::Pair;
use ofproto::{Group, Rule, TableCounters};
use pipeline::{BridgeId, Deps, Effect, Generation, Request, Snapshot};
use std::collections::HashMap;
use std::sync::Arc;

/// FIN or RST in the TCP flags seen by a megaflow.
const FIN_OR_RST: u16 = 0x001 | 0x004;

/// A published snapshot with the counters that it credits.
#[derive(Default)]
pub struct View {
    /// What translation reads.
    pub snapshot: Snapshot,
    /// What it counts in.
    pub counters: Arc<Counters>,
    /// Where translation's warnings go.
    pub log: Logger,
    /// How many of them.
    pub warnings: Option<Arc<RateLimit>>,
}

impl View {
    /// Logs what translation warns of.
    pub fn warn(&self, warnings: &[String]) {
        let Some(limit) = &self.warnings else { return };
        for text in warnings {
            self.log.write_limited(limit, "ofproto_dpif_xlate", Level::Warn, format_args!("{text}"));
        }
    }
}

/// Counters that do not belong to rules; they live as long as what they count, whatever is published.
#[derive(Clone, Default)]
pub struct Counters {
    /// Lookup counters of each bridge's tables.
    pub tables: HashMap<BridgeId, Arc<[TableCounters]>>,
    /// Packets received and sent by each patch port.
    pub patches: HashMap<(BridgeId, OfPort), Arc<PatchCounters>>,
    /// Packets copied by each mirror, by its place in the snapshot.
    pub mirrors: HashMap<(BridgeId, usize), Arc<Pair>>,
}

/// Counters of a patch port.
#[derive(Debug, Default)]
pub struct PatchCounters {
    /// Received from the peer.
    pub rx: Pair,
    /// Sent to the peer.
    pub tx: Pair,
}

/// What a translation's packets are credited to.
enum Credit {
    Rule(Arc<Rule>, Arc<[TableCounters]>),
    Miss(u8, Arc<[TableCounters]>),
    Bucket(Arc<Group>, usize),
    Group(Arc<Group>),
    PatchRx(Arc<PatchCounters>),
    PatchTx(Arc<PatchCounters>),
    Mirror(Arc<Pair>),
}

/// A translation's effects, sorted into what any thread may do and what only the control thread can.
pub struct Effects {
    credits: Box<[Credit]>,
    /// Learning and the like.
    pub control: Box<[Effect]>,
}

impl Effects {
    /// Sorts effects.
    pub fn new(effects: impl IntoIterator<Item = Effect>, counters: &Counters) -> Effects {
        let (mut credits, mut control) = (Vec::new(), Vec::new());
        for effect in effects {
            let credit = match effect {
                Effect::Credit { bridge, rule, .. } => {
                    counters.tables.get(&bridge).map(|t| Credit::Rule(rule, t.clone()))
                }
                Effect::Miss { bridge, table } => {
                    counters.tables.get(&bridge).map(|t| Credit::Miss(table.0, t.clone()))
                }
                Effect::CreditBucket { group, bucket } => Some(Credit::Bucket(group, bucket)),
                Effect::CreditGroup(group) => Some(Credit::Group(group)),
                Effect::CreditMirror { bridge, mirror } => {
                    counters.mirrors.get(&(bridge, mirror)).map(|m| Credit::Mirror(m.clone()))
                }
                Effect::PatchRx { bridge, port } => {
                    counters.patches.get(&(bridge, port)).map(|p| Credit::PatchRx(p.clone()))
                }
                Effect::PatchTx { bridge, port } => {
                    counters.patches.get(&(bridge, port)).map(|p| Credit::PatchTx(p.clone()))
                }
                other => {
                    control.push(other);
                    None
                }
            };
            credits.extend(credit);
        }
        Effects { credits: credits.into(), control: control.into() }
    }

    /// Counts packets.
    pub fn credit(&self, packets: u64, bytes: u64, now: Time) {
        for c in &self.credits {
            match c {
                Credit::Rule(rule, tables) => {
                    rule.stats.credit(packets, bytes, now);
                    if let Some(t) = tables.get(usize::from(rule.table.0)) {
                        t.matched(packets);
                    }
                }
                Credit::Miss(table, tables) => {
                    if let Some(t) = tables.get(usize::from(*table)) {
                        t.missed(packets);
                    }
                }
                Credit::Bucket(group, bucket) => {
                    if let Some(b) = group.counters.buckets.get(*bucket) {
                        b.credit(packets, bytes);
                    }
                }
                Credit::Group(group) => group.counters.total.credit(packets, bytes),
                Credit::PatchRx(p) => p.rx.credit(packets, bytes),
                Credit::PatchTx(p) => p.tx.credit(packets, bytes),
                Credit::Mirror(m) => m.credit(packets, bytes),
            }
        }
    }
}

/// Whether a flow with these TCP flags has ended, as `fin_timeout` sees it.
pub fn ended(tcp_flags: u16) -> bool {
    tcp_flags & FIN_OR_RST != 0
}

impl Pipeline for View {
    type Effects = Effects;
    type Deps = Deps;

    fn generation(&self) -> u64 {
        self.snapshot.generation.0
    }

    fn translate(&self, key: &FlowKey, _len: usize, _now: Time) -> Translated<Effects, Deps> {
        let t = pipeline::translate(&self.snapshot, &Request::received(key), None);
        self.warn(&t.warnings);
        Translated {
            actions: t.actions,
            mask: t.mask,
            effects: Effects::new(t.effects, &self.counters),
            deps: t.deps,
            cacheable: true,
            drop: t.drop_reason.map_or(0, |r| r as u32),
        }
    }

    fn unchanged(&self, deps: &Deps, since: u64) -> bool {
        deps.still_valid(&self.snapshot, Generation(since))
    }

    fn credit(effects: &Effects, packets: u64, bytes: u64, _tcp_flags: u16, now: Time) {
        effects.credit(packets, bytes, now);
    }

    fn needs_control(effects: &Effects) -> bool {
        !effects.control.is_empty()
    }
}
