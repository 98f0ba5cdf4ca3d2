//! UDP (RFC 768).
//!
//! ```text
//! | source port (2) | destination port (2) | length (2) | checksum (2) |
//! ```

use crate::error::{WireError, need, put16, u16_at};

/// Bytes of the header.
pub const LEN: usize = 8;
/// IP protocol.
pub const PROTO: u8 = 17;
/// Offset of the checksum.
pub const CHECKSUM: usize = 6;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Udp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
    /// Length of header and payload.
    pub len: u16,
    /// Checksum; 0 for none.
    pub checksum: u16,
}

impl Udp {
    /// Reads the header, and returns the bytes of its payload.
    pub fn parse(b: &[u8]) -> Result<(Udp, &[u8]), WireError> {
        let b = need("UDP", b, LEN)?;
        let h =
            Udp { src: u16_at(b, 0), dst: u16_at(b, 2), len: u16_at(b, 4), checksum: u16_at(b, CHECKSUM) };
        if (h.len as usize) < LEN {
            return Err(WireError::Invalid { header: "UDP", field: "length", value: h.len as u32 });
        }
        let b = need("UDP", b, h.len as usize)?;
        Ok((h, &b[LEN..h.len as usize]))
    }

    /// Writes the header.
    pub fn emit(&self, b: &mut [u8]) {
        put16(b, 0, self.src);
        put16(b, 2, self.dst);
        put16(b, 4, self.len);
        put16(b, CHECKSUM, self.checksum);
    }
}
