//! ICMP (RFC 792).
//!
//! ```text
//! | type | code | checksum (2) | rest of header (4) | data ...
//! ```

use crate::checksum::checksum;
use crate::error::{WireError, array, need, put16, u16_at};

/// Bytes of the header.
pub const LEN: usize = 8;
/// IP protocol.
pub const PROTO: u8 = 1;
/// Offset of the checksum.
pub const CHECKSUM: usize = 2;

/// Types.
pub mod kind {
    #![allow(missing_docs)]
    pub const ECHO_REPLY: u8 = 0;
    pub const UNREACHABLE: u8 = 3;
    pub const REDIRECT: u8 = 5;
    pub const ECHO_REQUEST: u8 = 8;
    pub const TIME_EXCEEDED: u8 = 11;
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum.
    pub checksum: u16,
    /// Identifier and sequence number of an echo; otherwise by type.
    pub rest: [u8; 4],
}

impl Icmp {
    /// Reads the header, and returns the bytes of its data.
    pub fn parse(b: &[u8]) -> Result<(Icmp, &[u8]), WireError> {
        let b = need("ICMP", b, LEN)?;
        Ok((Icmp { kind: b[0], code: b[1], checksum: u16_at(b, CHECKSUM), rest: array(b, 4) }, &b[LEN..]))
    }

    /// Writes the header.
    pub fn emit(&self, b: &mut [u8]) {
        b[0] = self.kind;
        b[1] = self.code;
        put16(b, CHECKSUM, self.checksum);
        b[4..8].copy_from_slice(&self.rest);
    }
}

/// Computes and stores the checksum of the message `b`, which must hold a header.
pub fn fill_checksum(b: &mut [u8]) {
    put16(b, CHECKSUM, 0);
    let csum = checksum(b);
    put16(b, CHECKSUM, csum);
}
