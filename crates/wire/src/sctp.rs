//! The common header of SCTP (RFC 9260 3.1).
//!
//! ```text
//! | source port (2) | destination port (2) | verification tag (4) | CRC32c (4) | chunks ...
//! ```

use crate::checksum::crc32c;
use crate::error::{WireError, need, put16, put32, u16_at, u32_at};

/// Bytes of the header.
pub const LEN: usize = 12;
/// IP protocol.
pub const PROTO: u8 = 132;
/// Offset of the checksum.
pub const CHECKSUM: usize = 8;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sctp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
    /// Verification tag.
    pub tag: u32,
    /// CRC32c, as the four bytes on the wire read as a big-endian number.
    pub checksum: u32,
}

impl Sctp {
    /// Reads the header, and returns the bytes of its chunks.
    pub fn parse(b: &[u8]) -> Result<(Sctp, &[u8]), WireError> {
        let b = need("SCTP", b, LEN)?;
        let h =
            Sctp { src: u16_at(b, 0), dst: u16_at(b, 2), tag: u32_at(b, 4), checksum: u32_at(b, CHECKSUM) };
        Ok((h, &b[LEN..]))
    }

    /// Writes the header.
    pub fn emit(&self, b: &mut [u8]) {
        put16(b, 0, self.src);
        put16(b, 2, self.dst);
        put32(b, 4, self.tag);
        put32(b, CHECKSUM, self.checksum);
    }
}

/// The checksum that the packet `b` should have, as [`Sctp::checksum`]. `b` must hold a header.
pub fn checksum(b: &[u8]) -> u32 {
    // The CRC is sent with its least significant byte first (RFC 9260, appendix A).
    crc32c(&[&b[..CHECKSUM], &[0; 4], &b[LEN..]]).swap_bytes()
}
