//! IPv4 (RFC 791 3.1).
//!
//! ```text
//! | ver 4, IHL 4 | TOS | total length (2) | id (2) | flags 3, offset 13 |
//! | TTL | protocol | checksum (2) | source (4) | destination (4) | options |
//! ```

use crate::checksum::checksum;
use crate::error::{WireError, array, need, put16, u16_at};
use std::net::Ipv4Addr;

/// Bytes of a header without options.
pub const LEN: usize = 20;
/// Ethertype.
pub const ETHERTYPE: u16 = 0x0800;
/// Do not fragment.
pub const DF: u16 = 0x4000;
/// More fragments.
pub const MF: u16 = 0x2000;
/// Fragment offset, in units of 8 bytes.
pub const OFFSET: u16 = 0x1fff;

/// The header, without options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4 {
    /// Type of service.
    pub tos: u8,
    /// Bytes after this header.
    pub payload_len: u16,
    /// Identification.
    pub id: u16,
    /// Flags and fragment offset.
    pub frag: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol.
    pub proto: u8,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
}

impl Ipv4 {
    /// Reads the header, and returns the bytes of its payload.
    pub fn parse(b: &[u8]) -> Result<(Ipv4, &[u8]), WireError> {
        let b = need("IPv4", b, LEN)?;
        let invalid = |field, value: usize| WireError::Invalid { header: "IPv4", field, value: value as u32 };
        if b[0] >> 4 != 4 {
            return Err(invalid("version", (b[0] >> 4) as usize));
        }
        let header = (b[0] & 15) as usize * 4;
        let total = u16_at(b, 2) as usize;
        if header < LEN || header > total {
            return Err(invalid("header length", header));
        }
        let b = need("IPv4", b, total)?;
        let h = Ipv4 {
            tos: b[1],
            payload_len: (total - header) as u16,
            id: u16_at(b, 4),
            frag: u16_at(b, 6),
            ttl: b[8],
            proto: b[9],
            src: array::<4>(b, 12).into(),
            dst: array::<4>(b, 16).into(),
        };
        Ok((h, &b[header..total]))
    }

    /// Writes a header without options, with its checksum.
    pub fn emit(&self, b: &mut [u8]) {
        b[0] = 0x45;
        b[1] = self.tos;
        put16(b, 2, self.payload_len.saturating_add(LEN as u16));
        put16(b, 4, self.id);
        put16(b, 6, self.frag);
        b[8] = self.ttl;
        b[9] = self.proto;
        put16(b, 10, 0);
        b[12..16].copy_from_slice(&self.src.octets());
        b[16..20].copy_from_slice(&self.dst.octets());
        let csum = checksum(&b[..LEN]);
        put16(b, 10, csum);
    }
}

/// Whether the checksum of the header at the start of `b` is right.
pub fn checksum_ok(b: &[u8]) -> bool {
    b.len() >= LEN && b.get(..(b[0] & 15) as usize * 4).is_some_and(|h| h.len() >= LEN && checksum(h) == 0)
}
