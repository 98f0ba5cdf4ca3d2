//! Compact forms of keys, masks and matches: a map of the words that are there, and those words only.
//!
//! Most keys use a dozen of the words of the layout; rules and cached flows are kept, hashed and compared in these
//! forms, without going through the wide one.

use crate::key::{FlowKey, Mask};
use crate::layout::WORDS;
use crate::matching::Match;
use crate::tun::TunLayout;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bits of a map, from the lowest.
#[derive(Clone)]
pub struct MapIter {
    low: u64,
    high: u64,
}

impl Iterator for MapIter {
    type Item = usize;
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.low != 0 {
            let n = self.low.trailing_zeros() as usize;
            self.low &= self.low - 1;
            return Some(n);
        }
        if self.high != 0 {
            let n = self.high.trailing_zeros() as usize;
            self.high &= self.high - 1;
            return Some(64 + n);
        }
        None
    }
}

/// Word numbers in a map, ascending.
#[inline]
pub fn map_iter(map: u128) -> MapIter {
    MapIter { low: map as u64, high: (map >> 64) as u64 }
}

/// One step of the hash used over words: order matters, any 64 bits of input.
#[inline]
pub fn hash_add(h: u64, word: u64) -> u64 {
    let p = ((h ^ word) as u128).wrapping_mul(0xf39c_c060_5ced_c835);
    (p as u64) ^ ((p >> 64) as u64).rotate_left(29) ^ h.rotate_left(23)
}

/// Last step of the hash.
#[inline]
pub fn hash_finish(h: u64) -> u64 {
    let p = ((h ^ 0xd6e8_feb8_6659_fd93) as u128).wrapping_mul(0xa076_1d64_78bd_642f);
    (p as u64) ^ ((p >> 64) as u64)
}

/// The words of a key that are not zero (or that a mask selected).
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct MiniKey {
    map: u128,
    words: Box<[u64]>,
}

/// The words of a mask that are not zero.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct MiniMask {
    map: u128,
    words: Box<[u64]>,
}

fn gather(words: &[u64; WORDS], map: u128) -> Box<[u64]> {
    map_iter(map).map(|i| words[i]).collect()
}

fn scatter(map: u128, words: &[u64]) -> FlowKey {
    let mut key = FlowKey::default();
    for (i, w) in map_iter(map).zip(words) {
        key.words[i] = *w;
    }
    key
}

/// The value of word `n` in a compact form (0 if it is not there).
#[inline]
fn word(map: u128, words: &[u64], n: usize) -> u64 {
    if map >> n & 1 == 0 { 0 } else { words[(map & ((1u128 << n) - 1)).count_ones() as usize] }
}

impl MiniKey {
    /// All words of `key` that are not zero.
    pub fn new(key: &FlowKey) -> MiniKey {
        let map = key.map();
        MiniKey { map, words: gather(&key.words, map) }
    }

    /// The words of `key` under `mask`, in the mask's map (zeros are kept): fit to be compared and hashed with others
    /// made under the same mask.
    pub fn masked(key: &FlowKey, mask: &MiniMask) -> MiniKey {
        let words = map_iter(mask.map).zip(&mask.words).map(|(i, m)| key.words[i] & m).collect();
        MiniKey { map: mask.map, words }
    }

    /// From a map and its words, ascending; `None` if the counts differ or a word is out of range.
    pub fn from_parts(map: u128, words: &[u64]) -> Option<MiniKey> {
        (map.count_ones() as usize == words.len() && map >> WORDS == 0)
            .then(|| MiniKey { map, words: words.into() })
    }

    /// The map of words.
    #[inline]
    pub fn map(&self) -> u128 {
        self.map
    }

    /// The words, ascending.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The word at place `n` of the layout.
    #[inline]
    pub fn word(&self, n: usize) -> u64 {
        word(self.map, &self.words, n)
    }

    /// The wide form.
    pub fn expand(&self) -> FlowKey {
        scatter(self.map, &self.words)
    }

    /// Whether `key` under `mask` equals this key, which was made by [`MiniKey::masked`] with the same mask.
    #[inline]
    pub fn matches(&self, key: &FlowKey, mask: &MiniMask) -> bool {
        debug_assert_eq!(self.map, mask.map);
        map_iter(mask.map).zip(mask.words.iter().zip(&self.words)).all(|(i, (m, k))| key.words[i] & m == *k)
    }

    /// Hash of the words; equal to [`MiniMask::hash`] of a wide key that [`MiniKey::matches`].
    pub fn hash(&self, seed: u64) -> u64 {
        hash_finish(self.words.iter().fold(seed, |h, w| hash_add(h, *w)))
    }
}

impl MiniMask {
    /// The words of `mask` that are not zero.
    pub fn new(mask: &Mask) -> MiniMask {
        let map = mask.0.map();
        MiniMask { map, words: gather(&mask.0.words, map) }
    }

    /// The map of words.
    #[inline]
    pub fn map(&self) -> u128 {
        self.map
    }

    /// The words, ascending.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The word at place `n` of the layout.
    #[inline]
    pub fn word(&self, n: usize) -> u64 {
        word(self.map, &self.words, n)
    }

    /// The wide form.
    pub fn expand(&self) -> Mask {
        Mask(scatter(self.map, &self.words))
    }

    /// Whether every bit of `self` is in `other`.
    pub fn is_subset_of(&self, other: &MiniMask) -> bool {
        self.map & !other.map == 0
            && map_iter(self.map).zip(&self.words).all(|(i, m)| m & !other.word(i) == 0)
    }

    /// Hash of `key` under this mask.
    #[inline]
    pub fn hash(&self, key: &FlowKey, seed: u64) -> u64 {
        hash_finish(map_iter(self.map).zip(&self.words).fold(seed, |h, (i, m)| hash_add(h, key.words[i] & m)))
    }

    /// Hash of the words of `key` under this mask that lie in `range` of the layout, going on from `h`
    /// (staged lookup); end with [`hash_finish`].
    pub fn hash_range(&self, key: &FlowKey, range: std::ops::Range<usize>, h: u64) -> u64 {
        map_iter(self.map)
            .zip(&self.words)
            .filter(|(i, _)| range.contains(i))
            .fold(h, |h, (i, m)| hash_add(h, key.words[i] & m))
    }

    /// Adds this mask's bits to a wide one.
    pub fn or_into(&self, mask: &mut Mask) {
        for (i, m) in map_iter(self.map).zip(&self.words) {
            mask.0.words[i] |= m;
        }
    }
}

/// A match, compact: the words where the mask is not zero, key words first and then mask words, in one allocation.
#[derive(Clone, Eq, Default, Debug)]
pub struct MiniMatch {
    map: u128,
    words: Box<[u64]>,
    /// As in [`Match`]: where the tunnel options lie, if not where the switch's table says.
    tun: Option<Arc<TunLayout>>,
}

/// Two matches are the same if they say the same: also when the table of tunnel options grew in between.
impl PartialEq for MiniMatch {
    fn eq(&self, other: &MiniMatch) -> bool {
        self.map == other.map
            && self.words == other.words
            && match (&self.tun, &other.tun) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.agrees(b, self.options()),
                _ => true,
            }
    }
}

impl Hash for MiniMatch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.map.hash(state);
        self.words.hash(state);
    }
}

impl MiniMatch {
    /// The tunnel options that are matched.
    fn options(&self) -> u64 {
        let at = crate::layout::TUN_OPTS_PRESENT / 8;
        u64::from_be(word(self.map, self.mask_words(), at))
    }

    /// The compact form.
    pub fn new(m: &Match) -> MiniMatch {
        let map = m.mask.0.map();
        let n = map.count_ones() as usize;
        let mut words = vec![0; 2 * n].into_boxed_slice();
        let (keys, masks) = words.split_at_mut(n);
        for (i, (k, w)) in map_iter(map).zip(keys.iter_mut().zip(masks)) {
            *w = m.mask.0.words[i];
            *k = m.key.words[i] & *w;
        }
        MiniMatch { map, words, tun: m.tun.clone() }
    }

    /// The wide form.
    pub fn expand(&self) -> Match {
        let mut m = Match::default();
        for (i, k, w) in self.iter() {
            m.key.words[i] = k;
            m.mask.0.words[i] = w;
        }
        m.tun.clone_from(&self.tun);
        m
    }

    /// The map of words.
    #[inline]
    pub fn map(&self) -> u128 {
        self.map
    }

    /// The key's words, in the order of the map.
    #[inline]
    pub fn key_words(&self) -> &[u64] {
        &self.words[..self.words.len() / 2]
    }

    /// The mask's words, in the order of the map.
    #[inline]
    pub fn mask_words(&self) -> &[u64] {
        &self.words[self.words.len() / 2..]
    }

    /// (place, key word, mask word), ascending.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
        map_iter(self.map).zip(self.key_words().iter().zip(self.mask_words())).map(|(i, (k, m))| (i, *k, *m))
    }

    /// The key alone, in the mask's map.
    pub fn key(&self) -> MiniKey {
        MiniKey { map: self.map, words: self.key_words().into() }
    }

    /// The mask alone.
    pub fn mask(&self) -> MiniMask {
        MiniMask { map: self.map, words: self.mask_words().into() }
    }

    /// Whether a packet's key is matched.
    #[inline]
    pub fn matches(&self, key: &FlowKey) -> bool {
        self.iter().all(|(i, k, m)| key.words[i] & m == k)
    }

    /// Whether some key could be matched by both.
    pub fn overlaps(&self, other: &MiniMatch) -> bool {
        let (mine, theirs) = (self.mask_words(), other.mask_words());
        map_iter(self.map & other.map).all(|i| {
            let m = word(self.map, mine, i) & word(other.map, theirs, i);
            (word(self.map, self.key_words(), i) ^ word(other.map, other.key_words(), i)) & m == 0
        })
    }

    /// Whether everything that `self` matches is matched by `other` too (`self` is as specific or more: what a loose
    /// flow_mod with `other` applies to).
    pub fn is_within(&self, other: &MiniMatch) -> bool {
        other.map & !self.map == 0
            && other.iter().all(|(i, k, m)| {
                word(self.map, self.mask_words(), i) & m == m && word(self.map, self.key_words(), i) & m == k
            })
    }

    /// Hash of key and mask.
    pub fn hash(&self, seed: u64) -> u64 {
        let h = hash_add(hash_add(seed, self.map as u64), (self.map >> 64) as u64);
        hash_finish(self.words.iter().fold(h, |h, w| hash_add(h, *w)))
    }
}
