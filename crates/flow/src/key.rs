//! The flow key: every field of a packet and of the pipeline in one flat value, and masks of the same shape.

use crate::field::{Field, Location, Subfield, ones};
use crate::layout::{self as l, BYTES, WORDS};
use base::{DpPort, Mac, OfPort};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A field's value: up to 128 bits, in the low bits. Longer tunnel options have an interface of their own.
pub type Value = u128;

/// Bit of a TCI that says that there is a tag.
pub const VLAN_PRESENT: u16 = 0x1000;

/// Ethertypes.
pub mod eth_type {
    #![allow(missing_docs)]
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const TEB: u16 = 0x6558;
    pub const RARP: u16 = 0x8035;
    pub const VLAN: u16 = 0x8100;
    pub const QINQ: u16 = 0x88a8;
    pub const IPV6: u16 = 0x86dd;
    pub const MPLS: u16 = 0x8847;
    pub const MPLS_MULTICAST: u16 = 0x8848;
    pub const PBB: u16 = 0x88e7;
    pub const NSH: u16 = 0x894f;
    /// An Ethernet frame as payload (GRE, MPLS).
    pub const BRIDGED: u16 = 0x6558;
    pub const LLDP: u16 = 0x88cc;
    /// What a frame without a type has (802.3 with LLC).
    pub const NOT_A_TYPE: u16 = 0x05ff;
}

/// IP protocols.
pub mod ip_proto {
    #![allow(missing_docs)]
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const GRE: u8 = 47;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
}

/// `nw_frag` bits.
pub mod frag {
    /// The packet is a fragment.
    pub const ANY: u8 = 1;
    /// Its offset is not zero: no L4 header.
    pub const LATER: u8 = 2;
}

/// `tun_flags` bits in a key; only [`OAM`] is an OpenFlow field.
pub mod tun_flags {
    /// An OAM packet.
    pub const OAM: u16 = 1;
    /// Do not fragment the outer packet.
    pub const DF: u16 = 2;
    /// Outer UDP checksum.
    pub const CSUM: u16 = 4;
    /// The tunnel has a key.
    pub const KEY: u16 = 8;
    /// The option bytes hold the options as on the wire, and the map of options their length.
    pub const RAW_OPTIONS: u16 = 16;
}

/// `ct_state` bits.
pub mod ct_state {
    #![allow(missing_docs)]
    pub const NEW: u32 = 0x01;
    pub const EST: u32 = 0x02;
    pub const REL: u32 = 0x04;
    pub const RPL: u32 = 0x08;
    pub const INV: u32 = 0x10;
    pub const TRK: u32 = 0x20;
    pub const SNAT: u32 = 0x40;
    pub const DNAT: u32 = 0x80;
}

/// Every field at its place in [`crate::layout`]. Words hold big-endian bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FlowKey {
    /// The words, in memory order.
    pub words: [u64; WORDS],
}

impl Default for FlowKey {
    fn default() -> FlowKey {
        FlowKey { words: [0; WORDS] }
    }
}

impl FlowKey {
    /// The bytes, at the offsets of [`crate::layout`].
    #[inline]
    pub fn bytes(&self) -> &[u8; BYTES] {
        zerocopy::transmute_ref!(&self.words)
    }

    /// The bytes, to be written.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8; BYTES] {
        zerocopy::transmute_mut!(&mut self.words)
    }

    #[inline]
    pub(crate) fn array<const K: usize>(&self, ofs: usize) -> [u8; K] {
        self.bytes()[ofs..ofs + K].try_into().expect("K bytes were taken")
    }

    /// The u8 at `ofs`.
    #[inline]
    pub fn u8_at(&self, ofs: usize) -> u8 {
        self.bytes()[ofs]
    }

    /// The big-endian u16 at `ofs`.
    #[inline]
    pub fn u16_at(&self, ofs: usize) -> u16 {
        u16::from_be_bytes(self.array(ofs))
    }

    /// The big-endian u32 at `ofs`.
    #[inline]
    pub fn u32_at(&self, ofs: usize) -> u32 {
        u32::from_be_bytes(self.array(ofs))
    }

    /// The big-endian u64 at `ofs`.
    #[inline]
    pub fn u64_at(&self, ofs: usize) -> u64 {
        u64::from_be_bytes(self.array(ofs))
    }

    /// The big-endian u128 at `ofs`.
    #[inline]
    pub fn u128_at(&self, ofs: usize) -> u128 {
        u128::from_be_bytes(self.array(ofs))
    }

    /// Writes bytes at `ofs` (an offset of [`crate::layout`]).
    #[inline]
    pub fn put(&mut self, ofs: usize, bytes: &[u8]) {
        self.bytes_mut()[ofs..ofs + bytes.len()].copy_from_slice(bytes);
    }

    /// Two adjacent words as one number, the second being 0 past the end.
    #[inline]
    fn window(&self, word: usize) -> u128 {
        let hi = u64::from_be(self.words[word]);
        let lo = self.words.get(word + 1).map_or(0, |w| u64::from_be(*w));
        (hi as u128) << 64 | lo as u128
    }

    #[inline]
    pub(crate) fn load_bits(&self, start: u16, len: u8) -> u128 {
        let (word, at, len) = ((start / 64) as usize, start % 64, len as u16);
        if at + len <= 64 {
            return (u64::from_be(self.words[word]) << at >> (64 - len)) as u128;
        }
        (self.window(word) >> (128 - at - len)) & ones(len)
    }

    #[inline]
    pub(crate) fn store_bits(&mut self, start: u16, len: u8, value: u128, mask: u128) {
        let (word, at, len) = ((start / 64) as usize, start % 64, len as u16);
        let mask = mask & ones(len);
        if at + len <= 64 {
            let shift = 64 - at - len;
            let (value, mask) = ((value as u64) << shift, (mask as u64) << shift);
            let w = u64::from_be(self.words[word]);
            self.words[word] = ((w & !mask) | (value & mask)).to_be();
            return;
        }
        let shift = 128 - at - len;
        let mask = mask << shift;
        let w = (self.window(word) & !mask) | ((value << shift) & mask);
        self.words[word] = ((w >> 64) as u64).to_be();
        if let Some(second) = self.words.get_mut(word + 1) {
            *second = (w as u64).to_be();
        }
    }

    /// The value of a field. A tunnel option gives 0: see [`crate::tun::TunLayout`].
    pub fn get(&self, field: Field) -> Value {
        let info = field.info();
        match info.location {
            Location::Bits { start, len } => self.load_bits(start, len) & info.valid,
            Location::LowByte(ofs) => self.u8_at(ofs as usize + 1) as u128,
            Location::Port16 => self.in_port().to_u16().unwrap_or(0xffff) as u128,
            Location::DlVlan => self.vlan_tci() as u128 & 0xfff,
            Location::DlVlanPcp => self.vlan_tci() as u128 >> 13,
            Location::TunMetadata(_) => 0,
        }
    }

    /// Sets a field (bits beyond its width are ignored).
    pub fn set(&mut self, field: Field, value: Value) {
        self.set_masked(field, value, u128::MAX);
    }

    /// Sets the bits of a field that are set in `mask`.
    pub fn set_masked(&mut self, field: Field, value: Value, mask: Value) {
        let info = field.info();
        match info.location {
            Location::Bits { start, len } => self.store_bits(start, len, value, mask & info.valid),
            Location::LowByte(ofs) => {
                let v = (self.get(field) & !mask) | (value & mask);
                self.put(ofs as usize + 1, &[v as u8]);
            }
            Location::Port16 => {
                let v = (self.get(field) & !mask) | (value & mask);
                self.put(l::IN_PORT, &OfPort::from_u16(v as u16).0.to_be_bytes());
            }
            Location::DlVlan => {
                let v = value as u16;
                if v == 0xffff && mask as u16 == 0xffff {
                    self.set_vlan_tci(0);
                } else {
                    let m = mask as u16 & 0xfff;
                    self.set_vlan_tci((self.vlan_tci() & !m) | (v & m) | VLAN_PRESENT);
                }
            }
            Location::DlVlanPcp => {
                let m = (mask as u16 & 7) << 13;
                self.set_vlan_tci((self.vlan_tci() & !m) | ((value as u16) << 13 & m) | VLAN_PRESENT);
            }
            Location::TunMetadata(_) => {}
        }
    }

    /// The value of some bits of a field.
    pub fn get_sub(&self, sub: Subfield) -> Value {
        if sub.ofs >= 128 { 0 } else { (self.get(sub.field) >> sub.ofs) & ones(sub.n_bits) }
    }

    /// Sets some bits of a field.
    pub fn set_sub(&mut self, sub: Subfield, value: Value) {
        if sub.ofs < 128 {
            self.set_masked(sub.field, value << sub.ofs, ones(sub.n_bits) << sub.ofs);
        }
    }

    /// The map of words that are not zero, bit `n` for word `n`.
    pub fn map(&self) -> u128 {
        // Most of a key is empty: eight words at a time tell.
        let mut map = 0;
        for (n, eight) in self.words.chunks(8).enumerate() {
            if eight.iter().fold(0, |all, w| all | w) != 0 {
                let bits = eight.iter().enumerate().fold(0u8, |m, (i, w)| m | u8::from(*w != 0) << i);
                map |= u128::from(bits) << (8 * n);
            }
        }
        map
    }

    /// Clears all bits that `mask` does not have.
    pub fn apply_mask(&mut self, mask: &Mask) {
        for (k, m) in self.words.iter_mut().zip(&mask.0.words) {
            *k &= m;
        }
    }

    /// Whether the two agree on all bits of `mask`.
    pub fn equal_under(&self, other: &FlowKey, mask: &Mask) -> bool {
        self.words.iter().zip(&other.words).zip(&mask.0.words).all(|((a, b), m)| (a ^ b) & m == 0)
    }
}

/// The typed accessors.
impl FlowKey {
    /// Input port as an OpenFlow number.
    pub fn in_port(&self) -> OfPort {
        OfPort(self.u32_at(l::IN_PORT))
    }
    /// Sets the input port.
    pub fn set_in_port(&mut self, port: OfPort) {
        self.put(l::IN_PORT, &port.0.to_be_bytes());
    }
    /// Input port as a datapath number (the same bytes, in the datapath's keys).
    pub fn dp_port(&self) -> DpPort {
        DpPort(self.u32_at(l::IN_PORT))
    }
    /// Sets the input port.
    pub fn set_dp_port(&mut self, port: DpPort) {
        self.put(l::IN_PORT, &port.0.to_be_bytes());
    }
    /// Recirculation id.
    pub fn recirc_id(&self) -> u32 {
        self.u32_at(l::RECIRC_ID)
    }
    /// Datapath hash.
    pub fn dp_hash(&self) -> u32 {
        self.u32_at(l::DP_HASH)
    }
    /// Packet type: namespace in the high 16 bits.
    pub fn packet_type(&self) -> u32 {
        self.u32_at(l::PACKET_TYPE)
    }
    /// Packet mark.
    pub fn pkt_mark(&self) -> u32 {
        self.u32_at(l::PKT_MARK)
    }
    /// Queueing priority.
    pub fn skb_priority(&self) -> u32 {
        self.u32_at(l::SKB_PRIORITY)
    }
    /// Connection state bits, see [`ct_state`].
    pub fn ct_state(&self) -> u32 {
        self.u32_at(l::CT_STATE)
    }
    /// Connection zone.
    pub fn ct_zone(&self) -> u16 {
        self.u16_at(l::CT_ZONE)
    }
    /// Connection mark.
    pub fn ct_mark(&self) -> u32 {
        self.u32_at(l::CT_MARK)
    }
    /// Connection label.
    pub fn ct_label(&self) -> u128 {
        self.u128_at(l::CT_LABEL)
    }
    /// Tunnel key.
    pub fn tun_id(&self) -> u64 {
        self.u64_at(l::TUN_ID)
    }
    /// Outer IPv4 source.
    pub fn tun_src(&self) -> Ipv4Addr {
        self.array::<4>(l::TUN_SRC).into()
    }
    /// Outer IPv4 destination.
    pub fn tun_dst(&self) -> Ipv4Addr {
        self.array::<4>(l::TUN_DST).into()
    }
    /// Outer IPv6 source.
    pub fn tun_ipv6_src(&self) -> Ipv6Addr {
        self.array::<16>(l::TUN_IPV6_SRC).into()
    }
    /// Outer IPv6 destination.
    pub fn tun_ipv6_dst(&self) -> Ipv6Addr {
        self.array::<16>(l::TUN_IPV6_DST).into()
    }
    /// Tunnel flags, see [`tun_flags`].
    pub fn tun_flags(&self) -> u16 {
        self.u16_at(l::TUN_FLAGS)
    }
    /// Whether the packet came through (or goes to) a tunnel.
    pub fn is_tunneled(&self) -> bool {
        self.tun_dst() != Ipv4Addr::UNSPECIFIED || self.tun_ipv6_dst() != Ipv6Addr::UNSPECIFIED
    }
    /// Ethernet source.
    pub fn eth_src(&self) -> Mac {
        Mac(self.array(l::ETH_SRC))
    }
    /// Sets the Ethernet source.
    pub fn set_eth_src(&mut self, mac: Mac) {
        self.put(l::ETH_SRC, &mac.0);
    }
    /// Ethernet destination.
    pub fn eth_dst(&self) -> Mac {
        Mac(self.array(l::ETH_DST))
    }
    /// Sets the Ethernet destination.
    pub fn set_eth_dst(&mut self, mac: Mac) {
        self.put(l::ETH_DST, &mac.0);
    }
    /// Ethertype after any tags; [`eth_type::NOT_A_TYPE`] if the frame has none.
    pub fn eth_type(&self) -> u16 {
        self.u16_at(l::ETH_TYPE)
    }
    /// Sets the Ethertype.
    pub fn set_eth_type(&mut self, t: u16) {
        self.put(l::ETH_TYPE, &t.to_be_bytes());
    }
    /// TCI of the outer tag, with [`VLAN_PRESENT`], or 0 without a tag.
    pub fn vlan_tci(&self) -> u16 {
        self.u16_at(l::VLAN_TCI)
    }
    /// Sets the TCI of the outer tag.
    pub fn set_vlan_tci(&mut self, tci: u16) {
        self.put(l::VLAN_TCI, &tci.to_be_bytes());
    }
    /// TPID of the outer tag.
    pub fn vlan_tpid(&self) -> u16 {
        self.u16_at(l::VLAN_TPID)
    }
    /// Tag `n` (0 outer, 1 inner) as (TPID, TCI).
    pub fn vlan(&self, n: usize) -> (u16, u16) {
        (self.u16_at(l::VLAN + 4 * n), self.u16_at(l::VLAN + 4 * n + 2))
    }
    /// Sets tag `n`.
    pub fn set_vlan(&mut self, n: usize, tpid: u16, tci: u16) {
        self.put(l::VLAN + 4 * n, &tpid.to_be_bytes());
        self.put(l::VLAN + 4 * n + 2, &tci.to_be_bytes());
    }
    /// MPLS label stack entry `n` (0..3, 0 is the outermost).
    pub fn mpls_lse(&self, n: usize) -> u32 {
        self.u32_at(l::MPLS + 4 * n)
    }
    /// Sets MPLS label stack entry `n`.
    pub fn set_mpls_lse(&mut self, n: usize, lse: u32) {
        self.put(l::MPLS + 4 * n, &lse.to_be_bytes());
    }
    /// IPv4 source or ARP sender address.
    pub fn nw_src(&self) -> Ipv4Addr {
        self.array::<4>(l::NW_SRC).into()
    }
    /// IPv4 destination or ARP target address.
    pub fn nw_dst(&self) -> Ipv4Addr {
        self.array::<4>(l::NW_DST).into()
    }
    /// IPv6 source.
    pub fn ipv6_src(&self) -> Ipv6Addr {
        self.array::<16>(l::IPV6_SRC).into()
    }
    /// IPv6 destination.
    pub fn ipv6_dst(&self) -> Ipv6Addr {
        self.array::<16>(l::IPV6_DST).into()
    }
    /// IPv6 flow label.
    pub fn ipv6_label(&self) -> u32 {
        self.u32_at(l::IPV6_LABEL)
    }
    /// IP protocol (or ARP opcode).
    pub fn ip_proto(&self) -> u8 {
        self.u8_at(l::NW_PROTO)
    }
    /// TOS byte.
    pub fn nw_tos(&self) -> u8 {
        self.u8_at(l::NW_TOS)
    }
    /// TTL.
    pub fn nw_ttl(&self) -> u8 {
        self.u8_at(l::NW_TTL)
    }
    /// Fragment bits, see [`frag`].
    pub fn nw_frag(&self) -> u8 {
        self.u8_at(l::NW_FRAG)
    }
    /// ARP sender hardware address.
    pub fn arp_sha(&self) -> Mac {
        Mac(self.array(l::ARP_SHA))
    }
    /// ARP target hardware address.
    pub fn arp_tha(&self) -> Mac {
        Mac(self.array(l::ARP_THA))
    }
    /// ND target.
    pub fn nd_target(&self) -> Ipv6Addr {
        self.array::<16>(l::ND_TARGET).into()
    }
    /// L4 source port, or ICMP type.
    pub fn tp_src(&self) -> u16 {
        self.u16_at(l::TP_SRC)
    }
    /// L4 destination port, or ICMP code.
    pub fn tp_dst(&self) -> u16 {
        self.u16_at(l::TP_DST)
    }
    /// TCP flags.
    pub fn tcp_flags(&self) -> u16 {
        self.u16_at(l::TCP_FLAGS)
    }
    /// Register `n`.
    pub fn reg(&self, n: usize) -> u32 {
        self.u32_at(l::REGS + 4 * n)
    }
    /// Sets register `n`.
    pub fn set_reg(&mut self, n: usize, value: u32) {
        self.put(l::REGS + 4 * n, &value.to_be_bytes());
    }
    /// OpenFlow metadata.
    pub fn metadata(&self) -> u64 {
        self.u64_at(l::METADATA)
    }
    /// Whether this is IPv4 or IPv6 by its Ethertype.
    pub fn is_ip_any(&self) -> bool {
        matches!(self.eth_type(), eth_type::IPV4 | eth_type::IPV6)
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_map();
        for field in Field::all() {
            let v = self.get(field);
            if v != 0 {
                d.entry(&field, &format_args!("{v:#x}"));
            }
        }
        d.finish()
    }
}

/// Which bits of a key count.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Mask(pub FlowKey);

impl Mask {
    /// All bits.
    pub fn exact() -> Mask {
        Mask(FlowKey { words: [u64::MAX; WORDS] })
    }

    /// The words.
    pub fn words(&self) -> &[u64; WORDS] {
        &self.0.words
    }

    /// The mask of one field, in the field's own bits.
    pub fn get(&self, field: Field) -> Value {
        match field.info().location {
            Location::Port16 => (self.0.u32_at(l::IN_PORT) & 0xffff) as u128,
            _ => self.0.get(field),
        }
    }

    /// Makes all bits of a field count.
    pub fn set_exact(&mut self, field: Field) {
        self.or(field, u128::MAX);
    }

    /// Makes no bit of a field count.
    pub fn clear(&mut self, field: Field) {
        self.set(field, 0);
    }

    /// Replaces the mask of a field.
    pub fn set(&mut self, field: Field, mask: Value) {
        match field.info().location {
            Location::Bits { .. } => self.0.set(field, mask),
            Location::LowByte(ofs) => {
                let m = mask as u8;
                self.0.put(ofs as usize, &[if m == 0 { 0 } else { 0xff }, m]);
            }
            Location::Port16 => {
                let m: u32 = if mask == 0 { 0 } else { u32::MAX };
                self.0.put(l::IN_PORT, &m.to_be_bytes());
            }
            Location::DlVlan | Location::DlVlanPcp => {
                let (shift, width) = if field == Field::DL_VLAN { (0, 0xfff) } else { (13, 7) };
                let other = if field == Field::DL_VLAN { 0xe000 } else { 0x0fff };
                let mut m = (self.0.vlan_tci() & (other | VLAN_PRESENT)) | (mask as u16 & width) << shift;
                if mask != 0 {
                    m |= VLAN_PRESENT;
                } else if m & other == 0 {
                    m = 0;
                }
                self.0.set_vlan_tci(m);
            }
            Location::TunMetadata(_) => {}
        }
    }

    /// Adds bits to the mask of a field.
    pub fn or(&mut self, field: Field, bits: Value) {
        self.set(field, self.get(field) | bits);
    }

    /// Adds some bits of a field.
    pub fn or_sub(&mut self, sub: Subfield) {
        if sub.ofs < 128 {
            self.or(sub.field, ones(sub.n_bits) << sub.ofs);
        }
    }

    /// Adds all bits of another mask.
    pub fn or_mask(&mut self, other: &Mask) {
        for (a, b) in self.0.words.iter_mut().zip(&other.0.words) {
            *a |= b;
        }
    }

    /// Whether every bit of `self` is in `other`.
    pub fn is_subset_of(&self, other: &Mask) -> bool {
        self.0.words.iter().zip(&other.0.words).all(|(a, b)| a & !b == 0)
    }

    /// Whether no bit counts.
    pub fn is_empty(&self) -> bool {
        self.0.words.iter().all(|w| *w == 0)
    }

    /// Whether no bit of the field counts.
    pub fn is_wild(&self, field: Field) -> bool {
        self.get(field) == 0
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
