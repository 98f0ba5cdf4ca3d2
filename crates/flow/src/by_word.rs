//! Which fields lie in which words of the layout: for whoever asks every field of a key that is mostly empty.

use crate::field::{COUNT, Field, Location};
use crate::layout::WORDS;
use crate::mini::map_iter;

const SETS: usize = 4;
/// A set of fields.
type Fields = [u64; SETS];

const fn by_word() -> [Fields; WORDS] {
    let mut all = [[0; SETS]; WORDS];
    let mut n = 0;
    while n < COUNT {
        let info = Field::from_index(n).info();
        if let Location::Bits { .. } = info.location {
            let (mut word, end) = info.words();
            while word < end {
                all[word][n / 64] |= 1 << (n % 64);
                word += 1;
            }
        }
        n += 1;
    }
    all
}

static BY_WORD: [Fields; WORDS] = by_word();

impl Field {
    /// The fields that have bits in the words of `map`, in their order; those that are only views of others (the
    /// 16-bit port, ICMP types as ports, OpenFlow 1.0's VLAN) and tunnel options are not among them.
    pub fn in_words(map: u128) -> impl Iterator<Item = Field> {
        let mut found = [0; SETS];
        for word in map_iter(map).take_while(|w| *w < WORDS) {
            for (f, w) in found.iter_mut().zip(&BY_WORD[word]) {
                *f |= w;
            }
        }
        found
            .into_iter()
            .enumerate()
            .flat_map(|(set, bits)| map_iter(u128::from(bits)).map(move |n| Field::from_index(set * 64 + n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FlowKey;

    #[test]
    fn every_field_that_is_not_zero_is_found() {
        for field in Field::all() {
            let mut key = FlowKey::default();
            key.set(field, u128::MAX);
            if let Location::Bits { .. } = field.info().location {
                assert!(Field::in_words(key.map()).any(|f| f == field), "{field:?}");
            }
        }
        assert_eq!(Field::in_words(0).count(), 0);
        assert!(Field::in_words(u128::MAX).is_sorted());
    }
}
