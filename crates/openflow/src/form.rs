//! Matches of one form, written fast.
//!
//! A long list of flows mostly holds runs of flows with one mask, and with the same protocol. What such matches look
//! like on the wire differs in plain values alone: addresses, ports, registers. So the first of them is written the
//! long way and kept, with the places where those values stand; the others are copies with their own values put in.

use crate::buf::Reader;
use crate::codec::Codec;
use crate::oxm::{pull_header, put_match_raw};
use crate::version::Version;
use flow::field::Location;
use flow::{Field, MiniMatch};

/// Fields whose value decides nothing about how a match is written, each in whole bytes of the key.
const PLAIN: &[Field] = &[
    Field::ETH_SRC,
    Field::ETH_DST,
    Field::IP_SRC,
    Field::IP_DST,
    Field::IPV6_SRC,
    Field::IPV6_DST,
    Field::ARP_SPA,
    Field::ARP_TPA,
    Field::TCP_SRC,
    Field::TCP_DST,
    Field::UDP_SRC,
    Field::UDP_DST,
    Field::SCTP_SRC,
    Field::SCTP_DST,
    Field::METADATA,
    Field::TUN_ID,
];

/// The field's bytes in the key, if it is plain.
fn plain(field: Field) -> Option<std::ops::Range<usize>> {
    let known =
        PLAIN.contains(&field) || (0..16).any(|n| field == Field::reg(n) || field == Field::xreg(n / 2));
    match field.info().location {
        Location::Bits { start, len } if known && start % 8 == 0 && len % 8 == 0 => {
            let from = usize::from(start / 8);
            Some(from..from + usize::from(len / 8))
        }
        _ => None,
    }
}

/// A piece of a key's word that stands in the written match.
struct Piece {
    to: usize,
    /// Position among the words of the match.
    word: usize,
    from: usize,
    len: usize,
}

/// See the module.
pub(crate) struct Form {
    version: Version,
    /// The first match.
    first: MiniMatch,
    /// The bits of its pieces, in which others may differ from it, by word of the match.
    free: Box<[u64]>,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Form {
    /// The form of a match, which is written to `out` as well.
    pub(crate) fn of(codec: &Codec, m: &MiniMatch, version: Version, out: &mut Vec<u8>) -> Option<Form> {
        let wide = codec.expand(m);
        let start = out.len();
        put_match_raw(out, &wide, version, (0, 0));
        if wide.tun.is_some() {
            return None;
        }
        let bytes = out[start..].to_vec();
        let mut pieces = Vec::new();
        let mut r = Reader::new(&bytes);
        while !r.is_empty() {
            let header = pull_header(&mut r).ok()?;
            let at = bytes.len() - r.len();
            r.skip(header.len).ok()?;
            let Some(range) = header.field().and_then(plain) else { continue };
            // What is not matched at all is zero in every match of the form.
            let matched = range.enumerate().filter(|(_, place)| m.map() >> (place / 8) & 1 != 0);
            for (n, place) in matched {
                let word = (m.map() & ((1u128 << (place / 8)) - 1)).count_ones() as usize;
                match pieces.last_mut() {
                    Some(Piece { to, word: w, from, len })
                        if *w == word && *to + *len == at + n && *from + *len == place % 8 =>
                    {
                        *len += 1;
                    }
                    _ => pieces.push(Piece { to: at + n, word, from: place % 8, len: 1 }),
                }
            }
        }
        let mut free = vec![[0; 8]; m.key_words().len()];
        pieces.iter().for_each(|p| free[p.word][p.from..][..p.len].fill(0xff));
        let free = free.into_iter().map(u64::from_ne_bytes).collect();
        Some(Form { version, first: m.clone(), free, bytes, pieces })
    }

    /// Whether a match has this form.
    fn fits(&self, m: &MiniMatch, version: Version) -> bool {
        let differ = || m.key_words().iter().zip(self.first.key_words()).map(|(a, b)| a ^ b);
        version == self.version
            && m.map() == self.first.map()
            && m.mask_words() == self.first.mask_words()
            && differ().zip(&self.free).all(|(d, free)| d & !free == 0)
    }

    /// Writes a match of this form.
    fn put(&self, m: &MiniMatch, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let words = m.key_words();
        for p in &self.pieces {
            let bytes = words[p.word].to_ne_bytes();
            out[start + p.to..][..p.len].copy_from_slice(&bytes[p.from..][..p.len]);
        }
    }
}

/// Writes the entries of a match, with the form of those before it where it has the same.
pub(crate) fn put_match(
    out: &mut Vec<u8>,
    form: &mut Option<Form>,
    codec: &Codec,
    m: &MiniMatch,
    version: Version,
) {
    match form {
        Some(f) if f.fits(m, version) => f.put(m, out),
        _ => *form = Form::of(codec, m, version, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::Match;

    /// Matches with fields of all kinds set at random, each written both ways.
    #[test]
    fn same_as_the_long_way() {
        let mut rng = 0x5eed_1234_abcd_0001u64;
        let mut next = move || {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            rng
        };
        let fields: Vec<Field> = Field::all().filter(|f| f.as_tun_metadata().is_none()).collect();
        for version in [Version::V10, Version::V12, Version::V13, Version::V15] {
            let codec = Codec::new(version);
            let (mut reused, mut form) = (0, None);
            for _ in 0..300 {
                let mut base = Match::any();
                for ty in [0x0800u128, 0x86dd, 0x0806].into_iter().skip(next() as usize % 3).take(1) {
                    base.set(Field::ETH_TYPE, ty);
                    base.set(Field::IP_PROTO, [6, 17, 132, 1][next() as usize % 4]);
                }
                let chosen: Vec<(Field, u128)> = (0..next() % 6)
                    .map(|_| {
                        (
                            fields[next() as usize % fields.len()],
                            u128::from(next()) << 64 | u128::from(next()),
                        )
                    })
                    .collect();
                for _ in 0..4 {
                    let mut m = base.clone();
                    for (field, mask) in &chosen {
                        let mask = if next() % 8 == 0 { u128::MAX } else { *mask };
                        m.set_masked(*field, u128::from(next()) << 64 | u128::from(next()), mask);
                    }
                    let m = MiniMatch::new(&m);
                    reused += usize::from(form.as_ref().is_some_and(|f: &Form| f.fits(&m, version)));
                    let (mut fast, mut slow) = (vec![7], vec![7]);
                    put_match(&mut fast, &mut form, &codec, &m, version);
                    put_match_raw(&mut slow, &codec.expand(&m), version, (0, 0));
                    assert_eq!(fast, slow, "{m:?}");
                }
            }
            assert!(reused > 100, "{reused}");
        }
    }

    #[test]
    fn plain_fields_are_whole_bytes() {
        for f in PLAIN {
            assert_eq!(plain(*f).map(|r| r.len()), Some(usize::from(f.info().bytes)), "{f:?}");
        }
    }
}
