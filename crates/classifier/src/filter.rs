//! Telling from a few bytes that a subtable has nothing for a packet.
//!
//! With a thousand masks a lookup asks a thousand subtables, nearly all of which have no rule for the packet; each
//! answer costs several fetches from memory that has gone cold. What suffices for most of these answers is kept in
//! the list of subtables itself, which is read front to back: the prefix lengths that can be asked for without the
//! subtable, and the first stages' words with the few hashes that occur there.
//!
//! A filter says "nothing here" only where the subtable itself would say so, and then marks the very bits that the
//! subtable would mark. Whatever is not that simple it leaves to the subtable.

use crate::hash::Hash;
use crate::shape::{STAGES, Shape};
use crate::subtable::PrefixMemo;
use crate::tracker::MAX_TRACKERS;
use flow::{FlowKey, Mask};

/// Words kept: those of the first stages, as far as they fit.
const WORDS: usize = 6;
/// Hashes of a stage that are kept; a stage with more of them is left to the subtable.
const HASHES: usize = 2;

/// The hashes that occur at a stage, as long as they are few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Few {
    hashes: [u32; HASHES],
    n: u8,
    /// There were more, once: which are left is not known.
    many: bool,
    /// The bits of all that ever occurred.
    ever: Ever,
}

/// A hash picks one of these bits. Bits are never cleared: what is not set never occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ever(u64);

impl Ever {
    pub(crate) fn add(&mut self, hash: u32) {
        self.0 |= 1 << (hash >> 26);
    }

    #[inline]
    fn may_have(self, hash: u32) -> bool {
        self.0 >> (hash >> 26) & 1 != 0
    }
}

impl Few {
    /// A hash that did not occur before.
    pub(crate) fn add(&mut self, hash: u32) {
        self.ever.add(hash);
        match self.hashes.get_mut(usize::from(self.n)) {
            Some(place) if !self.many => {
                *place = hash;
                self.n += 1;
            }
            _ => self.many = true,
        }
    }

    /// A hash that does not occur any more.
    pub(crate) fn remove(&mut self, hash: u32) {
        if let Some(i) = self.hashes[..usize::from(self.n)].iter().position(|h| *h == hash) {
            self.n -= 1;
            self.hashes.swap(i, usize::from(self.n));
        }
    }

    /// Whether a hash occurs, if that is known.
    #[inline]
    fn has(&self, hash: u32) -> Option<bool> {
        if self.many {
            return (!self.ever.may_have(hash)).then_some(false);
        }
        Some(self.hashes[..usize::from(self.n)].contains(&hash))
    }
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    places: [u8; WORDS],
    bits: [u64; WORDS],
    /// End of each stage in `words`.
    ends: [u8; STAGES],
    /// Stages that are kept whole.
    stages: u8,
    /// The hashes after each stage; none where nothing is decided.
    hashes: [Option<Few>; STAGES - 1],
    prefix_lens: [u8; MAX_TRACKERS],
    /// For each stage, a bit for each tracked field in it that the mask has a prefix of.
    tracked: [u8; STAGES],
    /// Hashes of whole rules, where all words are kept and a miss at the end marks them all.
    rules: Option<Ever>,
}

/// What a subtable tells its filter.
pub(crate) struct Contents<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) hashes: [Option<Few>; STAGES - 1],
    pub(crate) rules: Ever,
    pub(crate) prefix_lens: [u8; MAX_TRACKERS],
    pub(crate) tracked: [u8; STAGES],
    /// Ports are tracked: a miss at the end may mark less than everything.
    pub(crate) ports: bool,
}

impl Filter {
    /// For a subtable with this in it.
    pub(crate) fn new(c: &Contents<'_>) -> Filter {
        let (mut places, mut bits) = ([0; WORDS], [0; WORDS]);
        let (mut ends, mut end, mut stages) = ([0; STAGES], 0, 0);
        for (stage, last) in ends.iter_mut().enumerate() {
            let own = c.shape.stage(stage);
            if end + own.len() > WORDS {
                break;
            }
            for (i, w) in own.iter().enumerate() {
                (places[end + i], bits[end + i]) = (w.place, w.bits);
            }
            end += own.len();
            *last = end as u8;
            stages += 1;
        }
        let rules = (usize::from(stages) == STAGES && !c.ports).then_some(c.rules);
        Filter {
            places,
            bits,
            ends,
            stages,
            hashes: c.hashes,
            prefix_lens: c.prefix_lens,
            tracked: c.tracked,
            rules,
        }
    }

    /// Whether the subtable has nothing for `key`, as far as can be told here; then the bits that tell are marked.
    #[inline]
    pub(crate) fn rules_out(
        &self,
        key: &FlowKey,
        seed: u64,
        memo: &mut PrefixMemo<'_>,
        mut mask: Option<&mut Mask>,
    ) -> bool {
        let mut h = Hash::new(seed);
        let mut from = 0;
        for stage in 0..STAGES.min(usize::from(self.stages) + 1) {
            let mut tracked = self.tracked[stage];
            while tracked != 0 {
                let n = tracked.trailing_zeros() as usize;
                tracked &= tracked - 1;
                if !memo.may_match(n, self.prefix_lens[n], key, mask.as_deref_mut()) {
                    self.mark(from, mask);
                    return true;
                }
            }
            if stage == usize::from(self.stages) {
                break;
            }
            let end = usize::from(self.ends[stage]);
            for (place, bits) in self.places[from..end].iter().zip(&self.bits[from..end]) {
                h = h.word(key.words[usize::from(*place)] & bits);
            }
            from = end;
            let Some(few) = self.hashes.get(stage) else { break };
            match few.as_ref().map(|few| few.has(h.value())) {
                None | Some(Some(true)) => {}
                Some(Some(false)) => {
                    self.mark(from, mask);
                    return true;
                }
                Some(None) => return false,
            }
        }
        let nothing = self.rules.is_some_and(|r| !r.may_have(h.value()));
        if nothing {
            self.mark(from, mask);
        }
        nothing
    }

    fn mark(&self, words: usize, mask: Option<&mut Mask>) {
        let Some(mask) = mask else { return };
        for (place, bits) in self.places[..words].iter().zip(&self.bits[..words]) {
            mask.0.words[usize::from(*place)] |= bits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_know_what_they_know() {
        let mut f = Few::default();
        assert_eq!(f.has(1), Some(false));
        f.add(1);
        f.add(2);
        assert_eq!((f.has(1), f.has(2), f.has(3)), (Some(true), Some(true), Some(false)));
        f.remove(1);
        assert_eq!((f.has(1), f.has(2)), (Some(false), Some(true)));
        f.add(3);
        f.add(4);
        assert_eq!(f.has(9), None);
        f.remove(3);
        assert_eq!(f.has(9), None);
    }
}
