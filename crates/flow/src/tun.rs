//! Tunnel options: which of the 64 `tun_metadata` fields lies where in the key's option bytes.
//!
//! The options of a tunnel (Geneve TLVs) have no fixed place: a table that a controller sets up maps option class,
//! type and length to a field, and allots bytes. A match that was read from text without such a table allots its
//! bytes as it goes.

use crate::key::FlowKey;
use crate::layout as l;

/// Most bytes in one option.
pub const MAX_LEN: usize = 124;

/// Where each option lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TunLayout {
    ofs: [u16; 64],
    len: [u8; 64],
    used: u16,
    masked: u64,
}

impl Default for TunLayout {
    fn default() -> TunLayout {
        TunLayout { ofs: [0; 64], len: [0; 64], used: 0, masked: 0 }
    }
}

impl TunLayout {
    /// Allots `len` bytes for option `n`. `None` if it has a place already, the length is 0, over [`MAX_LEN`] or there is no room.
    pub fn allot(&mut self, n: u8, len: usize) -> Option<()> {
        let i = n as usize;
        if i >= 64 || len == 0 || len > MAX_LEN || self.len[i] != 0 {
            return None;
        }
        if self.used as usize + len > l::TUN_OPTS_LEN {
            return None;
        }
        self.ofs[i] = self.used;
        self.len[i] = len as u8;
        self.used += len as u16;
        Some(())
    }

    /// Notes that option `n` was given with a mask, though the mask has all bits.
    pub fn set_masked(&mut self, n: u8, masked: bool) {
        if n < 64 {
            self.masked = self.masked & !(1 << n) | (masked as u64) << n;
        }
    }

    /// Whether the options in `present` lie in the same places in both.
    pub fn agrees(&self, other: &TunLayout, present: u64) -> bool {
        (0..64).filter(|n| present >> n & 1 != 0).all(|n| self.range(n) == other.range(n))
    }

    /// Whether option `n` was given with a mask.
    pub fn is_masked(&self, n: u8) -> bool {
        n < 64 && self.masked >> n & 1 != 0
    }

    /// Puts option `n` at given bytes of the option space (for tables that reuse freed places).
    pub fn place(&mut self, n: u8, ofs: usize, len: usize) -> Option<()> {
        let i = n as usize;
        if i >= 64 || len > MAX_LEN || ofs + len > l::TUN_OPTS_LEN {
            return None;
        }
        self.ofs[i] = ofs as u16;
        self.len[i] = len as u8;
        self.used = self.used.max((ofs + len) as u16);
        Some(())
    }

    /// The options that have a place, one bit each.
    pub fn options(&self) -> u64 {
        (0..64).filter(|n| self.len[*n] != 0).fold(0, |bits, n| bits | 1 << n)
    }

    /// Length of option `n` in bytes; 0 if it has no place.
    pub fn len_of(&self, n: u8) -> usize {
        self.len.get(n as usize).map_or(0, |v| *v as usize)
    }

    /// Byte range of option `n` in a key.
    pub fn range(&self, n: u8) -> Option<std::ops::Range<usize>> {
        let len = self.len_of(n);
        (len > 0).then(|| {
            let start = l::TUN_OPTS + self.ofs[n as usize] as usize;
            start..start + len
        })
    }

    /// The bytes of option `n`.
    pub fn bytes<'a>(&self, key: &'a FlowKey, n: u8) -> Option<&'a [u8]> {
        Some(&key.bytes()[self.range(n)?])
    }

    /// The bytes of option `n`, to be written; does not mark it present.
    pub fn bytes_mut<'a>(&self, key: &'a mut FlowKey, n: u8) -> Option<&'a mut [u8]> {
        let range = self.range(n)?;
        Some(&mut key.bytes_mut()[range])
    }

    /// Whether option `n` is marked present.
    pub fn is_present(key: &FlowKey, n: u8) -> bool {
        n < 64 && key.u64_at(l::TUN_OPTS_PRESENT) >> n & 1 != 0
    }

    /// Marks option `n` present or absent.
    pub fn set_present(key: &mut FlowKey, n: u8, present: bool) {
        if n < 64 {
            let bits = key.u64_at(l::TUN_OPTS_PRESENT);
            let bits = if present { bits | 1 << n } else { bits & !(1 << n) };
            key.put(l::TUN_OPTS_PRESENT, &bits.to_be_bytes());
        }
    }
}
