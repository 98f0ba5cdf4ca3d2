//! IPv6 and its extension headers (RFC 8200).
//!
//! ```text
//! | ver 4, class 8, label 20 | payload length (2) | next | hop limit | source (16) | destination (16) |
//! ```

use crate::error::{WireError, array, need, put16, put32, u16_at, u32_at};
use std::net::Ipv6Addr;

/// Bytes of the header.
pub const LEN: usize = 40;
/// Ethertype.
pub const ETHERTYPE: u16 = 0x86dd;

/// Extension header numbers.
pub mod ext {
    #![allow(missing_docs)]
    pub const HOP_BY_HOP: u8 = 0;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const AUTH: u8 = 51;
    pub const DEST_OPTS: u8 = 60;
}

/// The fixed header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6 {
    /// Traffic class.
    pub tclass: u8,
    /// Flow label.
    pub label: u32,
    /// Bytes after this header.
    pub payload_len: u16,
    /// Next header.
    pub next: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
}

impl Ipv6 {
    /// Reads the fixed header, and returns the bytes of its payload.
    pub fn parse(b: &[u8]) -> Result<(Ipv6, &[u8]), WireError> {
        let b = need("IPv6", b, LEN)?;
        let first = u32_at(b, 0);
        if first >> 28 != 6 {
            return Err(WireError::Invalid { header: "IPv6", field: "version", value: first >> 28 });
        }
        let payload_len = u16_at(b, 4);
        let end = LEN + payload_len as usize;
        let b = need("IPv6", b, end)?;
        let h = Ipv6 {
            tclass: (first >> 20) as u8,
            label: first & 0xf_ffff,
            payload_len,
            next: b[6],
            hop_limit: b[7],
            src: array::<16>(b, 8).into(),
            dst: array::<16>(b, 24).into(),
        };
        Ok((h, &b[LEN..end]))
    }

    /// Writes the fixed header.
    pub fn emit(&self, b: &mut [u8]) {
        put32(b, 0, 6 << 28 | (self.tclass as u32) << 20 | (self.label & 0xf_ffff));
        put16(b, 4, self.payload_len);
        b[6] = self.next;
        b[7] = self.hop_limit;
        b[8..24].copy_from_slice(&self.src.octets());
        b[24..40].copy_from_slice(&self.dst.octets());
    }
}

/// The end of a chain of extension headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upper {
    /// Protocol.
    pub proto: u8,
    /// Where it starts, in bytes from the IPv6 header.
    pub offset: usize,
    /// Whether the packet is a fragment other than the first.
    pub later_fragment: bool,
    /// Whether a routing header with segments left was passed: the destination that the upper layer's checksum
    /// covers is then not the header's.
    pub routed: bool,
}

/// Walks the extension headers of the IPv6 packet at the start of `b`.
pub fn upper(b: &[u8]) -> Result<Upper, WireError> {
    let b = need("IPv6", b, LEN)?;
    let mut u = Upper { proto: b[6], offset: LEN, later_fragment: false, routed: false };
    loop {
        let h = &b[u.offset..];
        let len = match u.proto {
            ext::HOP_BY_HOP | ext::ROUTING | ext::DEST_OPTS => {
                (need("IPv6 extension", h, 8)?[1] as usize + 1) * 8
            }
            ext::AUTH => (need("IPv6 extension", h, 8)?[1] as usize + 2) * 4,
            ext::FRAGMENT => 8,
            _ => return Ok(u),
        };
        let h = need("IPv6 extension", h, len)?;
        if u.proto == ext::ROUTING && h[3] != 0 {
            u.routed = true;
        }
        if u.proto == ext::FRAGMENT && u16_at(h, 2) & 0xfff8 != 0 {
            u.later_fragment = true;
        }
        u.proto = h[0];
        u.offset += len;
        if u.later_fragment {
            return Ok(u);
        }
    }
}
