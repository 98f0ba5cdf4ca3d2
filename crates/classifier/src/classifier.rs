//! The classifier: subtables in the order in which they are worth asking.

use crate::filter::Filter;
use crate::hash::Hash;
use crate::subtable::{PrefixMemo, Subtable};
use crate::tracker::{MAX_TRACKERS, Tracker};
use flow::{Field, FlowKey, Mask, MiniMatch};
use std::sync::Arc;

/// What a classifier holds: a cheap handle (an `Arc`) to a rule that knows its match and priority.
pub trait Entry: Clone {
    /// Which packets.
    fn matching(&self) -> &MiniMatch;
    /// Its rank: higher wins. OpenFlow's are 0 to 65,535; a switch's own rules may be above.
    fn priority(&self) -> u32;
}

/// How a classifier is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Fields whose prefixes are tracked, at most 4 count.
    pub prefixes: Vec<Field>,
    /// Seed of the hashes, so that nobody can choose rules that collide.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let prefixes = vec![Field::IP_DST, Field::IP_SRC, Field::IPV6_DST, Field::IPV6_SRC];
        Config { prefixes, seed: 0 }
    }
}

/// A subtable in its order.
#[derive(Clone, Debug)]
struct Slot<R> {
    max_priority: u32,
    /// Hash of the mask, so that finding one among many touches only this list.
    mask: u32,
    filter: Filter,
    table: Arc<Subtable<R>>,
}

impl<R: Entry> Slot<R> {
    /// The subtable has changed.
    fn refresh(&mut self) {
        self.filter = self.table.filter();
    }
}

#[derive(Clone, Debug)]
struct Inner<R> {
    /// By falling highest priority.
    slots: Vec<Slot<R>>,
    trackers: Vec<Tracker>,
    seed: u64,
    len: usize,
}

/// Where a walk over a classifier's rules stands; the default is the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    slot: usize,
    hash: u32,
}

/// Rules by match and priority. A clone is a snapshot.
#[derive(Clone, Debug)]
pub struct Classifier<R>(Arc<Inner<R>>);

impl<R: Entry> Default for Classifier<R> {
    fn default() -> Self {
        Classifier::new(&Config::default())
    }
}

impl<R: Entry> Classifier<R> {
    /// An empty classifier.
    pub fn new(config: &Config) -> Classifier<R> {
        Classifier(Arc::new(Inner {
            slots: Vec::new(),
            trackers: trackers(&config.prefixes),
            seed: config.seed,
            len: 0,
        }))
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Number of distinct masks.
    pub fn n_masks(&self) -> usize {
        self.0.slots.len()
    }

    /// Whether two handles are the same snapshot.
    pub fn is_same(&self, other: &Classifier<R>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The fields whose prefixes are tracked.
    pub fn prefixes(&self) -> impl Iterator<Item = Field> {
        self.0.trackers.iter().map(Tracker::field)
    }

    /// Tracks the prefixes of these fields from now on. Costs a pass over all rules if they differ.
    pub fn set_prefixes(&mut self, fields: &[Field]) {
        let mut new = trackers(fields);
        if new.iter().map(Tracker::field).eq(self.prefixes()) {
            return;
        }
        let inner = Arc::make_mut(&mut self.0);
        for slot in &mut inner.slots {
            let table = Arc::make_mut(&mut slot.table);
            table.track(&new);
            let lens = table.prefix_lens();
            for rule in table.iter() {
                for (t, len) in new.iter_mut().zip(lens).filter(|(_, len)| *len > 0) {
                    t.add(rule.matching(), len);
                }
            }
            slot.refresh();
        }
        inner.trackers = new;
    }

    /// Adds a rule; gives back the rule of the same match and priority that it took the place of.
    pub fn insert(&mut self, rule: R) -> Option<R> {
        self.put(rule, true)
    }

    /// Adds a rule of whose match and priority there is none: saves looking for it.
    pub fn insert_new(&mut self, rule: R) {
        debug_assert!(self.find_exact(rule.matching(), rule.priority()).is_none());
        self.put(rule, false);
    }

    fn put(&mut self, rule: R, may_replace: bool) -> Option<R> {
        let inner = Arc::make_mut(&mut self.0);
        let m = rule.matching();
        let priority = rule.priority();
        let at = inner.position(m).unwrap_or_else(|| {
            let table = Arc::new(Subtable::new(m, inner.seed, &inner.trackers));
            let filter = table.filter();
            inner.slots.push(Slot { max_priority: 0, mask: mask_hash(m), filter, table });
            inner.slots.len() - 1
        });
        let table = Arc::make_mut(&mut inner.slots[at].table);
        let hashes = table.hashes(m);
        if may_replace && table.find_exact(hashes, m, priority).is_some() {
            return table.replace(hashes, rule);
        }
        for (t, len) in inner.trackers.iter_mut().zip(table.prefix_lens()).filter(|(_, len)| *len > 0) {
            t.add(m, len);
        }
        table.insert(hashes, rule);
        inner.slots[at].refresh();
        inner.len += 1;
        if priority > inner.slots[at].max_priority || inner.slots[at].table.len() == 1 {
            inner.slots[at].max_priority = priority;
            inner.reorder(at);
        }
        None
    }

    /// Takes out the rule with exactly this match and priority.
    pub fn remove(&mut self, m: &MiniMatch, priority: u32) -> Option<R> {
        let at = self.0.position(m)?;
        let table = &self.0.slots[at].table;
        let hashes = table.hashes(m);
        table.find_exact(hashes, m, priority)?;
        let inner = Arc::make_mut(&mut self.0);
        let table = Arc::make_mut(&mut inner.slots[at].table);
        let rule = table.remove(hashes, m, priority)?;
        for (t, len) in inner.trackers.iter_mut().zip(table.prefix_lens()).filter(|(_, len)| *len > 0) {
            t.sub(m, len);
        }
        let (empty, max) = (table.is_empty(), table.max_priority());
        inner.len -= 1;
        if empty {
            inner.slots.remove(at);
        } else {
            inner.slots[at].refresh();
            if max != inner.slots[at].max_priority {
                inner.slots[at].max_priority = max;
                inner.reorder(at);
            }
        }
        Some(rule)
    }

    /// Takes out all rules.
    pub fn clear(&mut self) {
        let inner = &*self.0;
        let trackers = inner.trackers.iter().filter_map(|t| Tracker::new(t.field())).collect();
        self.0 = Arc::new(Inner { slots: Vec::new(), trackers, seed: inner.seed, len: 0 });
    }

    /// The rule with exactly this match and priority.
    pub fn find_exact(&self, m: &MiniMatch, priority: u32) -> Option<&R> {
        let table = &self.0.slots[self.0.position(m)?].table;
        table.find_exact(table.hashes(m), m, priority)
    }

    /// The rule of highest priority that matches `key`. All bits on which the answer rests are added to `mask`:
    /// any key that agrees with `key` on them gets the same answer. Among equals of one priority the choice is
    /// arbitrary but fixed.
    pub fn lookup(&self, key: &FlowKey, mask: Option<&mut Mask>) -> Option<&R> {
        let mut mask = mask;
        let mut memo = PrefixMemo::new(&self.0.trackers);
        let mut best: Option<(u32, &R)> = None;
        for slot in &self.0.slots {
            if best.is_some_and(|(p, _)| p >= slot.max_priority) {
                break;
            }
            if slot.filter.rules_out(key, self.0.seed, &mut memo, mask.as_deref_mut()) {
                continue;
            }
            if let Some(rule) = slot.table.lookup(key, u32::MAX, &mut memo, mask.as_deref_mut())
                && best.is_none_or(|(p, _)| rule.priority() > p)
            {
                best = Some((rule.priority(), rule));
            }
        }
        best.map(|(_, r)| r)
    }

    /// [`Classifier::lookup`] that asks every subtable itself.
    #[cfg(test)]
    pub(crate) fn lookup_unfiltered(&self, key: &FlowKey, mask: &mut Mask) -> Option<&R> {
        let mut memo = PrefixMemo::new(&self.0.trackers);
        let mut best: Option<(u32, &R)> = None;
        for slot in &self.0.slots {
            if best.is_some_and(|(p, _)| p >= slot.max_priority) {
                break;
            }
            let found = slot.table.lookup(key, u32::MAX, &mut memo, Some(&mut *mask));
            if let Some(rule) = found.filter(|r| best.is_none_or(|(p, _)| r.priority() > p)) {
                best = Some((rule.priority(), rule));
            }
        }
        best.map(|(_, r)| r)
    }

    /// All rules that match `key` and have the highest priority, up to `limit`, of which any does: into `out`, which
    /// is emptied. Gives that priority. Bits are added to `mask` as [`Classifier::lookup`] does, for this answer.
    ///
    /// This is how conjunctive matches are looked up: level by level of priority, each at the cost of one lookup.
    pub fn lookup_level<'a>(
        &'a self,
        key: &FlowKey,
        limit: u32,
        mask: Option<&mut Mask>,
        out: &mut Vec<&'a R>,
    ) -> Option<u32> {
        out.clear();
        let mut mask = mask;
        let mut memo = PrefixMemo::new(&self.0.trackers);
        let mut best = None;
        for slot in &self.0.slots {
            if best.is_some_and(|p| p > slot.max_priority) {
                break;
            }
            if slot.filter.rules_out(key, self.0.seed, &mut memo, mask.as_deref_mut()) {
                continue;
            }
            let Some(rule) = slot.table.lookup(key, limit, &mut memo, mask.as_deref_mut()) else { continue };
            let priority = rule.priority();
            if best.is_none_or(|p| priority > p) {
                best = Some(priority);
                out.clear();
            }
            if best == Some(priority) {
                out.push(rule);
            }
        }
        best
    }

    /// All rules, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.slots.iter().flat_map(|s| s.table.iter())
    }

    /// The rules that `m` covers: at least as specific, and within it (what a loose flow-mod or a statistics request
    /// is about).
    pub fn covered_by<'a>(&'a self, m: &'a MiniMatch) -> impl Iterator<Item = &'a R> {
        self.0.slots.iter().filter(|s| s.table.shape().includes(m)).flat_map(move |s| {
            let (one, many) = if m.map() != 0 && s.table.shape().is_mask_of(m) {
                (Some(s.table.with_hash(s.table.hashes(m))), None)
            } else {
                (None, Some(s.table.iter()))
            };
            one.into_iter().flatten().chain(many.into_iter().flatten()).filter(|r| r.matching().is_within(m))
        })
    }

    /// Goes on with a walk over the rules of [`Classifier::covered_by`], in their order: gives some of them to `f`. The
    /// classifier must be the snapshot that the walk began with. False: it has come to the end.
    pub fn walk_covered<'a>(&'a self, m: &MiniMatch, at: &mut Cursor, mut f: impl FnMut(&'a R)) -> bool {
        let Some(slot) = self.0.slots.get(at.slot) else { return false };
        let table = &slot.table;
        let mut next = None;
        if m.map() != 0 && table.shape().is_mask_of(m) {
            table.with_hash(table.hashes(m)).filter(|r| r.matching().is_within(m)).for_each(f);
        } else if table.shape().includes(m) {
            let (rules, after) = table.leaf_at(at.hash);
            rules.filter(|r| m.map() == 0 || r.matching().is_within(m)).for_each(&mut f);
            next = after;
        }
        *at = match next {
            Some(hash) => Cursor { hash, ..*at },
            None => Cursor { slot: at.slot + 1, hash: 0 },
        };
        true
    }

    /// Whether a rule of this priority matches some packet that `m` matches too.
    pub fn overlaps(&self, m: &MiniMatch, priority: u32) -> bool {
        self.overlapping(m, priority).next().is_some()
    }

    /// The rules of this priority that match some packet that `m` matches too.
    pub fn overlapping<'a>(&'a self, m: &'a MiniMatch, priority: u32) -> impl Iterator<Item = &'a R> {
        self.0.slots.iter().filter(move |s| s.table.has_priority(priority)).flat_map(move |s| {
            let (one, many) = if s.table.shape().is_within(m) {
                (Some(s.table.with_hash(s.table.hashes(m))), None)
            } else {
                (None, Some(s.table.iter()))
            };
            one.into_iter()
                .flatten()
                .chain(many.into_iter().flatten())
                .filter(move |r| r.priority() == priority && r.matching().overlaps(m))
        })
    }
}

impl<R: Entry> Inner<R> {
    /// The subtable for the mask of `m`.
    fn position(&self, m: &MiniMatch) -> Option<usize> {
        let mask = mask_hash(m);
        self.slots.iter().position(|s| s.mask == mask && s.table.shape().is_mask_of(m))
    }

    /// Moves a slot whose highest priority changed to its place.
    fn reorder(&mut self, at: usize) {
        let slot = self.slots.remove(at);
        let to = self.slots.partition_point(|s| s.max_priority >= slot.max_priority);
        self.slots.insert(to, slot);
    }
}

fn mask_hash(m: &MiniMatch) -> u32 {
    let start = Hash::new(m.map() as u64).word((m.map() >> 64) as u64);
    m.mask_words().iter().fold(start, |h, w| h.word(*w)).value()
}

fn trackers(fields: &[Field]) -> Vec<Tracker> {
    fields.iter().filter_map(|f| Tracker::new(*f)).take(MAX_TRACKERS).collect()
}
