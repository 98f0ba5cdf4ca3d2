//! The hello message and the choice of a version (OpenFlow 1.3.1 section 6.3.1).

use super::{HEADER_LEN, kind};
use openflow::version::{Version, VersionSet};
use std::fmt::Write;

/// Type of the element that holds a bitmap of versions (`OFPHET_VERSIONBITMAP`).
const VERSION_BITMAP: u16 = 1;
/// All bits that can stand for a version in the element's first word.
const WORD: usize = 4;

/// What a peer's hello says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The version of the message itself.
    pub version: u8,
    /// Bit `n` for wire version `n`, below 32.
    pub versions: u32,
}

/// The hello of a side that allows `versions`. A set that has all from 1.0 up needs no bitmap, which old peers would
/// not understand.
pub fn encode(versions: VersionSet, xid: u32) -> Vec<u8> {
    let version = versions.highest().unwrap_or(Version::V10).wire();
    let mut m = super::bare(version, kind::HELLO, xid);
    if !is_range(versions.0) {
        m.extend_from_slice(&VERSION_BITMAP.to_be_bytes());
        m.extend_from_slice(&8u16.to_be_bytes());
        m.extend_from_slice(&versions.0.to_be_bytes());
        m[3] = m.len() as u8;
    }
    m
}

/// Reads a hello: `None` if the message is something else.
pub fn decode(message: &[u8]) -> Option<Hello> {
    if message.len() < HEADER_LEN || message[1] != kind::HELLO || message[0] == 0 {
        return None;
    }
    let version = message[0];
    let mut versions = None;
    let mut rest = &message[HEADER_LEN..];
    while let [t0, t1, l0, l1, ..] = *rest {
        let (element, len) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([l0, l1]) as usize);
        if len < 4 || len > rest.len() {
            break;
        }
        if element == VERSION_BITMAP
            && let Some(word) = rest[4..len].first_chunk::<WORD>()
        {
            versions = Some(u32::from_be_bytes(*word));
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    // Without a bitmap: all up to the header's.
    let up_to = (1u64 << (u32::from(version).min(31) + 1)) - 2;
    Some(Hello { version, versions: versions.unwrap_or(up_to as u32) })
}

/// The highest version that both allow.
pub fn choose(ours: VersionSet, theirs: &Hello) -> Option<Version> {
    ours.intersection(VersionSet(theirs.versions)).highest()
}

/// The message that tells a peer that there is no common version.
pub fn refusal(ours: VersionSet, theirs: &Hello) -> Vec<u8> {
    let text = format!(
        "We support {}, you support {}, no common versions.",
        describe(ours.0),
        describe(theirs.versions)
    );
    // Type and code are both 0: hello failed, incompatible.
    let mut m = super::bare(theirs.version, kind::ERROR, 0);
    m.extend_from_slice(&[0; 4]);
    m.extend_from_slice(text.as_bytes());
    let len = m.len() as u16;
    m[2..4].copy_from_slice(&len.to_be_bytes());
    m
}

/// A set of versions in words: `version 0x01`, `version 0x04 and earlier`, `versions 0x01, 0x04`.
pub fn describe(versions: u32) -> String {
    let mut all = (0..32).filter(|n| versions & 1 << n != 0);
    let (Some(first), second) = (all.next(), all.next()) else { return "no versions".to_string() };
    let highest = 31 - versions.leading_zeros();
    let Some(second) = second else { return format!("version 0x{first:02x}") };
    if is_range(versions) {
        return format!("version 0x{highest:02x} and earlier");
    }
    let mut s = format!("versions 0x{first:02x}, 0x{second:02x}");
    for n in all {
        // Writing to a String cannot fail.
        let _ = write!(s, ", 0x{n:02x}");
    }
    s
}

/// Whether the set is 1 up to something.
fn is_range(versions: u32) -> bool {
    let above = (versions >> 1).wrapping_add(1);
    versions & 1 == 0 && versions != 0 && above.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(versions: &[u32]) -> u32 {
        versions.iter().fold(0, |s, v| s | 1 << v)
    }

    #[test]
    fn words() {
        for (versions, want) in [
            (&[1][..], "version 0x01"),
            (&[4], "version 0x04"),
            (&[1, 2], "version 0x02 and earlier"),
            (&[1, 2, 3, 4, 5, 6], "version 0x06 and earlier"),
            (&[1, 4], "versions 0x01, 0x04"),
            (&[4, 5], "versions 0x04, 0x05"),
            (&[1, 2, 6], "versions 0x01, 0x02, 0x06"),
            (&[], "no versions"),
        ] {
            assert_eq!(describe(set(versions)), want);
        }
    }

    #[test]
    fn bytes() {
        assert_eq!(encode(VersionSet::ALL, 5), [6, 0, 0, 8, 0, 0, 0, 5]);
        assert_eq!(encode(VersionSet::only(Version::V10), 1), [1, 0, 0, 8, 0, 0, 0, 1]);
        assert_eq!(
            encode(VersionSet::only(Version::V13), 1),
            [4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x10]
        );
    }

    #[test]
    fn round_trip_choice_and_refusal() {
        for ours in 1..64u32 {
            let ours = VersionSet(ours << 1);
            let h = decode(&encode(ours, 1)).unwrap();
            assert_eq!(h.versions, ours.0);
            assert_eq!(choose(VersionSet::ALL, &h), ours.highest());
        }
        let theirs = Hello { version: 5, versions: set(&[4, 5]) };
        let ours = VersionSet(set(&[1, 2, 6]));
        assert_eq!(choose(ours, &theirs), None);
        let m = refusal(ours, &theirs);
        assert_eq!(&m[..12], [5, 1, 0, m.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            std::str::from_utf8(&m[12..]).unwrap(),
            "We support versions 0x01, 0x02, 0x06, you support versions 0x04, 0x05, no common versions."
        );
    }

    #[test]
    fn damaged_hellos_are_read_as_far_as_they_go() {
        let whole = encode(VersionSet::only(Version::V13), 1);
        for n in 0..whole.len() {
            assert_eq!(decode(&whole[..n]).is_some(), n >= 8);
        }
        for bit in 0..whole.len() * 8 {
            let mut m = whole.clone();
            m[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&m);
        }
        // An unknown element before, and a bitmap of two words.
        let m = [
            4, 0, 0, 32, 0, 0, 0, 1, 0, 9, 0, 6, 1, 2, 0, 0, 0, 1, 0, 12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(decode(&m).unwrap().versions, 2);
        assert_eq!(decode(&[200, 0, 0, 8, 0, 0, 0, 1]).unwrap().versions, u32::MAX - 1);
    }
}
