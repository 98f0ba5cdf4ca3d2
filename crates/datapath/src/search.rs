//! The second lookup: a megaflow for a packet whose connection was not seen before.
//!
//! Megaflows that share a mask form a *subtable*, a hash table over the masked key; a search probes subtable after
//! subtable. Traffic alone can make the pipeline produce many masks (prefix tries un-wildcard as many bits as the
//! address at hand needs, so a few thousand packets can make a few thousand masks), and a search that grows with
//! them is a known way to bring a switch down. Two things bound it here:
//!
//! * Subtables are kept apart by *partition*: input port, recirculation id, packet type and Ethernet type, which every
//!   translation looks at anyway (a mask that lacks one of them is narrowed to have it, which is always right: a
//!   megaflow may only be too narrow, never too wide). Masks that one port's traffic makes are not probed for
//!   another port's.
//! * A partition has at most [`MAX_MASKS`] subtables. A megaflow whose mask would be one more goes into a subtable
//!   whose mask has all of its bits and more, if there is one, and otherwise into the partition's last subtable, whose
//!   mask is *every header that such a packet has*: from there on new megaflows hold one connection each, which the
//!   first lookup finds by its hash alone. Thousands of masks then cost a translation per connection, not a probe
//!   per mask and packet.
//!
//! Subtables are ordered by how many hits they had of late.

use flow::key::eth_type;
use flow::mini::{hash_add, hash_finish, map_iter};
use flow::{FlowKey, Mask, MiniMask, layout as l};
use hashbrown::HashTable;
use smallvec::SmallVec;

/// Subtables per partition, the exact one not counted.
pub(crate) const MAX_MASKS: usize = 32;
/// Searches after which a partition's subtables are put in order.
const REORDER: u32 = 1024;

/// Words that a packet can determine are below this.
const PACKET_WORDS: usize = l::STAGE_PIPELINE;

/// The words of a partition: input port and recirculation id; packet type; Ethernet type.
const PARTITION: [(usize, u64); 3] = [
    (l::IN_PORT / 8, u64::MAX),
    (l::PACKET_TYPE / 8, u64::from_ne_bytes([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])),
    (l::ETH_TYPE / 8, u64::from_ne_bytes([0, 0, 0, 0, 0xff, 0xff, 0, 0])),
];

const _: () = assert!(l::IN_PORT.is_multiple_of(8) && l::RECIRC_ID == l::IN_PORT + 4);
const _: () = assert!(l::PACKET_TYPE % 8 == 4 && l::ETH_TYPE % 8 == 4);

/// One word of a mask with its value.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) word: u16,
    pub(crate) mask: u64,
    pub(crate) value: u64,
}

/// Compares a packet with a megaflow.
#[inline]
pub(crate) fn probes_match(probes: &[Probe], key: &FlowKey) -> bool {
    let mut diff = 0;
    for p in probes {
        diff |= (key.words[p.word as usize % flow::WORDS] & p.mask) ^ p.value;
    }
    diff == 0
}

/// The probes of a megaflow, in place for as many words as most masks have.
pub(crate) type Probes = SmallVec<[Probe; 8]>;

/// The probes of `key` under `mask`.
pub(crate) fn probes(key: &FlowKey, mask: &MiniMask) -> Probes {
    map_iter(mask.map())
        .zip(mask.words())
        .map(|(i, m)| Probe { word: i as u16, mask: *m, value: key.words[i] & m })
        .collect()
}

struct Subtable {
    mask: MiniMask,
    words: Vec<(u16, u64)>,
    flows: HashTable<(u64, u32)>,
    hits: u32,
}

impl Subtable {
    fn new(mask: MiniMask) -> Subtable {
        let words = map_iter(mask.map()).zip(mask.words()).map(|(i, m)| (i as u16, *m)).collect();
        Subtable { mask, words, flows: HashTable::new(), hits: 0 }
    }

    #[inline]
    fn hash(&self, key: &FlowKey) -> u64 {
        hash_finish(
            self.words.iter().fold(0, |h, (i, m)| hash_add(h, key.words[*i as usize % flow::WORDS] & m)),
        )
    }
}

struct Partition {
    words: [u64; 3],
    subtables: Vec<Subtable>,
    searches: u32,
}

/// All megaflows of one engine, by slot number.
pub(crate) struct Search {
    partitions: HashTable<Partition>,
    n_masks: usize,
    n_narrowed: usize,
    probed: u64,
}

fn partition_words(key: &FlowKey) -> [u64; 3] {
    PARTITION.map(|(w, m)| key.words[w] & m)
}

fn hash3(w: &[u64; 3]) -> u64 {
    hash_finish(hash_add(hash_add(hash_add(0, w[0]), w[1]), w[2]))
}

/// A mask that looks at what partitions are told apart by.
pub(crate) fn with_partition(wanted: &Mask) -> Mask {
    let mut wide = wanted.clone();
    for (w, m) in PARTITION {
        wide.0.words[w] |= m;
    }
    wide
}

impl Search {
    pub(crate) fn new() -> Search {
        Search { partitions: HashTable::new(), n_masks: 0, n_narrowed: 0, probed: 0 }
    }

    /// Subtables there are.
    pub(crate) fn masks(&self) -> usize {
        self.n_masks
    }

    /// Megaflows that got a narrower mask than translation asked for because there were too many masks, ever.
    pub(crate) fn narrowed(&self) -> usize {
        self.n_narrowed
    }

    /// Subtables probed by searches that found something, ever.
    pub(crate) fn probed(&self) -> u64 {
        self.probed
    }

    /// The megaflow that `key` belongs to: `matches` says whether a slot's does.
    pub(crate) fn find(&mut self, key: &FlowKey, matches: impl Fn(u32) -> bool) -> Option<u32> {
        let words = partition_words(key);
        let p = self.partitions.find_mut(hash3(&words), |p| p.words == words)?;
        p.searches += 1;
        if p.searches >= REORDER {
            p.searches = 0;
            p.subtables.sort_by_key(|s| std::cmp::Reverse(s.hits));
            p.subtables.iter_mut().for_each(|s| s.hits /= 2);
        }
        for (i, s) in p.subtables.iter_mut().enumerate() {
            let h = s.hash(key);
            if let Some((_, slot)) = s.flows.find(h, |e| e.0 == h && matches(e.1)) {
                s.hits = s.hits.saturating_add(1);
                self.probed += i as u64 + 1;
                return Some(*slot);
            }
        }
        None
    }

    /// The mask that a megaflow of `key` gets where translation asked for `wanted`.
    pub(crate) fn mask_for(&mut self, key: &FlowKey, wanted: &Mask) -> MiniMask {
        let wide = with_partition(wanted);
        let mask = MiniMask::new(&wide);
        let words = partition_words(key);
        let Some(p) = self.partitions.find(hash3(&words), |p| p.words == words) else { return mask };
        if p.subtables.len() < MAX_MASKS || p.subtables.iter().any(|s| s.mask == mask) {
            return mask;
        }
        self.n_narrowed += 1;
        let above = p.subtables.iter().filter(|s| mask.is_subset_of(&s.mask));
        if let Some(s) = above.min_by_key(|s| s.mask.words().iter().map(|w| w.count_ones()).sum::<u32>()) {
            return s.mask.clone();
        }
        exact_mask(key, &wide)
    }

    /// Adds slot `slot`, whose megaflow has `mask` as [`Search::mask_for`] gave it.
    pub(crate) fn insert(&mut self, key: &FlowKey, mask: &MiniMask, slot: u32) {
        let words = partition_words(key);
        let h = hash3(&words);
        let p = self
            .partitions
            .entry(h, |p| p.words == words, |p| hash3(&p.words))
            .or_insert_with(|| Partition { words, subtables: Vec::new(), searches: 0 })
            .into_mut();
        let s = match p.subtables.iter().position(|s| s.mask == *mask) {
            Some(i) => &mut p.subtables[i],
            None => {
                self.n_masks += 1;
                p.subtables.push(Subtable::new(mask.clone()));
                p.subtables.last_mut().expect("pushed just now")
            }
        };
        let h = s.hash(key);
        s.flows.insert_unique(h, (h, slot), |e| e.0);
    }

    /// Takes slot `slot` out.
    pub(crate) fn remove(&mut self, key: &FlowKey, mask: &MiniMask, slot: u32) {
        let words = partition_words(key);
        let Ok(mut entry) = self.partitions.find_entry(hash3(&words), |p| p.words == words) else { return };
        let p = entry.get_mut();
        let Some(i) = p.subtables.iter().position(|s| s.mask == *mask) else { return };
        let s = &mut p.subtables[i];
        let h = s.hash(key);
        if let Ok(e) = s.flows.find_entry(h, |e| e.1 == slot) {
            e.remove();
        }
        if s.flows.is_empty() {
            p.subtables.remove(i);
            self.n_masks -= 1;
            if p.subtables.is_empty() {
                entry.remove();
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.partitions.clear();
        self.n_masks = 0;
    }
}

/// Every bit of the headers that such a packet has, and those of `wanted`.
///
/// Words of headers that only few packets have (extension headers, MPLS, tunnels ...) are added all together as soon
/// as `wanted` has a bit in any of them, so that there are two such masks per partition and no more.
fn exact_mask(key: &FlowKey, wanted: &Mask) -> MiniMask {
    let mut usual = 0u128;
    let mut add = |range: std::ops::Range<usize>| range.for_each(|w| usual |= 1 << w);
    add(0..3);
    add(l::STAGE_L2..l::STAGE_L2 + 3);
    match key.eth_type() {
        eth_type::IPV4 => add(l::NW_SRC / 8..l::NW_SRC / 8 + 1),
        eth_type::IPV6 => add(l::IPV6_SRC / 8..l::IPV6_DST / 8 + 2),
        _ => add(l::STAGE_L2 + 3..l::STAGE_L4),
    }
    add(l::IPV6_LABEL / 8..l::IPV6_LABEL / 8 + 1);
    add(l::TP_SRC / 8..l::TP_SRC / 8 + 1);
    let mut m = wanted.clone();
    let packet = (1u128 << PACKET_WORDS) - 1;
    if m.0.map() & packet & !usual != 0 {
        usual = packet;
    }
    for w in map_iter(usual) {
        m.0.words[w] = u64::MAX;
    }
    MiniMask::new(&m)
}
