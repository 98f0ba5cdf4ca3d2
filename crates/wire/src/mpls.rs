//! MPLS label stack entries (RFC 3032 2.1).
//!
//! ```text
//! | label 20 | TC 3 | S 1 | TTL 8 |
//! ```

use crate::buf::Packet;
use crate::error::{WireError, need, put16, put32, u16_at, u32_at};

/// Bytes of an entry.
pub const LEN: usize = 4;
/// Unicast.
pub const ETHERTYPE: u16 = 0x8847;
/// Multicast.
pub const ETHERTYPE_MULTICAST: u16 = 0x8848;
/// Bottom of stack bit.
pub const BOS: u32 = 0x100;

/// A label stack entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mpls {
    /// 20-bit label.
    pub label: u32,
    /// Traffic class.
    pub tc: u8,
    /// Bottom of stack.
    pub bos: bool,
    /// Time to live.
    pub ttl: u8,
}

impl Mpls {
    /// Reads an entry.
    pub fn parse(b: &[u8]) -> Result<(Mpls, &[u8]), WireError> {
        let b = need("MPLS", b, LEN)?;
        Ok((Mpls::from_lse(u32_at(b, 0)), &b[LEN..]))
    }

    /// Writes the entry.
    pub fn emit(&self, b: &mut [u8]) {
        put32(b, 0, self.to_lse());
    }

    /// From the entry's 32 bits.
    pub fn from_lse(lse: u32) -> Mpls {
        Mpls { label: lse >> 12, tc: (lse >> 9) as u8 & 7, bos: lse & BOS != 0, ttl: lse as u8 }
    }

    /// The entry's 32 bits.
    pub fn to_lse(&self) -> u32 {
        (self.label & 0xf_ffff) << 12
            | (self.tc as u32 & 7) << 9
            | if self.bos { BOS } else { 0 }
            | self.ttl as u32
    }
}

/// Whether a type is MPLS.
pub fn is_ethertype(t: u16) -> bool {
    t == ETHERTYPE || t == ETHERTYPE_MULTICAST
}

/// Puts an entry at `at`, behind a type which becomes `ethertype`.
pub fn push(p: &mut Packet, at: usize, ethertype: u16, lse: u32) {
    if at < 2 || p.buf.len() < at {
        return;
    }
    put32(p.buf.insert(at, LEN), 0, lse);
    put16(p.buf.data_mut(), at - 2, ethertype);
    p.offload.shift(LEN as i32);
}

/// Removes the entry at `at`, behind a type which becomes `ethertype`. Returns it, or `None` if there is none.
pub fn pop(p: &mut Packet, at: usize, ethertype: u16) -> Option<Mpls> {
    let (entry, _) = Mpls::parse(p.buf.data().get(at..)?).ok()?;
    if at < 2 || !is_ethertype(u16_at(p.buf.data(), at - 2)) {
        return None;
    }
    p.buf.remove(at, LEN);
    put16(p.buf.data_mut(), at - 2, ethertype);
    p.offload.shift(-(LEN as i32));
    Some(entry)
}

/// Changes the entry at the start of a stack at `at`. Returns whether it is there.
pub fn set_lse(p: &mut Packet, at: usize, f: impl FnOnce(u32) -> u32) -> bool {
    let Some(entry) = p.buf.data_mut().get_mut(at..at + LEN) else { return false };
    let lse = f(u32_at(entry, 0));
    put32(entry, 0, lse);
    true
}
