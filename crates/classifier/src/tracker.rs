//! Prefix tracking of one field, whatever its width.

use crate::prefix::PrefixSet;
use crate::shape::Shape;
use flow::{Field, FlowKey, Mask, MiniMatch};

/// Most fields that one classifier tracks.
pub const MAX_TRACKERS: usize = 4;

#[derive(Clone, Debug)]
enum Set {
    V32(PrefixSet<u32>),
    V64(PrefixSet<u64>),
    V128(PrefixSet<u128>),
}

/// The prefixes of one field that the classifier's rules match on.
#[derive(Clone, Debug)]
pub struct Tracker {
    field: Field,
    /// Byte offset in the key.
    at: usize,
    set: Set,
}

/// Runs `$body` with `$set` the set and `$get` reading the field from a key's bytes.
macro_rules! each {
    ($tracker:expr, |$set:ident, $get:ident| $body:expr) => {{
        let at = $tracker.at;
        match &$tracker.set {
            Set::V32($set) => {
                let $get = |b: &[u8]| u32::from_be_bytes(array(b, at));
                $body
            }
            Set::V64($set) => {
                let $get = |b: &[u8]| u64::from_be_bytes(array(b, at));
                $body
            }
            Set::V128($set) => {
                let $get = |b: &[u8]| u128::from_be_bytes(array(b, at));
                $body
            }
        }
    }};
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl Tracker {
    /// A tracker for `field`, unless prefixes of it make no sense.
    pub fn new(field: Field) -> Option<Tracker> {
        let (at, bytes) = crate::shape::prefix_field(field)?;
        let set = match bytes {
            4 => Set::V32(PrefixSet::default()),
            8 => Set::V64(PrefixSet::default()),
            16 => Set::V128(PrefixSet::default()),
            _ => return None,
        };
        Some(Tracker { field, at, set })
    }

    /// The field.
    pub fn field(&self) -> Field {
        self.field
    }

    /// Byte offset of the field in the key.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Length of the prefix that a mask has in this field; 0 if it has none or is no prefix.
    pub fn prefix_len(&self, shape: &Shape) -> u8 {
        let n = match self.set {
            Set::V32(_) => 4,
            Set::V64(_) => 8,
            Set::V128(_) => 16,
        };
        shape.prefix_len(self.at, n)
    }

    /// Counts a rule in.
    pub fn add(&mut self, m: &MiniMatch, len: u8) {
        let (at, lo) = (self.at, self.at & !7);
        match &mut self.set {
            Set::V32(s) => s.add((word(m, lo) >> (32 - 8 * (at - lo))) as u32, len),
            Set::V64(s) => s.add(word(m, lo), len),
            Set::V128(s) => s.add(u128::from(word(m, lo)) << 64 | u128::from(word(m, lo + 8)), len),
        }
    }

    /// Counts a rule out.
    pub fn sub(&mut self, m: &MiniMatch, len: u8) {
        let (at, lo) = (self.at, self.at & !7);
        match &mut self.set {
            Set::V32(s) => s.sub((word(m, lo) >> (32 - 8 * (at - lo))) as u32, len),
            Set::V64(s) => s.sub(word(m, lo), len),
            Set::V128(s) => s.sub(u128::from(word(m, lo)) << 64 | u128::from(word(m, lo + 8)), len),
        }
    }

    /// How many leading bits of the key's field decide which prefixes contain it.
    pub fn decisive_bits(&self, key: &FlowKey) -> u8 {
        let bytes = key.bytes();
        each!(self, |set, get| set.decisive_bits(get(bytes)))
    }

    /// Whether some rule has the first `len` bits of the key's field as its prefix.
    pub fn contains(&self, key: &FlowKey, len: u8) -> bool {
        let bytes = key.bytes();
        each!(self, |set, get| set.contains(get(bytes), len))
    }

    /// Marks the first `bits` bits of the field as looked at.
    pub fn mark(&self, mask: &mut Mask, bits: u8) {
        mark_prefix(mask, self.at, bits);
    }
}

/// The big-endian word of a match's values at byte `at`.
fn word(m: &MiniMatch, at: usize) -> u64 {
    let (map, n) = (m.map(), at / 8);
    if map >> n & 1 == 0 {
        return 0;
    }
    let value = m.key_words()[(map & ((1u128 << n) - 1)).count_ones() as usize];
    u64::from_be_bytes(value.to_ne_bytes())
}

/// Sets the `bits` bits of a mask that start at byte `at`.
pub fn mark_prefix(mask: &mut Mask, at: usize, bits: u8) {
    let bytes = mask.0.bytes_mut();
    let whole = usize::from(bits / 8);
    bytes[at..at + whole].fill(0xff);
    if !bits.is_multiple_of(8) {
        bytes[at + whole] |= 0xffu8 << (8 - bits % 8);
    }
}
