//! Where every field lives in a [`FlowKey`](crate::FlowKey): byte offsets, declared once.
//!
//! Everything is kept as big-endian bytes, as on the wire, so that wide registers are plain overlays of narrow ones
//! and a prefix mask of any field is a prefix of its bytes. The order is the order in which a packet is understood:
//! what is known on arrival, then layer 2, 2.5, 3 and 4, then what only the pipeline writes. Staged lookup cuts the
//! key at the stage bounds below.

/// Number of 64-bit words in a key.
pub const WORDS: usize = 92;
/// Number of bytes in a key.
pub const BYTES: usize = WORDS * 8;

/// OpenFlow port number or datapath port number, u32.
pub const IN_PORT: usize = 0;
/// Recirculation id, u32.
pub const RECIRC_ID: usize = 4;
/// Hash computed by the datapath, u32.
pub const DP_HASH: usize = 8;
/// Queueing priority, u32.
pub const SKB_PRIORITY: usize = 12;
/// Packet mark, u32.
pub const PKT_MARK: usize = 16;
/// Packet type: namespace u16, type u16.
pub const PACKET_TYPE: usize = 20;
/// Connection state, u32.
pub const CT_STATE: usize = 24;
/// Connection mark, u32.
pub const CT_MARK: usize = 28;
/// Connection zone, u16.
pub const CT_ZONE: usize = 32;
/// Protocol of the connection's original direction, u8.
pub const CT_NW_PROTO: usize = 34;
/// Source port of the connection's original direction, u16.
pub const CT_TP_SRC: usize = 36;
/// Destination port of the connection's original direction, u16.
pub const CT_TP_DST: usize = 38;
/// Connection label, 128 bits.
pub const CT_LABEL: usize = 40;
/// IPv4 source of the connection's original direction.
pub const CT_NW_SRC: usize = 56;
/// IPv4 destination of the connection's original direction.
pub const CT_NW_DST: usize = 60;
/// IPv6 source of the connection's original direction.
pub const CT_IPV6_SRC: usize = 64;
/// IPv6 destination of the connection's original direction.
pub const CT_IPV6_DST: usize = 80;
/// Tunnel key, u64.
pub const TUN_ID: usize = 96;
/// Outer IPv4 source.
pub const TUN_SRC: usize = 104;
/// Outer IPv4 destination.
pub const TUN_DST: usize = 108;
/// Outer IPv6 source.
pub const TUN_IPV6_SRC: usize = 112;
/// Outer IPv6 destination.
pub const TUN_IPV6_DST: usize = 128;
/// Tunnel flags, u16: see [`crate::key::tun_flags`].
pub const TUN_FLAGS: usize = 144;
/// Outer TOS, u8.
pub const TUN_TOS: usize = 146;
/// Outer TTL, u8.
pub const TUN_TTL: usize = 147;
/// VXLAN group policy id, u16.
pub const TUN_GBP_ID: usize = 148;
/// VXLAN group policy flags, u8.
pub const TUN_GBP_FLAGS: usize = 150;
/// ERSPAN version, u8.
pub const TUN_ERSPAN_VER: usize = 151;
/// Outer UDP source port, u16.
pub const TUN_TP_SRC: usize = 152;
/// Outer UDP destination port, u16.
pub const TUN_TP_DST: usize = 154;
/// ERSPAN index, u32.
pub const TUN_ERSPAN_IDX: usize = 156;
/// ERSPAN direction, u8.
pub const TUN_ERSPAN_DIR: usize = 160;
/// ERSPAN hardware id, u8.
pub const TUN_ERSPAN_HWID: usize = 161;
/// GTP-U flags, u8.
pub const TUN_GTPU_FLAGS: usize = 162;
/// GTP-U message type, u8.
pub const TUN_GTPU_MSGTYPE: usize = 163;

/// Ethernet destination, 6 bytes.
pub const ETH_DST: usize = 168;
/// Ethernet source, 6 bytes.
pub const ETH_SRC: usize = 174;
/// Tags: two of (TPID u16, TCI u16); a TCI without bit 12 means no tag.
pub const VLAN: usize = 180;
/// TPID of the outer tag.
pub const VLAN_TPID: usize = VLAN;
/// TCI of the outer tag.
pub const VLAN_TCI: usize = VLAN + 2;
/// TPID of the inner tag.
pub const VLAN2_TPID: usize = VLAN + 4;
/// TCI of the inner tag.
pub const VLAN2_TCI: usize = VLAN + 6;
/// Ethertype after the tags, u16.
pub const ETH_TYPE: usize = 188;
/// MPLS label stack entries, three of u32.
pub const MPLS: usize = 192;
/// Backbone service instance id, 24 bits.
pub const PBB_ISID: usize = 204;
/// Backbone use-customer-address bit, u8.
pub const PBB_UCA: usize = 207;

/// IPv4 source, or ARP sender protocol address.
pub const NW_SRC: usize = 208;
/// IPv4 destination, or ARP target protocol address.
pub const NW_DST: usize = 212;
/// IPv6 source.
pub const IPV6_SRC: usize = 216;
/// IPv6 destination.
pub const IPV6_DST: usize = 232;
/// IPv6 flow label, u32 of which 20 bits count.
pub const IPV6_LABEL: usize = 248;
/// Fragment flags, u8: 1 any fragment, 2 later fragment.
pub const NW_FRAG: usize = 252;
/// TOS or traffic class, u8.
pub const NW_TOS: usize = 253;
/// TTL or hop limit, u8.
pub const NW_TTL: usize = 254;
/// IP protocol, or the low byte of the ARP opcode.
pub const NW_PROTO: usize = 255;
/// ARP sender hardware address, or ND source link-layer address.
pub const ARP_SHA: usize = 256;
/// ARP target hardware address, or ND target link-layer address.
pub const ARP_THA: usize = 262;
/// IPv6 extension header flags, u16.
pub const IPV6_EXTHDR: usize = 268;
/// ND target, 16 bytes.
pub const ND_TARGET: usize = 272;
/// NSH flags, u8.
pub const NSH_FLAGS: usize = 288;
/// NSH TTL, u8.
pub const NSH_TTL: usize = 289;
/// NSH metadata type, u8.
pub const NSH_MDTYPE: usize = 290;
/// NSH next protocol, u8.
pub const NSH_NP: usize = 291;
/// NSH service path id (24 bits) and service index (8 bits).
pub const NSH_PATH: usize = 292;
/// NSH context headers, four of u32.
pub const NSH_CONTEXT: usize = 296;

/// TCP flags, u16 of which 12 bits count.
pub const TCP_FLAGS: usize = 312;
/// Type of the first ND option, u8.
pub const ND_OPTIONS_TYPE: usize = 314;
/// L4 source port, or ICMP type in the low byte.
pub const TP_SRC: usize = 316;
/// L4 destination port, or ICMP code in the low byte.
pub const TP_DST: usize = 318;
/// IGMP group, u32.
pub const IGMP_GROUP: usize = 320;
/// ND reserved word, u32.
pub const ND_RESERVED: usize = 324;

/// Registers, 32 of u32.
pub const REGS: usize = 328;
/// OpenFlow metadata, u64.
pub const METADATA: usize = 456;
/// Output port in the action set, u32.
pub const ACTSET_OUTPUT: usize = 464;
/// Conjunction id, u32.
pub const CONJ_ID: usize = 468;
/// Which tunnel options are present, a bit for each of 64.
pub const TUN_OPTS_PRESENT: usize = 472;
/// Contents of the tunnel options.
pub const TUN_OPTS: usize = 480;
/// Bytes for tunnel options.
pub const TUN_OPTS_LEN: usize = 256;

/// First word of layer 2: words before are known on arrival.
pub const STAGE_L2: usize = 21;
/// First word of layer 3.
pub const STAGE_L3: usize = 26;
/// First word of layer 4.
pub const STAGE_L4: usize = 39;
/// First word that no packet determines (registers, metadata, ...), up to [`WORDS`].
pub const STAGE_PIPELINE: usize = 41;

const _: () = assert!(STAGE_L2 * 8 == ETH_DST && STAGE_L3 * 8 == NW_SRC && STAGE_L4 * 8 == TCP_FLAGS);
const _: () = assert!(STAGE_PIPELINE * 8 == REGS && TUN_OPTS + TUN_OPTS_LEN == BYTES && WORDS <= 128);
