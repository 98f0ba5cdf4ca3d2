//! ICMPv6 (RFC 4443) and neighbor discovery (RFC 4861).
//!
//! ```text
//! | type | code | checksum (2) | body ...
//! neighbor solicitation, advertisement: | flags and reserved (4) | target (16) | options
//! option: | type | length / 8 | value ...
//! ```

use crate::error::{WireError, array, need, put16, put32, u16_at, u32_at};
use base::Mac;
use std::net::Ipv6Addr;

/// Bytes of the header.
pub const LEN: usize = 4;
/// IP protocol.
pub const PROTO: u8 = 58;
/// Offset of the checksum.
pub const CHECKSUM: usize = 2;
/// Bytes of a neighbor solicitation or advertisement before its options.
pub const ND_LEN: usize = 24;

/// Types.
pub mod kind {
    #![allow(missing_docs)]
    pub const UNREACHABLE: u8 = 1;
    pub const TOO_BIG: u8 = 2;
    pub const TIME_EXCEEDED: u8 = 3;
    pub const PARAMETER_PROBLEM: u8 = 4;
    pub const ECHO_REQUEST: u8 = 128;
    pub const ECHO_REPLY: u8 = 129;
    pub const ROUTER_SOLICIT: u8 = 133;
    pub const ROUTER_ADVERT: u8 = 134;
    pub const NEIGHBOR_SOLICIT: u8 = 135;
    pub const NEIGHBOR_ADVERT: u8 = 136;
}

/// Option type: source link-layer address.
pub const OPT_SOURCE: u8 = 1;
/// Option type: target link-layer address.
pub const OPT_TARGET: u8 = 2;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Icmpv6 {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum.
    pub checksum: u16,
}

impl Icmpv6 {
    /// Reads the header, and returns the bytes of its body.
    pub fn parse(b: &[u8]) -> Result<(Icmpv6, &[u8]), WireError> {
        let b = need("ICMPv6", b, LEN)?;
        Ok((Icmpv6 { kind: b[0], code: b[1], checksum: u16_at(b, CHECKSUM) }, &b[LEN..]))
    }

    /// Writes the header.
    pub fn emit(&self, b: &mut [u8]) {
        b[0] = self.kind;
        b[1] = self.code;
        put16(b, CHECKSUM, self.checksum);
    }
}

/// A neighbor solicitation or advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborMessage {
    /// Solicitation or advertisement.
    pub kind: u8,
    /// Router, solicited and override flags in the top bits.
    pub flags: u32,
    /// Target.
    pub target: Ipv6Addr,
    /// Source link-layer address.
    pub source_mac: Option<Mac>,
    /// Target link-layer address.
    pub target_mac: Option<Mac>,
}

impl NeighborMessage {
    /// Reads a whole ICMPv6 message.
    pub fn parse(b: &[u8]) -> Result<NeighborMessage, WireError> {
        let b = need("ND", b, ND_LEN)?;
        let invalid = |field, value: u8| WireError::Invalid { header: "ND", field, value: value as u32 };
        if !matches!(b[0], kind::NEIGHBOR_SOLICIT | kind::NEIGHBOR_ADVERT) {
            return Err(invalid("type", b[0]));
        }
        let mut m = NeighborMessage {
            kind: b[0],
            flags: u32_at(b, 4),
            target: array::<16>(b, 8).into(),
            source_mac: None,
            target_mac: None,
        };
        for option in options(&b[ND_LEN..]) {
            let option = option?;
            match option[0] {
                OPT_SOURCE if option.len() == 8 => m.source_mac = Some(Mac(array(option, 2))),
                OPT_TARGET if option.len() == 8 => m.target_mac = Some(Mac(array(option, 2))),
                _ => {}
            }
        }
        Ok(m)
    }

    /// Bytes that [`NeighborMessage::emit`] writes.
    pub fn len(&self) -> usize {
        ND_LEN + 8 * (self.source_mac.is_some() as usize + self.target_mac.is_some() as usize)
    }

    /// Never: the message has a fixed part.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Writes the message, with checksum 0.
    pub fn emit(&self, b: &mut [u8]) {
        Icmpv6 { kind: self.kind, code: 0, checksum: 0 }.emit(b);
        put32(b, 4, self.flags);
        b[8..24].copy_from_slice(&self.target.octets());
        let mut at = ND_LEN;
        for (kind, mac) in [(OPT_SOURCE, self.source_mac), (OPT_TARGET, self.target_mac)] {
            if let Some(mac) = mac {
                b[at..at + 2].copy_from_slice(&[kind, 1]);
                b[at + 2..at + 8].copy_from_slice(&mac.0);
                at += 8;
            }
        }
    }
}

/// The options in `b`, each with its type and length bytes; an error ends them.
pub fn options(mut b: &[u8]) -> impl Iterator<Item = Result<&[u8], WireError>> {
    std::iter::from_fn(move || {
        if b.is_empty() {
            return None;
        }
        let whole = b;
        b = &[];
        let len = match need("ND option", whole, 8) {
            Ok(o) if o[1] == 0 => {
                return Some(Err(WireError::Invalid { header: "ND option", field: "length", value: 0 }));
            }
            Ok(o) => o[1] as usize * 8,
            Err(e) => return Some(Err(e)),
        };
        match need("ND option", whole, len) {
            Ok(o) => {
                b = &o[len..];
                Some(Ok(&o[..len]))
            }
            Err(e) => Some(Err(e)),
        }
    })
}
