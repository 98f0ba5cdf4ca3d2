//! UUIDs: how rows are named.

use std::fmt;
use std::str::FromStr;

/// A UUID; ordered as its text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid {
    high: u64,
    low: u64,
}

/// Length of a UUID's text.
pub const TEXT_LEN: usize = 36;

impl Uuid {
    /// The UUID of all zeros.
    pub const ZERO: Uuid = Uuid { high: 0, low: 0 };

    /// From its 128 bits.
    pub const fn from_u128(bits: u128) -> Uuid {
        Uuid { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Its 128 bits.
    pub const fn as_u128(self) -> u128 {
        ((self.high as u128) << 64) | self.low as u128
    }

    /// Whether all bits are zero.
    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }

    /// Reads the UUID that `s` begins with, ignoring what follows.
    pub fn prefix_of(s: &str) -> Option<Uuid> {
        let s = s.as_bytes().get(..TEXT_LEN)?;
        let mut bits = 0u128;
        for (i, &b) in s.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if b != b'-' {
                    return None;
                }
            } else {
                bits = bits << 4 | u128::from(char::from(b).to_digit(16)?);
            }
        }
        Some(Uuid::from_u128(bits))
    }

    /// How many leading characters of `s` could begin a UUID (as people abbreviate them).
    pub fn partial_match_len(s: &str) -> usize {
        let fits = |(i, b): &(usize, u8)| {
            if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() }
        };
        s.bytes().take(TEXT_LEN).enumerate().take_while(fits).count()
    }
}

impl FromStr for Uuid {
    type Err = ();
    fn from_str(s: &str) -> Result<Uuid, ()> {
        if s.len() == TEXT_LEN { Uuid::prefix_of(s).ok_or(()) } else { Err(()) }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; TEXT_LEN];
        let (bits, mut nibble) = (self.as_u128(), 32);
        for (i, c) in text.iter_mut().enumerate() {
            if !matches!(i, 8 | 13 | 18 | 23) {
                nibble -= 1;
                *c = HEX[(bits >> (4 * nibble)) as usize & 15];
            }
        }
        // All bytes are ASCII.
        f.write_str(std::str::from_utf8(&text).unwrap_or(""))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes random UUIDs from a seed: whoever owns the machine's randomness supplies it.
#[derive(Clone, Debug)]
pub struct UuidSource {
    state: [u64; 4],
}

impl UuidSource {
    /// A source that continues from `seed`.
    pub fn new(seed: [u8; 32]) -> UuidSource {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        if state == [0; 4] {
            state = [1, 2, 3, 4];
        }
        UuidSource { state }
    }

    /// A source for tests.
    pub fn from_u64(seed: u64) -> UuidSource {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8] = 1;
        let mut source = UuidSource::new(bytes);
        for _ in 0..16 {
            source.word();
        }
        source
    }

    /// xoshiro256**
    fn word(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A random UUID (RFC 4122 version 4).
    pub fn next_uuid(&mut self) -> Uuid {
        let high = self.word() & !0xf000 | 0x4000;
        let low = self.word() & !(3 << 62) | 2 << 62;
        Uuid { high, low }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_both_ways() {
        let t = "12345678-9abc-def0-0123-456789abcdef";
        let u: Uuid = t.parse().expect("a uuid");
        assert_eq!(u.to_string(), t);
        assert_eq!(t.to_uppercase().parse(), Ok(u));
        for bad in ["", "1", "12345678-9abc-def0-0123-456789abcde", "12345678-9abc-def0-0123-456789abcdefg"] {
            assert_eq!(bad.parse::<Uuid>(), Err(()), "{bad}");
        }
        assert_eq!("12345678x9abc-def0-0123-456789abcdef".parse::<Uuid>(), Err(()));
        assert_eq!("1234567g-9abc-def0-0123-456789abcdef".parse::<Uuid>(), Err(()));
        assert_eq!(Uuid::partial_match_len("12345678-9abq"), 12);
        assert_eq!(Uuid::from_u128(u.as_u128()), u);
    }

    #[test]
    fn random_ones_differ_and_are_version_4() {
        let mut source = UuidSource::from_u64(1);
        let many: std::collections::BTreeSet<Uuid> = (0..1000).map(|_| source.next_uuid()).collect();
        assert_eq!(many.len(), 1000);
        assert!(many.iter().all(|u| u.to_string().as_bytes()[14] == b'4'));
    }
}
