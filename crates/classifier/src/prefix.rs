//! Prefix tracking.
//!
//! For an address field the classifier keeps the set of all prefixes that rules match on. Before it looks into
//! a subtable whose mask has a /24 there, it asks whether the packet's address is in any /24 of any rule: if
//! not, the subtable is skipped, and only those leading bits count as looked at that tell the address apart
//! from its neighbours in the set.
//!
//! How many those are follows from order alone. Sort the prefixes by (value, length). If `p` is a prefix and
//! `k` the key, `min(len(p), common(p, k) + 1)` leading bits of `k` tell whether `p` contains it; the maximum
//! over all prefixes is reached by the predecessor or the successor of `k` (an earlier prefix shares fewer
//! bits with `k`, or is shorter at the same value; a successor never contains `k`). So a sorted set does what
//! a trie would, in a sixth of the memory.

use crate::counts::Counts;

/// An unsigned integer that addresses are compared as, most significant bit first on the wire.
pub trait Address: Copy + Ord + Default {
    /// Bits in it.
    const BITS: u8;
    /// Leading bits in which two values agree.
    fn common(self, other: Self) -> u8;
    /// The value with all but the first `len` bits cleared.
    fn truncate(self, len: u8) -> Self;
}

macro_rules! address {
    ($($t:ty)*) => {$(
        impl Address for $t {
            const BITS: u8 = <$t>::BITS as u8;
            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }
            fn truncate(self, len: u8) -> Self {
                if len == 0 { 0 } else { self & (<$t>::MAX << (<Self as Address>::BITS - len)) }
            }
        }
    )*};
}
address!(u32 u64 u128);

/// The prefixes in use in one field.
#[derive(Clone, Debug, Default)]
pub struct PrefixSet<A>(Counts<(A, u8)>);

impl<A: Address> PrefixSet<A> {
    /// Counts one more use of the first `len` bits of `value`.
    pub fn add(&mut self, value: A, len: u8) {
        self.0.add((value.truncate(len), len));
    }

    /// Counts one use less.
    pub fn sub(&mut self, value: A, len: u8) {
        self.0.sub((value.truncate(len), len));
    }

    /// Number of distinct prefixes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the first `len` bits of `key` are a prefix in use, of exactly that length.
    pub fn contains(&self, key: A, len: u8) -> bool {
        self.0.get((key.truncate(len), len)) > 0
    }

    /// How many leading bits of `key` decide which prefixes contain it.
    pub fn decisive_bits(&self, key: A) -> u8 {
        let probe = (key, A::BITS);
        let bits = |p: Option<(A, u8)>| p.map_or(0, |(v, len)| len.min(v.common(key).saturating_add(1)));
        bits(self.0.at_most(probe)).max(bits(self.0.above(probe)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisive_bits_against_all_prefixes() {
        let mut rng = 0xfeed_0000_1111_2222u64;
        let mut next = move || {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            rng as u32
        };
        for round in 0..60 {
            let mut set = PrefixSet::<u32>::default();
            let mut all = Vec::new();
            for _ in 0..round {
                let len = (next() % 33) as u8;
                let v = (next() & 0xf00f_0003 | 0x0a00_0000).truncate(len);
                if len > 0 {
                    set.add(v, len);
                    all.push((v, len));
                }
            }
            for _ in 0..200 {
                let k = next() & 0xf00f_0003 | 0x0a00_0000 | if next() % 4 == 0 { next() } else { 0 };
                let want =
                    all.iter().map(|(v, l)| (*l).min(v.common(k).saturating_add(1))).max().unwrap_or(0);
                assert_eq!(set.decisive_bits(k), want);
                for len in 1..=32 {
                    assert_eq!(set.contains(k, len), all.contains(&(k.truncate(len), len)));
                }
            }
        }
    }

    #[test]
    fn known_cases() {
        let mut s = PrefixSet::<u32>::default();
        assert_eq!(s.decisive_bits(1), 0);
        s.add(0x0a00_0000, 8);
        assert_eq!(s.decisive_bits(0x0a01_0203), 8);
        // 10/8 against 11.x: bit 8 (the last of the first byte) differs.
        assert_eq!(s.decisive_bits(0x0b00_0000), 8);
        assert_eq!(s.decisive_bits(0xc0a8_0000), 1);
        s.add(0x0a01_0203, 32);
        assert_eq!(s.decisive_bits(0x0a01_0203), 32);
        assert_eq!(s.decisive_bits(0x0a81_0203), 9);
        s.sub(0x0a01_0203, 32);
        assert_eq!(s.decisive_bits(0x0a81_0203), 8);
    }
}
