//! MPLS label stack entries (RFC 3032 2.1).
//!
//! ```text
//! | label 20 | TC 3 | S 1 | TTL 8 |
//! ```

use crate::buf::Packet;
use crate::error::{WireError, need, put16, put32, u16_at, u32_at};
use crate::vlan;

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

/// Where the type of the payload is in an Ethernet frame, after any tags.
pub fn type_offset(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    while frame.len() >= at + 2 {
        if !vlan::is_tpid(u16_at(frame, at)) {
            return Some(at);
        }
        at += vlan::LEN;
    }
    None
}

/// Puts an entry after the Ethernet header and its tags; the type becomes `ethertype`. Returns whether the frame had
/// an Ethernet header to put it behind.
pub fn push(p: &mut Packet, ethertype: u16, lse: u32) -> bool {
    let Some(at) = type_offset(p.buf.data()) else { return false };
    put32(p.buf.insert(at + 2, LEN), 0, lse);
    put16(p.buf.data_mut(), at, ethertype);
    p.offload.shift(LEN as i32);
    true
}

/// Removes the outermost entry; the type becomes `ethertype`. Returns it, or `None` if the frame is not MPLS.
pub fn pop(p: &mut Packet, ethertype: u16) -> Option<Mpls> {
    let at = type_offset(p.buf.data())?;
    if !is_ethertype(u16_at(p.buf.data(), at)) {
        return None;
    }
    let (entry, _) = Mpls::parse(&p.buf.data()[at + 2..]).ok()?;
    p.buf.remove(at + 2, LEN);
    put16(p.buf.data_mut(), at, ethertype);
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
