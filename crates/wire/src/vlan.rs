//! VLAN tags (IEEE 802.1Q 9).
//!
//! ```text
//! | addresses (12) | TPID (2) | PCP 3, DEI 1, VID 12 | type (2) ...
//! ```

use crate::buf::Packet;
use crate::error::{WireError, need, put16, u16_at};

/// Bytes of a tag.
pub const LEN: usize = 4;
/// Customer tag.
pub const TPID_C: u16 = 0x8100;
/// Service tag.
pub const TPID_S: u16 = 0x88a8;
/// Says in a key's TCI that there is a tag. On the wire it is the drop eligible bit, which we leave 0.
const PRESENT: u16 = 0x1000;

/// A tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vlan {
    /// Tag protocol identifier.
    pub tpid: u16,
    /// Priority, drop eligible bit and VLAN id.
    pub tci: u16,
}

impl Vlan {
    /// Reads a tag at `b`, where a type would be.
    pub fn parse(b: &[u8]) -> Result<(Vlan, &[u8]), WireError> {
        let b = need("VLAN", b, LEN)?;
        let tpid = u16_at(b, 0);
        if !is_tpid(tpid) {
            return Err(WireError::Invalid { header: "VLAN", field: "TPID", value: tpid as u32 });
        }
        Ok((Vlan { tpid, tci: u16_at(b, 2) }, &b[LEN..]))
    }

    /// Writes the tag.
    pub fn emit(&self, b: &mut [u8]) {
        put16(b, 0, self.tpid);
        put16(b, 2, self.tci);
    }

    /// VLAN id.
    pub fn vid(&self) -> u16 {
        self.tci & 0xfff
    }

    /// Priority.
    pub fn pcp(&self) -> u8 {
        (self.tci >> 13) as u8
    }
}

/// Whether a type starts a tag.
pub fn is_tpid(t: u16) -> bool {
    t == TPID_C || t == TPID_S
}

/// Puts a tag after the Ethernet addresses.
pub fn push(p: &mut Packet, tpid: u16, tci: u16) {
    if p.buf.len() < crate::ethernet::LEN {
        return;
    }
    Vlan { tpid, tci: tci & !PRESENT }.emit(p.buf.insert(12, LEN));
    p.offload.shift(LEN as i32);
}

/// Removes the outermost tag. Returns it, or `None` if there is none.
pub fn pop(p: &mut Packet) -> Option<Vlan> {
    let (tag, _) = Vlan::parse(p.buf.data().get(12..)?).ok()?;
    p.buf.remove(12, LEN);
    p.offload.shift(-(LEN as i32));
    Some(tag)
}

/// Changes the TCI of the outermost tag. Returns whether there was one.
pub fn set_tci(p: &mut Packet, f: impl FnOnce(u16) -> u16) -> bool {
    match p.buf.data_mut().get_mut(12..16) {
        Some(b) if is_tpid(u16_at(b, 0)) => {
            let tci = f(u16_at(b, 2) | PRESENT);
            put16(b, 2, tci & !PRESENT);
            true
        }
        _ => false,
    }
}
