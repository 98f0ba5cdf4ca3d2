//! The mask that the rules of a subtable share, laid out for lookup.

use flow::{Field, FlowKey, Location, MiniMatch, layout};

/// Number of stages in which a hash is taken.
pub const STAGES: usize = 4;
/// First word of the last stage: what only some protocols have (ARP and ND addresses, NSH, layer-4 ports).
const STAGE_LAST: usize = layout::ARP_SHA / 8;
/// The word with the layer-4 ports, and the bits of it that hold them.
pub const PORTS_WORD: usize = layout::TP_SRC / 8;

const _: () = assert!(layout::TP_SRC % 8 == 4 && layout::TP_DST == layout::TP_SRC + 2);
const _: () = assert!(layout::STAGE_L3 < STAGE_LAST && STAGE_LAST <= PORTS_WORD);

/// The stage to which a word of the key belongs.
pub fn stage_of(word: usize) -> usize {
    if !(layout::STAGE_L2..layout::STAGE_PIPELINE).contains(&word) {
        0
    } else if word < layout::STAGE_L3 {
        1
    } else if word < STAGE_LAST {
        2
    } else {
        3
    }
}

/// One word of a mask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaskWord {
    /// Its place in the key.
    pub place: u8,
    /// Its position among the words of a match.
    pub position: u8,
    /// The bits that count.
    pub bits: u64,
}

/// A mask in the order of lookup.
#[derive(Debug)]
pub struct Shape {
    /// Words by stage, and within a stage by place.
    words: Box<[MaskWord]>,
    /// End of each stage in `words`.
    ends: [u8; STAGES],
    map: u128,
}

impl Shape {
    /// The shape of a match's mask.
    pub fn new(m: &MiniMatch) -> Shape {
        let mut words = Vec::with_capacity(m.mask_words().len());
        let mut ends = [0; STAGES];
        for (stage, end) in ends.iter_mut().enumerate() {
            for (position, (place, _, bits)) in m.iter().enumerate() {
                if stage_of(place) == stage {
                    words.push(MaskWord { place: place as u8, position: position as u8, bits });
                }
            }
            *end = words.len() as u8;
        }
        Shape { words: words.into(), ends, map: m.map() }
    }

    /// The words of one stage.
    pub fn stage(&self, n: usize) -> &[MaskWord] {
        let from = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.words[usize::from(from)..usize::from(self.ends[n])]
    }

    /// All words.
    pub fn words(&self) -> &[MaskWord] {
        &self.words
    }

    /// The last stage that has words.
    pub fn last_stage(&self) -> usize {
        self.ends.iter().position(|e| *e == self.ends[STAGES - 1]).unwrap_or(0)
    }

    /// Whether this is the mask of `m`.
    pub fn is_mask_of(&self, m: &MiniMatch) -> bool {
        let masks = m.mask_words();
        self.map == m.map() && self.words.iter().all(|w| masks[usize::from(w.position)] == w.bits)
    }

    /// The mask's bits in a word.
    pub fn word(&self, place: usize) -> u64 {
        if self.map >> place & 1 == 0 {
            return 0;
        }
        self.stage(stage_of(place)).iter().find(|w| usize::from(w.place) == place).map_or(0, |w| w.bits)
    }

    /// Whether every bit of `m`'s mask is in this one: then `m` may cover rules of this shape.
    pub fn includes(&self, m: &MiniMatch) -> bool {
        m.map() & !self.map == 0 && m.iter().all(|(place, _, bits)| bits & !self.word(place) == 0)
    }

    /// Whether every bit of this mask is in that of `m`.
    pub fn is_within(&self, m: &MiniMatch) -> bool {
        self.map & !m.map() == 0 && {
            let mut theirs = m.iter();
            let mut sorted: smallvec::SmallVec<[MaskWord; 16]> = self.words.iter().copied().collect();
            sorted.sort_unstable_by_key(|w| w.place);
            sorted
                .iter()
                .all(|w| theirs.find(|t| t.0 == usize::from(w.place)).is_some_and(|t| w.bits & !t.2 == 0))
        }
    }

    /// Whether `key` under this mask has the values of `m`, a match with this mask.
    #[inline]
    pub fn matches(&self, key: &FlowKey, m: &MiniMatch) -> bool {
        let values = m.key_words();
        self.words.iter().all(|w| key.words[usize::from(w.place)] & w.bits == values[usize::from(w.position)])
    }

    /// Length of the prefix that the mask is in the `n` bytes from byte `at`; 0 if it is none.
    pub fn prefix_len(&self, at: usize, n: usize) -> u8 {
        let mut len = 0;
        let mut ended = false;
        for byte in at..at + n {
            let b = self.word(byte / 8).to_ne_bytes()[byte % 8];
            if (ended && b != 0) || b.leading_ones() + b.trailing_zeros().min(8 - b.leading_ones()) < 8 {
                return 0;
            }
            len += b.leading_ones() as u8;
            ended |= b != 0xff;
        }
        len
    }

    /// The mask over source and destination port, as one number.
    pub fn ports(&self) -> u32 {
        ports_of(self.word(PORTS_WORD))
    }
}

/// Source and destination port in the word that holds them.
pub fn ports_of(word: u64) -> u32 {
    u64::from_be_bytes(word.to_ne_bytes()) as u32
}

/// Byte offset and width of a field whose prefixes can be tracked.
pub fn prefix_field(field: Field) -> Option<(usize, usize)> {
    let known = [
        Field::TUN_ID,
        Field::TUN_SRC,
        Field::TUN_DST,
        Field::TUN_IPV6_SRC,
        Field::TUN_IPV6_DST,
        Field::IP_SRC,
        Field::IP_DST,
        Field::IPV6_SRC,
        Field::IPV6_DST,
    ];
    match field.info().location {
        Location::Bits { start, len } if known.contains(&field) => {
            Some((usize::from(start) / 8, usize::from(len) / 8))
        }
        _ => None,
    }
}
