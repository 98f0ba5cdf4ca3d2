//! ARP for Ethernet and IPv4 (RFC 826).
//!
//! ```text
//! | 1 (2) | 0x0800 (2) | 6 | 4 | op (2) | sender MAC (6), IP (4) | target MAC (6), IP (4) |
//! ```

use crate::error::{WireError, array, need, put16, u16_at, u32_at};
use base::Mac;
use std::net::Ipv4Addr;

/// Bytes of the packet.
pub const LEN: usize = 28;
/// Ethertype.
pub const ETHERTYPE: u16 = 0x0806;
/// Ethertype of the reverse protocol (RFC 903).
pub const ETHERTYPE_RARP: u16 = 0x8035;
/// Request.
pub const REQUEST: u16 = 1;
/// Reply.
pub const REPLY: u16 = 2;

/// The packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arp {
    /// Operation.
    pub op: u16,
    /// Sender hardware address.
    pub sha: Mac,
    /// Sender protocol address.
    pub spa: Ipv4Addr,
    /// Target hardware address.
    pub tha: Mac,
    /// Target protocol address.
    pub tpa: Ipv4Addr,
}

impl Arp {
    /// Reads the packet.
    pub fn parse(b: &[u8]) -> Result<Arp, WireError> {
        let b = need("ARP", b, LEN)?;
        let kinds = [("hardware type", 0, 1), ("protocol type", 2, 0x0800), ("address lengths", 4, 0x0604)];
        for (field, at, want) in kinds {
            let value = u16_at(b, at);
            if value != want {
                return Err(WireError::Invalid { header: "ARP", field, value: value as u32 });
            }
        }
        Ok(Arp::fields(b))
    }

    /// Reads the fields where they are for Ethernet and IPv4, whatever the packet says it is for.
    pub(crate) fn fields(b: &[u8]) -> Arp {
        Arp {
            op: u16_at(b, 6),
            sha: Mac(array(b, 8)),
            spa: u32_at(b, 14).into(),
            tha: Mac(array(b, 18)),
            tpa: u32_at(b, 24).into(),
        }
    }

    /// Writes the packet.
    pub fn emit(&self, b: &mut [u8]) {
        b[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
        self.emit_fields(b);
    }

    /// The counterpart of [`Arp::fields`].
    pub(crate) fn emit_fields(&self, b: &mut [u8]) {
        put16(b, 6, self.op);
        b[8..14].copy_from_slice(&self.sha.0);
        b[14..18].copy_from_slice(&self.spa.octets());
        b[18..24].copy_from_slice(&self.tha.0);
        b[24..28].copy_from_slice(&self.tpa.octets());
    }
}
