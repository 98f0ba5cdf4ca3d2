//! The hash of a masked key: folded multiplication, word by word, so that the value after each stage is the
//! basis of the next.

/// A running hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub fn new(seed: u64) -> Hash {
        Hash(seed ^ 0x243f_6a88_85a3_08d3)
    }

    /// Takes one more word in.
    #[inline]
    pub fn word(self, w: u64) -> Hash {
        let m = u128::from(self.0 ^ w) * u128::from(0x9e37_79b9_7f4a_7c15u64);
        Hash((m as u64 ^ (m >> 64) as u64).rotate_left(23))
    }

    /// 32 bits for use as a table's hash.
    #[inline]
    pub fn value(self) -> u32 {
        let m = u128::from(self.0 ^ 0x1319_8a2e_0370_7344) * u128::from(0xd6e8_feb8_6659_fd93u64);
        (m as u64 ^ (m >> 64) as u64) as u32
    }
}
