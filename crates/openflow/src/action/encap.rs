//! `encap` and `decap`: push and pop whole headers.

use crate::buf::Reader;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use super::Action;
use super::wire::{Dec, Enc};

/// A property of an [`Encap`], kept as it was on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EncapProperty {
    /// NSH metadata type, 1 or 2.
    NshMdType(u8),
    /// An NSH metadata TLV.
    NshTlv {
        /// TLV class.
        class: u16,
        /// TLV type.
        kind: u8,
        /// TLV value.
        value: Box<[u8]>,
    },
}

/// Push a header of the given packet type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encap {
    /// Packet type: name space in the high 16 bits, type in the low.
    pub packet_type: u32,
    /// Header size; zero means the default.
    pub hdr_size: u16,
    /// Properties.
    pub properties: Box<[EncapProperty]>,
}

/// Pop the outermost header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decap {
    /// What the packet is afterwards; `0xfffe` ([`Decap::NEXT`]) means as the header says.
    pub packet_type: u32,
}

impl Decap {
    /// "Take the next protocol from the header".
    pub const NEXT: u32 = 0xfffe;
}

/// Class of the NSH properties.
const CLASS_NSH: u16 = 4;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let hdr_size = d.r.u16()?;
    let packet_type = d.r.u32()?;
    if !Encap::TYPES.contains(&packet_type) {
        return Err(OfpErr::NXBAC_BAD_HEADER_TYPE.into());
    }
    let mut properties = Vec::new();
    while !d.r.is_empty() {
        let class = d.r.u16()?;
        let kind = d.r.u8()?;
        let len = usize::from(d.r.u8()?);
        let padded = len.next_multiple_of(8);
        if len < 4 || d.r.len() < padded - 4 {
            return Err(OfpErr::OFPBAC_BAD_LEN.into());
        }
        let mut p = Reader::with_error(&d.r.take(padded - 4)?[..len - 4], OfpErr::NXBAC_BAD_ED_PROP);
        properties.push(match (class, kind) {
            (CLASS_NSH, 1) => {
                let md = p.u8()?;
                if md != 1 && md != 2 {
                    return Err(OfpErr::NXBAC_BAD_ED_PROP.into());
                }
                EncapProperty::NshMdType(md)
            }
            (CLASS_NSH, 2) => {
                let class = p.u16()?;
                let kind = p.u8()?;
                let n = usize::from(p.u8()?);
                EncapProperty::NshTlv { class, kind, value: p.take(n)?.into() }
            }
            _ => return Err(OfpErr::NXBAC_UNKNOWN_ED_PROP.into()),
        });
    }
    Ok(Action::Encap(Box::new(Encap { packet_type, hdr_size, properties: properties.into() })))
}

pub(super) fn decode_decap(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    Ok(Action::Decap(Decap { packet_type: d.r.u32()? }))
}

impl Encap {
    /// An Ethernet frame.
    pub const ETHERNET: u32 = 0;
    /// NSH.
    pub const NSH: u32 = 0x1_894f;
    /// MPLS.
    pub const MPLS: u32 = 0x1_8847;
    /// MPLS multicast.
    pub const MPLS_MC: u32 = 0x1_8848;
    /// What can be pushed.
    pub const TYPES: [u32; 4] = [Encap::ETHERNET, Encap::NSH, Encap::MPLS, Encap::MPLS_MC];

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(46, |o| {
            o.u16(self.hdr_size);
            o.u32(self.packet_type);
            for p in &self.properties {
                let start = o.len();
                o.u16(CLASS_NSH);
                match p {
                    EncapProperty::NshMdType(md) => {
                        o.u8(1);
                        o.u8(5);
                        o.u8(*md);
                    }
                    EncapProperty::NshTlv { class, kind, value } => {
                        o.u8(2);
                        o.u8((8 + value.len()) as u8);
                        o.u16(*class);
                        o.u8(*kind);
                        o.u8(value.len() as u8);
                        o.bytes(value);
                    }
                }
                o.align(start, 8);
            }
        });
    }
}

impl Decap {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(47, |o| {
            o.zeros(2);
            o.u32(self.packet_type);
        });
    }
}
