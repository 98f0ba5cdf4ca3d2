//! The rules of one mask.

use crate::classifier::Entry;
use crate::counts::Counts;
use crate::filter::{Contents, Ever, Few, Filter};
use crate::hash::Hash;
use crate::prefix::PrefixSet;
use crate::shape::{MaskWord, PORTS_WORD, STAGES, Shape, ports_of, stage_of};
use crate::tracker::{MAX_TRACKERS, Tracker, mark_prefix};
use crate::trie::HashTrie;
use flow::{FlowKey, Mask, MiniMatch, layout};
use std::sync::Arc;

/// How often each hash of a stage's prefix of words occurs.
type StageIndex = HashTrie<u32>;

/// A hash table of rules with one mask.
#[derive(Clone, Debug)]
pub struct Subtable<R> {
    shape: Arc<Shape>,
    seed: u64,
    rules: HashTrie<R>,
    /// For each stage but the last that has words: the hashes in use. `None` where there is nothing to decide.
    indices: [Option<StageIndex>; STAGES - 1],
    /// The same hashes, where they are few.
    few: [Few; STAGES - 1],
    ever: Ever,
    priorities: Counts<u32>,
    /// Layer-4 ports in use, as prefixes of `ports_len` bits.
    ports: PrefixSet<u32>,
    ports_len: u8,
    /// Prefix length in each tracked field.
    prefix_lens: [u8; MAX_TRACKERS],
    /// For each stage, a bit for each tracked field in it that has a prefix.
    tracked: [u8; STAGES],
}

/// The hash of a match after each stage.
#[derive(Clone, Copy, Debug)]
pub struct StageHashes([u32; STAGES]);

impl StageHashes {
    /// The hash of the whole.
    pub fn whole(&self) -> u32 {
        self.0[STAGES - 1]
    }
}

/// What a lookup has found out about tracked prefixes so far.
pub struct PrefixMemo<'a> {
    trackers: &'a [Tracker],
    bits: [Option<u8>; MAX_TRACKERS],
    /// Lengths that were asked for in each field, and those for which the answer was yes: bit `len - 1`.
    asked: [u128; MAX_TRACKERS],
    yes: [u128; MAX_TRACKERS],
}

impl<'a> PrefixMemo<'a> {
    /// Nothing so far.
    pub fn new(trackers: &'a [Tracker]) -> Self {
        PrefixMemo { trackers, bits: [None; MAX_TRACKERS], asked: [0; MAX_TRACKERS], yes: [0; MAX_TRACKERS] }
    }

    /// Whether some rule has the prefix of `len` bits (not 0) that `key` has in field `n`; if not, the bits that tell
    /// count.
    pub(crate) fn may_match(&mut self, n: usize, len: u8, key: &FlowKey, mask: Option<&mut Mask>) -> bool {
        let tracker = &self.trackers[n];
        let bit = 1u128 << ((len - 1) & 127);
        if self.asked[n] & bit == 0 {
            self.asked[n] |= bit;
            if tracker.contains(key, len) {
                self.yes[n] |= bit;
            }
        }
        if self.yes[n] & bit != 0 {
            return true;
        }
        if let Some(mask) = mask {
            let bits = *self.bits[n].get_or_insert_with(|| tracker.decisive_bits(key));
            tracker.mark(mask, bits);
        }
        false
    }
}

impl<R: Entry> Subtable<R> {
    /// A table for rules that have the mask of `m`.
    pub fn new(m: &MiniMatch, seed: u64, trackers: &[Tracker]) -> Subtable<R> {
        let shape = Shape::new(m);
        let last = shape.last_stage();
        let indices =
            std::array::from_fn(|s| (s < last && !shape.stage(s).is_empty()).then(StageIndex::default));
        let ports_len = match shape.ports() {
            0 => 0,
            mask => (32 - mask.trailing_zeros()) as u8,
        };
        let mut sub = Subtable {
            shape: Arc::new(shape),
            seed,
            rules: HashTrie::default(),
            indices,
            few: Default::default(),
            ever: Ever::default(),
            priorities: Counts::default(),
            ports: PrefixSet::default(),
            ports_len,
            prefix_lens: [0; MAX_TRACKERS],
            tracked: [0; STAGES],
        };
        sub.track(trackers);
        sub
    }

    /// Takes note of the fields whose prefixes are tracked.
    pub fn track(&mut self, trackers: &[Tracker]) {
        self.prefix_lens = [0; MAX_TRACKERS];
        self.tracked = [0; STAGES];
        for (n, (len, t)) in self.prefix_lens.iter_mut().zip(trackers).enumerate() {
            *len = t.prefix_len(&self.shape);
            if *len > 0 {
                self.tracked[stage_of(t.at() / 8)] |= 1 << n;
            }
        }
    }

    /// Prefix length of the mask in each tracked field.
    pub fn prefix_lens(&self) -> [u8; MAX_TRACKERS] {
        self.prefix_lens
    }

    /// What tells without this table that it has nothing.
    pub(crate) fn filter(&self) -> Filter {
        let hashes = std::array::from_fn(|s| self.indices[s].as_ref().map(|_| self.few[s]));
        Filter::new(&Contents {
            shape: &self.shape,
            hashes,
            rules: self.ever,
            prefix_lens: self.prefix_lens,
            tracked: self.tracked,
            ports: self.ports_len > 0,
        })
    }

    /// The mask.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Highest priority of a rule here.
    pub fn max_priority(&self) -> u32 {
        self.priorities.last().unwrap_or(0)
    }

    /// Whether any rule has this priority.
    pub fn has_priority(&self, priority: u32) -> bool {
        self.priorities.get(priority) > 0
    }

    /// All rules.
    pub fn iter(&self) -> crate::trie::Iter<'_, R> {
        self.rules.iter()
    }

    /// The rules of one leaf of the trie, and where the next begins ([`HashTrie::leaf_at`]).
    pub fn leaf_at(&self, hash: u32) -> (impl Iterator<Item = &R>, Option<u32>) {
        self.rules.leaf_at(hash)
    }

    /// The hashes of `m`'s values under this mask; `m` has at least its bits.
    pub fn hashes(&self, m: &MiniMatch) -> StageHashes {
        let mut h = Hash::new(self.seed);
        let mut out = [0; STAGES];
        let values = m.key_words();
        let same = m.map().count_ones() as usize == self.shape.words().len();
        for (stage, slot) in out.iter_mut().enumerate() {
            for w in self.shape.stage(stage) {
                let at = if same { usize::from(w.position) } else { position(m.map(), usize::from(w.place)) };
                h = h.word(values[at] & w.bits);
            }
            *slot = h.value();
        }
        StageHashes(out)
    }

    /// The rules with this hash.
    pub fn with_hash(&self, hashes: StageHashes) -> impl Iterator<Item = &R> {
        self.rules.with_hash(hashes.whole())
    }

    /// The rule with these values and this priority.
    pub fn find_exact(&self, hashes: StageHashes, m: &MiniMatch, priority: u32) -> Option<&R> {
        self.with_hash(hashes).find(|r| is(*r, m, priority))
    }

    /// Puts a rule in place of the one with its match and priority, which must exist.
    pub fn replace(&mut self, hashes: StageHashes, rule: R) -> Option<R> {
        let slot = self.rules.find_mut(hashes.whole(), |r| is(r, rule.matching(), rule.priority()))?;
        Some(std::mem::replace(slot, rule))
    }

    /// Adds a rule whose like is not here.
    pub fn insert(&mut self, hashes: StageHashes, rule: R) {
        let priority = rule.priority();
        self.ever.add(hashes.whole());
        for ((index, few), hash) in self.indices.iter_mut().zip(&mut self.few).zip(hashes.0) {
            let Some(index) = index else { continue };
            match index.find_mut(hash, |_| true) {
                Some(count) => *count += 1,
                None => {
                    index.insert(hash, 1, |_| false);
                    few.add(hash);
                }
            }
        }
        if self.ports_len > 0 {
            self.ports.add(ports_in(rule.matching()), self.ports_len);
        }
        self.priorities.add(priority);
        self.rules.insert(hashes.whole(), rule, |r| r.priority() < priority);
    }

    /// Takes a rule out.
    pub fn remove(&mut self, hashes: StageHashes, m: &MiniMatch, priority: u32) -> Option<R> {
        let rule = self.rules.remove(hashes.whole(), |r| is(r, m, priority))?;
        for ((index, few), hash) in self.indices.iter_mut().zip(&mut self.few).zip(hashes.0) {
            let Some(index) = index else { continue };
            let gone = index.find_mut(hash, |_| true).is_some_and(|count| {
                *count -= 1;
                *count == 0
            });
            if gone {
                index.remove(hash, |_| true);
                few.remove(hash);
            }
        }
        if self.ports_len > 0 {
            self.ports.sub(ports_in(m), self.ports_len);
        }
        self.priorities.sub(priority);
        Some(rule)
    }

    /// The rule of highest priority, up to `limit`, that matches `key`, with the bits that tell added to `mask`.
    pub fn lookup(
        &self,
        key: &FlowKey,
        limit: u32,
        memo: &mut PrefixMemo<'_>,
        mask: Option<&mut Mask>,
    ) -> Option<&R> {
        let mut mask = mask;
        let mut h = Hash::new(self.seed);
        for stage in 0..STAGES {
            for n in (0..memo.trackers.len()).filter(|n| self.tracked[stage] >> n & 1 != 0) {
                if !memo.may_match(n, self.prefix_lens[n], key, mask.as_deref_mut()) {
                    self.mark_stages(stage, mask);
                    return None;
                }
            }
            for w in self.shape.stage(stage) {
                h = h.word(key.words[usize::from(w.place)] & w.bits);
            }
            if let Some(Some(index)) = self.indices.get(stage)
                && !index.contains_hash(h.value())
            {
                self.mark_stages(stage + 1, mask);
                return None;
            }
        }
        let found = self
            .rules
            .with_hash(h.value())
            .find(|r| r.priority() <= limit && self.shape.matches(key, r.matching()));
        if let Some(mask) = mask {
            if found.is_none() && self.ports_len > 0 && self.mark_up_to_ports(key, mask) {
                return None;
            }
            self.mark_stages(STAGES, Some(mask));
        }
        found
    }

    /// Marks the whole mask of the first `n` stages.
    fn mark_stages(&self, n: usize, mask: Option<&mut Mask>) {
        let Some(mask) = mask else { return };
        for stage in 0..n {
            mark_words(self.shape.stage(stage), mask);
        }
    }

    /// After a miss: if the ports alone tell that nothing matches, marks as many of their leading bits as tell, and
    /// what comes before them.
    fn mark_up_to_ports(&self, key: &FlowKey, mask: &mut Mask) -> bool {
        let ports_mask = self.shape.ports();
        let ports = ports_of(key.words[PORTS_WORD]) & ports_mask;
        if self.ports.contains(ports, self.ports_len) {
            return false;
        }
        let bits = self.ports.decisive_bits(ports);
        self.mark_stages(STAGES - 1, Some(mask));
        let last = self.shape.stage(STAGES - 1);
        mark_words(last.split_at(last.partition_point(|w| usize::from(w.place) < PORTS_WORD)).0, mask);
        let mut leading = Mask::default();
        mark_prefix(&mut leading, layout::TP_SRC, bits);
        // What stands in the ports' word before them counts whole.
        let before = !u64::from_ne_bytes((u32::MAX as u64).to_be_bytes());
        mask.0.words[PORTS_WORD] |= self.shape.word(PORTS_WORD) & (leading.0.words[PORTS_WORD] | before);
        true
    }
}

fn mark_words(words: &[MaskWord], mask: &mut Mask) {
    for w in words {
        mask.0.words[usize::from(w.place)] |= w.bits;
    }
}

fn position(map: u128, place: usize) -> usize {
    (map & ((1u128 << place) - 1)).count_ones() as usize
}

fn ports_in(m: &MiniMatch) -> u32 {
    if m.map() >> PORTS_WORD & 1 == 0 {
        return 0;
    }
    ports_of(m.key_words()[position(m.map(), PORTS_WORD)])
}

fn is<R: Entry>(rule: &R, m: &MiniMatch, priority: u32) -> bool {
    rule.priority() == priority && rule.matching().key_words() == m.key_words()
}
