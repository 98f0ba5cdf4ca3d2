//! Ethernet II (IEEE 802.3).
//!
//! ```text
//! | destination (6) | source (6) | type (2) | payload ...
//! ```

use crate::error::{WireError, array, need, put16, u16_at};
use base::Mac;

/// Bytes of the header.
pub const LEN: usize = 14;
/// Types are at least this; below it is a length.
pub const MIN_TYPE: u16 = 0x600;
/// Shortest frame, without the checksum.
pub const MIN_FRAME: usize = 60;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ethernet {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
    /// Ethertype, or length if below 0x600.
    pub ethertype: u16,
}

impl Ethernet {
    /// Reads the header and what follows it.
    pub fn parse(b: &[u8]) -> Result<(Ethernet, &[u8]), WireError> {
        let b = need("Ethernet", b, LEN)?;
        Ok((Ethernet { dst: Mac(array(b, 0)), src: Mac(array(b, 6)), ethertype: u16_at(b, 12) }, &b[LEN..]))
    }

    /// Writes the header at the start of `b`, which must hold [`LEN`] bytes.
    pub fn emit(&self, b: &mut [u8]) {
        b[..6].copy_from_slice(&self.dst.0);
        b[6..12].copy_from_slice(&self.src.0);
        put16(b, 12, self.ethertype);
    }
}
