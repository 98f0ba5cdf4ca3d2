//! `encap` and `decap`: push and pop whole headers.

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
