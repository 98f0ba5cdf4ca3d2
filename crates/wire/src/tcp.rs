//! TCP (RFC 9293 3.1).
//!
//! ```text
//! | source port (2) | destination port (2) | sequence (4) | acknowledgment (4) |
//! | offset 4, flags 12 | window (2) | checksum (2) | urgent (2) | options |
//! ```

use crate::error::{WireError, need, put16, put32, u16_at, u32_at};

/// Bytes of a header without options.
pub const LEN: usize = 20;
/// IP protocol.
pub const PROTO: u8 = 6;
/// Offset of the checksum.
pub const CHECKSUM: usize = 16;

/// Flags.
pub mod flags {
    #![allow(missing_docs)]
    pub const FIN: u16 = 0x01;
    pub const SYN: u16 = 0x02;
    pub const RST: u16 = 0x04;
    pub const PSH: u16 = 0x08;
    pub const ACK: u16 = 0x10;
    pub const URG: u16 = 0x20;
    pub const ECE: u16 = 0x40;
    pub const CWR: u16 = 0x80;
    pub const NS: u16 = 0x100;
}

/// The header, without options.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tcp {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags, 12 bits.
    pub flags: u16,
    /// Window.
    pub window: u16,
    /// Checksum, as found; to be filled in by the caller on the way out.
    pub checksum: u16,
    /// Urgent pointer.
    pub urgent: u16,
}

impl Tcp {
    /// Reads the header: the header, its options, its payload.
    pub fn parse(b: &[u8]) -> Result<(Tcp, &[u8], &[u8]), WireError> {
        let b = need("TCP", b, LEN)?;
        let header = (b[12] >> 4) as usize * 4;
        if header < LEN {
            return Err(WireError::Invalid { header: "TCP", field: "data offset", value: header as u32 });
        }
        let b = need("TCP", b, header)?;
        let h = Tcp {
            src: u16_at(b, 0),
            dst: u16_at(b, 2),
            seq: u32_at(b, 4),
            ack: u32_at(b, 8),
            flags: u16_at(b, 12) & 0xfff,
            window: u16_at(b, 14),
            checksum: u16_at(b, CHECKSUM),
            urgent: u16_at(b, 18),
        };
        Ok((h, &b[LEN..header], &b[header..]))
    }

    /// Writes a header without options.
    pub fn emit(&self, b: &mut [u8]) {
        put16(b, 0, self.src);
        put16(b, 2, self.dst);
        put32(b, 4, self.seq);
        put32(b, 8, self.ack);
        put16(b, 12, 5 << 12 | (self.flags & 0xfff));
        put16(b, 14, self.window);
        put16(b, CHECKSUM, self.checksum);
        put16(b, 18, self.urgent);
    }
}
