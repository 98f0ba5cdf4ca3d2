//! The first lookup: from the hash of a packet's key straight to a megaflow.
//!
//! A flat table of buckets, each one cache line of eight (tag, slot) pairs. A hit is only a hint: the caller compares
//! the packet with the megaflow under its mask. That makes it right whatever the table holds (megaflows never
//! disagree about a packet), so entries need no key of their own, none is ever removed, and one connection costs
//! eight bytes instead of a kilobyte. The table grows with the flows that are alive, up to a bound.

/// Entries per bucket: a cache line.
const WAYS: usize = 8;
/// Buckets at the start.
const MIN_BUCKETS: usize = 128;
/// Buckets at most: 8 MB.
const MAX_BUCKETS: usize = 1 << 17;
/// An empty entry.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    tags: [u32; WAYS],
    slots: [u32; WAYS],
}

const EMPTY: Bucket = Bucket { tags: [0; WAYS], slots: [NONE; WAYS] };

/// See the module.
pub(crate) struct ExactCache {
    buckets: Vec<Bucket>,
    /// Entries that displaced another since the table last grew: a full table shows by this.
    displaced: usize,
}

impl ExactCache {
    pub(crate) fn new() -> ExactCache {
        ExactCache { buckets: vec![EMPTY; MIN_BUCKETS], displaced: 0 }
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// Megaflows that the packet may belong to.
    #[inline]
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let b = &self.buckets[self.bucket(hash)];
        let tag = (hash >> 32) as u32;
        (0..WAYS).filter(move |i| b.tags[*i] == tag && b.slots[*i] != NONE).map(move |i| b.slots[i])
    }

    /// The first of [`ExactCache::candidates`]: touches one cache line.
    #[inline]
    pub(crate) fn first(&self, hash: u64) -> u32 {
        let b = &self.buckets[self.bucket(hash)];
        let tag = (hash >> 32) as u32;
        for i in 0..WAYS {
            if b.tags[i] == tag {
                return b.slots[i];
            }
        }
        NONE
    }

    /// Remembers that packets with this hash belong to `slot`.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        let at = self.bucket(hash);
        let tag = (hash >> 32) as u32;
        let b = &mut self.buckets[at];
        // The newest is in front, where it is found first; the oldest falls out.
        let same = (0..WAYS).find(|i| b.tags[*i] == tag && b.slots[*i] == slot);
        let free = same.or_else(|| (0..WAYS).find(|i| b.slots[*i] == NONE));
        let end = free.unwrap_or(WAYS - 1);
        b.tags.copy_within(0..end, 1);
        b.slots.copy_within(0..end, 1);
        b.tags[0] = tag;
        b.slots[0] = slot;
        if free.is_none() {
            self.displaced += 1;
            if self.displaced > self.buckets.len() && self.buckets.len() < MAX_BUCKETS {
                self.grow();
            }
        }
    }

    /// Four times as many buckets. The bucket's bits of a hash are not kept in an entry, so entries go to every
    /// bucket that theirs may have become: the wrong ones are never matched by tag more often than chance, and are
    /// displaced in time.
    fn grow(&mut self) {
        let old = self.buckets.len();
        self.buckets.extend_from_within(..);
        self.buckets.extend_from_within(..);
        self.displaced = 0;
        debug_assert_eq!(self.buckets.len(), old * 4);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.buckets.fill(EMPTY);
    }

    /// Entries that it has room for.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buckets.len() * WAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(i: u64) -> u64 {
        flow::mini::hash_finish(i)
    }

    #[test]
    fn finds_what_was_put_in_and_grows() {
        let mut c = ExactCache::new();
        let start = c.capacity();
        for i in 0..20_000u64 {
            c.insert(hash(i), i as u32);
        }
        for i in 0..20_000u64 {
            c.insert(hash(i), i as u32);
        }
        let found = (0..20_000u64).filter(|i| c.candidates(hash(*i)).any(|s| s == *i as u32)).count();
        assert!(found > 19_500, "{found}");
        assert!(c.capacity() > start && c.capacity() <= 16 * 20_000, "{}", c.capacity());
        c.clear();
        assert!(c.candidates(hash(5)).next().is_none() && c.first(hash(5)) == NONE);
    }

    #[test]
    fn bounded_under_a_flood() {
        let mut c = ExactCache::new();
        for i in 0..3_000_000u64 {
            c.insert(hash(i), i as u32 & 0xffff);
        }
        assert_eq!(c.capacity(), MAX_BUCKETS * WAYS);
    }
}
