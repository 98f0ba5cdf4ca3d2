//! The field table: everything that is generic over fields (codec, text, actions, masks) is driven by it.
//!
//! One entry per field of ovs-fields(7), in one order, which is also the order of the numbers inside [`Field`].

use crate::layout as l;
use std::fmt;

/// A match field: an index into the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(u8);

/// One way to name a field on the wire: a 32-bit OXM/NXM header, or a 64-bit one when `experimenter` is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Name as printed, such as `NXM_OF_IN_PORT`.
    pub name: &'static str,
    /// OXM class or NXM vendor.
    pub class: u16,
    /// Field number in the class (7 bits).
    pub field: u8,
    /// Experimenter id, for class 0xffff; otherwise 0.
    pub experimenter: u32,
    /// First OpenFlow version (on-wire number, 1 for 1.0 .. 6 for 1.5) whose standard or ONF extension has it;
    /// 0 for extensions of Open vSwitch, which any version carries.
    pub of_version: u8,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Decimal number.
    Decimal,
    /// Hexadecimal number.
    Hexadecimal,
    /// Connection state flags.
    CtState,
    /// Ethernet address.
    Ethernet,
    /// IPv4 address.
    Ipv4,
    /// IPv6 address.
    Ipv6,
    /// 16-bit port number.
    OfPort,
    /// 32-bit port number.
    OfPortOxm,
    /// Fragment keywords.
    Frag,
    /// Tunnel flags.
    TunFlags,
    /// TCP flags.
    TcpFlags,
    /// `(namespace,type)`.
    PacketType,
}

/// What a match must contain before a field means anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prereq {
    /// Nothing.
    None,
    /// An Ethernet frame.
    Ethernet,
    /// ARP or RARP.
    Arp,
    /// A VLAN tag.
    VlanVid,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 or IPv6.
    IpAny,
    /// MPLS.
    Mpls,
    /// TCP over IP.
    Tcp,
    /// UDP over IP.
    Udp,
    /// SCTP over IP.
    Sctp,
    /// ICMP over IPv4.
    Icmpv4,
    /// ICMPv6.
    Icmpv6,
    /// ICMPv6 neighbor solicitation or advertisement.
    Nd,
    /// ICMPv6 neighbor solicitation.
    NdSolicit,
    /// ICMPv6 neighbor advertisement.
    NdAdvert,
    /// NSH.
    Nsh,
    /// A backbone service instance tag.
    Pbb,
    /// A tracked packet.
    Ct,
}

/// What masks a match on the field may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maskable {
    /// Exact match only.
    No,
    /// Any bitwise mask.
    Any,
}

/// What the fixed-size matches of OpenFlow 1.0 or 1.1 can say about the field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fixed {
    /// Nothing.
    No,
    /// Exact matches.
    Exact,
    /// Prefixes.
    Cidr,
    /// Any mask.
    Any,
}

/// Where the bits are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    /// Bits `start..start + len` of the key, counted from its most significant bit.
    Bits {
        /// First bit.
        start: u16,
        /// Number of bits.
        len: u8,
    },
    /// The low byte of the 16 bits at byte offset `.0` (ICMP type and code, in the places of L4 ports); the high
    /// byte of a mask follows, so that a match says the same whether it came as a port or as a type.
    LowByte(u16),
    /// The 16-bit view of a 32-bit port number.
    Port16,
    /// OpenFlow 1.0 VLAN id: sets the tag's present bit too; 0xffff is "no tag".
    DlVlan,
    /// OpenFlow 1.0 VLAN priority: sets the tag's present bit too.
    DlVlanPcp,
    /// Tunnel option number `.0`, whose place is told by a [`crate::tun::TunLayout`].
    TunMetadata(u8),
}

/// An entry of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Primary name.
    pub name: &'static str,
    /// Another name that is accepted, or empty.
    pub alias: &'static str,
    /// Width on the wire in bytes.
    pub bytes: u8,
    /// Number of least-significant bits that may be nonzero.
    pub bits: u16,
    /// Where it is in a key.
    pub location: Location,
    /// Bits of a value that are kept (`bits` ones for most).
    pub valid: u128,
    /// What masks are allowed.
    pub maskable: Maskable,
    /// Text form.
    pub format: Format,
    /// What must be matched first.
    pub prereq: Prereq,
    /// Whether actions may change it.
    pub writable: bool,
    /// In OpenFlow 1.0's fixed match.
    pub of10: Fixed,
    /// In OpenFlow 1.1's fixed match.
    pub of11: Fixed,
    /// Whether a match prints it by itself, after the fields that have customary places.
    pub plain: bool,
    headers: [Header; 3],
    n_headers: u8,
}

impl FieldInfo {
    /// Its wire headers: OpenFlow's, then the extensions'.
    pub const fn headers(&self) -> &[Header] {
        self.headers.split_at(self.n_headers as usize).0
    }

    /// All-ones mask of the field's width in bits (`bits` ones, at most 128).
    pub const fn ones(&self) -> u128 {
        ones(self.bits)
    }

    /// The words of the layout in which it lies, from the first up to the last (exclusive). A tunnel option lies in
    /// none that could be told.
    pub const fn words(&self) -> (usize, usize) {
        let (first, last) = match self.location {
            Location::Bits { start, len } => (start as usize, start as usize + len as usize - 1),
            Location::LowByte(ofs) => (ofs as usize * 8, ofs as usize * 8),
            Location::Port16 => (l::IN_PORT * 8, l::IN_PORT * 8),
            Location::DlVlan | Location::DlVlanPcp => (l::VLAN_TCI * 8, l::VLAN_TCI * 8),
            Location::TunMetadata(_) => return (0, 0),
        };
        (first / 64, last / 64 + 1)
    }

    /// Its bits in a word of a key, as they lie in memory. Of a view of other fields, all of the word.
    pub const fn bits_in(&self, word: usize) -> u64 {
        let Location::Bits { start, len } = self.location else { return u64::MAX };
        let (mut bits, mut bit) = (0u64, start as usize);
        while bit < start as usize + len as usize {
            if bit / 64 == word {
                bits |= 1 << (63 - bit % 64);
            }
            bit += 1;
        }
        bits.to_be()
    }
}

/// `n` low bits set.
pub const fn ones(n: u16) -> u128 {
    if n >= 128 { u128::MAX } else { (1 << n) - 1 }
}

const NO_HEADER: Header = Header { name: "", class: 0, field: 0, experimenter: 0, of_version: 0 };

/// Nicira's first vendor class: fields of OpenFlow 1.0.
pub const CLASS_NXM_0: u16 = 0;
/// Nicira's second vendor class: extensions.
pub const CLASS_NXM_1: u16 = 1;
/// Standard OpenFlow fields.
pub const CLASS_BASIC: u16 = 0x8000;
/// OpenFlow 1.5 packet registers.
pub const CLASS_PACKET_REGS: u16 = 0x8001;
/// Experimenter fields with 64-bit headers.
pub const CLASS_EXPERIMENTER: u16 = 0xffff;
/// Class of two ND extensions.
pub const CLASS_ERICSSON: u16 = 0x1000;
/// Experimenter id of the ONF.
pub const EXP_ONF: u32 = 0x4f4e_4600;
/// Experimenter id of Nicira.
pub const EXP_NICIRA: u32 = 0x0000_2320;
/// Experimenter id of Open vSwitch's NSH fields.
pub const EXP_NSH: u32 = 0x005a_d650;

const fn oxm(name: &'static str, field: u8, of_version: u8) -> Header {
    Header { name, class: CLASS_BASIC, field, experimenter: 0, of_version }
}
const fn nxm0(name: &'static str, field: u8) -> Header {
    Header { name, class: CLASS_NXM_0, field, experimenter: 0, of_version: 0 }
}
const fn nxm1(name: &'static str, field: u8) -> Header {
    Header { name, class: CLASS_NXM_1, field, experimenter: 0, of_version: 0 }
}
const fn exp(name: &'static str, experimenter: u32, field: u8, of_version: u8) -> Header {
    Header { name, class: CLASS_EXPERIMENTER, field, experimenter, of_version }
}
const fn eric(name: &'static str, field: u8) -> Header {
    Header { name, class: CLASS_ERICSSON, field, experimenter: 0, of_version: 0 }
}

use Format::*;
use Prereq as P;

/// A field at byte `ofs` with all bits of `bytes` bytes.
const fn entry(
    name: &'static str,
    alias: &'static str,
    ofs: usize,
    bytes: u8,
    format: Format,
    prereq: Prereq,
) -> FieldInfo {
    bits(name, alias, ofs * 8, bytes as u16 * 8, bytes, format, prereq)
}

/// A field of `n` bits from bit `start`, `bytes` wide on the wire.
const fn bits(
    name: &'static str,
    alias: &'static str,
    start: usize,
    n: u16,
    bytes: u8,
    format: Format,
    prereq: Prereq,
) -> FieldInfo {
    FieldInfo {
        field: Field(0),
        name,
        alias,
        bytes,
        bits: n,
        location: Location::Bits { start: start as u16, len: n as u8 },
        valid: ones(n),
        maskable: Maskable::No,
        format,
        prereq,
        writable: false,
        of10: Fixed::No,
        of11: Fixed::No,
        plain: false,
        headers: [NO_HEADER; 3],
        n_headers: 0,
    }
}

impl FieldInfo {
    const fn any(mut self) -> FieldInfo {
        self.maskable = Maskable::Any;
        self
    }
    const fn rw(mut self) -> FieldInfo {
        self.writable = true;
        self
    }
    const fn plain(mut self) -> FieldInfo {
        self.plain = true;
        self
    }
    const fn fixed(mut self, of10: Fixed, of11: Fixed) -> FieldInfo {
        self.of10 = of10;
        self.of11 = of11;
        self
    }
    const fn valid(mut self, valid: u128) -> FieldInfo {
        self.valid = valid;
        self
    }
    const fn width(mut self, bits: u16) -> FieldInfo {
        self.bits = bits;
        self
    }
    const fn at(mut self, location: Location) -> FieldInfo {
        self.location = location;
        self
    }
    const fn h(mut self, h: Header) -> FieldInfo {
        self.headers[self.n_headers as usize] = h;
        self.n_headers += 1;
        self
    }
}

const E: Fixed = Fixed::Exact;
const A: Fixed = Fixed::Any;
const C: Fixed = Fixed::Cidr;
const N: Fixed = Fixed::No;

/// Declares a run of fields: the constants and the entries.
macro_rules! fields {
    ($table:ident, $module:ident, $start:expr; $($(#[$doc:meta])* $id:ident = $e:expr;)*) => {
        mod $module {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            #[repr(u8)]
            pub enum Id { $($id,)* Count }
        }
        impl Field {
            $($(#[$doc])* #[doc = concat!("`", stringify!($id), "`, see the table.")]
            pub const $id: Field = Field($start + $module::Id::$id as u8);)*
        }
        const $table: [FieldInfo; $module::Id::Count as usize] = [$($e),*];
    };
}

fields! { TUNNEL, tunnel, 0;
    DP_HASH = entry("dp_hash", "", l::DP_HASH, 4, Hexadecimal, P::None).any().h(nxm1("NXM_NX_DP_HASH", 35));
    RECIRC_ID = entry("recirc_id", "", l::RECIRC_ID, 4, Hexadecimal, P::None).h(nxm1("NXM_NX_RECIRC_ID", 36));
    PACKET_TYPE = entry("packet_type", "", l::PACKET_TYPE, 4, PacketType, P::None).h(oxm("OXM_OF_PACKET_TYPE", 44, 6));
    CONJ_ID = entry("conj_id", "", l::CONJ_ID, 4, Decimal, P::None).h(nxm1("NXM_NX_CONJ_ID", 37));
    TUN_ID = entry("tun_id", "tunnel_id", l::TUN_ID, 8, Hexadecimal, P::None).any().rw()
        .h(oxm("OXM_OF_TUNNEL_ID", 38, 4)).h(nxm1("NXM_NX_TUN_ID", 16));
    TUN_SRC = entry("tun_src", "", l::TUN_SRC, 4, Ipv4, P::None).any().rw().h(nxm1("NXM_NX_TUN_IPV4_SRC", 31));
    TUN_DST = entry("tun_dst", "", l::TUN_DST, 4, Ipv4, P::None).any().rw().h(nxm1("NXM_NX_TUN_IPV4_DST", 32));
    TUN_IPV6_SRC = entry("tun_ipv6_src", "", l::TUN_IPV6_SRC, 16, Ipv6, P::None).any().rw().h(nxm1("NXM_NX_TUN_IPV6_SRC", 109));
    TUN_IPV6_DST = entry("tun_ipv6_dst", "", l::TUN_IPV6_DST, 16, Ipv6, P::None).any().rw().h(nxm1("NXM_NX_TUN_IPV6_DST", 110));
    TUN_FLAGS = entry("tun_flags", "", l::TUN_FLAGS, 2, TunFlags, P::None).width(1).valid(1).any().rw().h(nxm1("NXM_NX_TUN_FLAGS", 104));
    TUN_TTL = entry("tun_ttl", "", l::TUN_TTL, 1, Decimal, P::None);
    TUN_TOS = entry("tun_tos", "", l::TUN_TOS, 1, Decimal, P::None);
    TUN_GBP_ID = entry("tun_gbp_id", "", l::TUN_GBP_ID, 2, Decimal, P::None).any().rw().h(nxm1("NXM_NX_TUN_GBP_ID", 38));
    TUN_GBP_FLAGS = entry("tun_gbp_flags", "", l::TUN_GBP_FLAGS, 1, Hexadecimal, P::None).any().rw().h(nxm1("NXM_NX_TUN_GBP_FLAGS", 39));
    TUN_ERSPAN_IDX = entry("tun_erspan_idx", "", l::TUN_ERSPAN_IDX, 4, Hexadecimal, P::None).width(20).any().rw()
        .h(exp("NXOXM_ET_ERSPAN_IDX", EXP_NICIRA, 11, 0));
    TUN_ERSPAN_VER = entry("tun_erspan_ver", "", l::TUN_ERSPAN_VER, 1, Decimal, P::None).width(4).any().rw()
        .h(exp("NXOXM_ET_ERSPAN_VER", EXP_NICIRA, 12, 0));
    TUN_ERSPAN_DIR = entry("tun_erspan_dir", "", l::TUN_ERSPAN_DIR, 1, Decimal, P::None).width(1).any().rw()
        .h(exp("NXOXM_ET_ERSPAN_DIR", EXP_NICIRA, 13, 0));
    TUN_ERSPAN_HWID = entry("tun_erspan_hwid", "", l::TUN_ERSPAN_HWID, 1, Hexadecimal, P::None).width(6).any().rw()
        .h(exp("NXOXM_ET_ERSPAN_HWID", EXP_NICIRA, 14, 0));
    TUN_GTPU_FLAGS = entry("tun_gtpu_flags", "", l::TUN_GTPU_FLAGS, 1, Hexadecimal, P::None).any()
        .h(exp("NXOXM_ET_GTPU_FLAGS", EXP_NICIRA, 15, 0));
    TUN_GTPU_MSGTYPE = entry("tun_gtpu_msgtype", "", l::TUN_GTPU_MSGTYPE, 1, Decimal, P::None).any()
        .h(exp("NXOXM_ET_GTPU_MSGTYPE", EXP_NICIRA, 16, 0));
}

const TUN_METADATA_START: u8 = TUNNEL.len() as u8;
const ARRIVAL_START: u8 = TUN_METADATA_START + 64;

fields! { ARRIVAL, arrival, ARRIVAL_START;
    METADATA = entry("metadata", "", l::METADATA, 8, Hexadecimal, P::None).any().rw().fixed(N, A).h(oxm("OXM_OF_METADATA", 2, 3));
    IN_PORT = entry("in_port", "", l::IN_PORT, 2, OfPort, P::None).at(Location::Port16).rw().fixed(E, E).h(nxm0("NXM_OF_IN_PORT", 0));
    IN_PORT_OXM = entry("in_port_oxm", "", l::IN_PORT, 4, OfPortOxm, P::None).rw().fixed(N, E).h(oxm("OXM_OF_IN_PORT", 0, 3));
    ACTSET_OUTPUT = entry("actset_output", "", l::ACTSET_OUTPUT, 4, OfPortOxm, P::None)
        .h(exp("ONFOXM_ET_ACTSET_OUTPUT", EXP_ONF, 43, 4)).h(oxm("OXM_OF_ACTSET_OUTPUT", 43, 6));
    SKB_PRIORITY = entry("skb_priority", "", l::SKB_PRIORITY, 4, Hexadecimal, P::None);
    PKT_MARK = entry("pkt_mark", "", l::PKT_MARK, 4, Hexadecimal, P::None).any().rw().h(nxm1("NXM_NX_PKT_MARK", 33));
    CT_STATE = entry("ct_state", "", l::CT_STATE, 4, CtState, P::None).any().h(nxm1("NXM_NX_CT_STATE", 105));
    CT_ZONE = entry("ct_zone", "", l::CT_ZONE, 2, Hexadecimal, P::None).h(nxm1("NXM_NX_CT_ZONE", 106));
    CT_MARK = entry("ct_mark", "", l::CT_MARK, 4, Hexadecimal, P::None).any().rw().h(nxm1("NXM_NX_CT_MARK", 107));
    CT_LABEL = entry("ct_label", "", l::CT_LABEL, 16, Hexadecimal, P::None).any().rw().h(nxm1("NXM_NX_CT_LABEL", 108));
    CT_NW_PROTO = entry("ct_nw_proto", "", l::CT_NW_PROTO, 1, Decimal, P::Ct).h(nxm1("NXM_NX_CT_NW_PROTO", 119));
    CT_NW_SRC = entry("ct_nw_src", "", l::CT_NW_SRC, 4, Ipv4, P::Ct).any().h(nxm1("NXM_NX_CT_NW_SRC", 120));
    CT_NW_DST = entry("ct_nw_dst", "", l::CT_NW_DST, 4, Ipv4, P::Ct).any().h(nxm1("NXM_NX_CT_NW_DST", 121));
    CT_IPV6_SRC = entry("ct_ipv6_src", "", l::CT_IPV6_SRC, 16, Ipv6, P::Ct).any().h(nxm1("NXM_NX_CT_IPV6_SRC", 122));
    CT_IPV6_DST = entry("ct_ipv6_dst", "", l::CT_IPV6_DST, 16, Ipv6, P::Ct).any().h(nxm1("NXM_NX_CT_IPV6_DST", 123));
    CT_TP_SRC = entry("ct_tp_src", "", l::CT_TP_SRC, 2, Decimal, P::Ct).any().h(nxm1("NXM_NX_CT_TP_SRC", 124));
    CT_TP_DST = entry("ct_tp_dst", "", l::CT_TP_DST, 2, Decimal, P::Ct).any().h(nxm1("NXM_NX_CT_TP_DST", 125));
}

const REG_START: u8 = ARRIVAL_START + ARRIVAL.len() as u8;
const XREG_START: u8 = REG_START + 32;
const XXREG_START: u8 = XREG_START + 16;
const PACKET_START: u8 = XXREG_START + 8;

fields! { PACKET, packet, PACKET_START;
    ETH_SRC = entry("eth_src", "dl_src", l::ETH_SRC, 6, Ethernet, P::Ethernet).any().rw().fixed(E, A)
        .h(oxm("OXM_OF_ETH_SRC", 4, 3)).h(nxm0("NXM_OF_ETH_SRC", 2));
    ETH_DST = entry("eth_dst", "dl_dst", l::ETH_DST, 6, Ethernet, P::Ethernet).any().rw().fixed(E, A)
        .h(oxm("OXM_OF_ETH_DST", 3, 3)).h(nxm0("NXM_OF_ETH_DST", 1));
    ETH_TYPE = entry("eth_type", "dl_type", l::ETH_TYPE, 2, Hexadecimal, P::Ethernet).fixed(E, E)
        .h(oxm("OXM_OF_ETH_TYPE", 5, 3)).h(nxm0("NXM_OF_ETH_TYPE", 3));
    VLAN_TCI = entry("vlan_tci", "", l::VLAN_TCI, 2, Hexadecimal, P::Ethernet).any().rw().fixed(E, E).h(nxm0("NXM_OF_VLAN_TCI", 4));
    DL_VLAN = bits("dl_vlan", "", l::VLAN_TCI * 8 + 4, 12, 2, Decimal, P::Ethernet).at(Location::DlVlan).rw().fixed(E, E);
    VLAN_VID = bits("vlan_vid", "", l::VLAN_TCI * 8 + 3, 13, 2, Decimal, P::Ethernet).width(12).any().rw().fixed(E, E)
        .h(oxm("OXM_OF_VLAN_VID", 6, 3));
    DL_VLAN_PCP = bits("dl_vlan_pcp", "", l::VLAN_TCI * 8, 3, 1, Decimal, P::Ethernet).at(Location::DlVlanPcp).rw().fixed(E, E);
    VLAN_PCP = bits("vlan_pcp", "", l::VLAN_TCI * 8, 3, 1, Decimal, P::VlanVid).at(Location::DlVlanPcp).rw().fixed(E, E).h(oxm("OXM_OF_VLAN_PCP", 7, 3));
    MPLS_LABEL = bits("mpls_label", "", l::MPLS * 8, 20, 4, Decimal, P::Mpls).rw().fixed(N, E).h(oxm("OXM_OF_MPLS_LABEL", 34, 3));
    MPLS_TC = bits("mpls_tc", "", l::MPLS * 8 + 20, 3, 1, Decimal, P::Mpls).rw().fixed(N, E).h(oxm("OXM_OF_MPLS_TC", 35, 3));
    MPLS_BOS = bits("mpls_bos", "", l::MPLS * 8 + 23, 1, 1, Decimal, P::Mpls).h(oxm("OXM_OF_MPLS_BOS", 36, 4));
    MPLS_TTL = bits("mpls_ttl", "", l::MPLS * 8 + 24, 8, 1, Decimal, P::Mpls).rw().h(nxm1("NXM_NX_MPLS_TTL", 30));
    IP_SRC = entry("ip_src", "nw_src", l::NW_SRC, 4, Ipv4, P::Ipv4).any().rw().fixed(C, A)
        .h(oxm("OXM_OF_IPV4_SRC", 11, 3)).h(nxm0("NXM_OF_IP_SRC", 7));
    IP_DST = entry("ip_dst", "nw_dst", l::NW_DST, 4, Ipv4, P::Ipv4).any().rw().fixed(C, A)
        .h(oxm("OXM_OF_IPV4_DST", 12, 3)).h(nxm0("NXM_OF_IP_DST", 8));
    IPV6_SRC = entry("ipv6_src", "", l::IPV6_SRC, 16, Ipv6, P::Ipv6).any().rw()
        .h(oxm("OXM_OF_IPV6_SRC", 26, 3)).h(nxm1("NXM_NX_IPV6_SRC", 19));
    IPV6_DST = entry("ipv6_dst", "", l::IPV6_DST, 16, Ipv6, P::Ipv6).any().rw()
        .h(oxm("OXM_OF_IPV6_DST", 27, 3)).h(nxm1("NXM_NX_IPV6_DST", 20));
    IPV6_LABEL = bits("ipv6_label", "", l::IPV6_LABEL * 8 + 12, 20, 4, Hexadecimal, P::Ipv6).any().rw()
        .h(oxm("OXM_OF_IPV6_FLABEL", 28, 3)).h(nxm1("NXM_NX_IPV6_LABEL", 27));
    IP_PROTO = entry("nw_proto", "ip_proto", l::NW_PROTO, 1, Decimal, P::IpAny).fixed(E, E)
        .h(oxm("OXM_OF_IP_PROTO", 10, 3)).h(nxm0("NXM_OF_IP_PROTO", 6));
    NW_TOS = entry("nw_tos", "", l::NW_TOS, 1, Decimal, P::IpAny).valid(0xfc).rw().fixed(E, E).h(nxm0("NXM_OF_IP_TOS", 5));
    IP_DSCP = bits("ip_dscp", "", l::NW_TOS * 8, 6, 1, Decimal, P::IpAny).rw().fixed(E, E).h(oxm("OXM_OF_IP_DSCP", 8, 3));
    IP_ECN = bits("nw_ecn", "ip_ecn", l::NW_TOS * 8 + 6, 2, 1, Decimal, P::IpAny).rw().fixed(N, E)
        .h(oxm("OXM_OF_IP_ECN", 9, 3)).h(nxm1("NXM_NX_IP_ECN", 28));
    NW_TTL = entry("nw_ttl", "", l::NW_TTL, 1, Decimal, P::IpAny).rw().h(nxm1("NXM_NX_IP_TTL", 29));
    IP_FRAG = bits("ip_frag", "nw_frag", l::NW_FRAG * 8 + 6, 2, 1, Frag, P::IpAny).any().h(nxm1("NXM_NX_IP_FRAG", 26));
    ARP_OP = bits("arp_op", "", l::NW_PROTO * 8, 8, 2, Decimal, P::Arp).width(16).rw().fixed(E, E)
        .h(oxm("OXM_OF_ARP_OP", 21, 3)).h(nxm0("NXM_OF_ARP_OP", 15));
    ARP_SPA = entry("arp_spa", "", l::NW_SRC, 4, Ipv4, P::Arp).any().rw().fixed(C, A)
        .h(oxm("OXM_OF_ARP_SPA", 22, 3)).h(nxm0("NXM_OF_ARP_SPA", 16));
    ARP_TPA = entry("arp_tpa", "", l::NW_DST, 4, Ipv4, P::Arp).any().rw().fixed(C, A)
        .h(oxm("OXM_OF_ARP_TPA", 23, 3)).h(nxm0("NXM_OF_ARP_TPA", 17));
    ARP_SHA = entry("arp_sha", "", l::ARP_SHA, 6, Ethernet, P::Arp).any().rw()
        .h(oxm("OXM_OF_ARP_SHA", 24, 3)).h(nxm1("NXM_NX_ARP_SHA", 17));
    ARP_THA = entry("arp_tha", "", l::ARP_THA, 6, Ethernet, P::Arp).any().rw()
        .h(oxm("OXM_OF_ARP_THA", 25, 3)).h(nxm1("NXM_NX_ARP_THA", 18));
    TCP_SRC = entry("tcp_src", "tp_src", l::TP_SRC, 2, Decimal, P::Tcp).any().rw().fixed(E, E)
        .h(oxm("OXM_OF_TCP_SRC", 13, 3)).h(nxm0("NXM_OF_TCP_SRC", 9));
    TCP_DST = entry("tcp_dst", "tp_dst", l::TP_DST, 2, Decimal, P::Tcp).any().rw().fixed(E, E)
        .h(oxm("OXM_OF_TCP_DST", 14, 3)).h(nxm0("NXM_OF_TCP_DST", 10));
    TCP_FLAGS = bits("tcp_flags", "", l::TCP_FLAGS * 8 + 4, 12, 2, TcpFlags, P::Tcp).any()
        .h(exp("ONFOXM_ET_TCP_FLAGS", EXP_ONF, 42, 4)).h(oxm("OXM_OF_TCP_FLAGS", 42, 6)).h(nxm1("NXM_NX_TCP_FLAGS", 34));
    UDP_SRC = entry("udp_src", "", l::TP_SRC, 2, Decimal, P::Udp).any().rw().fixed(E, E)
        .h(oxm("OXM_OF_UDP_SRC", 15, 3)).h(nxm0("NXM_OF_UDP_SRC", 11));
    UDP_DST = entry("udp_dst", "", l::TP_DST, 2, Decimal, P::Udp).any().rw().fixed(E, E)
        .h(oxm("OXM_OF_UDP_DST", 16, 3)).h(nxm0("NXM_OF_UDP_DST", 12));
    SCTP_SRC = entry("sctp_src", "", l::TP_SRC, 2, Decimal, P::Sctp).any().rw().fixed(N, E).h(oxm("OXM_OF_SCTP_SRC", 17, 3));
    SCTP_DST = entry("sctp_dst", "", l::TP_DST, 2, Decimal, P::Sctp).any().rw().fixed(N, E).h(oxm("OXM_OF_SCTP_DST", 18, 3));
    ICMP_TYPE = entry("icmp_type", "", l::TP_SRC + 1, 1, Decimal, P::Icmpv4).at(Location::LowByte(l::TP_SRC as u16)).rw().fixed(E, E)
        .h(oxm("OXM_OF_ICMPV4_TYPE", 19, 3)).h(nxm0("NXM_OF_ICMP_TYPE", 13));
    ICMP_CODE = entry("icmp_code", "", l::TP_DST + 1, 1, Decimal, P::Icmpv4).at(Location::LowByte(l::TP_DST as u16)).rw().fixed(E, E)
        .h(oxm("OXM_OF_ICMPV4_CODE", 20, 3)).h(nxm0("NXM_OF_ICMP_CODE", 14));
    ICMPV6_TYPE = entry("icmpv6_type", "", l::TP_SRC + 1, 1, Decimal, P::Icmpv6).at(Location::LowByte(l::TP_SRC as u16)).rw()
        .h(oxm("OXM_OF_ICMPV6_TYPE", 29, 3)).h(nxm1("NXM_NX_ICMPV6_TYPE", 21));
    ICMPV6_CODE = entry("icmpv6_code", "", l::TP_DST + 1, 1, Decimal, P::Icmpv6).at(Location::LowByte(l::TP_DST as u16)).rw()
        .h(oxm("OXM_OF_ICMPV6_CODE", 30, 3)).h(nxm1("NXM_NX_ICMPV6_CODE", 22));
    ND_TARGET = entry("nd_target", "", l::ND_TARGET, 16, Ipv6, P::Nd).any().rw()
        .h(oxm("OXM_OF_IPV6_ND_TARGET", 31, 3)).h(nxm1("NXM_NX_ND_TARGET", 23));
    ND_SLL = entry("nd_sll", "", l::ARP_SHA, 6, Ethernet, P::NdSolicit).any().rw()
        .h(oxm("OXM_OF_IPV6_ND_SLL", 32, 3)).h(nxm1("NXM_NX_ND_SLL", 24));
    ND_TLL = entry("nd_tll", "", l::ARP_THA, 6, Ethernet, P::NdAdvert).any().rw()
        .h(oxm("OXM_OF_IPV6_ND_TLL", 33, 3)).h(nxm1("NXM_NX_ND_TLL", 25));
    ND_RESERVED = entry("nd_reserved", "", l::ND_RESERVED, 4, Decimal, P::Nd).rw().h(eric("ERICOXM_OF_ICMPV6_ND_RESERVED", 1));
    ND_OPTIONS_TYPE = entry("nd_options_type", "", l::ND_OPTIONS_TYPE, 1, Decimal, P::Nd).rw()
        .h(eric("ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE", 2));
    NSH_FLAGS = entry("nsh_flags", "", l::NSH_FLAGS, 1, Decimal, P::Nsh).any().rw().h(exp("NXOXM_NSH_FLAGS", EXP_NSH, 1, 0));
    NSH_MDTYPE = entry("nsh_mdtype", "", l::NSH_MDTYPE, 1, Decimal, P::Nsh).h(exp("NXOXM_NSH_MDTYPE", EXP_NSH, 2, 0));
    NSH_NP = entry("nsh_np", "", l::NSH_NP, 1, Decimal, P::Nsh).h(exp("NXOXM_NSH_NP", EXP_NSH, 3, 0));
    NSH_SPI = bits("nsh_spi", "nsp", l::NSH_PATH * 8, 24, 4, Hexadecimal, P::Nsh).rw().h(exp("NXOXM_NSH_SPI", EXP_NSH, 4, 0));
    NSH_SI = entry("nsh_si", "nsi", l::NSH_PATH + 3, 1, Decimal, P::Nsh).rw().h(exp("NXOXM_NSH_SI", EXP_NSH, 5, 0));
    NSH_C1 = entry("nsh_c1", "nshc1", l::NSH_CONTEXT, 4, Hexadecimal, P::Nsh).any().rw().h(exp("NXOXM_NSH_C1", EXP_NSH, 6, 0));
    NSH_C2 = entry("nsh_c2", "nshc2", l::NSH_CONTEXT + 4, 4, Hexadecimal, P::Nsh).any().rw().h(exp("NXOXM_NSH_C2", EXP_NSH, 7, 0));
    NSH_C3 = entry("nsh_c3", "nshc3", l::NSH_CONTEXT + 8, 4, Hexadecimal, P::Nsh).any().rw().h(exp("NXOXM_NSH_C3", EXP_NSH, 8, 0));
    NSH_C4 = entry("nsh_c4", "nshc4", l::NSH_CONTEXT + 12, 4, Hexadecimal, P::Nsh).any().rw().h(exp("NXOXM_NSH_C4", EXP_NSH, 9, 0));
    NSH_TTL = entry("nsh_ttl", "", l::NSH_TTL, 1, Decimal, P::Nsh).rw().h(exp("NXOXM_NSH_TTL", EXP_NSH, 10, 0));
    PBB_ISID = entry("pbb_isid", "", l::PBB_ISID, 3, Hexadecimal, P::Pbb).any().rw().plain().h(oxm("OXM_OF_PBB_ISID", 37, 4));
    PBB_UCA = bits("pbb_uca", "", l::PBB_UCA * 8 + 7, 1, 1, Decimal, P::Pbb).rw().plain().h(oxm("OXM_OF_PBB_UCA", 41, 5));
    IPV6_EXTHDR = bits("ipv6_exthdr", "", l::IPV6_EXTHDR * 8 + 7, 9, 2, Hexadecimal, P::Ipv6).any().plain().h(oxm("OXM_OF_IPV6_EXTHDR", 39, 4));
}

/// Number of fields.
pub const COUNT: usize = PACKET_START as usize + PACKET.len();

macro_rules! series {
    ($prefix:literal: $($n:literal)*) => { [$(concat!($prefix, $n)),*] };
}

macro_rules! zero_to_63 {
    ($prefix:literal) => {
        series!($prefix: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63)
    };
}

const REG: [&str; 64] = zero_to_63!("reg");
const XREG: [&str; 64] = zero_to_63!("xreg");
const XXREG: [&str; 64] = zero_to_63!("xxreg");
const NXM_REG: [&str; 64] = zero_to_63!("NXM_NX_REG");
const OXM_PKT_REG: [&str; 64] = zero_to_63!("OXM_OF_PKT_REG");
const NXM_XXREG: [&str; 64] = zero_to_63!("NXM_NX_XXREG");
const TUN_METADATA: [&str; 64] = zero_to_63!("tun_metadata");
const NXM_TUN_METADATA: [&str; 64] = zero_to_63!("NXM_NX_TUN_METADATA");

const fn register(n: usize) -> FieldInfo {
    let f = entry(REG[n], "", l::REGS + 4 * n, 4, Hexadecimal, P::None).any().rw();
    // The extension numbers sixteen registers; the others have no number on the wire.
    if n < 16 { f.h(nxm1(NXM_REG[n], n as u8)) } else { f }
}

const fn double_register(n: usize) -> FieldInfo {
    let header = Header {
        name: OXM_PKT_REG[n],
        class: CLASS_PACKET_REGS,
        field: n as u8,
        experimenter: 0,
        of_version: 4,
    };
    entry(XREG[n], "", l::REGS + 8 * n, 8, Hexadecimal, P::None).any().rw().h(header)
}

const fn quad_register(n: usize) -> FieldInfo {
    entry(XXREG[n], "", l::REGS + 16 * n, 16, Hexadecimal, P::None)
        .any()
        .rw()
        .h(nxm1(NXM_XXREG[n], 111 + n as u8))
}

const fn tunnel_option(n: usize) -> FieldInfo {
    bits(TUN_METADATA[n], "", 0, 992, 124, Hexadecimal, P::None)
        .at(Location::TunMetadata(n as u8))
        .any()
        .rw()
        .h(nxm1(NXM_TUN_METADATA[n], 40 + n as u8))
}

const fn build() -> [FieldInfo; COUNT] {
    let mut table = [TUNNEL[0]; COUNT];
    let mut i = 0;
    while i < COUNT {
        let b = i as u8;
        table[i] = if b < TUN_METADATA_START {
            TUNNEL[i]
        } else if b < ARRIVAL_START {
            tunnel_option(i - TUN_METADATA_START as usize)
        } else if b < REG_START {
            ARRIVAL[i - ARRIVAL_START as usize]
        } else if b < XREG_START {
            register(i - REG_START as usize)
        } else if b < XXREG_START {
            double_register(i - XREG_START as usize)
        } else if b < PACKET_START {
            quad_register(i - XXREG_START as usize)
        } else {
            PACKET[i - PACKET_START as usize]
        };
        table[i].field = Field(b);
        i += 1;
    }
    table
}

static TABLE: [FieldInfo; COUNT] = build();

impl Field {
    /// The entry.
    pub const fn info(self) -> &'static FieldInfo {
        &TABLE[self.0 as usize]
    }

    /// Primary name.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The field with this number in the table.
    pub const fn from_index(n: usize) -> Field {
        assert!(n < COUNT);
        Field(n as u8)
    }

    /// Its number in the table, below [`COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All fields, in the table's order.
    pub fn all() -> impl DoubleEndedIterator<Item = Field> + ExactSizeIterator {
        (0..COUNT as u8).map(Field)
    }

    /// 32-bit register `n` (0..32).
    pub const fn reg(n: u8) -> Field {
        assert!(n < 32);
        Field(REG_START + n)
    }

    /// 64-bit register `n` (0..16).
    pub const fn xreg(n: u8) -> Field {
        assert!(n < 16);
        Field(XREG_START + n)
    }

    /// 128-bit register `n` (0..8).
    pub const fn xxreg(n: u8) -> Field {
        assert!(n < 8);
        Field(XXREG_START + n)
    }

    /// Whether it is several registers seen as one (`xreg`, `xxreg`).
    pub const fn is_wide_register(self) -> bool {
        self.0 >= XREG_START && self.0 < PACKET_START
    }

    /// Tunnel option `n` (0..64).
    pub const fn tun_metadata(n: u8) -> Field {
        assert!(n < 64);
        Field(TUN_METADATA_START + n)
    }

    /// If this is a tunnel option, which.
    pub const fn as_tun_metadata(self) -> Option<u8> {
        if self.0 >= TUN_METADATA_START && self.0 < ARRIVAL_START {
            Some(self.0 - TUN_METADATA_START)
        } else {
            None
        }
    }

    /// Whether this is a view of the registers (32, 64 or 128 bits).
    pub const fn is_register(self) -> bool {
        self.0 >= REG_START && self.0 < PACKET_START
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bits `ofs..ofs + n_bits` of a field, counted from its least significant bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subfield {
    /// The field.
    pub field: Field,
    /// First bit.
    pub ofs: u16,
    /// Number of bits, at least 1.
    pub n_bits: u16,
}

impl Subfield {
    /// All of a field.
    pub fn whole(field: Field) -> Subfield {
        Subfield { field, ofs: 0, n_bits: field.info().bits }
    }
}
